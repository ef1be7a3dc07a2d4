/* SPDX-License-Identifier: Apache-2.0 */
/* Moving the spills of an earlier storage.path. */
#include "spill_dir.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/spill_move.h"

struct places {
	struct spill_dir s;
	char from[TEMP_DIR_BYTES + 16];
	char to[TEMP_DIR_BYTES + 16];
};

/* Three lines are spilled in `from`. */
static void init(struct places *p)
{
	spill_dir_spill_three(&p->s);
	snprintf(p->from, sizeof p->from, "%s/spill", p->s.f.dir);
	snprintf(p->to, sizeof p->to, "%s/moved", p->s.f.dir);
}

static void fini(struct places *p)
{
	spill_dir_fini(&p->s);
}

static void assert_rest(const char *dir, uint64_t files, uint64_t lines)
{
	struct spill_rest rest;
	assert_int_equal(spill_rest_of(dir, &rest), lines > 0);
	assert_int_equal(rest.files, files);
	assert_int_equal(rest.lines, lines);
	assert_int_equal(rest.unread, 0);
}

static void moved_spills_are_counted_in_the_new_directory(void **state)
{
	(void)state;
	struct places p;
	init(&p);
	assert_rest(p.from, 1, 3);
	assert_rest(p.to, 0, 0);
	assert_int_equal(spill_move_check(p.from, p.to), 0);
	assert_int_equal(spill_move(p.from, p.to), 0);
	assert_rest(p.from, 0, 0);
	assert_rest(p.to, 1, 3);
	assert_int_equal(access(p.from, F_OK), -1);
	assert_int_equal(spill_move(p.from, p.to), ENOENT);
	/* They come back, and are written. */
	assert_int_equal(spill_move_check(p.to, p.from), 0);
	assert_int_equal(spill_move(p.to, p.from), 0);
	spill_dir_restart(&p.s);
	spill_dir_assert_written(&p.s, THREE_LINES);
	fini(&p);
}

static void a_moved_spill_replaces_no_other_one(void **state)
{
	(void)state;
	struct places p;
	char copy[64];
	init(&p);
	assert_int_equal(spill_move_check(p.from, p.to), 0);
	snprintf(copy, sizeof copy, "moved/%.50s", p.s.name + strlen("spill/"));
	spill_dir_copy(&p.s, p.s.name, copy);
	assert_int_equal(spill_move(p.from, p.to), 0);
	assert_rest(p.to, 2, 6);
	fini(&p);
}

static void one_directory_under_two_names_is_not_moved(void **state)
{
	(void)state;
	struct places p;
	char twin[TEMP_DIR_BYTES + 32];
	init(&p);
	snprintf(twin, sizeof twin, "%s/../spill", p.from);
	assert_int_equal(spill_move_check(p.from, twin), EEXIST);
	fini(&p);
}

static void a_spill_that_cannot_be_read_counts_as_left(void **state)
{
	(void)state;
	struct places p;
	struct spill_rest rest;
	init(&p);
	spill_dir_hide(&p.s, p.s.name);
	assert_true(spill_rest_of(p.from, &rest));
	assert_int_equal(rest.unread, 1);
	spill_dir_show(&p.s, p.s.name);
	assert_rest(p.from, 1, 3);
	fini(&p);
}

static void drained_lines_do_not_count_as_left(void **state)
{
	(void)state;
	struct places p;
	init(&p);
	spill_dir_assert_written(&p.s, THREE_LINES);
	assert_rest(p.from, 0, 0);
	fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved_spills_are_counted_in_the_new_directory),
		cmocka_unit_test(a_moved_spill_replaces_no_other_one),
		cmocka_unit_test(one_directory_under_two_names_is_not_moved),
		cmocka_unit_test(a_spill_that_cannot_be_read_counts_as_left),
		cmocka_unit_test(drained_lines_do_not_count_as_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
