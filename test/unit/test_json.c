/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "record/json.h"
#include "record/record.h"

struct fixture {
	struct arena *arena;
	struct json_reader *reader;
	struct record *record;
	struct buf text;
	struct buf written;
};

static void start_record(struct fixture *f)
{
	arena_reset(f->arena);
	f->record = record_new(f->arena, NULL, SPAN("t"), 1);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->arena = arena_new(4096);
	f->reader = json_reader_new();
	start_record(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	json_reader_free(f->reader);
	arena_free(f->arena);
	buf_fini(&f->text);
	buf_fini(&f->written);
	free(f);
	return 0;
}

/* Read into a fresh record, from an exact copy, so that the sanitizer notices a
 * read past its end. */
static enum json_verdict read_bytes(struct fixture *f, struct span text)
{
	char *alone = malloc(text.len ? text.len : 1);
	memcpy(alone, text.ptr, text.len);
	start_record(f);
	enum json_verdict verdict =
		json_read(f->reader, span_make(alone, text.len), f->record);
	buf_clear(&f->written);
	json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
	free(alone);
	return verdict;
}

static const struct value *read_value(struct fixture *f, const char *text)
{
	start_record(f);
	assert_int_equal(json_read(f->reader, span_of(text), f->record),
			 JSON_READ);
	return record_last(f->record, SPAN("a"));
}

static const char *written(struct fixture *f, struct value v)
{
	buf_clear(&f->written);
	json_write(&f->written, &v);
	return buf_text(&f->written);
}

static const char *written_string(struct fixture *f, struct span s)
{
	return written(f, value_string(s));
}

#define FFFD "\xef\xbf\xbd"

static void a_record_that_was_read_can_be_written(void **state)
{
	static const struct {
		const char *text;
		const char *json; /* NULL: the same as the text */
	} cases[] = {
		{"{}", NULL},
		{"{\"a\":1}", NULL},
		{" \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n", "{\"a\":1,\"b\":[]}"},
		{"{\"\":\"\"}", NULL},
		{"{\"a\":null,\"b\":true,\"c\":false}", NULL},
		{"{\"a\":{\"b\":[1,{\"c\":[[],{}]},2]},\"d\":3}", NULL},
		{"{\"a\":[[1,2],[3,[4]],5]}", NULL},
		/* numbers */
		{"{\"a\":0,\"b\":-1,\"c\":1.5,\"d\":-0}",
		 "{\"a\":0,\"b\":-1,\"c\":1.5,\"d\":0}"},
		{"{\"a\":1e5,\"b\":1.0,\"c\":1E2}",
		 "{\"a\":100000.0,\"b\":1.0,\"c\":100.0}"},
		{"{\"a\":9223372036854775807,"
		 "\"b\":-9223372036854775808}",
		 NULL},
		{"{\"a\":9223372036854775808}",
		 "{\"a\":9.223372036854776e+18}"},
		{"{\"a\":12345678901234567890}",
		 "{\"a\":1.234567890123457e+19}"},
		{"{\"a\":1e300,\"b\":0.1}", "{\"a\":1e+300,\"b\":0.1}"},
		{"{\"a\":1E-400}", "{\"a\":0.0}"},
		/* strings */
		{"{\"a\":\"x\\\"\\\\\\b\\f\\n\\r\\t\"}", NULL},
		{"{\"a\":\"\\/\"}", "{\"a\":\"/\"}"},
		{"{\"a\\tb\":1}", NULL},
		{"{\"u\":\"\\u00e9\"}", "{\"u\":\"\xc3\xa9\"}"},
		{"{\"u\":\"\\ud83d\\ude00\"}", "{\"u\":\"\xf0\x9f\x98\x80\"}"},
		{"{\"u\":\"a\\u0000b\\u001Bc\"}",
		 "{\"u\":\"a\\u0000b\\u001bc\"}"},
		/* characters that should have been escaped */
		{"{\"a\tb\":\"\n\\\"\x01\\\\\",\t\"c\":\"\\u00e9\x1f\"}",
		 "{\"a\\tb\":\"\\n\\\"\\u0001\\\\\","
		 "\"c\":\"\xc3\xa9\\u001f\"}"},
		/* a lone surrogate becomes U+FFFD */
		{"{\"u\":\"\\ud83dxy\"}", "{\"u\":\"" FFFD "xy\"}"},
		{"{\"u\":\"\\ud83d\\\\uzz\"}", "{\"u\":\"" FFFD "\\\\uzz\"}"},
		{"{\"u\":\"\\uDe00z\"}", "{\"u\":\"" FFFD "z\"}"},
		{"{\"u\":\"\\ud83d\\u0041\"}", "{\"u\":\"" FFFD "A\"}"},
		{"{\"u\":\"\\ud83d\\ud83d\\ude00\"}",
		 "{\"u\":\"" FFFD "\xf0\x9f\x98\x80\"}"},
		{"{\"\\\\\\\"\\udfff\":\"\\\\\"}",
		 "{\"\\\\\\\"" FFFD "\":\"\\\\\"}"},
		/* bytes that nginx passes unescaped */
		{"{\"u\":\"a\xff"
		 "b\x7f\"}",
		 "{\"u\":\"a\\ufffdb\\u007f\"}"},
		/* of two equal keys the last one stays, at its own position */
		{"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}"},
		{"{\"m\":{\"a\":1,\"a\":2}}", "{\"m\":{\"a\":2}}"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = cases[i].text;
		const char *json = cases[i].json ? cases[i].json : text;
		read_value(f, text);
		buf_clear(&f->written);
		json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
		assert_string_equal(buf_text(&f->written), json);
	}
}

static void each_text_that_is_not_an_object_has_its_verdict(void **state)
{
	static const struct {
		const char *text;
		enum json_verdict verdict;
	} cases[] = {
		{"", JSON_NO_OBJECT},
		{" \n", JSON_NO_OBJECT},
		{"[1,2]", JSON_NO_OBJECT},
		{"\"s\"", JSON_NO_OBJECT},
		{"\"\\ns\"", JSON_NO_OBJECT},
		{"12", JSON_NO_OBJECT},
		{"12 ", JSON_NO_OBJECT},
		{"true", JSON_NO_OBJECT},
		{"null", JSON_NO_OBJECT},
		{"{\"a\":1} {\"b\":2}", JSON_NO_OBJECT},
		{"{\"a\":1}{\"b\":2}", JSON_NO_OBJECT},
		{"{\"a\":1} [", JSON_NO_OBJECT},
		{"{\"a\":1} 12", JSON_NO_OBJECT},
		{"{\"a\":1} \"x", JSON_NO_OBJECT},
		{"{\"a\":1", JSON_CUT},
		{"{\"a\":\"x", JSON_CUT},
		{"{\"a\":\"x\\", JSON_CUT},
		{"{\"a\":\"\\u00", JSON_CUT},
		{"{\"a\":tru", JSON_CUT},
		{"{\"a\":-", JSON_CUT},
		{"{\"a\":1.", JSON_CUT},
		{"{\"a\":[1,{\"b\":", JSON_CUT},
		{"{\"a\":1}garbage", JSON_BROKEN},
		{"{\"a\":1}}", JSON_BROKEN},
		{"{\"a\":1},{\"a\":1}", JSON_BROKEN},
		{"{\"a\":1} // no", JSON_BROKEN},
		{"{\"a\":1,}", JSON_BROKEN},
		{"{\"urt\":,\"a\":1}", JSON_BROKEN},
		{"{\"u\":\"\\x41\"}", JSON_BROKEN},
		{"{\"u\":\"\\u00e9\\x41\"}", JSON_BROKEN},
		{"{\"u\":\"\\u12\"}", JSON_BROKEN},
		{"{\"u\":\"a\nb\",}", JSON_BROKEN},
		{"{\"u\":\"a\nb", JSON_CUT},
		{"{\"u\":\"a\\\nb\"}", JSON_BROKEN},
		{"{\"u\":\x01}", JSON_BROKEN},
		{"{a:1}", JSON_BROKEN},
		{"{'a':1}", JSON_BROKEN},
		{"{\"a\":01}", JSON_BROKEN},
		{"{\"a\":0x10}", JSON_BROKEN},
		{"{\"a\":1E400}", JSON_BROKEN},
		{"{\"a\":-1.0e999}", JSON_BROKEN},
		{"{\"a\":truex}", JSON_BROKEN},
		{"{\"a\":0.001, 0.002}", JSON_BROKEN},
		{"{\"a\":[1}", JSON_BROKEN},
		{"plain text", JSON_BROKEN},
		{"\xef\xbb\xbf{}", JSON_BROKEN},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(read_bytes(f, span_of(cases[i].text)),
				 cases[i].verdict);
		assert_int_equal(f->record->count, 0);
		/* the next text is read as usual */
		assert_int_equal(read_bytes(f, SPAN("{\"k\":7}")), JSON_READ);
		assert_string_equal(buf_text(&f->written), "{\"k\":7}");
	}
}

static void an_object_truncated_at_any_byte_is_reported_as_truncated(
	void **state)
{
	struct span whole =
		SPAN("{\"a\":\"x\\n\\u00e9\\ud83d\\ude00\xe3\x81\x82\","
		     "\"n\":-12.5e+3,\"t\":[true,false,null,{}],\"o\":{}}");
	struct fixture *f = *state;
	for (size_t len = 1; len < whole.len; len++) {
		struct span cut = {whole.ptr, len};
		assert_int_equal(read_bytes(f, cut), JSON_CUT);
		assert_int_equal(f->record->count, 0);
	}
	assert_int_equal(read_bytes(f, whole), JSON_READ);
}

static void a_failed_read_leaves_the_record_unchanged(void **state)
{
	struct fixture *f = *state;
	record_add(f->record, SPAN("before"), value_int(1));
	struct span bad = SPAN("{\"a\":1,\"b\":[1,2],\"c\":");
	assert_int_equal(json_read(f->reader, bad, f->record), JSON_CUT);
	struct span good = SPAN("{\"a\":2}");
	assert_int_equal(json_read(f->reader, good, f->record), JSON_READ);
	json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
	assert_string_equal(buf_text(&f->written), "{\"before\":1,\"a\":2}");
}

static void both_of_two_equal_keys_are_read(void **state)
{
	struct fixture *f = *state;
	read_value(f, "{\"a\":1,\"a\":2}");
	assert_int_equal(f->record->count, 2);
	assert_int_equal(
		record_first_at(f->record, SPAN("a"), &(size_t){0})->integer,
		1);
	assert_int_equal(record_last(f->record, SPAN("a"))->integer, 2);
}

static void a_plain_string_is_a_span_into_the_text(void **state)
{
	static const char text[] = "{\"a\":\"plain\",\"b\":\"new\\nline\"}";
	struct fixture *f = *state;
	/* In the second round yajl has already seen the end of a text. */
	for (int i = 0; i < 2; i++) {
		const struct value *v = read_value(f, text);
		assert_ptr_equal(v->string.ptr, text + 6);
		assert_ptr_equal(f->record->fields[0].key.ptr, text + 2);
		v = record_last(f->record, SPAN("b"));
		assert_true(v->string.ptr < text ||
			    v->string.ptr >= text + sizeof text);
		assert_true(span_equals(v->string, SPAN("new\nline")));
	}
}

static void decoded_strings_do_not_share_memory(void **state)
{
	struct fixture *f = *state;
	const struct value *v =
		read_value(f, "{\"a\":[\"\\t1\",\"\\t2\"],\"\\t3\":\"\\t4\"}");
	assert_true(span_equals(v->items[0].string, SPAN("\t1")));
	assert_true(span_equals(v->items[1].string, SPAN("\t2")));
	v = record_last(f->record, SPAN("\t3"));
	assert_true(span_equals(v->string, SPAN("\t4")));
}

static void a_number_is_an_integer_if_possible(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_value(f, "{\"a\":1}")->type, VALUE_INT);
	assert_int_equal(read_value(f, "{\"a\":-0}")->type, VALUE_INT);
	assert_int_equal(read_value(f, "{\"a\":1.0}")->type, VALUE_FLOAT);
	assert_int_equal(read_value(f, "{\"a\":1e1}")->type, VALUE_FLOAT);
	assert_true(read_value(f, "{\"a\":-9223372036854775808}")->integer ==
		    INT64_MIN);
	assert_true(read_value(f, "{\"a\":-9223372036854775809}")->real ==
		    -0x1p63);
}

static void nul_bytes_following_the_object_are_ignored(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct span text;
		enum json_verdict verdict;
	} cases[] = {
		{{"{\"a\":1}\0", 8}, JSON_READ},
		{{"{\"a\":1} \0\0\0", 11}, JSON_READ},
		{{"\0\0", 2}, JSON_NO_OBJECT},
		{{"{\"a\":1}\0x", 9}, JSON_BROKEN},
		{{"{\"a\":1}\0 ", 9}, JSON_BROKEN},
		{{"\0{\"a\":1}", 8}, JSON_BROKEN},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_record(f);
		assert_int_equal(json_read(f->reader, cases[i].text, f->record),
				 cases[i].verdict);
	}
}

