/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "conf_unit.h"
#include "record/parser.h"
#include "run/parser_conf.h"

typedef bool (*read_fn)(struct parser_set *, const struct conf *,
			struct parser_names *, struct err *);

/* The names of the parsers, "a b "; NULL on failure. */
static const char *read_names(read_fn read, const char *text, char *room,
			      size_t size, struct err *e)
{
	struct conf *c = read_text(text);
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

static void parsers_are_read_from_among_other_sections(void **state)
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

static void a_file_of_parsers_has_nothing_else(void **state)
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
	assert_said(state, "at=x.conf:4 section=MULTILINE_PARSER msg=\"has no "
			   "meaning here");
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

static void a_mistake_is_told_at_its_key(void **state)
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
		{P "    Format json\n    Time_Strict off\n",
		 "x.conf:4:", "Time_Strict off"},
		{P "    Format json\n    Time_Offset nine\n",
		 "x.conf:4:", "+0900"},
		{P "    Format json\n    Types a:int\n",
		 "x.conf:4:", "integer"},
		{P "    Format json\n" P "    Format json\n",
		 "x.conf:5:", "already"},
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
#define T(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	const struct CMUnitTest tests[] = {
		T(parsers_are_read_from_among_other_sections),
		T(a_file_of_parsers_has_nothing_else),
		T(a_mistake_is_told_at_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
