/* SPDX-License-Identifier: Apache-2.0 */
/* target - an input of the configuration, as one who sends to it sees it.
 *
 * Connected when it is needed first.  A message is a datagram, or framed as
 * the input's Format has it. */
#ifndef TOOL_TARGET_H
#define TOOL_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "intake/framing.h"
#include "intake/socket.h"

struct conf_section;

struct target {
	struct buf name;
	struct socket_opts at; /* its texts are the configuration's */
	enum framing_kind framing;
	struct buf framed;
	int fd; /* -1: not yet connected */
};

/* From an [INPUT]; `index` is its number.  target_fini also after failure. */
bool target_init(struct target *, struct conf_section *, size_t index,
		 struct err *) MUST_USE;
void target_fini(struct target *);

enum target_send {
	TARGET_SENT,
	TARGET_CANNOT, /* this message; others can be */
	TARGET_GONE,   /* nothing can be sent */
};

/* Waits while there is no room for it. */
enum target_send target_send(struct target *, struct span message,
			     struct err *) MUST_USE;

#endif
