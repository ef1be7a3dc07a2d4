/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "parse/decode_field.h"
#include "parse/parser.h"
#include "record/json.h"
#include "record/record.h"

/* 2026-11-21T03:00:00Z, and the time of a record before it is parsed. */
static const int64_t now_ns = 1795230000 * NS_PER_S;
static const int64_t arrival_ns = 1795229999 * NS_PER_S;

#define AT(seconds) ((seconds)*NS_PER_S)
#define HEAD "<190>Nov 20 23:59:58 h n: "

/* Fluent Bit's own regex, and the same as it is often printed, with its
 * backslashes lost. */
#define SYSLOG_REGEX(pid)                                           \
	"^<(?<pri>[0-9]+)>(?<time>[^ ]* {1,2}[^ ]* [^ ]*) "         \
	"(?<ident>[a-zA-Z0-9_/.-]*)" pid "(?:[^:]*:)? *(?<message>" \
	".*)$"
#define SYSLOG(pid)                                                 \
	{                                                           \
		.name = "syslog", .regex = SYSLOG_REGEX(pid),       \
		.time.format = "%b %d %H:%M:%S", .time_keep = true, \
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
	.time.format = "%Y-%m-%d %H:%M:%S",
};
static const struct parser_opts json_time_kept = {
	.name = "json_time_kept",
	.format = PARSER_JSON,
	.time_key = "t",
	.time.format = "%Y-%m-%d %H:%M:%S",
	.time_keep = true,
};
static const struct parser_opts zone = {
	.name = "zone",
	.regex = "^(?<time>.*)$",
	.time.format = "%m/%d/%Y %H:%M:%S %z",
};
static const struct parser_opts offset = {
	.name = "offset",
	.regex = "^(?<time>.*)$",
	.time.format = "%Y-%m-%d %H:%M:%S",
	.time.has_offset = true,
	.time.offset_s = 9 * 3600,
};
static const struct parser_opts fraction = {
	.name = "fraction",
	.regex = "^(?<time>[^ ]*)(?<rest>.*)$",
	.time.format = "%Y-%m-%dT%H:%M:%S.%LZ",
};
static const struct parser_opts epoch = {
	.name = "epoch",
	.regex = "^(?<ts>[^ ]*) (?<m>.*)$",
	.time_key = "ts",
	.time.format = "%s",
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
	const char *json; /* of the fields that the parser adds */
	int64_t time_ns;  /* 0: the record keeps its time */
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

static struct parser *parser_in(struct parser_set *set,
				const struct parser_opts *opts)
{
	struct parser *p = parser_of(opts);
	parser_set_give(set, p);
	return p;
}

static void check_case(struct arena *arena, const struct parse_case *c)
{
	struct buf written = {0};
	struct parser_set *set = parser_set_new();
	struct parser *p = parser_in(set, c->opts);
	struct span bad_time;
	struct record *r = record_new(arena, NULL, SPAN("t"), arrival_ns);
	assert_string_equal(parser_verdict_name(parser_apply(
				    p, span_of(c->text), now_ns, r, &bad_time)),
			    parser_verdict_name(c->verdict));
	json_write_record(&written, JSON_BAD_REPLACED, r);
	assert_string_equal(buf_text(&written), c->json ? c->json : "{}");
	assert_int_equal(r->time_ns, c->time_ns ? c->time_ns : arrival_ns);
	assert_int_equal(bad_time.ptr != NULL, c->bad_time);
	parser_set_free(set);
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
		/* a truncated character does not prevent a match */
		{&syslog, HEAD "x\xe3\x81",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\","
			 "\"ident\":\"h\",\"message\":\"x\\ufffd\\ufffd\"}",
		 .time_ns = AT(1795219198)},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void a_time_is_read_or_reported_as_bad(void **state)
{
	static const struct parse_case cases[] = {
		{&syslog, "<190>Nov 20 01:02:60 h n: a",
		 .json = "{\"pri\":\"190\",\"time\":\"Nov 20 01:02:60\","
			 "\"ident\":\"h\",\"message\":\"a\"}",
		 .time_ns = AT(1795136580)},
		/* although Time_Keep is on, the key is left out */
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
		/* without Time_Format, the key is an ordinary one */
		{&timeless, "soon", .json = "{\"time\":\"soon\"}"},
		/* the epoch itself is not taken as a time, but is not a bad one
		 * either */
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
		/* without Time_Format, the key is an ordinary one */
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
		/* an unreadable time is kept as a field */
		{&json_time, "{\"a\":1,\"t\":\"soon\"}",
		 .json = "{\"a\":1,\"t\":\"soon\"}", .bad_time = true},
		{&json_time_kept, "{\"a\":1,\"t\":\"soon\"}",
		 .json = "{\"a\":1,\"t\":\"soon\"}", .bad_time = true},
		/* of two time keys, only the first is the time */
		{&json_time,
		 "{\"t\":\"2026-01-02 03:04:05\",\"a\":1,\"t\":\"x\"}",
		 .json = "{\"a\":1,\"t\":\"x\"}", .time_ns = AT(1767323045)},
		{&json, "{\"a\":1}", .json = "{\"a\":1}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void a_cast_uses_the_leading_part_of_the_text(void **state)
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
		{&typed, "f=1e999", .json = "{\"f\":\"1e999\"}"},
		{&typed, "f=nan", .json = "{\"f\":\"nan\"}"},
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

static const struct parser_opts empty = {
	.name = "empty",
	.regex = "^(?<a>x)?(?<b>y*)(?:(?<c>z)|w)?$",
};
static const struct parser_opts empty_kept = {
	.name = "empty_kept",
	.regex = "^(?<a>x)?(?<b>y*)(?:(?<c>z)|w)?$",
	.keep_empty = true,
};
static const struct parser_opts optional = {
	.name = "optional",
	.regex = "^(?<a>x)?(?:(?<b>y)|-)$",
};

static void empty_groups_are_left_out_or_kept(void **state)
{
	static const struct parse_case cases[] = {
		{&empty, "x", .json = "{\"a\":\"x\"}"},
		{&empty, "", .json = "{}"},
		{&empty_kept, "x",
		 .json = "{\"a\":\"x\",\"b\":\"\",\"c\":\"\"}"},
		{&empty_kept, "", .json = "{\"a\":\"\",\"b\":\"\",\"c\":\"\"}"},
		/* no group takes part in the match */
		{&optional, "-", .verdict = PARSER_no_match},
		{&optional, "y", .json = "{\"b\":\"y\"}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static const struct parser_opts ltsv = {.name = "l", .format = PARSER_LTSV};
static const struct parser_opts ltsv_time = {
	.name = "l",
	.format = PARSER_LTSV,
	.time.format = "%Y-%m-%d %H:%M:%S",
	.types = types,
	.type_count = sizeof types / sizeof *types,
};
static const struct parser_opts logfmt = {.name = "f", .format = PARSER_LOGFMT};
static const struct parser_opts logfmt_time = {
	.name = "f",
	.format = PARSER_LOGFMT,
	.time_key = "ts",
	.time.format = "%Y-%m-%dT%H:%M:%S",
	.time_keep = true,
};
static const struct parser_opts logfmt_typed = {
	.name = "f",
	.format = PARSER_LOGFMT,
	.types = types,
	.type_count = sizeof types / sizeof *types,
};
static const struct parser_opts logfmt_strict = {
	.name = "f",
	.format = PARSER_LOGFMT,
	.no_bare_keys = true,
};

static void ltsv_becomes_fields(void **state)
{
	static const struct parse_case cases[] = {
		{&ltsv, "a:1\tb:x:y\tc:",
		 .json = "{\"a\":\"1\",\"b\":\"x:y\",\"c\":\"\"}"},
		{&ltsv, "no label", .verdict = PARSER_no_match},
		{&ltsv, ":x", .verdict = PARSER_no_match},
		{&ltsv, "", .verdict = PARSER_no_match},
		{&ltsv_time, "a:1\ttime:2026-01-02 03:04:05\ti:7\tf:1",
		 .json = "{\"a\":\"1\",\"i\":7,\"f\":1.0}",
		 .time_ns = AT(1767323045)},
		{&ltsv_time,
		 "a:1\ttime:", .json = "{\"a\":\"1\",\"time\":\"\"}"},
		{&ltsv_time, "a:1\ttime:soon", .verdict = PARSER_bad_pair_time},
		{&ltsv_time, "time:2026-01-02 03:04:05",
		 .verdict = PARSER_no_match},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void logfmt_becomes_fields(void **state)
{
	static const struct parse_case cases[] = {
		{&logfmt, "a=1 b=\"x \\\"y\\n\" c d= e=\"\"",
		 .json = "{\"a\":\"1\",\"b\":\"x \\\"y\\n\",\"c\":true,"
			 "\"d\":true,\"e\":\"\"}"},
		{&logfmt, "", .verdict = PARSER_no_match},
		{&logfmt, " \"=\"", .verdict = PARSER_no_match},
		{&logfmt_time, "ts=2026-01-02T03:04:05Z a=1",
		 .json = "{\"ts\":\"2026-01-02T03:04:05Z\",\"a\":\"1\"}",
		 .time_ns = AT(1767323045)},
		{&logfmt_time, "a=1 ts=soon", .verdict = PARSER_bad_pair_time},
		/* with Types, values are not decoded */
		{&logfmt_typed, "i=7 b=true x=\"a\\n\" y",
		 .json = "{\"i\":7,\"b\":true,\"x\":\"a\\\\n\",\"y\":\"\"}"},
		{&logfmt_strict, "a=1 b=", .json = "{\"a\":\"1\",\"b\":true}"},
		{&logfmt_strict, "a=1 b", .verdict = PARSER_no_match},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

/* Run decoder rules such as "as json a try_next, json b" on the field a. */
static void check_decoded(struct arena *arena, const char *rules,
			  const char *text, const char *expected)
{
	struct decode_rule read[4];
	size_t count = 0;
	char room[200];
	snprintf(room, sizeof room, "%s", rules);
	char *rest = room, *rule;
	while ((rule = strsep(&rest, ",")) != NULL) {
		bool in_place = strncmp(rule, "as ", 3) == 0;
		assert_true(decode_rule_read(rule + (in_place ? 3 : 0),
					     in_place, &read[count++]));
	}
	const struct parser_opts opts = {
		.name = "d",
		.regex = "(?m)^(?<a>[^|]*)(?:\\|(?<b>.*))?$",
		.decode = read,
		.decode_count = count,
	};
	const struct parse_case c = {&opts, text, .json = expected};
	check_case(arena, &c);
	for (size_t i = 0; i < count; i++)
		free(read[i].key);
}

static void a_field_is_decoded_by_its_rules(void **state)
{
	static const struct {
		const char *rules, *text, *json;
	} cases[] = {
		{"as json a", "{\"x\":1}", "{\"a\":{\"x\":1}}"},
		{"as json a", "  {\"x\":1}", "{\"a\":{\"x\":1}}"},
		{"as json a", "[1]", "{\"a\":\"[1]\"}"},
		{"as json a", "x", "{\"a\":\"x\"}"},
		{"json a", "{\"x\":1}", "{\"a\":\"{\\\"x\\\":1}\",\"x\":1}"},
		{"json a", "x", "{\"a\":\"x\"}"},
		{"json a,json b", "{\"x\":1}|{\"y\":2}",
		 "{\"a\":\"{\\\"x\\\":1}\",\"b\":\"{\\\"y\\\":2}\","
		 "\"x\":1,\"y\":2}"},
		{"json a", "{\"a\":1}", "{\"a\":1}"}, /* the last rule */
		{"as escaped a", "x\\ty\\q", "{\"a\":\"x\\tyq\"}"},
		{"as escaped_utf8 a", "\\u00e9", "{\"a\":\"\xc3\xa9\"}"},
		{"as mysql_quoted a", "'x\\'y'", "{\"a\":\"x'y\"}"},
		{"as escaped a do_next,as json a", "{\\\"x\\\":1}",
		 "{\"a\":{\"x\":1}}"},
		{"as escaped a,as json a", "{\\\"x\\\":1}",
		 "{\"a\":\"{\\\"x\\\":1}\"}"},
		{"as json a try_next,as escaped a", "x\\ty",
		 "{\"a\":\"x\\ty\"}"},
		{"as json a,as escaped a", "x\\ty", "{\"a\":\"x\\\\ty\"}"},
		{"as json a try_next,as escaped a", "{\"x\":1}",
		 "{\"a\":{\"x\":1}}"},
		{"as json a do_next,as escaped a", "{\"x\":1}",
		 "{\"a\":{\"x\":1}}"},
		{"as escaped a do_next,json a", "{\\\"x\\\":1}",
		 "{\"a\":\"{\\\"x\\\":1}\",\"x\":1}"},
		{"json a do_next,as json a", "{\"x\":1}",
		 "{\"a\":{\"x\":1},\"x\":1}"},
		{"as json b", "{\"x\":1}", "{\"a\":\"{\\\"x\\\":1}\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_decoded(*state, cases[i].rules, cases[i].text,
			      cases[i].json);
}

static void an_unknown_decoder_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"",		"json",	     "json ",
					    "jso a",	"jsonx a",   "a json",
					    "json a x", "json a do", ""};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct decode_rule rule;
		assert_false(decode_rule_read(texts[i], true, &rule));
	}
	struct decode_rule rule;
	assert_true(decode_rule_read("JSON  log \tDo_Next", false, &rule));
	assert_string_equal(rule.key, "log");
	assert_int_equal(rule.then, DECODE_DO_NEXT);
	free(rule.key);
}

static void json_is_decoded_before_the_time_is_read(void **state)
{
	struct decode_rule rule = {
		.key = (char[]){"log"}, .as = DECODE_JSON, .in_place = false};
	const struct parser_opts opts = {
		.name = "j",
		.format = PARSER_JSON,
		.time.format = "%Y-%m-%d",
		.decode = &rule,
		.decode_count = 1,
	};
	const struct parse_case c = {
		&opts, "{\"log\":\"{\\\"time\\\":\\\"2026-01-02\\\"}\"}",
		.json = "{\"log\":\"{\\\"time\\\":\\\"2026-01-02\\\"}\"}",
		.time_ns = AT(1767312000)};
	check_case(*state, &c);
}

static void fields_follow_the_order_of_their_groups(void **state)
{
	static const struct parse_case cases[] = {
		{&twins, "zc", .json = "{\"a\":\"z\",\"c\":\"c\"}"},
		/* groups of one name take the position of the first */
		{&twins, "xyyz", .json = "{\"a\":\"z\",\"b\":\"yy\"}"},
	};
	check_cases(*state, cases, sizeof cases / sizeof *cases);
}

static void two_groups_of_the_same_name_are_two_fields(void **state)
{
	struct parser_set *set = parser_set_new();
	struct parser *p = parser_in(set, &twins);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	struct span bad_time;
	assert_int_equal(parser_apply(p, SPAN("xz"), now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_int_equal(r->count, 2);
	assert_true(
		span_equals(record_first_at(r, SPAN("a"), &(size_t){0})->string,
			    SPAN("x")));
	assert_true(span_equals(record_last(r, SPAN("a"))->string, SPAN("z")));
	parser_set_free(set);
}

static void fields_are_spans_into_the_text(void **state)
{
	static const char text[] = HEAD "x";
	struct parser_set *set = parser_set_new();
	struct parser *p = parser_in(set, &syslog);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	struct span bad_time;
	assert_int_equal(parser_apply(p, span_of(text), now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_ptr_equal(record_last(r, SPAN("pri"))->string.ptr, text + 1);
	assert_ptr_equal(record_last(r, SPAN("message"))->string.ptr,
			 text + sizeof HEAD - 1);
	parser_set_free(set);
}

/* A parser that matches returns the time text that it could not read.  If the
 * parser does not match, it returns none. */
static void an_unreadable_time_is_returned_to_the_caller(void **state)
{
	static const struct parser_opts opts = {
		.name = "kept",
		.regex = "^(?<time>[a-z]+)?[A-Z]*$",
		.keep_empty = true,
		.time = {.format = "%Y"},
	};
	struct parser_set *set = parser_set_new();
	struct parser *p = parser_in(set, &opts);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	struct span bad_time;
	assert_int_equal(parser_apply(p, SPAN("soon"), now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_true(span_equals(bad_time, SPAN("soon")));
	assert_string_equal(parser_time_format(p), "%Y");
	assert_int_equal(parser_apply(p, SPAN("SOON"), now_ns, r, &bad_time),
			 PARSER_no_match);
	assert_null(bad_time.ptr);
	parser_set_free(set);
}

static void raw_bytes_of_json_are_kept(void **state)
{
	struct parser_set *set = parser_set_new();
	struct parser *p = parser_in(set, &json);
	struct record *r = record_new(*state, NULL, SPAN("t"), arrival_ns);
	struct span bad_time;
	struct span text = SPAN("{\"u\":\"a\xff"
				"b\"}");
	assert_int_equal(parser_apply(p, text, now_ns, r, &bad_time),
			 PARSER_parsed);
	assert_true(span_equals(record_last(r, SPAN("u"))->string, SPAN("a\xff"
									"b")));
	parser_set_free(set);
}

static void a_match_that_takes_too_long_is_stopped(void **state)
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

static void a_parser_that_cannot_work_is_refused(void **state)
{
	static const struct {
		struct parser_opts opts;
		const char *key, *why;
	} cases[] = {
		{{.regex = "^(.*)$"}, "Regex", "named group"},
		{{.regex = "x"}, "Regex", "named group"},
		{{.regex = "(?<a>"}, "Regex", ")"},
		{{.regex = "(?<a>.)", .time.format = "%Q"},
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

static void a_later_parser_replaces_one_of_the_same_name(void **state)
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
	/* Times without a zone are read in the zone of TZ. */
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_syslog_line_becomes_fields),
		TEST(a_time_is_read_or_reported_as_bad),
		TEST(json_becomes_fields),
		TEST(a_cast_uses_the_leading_part_of_the_text),
		TEST(empty_groups_are_left_out_or_kept),
		TEST(ltsv_becomes_fields),
		TEST(logfmt_becomes_fields),
		TEST(a_field_is_decoded_by_its_rules),
		TEST(an_unknown_decoder_is_refused),
		TEST(json_is_decoded_before_the_time_is_read),
		TEST(fields_follow_the_order_of_their_groups),
		TEST(two_groups_of_the_same_name_are_two_fields),
		TEST(fields_are_spans_into_the_text),
		TEST(an_unreadable_time_is_returned_to_the_caller),
		TEST(raw_bytes_of_json_are_kept),
		TEST(a_match_that_takes_too_long_is_stopped),
		TEST(a_parser_that_cannot_work_is_refused),
		TEST(a_later_parser_replaces_one_of_the_same_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
