/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "files.h"
#include "filter/kinds.h"
#include "parse/parser.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

enum { TIME_NS = 12345 };

static const struct parser_opts parser_opts[] = {
	{.name = "json", .format = PARSER_JSON},
	{.name = "json_time",
	 .format = PARSER_JSON,
	 .time_key = "at",
	 .time.format = "%Y-%m-%dT%H:%M:%S%z"},
	{.name = "pair",
	 .format = PARSER_REGEX,
	 .regex = "^(?<key>[a-z]+)=(?<val>.*)$"},
	{.name = "any_time",
	 .format = PARSER_REGEX,
	 .regex = "^(?<time>.*)$",
	 .time.format = "%Y-%m-%d %H:%M:%S"},
	{.name = "month",
	 .format = PARSER_REGEX,
	 .regex = "^(?<time>.*)$",
	 .time.format = "%b %d %H:%M:%S %z"},
};

struct fixture {
	struct parser_set *parsers;
	struct conf *conf;
	struct filter *filter;
	struct arena *arena;
	struct message message;
	struct record *record;
	struct buf json;
};

static bool open_with(struct fixture *f, const char *keys, struct err *e)
{
	*f = (struct fixture){.parsers = parser_set_new(),
			      .arena = arena_new(16384)};
	for (size_t i = 0; i < sizeof parser_opts / sizeof parser_opts[0];
	     i++) {
		struct parser_opts opts = parser_opts[i];
		const char *wrong;
		struct parser *p = parser_new(&opts, &wrong, e);
		if (p == NULL)
			fail_msg("%s", e->text);
		parser_set_give(f->parsers, p);
	}
	struct buf text = {0};
	buf_printf(&text, "[FILTER]\n%s", keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	buf_fini(&text);
	if (f->conf == NULL)
		fail_msg("%s", e->text);
	struct conf_section *s = conf_section(f->conf, 0);
	const struct filter_env env = {.parsers = f->parsers, .conf_dir = "."};
	conf_declare(s, filter_parser.keys);
	f->filter = filter_parser.open(s, &env, e);
	if (f->filter == NULL)
		return false;
	f->filter->name = "parser.0";
	return conf_section_end(s, e);
}

static void open_filter(struct fixture *f, const char *keys)
{
	struct err e = {0};
	if (!open_with(f, keys, &e))
		fail_msg("%s", e.text);
}

static void fini(struct fixture *f)
{
	if (f->filter != NULL)
		filter_parser.close(f->filter);
	conf_free(f->conf);
	parser_set_free(f->parsers);
	arena_free(f->arena);
	buf_fini(&f->json);
}

/* Give the filter a record as the syslog parser produces it: pri, time, ident
 * and message. */
static void give(struct fixture *f, struct value message)
{
	struct record *r =
		record_new(f->arena, &f->message, SPAN("kube.*"), TIME_NS);
	record_add(r, SPAN("pri"), value_string(SPAN("190")));
	record_add(r, SPAN("time"), value_string(SPAN("Nov 20 23:59:58")));
	record_add(r, SPAN("ident"), value_string(SPAN("h")));
	record_add(r, SPAN("message"), message);
	r->restarts = 3;
	f->record = r;
	assert_int_equal(filter_parser.apply(f->filter, r, NULL), FILTER_PASS);
	/* The filter may change only the fields and the time. */
	assert_ptr_equal(r->message, &f->message);
	assert_true(span_equals(r->tag, SPAN("kube.*")));
	assert_int_equal(r->restarts, 3);
}

static const char *json_of(struct fixture *f)
{
	buf_clear(&f->json);
	json_write_record(&f->json, JSON_BAD_REPLACED, f->record);
	return buf_text(&f->json);
}

static void give_text(struct fixture *f, const char *text)
{
	give(f, value_string(span_of(text)));
}

static uint64_t failures(const struct fixture *f, const char *reason)
{
	for (size_t i = 0; filter_parser.failures[i] != NULL; i++)
		if (strcmp(filter_parser.failures[i], reason) == 0)
			return f->filter->stats.failures[i];
	fail_msg("no such reason: %s", reason);
	return 0;
}

static uint64_t all_failures(const struct fixture *f)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < FILTER_FAILURES_MAX; i++)
		sum += f->filter->stats.failures[i];
	return sum;
}

