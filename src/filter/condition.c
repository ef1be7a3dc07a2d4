/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/condition.h"

#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/nearest.h"
#include "filter/quoted_words.h"
#include "record/accessor.h"
#include "record/message.h"
#include "record/record.h"
#include "regex/pattern.h"

enum condition_argument { NOTHING, KEY, TEXT, REGEX };

/* X(word, name, first argument, second argument).  Of each pair of rows, the
 * second row is the opposite of the first. */
#define KINDS(X)                                                             \
	X("Key_exists", EXISTS, KEY, NOTHING)                                \
	X("Key_does_not_exist", EXISTS_NOT, KEY, NOTHING)                    \
	X("A_key_matches", KEY_MATCHES, REGEX, NOTHING)                      \
	X("No_key_matches", KEY_MATCHES_NOT, REGEX, NOTHING)                 \
	X("Key_value_equals", EQUALS, KEY, TEXT)                             \
	X("Key_value_does_not_equal", EQUALS_NOT, KEY, TEXT)                 \
	X("Key_value_matches", MATCHES, KEY, REGEX)                          \
	X("Key_value_does_not_match", MATCHES_NOT, KEY, REGEX)               \
	X("Matching_keys_have_matching_values", ALL_MATCH, REGEX, REGEX)     \
	X("Matching_keys_do_not_have_matching_values", ALL_MATCH_NOT, REGEX, \
	  REGEX)

enum condition_kind {
#define X(word, name, first, second) name,
	KINDS(X)
#undef X
		KIND_COUNT
};

/* clang-format off */
static const char *const words[] = {
#define X(word, name, first, second) word,
	KINDS(X)
#undef X
	NULL,
};

static const enum condition_argument arguments[][2] = {
#define X(word, name, first, second) {first, second},
	KINDS(X)
#undef X
};
/* clang-format on */

struct condition {
	enum condition_kind kind;
	/* The first argument: one of these two. */
	struct accessor *key;
	struct pattern *key_regex;
	/* The second argument, if any: one of these two. */
	struct pattern *text_regex;
	char *text;
	size_t text_len;
};

static bool read_kind(struct condition *c, const char *word, struct err *e)
{
	for (unsigned i = 0; i < KIND_COUNT; i++)
		if (strcasecmp(word, words[i]) == 0) {
			c->kind = (enum condition_kind)i;
			return true;
		}
	struct buf hint = {0};
	err_set(e, "unknown condition \"%s\"%s", word,
		nearest_hint(word, words, &hint));
	buf_fini(&hint);
	return false;
}

static bool read_argument(struct condition *c, unsigned index, struct span text,
			  struct err *e)
{
	enum condition_argument what = arguments[c->kind][index];
	if (what == KEY) {
		c->key = accessor_new(text, e);
		return c->key != NULL;
	}
	if (what == TEXT) {
		c->text = mem_copy(text.ptr, text.len);
		c->text_len = text.len;
		return true;
	}
	struct pattern *p = pattern_new_groupless(
		text, "write shorter regular expressions", e);
	*(index == 0 ? &c->key_regex : &c->text_regex) = p;
	return p != NULL;
}

static bool read_all(struct condition *c, const char *at, struct buf *word,
		     struct err *e)
{
	if (!quoted_words_next(&at, QUOTED_WORDS_BOTH, word))
		return err_set(e, "the condition is missing; write for example "
				  "`Condition Key_exists level`");
	if (!read_kind(c, buf_text(word), e))
		return false;
	for (unsigned i = 0; i < 2 && arguments[c->kind][i] != NOTHING; i++) {
		if (!quoted_words_next(&at, QUOTED_WORDS_BOTH, word))
			return err_set(e, "%s needs %s", words[c->kind],
				       arguments[c->kind][1] == NOTHING
					       ? "one argument"
					       : "two arguments");
		if (!read_argument(c, i, buf_span(word), e))
			return false;
	}
	if (*quoted_words_rest(at) != '\0')
		return err_set(e,
			       "unexpected \"%s\"; put an argument that "
			       "contains spaces in quotes",
			       quoted_words_rest(at));
	return true;
}

struct condition *condition_new(const char *text, struct err *e)
{
	struct condition *c = mem_new(1, sizeof *c);
	struct buf word = {0};
	bool ok = read_all(c, text, &word, e);
	buf_fini(&word);
	if (ok)
		return c;
	condition_free(c);
	return NULL;
}

const struct accessor *condition_key(const struct condition *c)
{
	return c->key;
}

void condition_free(struct condition *c)
{
	if (c == NULL)
		return;
	accessor_free(c->key);
	pattern_free(c->key_regex);
	pattern_free(c->text_regex);
	free(c->text);
	free(c);
}

bool condition_matches(struct pattern *p, struct span text,
		       const struct record *r, uint64_t *limit_hits)
{
	if (pattern_matches(p, text, message_search_cost(r->message)))
		return true;
	*limit_hits += pattern_hit_limit(p);
	return false;
}

static bool value_matches(const struct condition *c, const struct value *v,
			  const struct record *r, uint64_t *limit_hits)
{
	struct span text;
	if (v->type == VALUE_STRING)
		text = v->string;
	else if (v->type == VALUE_BOOL)
		text = v->boolean ? SPAN("true") : SPAN("false");
	else
		return false;
	return condition_matches(c->text_regex, text, r, limit_hits);
}

static bool value_equals(const struct condition *c, const struct value *v)
{
	return v->type == VALUE_STRING &&
	       span_equals(v->string, span_make(c->text, c->text_len));
}

static bool some_key_matches(const struct condition *c, const struct record *r,
			     uint64_t *limit_hits)
{
	for (size_t i = 0; i < r->count; i++)
		if (condition_matches(c->key_regex, r->fields[i].key, r,
				      limit_hits))
			return true;
	return false;
}

static bool all_match(const struct condition *c, const struct record *r,
		      uint64_t *limit_hits)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct field *f = &r->fields[i];
		if (condition_matches(c->key_regex, f->key, r, limit_hits) &&
		    !value_matches(c, &f->value, r, limit_hits))
			return false;
	}
	return true;
}

bool condition_holds(const struct condition *c, const struct record *r,
		     uint64_t *limit_hits)
{
	const struct value *v =
		c->key != NULL ? accessor_find(c->key, r) : NULL;
	switch (c->kind) {
	case EXISTS:
		return v != NULL;
	case EXISTS_NOT:
		return v == NULL;
	case KEY_MATCHES:
		return some_key_matches(c, r, limit_hits);
	case KEY_MATCHES_NOT:
		return !some_key_matches(c, r, limit_hits);
	case EQUALS:
		return v != NULL && value_equals(c, v);
	case EQUALS_NOT:
		return v != NULL && !value_equals(c, v);
	case MATCHES:
		return v != NULL && value_matches(c, v, r, limit_hits);
	case MATCHES_NOT:
		return v != NULL && !value_matches(c, v, r, limit_hits);
	case ALL_MATCH:
		return all_match(c, r, limit_hits);
	case ALL_MATCH_NOT:
		return !all_match(c, r, limit_hits);
	case KIND_COUNT:
		break;
	}
	CHECK(false);
	return false;
}
