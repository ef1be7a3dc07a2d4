/* SPDX-License-Identifier: Apache-2.0 */
/* message_sender - sends messages to an input of the configuration.
 *
 * It connects when it is first needed.  A message is sent as a datagram, or
 * framed as the input's Format requires. */
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
	struct socket_opts at; /* its texts belong to the configuration */
	enum framing_kind framing;
	struct buf framed;
	int fd; /* -1: not yet connected */
};

/* Read an [INPUT]; `index` is its number.  Call the _fini function also after a
 * failure. */
bool message_sender_init(struct message_sender *, struct conf_section *,
			 size_t index, struct err *) MUST_USE;
void message_sender_fini(struct message_sender *);

enum message_sender_result {
	MESSAGE_SENDER_SENT,
	MESSAGE_SENDER_CANNOT, /* not this message; others can be sent */
	MESSAGE_SENDER_GONE,   /* nothing can be sent any more */
};

/* Send a message.  Waits while the receiver's queue is full. */
enum message_sender_result message_sender_send(struct message_sender *,
					       struct span message,
					       struct err *) MUST_USE;

#endif
