/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the tokens.  A chain is what the arithmetic operators hold
 * together: operands with their prefixes and suffixes, a*f(x)[i] - #t.  Each
 * level of brackets has one under way.  A chain ends at any token that does
 * not go on with it; if it had an operator it is put into parentheses. */
#include "hook/lua_source.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEVELS_MAX = 256, /* more than the compiler takes */
	NUMERAL_BYTES = 64,
};

static const double exact_max = 9007199254740992.0;	 /* 2^53 */
static const double integer_max = 9223372036854775808.0; /* 2^63 */

enum token {
	TOKEN_END,
	TOKEN_OPERAND, /* a name, a number, nil, ... */
	TOKEN_STRING,
	TOKEN_OPEN,	  /* ( [ { */
	TOKEN_CLOSE,	  /* ) ] } */
	TOKEN_MEMBER,	  /* . and : */
	TOKEN_ARITHMETIC, /* + * / % ^ // */
	TOKEN_SIGN,	  /* - */
	TOKEN_PREFIX,	  /* # not, and ~, which is binary as well */
	TOKEN_OTHER,	  /* all others: they end a chain */
};

struct chain {
	size_t start; /* in `out` */
	bool is_open;
	bool calculates;
};

struct scanner {
	const char *at;
	const char *end;
	char *out;
	size_t length;	 /* of what is in `out` */
	size_t last_end; /* there, behind the last token */
	bool is_operand; /* the last token ends one */
	struct chain chains[LEVELS_MAX];
	size_t level;
};

static bool starts(const struct scanner *s, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(s->end - s->at) >= length &&
	       memcmp(s->at, text, length) == 0;
}

static char peek(const struct scanner *s, size_t ahead)
{
	return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void put(struct scanner *s, const char *bytes, size_t length)
{
	memcpy(s->out + s->length, bytes, length);
	s->length += length;
}

/* Copy what is next. */
static void take(struct scanner *s, size_t length)
{
	size_t left = (size_t)(s->end - s->at);
	if (length > left)
		length = left;
	put(s, s->at, length);
	s->at += length;
}

static void insert(struct scanner *s, size_t at, const char *text)
{
	size_t length = strlen(text);
	memmove(s->out + at + length, s->out + at, s->length - at);
	memcpy(s->out + at, text, length);
	s->length += length;
}

/* [[ or [=[ and so on: the length of what opens it, else 0. */
static size_t long_bracket(const struct scanner *s)
{
	size_t length = 1;
	if (peek(s, 0) != '[')
		return 0;
	while (peek(s, length) == '=')
		length++;
	return peek(s, length) == '[' ? length + 1 : 0;
}

static void take_long(struct scanner *s, size_t open)
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

static void take_quoted(struct scanner *s)
{
	char quote = peek(s, 0);
	take(s, 1);
	while (s->at < s->end && peek(s, 0) != quote)
		take(s, peek(s, 0) == '\\' ? 2 : 1);
	take(s, 1);
}

static void take_blanks(struct scanner *s)
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

static size_t numeral_length(const struct scanner *s)
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

/* 1.0 and 1e3 become integers; 0xffffffffffffffff must not be -1. */
static void take_numeral(struct scanner *s)
{
	char text[NUMERAL_BYTES];
	size_t length = numeral_length(s);
	if (length >= sizeof text) {
		take(s, length);
		return;
	}
	memcpy(text, s->at, length);
	text[length] = '\0';
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	bool is_float = strpbrk(text, is_hex ? ".pP" : ".eE") != NULL;
	double value = strtod(text, NULL);
	int n = 0;
	if (is_float && value < exact_max && trunc(value) == value)
		n = snprintf(text, sizeof text, "%.0f", value);
	else if (is_hex && !is_float && value >= integer_max)
		n = snprintf(text, sizeof text, "%.17e", value);
	if (n == 0) {
		take(s, length);
		return;
	}
	put(s, text, (size_t)n);
	s->at += length;
}

static enum token take_word(struct scanner *s)
{
	static const char *const words[] = {
		"and", "break",	   "do",     "else", "elseif", "end",
		"for", "function", "goto",   "if",   "in",     "local",
		"or",  "repeat",   "return", "then", "until",  "while",
	};
	size_t length = 0;
	while (isalnum((unsigned char)peek(s, length)) ||
	       peek(s, length) == '_')
		length++;
	struct span word = span_make(s->at, length);
	take(s, length);
	if (span_equals(word, SPAN("not")))
		return TOKEN_PREFIX;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_equals(word, span_of(words[i])))
			return TOKEN_OTHER;
	return TOKEN_OPERAND;
}

