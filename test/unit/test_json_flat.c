/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of json_read() and the fuzz target show that json_flat reads
 * correctly.  These tests show that it reads what nginx writes and leaves other
 * texts to json_read(). */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "record/json.h"
#include "record/json_flat.h"
#include "record/record.h"

struct fixture {
	struct arena *arena;
	struct json_reader *reader;
	struct record *record;
	struct buf written;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->arena = arena_new(4096);
	f->reader = json_reader_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	json_reader_free(f->reader);
	arena_free(f->arena);
	buf_fini(&f->written);
	free(f);
	return 0;
}

/* Read into a fresh record, from an exact copy, so that the sanitizer notices a
 * read past its end. */
static bool is_taken(struct fixture *f, struct span text)
{
	char *alone = malloc(text.len ? text.len : 1);
	memcpy(alone, text.ptr, text.len);
	arena_reset(f->arena);
	f->record = record_new(f->arena, NULL, SPAN("t"), 1);
	bool is_it = json_flat_read(span_make(alone, text.len), f->record);
	buf_clear(&f->written);
	json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
	free(alone);
	return is_it;
}

static void json_as_nginx_writes_it_is_read(void **state)
{
	static const struct {
		const char *text;
		const char *json; /* NULL: the same as the text */
	} cases[] = {
		{"{}", NULL},
		{"{\"a\":\"b\"}", NULL},
		{"{\"\":\"\",\"a\":1,\"b\":\"\"}", NULL},
		{" {\t} \n", "{}"},
		{"\r\n{ \"a\" : \"b\" ,\t\"c\"\v:\f1 } ",
		 "{\"a\":\"b\",\"c\":1}"},
		{"{\"a\":true,\"b\":false,\"c\":null}", NULL},
		{"{\"a\":0,\"b\":-0,\"c\":200}", "{\"a\":0,\"b\":0,\"c\":200}"},
		{"{\"a\":999999999999999999,\"b\":-12345678901234567}", NULL},
		{"{\"a\":0.012,\"b\":-0.5,\"c\":1700000000.123}", NULL},
		{"{\"a\":-0.0,\"b\":12345678901234.5}",
		 "{\"a\":-0.0,\"b\":12345678901234.5}"},
		{"{\"a\":\"x\\\"\\\\\\b\\f\\n\\r\\t\"}", NULL},
		{"{\"a\\n\":\"\\/\\u001B\\u00e9\"}",
		 "{\"a\\n\":\"/\\u001b\xc3\xa9\"}"},
		{"{\"a\":\"\\ud83d\\ude00\",\"b\":\"\\ud83d\"}",
		 "{\"a\":\"\xf0\x9f\x98\x80\",\"b\":\"\xef\xbf\xbd\"}"},
		{"{\"a\":\"\xc3\xa9\xff\"}", "{\"a\":\"\xc3\xa9\\ufffd\"}"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = cases[i].text;
		const char *json = cases[i].json ? cases[i].json : text;
		assert_true(is_taken(f, span_of(text)));
		assert_string_equal(buf_text(&f->written), json);
	}
}

static void unusual_json_is_left_to_the_general_reader(void **state)
{
	const struct span cases[] = {
		/* valid JSON, but left to json_read() */
		SPAN("{\"a\":{}}"),
		SPAN("{\"a\":\"b\",\"c\":[]}"),
		SPAN("{\"a\":1e5}"),
		SPAN("{\"a\":1.5E5}"),
		SPAN("{\"a\":9223372036854775807}"),
		SPAN("{\"a\":0.1234567890123456}"),
		SPAN("{\"a\":\"b\nc\"}"),
		SPAN("{\"a\":1}\0"),
		/* invalid */
		SPAN(""),
		SPAN(" "),
		SPAN("{"),
		SPAN("}"),
		SPAN(" }"),
		SPAN("}}"),
		SPAN("{}}"),
		SPAN("{\"}"),
		SPAN("{\"a}"),
		SPAN("{\"a\"}"),
		SPAN("{\"a\":}"),
		SPAN("{\"a\":\"}"),
		SPAN("{\"a\":\"b}"),
		SPAN("{\"a\":\"\\}"),
		SPAN("{\"a\":\"\\u}"),
		SPAN("{\"a\":\"\\u000}"),
		SPAN("{\"a\":\"\\x41\"}"),
		SPAN("{\"a\":\"\\101\"}"),
		SPAN("{\"a\":\"\\\0\"}"),
		SPAN("{\"a\":1,}"),
		SPAN("{,\"a\":1}"),
		SPAN("{\"a\":1 \"b\":2}"),
		SPAN("{\"a\" 1}"),
		SPAN("{a:1}"),
		SPAN("{\"a\":tru}"),
		SPAN("{\"a\":True}"),
		SPAN("{\"a\":nulll}"),
		SPAN("{\"a\":01}"),
		SPAN("{\"a\":-}"),
		SPAN("{\"a\":+1}"),
		SPAN("{\"a\":1.}"),
		SPAN("{\"a\":.5}"),
		SPAN("{\"a\":1.5.5}"),
		SPAN("{\"a\":1-1}"),
		SPAN("{\"a\":1}{\"b\":2}"),
		SPAN("{\"a\":1}x}"),
		SPAN("{\"a\":1"),
		SPAN("[{\"a\":1}"),
		SPAN("\"a\":1}"),
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_false(is_taken(f, cases[i]));
		assert_int_equal(f->record->count, 0);
	}
}

/* At every position within the blocks that are searched together. */
static void a_special_byte_is_found_at_every_position(void **state)
{
	struct fixture *f = *state;
	for (size_t len = 0; len < 70; len++) {
		for (size_t at = 0; at < len; at++) {
			char text[128];
			int size = snprintf(text, sizeof text,
					    "{\"a\":\"%0*d\",\"b\":1}",
					    (int)len, 0);
			struct span s = {text, (size_t)size};
			char *byte = text + strlen("{\"a\":\"") + at;
			*byte = ' ';
			assert_true(is_taken(f, s));
			assert_int_equal(f->record->count, 2);
			assert_int_equal(f->record->fields[0].value.string.len,
					 len);
			*byte = '\xff';
			assert_true(is_taken(f, s));
			*byte = '"';
			assert_false(is_taken(f, s));
			*byte = '\x1f';
			assert_false(is_taken(f, s));
			*byte = '\0';
			assert_false(is_taken(f, s));
			*byte = '\\'; /* followed by 0 or by the quote */
			assert_false(is_taken(f, s));
		}
	}
}

/* All fractions of three digits, as in request_time and msec. */
static void a_fraction_equals_the_result_of_strtod(void **state)
{
	struct fixture *f = *state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[64], *end;
		unsigned whole = i % 3 == 0 ? i * 214013u : i / 1000;
		int size = snprintf(text, sizeof text, "{\"a\":%s%u.%0*u}",
				    i % 7 == 0 ? "-" : "", whole,
				    (int)(i % 4 + 1), i % 1000);
		assert_true(is_taken(f, span_make(text, (size_t)size)));
		double real = strtod(text + strlen("{\"a\":"), &end);
		assert_memory_equal(&f->record->fields[0].value.real, &real,
				    sizeof real);
	}
}

