/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "record/json.h"
#include "record/parser.h"
#include "record/record.h"

/* 2026-11-21T03:00:00Z, and the time of a record before it is parsed. */
static const int64_t now_ns = 1795230000 * NS_PER_S;
static const int64_t arrival_ns = 1795229999 * NS_PER_S;

#define AT(seconds) ((seconds)*NS_PER_S)
#define HEAD "<190>Nov 20 23:59:58 h n: "

/* Fluent Bit's own, and as it is found printed, its backslashes lost. */
#define SYSLOG_REGEX(pid)                                           \
	"^<(?<pri>[0-9]+)>(?<time>[^ ]* {1,2}[^ ]* [^ ]*) "         \
	"(?<ident>[a-zA-Z0-9_/.-]*)" pid "(?:[^:]*:)? *(?<message>" \
	".*)$"
#define SYSLOG(pid)                                                 \
	{                                                           \
		.name = "syslog", .regex = SYSLOG_REGEX(pid),       \
		.time_format = "%b %d %H:%M:%S", .time_keep = true, \
	}

static const struct parser_opts syslog = SYSLOG("(?:\\[(?<pid>[0-9]+)\\])?");
static const struct parser_opts printed = SYSLOG("(?:[(?<pid>[0-9]+)])?");
static const struct parser_opts json = {
	.name = "json",
	.format = PARSER_JSON,
};
static const struct parser_opts json_time = {
	.name = "json_time",
	.format = PARSER_JSON,
	.time_key = "t",
	.time_format = "%Y-%m-%d %H:%M:%S",
};
static const struct parser_opts json_time_kept = {
	.name = "json_time_kept",
	.format = PARSER_JSON,
	.time_key = "t",
	.time_format = "%Y-%m-%d %H:%M:%S",
	.time_keep = true,
};
static const struct parser_opts zone = {
	.name = "zone",
	.regex = "^(?<time>.*)$",
	.time_format = "%m/%d/%Y %H:%M:%S %z",
};
static const struct parser_opts offset = {
	.name = "offset",
	.regex = "^(?<time>.*)$",
	.time_format = "%Y-%m-%d %H:%M:%S",
	.has_time_offset = true,
	.time_offset_s = 9 * 3600,
};
static const struct parser_opts fraction = {
	.name = "fraction",
	.regex = "^(?<time>[^ ]*)(?<rest>.*)$",
	.time_format = "%Y-%m-%dT%H:%M:%S.%LZ",
};
static const struct parser_opts epoch = {
	.name = "epoch",
	.regex = "^(?<ts>[^ ]*) (?<m>.*)$",
	.time_key = "ts",
	.time_format = "%s",
};
static const struct parser_opts timeless = {
	.name = "timeless",
	.regex = "^(?<time>.*)$",
};
static const struct parser_opts twins = {
	.name = "twins",
	.regex = "(?<a>x)?(?<b>y*)(?<a>z)(?<c>.*)",
};
static const struct parser_typed types[] = {
	{"i", PARSER_TYPE_INTEGER}, {"f", PARSER_TYPE_FLOAT},
	{"b", PARSER_TYPE_BOOL},    {"h", PARSER_TYPE_HEX},
	{"s", PARSER_TYPE_STRING},  {"i", PARSER_TYPE_BOOL},
};
static const struct parser_opts typed = {
	.name = "typed",
	.regex = "^(?:i=(?<i>.*)|f=(?<f>.*)|b=(?<b>.*)|h=(?<h>.*)|"
		 "s=(?<s>.*)|(?<plain>.*))$",
	.types = types,
	.type_count = sizeof types / sizeof *types,
};

struct parse_case {
	const struct parser_opts *opts;
	const char *text;
	const char *json; /* of what is appended */
	int64_t time_ns;  /* 0: the record keeps its own */
	enum parser_verdict verdict;
	bool bad_time;
};

