/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_unit.h"

#include "base/check.h"
#include "base/clock.h"
#include "tool/journal_show.h"

static const int64_t T = 1795229400 * NS_PER_S + 123456789;

static int show(struct place *p, const char *name, bool verbose)
{
	char file[128];
	snprintf(file, sizeof file, "%s", path(p, name));
	begin_capture(p);
	int code = journal_show(
		&(struct command_args){.operand = file, .is_verbose = verbose});
	end_capture(p);
	return code;
}

static void make(struct place *p)
{
	struct journal *j = open_journal(p, "journal");
	struct journal_entry entry;
	put_in(j, 0, T, SPAN("settled"));
	assert_true(journal_take(j, &entry));
	journal_commit(j, NULL, 0);
	put_in(j, 0, T, SPAN("s3cret \"one\""));
	put_in(j, 1, T + 1, SPAN("two\n"));
	journal_close(j);
}

static void what_is_not_settled_is_listed(void **state)
{
	struct place *p = *state;
	make(p);
	assert_int_equal(show(p, "journal", false), 0);
	assert_has(p, "out", "in_use: no\n");
	assert_has(p, "out", "slot_bytes: 1024\n");
	assert_has(p, "out", "appended_total: 3\n");
	assert_has(p, "out", "refused_total: 0\n");
	assert_has(p, "out",
		   "pending: 2\n"
		   "seq=1 time=2026-11-21T02:50:00.123456789Z input=0 "
		   "bytes=12\n"
		   "seq=2 time=2026-11-21T02:50:00.123456790Z input=1 "
		   "bytes=4\n");
	assert_null(strstr(content(p, "out"), "s3cret"));
	assert_string_equal(content(p, "err"), "");
}

static void contents_are_shown_on_request(void **state)
{
	struct place *p = *state;
	make(p);
	assert_int_equal(show(p, "journal", true), 0);
	assert_has(p, "out", " bytes=12 text=\"s3cret \\\"one\\\"\"\n");
	assert_has(p, "out", " bytes=4 text=\"two\\n\"\n");
}

static void a_journal_in_use_can_be_looked_at(void **state)
{
	struct place *p = *state;
	struct journal *j = open_journal(p, "journal");
	put_in(j, 0, T, SPAN("x"));
	assert_int_equal(show(p, "journal", false), 0);
	assert_has(p, "out", "in_use: yes\n");
	assert_has(p, "out", "pending: 1\n");
	journal_close(j);
}

static void what_was_good_before_the_damage_is_shown(void **state)
{
	struct place *p = *state;
	make(p);
	damage(p, "journal", SPAN("two\n"));
	assert_int_equal(show(p, "journal", false), EXIT_CODE_SYSTEM);
	assert_has(p, "out", "seq=1 ");
	assert_null(strstr(content(p, "out"), "seq=2 "));
	assert_has(p, "err", "/journal: ");
}

static void what_is_no_journal_is_told(void **state)
{
	struct place *p = *state;
	assert_int_equal(show(p, "none", false), EXIT_CODE_SYSTEM);
	assert_has(p, "err", "No such file");
	write_file(p, "text", SPAN("not a journal\n"));
	assert_int_equal(show(p, "text", false), EXIT_CODE_SYSTEM);
	assert_has(p, "err", "/text: ");
	assert_string_equal(content(p, "out"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_settled_is_listed),
		TEST(contents_are_shown_on_request),
		TEST(a_journal_in_use_can_be_looked_at),
		TEST(what_was_good_before_the_damage_is_shown),
		TEST(what_is_no_journal_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
