/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "conf/conf.h"
#include "output/format.h"
#include "output/format_text.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

#define TIME_NS (INT64_C(1448403340) * NS_PER_S)

struct fixture {
	struct conf *conf;
	struct format *format;
	struct arena *arena;
	struct json_reader *reader;
	struct buf line;
};

static void open_with(struct fixture *f, const char *keys)
{
	struct err e;
	struct buf text = {0};
	buf_printf(&text, "[OUTPUT]\n%s", keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	assert_non_null(f->conf);
	struct conf_section *s = conf_section(f->conf, 0);
	f->format = format_open(s, &e);
	assert_non_null(f->format);
	assert_true(conf_section_end(s, &e));
	f->arena = arena_new(4096);
	f->reader = json_reader_new();
	f->line = (struct buf){0};
	buf_fini(&text);
}

static void close_all(struct fixture *f)
{
	format_close(f->format);
	conf_free(f->conf);
	json_reader_free(f->reader);
	arena_free(f->arena);
	buf_fini(&f->line);
}

static struct record *make(struct fixture *f, const char *json, int64_t time_ns)
{
	arena_reset(f->arena);
	struct record *r = record_new(f->arena, NULL, SPAN("t.x"), time_ns);
	assert_int_equal(json_read(f->reader, span_of(json), r), JSON_READ);
	return r;
}

static const char *render(struct fixture *f, const struct record *r)
{
	buf_clear(&f->line);
	f->format->ops->render(f->format, r, &f->line);
	return buf_text(&f->line);
}

static const struct template_case {
	const char *template;
	const char *json;
	const char *line;
} template_cases[] = {
	/* Examples from Fluent Bit's documentation, and output observed from
	 * it. */
	{"{time} KEY1={key1} KEY2={key2}",
	 "{\"key1\":\"val1\",\"key2\":\"val2\"}",
	 "1448403340.000000 KEY1=val1 KEY2=val2\n"},
	{"{i} {f} {b} {z} {m} {a}",
	 "{\"i\":5,\"f\":1.5,\"b\":true,\"z\":null,\"m\":{\"k\":\"v\"},"
	 "\"a\":[1,\"x\"]}",
	 "5 1.500000 true nil {\"k\"=>\"v\"} [1, \"x\"]\n"},
	{"{nope} { i } {I} {{i}} {i", "{\"i\":5}", "{nope} { i } {I} {5} {i\n"},
	{"{} {t} {ti} {tim} {time} {timex} {tie}", "{\"t\":1,\"time\":2}",
	 "1448403340.000000 1448403340.000000 1448403340.000000 "
	 "1448403340.000000 1448403340.000000 {timex} {tie}\n"},
	{"a\\tb \"c\" \\n", "{}", "a\\tb \"c\" \\n\n"},
	{"{a{b}", "{\"b\":7}", "{a7\n"},
	{"a}b{i}}", "{\"i\":5}", "a}b5}\n"},
	{"{i}", "{\"i\":1,\"i\":2}", "1\n"},
	{"{a.b}", "{\"a.b\":1,\"a\":{\"b\":2}}", "1\n"},
	{"{m}|{a}|{n}", "{\"m\":{},\"a\":[],\"n\":{\"n\":[1,2],\"k\":null}}",
	 "{}|[]|{\"n\"=>[1, 2], \"k\"=>nil}\n"},
	{"{a} {b} {c}",
	 "{\"a\":-1,\"b\":9223372036854775807,\"c\":-9223372036854775808}",
	 "-1 9223372036854775807 -9223372036854775808\n"},
	{"{f}", "{\"f\":false}", "false\n"},
	{"{s}{s}", "{\"s\":\"\"}", "\n"},
	{"a\tb\t{s}", "{\"s\":\"x\"}", "a\tb\tx\n"},
	/* A value must not be able to forge a line or a column. */
	{"<{s}>", "{\"s\":\"l1\\nl2\"}", "<l1\\nl2>\n"},
	{"<{s}>", "{\"s\":\"\\b\\f\\n\\r\\t\"}", "<\\b\\f\\n\\r\\t>\n"},
	{"<{s}>", "{\"s\":\"\\u0000\\u0001\\u001b\\u001f\\u007f\"}",
	 "<\\u0000\\u0001\\u001b\\u001f\\u007f>\n"},
	{"<{s}>", "{\"s\":\"q\\\" b\\\\ s\\/ \xe3\x81\x82 ~\"}",
	 "<q\" b\\ s/ \xe3\x81\x82 ~>\n"},
	{"{m}", "{\"m\":{\"a\\nb\":\"c\\\"\\nd\"}}",
	 "{\"a\\nb\"=>\"c\"\\nd\"}\n"},
};

static void a_template_is_rendered_to_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof template_cases / sizeof *template_cases;
	     i++) {
		const struct template_case *c = &template_cases[i];
		struct fixture f;
		char keys[256];
		snprintf(keys, sizeof keys,
			 "    Format template\n    Template %s\n", c->template);
		open_with(&f, keys);
		assert_string_equal(render(&f, make(&f, c->json, TIME_NS)),
				    c->line);
		close_all(&f);
	}
}

