/* SPDX-License-Identifier: Apache-2.0 */
#include "file/dead_letter.h"

#include <limits.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "file/file_lock.h"
#include "file/file_path.h"
#include "file/output_file.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

struct dead_letter {
	struct sink_stats stats;
	struct file_env env;
	struct output_file *output_file;
	bool is_failing;	  /* at the last flush */
	int64_t blocked_since_ns; /* 0: not blocked */
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
	int error = file_path_try(good, true);
	return error == 0 || err_sys(e, error, "%s cannot be written", path);
}

struct dead_letter *dead_letter_open(const char *path,
				     const struct append_notes *notes,
				     uint32_t number, struct err *e)
{
	char good[PATH_MAX];
	struct err why = {0};
	if (!check_path(path, good, e))
		return NULL;
	if (!dead_letter_try(path, &why))
		log_line(LOG_WARN, "dead_letter",
			 "path=\"%s\" err=\"%s\" action=\"keeping dead letters "
			 "in memory, retrying\"",
			 good, why.text);
	struct dead_letter *d = mem_new(1, sizeof *d);
	d->env = (struct file_env){
		.lock = file_lock_new(),
		.stats = &d->stats,
		.mkdir = true,
		.notes = notes,
		.sink = number,
	};
	d->output_file = output_file_new(good, &d->env);
	return d;
}

void dead_letter_close(struct dead_letter *d)
{
	if (d == NULL)
		return;
	output_file_free(d->output_file);
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
		  "letters wait\" waiting_bytes=%zu dropped=%llu "
		  "action=\"dropping the dead letter\"",
		  d->output_file->path, d->output_file->lines.len,
		  (unsigned long long)
			  d->stats.lines_dropped_total[DROP_write_failed]);
	return false;
}

bool dead_letter_put(struct dead_letter *d, const struct message *m,
		     const char *input, const char *reason)
{
	struct buf *b = &d->output_file->lines;
	if (d->is_failing && b->len + m->bytes.len > DEAD_LETTER_WAITING_BYTES)
		return refuse(d);
	buf_put_text(b, "{\"time\":\"");
	rfc3339_put(b, m->arrival_ns);
	buf_put_text(b, "\",\"input\":");
	json_write_string(b, span_of(input));
	buf_put_text(b, ",\"reason\":");
	json_write_string(b, span_of(reason));
	buf_put_char(b, ',');
	put_raw(b, m->bytes);
	buf_put_text(b, "}\n");
	output_file_added(d->output_file, true);
	return true;
}

enum sink_flush dead_letter_flush(struct dead_letter *d, int64_t now_mono_ns)
{
	enum append_result answer =
		output_file_flush(d->output_file, now_mono_ns);
	d->is_failing = answer != APPENDED;
	if (answer != APPEND_BLOCKED)
		d->blocked_since_ns = 0;
	else if (d->blocked_since_ns == 0)
		d->blocked_since_ns = now_mono_ns;
	bool holds = answer == APPEND_BLOCKED &&
		     now_mono_ns - d->blocked_since_ns <
			     DEAD_LETTER_HOLD_S * NS_PER_S;
	return holds ? SINK_BLOCKED : SINK_FLUSHED;
}

void dead_letter_committed(struct dead_letter *d)
{
	output_file_committed(d->output_file);
}

void dead_letter_drop_buffered(struct dead_letter *d)
{
	output_file_drop(d->output_file, 0);
}

void dead_letter_reopen(struct dead_letter *d)
{
	output_file_reopen(d->output_file);
}

const struct sink_stats *dead_letter_stats(const struct dead_letter *d)
{
	return &d->stats;
}

void dead_letter_restore(struct dead_letter *d, const struct sink_stats *from)
{
	struct sink_stats *s = &d->stats;
	*s = *from;
	s->lines_dropped_total[DROP_write_failed] += s->lines_queued;
	s->messages_dropped_total[DROP_write_failed] += s->messages_queued;
	s->lines_queued = s->messages_queued = s->files_open = 0;
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
