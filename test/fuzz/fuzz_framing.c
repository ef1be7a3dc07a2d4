/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the framing and the size of the pieces in which the
 * rest arrives.  The messages must be the same as if the rest arrived at once.
 * Each message is a part of the text, follows the previous one, and is never
 * too long. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "intake/framing.h"

enum { BYTES_MAX = 16, LENGTH_BYTES_MAX = 10 };

static void put(struct buf *out, enum framing_what what, struct span message)
{
	buf_put_char(out, (char)what);
	buf_put_char(out, (char)message.len);
	buf_put_span(out, message);
}

static void take_all(struct framing *f, struct span *rest, struct buf *out)
{
	struct span message;
	enum framing_what what;
	const char *at = rest->ptr;
	while ((what = framing_take(f, rest, &message)) != FRAMING_MORE) {
		CHECK(message.len > 0 && message.len <= BYTES_MAX);
		CHECK(message.ptr >= at);
		at = message.ptr + message.len;
		CHECK(at <= rest->ptr);
		put(out, what, message);
	}
}

static void run(enum framing_kind kind, struct span text, size_t piece,
		struct buf *out)
{
	struct framing f;
	struct buf held = {0};
	framing_init(&f, kind, BYTES_MAX);
	for (size_t at = 0; at < text.len; at += piece) {
		size_t n = text.len - at < piece ? text.len - at : piece;
		/* An exact copy, so that the sanitizers notice a read past its end. */
		char *exact = malloc(held.len + n);
		CHECK(exact != NULL);
		if (held.len > 0)
			memcpy(exact, held.ptr, held.len);
		memcpy(exact + held.len, text.ptr + at, n);
		struct span rest = span_make(exact, held.len + n);
		take_all(&f, &rest, out);
		CHECK(rest.len <= BYTES_MAX + LENGTH_BYTES_MAX);
		buf_clear(&held);
		buf_put_span(&held, rest);
		free(exact);
	}
	struct span message;
	if (framing_end(&f, buf_span(&held), &message))
		put(out, FRAMING_MORE, message);
	buf_fini(&held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum framing_kind kind =
		data[0] % 2 != 0 ? FRAMING_OCTETS : FRAMING_NEWLINE;
	size_t piece = 1 + data[0] / 2 % 8;
	struct span text = {(const char *)data + 1, size - 1};
	struct buf whole = {0}, pieces = {0};
	run(kind, text, text.len, &whole);
	run(kind, text, piece, &pieces);
	CHECK(span_equals(buf_span(&whole), buf_span(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