#define JSON " Key_Name message\n Parser json\n"
#define HEAD "\"pri\":\"190\",\"time\":\"Nov 20 23:59:58\",\"ident\":\"h\""

static void parsed_keys_come_first_then_the_reserved_fields(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *json;
	} cases[] = {
		{JSON " Preserve_Key on\n Reserve_Data on\n",
		 "{\"a\":1," HEAD
		 ",\"message\":\"{\\\"a\\\":1,\\\"ident\\\":\\\"I\\\"}\"}"},
		{JSON " Reserve_Data on\n", "{\"a\":1," HEAD "}"},
		{JSON " Preserve_Key on\n",
		 "{\"a\":1,\"ident\":\"I\","
		 "\"message\":\"{\\\"a\\\":1,\\\"ident\\\":\\\"I\\\"}\"}"},
		{JSON, "{\"a\":1,\"ident\":\"I\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		open_filter(&f, cases[i].keys);
		give_text(&f, "{\"a\":1,\"ident\":\"I\"}");
		assert_string_equal(json_of(&f), cases[i].json);
		assert_int_equal(f.record->time_ns, TIME_NS);
		assert_int_equal(all_failures(&f), 0);
		fini(&f);
	}
}

static void of_two_equal_keys_the_parsed_one_is_first(void **state)
{
	(void)state;
	static const char text[] = "{\"ident\":\"I\",\"message\":\"M\"}";
	struct fixture f;
	open_filter(&f, JSON " Preserve_Key on\n Reserve_Data on\n");
	give_text(&f, text);
	const struct record *r = f.record;
	assert_int_equal(r->count, 6);
	assert_true(span_equals(
		record_first_at(r, SPAN("ident"), &(size_t){0})->string,
		SPAN("I")));
	assert_true(
		span_equals(record_last(r, SPAN("ident"))->string, SPAN("h")));
	assert_true(span_equals(
		record_first_at(r, SPAN("message"), &(size_t){0})->string,
		SPAN("M")));
	assert_true(span_equals(record_last(r, SPAN("message"))->string,
				span_of(text)));
	fini(&f);
}

static void after_parsing_keys_are_no_longer_known_to_be_unique(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, JSON " Reserve_Data on\n");
	struct record *r = record_new(f.arena, NULL, SPAN("t"), TIME_NS);
	record_add(r, SPAN("ident"), value_string(SPAN("h")));
	record_add(r, SPAN("message"),
		   value_string(SPAN("{\"a\":1,\"a\":2,\"ident\":3}")));
	record_keep_last(r);
	assert_true(r->has_unique_keys);
	assert_int_equal(filter_parser.apply(f.filter, r, NULL), FILTER_PASS);
	assert_false(r->has_unique_keys);
	assert_int_equal(r->count, 4);
	assert_int_equal(record_first_at(r, SPAN("a"), &(size_t){0})->integer,
			 1);
	assert_int_equal(record_last(r, SPAN("a"))->integer, 2);
	assert_int_equal(
		record_first_at(r, SPAN("ident"), &(size_t){0})->integer, 3);
	record_keep_last(r);
	assert_int_equal(r->count, 2);
	fini(&f);
}

static void both_of_two_equal_keys_are_parsed_and_the_last_wins(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, JSON " Reserve_Data on\n");
	struct record *r = record_new(f.arena, NULL, SPAN("t"), TIME_NS);
	record_add(r, SPAN("message"), value_string(SPAN("{\"a\":1}")));
	record_add(r, SPAN("message"), value_string(SPAN("{\"b\":2}")));
	record_add(r, SPAN("message"), value_string(SPAN("no json")));
	record_add(r, SPAN("message"), value_int(3));
	f.record = r;
	assert_int_equal(filter_parser.apply(f.filter, r, NULL), FILTER_PASS);
	assert_int_equal(r->count, 3);
	assert_string_equal(json_of(&f), "{\"b\":2,\"message\":3}");
	assert_true(span_equals(
		record_first_at(r, SPAN("message"), &(size_t){0})->string,
		SPAN("no json")));
	fini(&f);
}

