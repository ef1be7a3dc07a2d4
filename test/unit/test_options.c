/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/conf.h"
#include "tool/help.h"
#include "tool/option_rows.h"
#include "tool/options.h"

enum { ARGS_MAX = 16, LINE_BYTES = 256 };

/* A command line; options_read reorders argv. */
struct command_line {
	char text[LINE_BYTES];
	char *argv[ARGS_MAX + 2];
	struct options options;
	struct err e;
};

/* `words` are separated by blanks. */
static bool read_words(struct command_line *l, const char *words)
{
	int argc = 0;
	char *rest = NULL;
	snprintf(l->text, sizeof l->text, "sluiced %s", words);
	for (char *word = strtok_r(l->text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < ARGS_MAX);
		l->argv[argc++] = word;
	}
	l->argv[argc] = NULL;
	l->e = (struct err){0};
	return options_read(&l->options, argc, l->argv, &l->e);
}

static void read_good(struct command_line *l, const char *words)
{
	if (!read_words(l, words))
		fail_msg("%s: %s", words, l->e.text);
}

/* The nth value of a key of [SERVICE]; NULL after the last one. */
static const char *service_value(const struct command_line *l, const char *key,
				 size_t nth)
{
	return conf_get_each(conf_section(l->options.assemble.options, 0), key,
			     nth);
}

static void collecting_is_the_default(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "-c a.conf");
	const struct options *o = &l.options;
	assert_int_equal(o->action, OPTIONS_COLLECT);
	assert_string_equal(o->assemble.conf_path, "a.conf");
	assert_int_equal(o->assemble.log_level, LOG_INFO);
	assert_false(o->assemble.dry_run || o->assemble.allow_unknown ||
		     o->no_supervisor);
	assert_null(o->workdir);
	options_fini(&l.options);
}

static void the_options_of_sluiced_are_read(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "-Dun -w /tmp --quiet --config=a.conf");
	const struct options *o = &l.options;
	assert_true(o->assemble.dry_run && o->assemble.allow_unknown &&
		    o->no_supervisor);
	assert_string_equal(o->workdir, "/tmp");
	assert_int_equal(o->assemble.log_level, LOG_ERROR);
	options_fini(&l.options);
}

static void options_of_fluent_bit_set_keys_of_service(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "-c a.conf -f 3 -H --port 2021 -R a -R b -W -s 1");
	static const struct {
		const char *key, *value;
	} wanted[] = {
		{"Flush", "3"},
		{"HTTP_Server", "On"},
		{"HTTP_Port", "2021"},
		{"Hot_Reload.Ensure_Thread_Safety", "Off"},
		{"Coro_Stack_Size", "1"},
	};
	for (size_t i = 0; i < COUNT(wanted); i++)
		assert_string_equal(service_value(&l, wanted[i].key, 0),
				    wanted[i].value);
	assert_string_equal(service_value(&l, "Parsers_File", 0), "a");
	assert_string_equal(service_value(&l, "Parsers_File", 1), "b");
	options_fini(&l.options);
}

static void the_last_value_of_an_option_wins(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "-c a.conf -f 1 -c b.conf -f 2");
	assert_string_equal(l.options.assemble.conf_path, "b.conf");
	assert_string_equal(service_value(&l, "Flush", 0), "2");
	assert_null(service_value(&l, "Flush", 1));
	options_fini(&l.options);
}

static void a_command_gets_its_operand_and_its_options(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "replay -c a.conf x.dead --rate 1000 --again -v");
	const struct options *o = &l.options;
	assert_int_equal(o->action, OPTIONS_COMMAND);
	assert_string_equal(o->command->name, "replay");
	assert_string_equal(o->args.operand, "x.dead");
	assert_int_equal(o->args.rate, 1000);
	assert_true(o->args.again);
	assert_true(o->args.is_verbose);
	assert_ptr_equal(o->args.assemble, &l.options.assemble);
	options_fini(&l.options);

	read_good(&l, "keys --plain");
	assert_true(l.options.args.is_plain);
	assert_null(l.options.args.operand);
	options_fini(&l.options);
}

