/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static void assert_one_value(const char *text, const char *value)
{
	struct conf *c = conf_from_text(text);
	const char *found = conf_value(c, 0, "Key");
	if (value == NULL)
		assert_null(found);
	else if (found == NULL)
		fail_msg("no value: %s", text);
	else
		assert_string_equal(found, value);
	conf_free(c);
}

static void sections_come_in_order_with_their_names_as_written(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[SERVICE]\n"
					"[Input] and # what follows\n"
					"    Name a\n"
					"\n"
					"[FILTER]\n");
	struct err e = {0};
	conf_err(conf_section(c, 1), &e, "wrong");
	assert_string_equal(e.text, "x.conf:2: [Input] wrong");
	assert_true(conf_is(conf_section(c, 0), "SERVICE"));
	assert_true(conf_is(conf_section(c, 1), "INPUT"));
	assert_false(conf_is(conf_section(c, 1), "INPU"));
	assert_true(conf_is(conf_section(c, 2), "filter"));
	assert_null(conf_section(c, 3));
	assert_null(conf_section(c, 99));
	assert_string_equal(conf_value(c, 1, "nAmE"), "a");
	assert_null(conf_value(c, 0, "Name"));
	assert_string_equal(conf_dir(c), ".");
	conf_free(c);
	conf_free(NULL);
}

static void a_value_reaches_from_the_first_space_to_the_end_of_the_line(
	void **state)
{
	(void)state;
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"[S]\n    Key value\n", "value"},
		{"[S]\n    Key value", "value"},
		{"[S]\n    Key value\r\n", "value"},
		{"[S]\r\n    Key value\r\n\r\n", "value"},
		{"[S]\n Key  \t a b\tc \t\n", "a b\tc"},
		{"[S]\n\tKey uri:{uri}\thost:{host}\n",
		 "uri:{uri}\thost:{host}"},
		{"[S]\n    Key\t value\n", "value"},
		{"[S]\n    Key \"a\"\n", "\"a\""},
		{"[S]\n    Key [x]\n", "[x]"},
		{"[S]\n    Key @x\n", "@x"},
		{"[S]\n    Key a # b\n", "a # b"},
		{"[S]\n    Key #\n", "#"},
		{"[S]\n    kEY value\n", "value"},
		{"[S]\n# Key a\n    # Key b\n    #Key\n    Key d\n", "d"},
		{"[S]\n\n  \n\t\n \t \r\n    Key a\n        \n", "a"},
		{"[S]\n    # fixes the indent\n    Key a\n", "a"},
		{"[S]\n    Other a", NULL},
		{"[S]\n", NULL},
		{"[S]", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_one_value(cases[i].text, cases[i].value);
}

static void an_empty_text_has_no_section(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "\n", "\r\n", "# x", "  \n\t"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct conf *c = conf_from_text(texts[i]);
		assert_null(conf_section(c, 0));
		conf_free(c);
	}
	struct err e;
	struct conf *c = conf_read_text("x.conf", NULL, 0, &e);
	assert_non_null(c);
	conf_free(c);
}

