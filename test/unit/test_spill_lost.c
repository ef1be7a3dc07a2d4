/* SPDX-License-Identifier: Apache-2.0 */
/* What of a spill is lost is counted as dropped, and what is not, is not. */
#include "spilling.h"

#include <fcntl.h>

static uint64_t lost(const struct spilling *s)
{
	return s->f.sink->stats.lines_dropped_total[DROP_write_failed];
}

static void change_last_byte(struct spilling *s, const char *name)
{
	off_t at = (off_t)size_of(s, name) - 1;
	int fd = open(path(&s->f, name), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, at), 1);
	close(fd);
}

static void a_spill_that_is_gone_was_not_written(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	assert_int_equal(unlink(path(&s.f, only(&s, ".spill", name))), 0);
	restart(&s);
	flush_and_commit(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	assert_int_equal(s.f.sink->stats.lines_queued, 0);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	end(&s);
}

/* Or its directory. */
static void spills_that_are_gone_were_not_written(void **state)
{
	(void)state;
	struct spilling s;
	spill_three(&s);
	move(&s.f, "spill", "away");
	restart(&s);
	flush_and_commit(&s);
	assert_int_equal(lost(&s), 3);
	assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	end(&s);
}

/* The first process that finds the damage does not live until its commit. */
static void damage_that_was_put_aside_before_was_not_written(void **state)
{
	(void)state;
	struct spilling s;
	char name[64];
	spill_three(&s);
	change_last_byte(&s, only(&s, ".spill", name));
	for (int i = 0; i < 3; i++) {
		restart(&s);
		assert_int_equal(lost(&s), 2);
		assert_int_equal(s.f.sink->stats.lines_written_total, 0);
	}
	assert_all_written(&s, "line 1\n");
	assert_int_equal(s.f.sink->stats.lines_written_total, 1);
	end(&s);
}

static void run_flush(void *data)
{
	struct spilling *s = data;
	flush_only(&s->f);
}

/* At the commit it waited in memory. */
static void what_was_spilled_since_the_commit_counts_once(void **state)
{
	(void)state;
	struct spilling s;
	make_spilling(&s);
	write_file(&s.f, "spill", "no directory");
	block(&s, "a");
	put(&s.f, "a", "line 1");
	flush_and_commit(&s);
	assert_int_equal(s.f.sink->stats.lines_queued, 1);
	assert_int_equal(s.f.sink->stats.lines_spilled, 0);
	assert_int_equal(unlink(path(&s.f, "spill")), 0);
	run_and_kill(run_flush, &s);
	restart(&s);
	assert_int_equal(s.f.sink->stats.lines_spilled, 1);
	assert_int_equal(s.f.sink->stats.lines_total, 1);
	assert_int_equal(lost(&s), 0);
	unblock(&s, "a");
	assert_all_written(&s, "line 1\n");
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spill_that_is_gone_was_not_written),
		cmocka_unit_test(spills_that_are_gone_were_not_written),
		cmocka_unit_test(
			damage_that_was_put_aside_before_was_not_written),
		cmocka_unit_test(what_was_spilled_since_the_commit_counts_once),
	};
	return cmocka_run_group_tests(tests, be_quiet, NULL);
}
