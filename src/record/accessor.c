/* SPDX-License-Identifier: Apache-2.0 */
#include "record/accessor.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/record.h"
#include "regex/pattern.h"

struct accessor_step { /* ['key'] or [index] */
	bool is_index;
	struct span key;
	size_t index;
};

struct accessor {
	char *text;    /* the spans point into it */
	char *ignores; /* the action, if text after it is ignored; or NULL */
	struct span name;
	size_t place; /* see record_last_at */
	struct accessor_step *steps;
	size_t count;
};

enum composer_part_kind {
	PART_TEXT,
	PART_FIELD,
	PART_TAG,
	PART_TAG_PART,
	PART_GROUP
};

struct composer_part {
	enum composer_part_kind kind;
	struct span text;	/* PART_TEXT */
	struct accessor *field; /* PART_FIELD */
	size_t index;		/* PART_TAG_PART, PART_GROUP */
};

struct composer {
	char *text; /* the spans point into it */
	struct composer_part *parts;
	size_t count;
};

static bool starts_name(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

/* The characters that end $name or its steps. */
static bool separates(char c)
{
	return c == '.' || c == ' ' || c == ',' || c == '"';
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Read "[12]" at *at, and move *at after it. */
static bool read_index(struct span text, size_t *at, size_t *index)
{
	size_t i = *at + 1, value = 0;
	for (; i < text.len && isdigit((unsigned char)text.ptr[i]); i++) {
		value = value * 10 + (size_t)(text.ptr[i] - '0');
		if (value > UINT32_MAX)
			return false;
	}
	if (i == *at + 1 || i == text.len || text.ptr[i] != ']')
		return false;
	*at = i + 1;
	*index = value;
	return true;
}

/* Read "['key']" or "["key"]" at *at, and move *at after it. */
static bool read_key(struct span text, size_t *at, struct span *key)
{
	if (text.len - *at < 2)
		return false;
	const char *start = text.ptr + *at + 2;
	char quote = start[-1];
	if (quote != '\'' && quote != '"')
		return false;
	const char *end = text.ptr + text.len;
	const char *stop = memchr(start, quote, (size_t)(end - start));
	if (stop == NULL || stop + 1 == end || stop[1] != ']')
		return false;
	*key = span_make(start, (size_t)(stop - start));
	*at = (size_t)(stop - text.ptr) + 2;
	return true;
}

/* Read all steps at *at, and move *at after them. */
static bool read_steps(struct accessor *a, struct span text, size_t *at,
		       struct err *e)
{
	while (*at < text.len && text.ptr[*at] == '[') {
		struct accessor_step step = {0};
		step.is_index = read_index(text, at, &step.index);
		if (!step.is_index && !read_key(text, at, &step.key))
			return err_set(e,
				       "\"%.*s\": ['key'] or [0] is expected "
				       "after $%.*s",
				       (int)text.len, text.ptr,
				       (int)a->name.len, a->name.ptr);
		a->steps = mem_grow(a->steps, a->count + 1, sizeof step);
		a->steps[a->count++] = step;
	}
	return true;
}

/* Read $name and steps.  As in Fluent Bit, the text after a separator is
 * ignored. */
static bool read_variable(struct accessor *a, struct span text, struct err *e)
{
	size_t at = 1;
	while (at < text.len && text.ptr[at] != '[' && !separates(text.ptr[at]))
		at++;
	a->name = span_make(text.ptr + 1, at - 1);
	if (a->name.len == 0 || !starts_name(a->name.ptr[0]))
		return err_set(e, "\"%s\": the $name of a field is expected",
			       text.ptr);
	if (!read_steps(a, text, &at, e))
		return false;
	if (at == text.len)
		return true;
	if (!separates(text.ptr[at]))
		return err_set(e, "\"%s\": unexpected text after the last ]",
			       text.ptr);
	struct buf action = {0};
	buf_printf(&action, "using only %.*s; write a subscript as $a['b']",
		   (int)at, text.ptr);
	a->ignores = mem_text(buf_text(&action));
	buf_fini(&action);
	return true;
}

struct accessor *accessor_new(struct span text, struct err *e)
{
	struct accessor *a = mem_new(1, sizeof *a);
	a->text = mem_copy(text.ptr, text.len);
	struct span own = span_make(a->text, text.len);
	bool ok = true;
	if (own.len == 0)
		ok = err_set(e, "the key is empty");
	else if (own.ptr[0] == '$')
		ok = read_variable(a, own, e);
	else if (memchr(own.ptr, '$', own.len) != NULL)
		ok = err_set(e, "\"%s\": only the first character may be a $",
			     a->text);
	else
		a->name = own;
	if (ok)
		return a;
	accessor_free(a);
	return NULL;
}

void accessor_free(struct accessor *a)
{
	if (a == NULL)
		return;
	free(a->steps);
	free(a->ignores);
	free(a->text);
	free(a);
}

bool accessor_warning(const struct accessor *a, struct accessor_warning *w)
{
	bool is_tag = a->text[0] == '$' && span_equals(a->name, SPAN("TAG"));
	if (a->ignores != NULL)
		*w = (struct accessor_warning){"there is text after the field",
					       a->ignores};
	else if (is_tag)
		*w = (struct accessor_warning){
			"$TAG stands for the tag only in a new tag",
			"looking for a field named TAG"};
	return a->ignores != NULL || is_tag;
}

const struct value *accessor_find(struct accessor *a, const struct record *r)
{
	const struct value *v = record_last_at(r, a->name, &a->place);
	/* As in Fluent Bit, steps after a plain value are ignored. */
	if (v != NULL && v->type != VALUE_MAP && v->type != VALUE_ARRAY)
		return v;
	for (size_t i = 0; v != NULL && i < a->count; i++) {
		const struct accessor_step *step = &a->steps[i];
		if (!step->is_index && v->type == VALUE_MAP)
			v = fields_last(v->fields, v->count, step->key);
		else if (step->is_index && v->type == VALUE_ARRAY &&
			 step->index < v->count)
			v = &v->items[step->index];
		else
			v = NULL;
	}
	return v;
}

static struct composer_part *add_part(struct composer *c,
				      enum composer_part_kind kind)
{
	c->parts = mem_grow(c->parts, c->count + 1, sizeof *c->parts);
	struct composer_part *p = &c->parts[c->count++];
	*p = (struct composer_part){.kind = kind};
	return p;
}

static void put_text(struct composer *c, const char *at, size_t len)
{
	struct composer_part *last =
		c->count > 0 ? &c->parts[c->count - 1] : NULL;
	if (len == 0)
		return;
	if (last != NULL && last->kind == PART_TEXT &&
	    last->text.ptr + last->text.len == at)
		last->text.len += len;
	else
		add_part(c, PART_TEXT)->text = span_make(at, len);
}

/* Read "$name..." at *at, and move *at after it.  As in Fluent Bit, a separator
 * directly after it is lost if it is the last character of the text. */
static bool add_field(struct composer *c, struct span text, size_t *at,
		      struct err *e)
{
	size_t end = *at + 1;
	while (end < text.len && in_name(text.ptr[end]))
		end++;
	struct accessor *a = mem_new(1, sizeof *a);
	a->name = span_make(text.ptr + *at + 1, end - *at - 1);
	add_part(c, PART_FIELD)->field = a;
	*at = end;
	if (!read_steps(a, text, at, e))
		return false;
	if (*at + 1 == text.len && separates(text.ptr[*at]))
		*at = text.len;
	return true;
}

/* Read "$TAG" or "$TAG[n]".  The next character is text, even a letter or $. */
static bool add_tag(struct composer *c, struct span text, size_t *at,
		    struct err *e)
{
	*at += strlen("$TAG");
	if (*at == text.len || text.ptr[*at] != '[') {
		add_part(c, PART_TAG);
	} else {
		struct composer_part *p = add_part(c, PART_TAG_PART);
		if (!read_index(text, at, &p->index))
			return err_set(e, "\"%s\": $TAG[0] is expected",
				       c->text);
	}
	if (*at < text.len)
		put_text(c, text.ptr + (*at)++, 1);
	return true;
}

/* Read "$1".  As in Fluent Bit, "$12" is group 12 followed by the text 2. */
static void add_group(struct composer *c, struct span text, size_t *at)
{
	size_t index = 0;
	for (size_t i = *at + 1;
	     i < text.len && i < *at + 4 && isdigit((unsigned char)text.ptr[i]);
	     i++)
		index = index * 10 + (size_t)(text.ptr[i] - '0');
	add_part(c, PART_GROUP)->index = index;
	*at += 2;
}

/* Read the $... at *at, and move *at after it. */
static bool add_variable(struct composer *c, struct span text, size_t *at,
			 struct err *e)
{
	size_t left = text.len - *at;
	if (left == 1) { /* lost, as in Fluent Bit */
		*at = text.len;
		return true;
	}
	char next = text.ptr[*at + 1];
	if (isdigit((unsigned char)next)) {
		add_group(c, text, at);
		return true;
	}
	if (left >= 4 && memcmp(text.ptr + *at, "$TAG", 4) == 0)
		return add_tag(c, text, at, e);
	if (starts_name(next))
		return add_field(c, text, at, e);
	return err_set(e,
		       "\"%s\": the name of a field, TAG or a digit is "
		       "expected after $",
		       c->text);
}

struct composer *composer_new(struct span text, struct err *e)
{
	struct composer *c = mem_new(1, sizeof *c);
	c->text = mem_copy(text.ptr, text.len);
	struct span own = span_make(c->text, text.len);
	for (size_t at = 0; at < own.len;) {
		size_t start = at;
		while (at < own.len && own.ptr[at] != '$')
			at++;
		put_text(c, own.ptr + start, at - start);
		if (at < own.len && !add_variable(c, own, &at, e)) {
			composer_free(c);
			return NULL;
		}
	}
	return c;
}

void composer_free(struct composer *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		accessor_free(c->parts[i].field);
	free(c->parts);
	free(c->text);
	free(c);
}

static void put_value(const struct value *v, struct buf *out)
{
	switch (v->type) {
	case VALUE_STRING:
		buf_put_span(out, v->string);
		break;
	case VALUE_INT:
		buf_printf(out, "%" PRId64, v->integer);
		break;
	case VALUE_FLOAT:
		buf_put_float(out, v->real);
		break;
	case VALUE_BOOL:
		buf_put_text(out, v->boolean ? "true" : "false");
		break;
	case VALUE_NULL:
		buf_put_text(out, "null");
		break;
	case VALUE_MAP:
	case VALUE_ARRAY:
		break;
	}
}

static void put_tag_part(struct span tag, size_t index, struct buf *out)
{
	for (size_t i = 0; i < tag.len && index > 0; i++) {
		if (tag.ptr[i] == '.' && --index == 0)
			tag = span_make(tag.ptr + i + 1, tag.len - i - 1);
	}
	for (size_t i = 0; index == 0 && i < tag.len && tag.ptr[i] != '.'; i++)
		buf_put_char(out, tag.ptr[i]);
}

static void put_group(const struct pattern *groups, size_t index,
		      struct buf *out)
{
	if (groups == NULL || pattern_groups(groups) == 0)
		return;
	bool present;
	buf_put_span(out, pattern_group(groups, index, &present));
}

void composer_put(const struct composer *c, const struct record *r,
		  const struct pattern *groups, struct buf *out)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct composer_part *p = &c->parts[i];
		const struct value *v;
		switch (p->kind) {
		case PART_TEXT:
			buf_put_span(out, p->text);
			break;
		case PART_FIELD:
			v = accessor_find(p->field, r);
			if (v != NULL)
				put_value(v, out);
			break;
		case PART_TAG:
			buf_put_span(out, r->tag);
			break;
		case PART_TAG_PART:
			put_tag_part(r->tag, p->index, out);
			break;
		case PART_GROUP:
			put_group(groups, p->index, out);
			break;
		}
	}
}
