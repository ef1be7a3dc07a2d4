/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "rewrite_tag": a new tag for a record whose field matches.
 *
 *     Rule  KEY     REGEX          NEW_TAG    KEEP
 *     Rule  $level  ^(error|warn)  app.$1     false
 *
 * The happy path:
 * 1. The first rule whose regex matches the string under its key composes the
 *    new tag.
 * 2. If KEEP is true, a copy of the record with that tag restarts at the head
 *    of the chain, and the record itself continues.
 * 3. If KEEP is false, the record itself restarts with that tag.
 *
 * If the composed tag is empty, no Match could ever match it, so the record
 * passes unchanged and is counted.
 * If the chain refuses the restart, because this filter restarted the record
 * before, because it was restarted too often, or because the copies take too
 * much memory, the record continues with the tag that it had.
 * If a regex reaches its match limit, nobody knows whether its rule or a later
 * one applies, so the record passes unchanged and is counted. */
#include "filter/kinds.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/accessor_warn.h"
#include "filter/quoted_words.h"
#include "record/accessor.h"
#include "record/message.h"
#include "record/record.h"
#include "regex/pattern.h"

/* The memory that stays allocated after a long tag. */
enum { KEEP_BYTES_MAX = 64 * 1024 };

enum { EMPTY_TAG, MATCH_LIMIT, FAILURE_COUNT };

static const char *const failures[] = {
	[EMPTY_TAG] = "empty_tag",
	[MATCH_LIMIT] = "match_limit",
	[FAILURE_COUNT] = NULL,
};

static_assert(sizeof failures / sizeof failures[0] <= FILTER_FAILURES_MAX + 1,
	      "room to count");

enum { ARG_KEY, ARG_REGEX, ARG_NEW_TAG, ARG_KEEP, ARG_COUNT };

static const char no_buffer[] =
	"sluiced restarts a record in the chain at once, without a buffer";

static const struct conf_key_spec keys[] = {
	{"Rule", CONF_WORDS, .is_required = true, .is_repeatable = true,
	 .help = "KEY REGEX NEW_TAG KEEP: if the string under KEY matches "
		 "REGEX, send a copy with the tag NEW_TAG through all filters "
		 "again; KEEP says whether the original continues too."},
	{"Emitter_Name", CONF_TEXT, .default_text = "emitter_for_ALIAS",
	 .help = "The metrics below /api/ count the retagged copies as an "
		 "input of this name."},
	{"Emitter_Storage.type", .ignored = no_buffer},
	{"Emitter_Mem_Buf_Limit", .ignored = no_buffer},
	{.name = NULL},
};

struct rewrite_rule {
	struct accessor *key;
	struct pattern *regex;
	struct composer *new_tag;
	bool keep;
};

struct rewrite_tag {
	struct filter filter;
	struct rewrite_rule *rules;
	size_t rule_count;
	struct buf tag; /* the tag being composed */
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
	while (count < ARG_COUNT &&
	       quoted_words_next(&at, QUOTED_WORDS_DOUBLE, &args[count]))
		count++;
	if (count < ARG_COUNT)
		return err_set(e,
			       "a rule needs four parts, KEY REGEX NEW_TAG "
			       "KEEP, for example `Rule $level "
			       "^(error|warn) app.$1 false`; put a part that "
			       "contains spaces in double quotes");
	at = quoted_words_rest(at);
	if (*at != '\0')
		conf_warn(s, "Rule", "ignoring them",
			  "a rule has four parts, but there are more: %s", at);
	return true;
}

/* On failure close_filter frees the parts of the rule that exist. */
static bool read_rule(struct rewrite_rule *rule,
		      struct buf args[static ARG_COUNT], struct err *e)
{
	rule->key = accessor_new(buf_span(&args[ARG_KEY]), e);
	if (rule->key == NULL)
		return err_in(e, "KEY");
	rule->regex = pattern_new(buf_span(&args[ARG_REGEX]),
				  "write several Rule lines", e);
	if (rule->regex == NULL)
		return err_in(e, "REGEX");
	rule->new_tag = composer_new(buf_span(&args[ARG_NEW_TAG]), e);
	if (rule->new_tag == NULL)
		return err_in(e, "NEW_TAG");
	if (!read_keep(buf_text(&args[ARG_KEEP]), &rule->keep))
		return err_set(e, "KEEP must be true or false, not \"%s\"",
			       buf_text(&args[ARG_KEEP]));
	return true;
}

