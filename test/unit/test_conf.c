/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/nearest.h"
#include "conf/unsupported.h"

static void an_empty_value_counts_as_absent(void **state)
{
	(void)state;
	unsetenv("CONF_UNSET");
	struct conf *c = conf_from_text("[S]\n    Key ${CONF_UNSET}\n"
					"    Two ${CONF_UNSET}\n    Two b\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	bool flag = true;
	assert_true(conf_get_bool(s, "Key", &flag, &e));
	assert_true(flag);
	assert_null(conf_get_each(s, "Key", 0));
	assert_string_equal(conf_get_each(s, "Two", 0), "b");
	assert_string_equal(conf_value(c, 0, "Two"), "b");
	conf_err_key(s, "Key", &e, "Key is missing");
	assert_string_equal(e.text, "x.conf:2: [S] Key is missing");
	assert_true(conf_section_end(s, &e));
	conf_free(c);
}

static void an_unknown_key_is_an_error_even_if_it_is_empty(void **state)
{
	(void)state;
	unsetenv("CONF_UNSET");
	struct conf *c = conf_from_text("[S]\n    Kex ${CONF_UNSET}\n");
	struct err e = {0};
	assert_null(conf_value(c, 0, "Key"));
	assert_false(conf_section_end(conf_section(c, 0), &e));
	assert_string_equal(e.text, "x.conf:2: [S] unknown key \"Kex\"; did "
				    "you mean \"Key\"?");
	conf_free(c);
}

enum kind { BOOL, INT, OCTAL, SIZE, SECONDS, CHOICE };

static bool get_number(enum kind kind, const char *value, double *out,
		       struct err *e)
{
	static const char *const choices[] = {"template", "plain", "out_file",
					      NULL};
	char text[256];
	snprintf(text, sizeof text, "[S]\n    Key %s\n", value);
	struct conf *c = conf_from_text(text);
	struct conf_section *s = conf_section(c, 0);
	bool ok = false, flag = false;
	int64_t number = 0;
	unsigned mode = 0;
	size_t size = 0;
	switch (kind) {
	case BOOL:
		ok = conf_get_bool(s, "Key", &flag, e);
		*out = flag;
		break;
	case INT:
		ok = conf_get_int(s, "Key", -5, 65535, &number, e);
		*out = (double)number;
		break;
	case OCTAL:
		ok = conf_get_octal(s, "Key", &mode, e);
		*out = mode;
		break;
	case SIZE:
		ok = conf_get_size(s, "Key", &size, e);
		*out = (double)size;
		break;
	case SECONDS:
		ok = conf_get_seconds(s, "Key", out, e);
		break;
	case CHOICE:
		ok = conf_get_choice(s, "Key", choices, &size, e);
		*out = (double)size;
		break;
	}
	conf_free(c);
	return ok;
}

static void typed_values_are_read(void **state)
{
	(void)state;
	static const struct {
		enum kind kind;
		const char *value;
		double number;
	} cases[] = {{BOOL, "true", 1},
		     {BOOL, "On", 1},
		     {BOOL, "YES", 1},
		     {BOOL, "False", 0},
		     {BOOL, "oFF", 0},
		     {BOOL, "no", 0},
		     {INT, "0", 0},
		     {INT, "-5", -5},
		     {INT, "65535", 65535},
		     {INT, "007", 7},
		     {OCTAL, "0660", 0660},
		     {OCTAL, "644", 0644},
		     {OCTAL, "0", 0},
		     {OCTAL, "7777", 07777},
		     {OCTAL, "000000000000000660", 0660},
		     {SIZE, "0", 0},
		     {SIZE, "10", 10},
		     {SIZE, "10B", 10},
		     {SIZE, "1k", 1000},
		     {SIZE, "1KB", 1000},
		     {SIZE, "5M", 5e6},
		     {SIZE, "5mb", 5e6},
		     {SIZE, "2G", 2e9},
		     {SIZE, "2Gb", 2e9},
		     {SIZE, "1.5M", 1500000},
		     {SIZE, "1.005K", 1005},
		     {SIZE, ".5k", 500},
		     {SIZE, "212960", 212960},
		     {SIZE, "False", 0},
		     {SIZE, "9000000G", 9e15},
		     {SECONDS, "1", 1},
		     {SECONDS, "0.2", 0.2},
		     {SECONDS, "30s", 30},
		     {SECONDS, "5m", 300},
		     {SECONDS, "2H", 7200},
		     {SECONDS, "1d", 86400},
		     {SECONDS, "1.5m", 90},
		     {SECONDS, "0", 0},
		     {CHOICE, "template", 0},
		     {CHOICE, "PLAIN", 1},
		     {CHOICE, "out_file", 2}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		double number = -1;
		if (!get_number(cases[i].kind, cases[i].value, &number, &e))
			fail_msg("%s", e.text);
		if (number != cases[i].number)
			fail_msg("%s is %f", cases[i].value, number);
	}
}

static void a_bad_value_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const char *const right[] = {
		[BOOL] = "is not a boolean: true, on, yes, false, off or no",
		[INT] = "is not a whole number from -5 to 65535",
		[OCTAL] = "is not an octal mode such as 0660",
		[SIZE] = "is not a size such as 10, 1k, 5M or 2GB (K is 1000)",
		[SECONDS] = "is not a time such as 1, 0.2, 30s, 5m, 2h or 1d",
	};
	static const struct {
		enum kind kind;
		const char *value;
	} cases[] = {{BOOL, "maybe"},
		     {BOOL, "1"},
		     {BOOL, "on # x"},
		     {BOOL, "truex"},
		     {INT, "abc"},
		     {INT, "1x"},
		     {INT, "-6"},
		     {INT, "65536"},
		     {INT, "1.5"},
		     {INT, "0x10"},
		     {INT, "+1"},
		     {INT, "-"},
		     {INT, "1-"},
		     {INT, "1 2"},
		     {INT, "-99999999999999999999"},
		     {INT, "99999999999999999999"},
		     {OCTAL, "0999"},
		     {OCTAL, "rw"},
		     {OCTAL, "-1"},
		     {OCTAL, "10000"},
		     {OCTAL, "0o660"},
		     {OCTAL, "0660x"},
		     {OCTAL, "660 0"},
		     {OCTAL, "+660"},
		     {OCTAL, "0x1b6"},
		     {OCTAL, "7777777777777777777777777"},
		     {SIZE, "1kX"},
		     {SIZE, "1KiB"},
		     {SIZE, "-1"},
		     {SIZE, "k"},
		     {SIZE, "1e3"},
		     {SIZE, "0x10"},
		     {SIZE, "1.2.3"},
		     {SIZE, "."},
		     {SIZE, "inf"},
		     {SIZE, "nan"},
		     {SIZE, "5 M"},
		     {SIZE, "9000001G"},
		     {SIZE, "1T"},
		     {SIZE, "1s"},
		     {SECONDS, "soon"},
		     {SECONDS, "-1"},
		     {SECONDS, "1k"},
		     {SECONDS, "1ms"},
		     {SECONDS, "1:30"},
		     {SECONDS, "1e1"},
		     {SECONDS, "1000001000"}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		double number;
		char message[256];
		if (get_number(cases[i].kind, cases[i].value, &number, &e))
			fail_msg("accepted: %s", cases[i].value);
		snprintf(message, sizeof message, "x.conf:2: [S] Key \"%s\" %s",
			 cases[i].value, right[cases[i].kind]);
		assert_string_equal(e.text, message);
	}
}

