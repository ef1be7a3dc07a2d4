/* SPDX-License-Identifier: Apache-2.0 */
/* A full disk beside other outputs.  The sink spills its lines as long as there
 * is room and then blocks; it drops nothing. */
#include "bad_disk.h"
#include "sink_dir.h"

#include <stdio.h>
#include <unistd.h>

static void open_beside_others(struct sink_dir *f, size_t spill_bytes)
{
	struct err e;
	sink_dir_init(f);
	sink_dir_use_spills(f, spill_bytes);
	f->env.has_others = true;
	assert_true(sink_dir_try_open(f, "    Path @/out\n", false, &e));
	bad_disk_begin(sink_dir_path(f, "out/a"), ENOSPC);
}

static void make_room(struct sink_dir *f)
{
	bad_disk_end();
	sink_dir_wait_s(f, 10);
}

static void nothing_was_dropped(struct sink_dir *f)
{
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		assert_int_equal(f->sink->stats.lines_dropped_total[i], 0);
}

static void other_outputs_do_not_wait_for_a_full_disk(void **state)
{
	(void)state;
	struct sink_dir f;
	open_beside_others(&f, 1000 * 1000);
	for (int i = 0; i < 3; i++) {
		sink_dir_put(&f, "a", "1");
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
		assert_int_equal(f.sink->stats.lines_spilled, i + 1);
		sink_dir_wait_s(&f, 1);
	}
	assert_true(f.sink->stats.errors_total > 0);
	make_room(&f);
	sink_dir_put(&f, "a", "2");
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "out/a"), "1\n1\n1\n2\n");
	sink_dir_flush_all(&f);
	assert_int_equal(f.sink->stats.spilled_bytes, 0);
	nothing_was_dropped(&f);
	sink_dir_fini(&f);
}

static void a_full_spill_blocks_the_output(void **state)
{
	(void)state;
	struct sink_dir f;
	open_beside_others(&f, 1);
	sink_dir_put(&f, "a", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	sink_dir_put(&f, "a", "2");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	sink_dir_wait_s(&f, 10);
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	assert_int_equal(f.sink->stats.lines_queued, 2);
	make_room(&f);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "out/a"), "1\n2\n");
	nothing_was_dropped(&f);
	sink_dir_fini(&f);
}

static void an_output_that_cannot_spill_blocks(void **state)
{
	(void)state;
	struct sink_dir f;
	open_beside_others(&f, 1000 * 1000);
	sink_dir_write(&f, "spill", "not a directory");
	sink_dir_put(&f, "a", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_BLOCKED);
	make_room(&f);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "out/a"), "1\n");
	nothing_was_dropped(&f);
	sink_dir_fini(&f);
}

static void spilled_lines_block_no_output(void **state)
{
	(void)state;
	struct sink_dir f;
	open_beside_others(&f, 1);
	sink_dir_put(&f, "a", "1");
	assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	for (int i = 0; i < 3; i++) {
		sink_dir_wait_s(&f, 10);
		sink_dir_put(&f, "b", "2");
		assert_int_equal(sink_dir_flush(&f), SINK_FLUSHED);
	}
	assert_string_equal(sink_dir_content(&f, "out/b"), "2\n2\n2\n");
	make_room(&f);
	sink_dir_flush_all(&f);
	assert_string_equal(sink_dir_content(&f, "out/a"), "1\n");
	sink_dir_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_outputs_do_not_wait_for_a_full_disk),
		cmocka_unit_test(a_full_spill_blocks_the_output),
		cmocka_unit_test(an_output_that_cannot_spill_blocks),
		cmocka_unit_test(spilled_lines_block_no_output),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