static bool add_rule(struct rewrite_tag *t, struct conf_section *s,
		     const char *text, struct err *e)
{
	t->rules = mem_grow(t->rules, t->rule_count + 1,
			    sizeof(struct rewrite_rule));
	struct rewrite_rule *rule = &t->rules[t->rule_count++];
	*rule = (struct rewrite_rule){0};

	struct buf args[ARG_COUNT] = {{0}};
	bool ok = split_rule(args, s, text, e) && read_rule(rule, args, e);
	for (size_t i = 0; i < ARG_COUNT; i++)
		buf_fini(&args[i]);
	if (!ok) {
		err_in(e, "`%.200s`", text);
		return conf_err_in(s, "Rule", e);
	}
	accessor_warn(rule->key, s, "Rule");
	return true;
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
				 "set at least one, for example `Rule $level "
				 "^(error|warn) app.$1 false`");
		goto fail;
	}
	if (!conf_get_text(s, "Emitter_Name", &t->filter.emitter, e))
		goto fail;
	return &t->filter;
fail:
	close_filter(&t->filter);
	return NULL;
}

/* The record continues unchanged. */
static enum filter_verdict keep_tag(struct rewrite_tag *t, size_t failure)
{
	const char *err =
		failure == EMPTY_TAG
			? "the new tag is empty"
			: "a regular expression reached its search limit";
	t->filter.stats.failures[failure]++;
	log_rated(&t->rates[failure], LOG_WARN, "rewrite_tag",
		  "filter=%s failure=%s err=\"%s\" action=\"record keeps its "
		  "tag\"",
		  t->filter.name, failures[failure], err);
	return FILTER_PASS;
}

static enum filter_verdict rewrite(struct rewrite_tag *t,
				   const struct rewrite_rule *rule,
				   struct record *r, struct emit *emit)
{
	buf_clear(&t->tag);
	buf_limit(&t->tag, emit->tag_bytes_max(emit));
	composer_put(rule->new_tag, r, rule->regex, &t->tag);
	buf_limit(&t->tag, 0);
	if (t->tag.len == 0)
		return keep_tag(t, EMPTY_TAG);
	bool is_restarted = emit->restart(emit, buf_span(&t->tag), rule->keep);
	if (t->tag.cap > KEEP_BYTES_MAX)
		buf_fini(&t->tag);
	return is_restarted && !rule->keep ? FILTER_DONE : FILTER_PASS;
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct rewrite_tag *t = (struct rewrite_tag *)filter;
	for (size_t i = 0; i < t->rule_count; i++) {
		const struct rewrite_rule *rule = &t->rules[i];
		const struct value *v = accessor_find(rule->key, r);
		if (v == NULL || v->type != VALUE_STRING)
			continue;
		if (pattern_matches(rule->regex, v->string,
				    message_search_cost(r->message)))
			return rewrite(t, rule, r, emit);
		if (pattern_hit_limit(rule->regex))
			return keep_tag(t, MATCH_LIMIT);
	}
	return FILTER_PASS;
}

/* Only the start of a tag, up to its first "$", is known beforehand. */
static void list_rule_tag(const char *rule, filter_tag_fn found, void *data)
{
	struct buf word = {0};
	const char *at = rule;
	bool is_there = true;
	for (int part = 0; part <= ARG_NEW_TAG && is_there; part++)
		is_there = quoted_words_next(&at, QUOTED_WORDS_DOUBLE, &word);
	size_t known = is_there ? strcspn(buf_text(&word), "$") : 0;
	if (is_there)
		found(data, span_make(word.ptr, known), known < word.len);
	buf_fini(&word);
}

static void list_tags(struct conf_section *s, filter_tag_fn found, void *data)
{
	const char *rule;
	for (size_t i = 0; (rule = conf_get_each(s, "Rule", i)) != NULL; i++)
		list_rule_tag(rule, found, data);
}

const struct filter_ops filter_rewrite_tag = {
	.name = "rewrite_tag",
	.keys = keys,
	.failures = failures,
	.has_emitter = true,
	.list_tags = list_tags,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