static int set_up(void **state)
{
	*state = arena_new(4096);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static struct parser *parser_of(const struct parser_opts *opts)
{
	struct err e = {0};
	const char *wrong;
	struct parser *p = parser_new(opts, &wrong, &e);
	assert_string_equal(e.text, "");
	assert_non_null(p);
	return p;
}

static void check_case(struct arena *arena, const struct parse_case *c)
{
	struct buf written = {0};
	struct parser *p = parser_of(c->opts);
	bool bad_time = false;
	struct record *r = record_new(arena, NULL, SPAN("t"), arrival_ns);
	assert_string_equal(parser_verdict_name(parser_apply(
				    p, span_of(c->text), now_ns, r, &bad_time)),
			    parser_verdict_name(c->verdict));
	json_write_record(&written, r);
	assert_string_equal(buf_text(&written), c->json ? c->json : "{}");
	assert_int_equal(r->time_ns, c->time_ns ? c->time_ns : arrival_ns);
	assert_int_equal(bad_time, c->bad_time);
	parser_free(p);
	buf_fini(&written);
}

static void check_cases(struct arena *arena, const struct parse_case *cases,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_case(arena, &cases[i]);
}

static void a_syslog_line_becomes_fields(void **state)
{
	static const struct parse_case cases[] = {
		{&syslog, HEAD "x",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"x\"}",
		 .time_ns = AT(1795219198)},
		{&syslog, "<190>Nov  1 01:02:03 nginx: nohost",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov  1 01:02:03\","
			 "\"ident\":\"nginx\",\"message\":\"nohost\"}",
		 .time_ns = AT(1793494923)},
		{&printed, "<190>Nov  1 01:02:03 nginx: nohost",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov  1 01:02:03\","
			 "\"ident\":\"nginx\",\"message\":\"nohost\"}",
		 .time_ns = AT(1793494923)},
		{&printed,
		 "<190>Nov  1 01:02:03 host-1.a.b nginx[123]: withpid",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov  1 01:02:03\","
			 "\"ident\":\"host-1.a.b\",\"message\":\"withpid\"}",
		 .time_ns = AT(1793494923)},
		{&syslog, "<190>Nov  1 01:02:03 nginx[123]: withpid",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov  1 01:02:03\","
			 "\"ident\":\"nginx\",\"pid\":\"123\","
			 "\"message\":\"withpid\"}",
		 .time_ns = AT(1793494923)},
		{&syslog, "190>Nov  1 01:02:03 nginx: x",
		 .verdict = PARSER_no_match},
		{&syslog, "garbage", .verdict = PARSER_no_match},
		{&syslog, "", .verdict = PARSER_no_match},
		{&syslog, HEAD "trail nl\n",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"trail nl\"}",
		 .time_ns = AT(1795219198)},
		{&syslog, HEAD "l1\nl2\n",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"l1\"}",
		 .time_ns = AT(1795219198)},
		{&syslog, "junk\n" HEAD "second",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"second\"}",
		 .time_ns = AT(1795219198)},
		/* an empty group is left out */
		{&syslog, HEAD,
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\"}",
		 .time_ns = AT(1795219198)},
		/* a cut character does not stop a match */
		{&syslog, HEAD "x\xe3\x81",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"x\\ufffd\\ufffd\"}",
		 .time_ns = AT(1795219198)},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void a_time_is_taken_or_told_to_be_bad(void **state)
{
	static const struct parse_case cases[] = {
		{&syslog, "<190>Nov 20 01:02:60 h n: a",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 01:02:60\","
			 "\"ident\":\"h\",\"message\":\"a\"}",
		 .time_ns = AT(1795136580)},
		/* Time_Keep is on, and yet the key is left out */
		{&syslog, "<190>Bad 99 01:02:03 h n: a",
		 .json = "{\"pri\":\"190\",\"ident\":\"h\",\"message\":\"a\"}",
		 .bad_time = true},
		{&zone, "07/18/2017 01:47:03 +0530", .time_ns = AT(1500322623)},
		{&zone, "07/18/2017 05:17:03 +0900", .time_ns = AT(1500322623)},
		{&offset, "2026-01-02 03:04:05", .time_ns = AT(1767290645)},
		{&fraction, "2026-01-02T03:04:05.5Z x",
		 .json = "{\"rest\":\" x\"}",
		 .time_ns = AT(1767323045) + NS_PER_S / 2},
		{&fraction, "2026-01-02T03:04:05.0123456789Z x",
		 .json = "{\"rest\":\" x\"}", .bad_time = true},
		{&epoch, "1795219198 x", .json = "{\"m\":\"x\"}",
		 .time_ns = AT(1795219198)},
		/* without Time_Format the key is one like any other */
		{&timeless, "soon", .json = "{\"time\":\"soon\"}"},
		/* the epoch itself is no time, but not a bad one either */
		{&epoch, "0 x", .json = "{\"m\":\"x\"}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void json_becomes_fields(void **state)
{
	static const struct parse_case cases[] = {
		{&json, "{\"a\":1,\"a\":2}", .json = "{\"a\":2}"},
		{&json, "{\"a\":1e5,\"b\":1.0}",
		 .json = "{\"a\":100000.0,\"b\":1.0}"},
		{&json,
		 "{\"u\":\"a\xff"
		 "b\"}",
		 .json = "{\"u\":\"a\\ufffdb\"}"},
		{&json, "{}", .json = "{}"},
		{&json, "", .verdict = PARSER_json_no_object},
		{&json, "[1,2]", .verdict = PARSER_json_no_object},
		{&json, "\"s\"", .verdict = PARSER_json_no_object},
		{&json, "{\"a\":1} {\"b\":2}",
		 .verdict = PARSER_json_no_object},
		{&json, "{\"a\":1", .verdict = PARSER_json_cut},
		{&json, "{\"a\":1,}", .verdict = PARSER_json_broken},
		{&json, "{\"a\":1}garbage", .verdict = PARSER_json_broken},
		{&json, "{\"u\":\"\\u00e9\\x41\"}",
		 .verdict = PARSER_json_broken},
		{&json, "plain text", .verdict = PARSER_json_broken},
		/* without Time_Format the key is one like any other */
		{&json, "{\"time\":\"2026-01-02 03:04:05\"}",
		 .json = "{\"time\":\"2026-01-02 03:04:05\"}"},
		{&json_time, "{\"a\":1,\"t\":\"2026-01-02 03:04:05\",\"b\":2}",
		 .json = "{\"a\":1,\"b\":2}", .time_ns = AT(1767323045)},
		{&json_time_kept, "{\"t\":\"2026-01-02 03:04:05\"}",
		 .json = "{\"t\":\"2026-01-02 03:04:05\"}",
		 .time_ns = AT(1767323045)},
		{&json_time, "{\"t\":1767323045}",
		 .json = "{\"t\":1767323045}"},
		{&json_time, "{\"a\":1}", .json = "{\"a\":1}"},
		{&json_time, "{\"a\":1,\"t\":\"soon\"}", .json = "{\"a\":1}",
		 .bad_time = true},
		{&json_time_kept, "{\"a\":1,\"t\":\"soon\"}",
		 .json = "{\"a\":1}", .bad_time = true},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void types_are_cast_by_what_leads(void **state)
{
	static const struct parse_case cases[] = {
		{&typed, "i=12abc", .json = "{\"i\":12}"},
		{&typed, "i=-7", .json = "{\"i\":-7}"},
		{&typed, "i=abc", .json = "{\"i\":0}"},
		{&typed, "i=99999999999999999999",
		 .json = "{\"i\":9223372036854775807}"},
		{&typed, "i=-99999999999999999999",
		 .json = "{\"i\":-9223372036854775808}"},
		{&typed, "f=1.5e3", .json = "{\"f\":1500.0}"},
		{&typed, "f=0.25s", .json = "{\"f\":0.25}"},
		{&typed, "f=-", .json = "{\"f\":0.0}"},
		{&typed, "b=true", .json = "{\"b\":true}"},
		{&typed, "b=TRUEish", .json = "{\"b\":true}"},
		{&typed, "b=False", .json = "{\"b\":false}"},
		{&typed, "b=tru", .json = "{\"b\":\"tru\"}"},
		{&typed, "b=1", .json = "{\"b\":\"1\"}"},
		{&typed, "h=ff", .json = "{\"h\":255}"},
		{&typed, "h=0xFFg", .json = "{\"h\":255}"},
		{&typed, "h=7fffffffffffffff",
		 .json = "{\"h\":9223372036854775807}"},
		{&typed, "h=8000000000000000",
		 .json = "{\"h\":\"8000000000000000\"}"},
		{&typed, "s=1", .json = "{\"s\":\"1\"}"},
		{&typed, "1", .json = "{\"plain\":\"1\"}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void fields_stand_in_the_order_of_their_groups(void **state)
{
	static const struct parse_case cases[] = {
		{&twins, "zc", .json = "{\"a\":\"z\",\"c\":\"c\"}"},
		{&twins, "xyyz", .json = "{\"b\":\"yy\",\"a\":\"z\"}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void both_of_two_equal_names_are_fields(void **state)
{
	struct parser *p = parser_of(&twins);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	bool bad_time = false;
	assert_int_equal(parser_apply(p, SPAN("xz"), now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_int_equal(r->count, 2);
	assert_true(span_equals(record_first(r, SPAN("a"))->string, SPAN("x")));
	assert_true(span_equals(record_last(r, SPAN("a"))->string, SPAN("z")));
	parser_free(p);
}

static void fields_are_spans_into_the_text(void **state)
{
	static const char text[] = HEAD "x";
	struct parser *p = parser_of(&syslog);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	bool bad_time = false;
	assert_int_equal(parser_apply(p, span_of(text), now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_ptr_equal(record_last(r, SPAN("pri"))->string.ptr, text + 1);
	assert_ptr_equal(record_last(r, SPAN("message"))->string.ptr,
			 text + sizeof HEAD - 1);
	parser_free(p);
}

static void raw_bytes_of_json_are_kept(void **state)
{
	struct parser *p = parser_of(&json);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	bool bad_time = false;
	struct span text = SPAN("{\"u\":\"a\xff"
				"b\"}");
	assert_int_equal(parser_apply(p, text, now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_true(span_equals(record_last(r, SPAN("u"))->string, SPAN("a\xff"
									"b")));
	parser_free(p);
}

static void a_match_that_takes_too_long_is_given_up(void **state)
{
	static const struct parser_opts slow = {
		.name = "slow",
		.regex = "^(?<a>(?:[a-z]+)+)+$",
	};
	static const struct parse_case c = {
		&slow, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0",
		.verdict = PARSER_match_limit};
	check_case(*state, &c);
}

static void what_could_never_work_is_refused(void **state)
{
	static const struct {
		struct parser_opts opts;
		const char *key, *why;
	} cases[] = {
		{{.regex = "^(.*)$"}, "Regex", "named group"},
		{{.regex = "x"}, "Regex", "named group"},
		{{.regex = "(?<a>"}, "Regex", ")"},
		{{.regex = "(?<a>.)", .time_format = "%Q"},
		 "Time_Format",
		 "%Q"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parser_opts opts = cases[i].opts;
		struct err e = {0};
		opts.name = "p";
		const char *wrong = NULL;
		assert_null(parser_new(&opts, &wrong, &e));
		assert_string_equal(wrong, cases[i].key);
		assert_non_null(strstr(e.text, cases[i].why));
	}
}

static void a_parser_of_the_same_name_replaces(void **state)
{
	struct parser_set *set = parser_set_new();
	struct parser *first = parser_of(&syslog);
	struct parser *second = parser_of(&json);
	struct parser *third = parser_of(&printed);
	(void)state;
	assert_null(parser_set_find(set, "syslog"));
	const char **names = parser_set_names(set);
	assert_null(names[0]);
	free(names);
	parser_set_give(set, first);
	parser_set_give(set, second);
	assert_ptr_equal(parser_set_find(set, "syslog"), first);
	parser_set_give(set, third);
	assert_ptr_equal(parser_set_find(set, "syslog"), third);
	assert_ptr_equal(parser_set_find(set, "json"), second);
	assert_null(parser_set_find(set, "JSON"));
	names = parser_set_names(set);
	assert_string_equal(names[0], "syslog");
	assert_string_equal(names[1], "json");
	assert_null(names[2]);
	free(names);
	assert_string_equal(parser_name(third), "syslog");
	parser_set_free(set);
}

int main(void)
{
	/* Times without a zone are read in that of TZ. */
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_syslog_line_becomes_fields),
		TEST(a_time_is_taken_or_told_to_be_bad),
		TEST(json_becomes_fields),
		TEST(types_are_cast_by_what_leads),
		TEST(fields_stand_in_the_order_of_their_groups),
		TEST(both_of_two_equal_names_are_fields),
		TEST(fields_are_spans_into_the_text),
		TEST(raw_bytes_of_json_are_kept),
		TEST(a_match_that_takes_too_long_is_given_up),
		TEST(what_could_never_work_is_refused),
		TEST(a_parser_of_the_same_name_replaces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