static void existing_fields_are_kept(void **state)
{
	struct fixture *f = *state;
	struct record *r = record_new(f->arena, NULL, SPAN("t"), 1);
	record_add(r, SPAN("before"), value_int(1));
	assert_false(json_flat_read(SPAN("{\"a\":1,\"b\":2,}"), r));
	assert_int_equal(r->count, 1);
	assert_true(json_flat_read(SPAN("{\"a\":2}"), r));
	json_write_record(&f->written, JSON_BAD_REPLACED, r);
	assert_string_equal(buf_text(&f->written), "{\"before\":1,\"a\":2}");
}

static void a_plain_string_is_not_copied(void **state)
{
	static const char text[] = "{\"a\":\"plain\",\"b\":\"new\\nline\"}";
	struct fixture *f = *state;
	struct record *r = record_new(f->arena, NULL, SPAN("t"), 1);
	assert_true(json_flat_read(span_of(text), r));
	assert_ptr_equal(r->fields[0].key.ptr, text + 2);
	assert_ptr_equal(r->fields[0].value.string.ptr, text + 6);
	assert_true(span_equals(r->fields[1].value.string, SPAN("new\nline")));
}

static void more_fields_than_a_record_starts_with_are_read(void **state)
{
	struct fixture *f = *state;
	struct buf text = {0};
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%s\"%d\":%d", i ? "," : "{", i, i);
	buf_put_char(&text, '}');
	assert_true(is_taken(f, buf_span(&text)));
	assert_string_equal(buf_text(&f->written), buf_text(&text));
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(json_as_nginx_writes_it_is_read),
		TEST(unusual_json_is_left_to_the_general_reader),
		TEST(a_special_byte_is_found_at_every_position),
		TEST(a_fraction_equals_the_result_of_strtod),
		TEST(existing_fields_are_kept),
		TEST(a_plain_string_is_not_copied),
		TEST(more_fields_than_a_record_starts_with_are_read),
#undef TEST
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
