/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "parser": parse a field's text, put what was found in front.
 *
 *     message={"a":1} ident=h   ->   a=1 ident=h      Reserve_Data
 *                               ->   a=1              without it
 *
 * Scenario: each string of Key_Name (nearly always there is one) is given to
 * each Parser in turn; the first that takes it fills a fresh record; the fields
 * that are reserved follow; the record takes these fields over, and the time if
 * there is one.  No parser takes it, or there is no such string: the record
 * goes on as it was, and the reason is counted.
 * A Key_Name like $a['b'] finds a value within the record; what it lies in is
 * reserved as a whole, whether Preserve_Key says so or not. */
#include "filter/kinds.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "parse/parser.h"
#include "record/accessor.h"
#include "record/message.h"
#include "record/record.h"

/* The parser's verdicts, and what may go wrong around them. */
enum {
	KEY_MISSING = PARSER_VERDICT_COUNT,
	BAD_TIME,
	OUTCOME_COUNT,
};

/* clang-format off */
static const char *const outcomes[] = {
#define X(name, help) #name,
	PARSER_VERDICTS(X)
#undef X
	"key_missing",
	"bad_time",
	NULL,
};
/* clang-format on */

/* All but the first are failures. */
static_assert(PARSER_parsed == 0, "the first");
static_assert(sizeof outcomes / sizeof outcomes[0] <= FILTER_FAILURES_MAX + 2,
	      "room to count");

struct parser_filter {
	struct filter filter;
	char *key_name;
	struct span key;	   /* key_name, measured once */
	struct accessor *accessor; /* of a key_name with $, else NULL */
	struct parser **parsers;
	size_t parser_count;
	bool preserve_key;
	bool reserve_data;
	struct log_rate rates[OUTCOME_COUNT];
};

static void close_filter(struct filter *filter)
{
	struct parser_filter *f = (struct parser_filter *)filter;
	accessor_free(f->accessor);
	free(f->parsers);
	free(f->key_name);
	free(f);
}

static bool unknown_parser(const struct conf_section *s,
			   const struct parser_set *set, struct err *e)
{
	const char **names = parser_set_names(set);
	conf_err_unknown(s, "Parser", "parser", names, e);
	free(names);
	return false;
}

static bool get_parsers(struct parser_filter *f, struct conf_section *s,
			const struct parser_set *set, struct err *e)
{
	const char *name;
	while ((name = conf_get_each(s, "Parser", f->parser_count)) != NULL) {
		struct parser *p = parser_set_find(set, name);
		if (p == NULL)
			return unknown_parser(s, set, e);
		f->parsers = mem_grow(f->parsers, f->parser_count + 1,
				      sizeof(struct parser *));
		f->parsers[f->parser_count++] = p;
	}
	if (f->parser_count == 0)
		return conf_err_missing(s, "Parser", e,
					"the name of a [PARSER], for example "
					"`Parser json`");
	return true;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	struct parser_filter *f = mem_new(1, sizeof *f);
	f->filter.ops = &filter_parser;

	const char *key = NULL;
	if (!conf_get_text(s, "Key_Name", &key, e) ||
	    !conf_get_bool(s, "Preserve_Key", &f->preserve_key, e) ||
	    !conf_get_bool(s, "Reserve_Data", &f->reserve_data, e) ||
	    !get_parsers(f, s, env->parsers, e))
		goto fail;
	if (key == NULL) {
		conf_err_missing(s, "Key_Name", e,
				 "the field to parse, for example `Key_Name "
				 "message`");
		goto fail;
	}
	conf_ignore(s, "Unescape_Key", "JSON is always unescaped");
	f->key_name = mem_text(key);
	f->key = span_of(f->key_name);
	if (key[0] == '$') {
		f->accessor = accessor_new(f->key, e);
		if (f->accessor == NULL) {
			conf_err_in(s, "Key_Name", e);
			goto fail;
		}
	}
	return &f->filter;
fail:
	close_filter(&f->filter);
	return NULL;
}