static void a_malformed_text_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"[S]\n    A b\n  C d\n",
		 "x.conf:3: indented by 2 spaces, not by 4 spaces as in "
		 "line 2"},
		{"[S]\n\tA b\n\t\tC d\n",
		 "x.conf:3: indented by 2 tabs, not by 1 tab as in line 2"},
		{"[S]\n A b\n\n \tC d\n",
		 "x.conf:4: indented by \" \\x09\", not by 1 space as in "
		 "line 2"},
		{"[S]\n    A b\n     # c\n",
		 "x.conf:3: indented by 5 spaces, not by 4 spaces as in "
		 "line 2"},
		{"[S]\n  # c\n    A b\n",
		 "x.conf:3: indented by 4 spaces, not by 2 spaces as in "
		 "line 2"},
		{"[S]\nA b\n", "x.conf:2: \"A b\": a key must be indented"},
		{"[S]\n  A b\nC d\n",
		 "x.conf:3: \"C d\": a key must be indented, by 2 spaces as in "
		 "line 2"},
		{"[S]\n    A b\n    [T]\n",
		 "x.conf:3: \"[T]\" must start in column 0: move it there"},
		{"  [S]\n",
		 "x.conf:1: \"[S]\" must start in column 0: move it there"},
		{"[S]\n    A b\n  @Include x.conf\n",
		 "x.conf:3: \"@Include x.conf\" must start in column 0: move "
		 "it there"},
		{"[S]\n    A\tb\n",
		 "x.conf:2: a tab after key \"A\": a space must separate it "
		 "from its value"},
		{"[S]\n    A\tb c\n",
		 "x.conf:2: a tab after key \"A\": a space must separate it "
		 "from its value"},
		{"[S]\n    A\n", "x.conf:2: key \"A\" has no value"},
		{"[S]\n    A  \t\r\n", "x.conf:2: key \"A\" has no value"},
		{"    A b\n[S]\n", "x.conf:1: key \"A\" before any [SECTION]"},
		{"[S\n", "x.conf:1: \"[S\" is not a section; write [NAME]"},
		{"[]\n", "x.conf:1: \"[]\" is not a section; write [NAME]"},
		{"[\n", "x.conf:1: \"[\" is not a section; write [NAME]"},
		{"\n@INCLUDE a.conf\n",
		 "x.conf:2: @INCLUDE is possible only in a file"},
		{"@INCLUDE\n", "x.conf:1: key \"@INCLUDE\" has no value"},
		{"@SET A\n", "x.conf:1: @SET needs NAME=value"},
		{"@SET =b\n", "x.conf:1: @SET needs NAME=value"},
		{"@SET A = b\n",
		 "x.conf:1: @SET must have no blanks around the \"=\""},
		{"@SET A =b\n",
		 "x.conf:1: @SET must have no blanks around the \"=\""},
		{"@SET A= b\n",
		 "x.conf:1: @SET must have no blanks around the \"=\""},
		{"@includ b\n", "x.conf:1: unknown command \"@includ\"; did "
				"you mean \"@INCLUDE\"?"},
		{"@x y\n", "x.conf:1: unknown command \"@x\"; known: "
			   "@INCLUDE, @SET"},
		{"\xef\xbb\xbf[S]\n",
		 "x.conf:1: the file starts with a byte order mark (BOM): save "
		 "it as UTF-8 without one"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		const char *text = cases[i].text;
		struct conf *c =
			conf_read_text("x.conf", text, strlen(text), &e);
		if (c != NULL)
			fail_msg("accepted: %s", text);
		assert_string_equal(e.text, cases[i].message);
		assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	(void)state;
	static const char text[] = "[S]\n    A b\0c\n";
	struct err e = {0};
	assert_null(conf_read_text("x.conf", text, sizeof text - 1, &e));
	assert_string_equal(e.text,
			    "x.conf:2: a NUL byte: the file is not text, "
			    "or is not in UTF-8");
}

static void a_line_may_have_32_mib_and_no_byte_more(void **state)
{
	(void)state;
	const size_t max = (size_t)32 << 20;
	struct buf text = {0};
	buf_put_text(&text, "[S]\n Key ");
	const size_t before = text.len;
	memset(buf_reserve(&text, max), 'x', max);
	text.len += max - 5;
	struct err e = {0};
	struct conf *c = conf_read_text("x.conf", text.ptr, text.len, &e);
	assert_non_null(c);
	assert_int_equal(strlen(conf_value(c, 0, "Key")), text.len - before);
	conf_free(c);
	text.len++;
	assert_null(conf_read_text("x.conf", text.ptr, text.len, &e));
	assert_string_equal(e.text, "x.conf:2: the line is longer than 32 MiB");
	buf_fini(&text);
}

static void a_file_that_is_far_too_large_is_refused(void **state)
{
	(void)state;
	file_write_text("large.conf", "");
	assert_int_equal(truncate("large.conf", (64 << 20) + 1), 0);
	assert_conf_refused("large.conf",
			    "large.conf: larger than 64 MiB, the limit for a "
			    "configuration file");
}

/* Reading a device might never end. */
static void a_device_is_refused(void **state)
{
	(void)state;
	assert_conf_refused("/dev/zero",
			    "/dev/zero: not a regular file; a configuration is "
			    "read from regular files only");
}

