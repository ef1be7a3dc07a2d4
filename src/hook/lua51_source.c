/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the tokens.  A calculation is a sequence of operands, with
 * their prefixes and suffixes, that arithmetic operators join: a*f(x)[i] - #t.
 * Each level of brackets has at most one calculation at a time.  A calculation
 * ends at the first token that does not continue it; if it contains an
 * operator, it is put into parentheses. */
#include "hook/lua51_source.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEVELS_MAX = 256, /* more than the compiler accepts */
	NUMERAL_BYTES = 64,
};

static const double exact_max = 9007199254740992.0;	 /* 2^53 */
static const double integer_max = 9223372036854775808.0; /* 2^63 */

enum lua51_token {
	TOKEN_END,
	TOKEN_OPERAND, /* a name, a number, nil, ... */
	TOKEN_STRING,
	TOKEN_OPEN,	  /* ( [ { */
	TOKEN_CLOSE,	  /* ) ] } */
	TOKEN_MEMBER,	  /* . and : */
	TOKEN_ARITHMETIC, /* + * / % ^ // */
	TOKEN_SIGN,	  /* - */
	TOKEN_PREFIX,	  /* # not, and ~, which is also binary */
	TOKEN_OTHER,	  /* any other token; it ends a calculation */
};

struct calculation {
	size_t start; /* index in `out` */
	bool is_open;
	bool has_operator;
};

struct lua51_scanner {
	const char *at;
	const char *end;
	char *out;
	size_t length;	 /* of the text in `out` */
	size_t last_end; /* index in `out` after the last token */
	bool is_operand; /* the last token ends an operand */
	struct calculation calculations[LEVELS_MAX];
	size_t level;
};

static bool starts(const struct lua51_scanner *s, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(s->end - s->at) >= length &&
	       memcmp(s->at, text, length) == 0;
}

static char peek(const struct lua51_scanner *s, size_t ahead)
{
	return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void put(struct lua51_scanner *s, const char *bytes, size_t length)
{
	memcpy(s->out + s->length, bytes, length);
	s->length += length;
}

/* Copy the next `length` bytes of the script. */
static void take(struct lua51_scanner *s, size_t length)
{
	size_t left = (size_t)(s->end - s->at);
	if (length > left)
		length = left;
	put(s, s->at, length);
	s->at += length;
}

static void insert(struct lua51_scanner *s, size_t at, const char *text)
{
	size_t length = strlen(text);
	memmove(s->out + at + length, s->out + at, s->length - at);
	memcpy(s->out + at, text, length);
	s->length += length;
}

/* The length of [[, [=[ and so on; 0 if the script does not continue so. */
static size_t long_bracket(const struct lua51_scanner *s)
{
	size_t length = 1;
	if (peek(s, 0) != '[')
		return 0;
	while (peek(s, length) == '=')
		length++;
	return peek(s, length) == '[' ? length + 1 : 0;
}

static void take_long(struct lua51_scanner *s, size_t open)
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

static void take_quoted(struct lua51_scanner *s)
{
	char quote = peek(s, 0);
	take(s, 1);
	while (s->at < s->end && peek(s, 0) != quote)
		take(s, peek(s, 0) == '\\' ? 2 : 1);
	take(s, 1);
}

static void take_blanks(struct lua51_scanner *s)
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

static size_t numeral_length(const struct lua51_scanner *s)
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

/* 1.0 and 1e3 become integers; 0xffffffffffffffff must not become -1. */
static void take_numeral(struct lua51_scanner *s)
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

static enum lua51_token take_word(struct lua51_scanner *s)
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

static enum lua51_token take_symbol(struct lua51_scanner *s)
{
	static const struct {
		const char *text; /* a longer symbol before its prefixes */
		enum lua51_token token;
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

static enum lua51_token take_token(struct lua51_scanner *s)
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

static void begin_calculation(struct lua51_scanner *s, size_t start)
{
	struct calculation *c = &s->calculations[s->level];
	if (!c->is_open)
		*c = (struct calculation){.start = start, .is_open = true};
}

/* End the calculation of this level.  Returns how many bytes were inserted
 * before the current token. */
static size_t end_calculation(struct lua51_scanner *s)
{
	struct calculation *c = &s->calculations[s->level];
	bool has_operator = c->is_open && c->has_operator;
	c->is_open = false;
	s->is_operand = false;
	if (!has_operator)
		return 0;
	insert(s, s->last_end, "|0)");
	insert(s, c->start, "(");
	return sizeof "(|0)" - 1;
}

/* Process the token that starts at `start` in `out`.  False if there are too
 * many levels of brackets. */
static bool on_token(struct lua51_scanner *s, enum lua51_token token,
		     size_t start)
{
	struct calculation *c = &s->calculations[s->level];
	bool was_operand = s->is_operand;
	switch (token) {
	case TOKEN_OPERAND:
		if (was_operand) /* a new statement starts here */
			start += end_calculation(s);
		begin_calculation(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_STRING: /* after an operand it is a call: f"text" */
		begin_calculation(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_OPEN:
		begin_calculation(s, start);
		if (++s->level == LEVELS_MAX)
			return false;
		s->calculations[s->level] = (struct calculation){0};
		s->is_operand = false;
		return true;
	case TOKEN_CLOSE:
		end_calculation(s);
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
			c->has_operator = true;
		else
			begin_calculation(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_PREFIX:
		if (was_operand)
			end_calculation(s);
		else
			begin_calculation(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_OTHER:
	case TOKEN_END:
		end_calculation(s);
		return true;
	}
	return true;
}

size_t lua51_source_translate(struct span script, char *out)
{
	struct lua51_scanner s = {
		.at = script.ptr, .end = script.ptr + script.len, .out = out};
	enum lua51_token token;
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
