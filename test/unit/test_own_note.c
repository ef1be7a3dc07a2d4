/* SPDX-License-Identifier: Apache-2.0 */
/* A process is killed while it appends, and the outputs of the next process
 * are others. */
#include "crash_notes.h"
#include "spill_dir.h"

#include <string.h>

enum { LINE_BYTES = 7, OTHER_ID = 7 };

static const char all_lines[] = "line 1\nline 2\n";

/* The outputs of the next process: those with these ids. */
struct outputs {
	size_t count;
	uint32_t ids[2];
};

static bool has_sink(const void *router, uint32_t id)
{
	const struct outputs *o = router;
	size_t i = 0;
	while (i < o->count && o->ids[i] != id)
		i++;
	return i < o->count;
}

static void run_batch(void *data)
{
	struct spill_dir *s = data;
	sink_dir_put(&s->f, "a", "line 1");
	sink_dir_put(&s->f, "a", "line 2");
	limit_file_size(LINE_BYTES + 3);
	sink_dir_flush_only(&s->f);
}

/* The output that wrote a torn batch was SINK_ID_FIRST.  An output with another
 * id gets the batch again. */
static void repeat_as_other(struct spill_dir *s, const struct outputs *o)
{
	spill_dir_init(s);
	sink_dir_close(&s->f);
	s->f.env.id = SINK_ID_FIRST;
	spill_dir_open(s);
	run_and_kill(run_batch, s);
	s->f.env.id = OTHER_ID;
	s->f.env.has_sink = has_sink;
	s->f.env.router = o;
	spill_dir_restart(s);
	sink_dir_put(&s->f, "a", "line 1");
	sink_dir_put(&s->f, "a", "line 2");
	sink_dir_flush(&s->f);
}

static void a_note_of_an_output_that_was_changed_is_found(void **state)
{
	(void)state;
	struct spill_dir s;
	const struct outputs present = {1, {OTHER_ID}};
	repeat_as_other(&s, &present);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), all_lines);
	spill_dir_fini(&s);
}

static void a_note_of_another_output_is_left_to_it(void **state)
{
	(void)state;
	struct spill_dir s;
	const struct outputs present = {2, {OTHER_ID, SINK_ID_FIRST}};
	repeat_as_other(&s, &present);
	/* The other output completes its line; until then this one waits. */
	assert_string_equal(sink_dir_content(&s.f, "out/a"), "line 1\nlin");
	assert_int_equal(s.f.sink->stats.recovered_bytes_total, 0);
	spill_dir_fini(&s);
}

static void an_output_prefers_its_own_note(void **state)
{
	(void)state;
	struct spill_dir s;
	const struct outputs present = {1, {SINK_ID_FIRST}};
	spill_dir_init(&s);
	sink_dir_close(&s.f);
	s.f.env.id = SINK_ID_FIRST;
	s.f.env.has_sink = has_sink;
	s.f.env.router = &present;
	spill_dir_open(&s);
	run_and_kill(run_batch, &s);
	/* An output that was removed noted other lines later. */
	s.left->notes[s.left->count] = s.left->notes[0];
	s.left->notes[s.left->count].sink = OTHER_ID;
	s.left->notes[s.left->count].offset_bytes = LINE_BYTES + 3;
	s.left->count++;
	spill_dir_restart(&s);
	sink_dir_put(&s.f, "a", "line 1");
	sink_dir_put(&s.f, "a", "line 2");
	sink_dir_flush(&s.f);
	assert_string_equal(sink_dir_content(&s.f, "out/a"), all_lines);
	spill_dir_fini(&s);
}

static void run_line_2(void *data)
{
	struct spill_dir *s = data;
	sink_dir_put(&s->f, "a", "line 2");
	sink_dir_flush_only(&s->f);
}

static void a_spill_is_cut_by_the_output_that_takes_it_over(void **state)
{
	(void)state;
	struct spill_dir s;
	const struct outputs present = {2, {OTHER_ID, 0}};
	spill_dir_init(&s);
	spill_dir_block(&s, "a");
	sink_dir_put(&s.f, "a", "line 1");
	spill_dir_flush(&s);
	run_and_kill(run_line_2, &s);
	s.f.env.id = OTHER_ID;
	s.f.env.has_sink = has_sink;
	s.f.env.router = &present;
	spill_dir_restart(&s);
	sink_dir_put(&s.f, "a", "line 2");
	spill_dir_unblock(&s, "a");
	spill_dir_assert_written(&s, all_lines);
	spill_dir_assert_nothing_lost(&s);
	spill_dir_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_of_an_output_that_was_changed_is_found),
		cmocka_unit_test(a_note_of_another_output_is_left_to_it),
		cmocka_unit_test(an_output_prefers_its_own_note),
		cmocka_unit_test(
			a_spill_is_cut_by_the_output_that_takes_it_over),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
