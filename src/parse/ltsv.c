/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/ltsv.h"

#include <ctype.h>

static bool in_label(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static bool in_value(char c)
{
	return c != '\t' && c != '\n' && c != '\r' && c != '\0';
}

static struct span take_while(struct span *text, bool (*is_in)(char))
{
	size_t len = 0;
	while (len < text->len && is_in(text->ptr[len]))
		len++;
	struct span taken = span_make(text->ptr, len);
	*text = span_make(text->ptr + len, text->len - len);
	return taken;
}

static bool starts_with(struct span text, char c)
{
	return text.len > 0 && text.ptr[0] == c;
}

bool ltsv_next(struct span *text, struct span *label, struct span *value)
{
	*label = take_while(text, in_label);
	if (!starts_with(*text, ':'))
		return false;
	*text = span_make(text->ptr + 1, text->len - 1);
	*value = take_while(text, in_value);
	if (starts_with(*text, '\t'))
		*text = span_make(text->ptr + 1, text->len - 1);
	if (starts_with(*text, '\r') || starts_with(*text, '\n'))
		text->len = 0;
	return true;
}
