/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "modify": rules that set, move, copy and remove fields.
 *
 *     Condition  Key_value_matches  level  ^(error|warn)
 *     Rename     msg  message
 *     Set        env  production
 *
 * The happy path: if all conditions hold, the rules change the record in the
 * order of their lines; each rule works on the result of the previous one.
 * If a key occurs several times, a rule applies to all fields with that key.  A
 * rule that would be ambiguous, such as a copy of two fields, does nothing.
 * If the regex of a condition reaches its match limit, nobody knows whether the
 * condition holds, so the record passes unchanged.  Remove_regex keeps a field
 * whose key reaches the limit.  Both are counted. */
#include "filter/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/accessor_warn.h"
#include "filter/condition.h"
#include "filter/quoted_words.h"
#include "record/record.h"
#include "regex/pattern.h"

enum { MATCH_LIMIT };

static const char *const failures[] = {[MATCH_LIMIT] = "match_limit", NULL};

/* X(key, name, number of arguments, help) */
#define OPERATIONS(X)                                                          \
	X("Set", SET, 2,                                                       \
	  "KEY VALUE: set the field, replacing all fields with that key.")     \
	X("Add", ADD, 2, "KEY VALUE: add the field unless the key exists.")    \
	X("Add_if_not_present", ADD_IF_NOT_PRESENT, 2,                         \
	  "KEY VALUE: the same as Add.")                                       \
	X("Remove", REMOVE, 1, "KEY: remove every field with that key.")       \
	X("Remove_wildcard", REMOVE_WILDCARD, 1,                               \
	  "START: remove every field whose key starts with START.")            \
	X("Remove_regex", REMOVE_REGEX, 1,                                     \
	  "REGEX: remove every field whose key matches.")                      \
	X("Rename", RENAME, 2, "KEY NEW: rename the field unless NEW exists.") \
	X("Hard_rename", HARD_RENAME, 2,                                       \
	  "KEY NEW: rename the field, replacing NEW.")                         \
	X("Copy", COPY, 2, "KEY NEW: copy the field unless NEW exists.")       \
	X("Hard_copy", HARD_COPY, 2,                                           \
	  "KEY NEW: copy the field, replacing NEW.")                           \
	X("Move_to_start", MOVE_TO_START, 1,                                   \
	  "START: move the fields whose keys start with START to the front.")  \
	X("Move_to_end", MOVE_TO_END, 1,                                       \
	  "START: move the fields whose keys start with START to the end.")

/* clang-format off */
enum modify_operation {
#define X(key, name, count, help) name,
	OPERATIONS(X)
#undef X
	OPERATION_COUNT,
};

static const char *const operations[] = {
#define X(key, name, count, help) key,
	OPERATIONS(X)
#undef X
	NULL,
};

static const unsigned char argument_counts[] = {
#define X(key, name, count, help) count,
	OPERATIONS(X)
#undef X
};

static const struct conf_key_spec keys[] = {
	{"Condition", CONF_WORDS, .is_repeatable = true,
	 .help = "CONDITION ARGUMENTS: change only records for which every "
		 "Condition holds, for example `Key_exists level`."},
#define X(key, name, count, text) \
	{key, CONF_WORDS, .is_repeatable = true, .help = text},
	OPERATIONS(X)
#undef X
	{.name = NULL},
};
/* clang-format on */

struct modify_rule {
	enum modify_operation operation;
	char *texts[2];
	struct span key;   /* the first text */
	struct span other; /* the second text: a value or another key */
	struct pattern *regex;
};

struct modify {
	struct filter filter;
	struct modify_rule *rules;
	size_t rule_count;
	struct condition **conditions;
	size_t condition_count;
	struct log_rate limit_rate;
};

static void close_filter(struct filter *filter)
{
	struct modify *m = (struct modify *)filter;
	for (size_t i = 0; i < m->rule_count; i++) {
		free(m->rules[i].texts[0]);
		free(m->rules[i].texts[1]);
		pattern_free(m->rules[i].regex);
	}
	for (size_t i = 0; i < m->condition_count; i++)
		condition_free(m->conditions[i]);
	free(m->rules);
	free(m->conditions);
	free(m);
}

static bool read_rule(struct modify_rule *rule, const char *at,
		      struct buf *word, struct err *e)
{
	struct span *spans[] = {&rule->key, &rule->other};
	unsigned count = argument_counts[rule->operation];
	for (unsigned i = 0; i < count; i++) {
		if (!quoted_words_next(&at, QUOTED_WORDS_BOTH, word))
			return err_set(e, "this rule needs %s",
				       count == 2 ? "two arguments"
						  : "one argument");
		rule->texts[i] = mem_copy(word->ptr, word->len);
		*spans[i] = span_make(rule->texts[i], word->len);
	}
	if (*quoted_words_rest(at) != '\0')
		return err_set(e,
			       "unexpected \"%s\"; put an argument that "
			       "contains spaces in quotes",
			       quoted_words_rest(at));
	if (rule->operation == REMOVE_REGEX)
		rule->regex = pattern_new_groupless(
			rule->key, "write several Remove_regex lines", e);
	return rule->operation != REMOVE_REGEX || rule->regex != NULL;
}

static bool add_rules(struct modify *m, struct conf_section *s, struct err *e)
{
	struct buf word = {0};
	const char *text;
	size_t which;
	bool ok = true;
	while (ok && (text = conf_get_each_of(s, operations, m->rule_count,
					      &which)) != NULL) {
		m->rules =
			mem_grow(m->rules, m->rule_count + 1, sizeof *m->rules);
		struct modify_rule *rule = &m->rules[m->rule_count++];
		*rule = (struct modify_rule){
			.operation = (enum modify_operation)which};
		ok = read_rule(rule, text, &word, e) ||
		     conf_err_in(s, operations[which], e);
	}
	buf_fini(&word);
	return ok;
}

