/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_dir.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "setup/plugins.h"
#include "tool/keys.h"

static int list(struct tool_dir *d, const char *name, bool is_plain)
{
	tool_dir_capture_begin(d);
	int code = keys_list(
		&(struct command_args){.operand = name, .is_plain = is_plain});
	tool_dir_capture_end(d);
	return code;
}

static void plain_has_one_line_of_seven_fields_per_key(void **state)
{
	struct tool_dir *d = *state;
	struct plugin_keys k;
	size_t keys = 0, lines = 0;
	for (size_t i = 0; plugins_keys(i, &k); i++)
		for (size_t j = 0; k.keys[j].name != NULL; j++)
			keys++;
	assert_int_equal(list(d, NULL, true), 0);
	const char *text = tool_dir_content(d, "out");
	for (const char *line = text; *line != '\0'; lines++) {
		const char *end = strchr(line, '\n');
		size_t tabs = 0;
		for (const char *c = line; c < end; c++)
			tabs += *c == '\t' ? 1 : 0;
		if (tabs != 6)
			fail_msg("%.*s", (int)(end - line), line);
		line = end + 1;
	}
	assert_int_equal(lines, keys);
}

static void plain_names_type_default_and_effect(void **state)
{
	struct tool_dir *d = *state;
	static const char *const lines[] = {
		"SERVICE\t-\t-\tFlush\tseconds\t1\t-\n",
		"SERVICE\t-\t-\tDead_Letter\tpath\t-\t-\n",
		"PARSER\t-\t-\tTime_Offset\ttext\t-\t-\n",
		"PARSER\t-\t-\tTime_System_Timezone\tboolean\t-\t-\n",
		"FILTER\tnest\t-\tOperation\tchoice\trequired\t-\n",
		"OUTPUT\tfile\ttemplate\tTemplate\ttemplate\t{time} {message}\t-\n",
		"\tscheduler.*\ttext\t-\tignored\n",
	};
	assert_int_equal(list(d, NULL, true), 0);
	for (size_t i = 0; i < COUNT(lines); i++)
		tool_dir_assert_has(d, "out", lines[i]);
}

/* The text before the first tab, in every line. */
static void assert_only_section(struct tool_dir *d, const char *section)
{
	const char *text = tool_dir_content(d, "out");
	size_t len = strlen(section);
	assert_true(*text != '\0');
	for (const char *line = text; *line != '\0';
	     line = strchr(line, '\n') + 1)
		if (strncmp(line, section, len) != 0 || line[len] != '\t')
			fail_msg("%.60s", line);
}

static void a_name_selects_a_section_a_plug_in_or_a_format(void **state)
{
	struct tool_dir *d = *state;
	assert_int_equal(list(d, "service", true), 0);
	assert_only_section(d, "SERVICE");
	assert_int_equal(list(d, "Rewrite_Tag", true), 0);
	assert_only_section(d, "FILTER\trewrite_tag");
	assert_int_equal(list(d, "csv", true), 0);
	assert_only_section(d, "OUTPUT\tfile\tcsv");
}

static void the_readable_list_explains_each_key(void **state)
{
	struct tool_dir *d = *state;
	assert_int_equal(list(d, "SERVICE", false), 0);
	static const char *const parts[] = {
		"[SERVICE]\n  Flush (seconds, default 1)\n      How long a ",
		"  Parsers_File (path, repeatable)\n      ",
		"without effect here:\n      Daemon: sluiced stays in the foreground",
	};
	for (size_t i = 0; i < COUNT(parts); i++)
		tool_dir_assert_has(d, "out", parts[i]);
	assert_int_equal(list(d, "template", false), 0);
	tool_dir_assert_has(
		d, "out",
		"[OUTPUT] Name file, Format template\n"
		"  Template (template, default {time} {message})\n");
	assert_int_equal(list(d, "rewrite_tag", false), 0);
	tool_dir_assert_has(d, "out",
			    "  Rule (words, required, repeatable)\n      ");
}

static void every_key_has_help_or_is_ignored(void **state)
{
	(void)state;
	struct plugin_keys k;
	for (size_t i = 0; plugins_keys(i, &k); i++)
		for (const struct conf_key_spec *s = k.keys; s->name != NULL;
		     s++)
			if ((s->help != NULL) == (s->ignored != NULL))
				fail_msg("%s %s", k.section, s->name);
}

static void an_unknown_name_is_a_usage_error(void **state)
{
	struct tool_dir *d = *state;
	assert_int_equal(list(d, "flie", true), EXIT_CODE_USAGE);
	assert_string_equal(tool_dir_content(d, "out"), "");
	assert_string_equal(tool_dir_content(d, "err"),
			    "sluiced keys: no section, plug-in or format is "
			    "called \"flie\"; `sluiced keys` lists all\n");
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, tool_dir_set_up, \
					tool_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(plain_has_one_line_of_seven_fields_per_key),
		T(plain_names_type_default_and_effect),
		T(a_name_selects_a_section_a_plug_in_or_a_format),
		T(the_readable_list_explains_each_key),
		T(every_key_has_help_or_is_ignored),
		T(an_unknown_name_is_a_usage_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
