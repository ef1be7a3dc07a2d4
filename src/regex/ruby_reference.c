/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/ruby_reference.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

bool ruby_read_reference(struct ruby_cursor *c, struct span *name)
{
	unsigned char open = ruby_peek(c, 0);
	char close = open == '<' ? '>' : '\'';
	const char *start = c->text.ptr + c->at + 1;
	const char *stop = NULL;
	if (open == '<' || open == '\'')
		stop = memchr(start, close, c->text.len - c->at - 1);
	if (stop == NULL)
		return ruby_fail_at(c, c->at, "<name> expected");
	*name = span_make(start, (size_t)(stop - start));
	for (size_t i = 0; i < name->len; i++) {
		unsigned char b = (unsigned char)name->ptr[i];
		bool is_sign = i == 0 && (b == '-' || b == '+');
		if (b < 0x80 && !isalnum(b) && b != '_' && !is_sign)
			return ruby_fail_at(
				c, c->at,
				"a group name with characters other "
				"than letters, digits and _");
	}
	if (name->len == 0)
		return ruby_fail_at(c, c->at, "an empty group name");
	c->at += name->len + 2;
	return true;
}

bool ruby_is_number(struct span name)
{
	char c = name.ptr[0];
	return c == '-' || c == '+' || isdigit((unsigned char)c);
}

void ruby_put_name(struct ruby_references *r, struct span name, struct buf *out)
{
	size_t index = 0, at = 0;
	while (at < r->names->len &&
	       !span_equals(span_of(r->names->ptr + at), name)) {
		at += strlen(r->names->ptr + at) + 1;
		index++;
	}
	if (at == r->names->len) {
		buf_put_span(r->names, name);
		buf_put_char(r->names, '\0');
	}
	buf_printf(out, "<n%zu>", index);
}

void ruby_note_number(struct ruby_references *r, size_t at)
{
	if (!r->has_numbers)
		r->number_at = at;
	r->has_numbers = true;
}

bool ruby_put_reference(struct ruby_cursor *c, struct ruby_references *r,
			char letter, struct buf *out)
{
	size_t start = c->at;
	struct span name;
	if (!ruby_read_reference(c, &name))
		return false;
	bool is_number = ruby_is_number(name);
	if (is_number)
		ruby_note_number(r, start);
	if (letter == 'k' && is_number)
		buf_printf(out, "\\g{%.*s}", (int)name.len, name.ptr);
	else if (span_equals(name, SPAN("0")))
		buf_put_text(out, "(?R)");
	else if (is_number)
		buf_printf(out, "\\g<%.*s>", (int)name.len, name.ptr);
	else {
		buf_printf(out, "\\%c", letter);
		ruby_put_name(r, name, out);
	}
	return true;
}

bool ruby_at_back_reference(const struct ruby_cursor *c,
			    const struct ruby_references *r)
{
	size_t number = 0;
	unsigned char digit = ruby_peek(c, 0);
	if (digit < '1' || digit > '9')
		return false;
	for (size_t i = 1; isdigit(digit) && i < 10; i++) {
		number = number * 10 + (digit - (unsigned)'0');
		digit = ruby_peek(c, i);
	}
	return number <= 9 || number <= r->captures;
}

void ruby_put_back_reference(struct ruby_cursor *c, struct ruby_references *r,
			     struct buf *out)
{
	ruby_note_number(r, c->at);
	size_t count = 0;
	while (isdigit(ruby_peek(c, count)))
		count++;
	buf_put_text(out, "\\g{");
	buf_put(out, c->text.ptr + c->at, count);
	c->at += count;
	buf_put_char(out, '}');
}