/* The number is so large that work that grows with its square would take more
 * than half an hour.  The records would take gigabytes if each text got one. */
static void a_key_may_occur_a_million_times(void **state)
{
	enum { FIELDS = 1 << 20 };
	(void)state;
	struct fixture f;
	open_filter(&f, JSON " Reserve_Data on\n");
	struct record *r = record_new(f.arena, NULL, SPAN("t"), TIME_NS);
	record_add(r, SPAN("first"), value_int(1));
	for (size_t i = 0; i < FIELDS; i++)
		record_add(r, SPAN("message"), value_string(SPAN("{\"a\":1}")));
	record_add(r, SPAN("message"), value_string(SPAN("no json")));
	record_add(r, SPAN("message"), value_string(SPAN("{\"b\":2}")));
	record_add(r, SPAN("last"), value_int(3));
	f.record = r;
	assert_int_equal(filter_parser.apply(f.filter, r, NULL), FILTER_PASS);
	assert_int_equal(r->count, 4);
	assert_string_equal(json_of(&f), "{\"b\":2,\"first\":1,"
					 "\"message\":\"no json\","
					 "\"last\":3}");
	assert_int_equal(failures(&f, "json_broken"), 1);
	fini(&f);
}

static void a_nested_key_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *json;
	} cases[] = {
		{" Key_Name $m['log']\n Parser json\n", "{\"a\":1}"},
		{" Key_Name $m['log']\n Parser json\n Reserve_Data on\n",
		 "{\"a\":1,\"x\":0,\"m\":{\"log\":\"{\\\"a\\\":1}\"}}"},
		{" Key_Name $m['log']\n Parser json\n Preserve_Key on\n",
		 "{\"a\":1}"},
		{" Key_Name $m['none']\n Parser json\n",
		 "{\"x\":0,\"m\":{\"log\":\"{\\\"a\\\":1}\"}}"},
		{" Key_Name $x\n Parser json\n",
		 "{\"x\":0,\"m\":{\"log\":\"{\\\"a\\\":1}\"}}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		open_filter(&f, cases[i].keys);
		struct field log = {SPAN("log"),
				    value_string(SPAN("{\"a\":1}"))};
		struct record *r =
			record_new(f.arena, NULL, SPAN("t"), TIME_NS);
		record_add(r, SPAN("x"), value_int(0));
		record_add(r, SPAN("m"),
			   (struct value){.type = VALUE_MAP,
					  .count = 1,
					  .fields = &log});
		f.record = r;
		filter_parser.apply(f.filter, r, NULL);
		assert_string_equal(json_of(&f), cases[i].json);
		assert_int_equal(failures(&f, "key_missing"), i >= 3);
		fini(&f);
	}
}

static void a_record_that_no_parser_matches_passes_unchanged(void **state)
{
	(void)state;
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"[1,2]", "json_no_object"},
		{"\"s\"", "json_no_object"},
		{"{\"a\":1}{\"b\":2}", "json_no_object"},
		{"{\"a\":1", "json_cut"},
		{"{\"urt\":,\"a\":1}", "json_broken"},
		{"{\"u\":\"\\x41\"}", "json_broken"},
		{"not json", "json_broken"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		open_filter(&f, JSON);
		give_text(&f, cases[i].text);
		if (failures(&f, cases[i].reason) != 1)
			fail_msg("%s: not %s", cases[i].text, cases[i].reason);
		assert_int_equal(all_failures(&f), 1);
		assert_int_equal(f.record->count, 4);
		assert_true(span_equals(f.record->fields[0].key, SPAN("pri")));
		assert_true(span_equals(
			record_last(f.record, SPAN("message"))->string,
			span_of(cases[i].text)));
		assert_int_equal(f.record->time_ns, TIME_NS);
		fini(&f);
	}
}