static bool add_conditions(struct modify *m, struct conf_section *s,
			   struct err *e)
{
	const char *text;
	while ((text = conf_get_each(s, "Condition", m->condition_count)) !=
	       NULL) {
		struct condition *c = condition_new(text, e);
		if (c == NULL)
			return conf_err_in(s, "Condition", e);
		accessor_warn(condition_key(c), s, "Condition");
		m->conditions = mem_grow(m->conditions, m->condition_count + 1,
					 sizeof *m->conditions);
		m->conditions[m->condition_count++] = c;
	}
	return true;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	struct modify *m = mem_new(1, sizeof *m);
	m->filter.ops = &filter_modify;

	if (!add_conditions(m, s, e) || !add_rules(m, s, e))
		goto fail;
	if (m->rule_count == 0) {
		conf_err_missing(s, "Set", e,
				 "set at least one rule, for example `Set env "
				 "production` or `Remove pid`");
		goto fail;
	}
	return &m->filter;
fail:
	close_filter(&m->filter);
	return NULL;
}

static size_t count_of(const struct record *r, struct span key)
{
	size_t count = 0;
	for (size_t i = 0; i < r->count; i++)
		count += span_equals(r->fields[i].key, key);
	return count;
}

static bool starts_with(struct span text, struct span start)
{
	return text.len >= start.len &&
	       span_equals(span_make(text.ptr, start.len), start);
}

static void remove_wildcard(struct record *r, struct span start)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++)
		if (!starts_with(r->fields[i].key, start))
			r->fields[kept++] = r->fields[i];
	r->count = kept;
}

static void remove_regex(struct record *r, struct pattern *regex,
			 uint64_t *limit_hits)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++)
		if (!condition_matches(regex, r->fields[i].key, r, limit_hits))
			r->fields[kept++] = r->fields[i];
	r->count = kept;
}

static void rename_all(struct record *r, struct span from, struct span to)
{
	r->has_unique_keys = false;
	for (size_t i = 0; i < r->count; i++)
		if (span_equals(r->fields[i].key, from))
			r->fields[i].key = to;
}

/* Insert the copy directly after the field. */
static void copy(struct record *r, struct span from, struct span to)
{
	size_t at = 0;
	while (!span_equals(r->fields[at].key, from))
		at++;
	struct field made = {to, r->fields[at].value};
	record_add(r, made.key, made.value);
	struct field *place = &r->fields[at + 1];
	size_t after = r->count - 1 - (at + 1);
	memmove(place + 1, place, after * sizeof *place);
	*place = made;
}

/* Move the fields whose keys start with `start` before or after the others. */
static void move(struct record *r, struct span start, bool to_front)
{
	struct record *old = record_copy(r);
	const struct field *end = old->fields + old->count;
	r->count = 0;
	for (const struct field *f = old->fields; f < end; f++)
		if (starts_with(f->key, start) == to_front)
			record_add(r, f->key, f->value);
	for (const struct field *f = old->fields; f < end; f++)
		if (starts_with(f->key, start) != to_front)
			record_add(r, f->key, f->value);
	arena_give_back(r->arena, old);
}

static void change(const struct modify_rule *rule, struct record *r,
		   uint64_t *limit_hits)
{
	struct span key = rule->key, other = rule->other;
	switch (rule->operation) {
	case SET:
		record_remove(r, key);
		record_add(r, key, value_string(other));
		break;
	case ADD:
	case ADD_IF_NOT_PRESENT:
		if (count_of(r, key) == 0)
			record_add(r, key, value_string(other));
		break;
	case REMOVE:
		record_remove(r, key);
		break;
	case REMOVE_WILDCARD:
		remove_wildcard(r, key);
		break;
	case REMOVE_REGEX:
		remove_regex(r, rule->regex, limit_hits);
		break;
	case RENAME:
		if (count_of(r, other) == 0)
			rename_all(r, key, other);
		break;
	case HARD_RENAME:
		if (count_of(r, key) == 0)
			break;
		record_remove(r, other);
		rename_all(r, key, other);
		break;
	case COPY:
		if (count_of(r, key) == 1 && count_of(r, other) == 0)
			copy(r, key, other);
		break;
	case HARD_COPY:
		if (span_equals(key, other) || count_of(r, key) != 1 ||
		    count_of(r, other) > 1)
			break;
		record_remove(r, other);
		copy(r, key, other);
		break;
	case MOVE_TO_START:
	case MOVE_TO_END:
		move(r, key, rule->operation == MOVE_TO_START);
		break;
	case OPERATION_COUNT:
		CHECK(false);
	}
}

static bool all_hold(const struct modify *m, const struct record *r,
		     uint64_t *limit_hits)
{
	for (size_t i = 0; i < m->condition_count; i++)
		if (!condition_holds(m->conditions[i], r, limit_hits))
			return false;
	return *limit_hits == 0;
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct modify *m = (struct modify *)filter;
	(void)emit;
	uint64_t limit_hits = 0;
	if (all_hold(m, r, &limit_hits))
		for (size_t i = 0; i < m->rule_count; i++)
			change(&m->rules[i], r, &limit_hits);
	if (limit_hits > 0) {
		m->filter.stats.failures[MATCH_LIMIT] += limit_hits;
		log_rated(&m->limit_rate, LOG_WARN, "modify",
			  "filter=%s failure=%s err=\"a regular expression "
			  "reached its search limit\" action=\"changing "
			  "nothing if it was a condition, otherwise keeping "
			  "the field\"",
			  m->filter.name, failures[MATCH_LIMIT]);
	}
	return FILTER_PASS;
}

const struct filter_ops filter_modify = {
	.name = "modify",
	.keys = keys,
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
