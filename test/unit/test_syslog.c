/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "parse/syslog.h"
#include "record/record.h"

/* 2026-11-21 00:00:00 UTC */
#define NOW_NS (INT64_C(1795219200) * NS_PER_S)
/* The time of the record if the text does not give one. */
#define ARRIVAL_NS INT64_C(42)

struct sample {
	struct span text;
	const char *fields; /* "key=value|key=value" */
	enum syslog_verdict verdict;
	int64_t time_ns; /* 0: the arrival time stays */
};

struct fixture {
	struct syslog_parser *parser;
	struct arena *arena;
	struct buf out;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e = {0};
	if (f == NULL)
		return -1;
	f->arena = arena_new(4096);
	f->parser = syslog_parser_new(&e);
	*state = f;
	return f->parser != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	syslog_parser_free(f->parser);
	arena_free(f->arena);
	buf_fini(&f->out);
	free(f);
	return 0;
}

static const char *text_of(struct fixture *f, const struct record *r)
{
	buf_clear(&f->out);
	for (size_t i = 0; i < r->count; i++) {
		if (i > 0)
			buf_put_char(&f->out, '|');
		buf_put_span(&f->out, r->fields[i].key);
		buf_put_char(&f->out, '=');
		assert_int_equal(r->fields[i].value.type, VALUE_STRING);
		buf_put_span(&f->out, r->fields[i].value.string);
	}
	return buf_text(&f->out);
}

static void check(struct fixture *f, const struct sample *sample)
{
	/* An exact copy, so that the sanitizers notice a read past its end. */
	char *bytes = malloc(sample->text.len + 1);
	assert_non_null(bytes);
	struct span text = span_make(bytes + 1, sample->text.len);
	if (text.len > 0)
		memcpy(bytes + 1, sample->text.ptr, text.len);
	arena_reset(f->arena);
	struct record *r = record_new(f->arena, NULL, SPAN("t"), ARRIVAL_NS);
	enum syslog_verdict verdict = syslog_parse(f->parser, text, NOW_NS, r);
	const char *fields = text_of(f, r);
	if (strcmp(fields, sample->fields) != 0)
		fail_msg("%s\n  gives    %s\n  and not  %s", sample->text.ptr,
			 fields, sample->fields);
	int64_t time_ns = sample->time_ns ? sample->time_ns : ARRIVAL_NS;
	if (verdict != sample->verdict || r->time_ns != time_ns)
		fail_msg("%s\n  gives verdict %d, time %lld", sample->text.ptr,
			 verdict, (long long)r->time_ns);
	free(bytes);
}

#define CHECK_ALL(state, samples)                                        \
	for (size_t i = 0; i < sizeof(samples) / sizeof *(samples); i++) \
	check(*(state), &(samples)[i])

#define AT_S(s) (INT64_C(s) * NS_PER_S)

static void nginx_lines_in_rfc_3164_are_parsed(void **state)
{
	const struct sample samples[] = {
		{SPAN("<190>Nov 20 23:59:58 vm nginx: {\"a\":\"b: c\"}"),
		 "pri=190|time=Nov 20 23:59:58|host=vm|ident=nginx|"
		 "message={\"a\":\"b: c\"}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<190>Nov 20 23:59:58 nginx: {\"a\": 1}"),
		 "pri=190|time=Nov 20 23:59:58|ident=nginx|message={\"a\": 1}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<182>Nov  1 01:02:03 vm ingress_access: x"),
		 "pri=182|time=Nov  1 01:02:03|host=vm|ident=ingress_access|"
		 "message=x",
		 SYSLOG_PARSED, AT_S(1793494923)},
		{SPAN("<187>Nov 20 23:59:58 a-1.b.c nginx: 2026/11/20 23:59:58 "
		      "[error] 7#7: *1 open() failed"),
		 "pri=187|time=Nov 20 23:59:58|host=a-1.b.c|ident=nginx|"
		 "message=2026/11/20 23:59:58 [error] 7#7: *1 open() failed",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<190>Nov 20 23:59:58 vm nginx: "),
		 "pri=190|time=Nov 20 23:59:58|host=vm|ident=nginx",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<190>Nov 20 23:59:58 vm nginx:"),
		 "pri=190|time=Nov 20 23:59:58|host=vm|ident=nginx",
		 SYSLOG_PARSED, AT_S(1795219198)},
	};
	CHECK_ALL(state, samples);
}