static void without_a_string_to_parse_the_record_is_unchanged(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, JSON);
	give(&f, value_int(5));
	assert_string_equal(json_of(&f), "{" HEAD ",\"message\":5}");
	assert_int_equal(failures(&f, "key_missing"), 1);
	fini(&f);

	open_filter(&f, " Key_Name log\n Parser json\n");
	give_text(&f, "{\"a\":1}");
	assert_int_equal(f.record->count, 4);
	assert_int_equal(failures(&f, "key_missing"), 1);
	assert_int_equal(all_failures(&f), 1);
	fini(&f);
}

static void parsers_are_tried_in_their_order(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, " Key_Name message\n Parser json\n Parser pair\n");
	give_text(&f, "{\"a\":1}");
	assert_string_equal(json_of(&f), "{\"a\":1}");
	give_text(&f, "k=v");
	assert_string_equal(json_of(&f), "{\"key\":\"k\",\"val\":\"v\"}");
	assert_int_equal(all_failures(&f), 0);
	give_text(&f, "{\"a\":1");
	assert_int_equal(failures(&f, "no_match"), 1);
	assert_int_equal(all_failures(&f), 1);
	fini(&f);
}

static void a_parsed_time_becomes_the_time_of_the_record(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, " Key_Name message\n Parser json_time\n"
			" Reserve_Data on\n");
	give_text(&f, "{\"at\":\"2026-11-21T00:00:00+0900\",\"a\":1}");
	assert_string_equal(json_of(&f), "{\"a\":1," HEAD "}");
	assert_int_equal(f.record->time_ns, 1795186800 * NS_PER_S);
	give_text(&f, "{\"a\":1}");
	assert_int_equal(f.record->time_ns, TIME_NS);
	assert_int_equal(all_failures(&f), 0);
	fini(&f);
}

static void an_unreadable_time_is_counted_and_changes_nothing(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, " Key_Name message\n Parser any_time\n"
			" Reserve_Data on\n Preserve_Key on\n");
	give_text(&f, "some day");
	assert_int_equal(f.record->time_ns, TIME_NS);
	assert_string_equal(json_of(&f), "{" HEAD ",\"message\":\"some day\"}");
	assert_int_equal(failures(&f, "bad_time"), 1);
	fini(&f);
}

static void a_missing_year_is_taken_from_the_arrival(void **state)
{
	(void)state;
	struct fixture f;
	open_filter(&f, " Key_Name message\n Parser month\n");
	f.message.arrival_ns = 1577836800 * NS_PER_S; /* 2020-01-01 */
	give_text(&f, "Jan  1 00:00:01 +0000");
	assert_int_equal(f.record->time_ns, 1577836801 * NS_PER_S);
	give_text(&f, "Dec 31 23:59:59 +0000");
	assert_int_equal(f.record->time_ns, 1577836799 * NS_PER_S);
	fini(&f);
}

static void more_fields_than_a_record_starts_with_are_kept(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_put_char(&text, '{');
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i, i);
	buf_put_char(&text, '}');
	struct fixture f;
	open_filter(&f, JSON " Reserve_Data on\n");
	give_text(&f, buf_text(&text));
	assert_int_equal(f.record->count, 103);
	assert_int_equal(record_last(f.record, SPAN("k99"))->integer, 99);
	record_add(f.record, SPAN("more"), value_null());
	assert_non_null(record_last(f.record, SPAN("more")));
	buf_fini(&text);
	fini(&f);
}

/* --- the log */

static size_t read_log(const char *path, char *room, size_t size)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t len = fread(room, 1, size - 1, file);
	room[len] = '\0';
	fclose(file);
	return len;
}

