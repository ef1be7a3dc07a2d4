/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the tokens.  An operand is a sequence of terms, with their
 * prefixes and suffixes, that arithmetic operators join: a*f(x)[i] - #t.  A
 * chain is a sequence of operands that `..` joins.  Each level of brackets and
 * blocks has at most one chain at a time.  A chain ends at the first token that
 * does not continue it; if it contains `..`, it becomes a call. */
#include "hook/lua51_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LEVELS_MAX = 256, /* more than the compiler accepts */
	NAMES_BYTES = 128,
	NUMERAL_BYTES = 64,
	/* The translation is at most this many times as long as the script:
	 * a..b becomes sluiced_concat("a,b,", a, (b)). */
	GROWTH = 10,
};

static const char opening[] =
	"local sluiced_concat = ... return function(...) ";
static const char closing[] = "\nend";

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
	TOKEN_CONCAT,	  /* .. */
	TOKEN_FUNCTION,	  /* function; with its end, it is an operand */
	TOKEN_BLOCK,	  /* do if repeat */
	TOKEN_BLOCK_END,  /* end until */
	TOKEN_OTHER,	  /* any other token; it ends a chain */
};

/* The numbers are indexes in `out`. */
struct lua51_chain {
	size_t start;
	size_t operand; /* the start of the last operand */
	bool is_open;
	bool has_operator;
	bool is_in_function; /* this level is that of a function's body */
	size_t names_length;
	char names[NAMES_BYTES]; /* of the operands, each with a comma */
};