/* Searching for the start of a string must not take quadratic time. */
static void a_text_full_of_backslashes_is_read_in_linear_time(void **state)
{
	struct fixture *f = *state;
	buf_put_text(&f->text, "{\"a\":\"\\ud800");
	for (int i = 0; i < 200000; i++)
		buf_put_text(&f->text, i % 2 == 0 ? "\\\\" : "\\\"");
	buf_put_text(&f->text, "\"}");
	const struct value *v = read_value(f, buf_text(&f->text));
	assert_int_equal(v->string.len, 3 + 200000);
}

static void a_long_number_keeps_its_magnitude(void **state)
{
	struct fixture *f = *state;
	buf_put_text(&f->text, "{\"a\":1");
	for (int i = 0; i < 100; i++)
		buf_put_char(&f->text, '0');
	buf_put_char(&f->text, '}');
	assert_true(read_value(f, buf_text(&f->text))->real == 1e100);
}

static void put_nested(struct buf *b, int levels)
{
	buf_clear(b);
	buf_put_text(b, "{\"a\":");
	for (int i = 1; i < levels; i++)
		buf_put_char(b, '[');
	for (int i = 1; i < levels; i++)
		buf_put_char(b, ']');
	buf_put_char(b, '}');
}

static void nesting_is_bounded(void **state)
{
	struct fixture *f = *state;
	put_nested(&f->text, JSON_DEPTH_MAX);
	assert_int_equal(json_read(f->reader, buf_span(&f->text), f->record),
			 JSON_READ);
	json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
	assert_true(span_equals(buf_span(&f->written), buf_span(&f->text)));

	put_nested(&f->text, JSON_DEPTH_MAX + 1);
	assert_int_equal(read_bytes(f, buf_span(&f->text)), JSON_TOO_DEEP);
	assert_int_equal(f->record->count, 0);

	put_nested(&f->text, 200 * 1000);
	assert_int_equal(read_bytes(f, buf_span(&f->text)), JSON_TOO_DEEP);
	/* without the surrounding object */
	assert_int_equal(read_bytes(f, span_make(f->text.ptr + 5, 199 * 1000)),
			 JSON_NO_OBJECT);
}