static void variables_are_replaced_once_everywhere(void **state)
{
	(void)state;
	char host[HOST_NAME_MAX + 1], text[1024];
	assert_int_equal(gethostname(host, sizeof host), 0);
	unsetenv("HOSTNAME");
	unsetenv("CONF_UNSET");
	setenv("CONF_A", "alpha", 1);
	setenv("CONF_B", "${CONF_A}", 1);
	setenv("CONF_EMPTY", "", 1);
	const struct {
		const char *value, *expanded;
	} cases[] = {
		{"${CONF_A}", "alpha"},
		{"a${CONF_A}b${CONF_A}", "aalphabalpha"},
		{"{message} ${HOSTNAME}", NULL},
		{"${CONF_A} {b} ${CONF_A}", "alpha {b} alpha"},
		{"} ${CONF_A}", "} alpha"},
		{"${CONF_B}", "${CONF_A}"},
		{"x${CONF_UNSET}y", "xy"},
		{"x${CONF_EMPTY}y", "xy"},
		{"x${}y", "xy"},
		{"${CONF_A:-b}", "alpha"},
		{"${CONF_UNSET:-b c}", "b c"},
		{"${CONF_EMPTY:-b}", "b"},
		{"x${CONF_EMPTY:-}", "x"},
		{"${CONF_UNSET:-a:-b}", "a:-b"},
		{"a ${CONF_A", "a ${CONF_A"},
		{"${CONF_A} ${CONF_A", "alpha ${CONF_A"},
		{"$CONF_A $ {CONF_A} $", "$CONF_A $ {CONF_A} $"},
		{"^(.*)$ ${CONF_A}", "^(.*)$ alpha"},
		{"$${CONF_A}", "$alpha"},
		{"${FROM_SET}", "set"},
		{"${CONF_C}", "of the table"},
		{"${LAST}", "two"},
	};
	setenv("CONF_C", "of the environment", 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof text,
			 "[S]\n    Key %s\n@set FROM_SET=set\n"
			 "@SET CONF_C=of the table\n@SET CONF_A=\n"
			 "@SET LAST=one\n@SET LAST=two\n",
			 cases[i].value);
		char with_host[sizeof host + 16];
		snprintf(with_host, sizeof with_host, "{message} %s", host);
		const char *expanded = cases[i].expanded;
		assert_one_value(text, expanded ? expanded : with_host);
	}
	setenv("HOSTNAME", "given", 1);
	assert_one_value("[S]\n    Key ${HOSTNAME}\n", "given");
	unsetenv("HOSTNAME");
}

static void an_unset_variable_is_reported(void **state)
{
	unsetenv("CONF_UNSET");
	assert_one_value("[S]\n    Key a${CONF_UNSET}${CONF_UNSET:-b}\n", "ab");
	assert_int_equal(times_logged(state, "level="), 1);
	assert_logged(state, "level=warn mod=conf at=x.conf:2 key=Key "
			     "err=\"variable ${CONF_UNSET} is used but not "
			     "set\" action=\"using an empty text\"\n");
}

static void text_that_looks_like_a_comment_is_reported_once_per_line(
	void **state)
{
	assert_one_value("[S]\n    Key * # all # of it\n", "* # all # of it");
	assert_int_equal(times_logged(state, "level="), 1);
	assert_logged(state,
		      "level=warn mod=conf at=x.conf:2 key=Key err=\"a # "
		      "after a value does not start a comment\" "
		      "action=\"keeping it in the value\"\n");
	assert_one_value("[S]\n    Key # all\n", "# all");
	assert_int_equal(times_logged(state, "level="), 2);
	assert_one_value("[S]\n    Key a #b c# d#e ## #\n", "a #b c# d#e ## #");
	assert_int_equal(times_logged(state, "level="), 2);
}

static void lines_without_effect_are_reported(void **state)
{
	conf_free(conf_from_text("[S] # fine\n[T]   \n"));
	assert_string_equal(conf_dir_log(state), "");
	conf_free(conf_from_text("[S] Key value\n@SET A=${B}\n"));
	assert_logged(state, "at=x.conf:1 err=\"text after [S]\" "
			     "action=\"ignoring the text\"\n");
	assert_logged(state,
		      "at=x.conf:2 key=@SET err=\"${...} is not expanded "
		      "in the value of @SET\" action=\"using the value "
		      "as it is\"\n");
}

