/* SPDX-License-Identifier: Apache-2.0 */
/* origin - who sent a message, on its way through the journal.
 *
 * Only for inputs with Source_Address_Key: their entries have PEER_ADDRESS_MARK in
 * `source` and the sender's address behind the bytes,
 *
 *     message | "udp://10.0.0.7:51234" | u8 its length | "\xF5src"
 *
 * so that it survives what the message survives.  A process that is killed
 * before it could write the address leaves a message without: the entry is
 * marked, but does not end like this. */
#ifndef JOURNAL_PEER_ADDRESS_H
#define JOURNAL_PEER_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/span.h"

struct journal_entry;

enum {
	PEER_ADDRESS_MARK = 0x8000,   /* beside the input's number */
	PEER_ADDRESS_TEXT_BYTES = 64, /* the longest, with its NUL */
	PEER_ADDRESS_BYTES_MAX = PEER_ADDRESS_TEXT_BYTES + 5,
};

/* "tcp://10.0.0.7:51234"; `scheme` is tcp or udp. */
void peer_address_of_address(char text[static PEER_ADDRESS_TEXT_BYTES],
			     const char *scheme,
			     const struct sockaddr_storage *);

/* "unix://pid_4711", of a connection. */
void peer_address_of_process(char text[static PEER_ADDRESS_TEXT_BYTES], int fd);

/* Write it to `end`, where the message ends and PEER_ADDRESS_BYTES_MAX bytes are
 * free; returns how many were used. */
size_t peer_address_put(char *end, const char *text);

/* Leave only the message's bytes and the input's number in the entry; the
 * address, empty if there is none, is valid as long as the bytes. */
struct span peer_address_take(struct journal_entry *);

#endif
