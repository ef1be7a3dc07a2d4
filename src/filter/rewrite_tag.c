/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "rewrite_tag": a new tag for a record whose field matches.
 *
 *     Rule  KEY     REGEX          NEW_TAG    KEEP
 *     Rule  $level  ^(error|warn)  app.$1     false
 *
 * Scenario: the first rule whose regex matches the string of its key composes
 * the new tag; a copy with that tag goes to the head of the chain; the record
 * itself goes on too with KEEP, else it ends here.
 * The composed tag is empty: nothing could ever match it, so the record goes
 * on as it was, counted.  The chain refuses the copy, because the record came
 * from here already, or round too often: it goes on with the tag that it has. */
#include "filter/kinds.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/args.h"
#include "record/accessor.h"
#include "record/record.h"
#include "regex/pattern.h"

enum { EMPTY_TAG, MATCH_LIMIT, FAILURE_COUNT };

static const char *const failures[] = {
	[EMPTY_TAG] = "empty_tag",
	[MATCH_LIMIT] = "match_limit",
	[FAILURE_COUNT] = NULL,
};

static_assert(sizeof failures / sizeof failures[0] <= FILTER_FAILURES_MAX + 1,
	      "room to count");

enum { ARG_KEY, ARG_REGEX, ARG_NEW_TAG, ARG_KEEP, ARG_COUNT };

struct rule {
	struct accessor *key;
	struct pattern *regex;
	struct composer *new_tag;
	bool keep;
};

struct rewrite_tag {
	struct filter filter;
	struct rule *rules;
	size_t rule_count;
	struct buf tag; /* being composed */
	struct log_rate rates[FAILURE_COUNT];
};

static void close_filter(struct filter *filter)
{
	struct rewrite_tag *t = (struct rewrite_tag *)filter;
	for (size_t i = 0; i < t->rule_count; i++) {
		accessor_free(t->rules[i].key);
		pattern_free(t->rules[i].regex);
		composer_free(t->rules[i].new_tag);
	}
	free(t->rules);
	buf_fini(&t->tag);
	free(t);
}

static bool read_keep(const char *text, bool *keep)
{
	static const char *const words[] = {"false", "true", "off",
					    "on",    "no",   "yes"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i]) == 0) {
			*keep = i % 2 == 1;
			return true;
		}
	return false;
}

static bool split_rule(struct buf args[static ARG_COUNT],
		       const struct conf_section *s, const char *text,
		       struct err *e)
{
	const char *at = text;
	size_t count = 0;
	while (count < ARG_COUNT && args_next(&at, ARGS_DOUBLE, &args[count]))
		count++;
	if (count < ARG_COUNT)
		return err_set(e, "four parts are needed, KEY REGEX NEW_TAG "
				  "KEEP, as in `Rule $level ^(error|warn) "
				  "app.$1 false`; one with blanks in it stands "
				  "in double quotes");
	at = args_rest(at);
	if (*at != '\0')
		conf_warn(s, "Rule", "`%s` is ignored: a rule has four parts",
			  at);
	return true;
}

/* On failure the rule may be half made: close_filter frees it. */
static bool read_rule(struct rule *rule, struct buf args[static ARG_COUNT],
		      struct err *e)
{
	rule->key = accessor_new(buf_span(&args[ARG_KEY]), e);
	if (rule->key == NULL)
		return err_in(e, "KEY");
	rule->regex = pattern_new(buf_span(&args[ARG_REGEX]), e);
	if (rule->regex == NULL)
		return err_in(e, "REGEX");
	rule->new_tag = composer_new(buf_span(&args[ARG_NEW_TAG]), e);
	if (rule->new_tag == NULL)
		return err_in(e, "NEW_TAG");
	if (!read_keep(buf_text(&args[ARG_KEEP]), &rule->keep))
		return err_set(e, "KEEP is true or false, not \"%s\"",
			       buf_text(&args[ARG_KEEP]));
	return true;
}

static bool add_rule(struct rewrite_tag *t, struct conf_section *s,
		     const char *text, struct err *e)
{
	t->rules = mem_grow(t->rules, t->rule_count + 1, sizeof(struct rule));
	struct rule *rule = &t->rules[t->rule_count++];
	*rule = (struct rule){0};

	struct buf args[ARG_COUNT] = {{0}};
	bool ok = split_rule(args, s, text, e) && read_rule(rule, args, e);
	for (size_t i = 0; i < ARG_COUNT; i++)
		buf_fini(&args[i]);
	if (!ok) {
		err_in(e, "`%s`", text);
		conf_err_in(s, "Rule", e);
	}
	return ok;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	struct rewrite_tag *t = mem_new(1, sizeof *t);
	t->filter.ops = &filter_rewrite_tag;

	const char *text;
	while ((text = conf_get_each(s, "Rule", t->rule_count)) != NULL)
		if (!add_rule(t, s, text, e))
			goto fail;
	if (t->rule_count == 0) {
		conf_err_missing(s, "Rule", e,
				 "for example `Rule $level ^(error|warn) "
				 "app.$1 false`");
		goto fail;
	}
	if (!conf_get_text(s, "Emitter_Name", &t->filter.emitter, e))
		goto fail;
	static const char why[] = "a new tag starts over in the chain, there "
				  "is nothing to store between";
	conf_ignore(s, "Emitter_Storage.type", why);
	conf_ignore(s, "Emitter_Mem_Buf_Limit", why);
	return &t->filter;
fail:
	close_filter(&t->filter);
	return NULL;
}

static void count_failure(struct rewrite_tag *t, size_t failure)
{
	t->filter.stats.failures[failure]++;
	log_rated(&t->rates[failure], LOG_WARN, "rewrite_tag",
		  "filter=%s err=%s", t->filter.name, failures[failure]);
}

static enum filter_verdict rewrite(struct rewrite_tag *t,
				   const struct rule *rule, struct record *r,
				   struct emit *emit)
{
	buf_clear(&t->tag);
	composer_put(rule->new_tag, r, rule->regex, &t->tag);
	if (t->tag.len == 0) {
		count_failure(t, EMPTY_TAG);
		return FILTER_PASS;
	}
	struct record *copy = record_copy(r);
	copy->tag = arena_copy(r->arena, buf_span(&t->tag));
	if (!emit->restart(emit, copy) || rule->keep)
		return FILTER_PASS;
	return FILTER_DONE;
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct rewrite_tag *t = (struct rewrite_tag *)filter;
	for (size_t i = 0; i < t->rule_count; i++) {
		const struct rule *rule = &t->rules[i];
		const struct value *v = accessor_find(rule->key, r);
		if (v == NULL || v->type != VALUE_STRING)
			continue;
		if (pattern_matches(rule->regex, v->string))
			return rewrite(t, rule, r, emit);
		if (pattern_gave_up(rule->regex))
			count_failure(t, MATCH_LIMIT);
	}
	return FILTER_PASS;
}

const struct filter_ops filter_rewrite_tag = {
	.name = "rewrite_tag",
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
