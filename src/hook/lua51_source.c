/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the tokens.  An operand is a sequence of terms, with their
 * prefixes and suffixes, that arithmetic operators join: a*f(x)[i] - #t.  A
 * chain is a sequence of operands that `..` joins.  Each level of brackets and
 * blocks has at most one chain at a time.  A chain ends at the first token that
 * does not continue it; if it contains `..`, it becomes a call.  The term with
 * the operators * / and % also becomes a call, up to the end of the operand
 * after each %. */
#include "hook/lua51_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "hook/lua51_token.h"

enum {
	LEVELS_MAX = 256, /* more than the compiler accepts */
	NAMES_BYTES = 128,
	/* The translation is at most this many times as long as the script:
	 * each %b becomes sluiced_mod(",b,", ,(b)). */
	GROWTH = 16,
};

static const char opening[] =
	"local sluiced_concat, sluiced_mod = ... return function(...) ";
static const char closing[] = "\nend";

/* Operands that become the arguments of a call.  The numbers are indexes in the
 * translation. */
struct lua51_call {
	size_t start;
	size_t operand; /* the start of the last operand */
	bool has_operator;
	size_t names_length;
	char names[NAMES_BYTES]; /* of the operands, each with a comma */
};

struct lua51_chain {
	bool is_open;
	bool is_in_function; /* this level is that of a function's body */
	struct lua51_call concat;
	struct lua51_call mod; /* in the last operand of `concat` */
};

struct lua51_scanner {
	struct lua51_text text;
	size_t last_end; /* index in the translation after the last token */
	bool is_operand; /* the last token ends an operand */
	/* It is the end of a function, which no arguments can follow: a bracket
	 * starts a new statement. */
	bool is_function_end;
	struct lua51_chain chains[LEVELS_MAX];
	size_t level;
};

static void insert(struct lua51_scanner *s, size_t at, const char *text,
		   size_t length)
{
	char *to = s->text.out + at;
	memmove(to + length, to, s->text.length - at);
	memcpy(to, text, length);
	s->text.length += length;
}

static void begin_call(struct lua51_call *c, size_t start)
{
	c->start = start;
	c->operand = start;
	c->has_operator = false;
	c->names_length = 0;
}

/* Remember the last operand's name if it has one: a, or a.b.c. */
static void add_name(const struct lua51_scanner *s, struct lua51_call *c)
{
	const char *out = s->text.out;
	size_t start = c->operand, room = NAMES_BYTES - c->names_length;
	while (start < s->last_end && isspace((unsigned char)out[start]))
		start++;
	size_t end = start;
	while (end < s->last_end && (isalnum((unsigned char)out[end]) ||
				     out[end] == '_' || out[end] == '.'))
		end++;
	bool is_name = end == s->last_end && end - start < room &&
		       !isdigit((unsigned char)out[start]) && out[start] != '.';
	if (is_name) {
		memcpy(c->names + c->names_length, out + start, end - start);
		c->names_length += end - start;
	}
	if (c->names_length < NAMES_BYTES)
		c->names[c->names_length++] = ',';
}

/* An operator, which is now a comma, joins this operand to the next one. */
static void join_operands(const struct lua51_scanner *s, struct lua51_call *c,
			  size_t next_operand)
{
	add_name(s, c);
	c->operand = next_operand;
	c->has_operator = true;
}

/* Whether a name at this index would be part of the word before it, as in
 * return"text". */
static bool is_after_word(const struct lua51_scanner *s, size_t index)
{
	char before = s->text.out[index - 1];
	return isalnum((unsigned char)before) || before == '_';
}

/* End the call.  Returns how many bytes were inserted before the current
 * token. */
static size_t end_call(struct lua51_scanner *s, struct lua51_call *c,
		       const char *function)
{
	size_t length = s->text.length;
	if (!c->has_operator)
		return 0;
	add_name(s, c);
	insert(s, s->last_end, "))", 2);
	/* Of a last operand with several values, the first one counts. */
	insert(s, c->operand, "(", 1);
	insert(s, c->start, "\", ", 3);
	insert(s, c->start, c->names, c->names_length);
	insert(s, c->start, "(\"", 2);
	insert(s, c->start, function, strlen(function));
	if (is_after_word(s, c->start))
		insert(s, c->start, " ", 1);
	size_t inserted = s->text.length - length;
	s->last_end += inserted;
	begin_call(c, c->start);
	return inserted;
}

static void begin_chain(struct lua51_scanner *s, size_t start)
{
	struct lua51_chain *c = &s->chains[s->level];
	if (c->is_open)
		return;
	c->is_open = true;
	begin_call(&c->concat, start);
	begin_call(&c->mod, start);
}

/* End the last term with %.  Returns how many bytes were inserted before the
 * current token. */
static size_t end_mod(struct lua51_scanner *s)
{
	struct lua51_chain *c = &s->chains[s->level];
	s->is_operand = false;
	return c->is_open ? end_call(s, &c->mod, "sluiced_mod") : 0;
}

/* End the chain of this level.  Returns how many bytes were inserted before the
 * current token. */
static size_t end_chain(struct lua51_scanner *s)
{
	struct lua51_chain *c = &s->chains[s->level];
	size_t inserted = end_mod(s);
	if (c->is_open)
		inserted += end_call(s, &c->concat, "sluiced_concat");
	c->is_open = false;
	return inserted;
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

/* Process an arithmetic operator or `..`, which starts at `start` in `out`. */
static void on_operator(struct lua51_scanner *s, enum lua51_token token,
			size_t start)
{
	struct lua51_chain *c = &s->chains[s->level];
	start += end_mod(s);
	if (!c->is_open)
		return;
	if (token == TOKEN_CONCAT) {
		memcpy(s->text.out + start, ", ", 2);
		join_operands(s, &c->concat, start + 2);
	} else if (token == TOKEN_REMAINDER) {
		s->text.out[start] = ',';
		join_operands(s, &c->mod, start + 1);
	}
	if (token != TOKEN_REMAINDER && token != TOKEN_PRODUCT)
		begin_call(&c->mod, s->text.length);
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
	case TOKEN_POWER:
		s->is_operand = false;
		return true;
	case TOKEN_SIGN:
	case TOKEN_PREFIX:
		if (was_operand && token == TOKEN_PREFIX)
			end_chain(s);
		else if (was_operand)
			on_operator(s, token, start);
		else
			begin_chain(s, start);
		s->is_operand = false;
		return true;
	case TOKEN_PRODUCT:
	case TOKEN_REMAINDER:
	case TOKEN_SUM:
	case TOKEN_CONCAT:
		on_operator(s, token, start);
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

static void put(struct lua51_text *text, const char *bytes, size_t length)
{
	memcpy(text->out + text->length, bytes, length);
	text->length += length;
}

size_t lua51_source_translate(struct span script, char *out)
{
	struct lua51_scanner s;
	s.text = (struct lua51_text){
		.at = script.ptr, .end = script.ptr + script.len, .out = out};
	s.last_end = 0;
	s.is_operand = false;
	s.is_function_end = false;
	s.level = 0;
	s.chains[0].is_open = false;
	s.chains[0].is_in_function = false;
	enum lua51_token token;
	put(&s.text, opening, sizeof opening - 1);
	do {
		lua51_token_take_blanks(&s.text);
		size_t start = s.text.length;
		token = lua51_token_take(&s.text);
		if (!on_token(&s, token, start))
			break;
		s.last_end = s.text.length;
	} while (token != TOKEN_END);
	put(&s.text, s.text.at, (size_t)(s.text.end - s.text.at));
	put(&s.text, closing, sizeof closing - 1);
	return s.text.length;
}