static void each_of_many_repeated_keys_is_written_once(void **state)
{
	struct fixture *f = *state;
	buf_put_char(&f->text, '{');
	for (int i = 0; i < 20000; i++)
		buf_printf(&f->text, "\"%d\":%d,", i % 10000, i);
	buf_put_text(&f->text, "\"z\":0}");
	assert_int_equal(json_read(f->reader, buf_span(&f->text), f->record),
			 JSON_READ);
	assert_int_equal(f->record->count, 20001);
	json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
	const char *head = "{\"0\":10000,\"1\":10001,";
	const char *tail = ",\"9999\":19999,\"z\":0}";
	struct span w = buf_span(&f->written);
	assert_memory_equal(w.ptr, head, strlen(head));
	assert_memory_equal(w.ptr + w.len - strlen(tail), tail, strlen(tail));
}

static void records_with_few_and_many_fields_are_written_the_same_way(
	void **state)
{
	struct fixture *f = *state;
	for (int count = 1; count < 200; count++) {
		struct buf expected = {0};
		start_record(f);
		record_add(f->record, (struct span){0}, value_int(-1));
		record_add(f->record, SPAN("twin"), value_int(-1));
		buf_put_text(&expected, "{");
		for (int i = 0; i < count; i++) {
			char key[2] = {'k', (char)i};
			record_add(f->record,
				   arena_copy(f->arena, span_make(key, 2)),
				   value_int(i));
			json_write_string(&expected, span_make(key, 2));
			buf_printf(&expected, ":%d,", i);
		}
		record_add(f->record, (struct span){0}, value_int(1));
		record_add(f->record, SPAN("twin"), value_int(2));
		buf_put_text(&expected, "\"\":1,\"twin\":2}");
		buf_clear(&f->written);
		json_write_record(&f->written, JSON_BAD_REPLACED, f->record);
		assert_string_equal(buf_text(&f->written), buf_text(&expected));
		buf_fini(&expected);
	}
}

