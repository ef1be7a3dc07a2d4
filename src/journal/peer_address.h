/* SPDX-License-Identifier: Apache-2.0 */
/* peer_address - the sender's address of a message, in the journal.
 *
 * Only inputs with Source_Address_Key keep it.  Their entries have
 * PEER_ADDRESS_MARK in `input`, and the peer address follows the message:
 *
 *     message | "udp://10.0.0.7:51234" | u8 its length | "\xF5src"
 *
 * So the address is as durable as the message.  If a process is killed before
 * it has written the address, the entry is marked but does not end with an
 * address. */
#ifndef JOURNAL_PEER_ADDRESS_H
#define JOURNAL_PEER_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"

struct journal_entry;

enum {
	PEER_ADDRESS_MARK = 0x8000,   /* JOURNAL_INPUT_MARK */
	PEER_ADDRESS_TEXT_BYTES = 64, /* the longest text, with its NUL */
	PEER_ADDRESS_BYTES_MAX = PEER_ADDRESS_TEXT_BYTES + 5,
};

/* "tcp://10.0.0.7:51234"; `scheme` is tcp or udp. */
void peer_address_of_address(char text[static PEER_ADDRESS_TEXT_BYTES],
			     const char *scheme,
			     const struct sockaddr_storage *);

/* "unix://pid_4711", the peer of a Unix connection. */
void peer_address_of_process(char text[static PEER_ADDRESS_TEXT_BYTES], int fd);

/* Write the text to `end`, where the message ends and PEER_ADDRESS_BYTES_MAX
 * bytes are free.  Returns how many bytes were written. */
size_t peer_address_put(char *end, const char *text);

/* Reduce the entry to the message's bytes and the input's number.  Returns the
 * peer address, which is empty if there is none, and valid as long as the
 * bytes. */
struct span peer_address_take(struct journal_entry *);

#endif
