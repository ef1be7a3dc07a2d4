/* SPDX-License-Identifier: Apache-2.0 */
/* A file may have two spills if the first one could not be read for a while. */
#include "bad_calls.h"
#include "spill_dir.h"

#include <string.h>

/* "line 1" and "line 2" are in two spills for out/a, which cannot be
 * written. */
static void spill_twice(struct spill_dir *s)
{
	char name[64];
	spill_dir_init(s);
	spill_dir_block(s, "a");
	sink_dir_put(&s->f, "a", "line 1");
	spill_dir_flush(s);
	sink_dir_move(&s->f, spill_dir_only(s, ".spill", name), "hidden");
	spill_dir_restart(s);
	sink_dir_put(&s->f, "a", "line 2");
	spill_dir_flush(s);
	sink_dir_close(&s->f);
	sink_dir_move(&s->f, "hidden", "spill/0.spill");
	spill_dir_restart(s);
}

static void two_spills_for_one_file_are_both_drained(void **state)
{
	(void)state;
	struct spill_dir s;
	spill_twice(&s);
	spill_dir_unblock(&s, "a");
	spill_dir_flush(&s);
	assert_int_equal(strlen(sink_dir_content(&s.f, "out/a")), 7);
	sink_dir_wait_s(&s.f, 1);
	bool is_older_first =
		strcmp(sink_dir_content(&s.f, "out/a"), "line 1\n") == 0;
	spill_dir_assert_written(&s, is_older_first ? "line 1\nline 2\n"
						    : "line 2\nline 1\n");
	spill_dir_fini(&s);
}

/* Listing thousands of spills takes a tenth of a second. */
static void the_directory_is_not_listed_before_the_first_is_removed(
	void **state)
{
	(void)state;
	enum { CALLS = 1000 };
	struct spill_dir s;
	spill_twice(&s);
	bad_calls_begin(BAD_READDIR, "/spill", EIO, 1);
	bad_calls.skip = CALLS;
	for (int i = 0; i < 3; i++) {
		sink_dir_put(&s.f, "b", "line");
		sink_dir_wait_s(&s.f, 10);
		spill_dir_flush(&s);
	}
	assert_int_equal(bad_calls.skip, CALLS);
	spill_dir_unblock(&s, "a");
	spill_dir_flush(&s);
	sink_dir_wait_s(&s.f, 10);
	spill_dir_flush(&s);
	assert_in_range(bad_calls.skip, 0, CALLS - 1);
	bad_calls_end();
	spill_dir_flush(&s);
	assert_int_equal(strlen(sink_dir_content(&s.f, "out/a")), 14);
	assert_int_equal(s.f.sink->stats.lines_queued, 0);
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_spills_for_one_file_are_both_drained),
		cmocka_unit_test(
			the_directory_is_not_listed_before_the_first_is_removed),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