/* Values of every length: plain, and with a control character at every
 * position. */
static void a_value_of_any_length_is_copied_or_escaped(void **state)
{
	(void)state;
	static const char controls[] = {'\0', '\x1f', '\x7f', '\n'};
	static const char *const escapes[] = {"\\u0000", "\\u001f", "\\u007f",
					      "\\n"};
	char bytes[70];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(' ' + i * 37 % 95);
	bytes[3] = bytes[20] = '\xff';
	bytes[5] = bytes[40] = '\x80';
	for (size_t len = 0; len <= sizeof bytes; len++) {
		char *value =
			malloc(len + 1); /* realloc() below makes it exact */
		memcpy(value, bytes, len);
		value = realloc(value, len ? len : 1);
		struct buf out = {0}, wanted = {0};
		format_put_text(&out, span_make(value, len), FORMAT_LINE);
		assert_int_equal(out.len, len);
		assert_memory_equal(buf_text(&out), bytes, len);
		for (size_t at = 0; at < len * 4; at++) {
			value[at / 4] = controls[at % 4];
			buf_clear(&out);
			buf_clear(&wanted);
			format_put_text(&out, span_make(value, len),
					FORMAT_LINE);
			buf_put(&wanted, bytes, at / 4);
			buf_put_text(&wanted, escapes[at % 4]);
			buf_put(&wanted, bytes + at / 4 + 1, len - at / 4 - 1);
			assert_int_equal(out.len, wanted.len);
			assert_memory_equal(out.ptr, wanted.ptr, out.len);
			value[at / 4] = bytes[at / 4];
		}
		free(value);
		buf_fini(&out);
		buf_fini(&wanted);
	}
}

/* The template remembers the position that a key had in the previous record. */
static void a_template_finds_the_first_key_in_any_record(void **state)
{
	(void)state;
	static const struct {
		const char *json, *line;
		bool is_unique;
	} cases[] = {
		{"{\"a\":1,\"b\":2}", "1 2\n", true},
		{"{\"a\":1,\"b\":2}", "1 2\n", false},
		{"{\"b\":2,\"a\":1}", "1 2\n", true},
		{"{\"b\":3,\"a\":1,\"b\":2}", "1 3\n", false},
		{"{\"a\":0,\"b\":3,\"a\":1,\"b\":2}", "0 3\n", false},
		{"{\"c\":5,\"x\":7,\"b\":2,\"a\":1}", "1 2\n", true},
		{"{\"b\":2}", "{a} 2\n", true},
		{"{}", "{a} {b}\n", true},
		{"{\"a\":1,\"b\":2,\"c\":3}", "1 2\n", true},
	};
	struct fixture f;
	open_with(&f, "    Format template\n    Template {a} {b}\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct record *r = make(&f, cases[i].json, TIME_NS);
		if (cases[i].is_unique)
			record_keep_last(r);
		assert_string_equal(render(&f, r), cases[i].line);
	}
	close_all(&f);
}

