/* SPDX-License-Identifier: Apache-2.0 */
#include "file/dead_letter.h"

#include <limits.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "file/file_cache.h"
#include "file/file_error.h"
#include "file/file_lock.h"
#include "file/file_path.h"
#include "file/file_restore.h"
#include "file/output_file.h"
#include "file/spill.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

struct dead_letter {
	struct sink_stats stats;
	struct file_env env;
	struct spill_dir spills;
	struct file_restore restore;
	/* It has more files only if an earlier process used another path and
	 * left a spill for it. */
	struct file_cache *files;
	struct output_file *output_file; /* always waits in the cache */
	struct log_rate full_rate;
};

static bool check_path(const char *path, char good[static PATH_MAX],
		       struct err *e)
{
	const char *wrong = file_path_make(SPAN(""), span_of(path), true, good);
	return wrong == NULL ||
	       err_set(e, "\"%s\" is not a valid path of a file: %s", path,
		       wrong);
}

bool dead_letter_try(const char *path, struct err *e)
{
	char good[PATH_MAX];
	if (!check_path(path, good, e))
		return false;
	int error = file_path_try(good, file_path_fixed_root(good).len, true);
	if (error == 0)
		return true;
	err_set(e, "%s cannot be written: %s", path, file_error_text(error));
	e->exit_code = EXIT_CODE_SYSTEM;
	return false;
}

/* Other outputs do not wait for dead letters. */
static void set_env(struct dead_letter *d, const struct dead_letter_opts *opts)
{
	d->env = (struct file_env){
		.lock = file_lock_new(),
		.stats = &d->stats,
		.mkdir = true,
		.has_others = true,
		.notes = opts->notes,
		.sink = opts->id,
		.write_back = opts->write_back,
		.spills = opts->spill_dir != NULL ? &d->spills : NULL,
	};
	d->spills = (struct spill_dir){
		.path = opts->spill_dir,
		.bytes_max = opts->spill_bytes_max,
		.sink_name = DEAD_LETTER_NAME,
		.owners = opts->spill_owners,
		.stats = &d->stats,
		.env = {.stats = &d->spills.own_stats,
			.notes = opts->notes,
			.sink = opts->id,
			.write_back = opts->write_back},
	};
}

struct dead_letter *dead_letter_open(const struct dead_letter_opts *opts,
				     struct err *e)
{
	char good[PATH_MAX];
	struct err why = {0};
	if (!check_path(opts->path, good, e))
		return NULL;
	if (!dead_letter_try(opts->path, &why))
		log_line(LOG_WARN, "dead_letter",
			 "path=\"%s\" err=\"%s\" action=\"keeping dead letters "
			 "until it can be written\"",
			 good, why.text);
	struct dead_letter *d = mem_new(1, sizeof *d);
	set_env(d, opts);
	d->files = file_cache_new(&d->env, 1);
	d->output_file =
		file_cache_add(d->files, good, strlen(good))->output_file;
	d->env.root = file_path_fixed_root(d->output_file->path);
	d->restore =
		(struct file_restore){.files = d->files, .spills = &d->spills};
	return d;
}

void dead_letter_close(struct dead_letter *d)
{
	if (d == NULL)
		return;
	file_cache_free(d->files);
	spill_dir_free(&d->spills);
	file_lock_free(d->env.lock);
	free(d);
}

/* json_write_string writes \u only for bytes that are not UTF-8, which would be
 * lost, and for control characters without a shorter escape (base/utf8.h also
 * counts some above U+007F as such). */
static bool is_text(struct span written)
{
	for (size_t i = 0; i < written.len; i++)
		if (written.ptr[i] == '\\' && written.ptr[++i] == 'u')
			return false;
	return true;
}

static void put_raw(struct buf *b, struct span raw)
{
	size_t start = b->len;
	buf_put_text(b, "\"raw\":");
	size_t text = b->len;
	json_write_string(b, raw);
	if (is_text(span_make(b->ptr + text, b->len - text)))
		return;
	b->len = start;
	buf_put_text(b, "\"raw_base64\":\"");
	size_t room_bytes = (raw.len + 2) / 3 * 4 + 1; /* with its NUL */
	char *room = buf_reserve(b, room_bytes);
	int len = b64_ntop((const unsigned char *)raw.ptr, raw.len, room,
			   room_bytes);
	CHECK(len >= 0);
	b->len += (size_t)len;
	buf_put_char(b, '"');
}

static bool refuse(struct dead_letter *d)
{
	d->stats.lines_total++;
	d->stats.lines_dropped_total[DROP_write_failed]++;
	log_rated(&d->full_rate, LOG_ERROR, "dead_letter",
		  "path=\"%s\" err=\"cannot be written, and too many dead "
		  "letters wait\" spilled_bytes=%llu in_memory_bytes=%zu "
		  "dropped=%llu action=\"dropping the dead letter\"",
		  d->output_file->path,
		  (unsigned long long)d->stats.spilled_bytes,
		  d->output_file->lines.len,
		  (unsigned long long)
			  d->stats.lines_dropped_total[DROP_write_failed]);
	return false;
}