static void a_variable_may_take_its_value_from_a_file(void **state)
{
	(void)state;
	file_write_text("secret", "a word\n");
	file_write_text("two", "a\nb\n\n");
	file_write_text("main.conf", "@SET A=file://secret\n@SET B=file://two\n"
				     "[S]\n    A ${A}\n    B ${B}\n");
	struct conf *c = conf_from_file("main.conf");
	assert_string_equal(conf_value(c, 0, "A"), "a word");
	assert_string_equal(conf_value(c, 0, "B"), "a\nb\n");
	conf_free(c);

	file_write_text("main.conf", "[S]\n@SET A=file://none\n");
	assert_conf_refused("main.conf",
			    "main.conf:2: @SET: none: No such file or "
			    "directory");
	file_write("secret", SPAN("a\0b"));
	file_write_text("main.conf", "@SET A=file://secret\n");
	assert_conf_refused(
		"main.conf",
		"main.conf:1: @SET: secret: it contains a NUL byte");
	/* A text that came from no file cannot read files. */
	assert_one_value("@SET A=file://two\n[S]\n    Key ${A}\n",
			 "file://two");
}

static void included_sections_take_the_place_of_the_include(void **state)
{
	(void)state;
	file_write_text("main.conf", "[A]\n"
				     "    Key 1\n"
				     "@include part.conf\n"
				     "    Other 2\n"
				     "[D]\n"
				     "    Key ${FROM_PART}\n");
	file_write_text("part.conf", "[B]\n"
				     "  Key 3\n"
				     "@SET FROM_PART=4\n"
				     "@INCLUDE deeper.conf");
	file_write_text("deeper.conf", "[C]\n\tKey 5\n");
	struct conf *c = conf_from_file("main.conf");
	static const struct {
		const char *name, *value;
	} expected[] = {{"A", "1"}, {"B", "3"}, {"C", "5"}, {"D", "4"}};
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_true(conf_is(conf_section(c, i), expected[i].name));
		assert_string_equal(conf_value(c, i, "Key"), expected[i].value);
	}
	assert_string_equal(conf_value(c, 0, "Other"), "2");
	assert_null(conf_section(c, 4));
	struct err e = {0};
	conf_err_key(conf_section(c, 2), "Key", &e, "x");
	assert_string_equal(e.text, "deeper.conf:2: [C] x");
	conf_free(c);
}

static void a_pattern_includes_all_matching_files_in_order(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d[1]", 0755), 0);
	assert_int_equal(mkdir("d[1]/more", 0755), 0);
	file_write_text("d[1]/main.conf", "@INCLUDE more/*.conf\n[Z]\n");
	file_write_text("d[1]/more/b.conf", "[B]\n");
	file_write_text("d[1]/more/a.conf", "[A]\n");
	file_write_text("d[1]/more/c.txt", "[C]\n");
	struct conf *c = conf_from_file("d[1]/main.conf");
	assert_true(conf_is(conf_section(c, 0), "A"));
	assert_true(conf_is(conf_section(c, 1), "B"));
	assert_true(conf_is(conf_section(c, 2), "Z"));
	assert_null(conf_section(c, 3));
	conf_free(c);

	/* The working directory is searched first. */
	assert_int_equal(mkdir("more", 0755), 0);
	file_write_text("more/x.conf", "[X]\n");
	c = conf_from_file("d[1]/main.conf");
	assert_true(conf_is(conf_section(c, 0), "X"));
	assert_true(conf_is(conf_section(c, 1), "Z"));
	conf_free(c);
}

static void relative_names_are_searched_beside_the_real_file(void **state)
{
	struct conf_dir *p = *state;
	assert_int_equal(mkdir("data", 0755), 0);
	assert_int_equal(mkdir("etc", 0755), 0);
	file_write_text("data/main.conf", "@INCLUDE part.conf\n");
	file_write_text("data/part.conf", "[REAL]\n");
	assert_int_equal(symlink("../data/main.conf", "etc/main.conf"), 0);
	struct conf *c = conf_from_file("etc/main.conf");
	assert_true(conf_is(conf_section(c, 0), "REAL"));
	char real[128];
	snprintf(real, sizeof real, "%s/data", p->dir);
	assert_string_equal(conf_dir(c), real);

	char *found = conf_find_file(conf_dir(c), "part.conf");
	assert_string_equal(found + strlen(real), "/part.conf");
	free(found);
	found = conf_find_file(conf_dir(c), "data/part.conf");
	assert_string_equal(found, "data/part.conf");
	free(found);
	found = conf_find_file(conf_dir(c), "none.conf");
	assert_string_equal(found, "none.conf");
	free(found);
	found = conf_find_file(conf_dir(c), "/none.conf");
	assert_string_equal(found, "/none.conf");
	free(found);
	conf_free(c);
}