static const struct format_case {
	const char *keys;
	const char *json;
	const char *line;
} format_cases[] = {
	/* Examples from Fluent Bit's documentation, and output observed from
	 * it. */
	{"    Format csv\n    Delimiter space\n",
	 "{\"key1\":\"val1\",\"key2\":\"val2\"}",
	 "1448403340.500000000 \"val1\" \"val2\"\n"},
	{"    Format CSV\n",
	 "{\"a\":\"x\",\"b\":1.5,\"c\":[1,\"q\"],\"d\":{\"k\":null,\"z\":true},"
	 "\"f\":-3,\"g\":1.0,\"h\":\"\"}",
	 "1448403340.500000000,\"x\",1.500000,[1, \"q\"],"
	 "{\"k\"=>nil, \"z\"=>true},-3,1.000000,\"\"\n"},
	{"    Format csv\n    Delimiter \\t\n", "{\"a\":1,\"a\":2}",
	 "1448403340.500000000\t1\t2\n"},
	{"    Format csv\n    Delimiter |\n", "{\"a\":1,\"b\":2}",
	 "1448403340.500000000|1|2\n"},
	{"    Format ltsv\n",
	 "{\"a\":\"x\",\"b\":1.5,\"c\":[1,\"q\"],\"d\":null}",
	 "\"time\":1448403340.500000\t\"a\":\"x\"\t\"b\":1.500000\t"
	 "\"c\":[1, \"q\"]\t\"d\":nil\n"},
	{"    Format ltsv\n    Delimiter space\n    Label_Delimiter space\n",
	 "{\"key1\":\"val1\",\"key2\":\"val2\"}",
	 "\"time\" 1448403340.500000 \"key1\" \"val1\" \"key2\" \"val2\"\n"},
	{"    Format ltsv\n    Delimiter Comma\n    Label_Delimiter TAB\n",
	 "{\"a\":1}", "\"time\"\t1448403340.500000,\"a\"\t1\n"},
	/* Only the time; Fluent Bit writes nothing at all. */
	{"    Format csv\n", "{}", "1448403340.500000000\n"},
	{"    Format ltsv\n", "{}", "\"time\":1448403340.500000\n"},
	/* A value must not be able to forge a line or a column. */
	{"    Format csv\n",
	 "{\"a\":\"x\\\",\\\"y\\nz\",\"b\":\"\\\"\",\"c\":[\"\\\"\"]}",
	 "1448403340.500000000,\"x\"\",\"\"y\\nz\",\"\"\"\",[\"\"\"\"]\n"},
	{"    Format ltsv\n", "{\"a\\tb\":\"c\\td\\\"\"}",
	 "\"time\":1448403340.500000\t\"a\\tb\":\"c\\td\"\"\n"},
	/* With these keys the output equals that of Fluent Bit. */
	{"    Format csv\n    Escape off\n", "{\"a\":\"x\\\"\\ny\\u0001\"}",
	 "1448403340.500000000,\"x\"\ny\x01\"\n"},
	{"    Format ltsv\n    Escape off\n", "{\"a\":\"x\\ty\"}",
	 "\"time\":1448403340.500000\t\"a\":\"x\ty\"\n"},
	{"    Format template\n    Template {a} {m}\n    Escape off\n",
	 "{\"a\":\"x\\ny\",\"m\":{\"k\":\"\\r\"}}", "x\ny {\"k\"=>\"\r\"}\n"},
	/* Viewers split or reorder lines at these, too. */
	{"    Format template\n    Template {a}\n",
	 "{\"a\":\"\\u0080|\\u0085|\\u009b|\\u009f|\\u00a0|\\u061c|\\u200e|"
	 "\\u2027|\\u2028|\\u2029|\\u202a|\\u202e|\\u202f|\\u2066|\\u2069|"
	 "\\u206a\"}",
	 "\\u0080|\\u0085|\\u009b|\\u009f|\xc2\xa0|\\u061c|\\u200e|"
	 "\xe2\x80\xa7|\\u2028|\\u2029|\\u202a|\\u202e|\xe2\x80\xaf|"
	 "\\u2066|\\u2069|\xe2\x81\xaa\n"},
	{"    Format csv\n", "{\"a\":\"\\u2028\"}",
	 "1448403340.500000000,\"\\u2028\"\n"},
	{"    Format ltsv\n", "{\"a\":\"\\u2028\"}",
	 "\"time\":1448403340.500000\t\"a\":\"\\u2028\"\n"},
	{"    Format plain\n", "{\"a\\u0085\":\"\\u2028\"}",
	 "{\"a\\u0085\":\"\\u2028\"}\n"},
	{"", "{\"a\":\"\\u202e\"}",
	 "t.x: [1448403340.500000000, {\"a\":\"\\u202e\"}]\n"},
	{"    Format template\n    Template {a}\n    Escape off\n",
	 "{\"a\":\"\\u0085\"}", "\xc2\x85\n"},
	/* Bytes that are not UTF-8. */
	{"    Format template\n    Template {a}\n",
	 "{\"a\":\"x\xff\xc3(\xe3\x81\"}", "x\\xff\\xc3(\\xe3\\x81\n"},
	{"    Format template\n    Template {a}\n    UTF8 replace\n",
	 "{\"a\":\"x\xff\xe3\x81\xe3\x81\x82\"}",
	 "x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe3\x81\x82\n"},
	{"    Format template\n    Template {a}\n    UTF8 keep\n",
	 "{\"a\":\"x\xff\n\"}", "x\xff\\n\n"},
	{"    Format template\n    Template {a}\n    Escape off\n",
	 "{\"a\":\"x\xff\ty\"}", "x\\xff\ty\n"},
	{"    Format plain\n", "{\"a\":\"x\xff\"}", "{\"a\":\"x\\\\xff\"}\n"},
	{"    Format plain\n    UTF8 replace\n", "{\"a\":\"x\xff\"}",
	 "{\"a\":\"x\\ufffd\"}\n"},
	{"    Format plain\n    UTF8 keep\n", "{\"a\":\"x\xff\"}",
	 "{\"a\":\"x\\ufffd\"}\n"},
	/* A backslash from the sender is doubled, so that no reader takes it
	 * for an escape of sluiced. */
	{"    Format template\n    Template {a} {b}\n    Escape reversible\n",
	 "{\"a\":\"x\\ny\",\"b\":\"x\\\\ny and more than 16\"}",
	 "x\\ny x\\\\ny and more than 16\n"},
	{"    Format csv\n    Escape Reversible\n", "{\"a\":\"\\\\\"}",
	 "1448403340.500000000,\"\\\\\"\n"},
	{"    Format plain\n    Escape on\n", "{\"a\":\"x\\ny\"}",
	 "{\"a\":\"x\\ny\"}\n"},
	{"    Format plain\n    Template x\n    Delimiter tab\n"
	 "    Label_Delimiter tab\n    csv_column_names on\n",
	 "{\"a\":1}", "{\"a\":1}\n"},
	{"", "{\"a\":1}", "t.x: [1448403340.500000000, {\"a\":1}]\n"},
};

