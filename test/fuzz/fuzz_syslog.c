/* SPDX-License-Identifier: Apache-2.0 */
/* Every field is a part of the text and follows the previous field.  The last
 * one reaches to the end of the text, except for a line end.  Every key occurs
 * once. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "parse/syslog.h"
#include "record/record.h"

static void check_fields(const struct record *r, struct span text)
{
	const char *at = text.ptr;
	for (size_t i = 0; i < r->count; i++) {
		struct span value = r->fields[i].value.string;
		CHECK(r->fields[i].value.type == VALUE_STRING);
		CHECK(value.len > 0 && value.ptr >= at);
		at = value.ptr + value.len;
		CHECK(at <= text.ptr + text.len);
		CHECK(record_last(r, r->fields[i].key) == &r->fields[i].value);
		CHECK(record_first_at(r, r->fields[i].key, &(size_t){0}) ==
		      &r->fields[i].value);
	}
	const struct value *message = record_last(r, SPAN("message"));
	if (message == NULL)
		return;
	CHECK(message == &r->fields[r->count - 1].value);
	for (; at < text.ptr + text.len; at++)
		CHECK(*at == '\n' || *at == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	struct syslog_parser *parser = syslog_parser_new(&e);
	CHECK(parser != NULL);
	struct arena *arena = arena_new(4096);
	struct record *r = record_new(arena, NULL, SPAN("t"), 1);
	struct span text = {(const char *)data, size};

	enum syslog_verdict verdict =
		syslog_parse(parser, text, INT64_C(1795219200) * NS_PER_S, r);
	check_fields(r, text);
	bool has_pri = record_last(r, SPAN("pri")) != NULL;
	CHECK(has_pri == (verdict != SYSLOG_NO_PRI));

	arena_free(arena);
	syslog_parser_free(parser);
	return 0;
}