struct lua51_scanner {
	const char *at;
	const char *end;
	char *out;
	size_t length;	 /* of the text in `out` */
	size_t last_end; /* index in `out` after the last token */
	bool is_operand; /* the last token ends an operand */
	/* It is the end of a function, which no arguments can follow: a bracket
	 * starts a new statement. */
	bool is_function_end;
	struct lua51_chain chains[LEVELS_MAX];
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

static void insert(struct lua51_scanner *s, size_t at, const char *text,
		   size_t length)
{
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

/* 0xffffffffffffffff must not become -1. */
static void take_numeral(struct lua51_scanner *s)
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

static enum lua51_token take_word(struct lua51_scanner *s)
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

static enum lua51_token take_symbol(struct lua51_scanner *s)
{
	static const struct {
		const char *text; /* a longer symbol before its prefixes */
		enum lua51_token token;
	} symbols[] = {
		{"...", TOKEN_OPERAND},	 {"..", TOKEN_CONCAT},
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

static void begin_chain(struct lua51_scanner *s, size_t start)
{
	struct lua51_chain *c = &s->chains[s->level];
	if (c->is_open)
		return;
	c->start = start;
	c->operand = start;
	c->is_open = true;
	c->has_operator = false;
	c->names_length = 0;
}

/* Remember the last operand's name if it has one: a, or a.b.c. */
static void add_name(struct lua51_scanner *s, struct lua51_chain *c)
{
	size_t start = c->operand, room = NAMES_BYTES - c->names_length;
	while (start < s->last_end && isspace((unsigned char)s->out[start]))
		start++;
	size_t end = start;
	while (end < s->last_end && (isalnum((unsigned char)s->out[end]) ||
				     s->out[end] == '_' || s->out[end] == '.'))
		end++;
	bool is_name = end == s->last_end && end - start < room &&
		       !isdigit((unsigned char)s->out[start]) &&
		       s->out[start] != '.';
	if (is_name) {
		memcpy(c->names + c->names_length, s->out + start, end - start);
		c->names_length += end - start;
	}
	if (c->names_length < NAMES_BYTES)
		c->names[c->names_length++] = ',';
}

/* The token `..`, at `start`, joins this operand to the next one. */
static void join_operands(struct lua51_scanner *s, size_t start)
{
	struct lua51_chain *c = &s->chains[s->level];
	add_name(s, c);
	memcpy(s->out + start, ", ", 2);
	c->operand = start + 2;
	c->has_operator = true;
}

/* Whether a name at this index would be part of the word before it, as in
 * return"text". */
static bool is_after_word(const struct lua51_scanner *s, size_t index)
{
	char before = s->out[index - 1];
	return isalnum((unsigned char)before) || before == '_';
}

/* End the chain of this level.  Returns how many bytes were inserted before the
 * current token. */
static size_t end_chain(struct lua51_scanner *s)
{
	struct lua51_chain *c = &s->chains[s->level];
	size_t length = s->length;
	bool has_operator = c->is_open && c->has_operator;
	c->is_open = false;
	s->is_operand = false;
	if (!has_operator)
		return 0;
	add_name(s, c);
	insert(s, s->last_end, "))", 2);
	/* Of a last operand with several values, the first one counts. */
	insert(s, c->operand, "(", 1);
	insert(s, c->start, "\", ", 3);
	insert(s, c->start, c->names, c->names_length);
	insert(s, c->start, "sluiced_concat(\"", 16);
	if (is_after_word(s, c->start))
		insert(s, c->start, " ", 1);
	return s->length - length;
}

/* False if there are too many levels. */
static bool begin_level(struct lua51_scanner *s, bool is_in_function)
{
	if (++s->level == LEVELS_MAX)
		return false;
	s->chains[s->level].is_open = false;
	s->chains[s->level].is_in_function = is_in_function;
	s->is_operand = false;
	return true;
}

/* Returns whether it was the level of a function's body. */
static bool end_level(struct lua51_scanner *s)
{
	bool is_in_function = s->chains[s->level].is_in_function;
	end_chain(s);
	if (s->level > 0)
		s->level--;
	return is_in_function;
}

/* Process a token that starts or ends a level.  False if there are too many
 * levels. */
static bool on_level(struct lua51_scanner *s, enum lua51_token token,
		     size_t start, bool is_new_statement)
{
	switch (token) {
	case TOKEN_OPEN:
	case TOKEN_FUNCTION:
		if (is_new_statement)
			start += end_chain(s);
		begin_chain(s, start);
		return begin_level(s, token == TOKEN_FUNCTION);
	case TOKEN_BLOCK:
		end_chain(s);
		return begin_level(s, false);
	case TOKEN_BLOCK_END:
		s->is_operand = s->is_function_end = end_level(s);
		return true;
	default:
		end_level(s);
		s->is_operand = true;
		return true;
	}
}

/* Process the token that starts at `start` in `out`.  False if there are too
 * many levels of brackets and blocks. */
static bool on_token(struct lua51_scanner *s, enum lua51_token token,
		     size_t start)
{
	bool was_operand = s->is_operand, was_function = s->is_function_end;
	s->is_function_end = false;
	switch (token) {
	case TOKEN_OPERAND:
		if (was_operand) /* a new statement starts here */
			start += end_chain(s);
		begin_chain(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_STRING: /* after an operand it is a call: f"text" */
		begin_chain(s, start);
		s->is_operand = true;
		return true;
	case TOKEN_OPEN:
		return on_level(s, token, start, was_function);
	case TOKEN_FUNCTION:
	case TOKEN_BLOCK:
	case TOKEN_BLOCK_END:
	case TOKEN_CLOSE:
		return on_level(s, token, start, was_operand);
	case TOKEN_MEMBER:
	case TOKEN_ARITHMETIC:
		s->is_operand = false;
		return true;
	case TOKEN_SIGN:
	case TOKEN_PREFIX:
		if (was_operand && token == TOKEN_PREFIX)
			end_chain(s);
		else if (!was_operand)
			begin_chain(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_CONCAT:
		if (was_operand && s->chains[s->level].is_open)
			join_operands(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_OTHER:
	case TOKEN_END:
		end_chain(s);
		return true;
	}
	return true;
}

size_t lua51_source_room(size_t length)
{
	return length * GROWTH + sizeof opening + sizeof closing;
}

size_t lua51_source_translate(struct span script, char *out)
{
	struct lua51_scanner s;
	s.at = script.ptr;
	s.end = script.ptr + script.len;
	s.out = out;
	s.length = 0;
	s.last_end = 0;
	s.is_operand = false;
	s.is_function_end = false;
	s.level = 0;
	s.chains[0].is_open = false;
	s.chains[0].is_in_function = false;
	enum lua51_token token;
	put(&s, opening, sizeof opening - 1);
	do {
		take_blanks(&s);
		size_t start = s.length;
		token = take_token(&s);
		if (!on_token(&s, token, start))
			break;
		s.last_end = s.length;
	} while (token != TOKEN_END);
	take(&s, (size_t)(s.end - s.at));
	put(&s, closing, sizeof closing - 1);
	return s.length;
}