/* If spilling fails for a long time, dead letters wait in memory. */
static bool is_full(const struct dead_letter *d, size_t more_bytes)
{
	size_t in_memory = d->output_file->lines.len;
	if (d->env.spills != NULL && !d->spills.is_broken)
		return d->stats.spilled_bytes + in_memory >=
		       d->spills.bytes_max;
	return in_memory + more_bytes > DEAD_LETTER_WAITING_BYTES;
}

bool dead_letter_put(struct dead_letter *d, const struct message *m,
		     const char *input, const char *reason)
{
	file_restore(&d->restore, NULL);
	struct output_file *o = d->output_file;
	if (output_file_is_held(o) && output_file_may_refuse(o) &&
	    is_full(d, m->bytes.len))
		return refuse(d);
	struct buf *b = &o->lines;
	buf_put_text(b, "{\"time\":\"");
	rfc3339_put(b, m->arrival_ns);
	buf_put_text(b, "\",\"input\":");
	json_write_string(b, span_of(input));
	buf_put_text(b, ",\"reason\":");
	json_write_string(b, span_of(reason));
	buf_put_char(b, ',');
	put_raw(b, m->bytes);
	buf_put_text(b, "}\n");
	output_file_added(o, true);
	return true;
}

enum sink_flush dead_letter_flush(struct dead_letter *d, int64_t now_mono_ns)
{
	enum sink_flush answer = SINK_FLUSHED;
	file_restore(&d->restore, NULL);
	if (!file_restore_rest(&d->restore, now_mono_ns))
		return SINK_BLOCKED;
	output_files_begin_flush(&d->env, now_mono_ns);
	struct cached_file *f = file_cache_waiting(d->files, NULL), *next;
	for (; f != NULL; f = next) {
		struct output_file *o = f->output_file;
		next = file_cache_waiting(d->files, f);
		if (output_file_flush(o, now_mono_ns) == APPEND_BLOCKED)
			answer = SINK_BLOCKED;
		if (o != d->output_file && !output_file_waits(o))
			file_cache_rest(d->files, f, now_mono_ns);
	}
	file_cache_tidy(d->files, now_mono_ns);
	return answer;
}

void dead_letter_committed(struct dead_letter *d)
{
	struct cached_file *f = NULL;
	while ((f = file_cache_waiting(d->files, f)) != NULL)
		output_file_committed(f->output_file);
}

static void log_lost(const struct dead_letter *d, uint64_t lost)
{
	if (lost > 0)
		log_line(
			LOG_ERROR, "dead_letter",
			"path=\"%s\" lost=%llu err=\"dead letters were neither "
			"written nor spilled before the worker had to end\" "
			"action=\"counting them as dropped\"",
			d->output_file->path, (unsigned long long)lost);
}

void dead_letter_drop_buffered(struct dead_letter *d)
{
	log_lost(d, d->output_file->answers.len);
	output_file_drop(d->output_file, 0);
}

void dead_letter_reopen(struct dead_letter *d)
{
	file_cache_each(d->files, output_file_reopen);
}

const struct sink_stats *dead_letter_stats(const struct dead_letter *d)
{
	return &d->stats;
}

void dead_letter_restore(struct dead_letter *d, const struct sink_stats *before)
{
	file_restore(&d->restore, before);
}

bool dead_letter_found(struct dead_letter *d, struct sink_moved *found)
{
	return file_restore_found(&d->restore, found);
}

void dead_letter_settle(struct dead_letter *d, struct sink_moved *moved)
{
	file_restore_settle(&d->restore, moved);
}

/* NULL if the record has no such string. */
static const struct span *text_of(const struct record *r, struct span key)
{
	const struct value *v = record_last(r, key);
	return v != NULL && v->type == VALUE_STRING ? &v->string : NULL;
}

static bool read_base64(struct arena *a, struct span text, struct span *out)
{
	char *copy = arena_take(a, text.len + 1);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	size_t room_bytes = text.len / 4 * 3 + 3;
	unsigned char *room = arena_take(a, room_bytes);
	int len = strlen(copy) == text.len ? b64_pton(copy, room, room_bytes)
					   : -1;
	if (len < 0)
		return false;
	*out = span_make((const char *)room, (size_t)len);
	return true;
}

static const char *why_not(enum json_verdict verdict)
{
	switch (verdict) {
	case JSON_CUT:
		return "it is truncated";
	case JSON_NO_OBJECT:
		return "it is not one JSON object";
	case JSON_TOO_DEEP:
	case JSON_BROKEN:
		return "it is not JSON";
	case JSON_READ:
		break;
	}
	return NULL;
}

const char *dead_letter_read(struct json_reader *json, struct span line,
			     struct record *room, struct letter *letter)
{
	const char *wrong = why_not(json_read(json, line, room));
	if (wrong != NULL)
		return wrong;
	const struct span *input = text_of(room, SPAN("input"));
	const struct span *raw = text_of(room, SPAN("raw"));
	const struct span *base64 = text_of(room, SPAN("raw_base64"));
	*letter = (struct letter){0};
	if (input != NULL)
		letter->input = *input;
	if (raw != NULL)
		letter->raw = *raw;
	else if (base64 == NULL)
		return "it has neither \"raw\" nor \"raw_base64\"";
	else if (!read_base64(room->arena, *base64, &letter->raw))
		return "its \"raw_base64\" is not base64";
	return NULL;
}