static void an_include_that_cannot_be_read_is_fatal(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"[A]\n@INCLUDE none.conf\n",
		 "main.conf:2: @INCLUDE: none.conf: No such file or "
		 "directory"},
		{"@INCLUDE none/*.conf\n",
		 "main.conf:1: @INCLUDE: no file matches none/*.conf"},
		{"@INCLUDE /none/*.conf\n",
		 "main.conf:1: @INCLUDE: no file matches /none/*.conf"},
		{"@INCLUDE dir\n",
		 "main.conf:1: @INCLUDE: dir: Is a directory"},
		{"@INCLUDE main.conf\n",
		 "main.conf:1: @INCLUDE: main.conf was read already: a file "
		 "is read only once"},
		{"@INCLUDE link.conf\n",
		 "main.conf:1: @INCLUDE: link.conf was read already: a file "
		 "is read only once"},
		{"@INCLUDE part.conf\n@INCLUDE ./part.conf\n",
		 "main.conf:2: @INCLUDE: ./part.conf was read already: a file "
		 "is read only once"},
		{"@INCLUDE loop.conf\n",
		 "loop.conf:2: @INCLUDE: main.conf was read already: a file is "
		 "read only once"},
		{"@INCLUDE p*.conf\n@INCLUDE part.conf\n",
		 "main.conf:2: @INCLUDE: part.conf was read already: a file is "
		 "read only once"},
		{"@INCLUDE *.bad\n", "b.bad:1: \"x\": a key must be indented"},
		{"[A]\n@INCLUDE lonely.conf\n",
		 "lonely.conf:1: key \"Key\" before any [SECTION]"},
		{"[A]\n@INCLUDE bom.conf\n",
		 "bom.conf:1: the file starts with a byte order mark (BOM): "
		 "save it as UTF-8 without one"},
	};
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(symlink("main.conf", "link.conf"), 0);
	file_write_text("part.conf", "[B]\n");
	file_write_text("loop.conf", "[B]\n@INCLUDE main.conf\n");
	file_write_text("a.bad", "[A]\n");
	file_write_text("b.bad", "x");
	file_write_text("lonely.conf", "    Key value\n");
	file_write_text("bom.conf", "\xef\xbb\xbf[A]\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		file_write_text("main.conf", cases[i].text);
		assert_conf_refused("main.conf", cases[i].message);
	}
}

static void a_missing_configuration_is_reported(void **state)
{
	(void)state;
	assert_conf_refused("none.conf",
			    "none.conf: No such file or directory");
	assert_conf_refused("/tmp", "/tmp: Is a directory");
}

static void a_long_chain_of_includes_is_read(void **state)
{
	(void)state;
	enum { FILES = 300 };
	for (int i = 0; i < FILES; i++) {
		char name[32], text[64];
		snprintf(name, sizeof name, "%d.conf", i);
		snprintf(text, sizeof text, "[S%d]\n%s%d.conf\n", i,
			 i + 1 < FILES ? "@INCLUDE " : "# ", i + 1);
		file_write_text(name, text);
	}
	struct conf *c = conf_from_file("0.conf");
	assert_true(conf_is(conf_section(c, FILES - 1), "S299"));
	assert_null(conf_section(c, FILES));
	conf_free(c);
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(sections_come_in_order_with_their_names_as_written),
		T(a_value_reaches_from_the_first_space_to_the_end_of_the_line),
		T(an_empty_text_has_no_section),
		T(a_malformed_text_is_refused),
		T(a_nul_byte_is_refused),
		T(a_line_may_have_32_mib_and_no_byte_more),
		T(a_file_that_is_far_too_large_is_refused),
		T(a_device_is_refused),
		T(variables_are_replaced_once_everywhere),
		T(an_unset_variable_is_reported),
		T(text_that_looks_like_a_comment_is_reported_once_per_line),
		T(lines_without_effect_are_reported),
		T(a_variable_may_take_its_value_from_a_file),
		T(included_sections_take_the_place_of_the_include),
		T(a_pattern_includes_all_matching_files_in_order),
		T(relative_names_are_searched_beside_the_real_file),
		T(an_include_that_cannot_be_read_is_fatal),
		T(a_missing_configuration_is_reported),
		T(a_long_chain_of_includes_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
