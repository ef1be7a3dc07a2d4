/* SPDX-License-Identifier: Apache-2.0 */
/* sink_dir - a file sink in a directory of its own, for the tests of it.
 *
 * Each helper that calls the sink asserts the two laws of sink.h; closing
 * asserts that no descriptor is left. */
#ifndef SINK_DIR_H
#define SINK_DIR_H

#include "unit.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "output/kinds.h"
#include "record/record.h"
#include "setup/plugins.h"

#define START_NS (1000 * NS_PER_S)

struct fixture {
	char dir[64];
	const char *format; /* its keys; NULL: the message alone */
	struct sink_env env;
	struct conf *conf;
	struct sink *sink;
	struct arena *arena;
	struct buf text; /* of the last path() or content() */
	int64_t now_ns;
	size_t fds;
};

/* What must hold after every call. */
static inline void assert_laws(const struct sink *sink)
{
	const struct sink_stats *s = &sink->stats;
	uint64_t lines = s->lines_written_total + s->lines_queued;
	uint64_t messages = s->messages_written_total + s->messages_queued;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++) {
		lines += s->lines_dropped_total[i];
		messages += s->messages_dropped_total[i];
	}
	assert_int_equal(s->lines_total, lines);
	assert_int_equal(s->messages_total, messages);
}

static inline size_t count_fds(void)
{
	size_t count = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

static inline bool open_in(struct fixture *f, const char *keys, bool dry_run,
			   struct err *e)
{
	f->env.conf_dir = ".";
	f->env.name = "file.0";
	f->env.dry_run = dry_run;
	struct buf text = {0};
	buf_printf(&text, "[OUTPUT]\n%s",
		   f->format != NULL ? f->format
				     : "    Format template\n"
				       "    Template {message}\n");
	for (; *keys != '\0'; keys++) /* @ is the directory */
		if (*keys == '@')
			buf_put_text(&text, f->dir);
		else
			buf_put_char(&text, *keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	assert_non_null(f->conf);
	buf_fini(&text);
	struct conf_section *s = conf_section(f->conf, 0);
	f->sink = file_sink_ops.open(s, &f->env, e);
	if (f->sink == NULL)
		return false;
	f->sink->ops = &file_sink_ops;
	return conf_section_end(s, e);
}

static inline void make_dir(struct fixture *f)
{
	*f = (struct fixture){.now_ns = START_NS, .fds = count_fds()};
	snprintf(f->dir, sizeof f->dir, "/tmp/file_sink.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->arena = arena_new(4096);
}

static inline void open_with(struct fixture *f, const char *keys)
{
	struct err e;
	make_dir(f);
	assert_true(open_in(f, keys, false, &e));
}

static inline void close_sink(struct fixture *f)
{
	if (f->sink != NULL)
		f->sink->ops->close(f->sink);
	f->sink = NULL;
	assert_int_equal(count_fds(), f->fds);
	conf_free(f->conf);
	f->conf = NULL;
}

static inline void close_all(struct fixture *f)
{
	close_sink(f);
	struct buf command = {0};
	buf_printf(&command, "rm -rf %s", f->dir);
	assert_int_equal(system(buf_text(&command)), 0);
	buf_fini(&command);
	buf_fini(&f->text);
	arena_free(f->arena);
}

/* A path below the directory; valid until the next. */
static inline const char *path(struct fixture *f, const char *name)
{
	buf_clear(&f->text);
	buf_printf(&f->text, "%s/%s", f->dir, name);
	return buf_text(&f->text);
}

static inline const char *content(struct fixture *f, const char *name)
{
	FILE *file = fopen(path(f, name), "r");
	if (file == NULL)
		return "(no file)";
	buf_clear(&f->text);
	char piece[4096];
	size_t n;
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_put(&f->text, piece, n);
	fclose(file);
	return buf_text(&f->text);
}

static inline void write_file(struct fixture *f, const char *name,
			      const char *text)
{
	FILE *file = fopen(path(f, name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void move(struct fixture *f, const char *from, const char *to)
{
	char old[128];
	snprintf(old, sizeof old, "%s", path(f, from));
	assert_int_equal(rename(old, path(f, to)), 0);
}

static inline bool exists(struct fixture *f, const char *name)
{
	struct stat st;
	return stat(path(f, name), &st) == 0;
}

static inline bool put_span(struct fixture *f, struct span tag,
			    struct span message, bool answers,
			    enum drop_reason *reason)
{
	arena_reset(f->arena);
	struct record *r = record_new(f->arena, NULL, tag, 1);
	record_add(r, SPAN("message"), value_string(message));
	bool taken = f->sink->ops->put(f->sink, r, answers, reason);
	assert_laws(f->sink);
	return taken;
}

static inline void put(struct fixture *f, const char *tag, const char *message)
{
	enum drop_reason reason;
	assert_true(put_span(f, span_of(tag), span_of(message), true, &reason));
}

/* The tag is a path below the directory. */
static inline void put_at(struct fixture *f, const char *name,
			  const char *message)
{
	char tag[PATH_MAX];
	snprintf(tag, sizeof tag, "%s/%s", f->dir, name);
	put(f, tag, message);
}

/* As far as a process comes that is killed before the commit. */
static inline enum sink_flush flush_only(struct fixture *f)
{
	enum sink_flush answer = f->sink->ops->flush(f->sink, f->now_ns);
	assert_laws(f->sink);
	return answer;
}

static inline void commit(struct fixture *f)
{
	f->sink->ops->committed(f->sink);
	assert_laws(f->sink);
}

static inline enum sink_flush flush(struct fixture *f)
{
	enum sink_flush answer = flush_only(f);
	if (answer == SINK_FLUSHED)
		commit(f);
	return answer;
}

static inline void flush_all(struct fixture *f)
{
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(f->sink->stats.lines_queued, 0);
}

static inline void abandon(struct fixture *f)
{
	f->sink->ops->abandon(f->sink);
	assert_laws(f->sink);
	assert_int_equal(f->sink->stats.lines_queued, 0);
	assert_int_equal(f->sink->stats.messages_queued, 0);
}

static inline void wait_s(struct fixture *f, int64_t s)
{
	f->now_ns += s * NS_PER_S;
}

static inline int be_quiet(void **state)
{
	(void)state;
	struct err e;
	return log_open(NULL, LOG_OFF, &e) ? 0 : -1;
}

#endif