static void help_and_version_ignore_all_other_words(void **state)
{
	(void)state;
	struct command_line l;
	read_good(&l, "--help --no-such-option");
	assert_int_equal(l.options.action, OPTIONS_HELP);
	options_fini(&l.options);
	read_good(&l, "-V nonsense");
	assert_int_equal(l.options.action, OPTIONS_VERSION);
	options_fini(&l.options);
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct {
		const char *words, *message;
	} cases[] = {
		{"", "-c FILE is missing; write sluiced -c FILE [OPTION...]"},
		{"--flsh=3",
		 "unknown option \"--flsh\"; did you mean --flush?"},
		{"--colour", "unknown option \"--colour\""},
		{"-DQ", "unknown option \"-Q\""},
		{"--storage", "-b (--storage_path) needs a value; write "
			      "--storage_path=PATH"},
		{"--http_l", "-L (--http_listen) needs a value; write "
			     "--http_listen=ADDRESS"},
		{"--sup=1", "--supervisor takes no value; write --supervisor"},
		{"--ver", "option \"--ver\" is ambiguous: --verbose, "
			  "--version"},
		{"-f", "-f (--flush) needs a value; write --flush=SECONDS"},
		{"-C", "-C (--custom) is not supported: sluiced has no custom "
		       "plug-ins"},
		{"--enable-fips=1",
		 "--enable-fips is not supported: sluiced encrypts nothing"},
		{"kesy", "unknown command \"kesy\"; did you mean \"keys\"?"},
		{"a.conf", "unknown command \"a.conf\"; known: healthcheck, "
			   "journal, replay, keys"},
		{"keys a b", "unexpected argument \"b\"; write sluiced keys "
			     "[--plain] [NAME]"},
		{"healthcheck a", "unexpected argument \"a\"; write sluiced "
				  "healthcheck -c FILE"},
		{"healthcheck", "healthcheck: -c FILE is missing; write "
				"sluiced healthcheck -c FILE"},
		{"journal", "journal: FILE is missing; write sluiced journal "
			    "[-v] FILE"},
		{"keys --rate 5", "--rate is only for the command replay"},
		{"journal x --again", "--again is only for the command replay"},
		{"replay x -c a.conf --dry-run",
		 "--dry-run cannot be combined with the command replay"},
		{"-D journal x",
		 "--dry-run cannot be combined with the command journal"},
		{"healthcheck -n",
		 "--no-supervisor cannot be combined with the command "
		 "healthcheck"},
		{"-c a.conf --plain", "--plain is only for the command keys"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct command_line l;
		assert_false(read_words(&l, cases[i].words));
		assert_string_equal(l.e.text, cases[i].message);
		assert_int_equal(l.e.exit_code, EXIT_CODE_USAGE);
		options_fini(&l.options);
	}
}

static void a_rate_is_a_positive_number(void **state)
{
	(void)state;
	static const char *const bad[] = {"0",	"-5",  "+5", "abc",
					  "1k", "1.5", "",   "4294967296"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		char words[LINE_BYTES], message[LINE_BYTES];
		struct command_line l;
		snprintf(words, sizeof words, "replay x -c a.conf --rate=%s",
			 bad[i]);
		snprintf(message, sizeof message,
			 "--rate \"%s\" is not a number of messages per "
			 "second, such as 1000",
			 bad[i]);
		assert_false(read_words(&l, words));
		assert_string_equal(l.e.text, message);
		options_fini(&l.options);
	}
	struct command_line l;
	read_good(&l, "replay x -c a.conf --rate=4294967295");
	assert_int_equal(l.options.args.rate, UINT32_MAX);
	options_fini(&l.options);
}

static void every_row_has_help_or_a_refusal_or_is_another_name(void **state)
{
	(void)state;
	const struct option_row *row, *before = NULL;
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++) {
		bool is_other_name =
			before != NULL && row->letter == before->letter;
		if ((row->help != NULL) + (row->refused != NULL) !=
		    (is_other_name ? 0 : 1))
			fail_msg("--%s", row->name);
		/* One letter means one option. */
		if (!is_other_name)
			assert_ptr_equal(option_rows_find(row->letter), row);
		assert_true(row->command == NULL ||
			    commands_find(row->command) != NULL);
		before = row;
	}
}

static void help_explains_each_option_in_80_columns(void **state)
{
	(void)state;
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);
	help_put(to);
	fclose(to);
	const struct option_row *row;
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++) {
		char name[LINE_BYTES];
		snprintf(name, sizeof name, " --%s%s", row->name,
			 row->argument != NULL ? "=" : "");
		if (row->help != NULL && strstr(text, name) == NULL)
			fail_msg("--help has no%s", name);
	}
	for (const char *line = text; *line != '\0';) {
		size_t columns = strcspn(line, "\n");
		if (columns > 80)
			fail_msg("%.*s", (int)columns, line);
		line += columns + 1;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collecting_is_the_default),
		cmocka_unit_test(the_options_of_sluiced_are_read),
		cmocka_unit_test(options_of_fluent_bit_set_keys_of_service),
		cmocka_unit_test(the_last_value_of_an_option_wins),
		cmocka_unit_test(a_command_gets_its_operand_and_its_options),
		cmocka_unit_test(help_and_version_ignore_all_other_words),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
		cmocka_unit_test(a_rate_is_a_positive_number),
		cmocka_unit_test(
			every_row_has_help_or_a_refusal_or_is_another_name),
		cmocka_unit_test(help_explains_each_option_in_80_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
