/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua51_token.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMERAL_BYTES = 64 };

static bool starts(const struct lua51_text *s, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(s->end - s->at) >= length &&
	       memcmp(s->at, text, length) == 0;
}

static char peek(const struct lua51_text *s, size_t ahead)
{
	return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void put(struct lua51_text *s, const char *bytes, size_t length)
{
	memcpy(s->out + s->length, bytes, length);
	s->length += length;
}

/* Copy the next `length` bytes of the script. */
static void take(struct lua51_text *s, size_t length)
{
	size_t left = (size_t)(s->end - s->at);
	if (length > left)
		length = left;
	put(s, s->at, length);
	s->at += length;
}

/* The length of [[, [=[ and so on; 0 if the script does not continue so. */
static size_t long_bracket(const struct lua51_text *s)
{
	size_t length = 1;
	if (peek(s, 0) != '[')
		return 0;
	while (peek(s, length) == '=')
		length++;
	return peek(s, length) == '[' ? length + 1 : 0;
}

static void take_long(struct lua51_text *s, size_t open)
{
	take(s, open);
	for (; s->at < s->end; take(s, 1)) {
		size_t n = 1;
		if (peek(s, 0) != ']')
			continue;
		while (peek(s, n) == '=')
			n++;
		if (n == open - 1 && peek(s, n) == ']') {
			take(s, open);
			return;
		}
	}
}

static void take_quoted(struct lua51_text *s)
{
	char quote = peek(s, 0);
	take(s, 1);
	while (s->at < s->end && peek(s, 0) != quote)
		take(s, peek(s, 0) == '\\' ? 2 : 1);
	take(s, 1);
}

void lua51_token_take_blanks(struct lua51_text *s)
{
	for (;;) {
		if (starts(s, "--")) {
			take(s, 2);
			size_t open = long_bracket(s);
			if (open > 0)
				take_long(s, open);
			while (open == 0 && s->at < s->end &&
			       peek(s, 0) != '\n')
				take(s, 1);
		} else if (s->at < s->end && isspace((unsigned char)*s->at)) {
			take(s, 1);
		} else {
			return;
		}
	}
}

static size_t numeral_length(const struct lua51_text *s)
{
	const char *exponents =
		starts(s, "0x") || starts(s, "0X") ? "Pp" : "Ee";
	for (size_t n = 1;; n++) {
		char c = peek(s, n), before = peek(s, n - 1);
		bool is_sign = (c == '+' || c == '-') &&
			       strchr(exponents, before) != NULL;
		if (!is_sign && !isalnum((unsigned char)c) && c != '.')
			return n;
	}
}

/* 0xffffffffffffffff must not become -1. */
static void take_numeral(struct lua51_text *s)
{
	char text[NUMERAL_BYTES];
	size_t length = numeral_length(s);
	bool is_hex = starts(s, "0x") || starts(s, "0X");
	if (!is_hex || length >= sizeof text) {
		take(s, length);
		return;
	}
	memcpy(text, s->at, length);
	text[length] = '\0';
	/* strtoull returns ULLONG_MAX if there are more than 64 bits. */
	bool is_large = strtoull(text, NULL, 16) > INT64_MAX;
	if (strpbrk(text, ".pP") != NULL || !is_large) {
		take(s, length);
		return;
	}
	int n = snprintf(text, sizeof text, "%.17e", strtod(text, NULL));
	put(s, text, (size_t)n);
	s->at += length;
}

static enum lua51_token take_word(struct lua51_text *s)
{
	static const struct {
		const char *text;
		enum lua51_token token;
	} words[] = {
		{"and", TOKEN_OTHER},	 {"break", TOKEN_OTHER},
		{"do", TOKEN_BLOCK},	 {"else", TOKEN_OTHER},
		{"elseif", TOKEN_OTHER}, {"end", TOKEN_BLOCK_END},
		{"for", TOKEN_OTHER},	 {"function", TOKEN_FUNCTION},
		{"goto", TOKEN_OTHER},	 {"if", TOKEN_BLOCK},
		{"in", TOKEN_OTHER},	 {"local", TOKEN_OTHER},
		{"not", TOKEN_PREFIX},	 {"or", TOKEN_OTHER},
		{"repeat", TOKEN_BLOCK}, {"return", TOKEN_OTHER},
		{"then", TOKEN_OTHER},	 {"until", TOKEN_BLOCK_END},
		{"while", TOKEN_OTHER},
	};
	size_t length = 0;
	while (isalnum((unsigned char)peek(s, length)) ||
	       peek(s, length) == '_')
		length++;
	struct span word = span_make(s->at, length);
	take(s, length);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_equals(word, span_of(words[i].text)))
			return words[i].token;
	return TOKEN_OPERAND;
}

static enum lua51_token take_symbol(struct lua51_text *s)
{
	static const struct {
		const char *text; /* a longer symbol before its prefixes */
		enum lua51_token token;
	} symbols[] = {
		{"...", TOKEN_OPERAND}, {"..", TOKEN_CONCAT},
		{".", TOKEN_MEMBER},	{"::", TOKEN_OTHER},
		{":", TOKEN_MEMBER},	{"//", TOKEN_PRODUCT},
		{"/", TOKEN_PRODUCT},	{"+", TOKEN_SUM},
		{"*", TOKEN_PRODUCT},	{"%", TOKEN_REMAINDER},
		{"^", TOKEN_POWER},	{"-", TOKEN_SIGN},
		{"#", TOKEN_PREFIX},	{"~=", TOKEN_OTHER},
		{"~", TOKEN_PREFIX},	{"(", TOKEN_OPEN},
		{"[", TOKEN_OPEN},	{"{", TOKEN_OPEN},
		{")", TOKEN_CLOSE},	{"]", TOKEN_CLOSE},
		{"}", TOKEN_CLOSE},
	};
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
		if (starts(s, symbols[i].text)) {
			take(s, strlen(symbols[i].text));
			return symbols[i].token;
		}
	take(s, 1);
	return TOKEN_OTHER;
}

enum lua51_token lua51_token_take(struct lua51_text *s)
{
	unsigned char c = (unsigned char)peek(s, 0);
	if (s->at == s->end)
		return TOKEN_END;
	if (c == '"' || c == '\'') {
		take_quoted(s);
		return TOKEN_STRING;
	}
	size_t open = long_bracket(s);
	if (open > 0) {
		take_long(s, open);
		return TOKEN_STRING;
	}
	if (isdigit(c) || (c == '.' && isdigit((unsigned char)peek(s, 1)))) {
		take_numeral(s);
		return TOKEN_OPERAND;
	}
	if (isalpha(c) || c == '_')
		return take_word(s);
	return take_symbol(s);
}