static void a_record_is_a_line_to_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof format_cases / sizeof *format_cases;
	     i++) {
		const struct format_case *c = &format_cases[i];
		struct fixture f;
		open_with(&f, c->keys);
		assert_string_equal(
			render(&f, make(&f, c->json, TIME_NS + NS_PER_S / 2)),
			c->line);
		assert_false(f.format->has_head);
		close_all(&f);
	}
}

static void a_csv_file_can_begin_with_the_column_names(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Format csv\n    csv_column_names on\n");
	assert_true(f.format->has_head);
	struct record *r = make(&f, "{\"a\":1,\"b\\\"\\nc\":2}", TIME_NS);
	f.format->ops->render_head(f.format, r, &f.line);
	assert_string_equal(buf_text(&f.line),
			    "timestamp,\"a\",\"b\"\"\\nc\"\n");
	close_all(&f);
}

static void an_unknown_format_is_reported(void **state)
{
	(void)state;
	static const char *const mistakes[][2] = {
		{"    Format msgpack\n", "did you mean \"plain\""},
		{"    Format cvs\n", "\"csv\""},
		{"    Format csv\n    csv_column_names maybe\n", "maybe"},
		{"    Escape some\n", "some"},
		{"    Format plain\n    Escape off\n", "does not use"},
		{"    UTF8 some\n", "some"},
	};
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct err e;
		struct buf text = {0};
		buf_printf(&text, "[OUTPUT]\n%s", mistakes[i][0]);
		struct conf *conf =
			conf_read_text("t.conf", text.ptr, text.len, &e);
		assert_null(format_open(conf_section(conf, 0), &e));
		if (strstr(e.text, mistakes[i][1]) == NULL)
			fail_msg("no '%s' in: %s", mistakes[i][1], e.text);
		conf_free(conf);
		buf_fini(&text);
	}
}

static void the_default_template_is_time_and_message(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Format Template\n");
	assert_string_equal(
		render(&f, make(&f, "{\"message\":\"hello\"}", TIME_NS)),
		"1448403340.000000 hello\n");
	close_all(&f);
}

/* {time} prints six digits of the time as a double, whatever its nanoseconds
 * are. */
static void the_time_has_the_digits_of_a_double(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Format template\n    Template {time}\n");
	static const int64_t times[] = {0,
					1,
					999999999,
					INT64_C(123456789),
					TIME_NS + 1,
					TIME_NS + 500,
					TIME_NS + 123456789,
					TIME_NS + 999999499,
					TIME_NS + 999999500,
					TIME_NS + 999999999,
					-TIME_NS - 500000000};
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		char expected[64];
		snprintf(expected, sizeof expected, "%f\n",
			 (double)(times[i] / NS_PER_S) +
				 (double)(times[i] % NS_PER_S) / 1e9);
		assert_string_equal(render(&f, make(&f, "{}", times[i])),
				    expected);
	}
	close_all(&f);
}

