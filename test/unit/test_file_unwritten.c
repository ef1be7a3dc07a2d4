/* SPDX-License-Identifier: Apache-2.0 */
/* A file whose lines were dropped before their first byte was written. */
#include "bad_disk.h"
#include "crash_notes.h"
#include "sink_dir.h"

#include <errno.h>

/* Its note may be replaced until the commit.  After that, a note of the next
 * batch is at the same place. */
static void a_note_of_the_next_batch_is_not_replaced(void **state)
{
	(void)state;
	struct sink_dir f;
	struct err e;
	struct crash_notes *left = share(sizeof *left);
	struct append_notes notes = crash_notes_access(left);
	sink_dir_init(&f);
	sink_dir_use_spills(&f, 4096);
	f.env.notes = &notes;
	assert_true(sink_dir_try_open(&f, "    Path @/out\n", false, &e));
	sink_dir_write(&f, "out/f", "");
	sink_dir_put(&f, "f/0", "this line fills the spill");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	crash_notes_commit(left);

	bad_disk_alone(sink_dir_path(&f, "out/bad"), EFBIG);
	sink_dir_put(&f, "bad", "dropped");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_dropped_total[DROP_write_failed],
			 1);
	crash_notes_commit(left);
	bad_disk_end();
	sink_dir_wait_s(&f, 1);

	/* The process is killed before this batch is committed. */
	sink_dir_put(&f, "good", "1");
	sink_dir_put(&f, "bad", "2");
	sink_dir_flush_only(&f);
	sink_dir_close(&f);
	crash_notes_restart(left);
	assert_true(sink_dir_try_open(&f, "    Path @/out\n", false, &e));
	sink_dir_put(&f, "good", "1");
	sink_dir_put(&f, "bad", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	assert_string_equal(sink_dir_content(&f, "out/good"), "1\n");
	assert_string_equal(sink_dir_content(&f, "out/bad"), "2\n");
	sink_dir_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_of_the_next_batch_is_not_replaced),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
