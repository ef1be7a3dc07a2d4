/* SPDX-License-Identifier: Apache-2.0 */
/* Format template: text that contains {key} and {time}.  The lines are
 * Fluent Bit's byte for byte, except that a control character inside a value is
 * escaped.
 *
 *     {time} {vhost} "{uri}"     compiled at open into a list of parts:
 *     "" TIME | " " KEY vhost | " \"" KEY uri | "\""
 *
 * If the record lacks the key, {key} is printed unchanged, with its braces. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "output/format.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/record.h"
#include "record/value.h"

enum template_part_kind { PART_TEXT, PART_TIME, PART_KEY };

struct template_part {	  /* the spans point into the template */
	struct span text; /* before the time or the value */
	enum template_part_kind kind;
	struct span key; /* PART_KEY, without its braces */
	size_t place;	 /* see record_first_at */
};

struct template
{
	struct format format;
	char *text;
	struct template_part *parts;
	size_t part_count;
};

static struct span span_between(const char *from, const char *end)
{
	return span_make(from, (size_t)(end - from));
}

static struct template_part *add_part(struct template *t, struct span text)
{
	t->parts = mem_grow(t->parts, t->part_count + 1, sizeof *t->parts);
	struct template_part *p = &t->parts[t->part_count++];
	*p = (struct template_part){.text = text};
	return p;
}

/* Fluent Bit compares with strncmp(key, "time", length of key), so every
 * beginning of the word, even {}, means the time. */
static bool is_time(struct span key)
{
	return key.len <= strlen("time") &&
	       memcmp(key.ptr, "time", key.len) == 0;
}

/* A second opening brace replaces the first one: "{a{b}" is the text "{a" and
 * the key b.  An unmatched brace is text. */
static void compile(struct template *t)
{
	const char *from = t->text, *brace = NULL, *at = t->text;
	for (; *at != '\0'; at++) {
		if (*at == '{') {
			brace = at;
		} else if (*at == '}' && brace != NULL) {
			struct template_part *p =
				add_part(t, span_between(from, brace));
			p->key = span_between(brace + 1, at);
			p->kind = is_time(p->key) ? PART_TIME : PART_KEY;
			from = at + 1;
			brace = NULL;
		}
	}
	add_part(t, span_between(from, at));
}

/* Mostly one or two blanks, for which a loop is cheaper than a call. */
static void put_text(struct buf *out, struct span text)
{
	if (text.len > 4)
		buf_put_span(out, text);
	else
		for (size_t i = 0; i < text.len; i++)
			buf_put_char(out, text.ptr[i]);
}

static void put_key(struct buf *out, const struct record *r,
		    struct template_part *p, unsigned escape)
{
	const struct value *v = record_first_at(r, p->key, &p->place);
	if (v == NULL) /* with the braces around it */
		buf_put(out, p->key.ptr - 1, p->key.len + 2);
	else if (v->type == VALUE_STRING)
		format_put_text(out, v->string, escape);
	else
		format_put_value(out, v, escape);
}

static const struct conf_key_spec keys[] = {
	{"Template", CONF_TEMPLATE, .default_text = "{time} {message}",
	 .help = "The line, with {key} for the value of a field and {time} for "
		 "the time of the record."},
	{.name = NULL},
};

static struct format *open_template(struct conf_section *s, struct err *e)
{
	const char *text = "{time} {message}";
	if (!conf_get_text(s, "Template", &text, e))
		return NULL;
	if (strchr(text, '\n') != NULL) { /* from an ${ENV} */
		conf_err_key(
			s, "Template", e,
			"the template contains a line break; a record must "
			"be one line");
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
	struct template *t = (struct template *)f;
	for (size_t i = 0; i < t->part_count; i++) {
		struct template_part *p = &t->parts[i];
		put_text(out, p->text);
		if (p->kind == PART_TIME)
			format_put_time(out, r->time_ns);
		else if (p->kind == PART_KEY)
			put_key(out, r, p, f->escape);
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
	.keys = keys,
	.open = open_template,
	.render = render_template,
	.close = close_template,
};