static void content_is_logged_only_at_level_debug(void **state)
{
	(void)state;
	static const enum log_level levels[] = {LOG_WARN, LOG_DEBUG};
	for (size_t i = 0; i < 2; i++) {
		char path[] = "/tmp/test_filter_parser.XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		close(fd);
		struct err e;
		assert_true(log_open(path, levels[i], &e));
		struct fixture f;
		open_filter(&f, JSON);
		give_text(&f, "{\"secret\"");
		give_text(&f, "{\"secret\"");
		give(&f, value_int(5));
		assert_true(log_open(NULL, LOG_OFF, &e));

		char logged[4096];
		wait_for_log();
		read_log(path, logged, sizeof logged);
		unlink(path);
		const char *line = strstr(logged, "level=warn mod=parser "
						  "filter=parser.0");
		assert_non_null(line);
		assert_non_null(strstr(line, "json_cut"));
		/* The log is rate-limited: it holds the second line back. */
		assert_null(strstr(line + 1, "level=warn"));
		assert_int_equal(strstr(logged, "secret") != NULL,
				 levels[i] == LOG_DEBUG);
		assert_int_equal(strstr(logged, "key_missing") != NULL,
				 levels[i] == LOG_DEBUG);
		fini(&f);
	}
}

/* --- set-up */

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *place, *says;
	} cases[] = {
		{" Parser json\n", "t.conf:1", "Key_Name"},
		{" Key_Name message\n", "t.conf:1", "Parser json"},
		{" Keyname message\n Parser json\n", "t.conf:2",
		 "\"Key_Name\""},
		{" Key_Name message\n Paser json\n", "t.conf:3", "\"Parser\""},
		{" Key_Name message\n Parser jsn\n", "t.conf:3", "\"json\""},
		{" Key_Name message\n Parser zzzzzz\n", "t.conf:3",
		 "json, json_time, pair"},
		{JSON " Parser nginx_x\n", "t.conf:4", "\"nginx_x\""},
		{JSON " Preserve_Key maybe\n", "t.conf:4", "Preserve_Key"},
		{JSON " Reserve_Dat on\n", "t.conf:4", "Reserve_Data"},
		{" Key_Name $a['b\n Parser json\n", "t.conf:2", "Key_Name"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		struct err e = {0};
		assert_false(open_with(&f, cases[i].keys, &e));
		if (strstr(e.text, cases[i].place) == NULL ||
		    strstr(e.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, e.text);
		fini(&f);
	}
}

static void a_key_without_effect_here_changes_nothing(void **state)
{
	(void)state;
	static const char *const keys[] = {JSON, JSON " Unescape_Key on\n"};
	char want[256];
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		open_filter(&f, keys[i]);
		give_text(&f, "{\"a\":\"b\\\\n\\\"\"}");
		if (i == 0)
			snprintf(want, sizeof want, "%s", json_of(&f));
		assert_non_null(strstr(json_of(&f), "\"a\":"));
		assert_string_equal(json_of(&f), want);
		fini(&f);
	}
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			parsed_keys_come_first_then_the_reserved_fields),
		cmocka_unit_test(of_two_equal_keys_the_parsed_one_is_first),
		cmocka_unit_test(
			after_parsing_keys_are_no_longer_known_to_be_unique),
		cmocka_unit_test(
			both_of_two_equal_keys_are_parsed_and_the_last_wins),
		cmocka_unit_test(a_key_may_occur_a_million_times),
		cmocka_unit_test(a_nested_key_is_found),
		cmocka_unit_test(
			a_record_that_no_parser_matches_passes_unchanged),
		cmocka_unit_test(
			without_a_string_to_parse_the_record_is_unchanged),
		cmocka_unit_test(parsers_are_tried_in_their_order),
		cmocka_unit_test(a_parsed_time_becomes_the_time_of_the_record),
		cmocka_unit_test(
			an_unreadable_time_is_counted_and_changes_nothing),
		cmocka_unit_test(a_missing_year_is_taken_from_the_arrival),
		cmocka_unit_test(
			more_fields_than_a_record_starts_with_are_kept),
		cmocka_unit_test(content_is_logged_only_at_level_debug),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
		cmocka_unit_test(a_key_without_effect_here_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