static enum token take_symbol(struct scanner *s)
{
	static const struct {
		const char *text; /* a longer one before those it starts with */
		enum token token;
	} symbols[] = {
		{"...", TOKEN_OPERAND},	 {"..", TOKEN_OTHER},
		{".", TOKEN_MEMBER},	 {"::", TOKEN_OTHER},
		{":", TOKEN_MEMBER},	 {"//", TOKEN_ARITHMETIC},
		{"/", TOKEN_ARITHMETIC}, {"+", TOKEN_ARITHMETIC},
		{"*", TOKEN_ARITHMETIC}, {"%", TOKEN_ARITHMETIC},
		{"^", TOKEN_ARITHMETIC}, {"-", TOKEN_SIGN},
		{"#", TOKEN_PREFIX},	 {"~=", TOKEN_OTHER},
		{"~", TOKEN_PREFIX},	 {"(", TOKEN_OPEN},
		{"[", TOKEN_OPEN},	 {"{", TOKEN_OPEN},
		{")", TOKEN_CLOSE},	 {"]", TOKEN_CLOSE},
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

static enum token take_token(struct scanner *s)
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

static void begin_chain(struct scanner *s, size_t start)
{
	struct chain *chain = &s->chains[s->level];
	if (!chain->is_open)
		*chain = (struct chain){.start = start, .is_open = true};
}

/* What was inserted before the token that begins at `start`. */
static size_t end_chain(struct scanner *s)
{
	struct chain *chain = &s->chains[s->level];
	bool calculates = chain->is_open && chain->calculates;
	chain->is_open = false;
	s->is_operand = false;
	if (!calculates)
		return 0;
	insert(s, s->last_end, "|0)");
	insert(s, chain->start, "(");
	return sizeof "(|0)" - 1;
}

/* False when there are too many levels. */
static bool on_token(struct scanner *s, enum token token, size_t start)
{
	struct chain *chain = &s->chains[s->level];
	bool was_operand = s->is_operand;
	switch (token) {
	case TOKEN_OPERAND:
		if (was_operand) /* the next statement */
			start += end_chain(s);
		begin_chain(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_STRING: /* behind an operand: f"text" */
		begin_chain(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_OPEN:
		begin_chain(s, start);
		if (++s->level == LEVELS_MAX)
			return false;
		s->chains[s->level] = (struct chain){0};
		s->is_operand = false;
		return true;
	case TOKEN_CLOSE:
		end_chain(s);
		if (s->level > 0)
			s->level--;
		s->is_operand = true;
		return true;
	case TOKEN_MEMBER:
		s->is_operand = false;
		return true;
	case TOKEN_SIGN:
	case TOKEN_ARITHMETIC:
		if (was_operand)
			chain->calculates = true;
		else
			begin_chain(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_PREFIX:
		if (was_operand)
			end_chain(s);
		else
			begin_chain(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_OTHER:
	case TOKEN_END:
		end_chain(s);
		return true;
	}
	return true;
}

size_t lua_source_write(struct span script, char *out)
{
	struct scanner s = {
		.at = script.ptr, .end = script.ptr + script.len, .out = out};
	enum token token;
	do {
		take_blanks(&s);
		size_t start = s.length;
		token = take_token(&s);
		if (!on_token(&s, token, start))
			break;
		s.last_end = s.length;
	} while (token != TOKEN_END);
	take(&s, (size_t)(s.end - s.at));
	return s.length;
}
