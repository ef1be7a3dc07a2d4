/* SPDX-License-Identifier: Apache-2.0 */
/* spilling - a file sink with a spill, and the process before it.
 *
 * A file cannot be written when a directory has its place; a spill cannot be
 * opened for the same reason. */
#ifndef SPILLING_H
#define SPILLING_H

#include "sink_dir.h"

#include "crash_notes.h"

struct spilling {
	struct fixture f;
	struct append_notes notes;
	struct crash_notes *left;
	struct sink_stats *committed; /* as of the last commit; shared */
	char dir[96];
	size_t pad_bytes; /* what the file out/a had from the start */
};

enum { PAD_BYTES = 1024 };

static inline void open_sink(struct spilling *s)
{
	struct err e;
	assert_true(open_in(&s->f, "    Path @/out\n    Follow_Symlinks on\n",
			    false, &e));
}

static inline void make_spilling(struct spilling *s)
{
	*s = (struct spilling){.left = share(sizeof *s->left),
			       .committed = share(sizeof *s->committed)};
	make_dir(&s->f);
	s->notes = (struct append_notes){s->left, crash_note, crash_find};
	s->f.env.notes = &s->notes;
	snprintf(s->dir, sizeof s->dir, "%s", path(&s->f, "spill"));
	s->f.env.spill_dir = s->dir;
	s->f.env.spill_bytes_max = 64 * 1024 * 1024;
	open_sink(s);
}

static inline void end(struct spilling *s)
{
	munmap(s->left, sizeof *s->left);
	munmap(s->committed, sizeof *s->committed);
	close_all(&s->f);
}

static inline void commit_all(struct spilling *s)
{
	*s->committed = s->f.sink->stats;
	crash_notes_commit(s->left);
	commit(&s->f);
}

static inline void flush_and_commit(struct spilling *s)
{
	assert_int_equal(flush_only(&s->f), SINK_FLUSHED);
	commit_all(s);
}

/* The next process, with the counters of the last commit. */
static inline void restart(struct spilling *s)
{
	if (s->f.sink != NULL)
		close_sink(&s->f);
	crash_notes_restart(s->left);
	open_sink(s);
	s->f.sink->ops->restore(s->f.sink, s->committed);
	assert_laws(s->f.sink);
}

static inline void block(struct spilling *s, const char *name)
{
	char below[64];
	snprintf(below, sizeof below, "out/%s", name);
	assert_int_equal(mkdir(path(&s->f, below), 0755), 0);
}

static inline void unblock(struct spilling *s, const char *name)
{
	char below[64];
	snprintf(below, sizeof below, "out/%s", name);
	assert_int_equal(rmdir(path(&s->f, below)), 0);
	wait_s(&s->f, 10);
}

/* The name of the only spill, below the directory; "" when there is none. */
static inline const char *only(struct spilling *s, const char *end_of_name,
			       char name[64])
{
	DIR *dir = opendir(s->dir);
	struct dirent *entry;
	*name = '\0';
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, end_of_name) != NULL) {
			assert_string_equal(name, "");
			snprintf(name, 64, "spill/%.50s", entry->d_name);
		}
	if (dir != NULL)
		closedir(dir);
	return name;
}

static inline bool has_spill(struct spilling *s)
{
	char name[64];
	return *only(s, ".spill", name) != '\0';
}

static inline uint64_t size_of(struct spilling *s, const char *name)
{
	struct stat st;
	assert_int_equal(stat(path(&s->f, name), &st), 0);
	return (uint64_t)st.st_size;
}

static inline void assert_all_written(struct spilling *s, const char *lines)
{
	flush_and_commit(s); /* a spill of this batch is drained behind it */
	flush_and_commit(s);
	assert_string_equal(content(&s->f, "out/a") + s->pad_bytes, lines);
	assert_int_equal(s->f.sink->stats.lines_queued, 0);
	assert_int_equal(s->f.sink->stats.messages_queued, 0);
	assert_int_equal(s->f.sink->stats.lines_spilled, 0);
	assert_int_equal(s->f.sink->stats.messages_spilled, 0);
	assert_int_equal(s->f.sink->stats.spilled_bytes, 0);
	assert_false(has_spill(s));
}

struct batch {
	struct spilling *s;
	const char *line;
	rlim_t cut_bytes;
	size_t kill_in;
};

static inline void run_batch(void *data)
{
	struct batch *b = data;
	if (b->line != NULL)
		put(&b->s->f, "a", b->line);
	b->s->left->kill_in = b->kill_in;
	limit_file_size(b->cut_bytes);
	flush_only(&b->s->f);
}

static const char three[] = "line 1\nline 2\nline 3\n";

static inline void spill_three(struct spilling *s)
{
	make_spilling(s);
	block(s, "a");
	put(&s->f, "a", "line 1");
	flush_and_commit(s);
	put(&s->f, "a", "line 2");
	put(&s->f, "a", "line 3");
	flush_and_commit(s);
	unblock(s, "a");
}

/* As one that the disk does not give back: open() fails. */
static inline void hide(struct spilling *s, const char *name)
{
	move(&s->f, name, "hidden");
	assert_int_equal(mkdir(path(&s->f, name), 0755), 0);
}

static inline void show(struct spilling *s, const char *name)
{
	assert_int_equal(rmdir(path(&s->f, name)), 0);
	move(&s->f, "hidden", name);
	wait_s(&s->f, 1);
}

static inline void copy_file(struct spilling *s, const char *from,
			     const char *to)
{
	struct buf command = {0};
	buf_printf(&command, "cp %s/%s %s/%s", s->f.dir, from, s->f.dir, to);
	assert_int_equal(system(buf_text(&command)), 0);
	buf_fini(&command);
}

static inline void assert_nothing_called_lost(struct spilling *s)
{
	char name[64];
	assert_string_equal(only(s, ".damaged", name), "");
	assert_int_equal(
		s->f.sink->stats.lines_dropped_total[DROP_write_failed], 0);
}

#endif
