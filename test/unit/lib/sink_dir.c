/* SPDX-License-Identifier: Apache-2.0 */
#include "sink_dir.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "conf/conf_keys.h"
#include "file/spill_owners.h"
#include "record/record.h"
#include "setup/plugins.h"

void assert_stats_add_up(const struct sink_stats *s)
{
	uint64_t lines = s->lines_written_total + s->lines_queued;
	uint64_t messages = s->messages_written_total + s->messages_queued;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++) {
		lines += s->lines_dropped_total[i];
		messages += s->messages_dropped_total[i];
	}
	assert_int_equal(s->lines_total, lines);
	assert_int_equal(s->messages_total, messages);
}

void assert_sink_adds_up(const struct sink *sink)
{
	assert_stats_add_up(&sink->stats);
}

bool sink_dir_try_open(struct sink_dir *d, const char *keys, bool dry_run,
		       struct err *e)
{
	d->env.conf_dir = ".";
	d->env.name = "file.0";
	d->env.dry_run = dry_run;
	if (d->env.spill_owners == NULL)
		d->env.spill_owners = spill_owners_new();
	struct buf text = {0};
	buf_printf(&text, "[OUTPUT]\n%s",
		   d->format != NULL ? d->format
				     : "    Format template\n"
				       "    Template {message}\n");
	for (; *keys != '\0'; keys++) /* @ becomes the directory */
		if (*keys == '@')
			buf_put_text(&text, d->dir);
		else
			buf_put_char(&text, *keys);
	d->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	assert_non_null(d->conf);
	buf_fini(&text);
	struct conf_section *s = conf_section(d->conf, 0);
	conf_declare(s, file_sink_ops.keys);
	d->sink = file_sink_ops.open(s, &d->env, e);
	if (d->sink == NULL)
		return false;
	d->sink->ops = &file_sink_ops;
	return conf_section_end(s, e);
}

void sink_dir_init(struct sink_dir *d)
{
	*d = (struct sink_dir){.now_ns = START_NS, .fds = count_fds()};
	assert_true(temp_dir_make(d->dir, "/tmp", "file_sink"));
	d->arena = arena_new(4096);
}

void sink_dir_use_spills(struct sink_dir *d, size_t bytes_max)
{
	snprintf(d->spills, sizeof d->spills, "%s", sink_dir_path(d, "spill"));
	d->env.spill_dir = d->spills;
	d->env.spill_bytes_max = bytes_max;
}

void sink_dir_open(struct sink_dir *d, const char *keys)
{
	struct err e;
	sink_dir_init(d);
	assert_true(sink_dir_try_open(d, keys, false, &e));
}

void sink_dir_close(struct sink_dir *d)
{
	if (d->sink != NULL)
		d->sink->ops->close(d->sink);
	d->sink = NULL;
	spill_owners_free(d->env.spill_owners);
	d->env.spill_owners = NULL;
	assert_int_equal(count_fds(), d->fds);
	conf_free(d->conf);
	d->conf = NULL;
}

void sink_dir_fini(struct sink_dir *d)
{
	sink_dir_close(d);
	assert_int_equal(temp_dir_remove(d->dir), 0);
	buf_fini(&d->text);
	arena_free(d->arena);
}

const char *sink_dir_path(struct sink_dir *d, const char *name)
{
	buf_clear(&d->text);
	buf_printf(&d->text, "%s/%s", d->dir, name);
	return buf_text(&d->text);
}

const char *sink_dir_content(struct sink_dir *d, const char *name)
{
	struct buf bytes = {0};
	bool is_there = file_read(sink_dir_path(d, name), &bytes);
	buf_fini(&d->text);
	d->text = bytes;
	return is_there ? buf_text(&d->text) : "(no file)";
}

void sink_dir_write(struct sink_dir *d, const char *name, const char *text)
{
	file_write_text(sink_dir_path(d, name), text);
}

void sink_dir_move(struct sink_dir *d, const char *from, const char *to)
{
	char old[128];
	snprintf(old, sizeof old, "%s", sink_dir_path(d, from));
	assert_int_equal(rename(old, sink_dir_path(d, to)), 0);
}

bool sink_dir_exists(struct sink_dir *d, const char *name)
{
	struct stat st;
	return stat(sink_dir_path(d, name), &st) == 0;
}

bool sink_dir_put_span(struct sink_dir *d, struct span tag, struct span message,
		       bool answers, enum drop_reason *reason)
{
	arena_reset(d->arena);
	struct record *r = record_new(d->arena, NULL, tag, 1);
	record_add(r, SPAN("message"), value_string(message));
	bool taken = d->sink->ops->put(d->sink, r, answers, reason);
	assert_sink_adds_up(d->sink);
	return taken;
}

void sink_dir_put(struct sink_dir *d, const char *tag, const char *message)
{
	enum drop_reason reason;
	assert_true(sink_dir_put_span(d, span_of(tag), span_of(message), true,
				      &reason));
}

void sink_dir_put_at(struct sink_dir *d, const char *name, const char *message)
{
	char tag[PATH_MAX];
	snprintf(tag, sizeof tag, "%s/%s", d->dir, name);
	sink_dir_put(d, tag, message);
}

enum sink_flush sink_dir_flush_only(struct sink_dir *d)
{
	enum sink_flush answer = d->sink->ops->flush(d->sink, d->now_ns);
	assert_sink_adds_up(d->sink);
	return answer;
}

void sink_dir_commit(struct sink_dir *d)
{
	d->sink->ops->committed(d->sink);
	assert_sink_adds_up(d->sink);
}

enum sink_flush sink_dir_flush(struct sink_dir *d)
{
	enum sink_flush answer = sink_dir_flush_only(d);
	if (answer == SINK_FLUSHED)
		sink_dir_commit(d);
	return answer;
}

void sink_dir_flush_all(struct sink_dir *d)
{
	assert_int_equal(sink_dir_flush(d), SINK_FLUSHED);
	assert_int_equal(d->sink->stats.lines_queued, 0);
}

void sink_dir_drop_buffered(struct sink_dir *d)
{
	d->sink->ops->drop_buffered(d->sink);
	assert_sink_adds_up(d->sink);
	assert_int_equal(d->sink->stats.lines_queued, 0);
	assert_int_equal(d->sink->stats.messages_queued, 0);
}

void sink_dir_wait_s(struct sink_dir *d, int64_t s)
{
	d->now_ns += s * NS_PER_S;
}

int turn_log_off(void **state)
{
	(void)state;
	struct err e;
	return log_open(NULL, LOG_OFF, &e) ? 0 : -1;
}