static void assert_as_printf(struct fixture *f, double real)
{
	struct record *r = make(f, "{}", 0);
	record_add(r, SPAN("v"), value_float(real));
	char expected[400];
	snprintf(expected, sizeof expected, "%f\n", real);
	assert_string_equal(render(f, r), expected);
}

static void a_float_has_the_digits_of_printf(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Format template\n    Template {v}\n");
	static const double edges[] = {
		0,	   -0.0,      0.5,	 -1.5,	   0.0078125,
		0.0234375, 1e-7,      5e-7,	 4.9e-7,   0.9999995,
		0.9999994, 0.9999996, 1e15,	 -DBL_MAX, 0x1p49 + 0.125,
		0x1p50,	   0x1p53,    123456.75, 1e300,	   -1e-300,
		INFINITY,  -INFINITY, NAN,	 0.1234565};
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		assert_as_printf(&f, edges[i]);
	struct random random = random_seed("format", 7);
	for (size_t i = 0; i < 20000; i++) {
		double numerator = (double)random_next(&random);
		assert_as_printf(
			&f,
			numerator / (double)(random_below(&random, 9999) + 1));
		assert_as_printf(&f, numerator / 0x1p24);
		assert_as_printf(&f, numerator / 1e7);
	}
	close_all(&f);
}

static void every_control_character_is_escaped_at_every_position(void **state)
{
	(void)state;
	char text[24];
	struct buf out = {0};
	for (size_t len = 1; len <= sizeof text; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				memset(text, c < 128 ? 0xe3 : ' ', len);
				text[at] = (char)c;
				buf_clear(&out);
				format_put_text(&out, span_make(text, len),
						FORMAT_LINE);
				bool is_control = c < 0x20 || c == 0x7f;
				for (size_t i = 0; i < out.len; i++) {
					unsigned char b =
						(unsigned char)out.ptr[i];
					assert_false(b < 0x20 || b == 0x7f);
				}
				assert_int_equal(out.len > len, is_control);
				if (!is_control)
					assert_memory_equal(out.ptr, text, len);
			}
		}
	}
	buf_fini(&out);
}

/* The plainest way to write what format_text.h promises. */
static void put_expected(struct buf *out, struct span s, unsigned escape)
{
	static const char *const shorts[0x20] = {['\b'] = "\\b",
						 ['\f'] = "\\f",
						 ['\n'] = "\\n",
						 ['\r'] = "\\r",
						 ['\t'] = "\\t"};
	for (size_t at = 0; at < s.len;) {
		unsigned char c = (unsigned char)s.ptr[at];
		uint32_t code;
		size_t len = utf8_read((const unsigned char *)s.ptr + at,
				       s.len - at, &code);
		bool is_line = (escape & FORMAT_LINE) != 0;
		if (len == 0 && (escape & FORMAT_BAD_ESCAPED) != 0)
			buf_printf(out, "\\x%02x", c);
		else if (len == 0 && (escape & FORMAT_BAD_REPLACED) != 0)
			buf_put_text(out, "\xef\xbf\xbd");
		else if (is_line && c < 0x20 && shorts[c] != NULL)
			buf_put_text(out, shorts[c]);
		else if (is_line && len > 0 &&
			 (c < 0x20 || c == 0x7f || utf8_is_control(code)))
			buf_printf(out, "\\u%04x", (unsigned)code);
		else if (c == '\\' && (escape & FORMAT_BACKSLASH) != 0)
			buf_put_text(out, "\\\\");
		else
			buf_put(out, s.ptr + at, len > 0 ? len : 1);
		at += len > 0 ? len : 1;
	}
}

