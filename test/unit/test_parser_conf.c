/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "parse/parser.h"
#include "record/json.h"
#include "record/record.h"
#include "setup/parser_conf.h"

typedef bool (*read_fn)(struct parser_set *, const struct conf *,
			struct parser_names *, struct err *);

/* The names of the parsers, as "a b "; NULL on failure. */
static const char *read_names(read_fn read, const char *text, char *room,
			      size_t size, struct err *e)
{
	struct conf *c = conf_from_text(text);
	struct parser_set *set = parser_set_new();
	struct parser_names names = {0};
	bool ok = read(set, c, &names, e);
	const char **known = parser_set_names(set);
	size_t used = 0;
	room[0] = '\0';
	for (size_t i = 0; known[i] != NULL; i++)
		used += (size_t)snprintf(room + used, size - used, "%s ",
					 known[i]);
	free(known);
	free(names.sections);
	parser_set_free(set);
	conf_free(c);
	return ok ? room : NULL;
}

#define P "[PARSER]\n    Name p\n"
#define FILTER "[FILTER]\n    Name x\n"

static void parsers_are_found_among_other_sections(void **state)
{
	(void)state;
	char room[64];
	struct err e = {0};
	const char *names =
		read_names(parser_conf_read,
			   FILTER P "    Format json\n" FILTER
				    "[Parser]\n    Name q\n    Format regex\n"
				    "    Regex ^(?<a>.*)$\n    Time_Strict on\n"
				    "    Types a:integer\n",
			   room, sizeof room, &e);
	assert_string_equal(e.text, "");
	assert_string_equal(names, "p q ");
}

static void a_parsers_file_may_hold_only_parsers(void **state)
{
	char room[64];
	struct err e = {0};
	const char *names = read_names(
		parser_conf_read_file,
		P "    Format json\n"
		  "[MULTILINE_PARSER]\n    Name m\n    rule a\n    rule b\n",
		room, sizeof room, &e);
	assert_string_equal(e.text, "");
	assert_string_equal(names, "p ");
	assert_logged(state,
		      "at=x.conf:4 section=MULTILINE_PARSER msg=\"has no "
		      "effect: ");
	assert_null(read_names(parser_conf_read_file,
			       P "    Format json\n[PRASER]\n    Name x\n",
			       room, sizeof room, &e));
	assert_string_equal(e.text, "x.conf:4: [PRASER] unknown section "
				    "\"PRASER\"; did you mean \"PARSER\"?");
	assert_null(read_names(parser_conf_read_file, FILTER, room, sizeof room,
			       &e));
	assert_string_equal(e.text, "x.conf:1: [FILTER] unknown section "
				    "\"FILTER\"; known: PARSER");
}

static struct parser *read_one(const char *text, struct parser_set *set)
{
	struct err e = {0};
	struct conf *c = conf_from_text(text);
	if (!parser_conf_read(set, c, NULL, &e))
		fail_msg("%s", e.text);
	conf_free(c);
	return parser_set_find(set, "p");
}

/* Assert that the parser turns the text into this JSON. */
static void check_parsed(const char *conf, const char *text, const char *json,
			 int64_t time_s)
{
	struct arena *a = arena_new(4096);
	struct buf written = {0};
	struct parser_set *set = parser_set_new();
	struct parser *p = read_one(conf, set);
	struct record *r = record_new(a, NULL, SPAN("t"), 0);
	struct span bad_time;
	assert_int_equal(parser_apply(p, span_of(text), 0, r, &bad_time),
			 PARSER_parsed);
	json_write_record(&written, JSON_BAD_REPLACED, r);
	assert_string_equal(buf_text(&written), json);
	assert_int_equal(r->time_ns / NS_PER_S, time_s);
	parser_set_free(set);
	buf_fini(&written);
	arena_free(a);
}

