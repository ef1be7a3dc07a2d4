/* SPDX-License-Identifier: Apache-2.0 */
/* Format template: text with {key} and {time} in it, byte for byte what
 * Fluent Bit writes, except that a control character inside a value is
 * escaped.
 *
 *     {time} {vhost} "{uri}"     compiled at open into a list of parts:
 *     TIME | " " | KEY vhost | " \"" | KEY uri | "\""
 *
 * A key that the record has not is printed as it stands, braces included. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "output/format.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/record.h"
#include "record/value.h"

enum part_kind { PART_TEXT, PART_TIME, PART_KEY };

struct part {
	enum part_kind kind;
	struct span text; /* into the template; a key without its braces */
};

struct template
{
	struct format format;
	char *text;
	struct part *parts;
	size_t part_count;
};

static void add_part(struct template *t, enum part_kind kind, const char *from,
		     const char *end)
{
	if (kind == PART_TEXT && from == end)
		return;
	t->parts = mem_grow(t->parts, t->part_count + 1, sizeof *t->parts);
	t->parts[t->part_count++] = (struct part){
		.kind = kind,
		.text = span_make(from, (size_t)(end - from)),
	};
}

/* Fluent Bit compares with strncmp(key, "time", length of key), so that every
 * beginning of the word, {} included, is the time too. */
static bool is_time(const char *key, const char *end)
{
	size_t len = (size_t)(end - key);
	return len <= strlen("time") && memcmp(key, "time", len) == 0;
}

/* A brace that is opened twice starts anew ("{a{b}" is the text "{a" and the
 * key b); one that is never closed, or never opened, is text. */
static void compile(struct template *t)
{
	const char *from = t->text, *brace = NULL, *at = t->text;
	for (; *at != '\0'; at++) {
		if (*at == '{') {
			brace = at;
		} else if (*at == '}' && brace != NULL) {
			const char *key = brace + 1;
			add_part(t, PART_TEXT, from, brace);
			add_part(t, is_time(key, at) ? PART_TIME : PART_KEY,
				 key, at);
			from = at + 1;
			brace = NULL;
		}
	}
	add_part(t, PART_TEXT, from, at);
}

static void put_key(struct buf *out, const struct record *r, struct span key,
		    enum format_escape escape)
{
	const struct value *v = record_first(r, key);
	if (v == NULL) /* with the braces, which stand around it */
		buf_put(out, key.ptr - 1, key.len + 2);
	else if (v->type == VALUE_STRING)
		format_put_text(out, v->string, escape);
	else
		format_put_value(out, v, escape);
}

static struct format *open_template(struct conf_section *s, struct err *e)
{
	const char *text = "{time} {message}";
	if (!conf_get_text(s, "Template", &text, e))
		return NULL;
	if (strchr(text, '\n') != NULL) { /* from an ${ENV} */
		conf_err_key(s, "Template", e,
			     "the template has a line break: a record is one "
			     "line");
		return NULL;
	}
	struct template *t = mem_new(1, sizeof *t);
	t->text = mem_text(text);
	compile(t);
	return &t->format;
}

static void render_template(struct format *f, const struct record *r,
			    struct buf *out)
{
	const struct template *t = (const struct template *)f;
	enum format_escape escape = f->is_raw ? FORMAT_RAW : FORMAT_LINE;
	for (size_t i = 0; i < t->part_count; i++) {
		const struct part *p = &t->parts[i];
		switch (p->kind) {
		case PART_TEXT:
			buf_put_span(out, p->text);
			break;
		case PART_TIME:
			format_put_time(out, r->time_ns);
			break;
		case PART_KEY:
			put_key(out, r, p->text, escape);
			break;
		}
	}
	buf_put_char(out, '\n');
}

static void close_template(struct format *f)
{
	struct template *t = (struct template *)f;
	free(t->parts);
	free(t->text);
	free(t);
}

const struct format_ops format_template_ops = {
	.name = "template",
	.open = open_template,
	.render = render_template,
	.close = close_template,
};
