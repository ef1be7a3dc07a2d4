/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_dir.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "tool/journal_show.h"

static const int64_t T = 1795229400 * NS_PER_S + 123456789;

static int show(struct tool_dir *p, const char *name, bool verbose)
{
	char file[128];
	snprintf(file, sizeof file, "%s", tool_dir_path(p, name));
	tool_dir_capture_begin(p);
	int code = journal_show(
		&(struct command_args){.operand = file, .is_verbose = verbose});
	tool_dir_capture_end(p);
	return code;
}

static void make(struct tool_dir *p)
{
	struct journal *j = tool_dir_open_journal(p, "journal");
	struct journal_entry entry;
	tool_dir_append(j, 0, T, SPAN("settled"));
	assert_true(journal_take(j, &entry));
	journal_commit(j, NULL, 0);
	tool_dir_append(j, 0, T, SPAN("s3cret \"one\""));
	tool_dir_append(j, 1, T + 1, SPAN("two\n"));
	journal_close(j);
}

static void uncommitted_messages_are_listed(void **state)
{
	struct tool_dir *p = *state;
	make(p);
	assert_int_equal(show(p, "journal", false), 0);
	tool_dir_assert_has(p, "out", "in_use: no\n");
	tool_dir_assert_has(p, "out", "slot_bytes: 1024\n");
	tool_dir_assert_has(p, "out", "appended_total: 3\n");
	tool_dir_assert_has(p, "out", "refused_total: 0\n");
	tool_dir_assert_has(p, "out",
			    "pending: 2\n"
			    "seq=1 time=2026-11-21T02:50:00.123456789Z input=0 "
			    "bytes=12\n"
			    "seq=2 time=2026-11-21T02:50:00.123456790Z input=1 "
			    "bytes=4\n");
	assert_null(strstr(tool_dir_content(p, "out"), "s3cret"));
	assert_string_equal(tool_dir_content(p, "err"), "");
}

static void contents_are_shown_on_request(void **state)
{
	struct tool_dir *p = *state;
	make(p);
	assert_int_equal(show(p, "journal", true), 0);
	tool_dir_assert_has(p, "out",
			    " bytes=12 text=\"s3cret \\\"one\\\"\"\n");
	tool_dir_assert_has(p, "out", " bytes=4 text=\"two\\n\"\n");
}

static void a_journal_in_use_can_be_listed(void **state)
{
	struct tool_dir *p = *state;
	struct journal *j = tool_dir_open_journal(p, "journal");
	tool_dir_append(j, 0, T, SPAN("x"));
	assert_int_equal(show(p, "journal", false), 0);
	tool_dir_assert_has(p, "out", "in_use: yes\n");
	tool_dir_assert_has(p, "out", "pending: 1\n");
	journal_close(j);
}

static void messages_before_the_damage_are_listed(void **state)
{
	struct tool_dir *p = *state;
	make(p);
	tool_dir_damage(p, "journal", SPAN("two\n"));
	assert_int_equal(show(p, "journal", false), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "out", "seq=1 ");
	assert_null(strstr(tool_dir_content(p, "out"), "seq=2 "));
	tool_dir_assert_has(p, "err", "/journal: ");
}

static void messages_after_the_damage_are_listed(void **state)
{
	struct tool_dir *p = *state;
	make(p);
	tool_dir_damage(p, "journal", SPAN("s3cret"));
	assert_int_equal(show(p, "journal", false), EXIT_CODE_SYSTEM);
	assert_null(strstr(tool_dir_content(p, "out"), "seq=1 "));
	tool_dir_assert_has(p, "out", "seq=2 ");
	tool_dir_assert_has(p, "err", "damaged at message 1\n");
}

static void a_file_that_is_not_a_journal_is_reported(void **state)
{
	struct tool_dir *p = *state;
	assert_int_equal(show(p, "none", false), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "No such file");
	tool_dir_write(p, "text", SPAN("not a journal\n"));
	assert_int_equal(show(p, "text", false), EXIT_CODE_SYSTEM);
	tool_dir_assert_has(p, "err", "/text: ");
	assert_string_equal(tool_dir_content(p, "out"), "");
}

#define TEST(name)                                             \
	cmocka_unit_test_setup_teardown(name, tool_dir_set_up, \
					tool_dir_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(uncommitted_messages_are_listed),
		TEST(contents_are_shown_on_request),
		TEST(a_journal_in_use_can_be_listed),
		TEST(messages_before_the_damage_are_listed),
		TEST(messages_after_the_damage_are_listed),
		TEST(a_file_that_is_not_a_journal_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