static void every_key_has_its_effect(void **state)
{
	(void)state;
	check_parsed(P "    Format LTSV\n    Types a:integer\n", "a:1\tb:1",
		     "{\"a\":1,\"b\":\"1\"}", 0);
	check_parsed(P "    Format logfmt\n    Time_Key t\n"
		       "    Time_Format %F\n    Time_Offset -0100\n",
		     "a t=2026-01-02", "{\"a\":true}", 1767315600);
	check_parsed(P "    Format regex\n    Regex ^(?<a>x)?(?<b>.*)\n"
		       "    Skip_Empty_Values off\n",
		     "", "{\"a\":\"\",\"b\":\"\"}", 0);
	check_parsed(P "    Format json\n    Time_Format %FT%T.%L\n"
		       "    Time_Strict off\n    Time_Keep on\n"
		       "    Time_Zone Asia/Tokyo\n",
		     "{\"time\":\"2026-01-02T03:04:05\"}",
		     "{\"time\":\"2026-01-02T03:04:05\"}", 1767290645);
	check_parsed(P
		     "    Format json\n    Decode_Field_As escaped a do_next\n"
		     "    Decode_Field json a\n",
		     "{\"a\":\"{\\\\\\\"b\\\\\\\":1}\"}",
		     "{\"a\":\"{\\\"b\\\":1}\",\"b\":1}", 0);
}

static void the_time_zone_of_the_process_applies_unless_disabled(void **state)
{
	(void)state;
	static const char text[] = "{\"time\":\"2026-01-02\"}";
	setenv("TZ", "JST-9", 1);
	check_parsed(P "    Format json\n    Time_Format %F\n", text, "{}",
		     1767279600);
	check_parsed(P "    Format json\n    Time_Format %F\n"
		       "    Time_System_Timezone on\n    Time_Offset -0100\n",
		     text, "{}", 1767279600);
	check_parsed(P "    Format json\n    Time_Format %F\n"
		       "    Time_System_Timezone off\n",
		     text, "{}", 1767312000);
	setenv("TZ", "UTC", 1);
}

static void keys_that_fluent_bit_ignores_are_reported(void **state)
{
	check_parsed(P
		     "    Format regex\n    Regex (?<a>x)\n    Regex (?<b>y)\n"
		     "    Types a:integer,b:integer c\n",
		     "x", "{\"a\":\"x\"}", 0);
	assert_logged(state, "Regex is set more than once");
	assert_logged(state, "a:integer,b:integer");
}

static void a_mistake_is_reported_at_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *text, *place, *says;
	} cases[] = {
		{"[PARSER]\n    Format json\n",
		 "x.conf:1:", "Name is missing: "},
		{P "    Regex (?<a>x)\n", "x.conf:1:", "Format is missing: "},
		{P "    Format regex\n", "x.conf:1:", "Regex is missing: "},
		{P "    Format regex\n    Regx (?<a>x)\n",
		 "x.conf:4:", "\"Regx\"; did you mean \"Regex\"?"},
		{P "    Formt json\n",
		 "x.conf:3:", "\"Formt\"; did you mean \"Format\"?"},
		{P "    Format jsn\n", "x.conf:3:", "\"json\""},
		{P "    Format regex\n    Regex (?<a>x\n",
		 "x.conf:4:", "Regex: "},
		{P "    Format regex\n    Regex (x)\n",
		 "x.conf:4:", "Regex: there is no named group"},
		{P "    Format json\n    Time_Format %Q\n",
		 "x.conf:4:", "Time_Format: "},
		{P "    Format json\n    Time_Format %F\n"
		   "    Time_Zone Europe/Berlni\n",
		 "x.conf:5:", "Europe/Berlni"},
		{P "    Format json\n    Time_Zone UTC\n",
		 "x.conf:4:", "Time_Format"},
		{P "    Format json\n    Time_Format %F\n"
		   "    Time_Zone UTC\n    Time_Offset +0900\n",
		 "x.conf:5:", "remove Time_Offset"},
		{P "    Format json\n    Time_Format %F\n"
		   "    Time_Zone UTC\n    Time_System_Timezone on\n",
		 "x.conf:5:", "remove Time_System_Timezone"},
		{P "    Format json\n    Decode_Field_As json a\n"
		   "    Decode_Field jso a\n",
		 "x.conf:5:", "mysql_quoted"},
		{P "    Format json\n    Time_Offset nine\n",
		 "x.conf:4:", "+0900"},
		{P "    Format json\n" P "    Format json\n",
		 "x.conf:5:", "another parser is called"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char room[64];
		struct err e = {0};
		assert_null(read_names(parser_conf_read, cases[i].text, room,
				       sizeof room, &e));
		if (strncmp(e.text, cases[i].place, strlen(cases[i].place)) ||
		    strstr(e.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	}
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(parsers_are_found_among_other_sections),
		T(a_parsers_file_may_hold_only_parsers),
		T(every_key_has_its_effect),
		T(the_time_zone_of_the_process_applies_unless_disabled),
		T(keys_that_fluent_bit_ignores_are_reported),
		T(a_mistake_is_reported_at_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