static void rfc_3164_lines_of_other_senders_are_parsed(void **state)
{
	const struct sample samples[] = {
		{SPAN("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for "
		      "lonvick on /dev/pts/8"),
		 "pri=34|time=Oct 11 22:14:15|host=mymachine|ident=su|"
		 "message='su root' failed for lonvick on /dev/pts/8",
		 SYSLOG_PARSED, AT_S(1791756855)},
		{SPAN("<34>Oct 11 22:14:15 mymachine su[123]: x"),
		 "pri=34|time=Oct 11 22:14:15|host=mymachine|ident=su|"
		 "pid=123|message=x",
		 SYSLOG_PARSED, AT_S(1791756855)},
		{SPAN("<34>Oct 11 22:14:15 su[123]: x"),
		 "pri=34|time=Oct 11 22:14:15|ident=su|pid=123|message=x",
		 SYSLOG_PARSED, AT_S(1791756855)},
		{SPAN("<34>Oct 11 22:14:15 postfix/smtp-a.b@1(x)[9]:   x"),
		 "pri=34|time=Oct 11 22:14:15|ident=postfix/smtp-a.b@1(x)|"
		 "pid=9|message=x",
		 SYSLOG_PARSED, AT_S(1791756855)},
		{SPAN("<34>Oct 1 22:14:15 ::1 su[]: x"),
		 "pri=34|time=Oct 1 22:14:15|host=::1|ident=su|message=x",
		 SYSLOG_PARSED, AT_S(1790892855)},
		{SPAN("<0>Oct 11 22:14:15 a: b: c"),
		 "pri=0|time=Oct 11 22:14:15|ident=a|message=b: c",
		 SYSLOG_PARSED, AT_S(1791756855)},
		{SPAN("<13>2026-11-20T23:59:58.123456+09:00 vm app[1]: x"),
		 "pri=13|time=2026-11-20T23:59:58.123456+09:00|host=vm|"
		 "ident=app|pid=1|message=x",
		 SYSLOG_PARSED, INT64_C(1795186798123456000)},
		{SPAN("<13>2026-11-20T23:59:58Z app: x"),
		 "pri=13|time=2026-11-20T23:59:58Z|ident=app|message=x",
		 SYSLOG_PARSED, AT_S(1795219198)},
	};
	CHECK_ALL(state, samples);
}

static void a_name_that_a_relay_put_in_front_is_skipped(void **state)
{
	const struct sample samples[] = {
		{SPAN("<190>Nov 20 23:59:58 10.0.0.1 node01 www: {\"a\": 1}"),
		 "pri=190|time=Nov 20 23:59:58|host=node01|ident=www|"
		 "message={\"a\": 1}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<190>Nov 20 23:59:58 relay node01 nginx[7]:   {}"),
		 "pri=190|time=Nov 20 23:59:58|host=node01|ident=nginx|pid=7|"
		 "message={}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<190>Nov 20 23:59:58 NSec8-VM nsec8-vm nginx: text"),
		 "pri=190|time=Nov 20 23:59:58|host=nsec8-vm|ident=nginx|"
		 "message=text",
		 SYSLOG_PARSED, AT_S(1795219198)},
		/* Plain text with a colon after its second word. */
		{SPAN("<13>Nov 20 23:59:58 host reload nginx: text"),
		 "pri=13|time=Nov 20 23:59:58|message=host reload nginx: text",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 a b c nginx: {}"),
		 "pri=13|time=Nov 20 23:59:58|message=a b c nginx: {}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 a b"),
		 "pri=13|time=Nov 20 23:59:58|message=a b", SYSLOG_PARSED,
		 AT_S(1795219198)},
	};
	CHECK_ALL(state, samples);
}

