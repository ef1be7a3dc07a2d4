/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/logfmt.h"

static bool in_word(char c)
{
	return (unsigned char)c > ' ' && c != '=' && c != '"';
}

static const char *word_end(const char *at, const char *end)
{
	while (at < end && in_word(*at))
		at++;
	return at;
}

/* Read from after the opening quote; returns the place after the closing one.
 */
static const char *read_quoted(const char *at, const char *end,
			       struct logfmt_pair *pair)
{
	const char *start = at;
	for (; at < end && *at != '"'; at++) {
		if (*at != '\\')
			continue;
		pair->has_escape = true;
		if (++at == end)
			break;
	}
	pair->is_quoted = true;
	pair->value = span_make(start, (size_t)(at - start));
	return at < end ? at + 1 : at;
}

static const char *read_value(const char *at, const char *end,
			      struct logfmt_pair *pair)
{
	pair->has_equals = true;
	if (at < end && *at == '"')
		return read_quoted(at + 1, end, pair);
	const char *stop = word_end(at, end);
	pair->value = span_make(at, (size_t)(stop - at));
	return stop;
}

bool logfmt_next(struct span *text, struct logfmt_pair *pair)
{
	const char *at = text->ptr, *end = text->ptr + text->len;
	while (at < end && !in_word(*at))
		at++;
	const char *stop = word_end(at, end);
	*pair = (struct logfmt_pair){.key = span_make(at, (size_t)(stop - at))};
	at = stop;
	if (at < end && *at == '=')
		at = read_value(at + 1, end, pair);
	if (at < end && (*at == '\r' || *at == '\n'))
		at = end;
	*text = span_make(at, (size_t)(end - at));
	return pair->key.len > 0;
}