static void text_that_is_not_plain_is_escaped_to_the_byte(void **state)
{
	(void)state;
	static const char *const parts[] = {
		"\xff",		"\xc3",
		"\xe2\x80",	"\xe2\x80\xae",
		"\xc2\x85",	"\xc3\xa9",
		"\xed\xa0\x80", "\xf0\x9f\x98\x80",
		"\x01",		"\n",
		"\x7f",		"\\",
		"plain",	"plain text of more than 16 bytes",
		"\xe2\x81\xa6", "\xd8\x9c"};
	static const unsigned escapes[] = {0,
					   FORMAT_LINE,
					   FORMAT_BAD_ESCAPED,
					   FORMAT_BAD_REPLACED,
					   FORMAT_LINE | FORMAT_BAD_ESCAPED |
						   FORMAT_BACKSLASH,
					   FORMAT_LINE | FORMAT_BAD_REPLACED,
					   FORMAT_BACKSLASH};
	const size_t count = sizeof parts / sizeof *parts;
	struct buf text = {0}, out = {0}, wanted = {0};
	for (size_t i = 0; i < count * count * count; i++) {
		buf_clear(&text);
		buf_put_text(&text, parts[i % count]);
		buf_put_text(&text, parts[i / count % count]);
		buf_put_text(&text, parts[i / count / count]);
		for (size_t k = 0; k < sizeof escapes / sizeof *escapes; k++) {
			buf_clear(&out);
			buf_clear(&wanted);
			format_put_text(&out, buf_span(&text), escapes[k]);
			put_expected(&wanted, buf_span(&text), escapes[k]);
			assert_string_equal(buf_text(&out), buf_text(&wanted));
		}
	}
	buf_fini(&text);
	buf_fini(&out);
	buf_fini(&wanted);
}

static const struct json_case {
	const char *keys;
	const char *json;
	const char *line;
} json_cases[] = {
	{"    Format plain\n", "{\"a\":1,\"a\":2,\"b\":\"x\\ny\"}",
	 "{\"a\":2,\"b\":\"x\\ny\"}\n"},
	{"    Format PLAIN\n    Template unused\n", "{}", "{}\n"},
	{"", "{\"a\":1}", "t.x: [1448403340.000000012, {\"a\":1}]\n"},
	{"    Format out_file\n", "{\"a\":1.0}",
	 "t.x: [1448403340.000000012, {\"a\":1.0}]\n"},
};

static void the_json_formats_write_an_object(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof json_cases / sizeof *json_cases; i++) {
		const struct json_case *c = &json_cases[i];
		struct fixture f;
		open_with(&f, c->keys);
		assert_string_equal(render(&f, make(&f, c->json, TIME_NS + 12)),
				    c->line);
		close_all(&f);
	}
}

static void a_tag_cannot_forge_a_line(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "");
	struct record *r = make(&f, "{}", TIME_NS);
	r->tag = SPAN("a\nb");
	assert_string_equal(render(&f, r),
			    "a\\nb: [1448403340.000000000, {}]\n");
	close_all(&f);
}

static void assert_refused(const char *keys, const char *why)
{
	struct err e;
	struct buf text = {0};
	buf_printf(&text, "[OUTPUT]\n%s", keys);
	struct conf *conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	assert_non_null(conf);
	assert_null(format_open(conf_section(conf, 0), &e));
	assert_non_null(strstr(e.text, why));
	conf_free(conf);
	buf_fini(&text);
}

static void an_unknown_format_is_reported_with_the_nearest(void **state)
{
	(void)state;
	assert_refused("    Format templat\n", "template");
	assert_refused("    Format plain\n    Format plain\n", "Format");
}

static void a_template_with_a_line_break_is_refused(void **state)
{
	(void)state;
	setenv("UNIT_TWO_LINES", "a\nb", 1);
	assert_refused("    Format template\n    Template ${UNIT_TWO_LINES}\n",
		       "line break");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_is_rendered_to_the_byte),
		cmocka_unit_test(a_value_of_any_length_is_copied_or_escaped),
		cmocka_unit_test(a_template_finds_the_first_key_in_any_record),
		cmocka_unit_test(a_record_is_a_line_to_the_byte),
		cmocka_unit_test(a_csv_file_can_begin_with_the_column_names),
		cmocka_unit_test(an_unknown_format_is_reported),
		cmocka_unit_test(the_default_template_is_time_and_message),
		cmocka_unit_test(the_time_has_the_digits_of_a_double),
		cmocka_unit_test(a_float_has_the_digits_of_printf),
		cmocka_unit_test(
			every_control_character_is_escaped_at_every_position),
		cmocka_unit_test(text_that_is_not_plain_is_escaped_to_the_byte),
		cmocka_unit_test(the_json_formats_write_an_object),
		cmocka_unit_test(a_tag_cannot_forge_a_line),
		cmocka_unit_test(
			an_unknown_format_is_reported_with_the_nearest),
		cmocka_unit_test(a_template_with_a_line_break_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