static void without_a_tag_the_rest_is_the_message(void **state)
{
	const struct sample samples[] = {
		{SPAN("<13>Nov 20 23:59:58 10.0.0.99 Use the BFG!"),
		 "pri=13|time=Nov 20 23:59:58|message=10.0.0.99 Use the BFG!",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 {\"a\": 1}"),
		 "pri=13|time=Nov 20 23:59:58|message={\"a\": 1}",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 {\"a\": b: c"),
		 "pri=13|time=Nov 20 23:59:58|message={\"a\": b: c",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 see http://x/ now"),
		 "pri=13|time=Nov 20 23:59:58|message=see http://x/ now",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 a[1 b: c"),
		 "pri=13|time=Nov 20 23:59:58|message=a[1 b: c", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 vm app[1"),
		 "pri=13|time=Nov 20 23:59:58|message=vm app[1", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58  app: x"),
		 "pri=13|time=Nov 20 23:59:58|message= app: x", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 : x"),
		 "pri=13|time=Nov 20 23:59:58|message=: x", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58"), "pri=13|time=Nov 20 23:59:58",
		 SYSLOG_PARSED, AT_S(1795219198)},
	};
	CHECK_ALL(state, samples);
}

static void without_a_time_everything_after_the_pri_is_the_message(void **state)
{
	const struct sample samples[] = {
		{SPAN("<13>hello: world"), "pri=13|message=hello: world",
		 SYSLOG_PARSED, 0},
		{SPAN("<13>1 is a number"), "pri=13|message=1 is a number",
		 SYSLOG_PARSED, 0},
		{SPAN("<13>1 -1 is too"), "pri=13|message=1 -1 is too",
		 SYSLOG_PARSED, 0},
		{SPAN("<13>Nov 20 23:59:5"), "pri=13|message=Nov 20 23:59:5",
		 SYSLOG_PARSED, 0},
		{SPAN("<13>Nov 20 23:59:588 a: b"),
		 "pri=13|message=Nov 20 23:59:588 a: b", SYSLOG_PARSED, 0},
		{SPAN("<13>"), "pri=13", SYSLOG_PARSED, 0},
	};
	CHECK_ALL(state, samples);
}

static void an_impossible_time_is_left_out_and_reported(void **state)
{
	const struct sample samples[] = {
		{SPAN("<13>Foo 20 23:59:58 vm a: b"),
		 "pri=13|host=vm|ident=a|message=b", SYSLOG_BAD_TIME, 0},
		{SPAN("<13>Nov 20 25:59:58 vm a: b"),
		 "pri=13|host=vm|ident=a|message=b", SYSLOG_BAD_TIME, 0},
		{SPAN("<13>2026-13-20T23:59:58Z vm a: b"),
		 "pri=13|host=vm|ident=a|message=b", SYSLOG_BAD_TIME, 0},
		{SPAN("<13>2026-11-20T23:59:58 no zone: b"),
		 "pri=13|host=no|ident=zone|message=b", SYSLOG_BAD_TIME, 0},
		{SPAN("<13>1 2026-11-20T23:59:58.Z vm a - - - b"),
		 "pri=13|host=vm|ident=a|message=b", SYSLOG_BAD_TIME, 0},
	};
	CHECK_ALL(state, samples);
}

static void the_examples_of_rfc_5424_are_parsed(void **state)
{
	const struct sample samples[] = {
		{SPAN("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su "
		      "- ID47 - \xEF\xBB\xBF'su root' failed"),
		 "pri=34|time=2003-10-11T22:14:15.003Z|"
		 "host=mymachine.example.com|ident=su|msgid=ID47|"
		 "message='su root' failed",
		 SYSLOG_PARSED, INT64_C(1065910455003000000)},
		{SPAN("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 "
		      "myproc 8710 - - %% It's time to make the do-nuts."),
		 "pri=165|time=2003-08-24T05:14:15.000003-07:00|"
		 "host=192.0.2.1|ident=myproc|pid=8710|"
		 "message=%% It's time to make the do-nuts.",
		 SYSLOG_PARSED, INT64_C(1061727255000003000)},
		{SPAN("<165>1 2003-10-11T22:14:15Z h app 111 ID47 "
		      "[x@1 a=\"b\"][y@2 c=\"\"] text"),
		 "pri=165|time=2003-10-11T22:14:15Z|host=h|ident=app|pid=111|"
		 "msgid=ID47|extradata=[x@1 a=\"b\"][y@2 c=\"\"]|message=text",
		 SYSLOG_PARSED, AT_S(1065910455)},
		{SPAN("<165>1 - - - - - [x a=\"\\\"\\]\\\\\" b=\"] [\"]"),
		 "pri=165|extradata=[x a=\"\\\"\\]\\\\\" b=\"] [\"]",
		 SYSLOG_PARSED, 0},
		{SPAN("<165>1 - - - - - - text"), "pri=165|message=text",
		 SYSLOG_PARSED, 0},
		{SPAN("<165>1 - h"), "pri=165|host=h", SYSLOG_PARSED, 0},
		{SPAN("<165>1 -"), "pri=165", SYSLOG_PARSED, 0},
	};
	CHECK_ALL(state, samples);
}

static void malformed_structured_data_stays_in_the_message(void **state)
{
	const struct sample samples[] = {
		{SPAN("<1>1 - h a - - [x a=\"b\" text"),
		 "pri=1|host=h|ident=a|message=[x a=\"b\" text", SYSLOG_PARSED,
		 0},
		{SPAN("<1>1 - h a - - [x a=\"b\\"),
		 "pri=1|host=h|ident=a|message=[x a=\"b\\", SYSLOG_PARSED, 0},
		{SPAN("<1>1 - h a - - [x]y z"),
		 "pri=1|host=h|ident=a|message=[x]y z", SYSLOG_PARSED, 0},
		{SPAN("<1>1 - h a - - text"),
		 "pri=1|host=h|ident=a|message=text", SYSLOG_PARSED, 0},
	};
	CHECK_ALL(state, samples);
}

static void without_a_pri_the_whole_line_is_the_message(void **state)
{
	const struct sample samples[] = {
		{SPAN("garbage"), "message=garbage", SYSLOG_NO_PRI, 0},
		{SPAN("190>Nov 20 23:59:58 vm nginx: x"),
		 "message=190>Nov 20 23:59:58 vm nginx: x", SYSLOG_NO_PRI, 0},
		{SPAN("<>x"), "message=<>x", SYSLOG_NO_PRI, 0},
		{SPAN("<192>x"), "message=<192>x", SYSLOG_NO_PRI, 0},
		{SPAN("<0191>x"), "message=<0191>x", SYSLOG_NO_PRI, 0},
		{SPAN("<-1>x"), "message=<-1>x", SYSLOG_NO_PRI, 0},
		{SPAN("<19"), "message=<19", SYSLOG_NO_PRI, 0},
		{SPAN("<"), "message=<", SYSLOG_NO_PRI, 0},
		{SPAN("<191>x"), "pri=191|message=x", SYSLOG_PARSED, 0},
		{SPAN("\n"), "", SYSLOG_NO_PRI, 0},
		{SPAN(""), "", SYSLOG_NO_PRI, 0},
	};
	CHECK_ALL(state, samples);
	struct fixture *f = *state;
	struct record *r = record_new(f->arena, NULL, SPAN("t"), ARRIVAL_NS);
	assert_int_equal(syslog_parse(f->parser, span_make(NULL, 0), 0, r),
			 SYSLOG_NO_PRI);
	assert_int_equal(r->count, 0);
}

static void a_line_end_is_not_part_of_the_message(void **state)
{
	const struct sample samples[] = {
		{SPAN("<13>Nov 20 23:59:58 a: b\n"),
		 "pri=13|time=Nov 20 23:59:58|ident=a|message=b", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 a: b\n\0"),
		 "pri=13|time=Nov 20 23:59:58|ident=a|message=b", SYSLOG_PARSED,
		 AT_S(1795219198)},
		{SPAN("<13>Nov 20 23:59:58 a: b\nc\n"),
		 "pri=13|time=Nov 20 23:59:58|ident=a|message=b\nc",
		 SYSLOG_PARSED, AT_S(1795219198)},
		{SPAN("x\n"), "message=x", SYSLOG_NO_PRI, 0},
	};
	CHECK_ALL(state, samples);
}

static void a_header_truncated_anywhere_is_parsed_safely(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {
		"<190>Nov 20 23:59:58 vm nginx[12]: {\"a\":1}",
		"<165>1 2003-10-11T22:14:15.003Z h app 111 ID47 "
		"[x a=\"\\\"\"][y] \xEF\xBB\xBFtext",
	};
	for (size_t t = 0; t < 2; t++) {
		for (size_t len = 0; len <= strlen(texts[t]); len++) {
			char *cut = malloc(len + 1);
			assert_non_null(cut);
			memcpy(cut + 1, texts[t], len);
			arena_reset(f->arena);
			struct record *r = record_new(f->arena, NULL, SPAN("t"),
						      ARRIVAL_NS);
			enum syslog_verdict verdict = syslog_parse(
				f->parser, span_make(cut + 1, len), NOW_NS, r);
			size_t pri_bytes = 5;
			assert_int_equal(verdict == SYSLOG_NO_PRI,
					 len < pri_bytes);
			free(cut);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		TEST(nginx_lines_in_rfc_3164_are_parsed),
		TEST(rfc_3164_lines_of_other_senders_are_parsed),
		TEST(a_name_that_a_relay_put_in_front_is_skipped),
		TEST(without_a_tag_the_rest_is_the_message),
		TEST(without_a_time_everything_after_the_pri_is_the_message),
		TEST(an_impossible_time_is_left_out_and_reported),
		TEST(the_examples_of_rfc_5424_are_parsed),
		TEST(malformed_structured_data_stays_in_the_message),
		TEST(without_a_pri_the_whole_line_is_the_message),
		TEST(a_line_end_is_not_part_of_the_message),
		TEST(a_header_truncated_anywhere_is_parsed_safely),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
