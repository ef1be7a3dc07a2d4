/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "grep": which records continue.
 *
 *     Regex    KEY  REGEX        Exclude  KEY  REGEX
 *
 * Without Logical_Op the rules are tried in the order of their lines, as Fluent
 * Bit's legacy mode does.  A Regex that matches keeps the record, and a Regex
 * that does not match drops it; either way no later rule is tried.  An Exclude
 * that matches drops the record.
 * With Logical_Op AND or OR, all rules are Regex or all are Exclude.  The
 * record is kept (Regex) or dropped (Exclude) if all rules match (AND) or if
 * at least one does (OR).
 * Only strings match.
 * If a regex reaches its match limit, nobody knows whether it matches.  The
 * record is then kept and counted, unless another rule alone decides. */
#include "filter/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/accessor_warn.h"
#include "record/accessor.h"
#include "record/message.h"
#include "record/record.h"
#include "regex/pattern.h"

enum { MATCH_LIMIT };

static const char *const failures[] = {[MATCH_LIMIT] = "match_limit", NULL};

enum grep_logic { LEGACY, AND, OR };
static const char *const logics[] = {"legacy", "AND", "OR", NULL};

enum grep_match { NO, YES, UNKNOWN };

enum grep_kind { REGEX, EXCLUDE };
static const char *const kinds[] = {"Regex", "Exclude", NULL};

static const struct conf_key_spec keys[] = {
	{"Regex", CONF_WORDS, .is_repeatable = true,
	 .help = "KEY REGEX: keep the record if the string under KEY matches "
		 "REGEX, otherwise drop it."},
	{"Exclude", CONF_WORDS, .is_repeatable = true,
	 .help = "KEY REGEX: drop the record if the string under KEY matches "
		 "REGEX."},
	{"Logical_Op", CONF_CHOICE, .default_text = "legacy",
	 .help = "How rules combine: legacy (in order, the first decision "
		 "counts), AND (all must match) or OR (one must match)."},
	{.name = NULL},
};

struct grep_rule {
	size_t kind;
	struct accessor *key;
	struct pattern *regex;
};

struct grep {
	struct filter filter;
	size_t logic;
	struct grep_rule *rules;
	size_t rule_count;
	struct log_rate limit_rate;
};

static void close_filter(struct filter *filter)
{
	struct grep *g = (struct grep *)filter;
	for (size_t i = 0; i < g->rule_count; i++) {
		accessor_free(g->rules[i].key);
		pattern_free(g->rules[i].regex);
	}
	free(g->rules);
	free(g);
}

/* `level` means `$level`, so that a bare key also ends at a dot. */
static struct accessor *read_key(const char *text, size_t len, struct err *e)
{
	struct buf key = {0};
	if (*text != '$')
		buf_put_char(&key, '$');
	buf_put(&key, text, len);
	struct accessor *a = accessor_new(buf_span(&key), e);
	buf_fini(&key);
	return a;
}

/* On failure close_filter frees the parts of the rule that exist. */
static bool read_rule(struct grep_rule *rule, const char *text, struct err *e)
{
	size_t len = strcspn(text, " ");
	if (text[len] == '\0')
		return err_set(e, "a rule needs KEY REGEX, for example "
				  "`Regex level ^(error|warn)`");
	/* Quotes are part of the regular expression, as in Fluent Bit. */
	const char *regex = text + len + 1;
	rule->key = read_key(text, len, e);
	if (rule->key == NULL)
		return false;
	rule->regex = pattern_new_groupless(
		span_of(regex),
		rule->kind == REGEX
			? "write several Regex lines with Logical_Op or"
			: "write several Exclude lines",
		e);
	return rule->regex != NULL;
}

static bool add_rule(struct grep *g, struct conf_section *s, size_t kind,
		     const char *text, struct err *e)
{
	g->rules = mem_grow(g->rules, g->rule_count + 1, sizeof *g->rules);
	struct grep_rule *rule = &g->rules[g->rule_count++];
	*rule = (struct grep_rule){.kind = kind};
	if (g->logic != LEGACY && kind != g->rules[0].kind)
		return conf_err_key(s, kinds[kind], e,
				    "with Logical_Op %s, all rules must be "
				    "Regex or all must be Exclude",
				    logics[g->logic]);
	if (strstr(text, "  ") == text + strcspn(text, " "))
		conf_warn(s, kinds[kind],
			  "matching this space; only one space separates KEY "
			  "from the regular expression",
			  "the regular expression starts with a space");
	if (!read_rule(rule, text, e))
		return conf_err_in(s, kinds[kind], e);
	accessor_warn(rule->key, s, kinds[kind]);
	return true;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	struct grep *g = mem_new(1, sizeof *g);
	g->filter.ops = &filter_grep;

	if (!conf_get_choice(s, "Logical_Op", logics, &g->logic, e))
		goto fail;
	const char *text;
	size_t kind;
	while ((text = conf_get_each_of(s, kinds, g->rule_count, &kind)) !=
	       NULL)
		if (!add_rule(g, s, kind, text, e))
			goto fail;
	if (g->rule_count == 0) {
		conf_err_missing(s, "Regex", e,
				 "set at least one rule, for example `Regex "
				 "level ^(error|warn)` or `Exclude level "
				 "^debug`");
		goto fail;
	}
	return &g->filter;
fail:
	close_filter(&g->filter);
	return NULL;
}

static enum grep_match match(const struct grep_rule *rule,
			     const struct record *r)
{
	const struct value *v = accessor_find(rule->key, r);
	if (v == NULL || v->type != VALUE_STRING)
		return NO;
	if (pattern_matches(rule->regex, v->string,
			    message_search_cost(r->message)))
		return YES;
	return pattern_hit_limit(rule->regex) ? UNKNOWN : NO;
}

/* UNKNOWN: the answer depends on a rule that reached its match limit. */
static enum grep_match keeps(struct grep *g, const struct record *r)
{
	enum grep_match kept = YES;
	for (size_t i = 0; i < g->rule_count; i++) {
		enum grep_match found = match(&g->rules[i], r);
		if (g->rules[i].kind == REGEX)
			return found == YES ? kept : found;
		if (found == YES)
			return NO;
		if (found == UNKNOWN)
			kept = UNKNOWN;
	}
	return kept;
}

static enum grep_match keeps_by_logic(struct grep *g, const struct record *r)
{
	enum grep_match decides = g->logic == OR ? YES : NO;
	enum grep_match all = decides == YES ? NO : YES;
	for (size_t i = 0; i < g->rule_count; i++) {
		enum grep_match found = match(&g->rules[i], r);
		if (found == decides) {
			all = found;
			break;
		}
		if (found == UNKNOWN)
			all = UNKNOWN;
	}
	if (all == UNKNOWN)
		return UNKNOWN;
	return (all == YES) == (g->rules[0].kind == REGEX) ? YES : NO;
}

static void count_limit(struct grep *g)
{
	g->filter.stats.failures[MATCH_LIMIT]++;
	log_rated(&g->limit_rate, LOG_WARN, "grep",
		  "filter=%s failure=%s err=\"a regular expression reached "
		  "its search limit\" action=\"record passed on unchanged\"",
		  g->filter.name, failures[MATCH_LIMIT]);
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct grep *g = (struct grep *)filter;
	(void)emit;
	enum grep_match kept =
		g->logic == LEGACY ? keeps(g, r) : keeps_by_logic(g, r);
	if (kept == UNKNOWN)
		count_limit(g);
	return kept == NO ? FILTER_DROP : FILTER_PASS;
}

const struct filter_ops filter_grep = {
	.name = "grep",
	.keys = keys,
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
