/* SPDX-License-Identifier: Apache-2.0 */
#include "spill_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void spill_dir_open(struct spill_dir *s)
{
	struct err e;
	assert_true(sink_dir_try_open(
		&s->f, "    Path @/out\n    Follow_Symlinks on\n", false, &e));
}

void spill_dir_init(struct spill_dir *s)
{
	*s = (struct spill_dir){.left = share(sizeof *s->left),
				.committed = share(sizeof *s->committed)};
	sink_dir_init(&s->f);
	s->notes = crash_notes_access(s->left);
	s->f.env.notes = &s->notes;
	sink_dir_use_spills(&s->f, 64 * 1024 * 1024);
	spill_dir_open(s);
}

void spill_dir_fini(struct spill_dir *s)
{
	munmap(s->left, sizeof *s->left);
	munmap(s->committed, sizeof *s->committed);
	sink_dir_fini(&s->f);
}

/* As the pipeline does after each flush. */
static void settle(struct spill_dir *s)
{
	struct sink_moved found = {0};
	if (s->f.sink->ops->found(s->f.sink, &found))
		s->f.sink->ops->settle(s->f.sink, &(struct sink_moved){0});
}

void spill_dir_commit(struct spill_dir *s)
{
	settle(s);
	*s->committed = s->f.sink->stats;
	crash_notes_commit(s->left);
	sink_dir_commit(&s->f);
}

void spill_dir_flush(struct spill_dir *s)
{
	assert_int_equal(sink_dir_flush_only(&s->f), SINK_FLUSHED);
	spill_dir_commit(s);
}

unsigned spill_dir_flush_unspilled(struct spill_dir *s)
{
	unsigned blocked = 0;
	while (sink_dir_flush_only(&s->f) == SINK_BLOCKED)
		assert_true(++blocked < 100);
	spill_dir_commit(s);
	return blocked;
}

void spill_dir_restore(struct spill_dir *s)
{
	s->f.sink->ops->restore(s->f.sink, s->committed);
	settle(s);
}

void spill_dir_restart(struct spill_dir *s)
{
	if (s->f.sink != NULL)
		sink_dir_close(&s->f);
	crash_notes_restart(s->left);
	spill_dir_open(s);
	spill_dir_restore(s);
	assert_sink_adds_up(s->f.sink);
}

void spill_dir_block(struct spill_dir *s, const char *name)
{
	char below[64];
	snprintf(below, sizeof below, "out/%s", name);
	assert_int_equal(mkdir(sink_dir_path(&s->f, below), 0755), 0);
}

void spill_dir_unblock(struct spill_dir *s, const char *name)
{
	char below[64];
	snprintf(below, sizeof below, "out/%s", name);
	assert_int_equal(rmdir(sink_dir_path(&s->f, below)), 0);
	sink_dir_wait_s(&s->f, 10);
}

const char *spill_dir_only(struct spill_dir *s, const char *part, char name[64])
{
	DIR *dir = opendir(s->f.spills);
	struct dirent *entry;
	*name = '\0';
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, part) != NULL) {
			assert_string_equal(name, "");
			snprintf(name, 64, "spill/%.50s", entry->d_name);
		}
	if (dir != NULL)
		closedir(dir);
	return name;
}

bool spill_dir_has_spill(struct spill_dir *s)
{
	char name[64];
	return *spill_dir_only(s, ".spill", name) != '\0';
}

uint64_t spill_dir_size_of(struct spill_dir *s, const char *name)
{
	struct stat st;
	assert_int_equal(stat(sink_dir_path(&s->f, name), &st), 0);
	return (uint64_t)st.st_size;
}

void spill_dir_assert_written(struct spill_dir *s, const char *lines)
{
	/* The first flush drains the spill, and lines of this batch may be
	 * spilled after it; the second flush drains these. */
	spill_dir_flush(s);
	spill_dir_flush(s);
	assert_string_equal(sink_dir_content(&s->f, "out/a") + s->pad_bytes,
			    lines);
	assert_int_equal(s->f.sink->stats.lines_queued, 0);
	assert_int_equal(s->f.sink->stats.messages_queued, 0);
	assert_int_equal(s->f.sink->stats.lines_spilled, 0);
	assert_int_equal(s->f.sink->stats.messages_spilled, 0);
	assert_int_equal(s->f.sink->stats.spilled_bytes, 0);
	assert_false(spill_dir_has_spill(s));
}

void spill_batch_run(void *data)
{
	struct spill_batch *b = data;
	if (b->line != NULL)
		sink_dir_put(&b->s->f, "a", b->line);
	b->s->left->kill_in = b->kill_in;
	limit_file_size(b->cut_bytes);
	sink_dir_flush_only(&b->s->f);
}

void spill_dir_spill_three(struct spill_dir *s)
{
	spill_dir_init(s);
	spill_dir_block(s, "a");
	sink_dir_put(&s->f, "a", "line 1");
	spill_dir_flush(s);
	sink_dir_put(&s->f, "a", "line 2");
	sink_dir_put(&s->f, "a", "line 3");
	spill_dir_flush(s);
	spill_dir_only(s, ".spill", s->name);
	spill_dir_unblock(s, "a");
}

void spill_dir_hide(struct spill_dir *s, const char *name)
{
	sink_dir_move(&s->f, name, "hidden");
	assert_int_equal(mkdir(sink_dir_path(&s->f, name), 0755), 0);
}

void spill_dir_show(struct spill_dir *s, const char *name)
{
	assert_int_equal(rmdir(sink_dir_path(&s->f, name)), 0);
	sink_dir_move(&s->f, "hidden", name);
	sink_dir_wait_s(&s->f, 1);
}

void spill_dir_copy(struct spill_dir *s, const char *from, const char *to)
{
	char source[128];
	snprintf(source, sizeof source, "%s", sink_dir_path(&s->f, from));
	file_copy(source, sink_dir_path(&s->f, to));
}

void spill_dir_assert_nothing_lost(struct spill_dir *s)
{
	char name[64];
	assert_string_equal(spill_dir_only(s, ".damaged", name), "");
	assert_int_equal(
		s->f.sink->stats.lines_dropped_total[DROP_write_failed], 0);
}
