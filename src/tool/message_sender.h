/* SPDX-License-Identifier: Apache-2.0 */
/* message_sender - sends messages to an input of the configuration.
 *
 * It connects when it sends the first message.  A message is sent as a
 * datagram, or framed as the input's Format requires. */
#ifndef TOOL_MESSAGE_SENDER_H
#define TOOL_MESSAGE_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "intake/framing.h"
#include "intake/socket.h"

struct conf_section;

struct message_sender {
	char *name;	       /* of the input */
	struct socket_opts at; /* borrows texts of the configuration */
	enum framing_kind framing;
	struct buf framed;
	int fd; /* -1: not yet connected */
};

/* Read an [INPUT]; `index` is its number among the inputs, from 0.  Call the
 * _fini function also after a failure.  The configuration must outlive the
 * sender. */
bool message_sender_init(struct message_sender *, struct conf_section *,
			 size_t index, struct err *) MUST_USE;
void message_sender_fini(struct message_sender *);

enum message_sender_result {
	MESSAGE_SENDER_SENT,
	MESSAGE_SENDER_CANNOT, /* not this message, but perhaps others */
	MESSAGE_SENDER_GONE,   /* the input cannot be reached */
};

/* Send a message.  Waits while the receiver's queue is full.  *e is set unless
 * the message was sent. */
enum message_sender_result message_sender_send(struct message_sender *,
					       struct span message,
					       struct err *) MUST_USE;

#endif
