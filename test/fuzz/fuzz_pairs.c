/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of ltsv and logfmt and the three dialects of unescape come to an
 * end, stay within the text and never make it longer. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/check.h"
#include "parse/logfmt.h"
#include "parse/ltsv.h"
#include "record/unescape.h"

static void check_within(struct span part, struct span text)
{
	CHECK(part.len <= text.len);
	CHECK(part.len == 0 || (part.ptr >= text.ptr &&
				part.ptr + part.len <= text.ptr + text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct span rest = text, label, value;
	while (ltsv_next(&rest, &label, &value)) {
		check_within(label, text);
		check_within(value, text);
	}
	struct logfmt_pair pair;
	rest = text;
	while (logfmt_next(&rest, &pair)) {
		check_within(pair.key, text);
		check_within(pair.value, text);
	}
	struct arena *a = arena_new(64);
	CHECK(unescape_plain(a, text).len <= size);
	CHECK(unescape_utf8(a, text).len <= size);
	CHECK(unescape_mysql(a, text).len <= size);
	arena_free(a);
	return 0;
}
