/* SPDX-License-Identifier: Apache-2.0 */
/* Another user has put something in the place of a spill, or of the directory
 * of the spills. */
#include "spill_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The content of another log file of this process: more than a small spill. */
static char victim[4096];

static void make_victim(struct spill_dir *s)
{
	memset(victim, 'v', sizeof victim - 2);
	victim[sizeof victim - 2] = '\n';
	sink_dir_write(&s->f, "victim", victim);
}

static void assert_victim_is_unchanged(struct spill_dir *s)
{
	assert_string_equal(sink_dir_content(&s->f, "victim"), victim);
}

static void link_to_victim(struct spill_dir *s, const char *name)
{
	char to[128];
	snprintf(to, sizeof to, "%s", sink_dir_path(&s->f, "victim"));
	assert_int_equal(symlink(to, sink_dir_path(&s->f, name)), 0);
}

static mode_t mode_of(struct spill_dir *s, const char *name)
{
	return file_mode(sink_dir_path(&s->f, name));
}

static bool exists(struct spill_dir *s, const char *name)
{
	return file_exists(sink_dir_path(&s->f, name));
}

static uint64_t lost(const struct spill_dir *s)
{
	return s->f.sink->stats.lines_dropped_total[DROP_write_failed];
}

/* Give a file to another user; skip the test unless this process is root. */
static void give(struct spill_dir *s, const char *name)
{
	if (file_give_away(sink_dir_path(&s->f, name)))
		return;
	spill_dir_fini(s);
	skip();
}

/* Assert that the three spilled lines were not written but counted as dropped,
 * and that later lines are spilled and written. */
static void assert_lines_are_set_aside(struct spill_dir *s)
{
	spill_dir_restart(s);
	spill_dir_flush(s);
	assert_false(exists(s, "out/a"));
	assert_int_equal(lost(s), 3);
	assert_false(spill_dir_has_spill(s));
	spill_dir_block(s, "a");
	sink_dir_put(&s->f, "a", "line 4");
	spill_dir_flush(s);
	assert_int_equal(s->f.sink->stats.lines_spilled, 1);
	assert_int_equal(mode_of(s, "spill"), 0700);
	spill_dir_unblock(s, "a");
	spill_dir_assert_written(s, "line 4\n");
}

/* Move the file NAME.foreign.1 out of the spills, and assert that it exists. */
static void take_foreign(struct spill_dir *s, const char *name)
{
	char foreign[96];
	snprintf(foreign, sizeof foreign, "%s.foreign.1", name);
	assert_true(exists(s, foreign));
	sink_dir_move(&s->f, foreign, "taken");
}

static void the_spill_of_another_user_is_set_aside(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	give(&s, s.name);
	spill_dir_restart(&s);
	take_foreign(&s, s.name);
	assert_lines_are_set_aside(&s);
	spill_dir_fini(&s);
}

/* The lease would make open() wait until the kernel breaks it. */
static void a_spill_with_a_lease_of_another_user_is_set_aside(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	give(&s, s.name);
	signal(SIGIO, SIG_IGN);
	int fd = open(sink_dir_path(&s.f, s.name), O_RDWR | O_CLOEXEC);
	s.f.fds++;
	bool is_leased = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
	if (is_leased) {
		spill_dir_restart(&s);
		take_foreign(&s, s.name);
	}
	close(fd);
	s.f.fds--;
	spill_dir_fini(&s);
	if (!is_leased)
		skip();
}

static void a_spill_with_a_second_name_is_set_aside(void **state)
{
	(void)state;
	struct spill_dir s;
	char second[128];
	spill_dir_spill_three(&s);
	snprintf(second, sizeof second, "%s", sink_dir_path(&s.f, "second"));
	assert_int_equal(link(sink_dir_path(&s.f, s.name), second), 0);
	spill_dir_restart(&s);
	take_foreign(&s, s.name);
	assert_lines_are_set_aside(&s);
	spill_dir_fini(&s);
}

static void the_directory_of_another_user_is_set_aside(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	give(&s, "spill");
	assert_lines_are_set_aside(&s);
	assert_true(exists(&s, "spill.foreign.1"));
	spill_dir_fini(&s);
}

static void a_link_to_the_directory_is_not_followed(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	sink_dir_move(&s.f, "spill", "elsewhere");
	assert_int_equal(symlink("elsewhere", sink_dir_path(&s.f, "spill")), 0);
	spill_dir_restart(&s);
	sink_dir_flush_only(&s.f);
	assert_false(exists(&s, "out/a"));
	assert_int_equal(s.f.sink->stats.lines_spilled, 3);
	give(&s, "spill");
	assert_lines_are_set_aside(&s);
	spill_dir_fini(&s);
}

static void a_link_with_the_name_of_a_new_spill_is_not_followed(void **state)
{
	(void)state;
	struct spill_dir s;
	char new_name[96];
	spill_dir_spill_three(&s);
	make_victim(&s);
	snprintf(new_name, sizeof new_name, "%s.new", s.name);
	spill_dir_assert_written(&s, THREE_LINES);
	link_to_victim(&s, new_name);
	unlink(sink_dir_path(&s.f, "out/a"));
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 4");
	spill_dir_flush(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	assert_victim_is_unchanged(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, "line 4\n");
	spill_dir_fini(&s);
}

/* The spill is in use and is replaced then. */
static void a_link_in_place_of_a_spill_is_not_followed(void **state)
{
	(void)state;
	struct spill_dir s;
	char name[64];
	spill_dir_init(&s);
	make_victim(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	sink_dir_move(&s.f, spill_dir_only(&s, ".spill", name), "hidden");
	link_to_victim(&s, name);
	sink_dir_put(&s.f, "a", "line 2");
	sink_dir_flush_only(&s.f);
	spill_dir_unblock(&s, "a");
	sink_dir_flush_only(&s.f);
	assert_victim_is_unchanged(&s);
	assert_int_equal(unlink(sink_dir_path(&s.f, name)), 0);
	sink_dir_move(&s.f, "hidden", name);
	sink_dir_wait_s(&s.f, 10);
	spill_dir_assert_written(&s, "line 1\nline 2\n");
	spill_dir_fini(&s);
}

/* As fsGroup leaves them when the pod is started again. */
static void spills_that_a_group_could_open_are_drained_and_private(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_dir_spill_three(&s);
	assert_int_equal(chmod(sink_dir_path(&s.f, s.name), 0660), 0);
	assert_int_equal(chmod(sink_dir_path(&s.f, "spill"), 02770), 0);
	spill_dir_restart(&s);
	assert_int_equal(mode_of(&s, s.name), 0600);
	assert_int_equal(mode_of(&s, "spill"), 0700);
	spill_dir_assert_written(&s, THREE_LINES);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_spill_of_another_user_is_set_aside),
		cmocka_unit_test(
			a_spill_with_a_lease_of_another_user_is_set_aside),
		cmocka_unit_test(a_spill_with_a_second_name_is_set_aside),
		cmocka_unit_test(the_directory_of_another_user_is_set_aside),
		cmocka_unit_test(a_link_to_the_directory_is_not_followed),
		cmocka_unit_test(
			a_link_with_the_name_of_a_new_spill_is_not_followed),
		cmocka_unit_test(a_link_in_place_of_a_spill_is_not_followed),
		cmocka_unit_test(
			spills_that_a_group_could_open_are_drained_and_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
