/* SPDX-License-Identifier: Apache-2.0 */
/* If json_flat reads a text, the result equals what yajl reads: the same fields
 * in the same order, to the bit, and the same strings are spans into the text.
 * If it does not read a text, the record stays unchanged. */
#include "fuzz.h"

#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "record/json.h"
#include "record/json_flat.h"
#include "record/record.h"

static bool lies_in(struct span s, struct span text)
{
	return s.ptr >= text.ptr && s.ptr < text.ptr + text.len;
}

static void check_string(struct span a, struct span b, struct span text)
{
	CHECK(span_equals(a, b));
	CHECK(lies_in(a, text) == lies_in(b, text));
}

static void check_value(const struct value *a, const struct value *b,
			struct span text)
{
	CHECK(a->type == b->type);
	CHECK(a->type != VALUE_ARRAY && a->type != VALUE_MAP);
	switch (a->type) {
	case VALUE_NULL:
		break;
	case VALUE_BOOL:
		CHECK(a->boolean == b->boolean);
		break;
	case VALUE_INT:
		CHECK(a->integer == b->integer);
		break;
	case VALUE_FLOAT: /* -0.0 differs from 0.0 */
		CHECK(memcmp(&a->real, &b->real, sizeof a->real) == 0);
		break;
	case VALUE_STRING:
		check_string(a->string, b->string, text);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct json_reader *reader = json_reader_new();
	struct arena *arena = arena_new(4096);
	struct record *flat = record_new(arena, NULL, SPAN("t"), 1);
	struct record *any = record_new(arena, NULL, SPAN("t"), 1);
	record_add(flat, SPAN("before"), value_null());
	record_add(any, SPAN("before"), value_null());

	bool is_flat = json_flat_read(text, flat);
	CHECK(is_flat || flat->count == 1);
	if (is_flat) {
		CHECK(json_read_any(reader, text, any) == JSON_READ);
		CHECK(flat->count == any->count);
	}
	for (size_t i = 1; i < flat->count; i++) {
		const struct field *a = &flat->fields[i], *b = &any->fields[i];
		check_string(a->key, b->key, text);
		check_value(&a->value, &b->value, text);
	}
	arena_free(arena);
	json_reader_free(reader);
	return 0;
}