static void a_number_outside_int64_is_refused(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[S]\n    A 9223372036854775807\n"
					"    B 9223372036854775808\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	int64_t number = 7;
	assert_false(conf_get_int(s, "B", INT64_MIN, INT64_MAX, &number, &e));
	assert_int_equal(number, 7);
	assert_true(conf_get_int(s, "A", INT64_MIN, INT64_MAX, &number, &e));
	assert_true(number == INT64_MAX);
	conf_free(c);
}

static void an_unknown_choice_is_reported_with_the_nearest_or_all(void **state)
{
	(void)state;
	struct err e = {0};
	double number;
	assert_false(get_number(CHOICE, "tempalte", &number, &e));
	assert_string_equal(e.text, "x.conf:2: [S] unknown Key \"tempalte\"; "
				    "did you mean \"template\"?");
	assert_false(get_number(CHOICE, "msgpack", &number, &e));
	assert_string_equal(e.text, "x.conf:2: [S] unknown Key \"msgpack\"; "
				    "known: template, plain, out_file");
}

static void a_getter_keeps_the_default_if_the_key_is_absent(void **state)
{
	(void)state;
	static const char *const choices[] = {"a", NULL};
	struct conf *c = conf_from_text("[S]\n    Other x\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	const char *text = "default";
	bool flag = true;
	int64_t number = 7;
	unsigned mode = 7;
	size_t size = 7, choice = 7;
	double seconds = 7;
	assert_true(conf_get_text(s, "A", &text, &e));
	assert_true(conf_get_bool(s, "B", &flag, &e));
	assert_true(conf_get_int(s, "C", 0, 1, &number, &e));
	assert_true(conf_get_octal(s, "D", &mode, &e));
	assert_true(conf_get_size(s, "E", &size, &e));
	assert_true(conf_get_seconds(s, "F", &seconds, &e));
	assert_true(conf_get_choice(s, "G", choices, &choice, &e));
	assert_string_equal(text, "default");
	assert_true(flag);
	assert_true(number == 7 && mode == 7 && size == 7 && choice == 7);
	assert_true(seconds == 7);
	assert_string_equal(e.text, "");
	conf_free(c);
}

static void a_getter_keeps_the_default_if_the_value_is_bad(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[S]\n    Key x\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	size_t size = 7;
	double seconds = 7;
	assert_false(conf_get_size(s, "Key", &size, &e));
	assert_false(conf_get_seconds(s, "Key", &seconds, &e));
	assert_int_equal(size, 7);
	assert_true(seconds == 7);
	conf_free(c);
}

static void a_key_given_twice_is_reported_with_both_lines(void **state)
{
	(void)state;
	struct conf *c =
		conf_from_text("[S]\n    Path a\n    Key b\n    PATH c\n"
			       "[T]\n    Path d\n    Key 1\n    Key 1\n"
			       "    Key 1\n");
	struct err e = {0};
	const char *text = "default";
	assert_false(conf_get_text(conf_section(c, 0), "path", &text, &e));
	assert_string_equal(e.text,
			    "x.conf:4: [S] PATH is set 2 times, in lines 2, 4");
	assert_string_equal(text, "default");
	int64_t number = 7;
	assert_false(
		conf_get_int(conf_section(c, 1), "Key", 0, 9, &number, &e));
	assert_string_equal(
		e.text, "x.conf:9: [T] Key is set 3 times, in lines 7, 8, 9");
	assert_string_equal(conf_value(c, 1, "Path"), "d");
	conf_free(c);
}

static void a_key_may_have_several_values(void **state)
{
	(void)state;
	struct conf *c =
		conf_from_text("[S]\n    Rule a\n    X y\n    rule b\n");
	struct conf_section *s = conf_section(c, 0);
	assert_string_equal(conf_get_each(s, "RULE", 0), "a");
	assert_string_equal(conf_get_each(s, "RULE", 1), "b");
	assert_null(conf_get_each(s, "RULE", 2));
	assert_null(conf_get_each(s, "None", 0));
	conf_free(c);
}

static void values_can_be_read_in_any_order(void **state)
{
	static const char *const both[] = {"A", "B", NULL};
	static const char *const other[] = {"C", "B", NULL};
	(void)state;
	struct conf *c = conf_from_text(
		"[S]\n    A 1\n    B 2\n    A 3\n"
		"    C 4\n    B 5\n    A ${CONF_UNSET:-}\n    A 6\n");
	struct conf_section *s = conf_section(c, 0);
	size_t which;
	assert_string_equal(conf_get_each(s, "A", 0), "1");
	assert_string_equal(conf_get_each(s, "B", 1), "5");
	assert_string_equal(conf_get_each(s, "A", 1), "3");
	assert_string_equal(conf_get_each(s, "A", 2), "6");
	assert_null(conf_get_each(s, "A", 3));
	assert_string_equal(conf_get_each(s, "A", 1), "3");
	assert_string_equal(conf_get_each_of(s, both, 0, &which), "1");
	assert_string_equal(conf_get_each_of(s, both, 1, &which), "2");
	assert_string_equal(conf_get_each_of(s, other, 2, &which), "5");
	assert_string_equal(conf_get_each_of(s, both, 3, &which), "5");
	assert_int_equal(which, 1);
	assert_string_equal(conf_get_each(s, "A", 2), "6");
	assert_string_equal(conf_get_each_of(s, both, 4, &which), "6");
	assert_int_equal(which, 0);
	assert_null(conf_get_each_of(s, both, 5, &which));
	conf_free(c);
}

/* If each value were searched from the first line on, this would take many
 * minutes. */
static void many_lines_are_read_in_linear_time(void **state)
{
	enum { LINES = 400000 };
	static const char *const names[] = {"A", "B", NULL};
	(void)state;
	struct buf text = {0};
	buf_put_text(&text, "[S]\n");
	for (int i = 0; i < LINES; i++)
		buf_printf(&text, "    %s %d\n", i % 2 == 0 ? "A" : "B", i);
	struct conf *c = conf_from_text(buf_text(&text));
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	size_t each = 0, of_both = 0, which;
	while (conf_get_each(s, "A", each) != NULL)
		each++;
	while (conf_get_each_of(s, names, of_both, &which) != NULL)
		of_both++;
	assert_int_equal(each, LINES / 2);
	assert_int_equal(of_both, LINES);
	assert_true(conf_section_end(s, &e));
	conf_free(c);
	buf_fini(&text);
}

static void errors_point_at_the_section_or_at_the_key(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("\n[Filter]\n    Rule a\n    Rule b\n"
					"    Rule c\n    Name x\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	assert_false(conf_err(s, &e, "Name %s", "is missing"));
	assert_string_equal(e.text, "x.conf:2: [Filter] Name is missing");
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	assert_false(conf_err_key(s, "name", &e, "%d", 1));
	assert_string_equal(e.text, "x.conf:6: [Filter] 1");
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	assert_false(conf_err_key(s, "None", &e, "2"));
	assert_string_equal(e.text, "x.conf:2: [Filter] 2");

	/* If a key is given several times, the error points at the value that
	 * was read last; before any is read, at the first one. */
	conf_err_key(s, "Rule", &e, "3");
	assert_string_equal(e.text, "x.conf:3: [Filter] 3");
	conf_get_each(s, "Rule", 1);
	conf_err_key(s, "RULE", &e, "4");
	assert_string_equal(e.text, "x.conf:4: [Filter] 4");
	conf_get_each(s, "Rule", 3);
	conf_err_key(s, "Rule", &e, "5");
	assert_string_equal(e.text, "x.conf:3: [Filter] 5");
	conf_free(c);
}

static void the_place_is_prepended_to_an_error(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[S]\n    Path x\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	err_sys(&e, ENOENT, "open x");
	assert_false(conf_err_in(s, "Path", &e));
	assert_string_equal(e.text,
			    "x.conf:2: [S] Path: open x: No such file or "
			    "directory");
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	err_set(&e, "nothing");
	assert_false(conf_err_in(s, NULL, &e));
	assert_string_equal(e.text, "x.conf:1: [S] nothing");
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	conf_free(c);
}

static void a_key_that_no_getter_read_is_an_error(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[FILTER]\n    Name lua\n    scirpt x\n"
					"[OUTPUT]\n    Colour red\n[EMPTY]\n"
					"[ALONE]\n    A b\n");
	struct conf_section *filter = conf_section(c, 0);
	struct conf_section *output = conf_section(c, 1);
	struct err e = {0};
	conf_value(c, 0, "Name");
	conf_get_each(filter, "script", 0);
	conf_get_each(filter, "script", 1);
	assert_false(conf_section_end(filter, &e));
	assert_string_equal(e.text, "x.conf:3: [FILTER] unknown key "
				    "\"scirpt\"; did you mean \"script\"?");
	conf_value(c, 0, "scirpt");
	assert_true(conf_section_end(filter, &e));

	conf_value(c, 1, "Path");
	conf_value(c, 1, "File");
	conf_value(c, 1, "PATH");
	assert_false(conf_section_end(output, &e));
	assert_string_equal(e.text, "x.conf:5: [OUTPUT] unknown key "
				    "\"Colour\"; known: Path, File");
	assert_true(conf_section_end(conf_section(c, 2), &e));
	assert_false(conf_section_end(conf_section(c, 3), &e));
	assert_string_equal(e.text, "x.conf:8: [ALONE] unknown key \"A\"");
	conf_free(c);
}

static void an_ignored_key_is_accepted_and_each_line_of_it_reported_once(
	void **state)
{
	unsetenv("CONF_UNSET");
	struct conf *c =
		conf_from_text("[SERVICE]\n    daemon off\n    DAEMON on\n"
			       "    Coro ${CONF_UNSET:-}\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	conf_ignore(s, "Daemon", "the supervisor is enough");
	conf_ignore(s, "Daemon", "the supervisor is enough");
	conf_ignore(s, "Workers", "there is one");
	conf_ignore(s, "Coro", "there is none");
	assert_int_equal(times_logged(state, "level="), 2);
	assert_logged(state, "level=info mod=conf at=x.conf:2 key=daemon "
			     "msg=\"has no effect: the supervisor is "
			     "enough\"\n");
	assert_true(conf_section_end(s, &e));
	conf_free(c);
}

static void ignored_keys_may_be_given_by_their_prefix(void **state)
{
	struct conf *c = conf_from_text("[OUTPUT]\n    Net.a 1\n    net.b 2\n"
					"    net.b 3\n    network 4\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	conf_ignore(s, "net.*", "there is no network");
	assert_int_equal(times_logged(state, "level="), 3);
	assert_logged(state, "at=x.conf:2 key=Net.a msg=");
	assert_logged(state, "at=x.conf:3 key=net.b msg=");
	assert_false(conf_section_end(s, &e));
	assert_string_equal(e.text,
			    "x.conf:5: [OUTPUT] unknown key \"network\"");
	conf_free(c);
}

static void sections_are_found_by_their_name(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[A]\n    K 1\n[B]\n    K 2\n[a]\n"
					"    K 3\n");
	assert_ptr_equal(conf_section_named(c, "A", 0), conf_section(c, 0));
	assert_ptr_equal(conf_section_named(c, "a", 1), conf_section(c, 2));
	assert_ptr_equal(conf_section_named(c, "B", 0), conf_section(c, 1));
	assert_null(conf_section_named(c, "A", 2));
	assert_null(conf_section_named(c, "C", 0));
	conf_free(c);
}

static void a_missing_key_is_reported_with_the_misspelt_key_found(void **state)
{
	(void)state;
	unsetenv("CONF_UNSET");
	static const struct {
		const char *keys, *message;
	} cases[] = {
		{"    Pth a\n", "x.conf:2: [S] unknown key \"Pth\"; did you "
				"mean \"Path\"?"},
		{"    Colour a\n    PAHT a\n",
		 "x.conf:3: [S] unknown key \"PAHT\"; did you mean \"Path\"?"},
		{"    Colour a\n", "x.conf:1: [S] Path is missing: a file"},
		{"    Bath a\n", "x.conf:1: [S] Path is missing: a file"},
		{"    Path ${CONF_UNSET}\n",
		 "x.conf:2: [S] Path is empty: a file"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		snprintf(text, sizeof text, "[S]\n%s", cases[i].keys);
		struct conf *c = conf_from_text(text);
		struct err e = {0};
		conf_value(c, 0, "Bath"); /* a known key */
		assert_null(conf_value(c, 0, "Path"));
		assert_false(conf_err_missing(conf_section(c, 0), "Path", &e,
					      "a file"));
		assert_string_equal(e.text, cases[i].message);
		assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
		conf_free(c);
	}
}

static void an_unknown_word_is_reported_with_the_nearest_or_all(void **state)
{
	(void)state;
	static const char *const known[] = {"json", "nginx", NULL};
	struct conf *c = conf_from_text("[jsn]\n    P ngin\n    P x\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	assert_false(conf_err_unknown(s, NULL, "section", known, &e));
	assert_string_equal(e.text, "x.conf:1: [jsn] unknown section \"jsn\"; "
				    "did you mean \"json\"?");
	conf_get_each(s, "P", 0);
	conf_err_unknown(s, "P", "parser", known, &e);
	assert_string_equal(e.text, "x.conf:2: [jsn] unknown parser \"ngin\"; "
				    "did you mean \"nginx\"?");
	conf_get_each(s, "P", 1);
	conf_err_unknown(s, "P", "parser", known, &e);
	assert_string_equal(e.text, "x.conf:3: [jsn] unknown parser \"x\"; "
				    "known: json, nginx");
	conf_free(c);
}

static void an_unknown_key_may_be_allowed(void **state)
{
	struct conf *c = conf_from_text("[FILTER]\n    scirpt x\n    zzz y\n"
					"    scirpt z\n");
	struct err e = {0};
	conf_allow_unknown(c);
	conf_get_each(conf_section(c, 0), "script", 0);
	assert_true(conf_section_end(conf_section(c, 0), &e));
	assert_int_equal(times_logged(state, "level=warn"), 3);
	assert_logged(state, "level=warn mod=conf at=x.conf:2 section=FILTER "
			     "key=scirpt err=\"unknown key; did "
			     "you mean script?\" "
			     "action=\"ignoring it\"\n");
	assert_logged(state, "at=x.conf:3 section=FILTER key=zzz "
			     "err=\"unknown key\" action=\"ignoring it\"\n");
	conf_free(c);
}

static void a_plugin_only_fluent_bit_has_is_not_called_a_misspelling(
	void **state)
{
	(void)state;
	static const char *const known[] = {"lua", "grep", NULL};
	static const struct {
		const char *text, *kind, *message;
	} cases[] = {
		{"[FILTER]\n    Match *\n    Name Kubernetes\n", "filter",
		 "x.conf:3: [FILTER] \"Kubernetes\" is a plug-in of Fluent Bit "
		 "that sluiced does not have; the filters of sluiced are lua, grep"},
		{"[INPUT]\n    Name kubernetes\n", "input",
		 "x.conf:2: [INPUT] unknown input \"kubernetes\"; known: lua, "
		 "grep"},
		{"[INPUT]\n    Name tail\n", "input",
		 "x.conf:2: [INPUT] \"tail\" is a plug-in of Fluent Bit that "
		 "sluiced does not have; the inputs of sluiced are lua, grep"},
		{"[OUTPUT]\n    Name gerp\n", "output",
		 "x.conf:2: [OUTPUT] unknown output \"gerp\"; did you mean "
		 "\"grep\"?"},
		{"\n[stream_task]\n", NULL,
		 "x.conf:2: [stream_task] a section of Fluent Bit that sluiced "
		 "does not have: sluiced has no stream processor"},
		{"[LUAA]\n", NULL,
		 "x.conf:1: [LUAA] unknown section \"LUAA\"; did you mean "
		 "\"lua\"?"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf *c = conf_from_text(cases[i].text);
		struct conf_section *s = conf_section(c, 0);
		struct err e = {0};
		conf_get_each(s, "Name", 0);
		if (cases[i].kind != NULL)
			assert_false(unsupported_plugin(s, cases[i].kind, known,
							&e));
		else
			assert_false(unsupported_section(s, known, &e));
		assert_string_equal(e.text, cases[i].message);
		conf_free(c);
	}
}

static void an_overlong_name_does_not_overrun_the_error(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_put_text(&text, "[S");
	for (int i = 0; i < 2000; i++)
		buf_put_char(&text, 's');
	buf_put_text(&text, "]\n    K");
	for (int i = 0; i < 2000; i++)
		buf_put_char(&text, 'k');
	buf_put_text(&text, " v\n");
	struct conf *c = conf_from_text(buf_text(&text));
	struct err e = {0};
	assert_false(conf_section_end(conf_section(c, 0), &e));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	conf_free(c);
	buf_fini(&text);
}

static void the_nearest_word_is_found(void **state)
{
	(void)state;
	static const char *const words[] = {
		"Name", "Match",       "script",
		"call", "Time_Format", "Buffer_Chunk_Size",
		"Tag",	NULL,
	};
	static const struct {
		const char *text, *nearest;
	} cases[] = {
		{"script", "script"},
		{"SCRIPT", "script"},
		{"scirpt", "script"},
		{"scrip", "script"},
		{"scrippt", "script"},
		{"skript", "script"},
		{"skirpt", "script"},
		{"mtach", "Match"},
		{"matsch", "Match"},
		{"tga", "Tag"},
		{"nmae", "Name"},
		{"TimeFormat", "Time_Format"},
		{"bufer_chunksize", "Buffer_Chunk_Size"},
		{"Path", NULL},
		{"x", NULL},
		{"", NULL},
		{"Tagging", NULL},
		{"Colour", NULL},
		{"mnaem", NULL},
		{"Buffer_Chunkxxxxx", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *nearest = nearest_word(cases[i].text, words);
		if (cases[i].nearest == NULL && nearest != NULL)
			fail_msg("%s: %s", cases[i].text, nearest);
		if (cases[i].nearest == NULL)
			continue;
		if (nearest == NULL)
			fail_msg("none: %s", cases[i].text);
		assert_string_equal(nearest, cases[i].nearest);
	}
	static const char *const near[] = {"abcdeXY", "abcdeX", "abcdef", NULL};
	assert_string_equal(nearest_word("abcdeg", near), "abcdeX");
	static const char *const letters[] = {"y", NULL};
	assert_null(nearest_word("x", letters));
	char longer[66];
	memset(longer, 'a', sizeof longer - 1);
	longer[65] = '\0';
	const char *const long_words[] = {longer, longer + 1, NULL};
	assert_null(nearest_word(longer, long_words));
	assert_ptr_equal(nearest_word(longer + 1, long_words), longer + 1);
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(an_empty_value_counts_as_absent),
		T(an_unknown_key_is_an_error_even_if_it_is_empty),
		T(typed_values_are_read),
		T(a_bad_value_is_reported_with_the_correct_form),
		T(a_number_outside_int64_is_refused),
		T(an_unknown_choice_is_reported_with_the_nearest_or_all),
		T(a_getter_keeps_the_default_if_the_key_is_absent),
		T(a_getter_keeps_the_default_if_the_value_is_bad),
		T(a_key_given_twice_is_reported_with_both_lines),
		T(a_key_may_have_several_values),
		T(values_can_be_read_in_any_order),
		T(many_lines_are_read_in_linear_time),
		T(errors_point_at_the_section_or_at_the_key),
		T(the_place_is_prepended_to_an_error),
		T(a_key_that_no_getter_read_is_an_error),
		T(an_ignored_key_is_accepted_and_each_line_of_it_reported_once),
		T(ignored_keys_may_be_given_by_their_prefix),
		T(sections_are_found_by_their_name),
		T(a_missing_key_is_reported_with_the_misspelt_key_found),
		T(an_unknown_word_is_reported_with_the_nearest_or_all),
		T(an_unknown_key_may_be_allowed),
		T(a_plugin_only_fluent_bit_has_is_not_called_a_misspelling),
		T(an_overlong_name_does_not_overrun_the_error),
		T(the_nearest_word_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
