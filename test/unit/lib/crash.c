/* SPDX-License-Identifier: Apache-2.0 */
#include "crash.h"

#include <sys/mman.h>

const char all_lines[] = "line 1\nline 2\nline 3\n";

void crash_set_up(struct crash *c)
{
	*c = (struct crash){.cut_bytes = RLIM_INFINITY,
			    .left = share(sizeof *c->left),
			    .file = "a"};
	c->notes = crash_notes_access(c->left);
	sink_dir_init(&c->f);
	c->f.env.notes = &c->notes;
}

void crash_tear_down(struct crash *c)
{
	munmap(c->left, sizeof *c->left);
	sink_dir_fini(&c->f);
}

void crash_put(struct crash *c, const char *file)
{
	enum drop_reason reason;
	sink_dir_put(&c->f, file, "line 1");
	assert_true(sink_dir_put_span(&c->f, span_of(file), SPAN("line 2"),
				      false, &reason));
	sink_dir_put(&c->f, file, "line 3");
}

void crash_open_and_put(struct crash *c)
{
	struct err e;
	assert_true(sink_dir_try_open(&c->f, "    Path @\n", false, &e));
	crash_put(c, c->file);
}

void crash_run_batch(void *data)
{
	struct crash *c = data;
	crash_open_and_put(c);
	limit_file_size(c->cut_bytes);
	sink_dir_flush_only(&c->f);
}

void crash_restart(struct crash *c)
{
	crash_notes_restart(c->left);
	crash_open_and_put(c);
	sink_dir_flush_all(&c->f);
	crash_notes_commit(c->left);
	assert_int_equal(c->f.sink->stats.lines_written_total, 3);
	assert_int_equal(c->f.sink->stats.messages_written_total, 2);
}
