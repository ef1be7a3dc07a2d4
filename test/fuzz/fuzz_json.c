/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing a text twice gives the same text.  The first writing
 * replaces or removes everything that JSON cannot express: bytes that are not
 * UTF-8, infinity, the first of two equal keys.  The second writing turns the
 * \ufffd of the first into U+FFFD. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "record/json.h"
#include "record/record.h"

static enum json_verdict rewrite(struct json_reader *reader, struct span text,
				 struct buf *out)
{
	struct arena *arena = arena_new(4096);
	struct record *r = record_new(arena, NULL, SPAN("t"), 1);
	enum json_verdict verdict = json_read(reader, text, r);
	CHECK(verdict == JSON_READ || r->count == 0);
	json_write_record(out, JSON_BAD_REPLACED, r);
	arena_free(arena);
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_reader *reader = json_reader_new();
	struct buf first = {0}, second = {0}, third = {0};
	struct span text = {(const char *)data, size};

	/* A refused text is written as {}, which must be readable, too. */
	enum json_verdict verdict = rewrite(reader, text, &first);
	CHECK(rewrite(reader, buf_span(&first), &second) == JSON_READ);
	CHECK(rewrite(reader, buf_span(&second), &third) == JSON_READ);
	CHECK(span_equals(buf_span(&second), buf_span(&third)));
	CHECK(verdict == JSON_READ || second.len == 2);

	buf_fini(&first);
	buf_fini(&second);
	buf_fini(&third);
	json_reader_free(reader);
	return 0;
}