static void count_failure(struct parser_filter *f, unsigned outcome,
			  struct span text)
{
	f->filter.stats.failures[outcome - 1]++;
	/* A field that is absent is common where records differ. */
	log_rated(&f->rates[outcome],
		  outcome == KEY_MISSING ? LOG_DEBUG : LOG_WARN, "parser",
		  "filter=%s key=%s err=%s", f->filter.name, f->key_name,
		  outcomes[outcome]);
	if (log_is_on(LOG_DEBUG) && outcome != KEY_MISSING) {
		char room[LOG_QUOTED_BYTES];
		log_line(LOG_DEBUG, "parser", "filter=%s err=%s text=%s",
			 f->filter.name, outcomes[outcome],
			 log_quoted(text, room));
	}
}

/* The fields of the text, or NULL when no parser takes it. */
static struct record *parse(struct parser_filter *f, const struct record *r,
			    struct span text)
{
	int64_t now_ns = r->message ? r->message->arrival_ns : r->time_ns;
	/* Time 0 stays when the text has none that can be read. */
	struct record *parsed = record_new(r->arena, r->message, r->tag, 0);
	enum parser_verdict verdict = PARSER_no_match;
	bool bad_time = false;
	for (size_t i = 0; i < f->parser_count; i++) {
		verdict = parser_apply(f->parsers[i], text, now_ns, parsed,
				       &bad_time);
		if (verdict == PARSER_parsed)
			break;
	}
	if (verdict != PARSER_parsed) {
		count_failure(f, verdict, text);
		return NULL;
	}
	if (bad_time)
		count_failure(f, BAD_TIME, text);
	return parsed;
}

static void drop_field(struct record *r, size_t i)
{
	r->count--;
	memmove(r->fields + i, r->fields + i + 1,
		(r->count - i) * sizeof *r->fields);
}

/* The record takes over what was found, with `kept` behind it. */
static void take_over(struct record *r, struct record *parsed,
		      const struct field *kept, size_t count)
{
	for (size_t i = 0; i < count; i++)
		record_add(parsed, kept[i].key, kept[i].value);
	r->fields = parsed->fields;
	r->count = parsed->count;
	r->cap = parsed->cap;
	r->has_unique_keys = parsed->has_unique_keys;
	if (parsed->time_ns != 0)
		r->time_ns = parsed->time_ns;
}

static void apply_within(struct parser_filter *f, struct record *r)
{
	const struct value *v = accessor_find(f->accessor, r);
	if (v == NULL || v->type != VALUE_STRING) {
		count_failure(f, KEY_MISSING, SPAN(""));
		return;
	}
	struct record *parsed = parse(f, r, v->string);
	if (parsed != NULL)
		take_over(r, parsed, r->fields, f->reserve_data ? r->count : 0);
}

static void apply_to_key(struct parser_filter *f, struct record *r)
{
	struct record *parsed = NULL;
	struct field source;
	bool is_there = false;
	for (size_t i = 0; i < r->count; i++) {
		if (!span_equals(r->fields[i].key, f->key) ||
		    r->fields[i].value.type != VALUE_STRING)
			continue;
		is_there = true;
		struct record *found = parse(f, r, r->fields[i].value.string);
		if (found == NULL)
			continue;
		parsed = found;
		source = r->fields[i];
		if (!f->preserve_key)
			drop_field(r, i--);
	}
	if (!is_there)
		count_failure(f, KEY_MISSING, SPAN(""));
	if (parsed == NULL)
		return;
	if (f->reserve_data)
		take_over(r, parsed, r->fields, r->count);
	else
		take_over(r, parsed, &source, f->preserve_key ? 1 : 0);
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct parser_filter *f = (struct parser_filter *)filter;
	(void)emit;
	if (f->accessor != NULL)
		apply_within(f, r);
	else
		apply_to_key(f, r);
	return FILTER_PASS;
}

const struct filter_ops filter_parser = {
	.name = "parser",
	.failures = outcomes + 1,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