static void floats_are_written_as_fluent_bit_does(void **state)
{
	static const struct {
		double real;
		const char *json;
	} cases[] = {
		{0, "0.0"},
		{-0.0, "-0.0"},
		{1, "1.0"},
		{-2, "-2.0"},
		{100000, "100000.0"},
		{1e18, "1000000000000000000.0"},
		{9e18, "9000000000000000000.0"},
		{1e19, "1e+19"},
		{0.1, "0.1"},
		{1.0 / 3, "0.3333333333333333"},
		{5e-324, "4.940656458412465e-324"},
		{1.7976931348623157e308, "1.797693134862316e+308"},
		{(double)INFINITY, "null"},
		{-(double)INFINITY, "null"},
		{(double)NAN, "null"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(written(*state, value_float(cases[i].real)),
				    cases[i].json);
}

static void integers_are_written_exactly(void **state)
{
	assert_string_equal(written(*state, value_int(0)), "0");
	assert_string_equal(written(*state, value_int(INT64_MAX)),
			    "9223372036854775807");
	assert_string_equal(written(*state, value_int(INT64_MIN)),
			    "-9223372036854775808");
}

static void every_byte_value_is_written_as_json(void **state)
{
	struct fixture *f = *state;
	static const char *const shorts[256] = {
		['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",	 ['\r'] = "\\r",
		['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\",
	};
	for (unsigned c = 0; c < 256; c++) {
		/* at each position of a run, for every length */
		for (size_t place = 0; place < 20; place++) {
			char text[20];
			memset(text, 'x', sizeof text);
			text[place] = (char)c;
			struct buf expected = {0};
			buf_printf(&expected, "\"%.*s", (int)place,
				   "xxxxxxxxxxxxxxxxxxxx");
			if (shorts[c] != NULL)
				buf_put_text(&expected, shorts[c]);
			else if (c < 0x20 || c == 0x7f)
				buf_printf(&expected, "\\u%04x", c);
			else if (c >= 0x80)
				buf_put_text(&expected, "\\ufffd");
			else
				buf_put_char(&expected, (char)c);
			buf_printf(&expected, "%.*s\"", (int)(19 - place),
				   "xxxxxxxxxxxxxxxxxxxx");
			struct span s = {text, sizeof text};
			assert_string_equal(written_string(f, s),
					    buf_text(&expected));
			buf_fini(&expected);
		}
	}
}

static void utf8_is_validated_according_to_rfc_3629(void **state)
{
	static const struct {
		const char *bytes;
		size_t good; /* 0: every byte is invalid */
	} cases[] = {
		{"\xc2\xa0", 2},
		{"\xdf\xbf", 2},
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xee\x80\x80", 3},
		{"\xef\xbf\xbf", 3},
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0},
		{"\xbf", 0},
		{"\xc0\x80", 0},	 /* overlong */
		{"\xc1\xbf", 0},	 /* overlong */
		{"\xe0\x9f\xbf", 0},	 /* overlong */
		{"\xf0\x8f\xbf\xbf", 0}, /* overlong */
		{"\xed\xa0\x80", 0},	 /* surrogate */
		{"\xed\xbf\xbf", 0},	 /* surrogate */
		{"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
		{"\xf5\x80\x80\x80", 0},
		{"\xff", 0},
		{"\xc3", 0}, /* truncated */
		{"\xe3\x81", 0},
		{"\xf0\x9f\x98", 0},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span bytes = span_of(cases[i].bytes);
		struct buf expected = {0};
		buf_put_char(&expected, '"');
		if (cases[i].good == bytes.len)
			buf_put_span(&expected, bytes);
		else
			for (size_t n = 0; n < bytes.len; n++)
				buf_put_text(&expected, "\\ufffd");
		buf_put_char(&expected, '"');
		assert_string_equal(written_string(f, bytes),
				    buf_text(&expected));
		buf_fini(&expected);
	}
	/* the byte that would complete it follows the end */
	struct span cut = {"\xf0\x9f\x98\x80", 3};
	assert_string_equal(written_string(f, cut),
			    "\"\\ufffd\\ufffd\\ufffd\"");
	assert_string_equal(written_string(f, SPAN("\xc3(")), "\"\\ufffd(\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_record_that_was_read_can_be_written),
		TEST(each_text_that_is_not_an_object_has_its_verdict),
		TEST(an_object_truncated_at_any_byte_is_reported_as_truncated),
		TEST(a_failed_read_leaves_the_record_unchanged),
		TEST(both_of_two_equal_keys_are_read),
		TEST(a_plain_string_is_a_span_into_the_text),
		TEST(decoded_strings_do_not_share_memory),
		TEST(a_number_is_an_integer_if_possible),
		TEST(nul_bytes_following_the_object_are_ignored),
		TEST(a_text_full_of_backslashes_is_read_in_linear_time),
		TEST(a_long_number_keeps_its_magnitude),
		TEST(nesting_is_bounded),
		TEST(each_of_many_repeated_keys_is_written_once),
		TEST(records_with_few_and_many_fields_are_written_the_same_way),
		TEST(floats_are_written_as_fluent_bit_does),
		TEST(integers_are_written_exactly),
		TEST(every_byte_value_is_written_as_json),
		TEST(utf8_is_validated_according_to_rfc_3629),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
