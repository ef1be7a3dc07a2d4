/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "parser": parse the text of a field and put the parsed fields in
 * front of the others.
 *
 *     message={"a":1} ident=h   ->   a=1 ident=h      with Reserve_Data
 *                               ->   a=1              without it
 *
 * The happy path:
 * 1. Each string under Key_Name (nearly always one) is given to each Parser in
 *    turn; the first parser that accepts it fills a new record.
 * 2. The reserved fields of the old record are appended to the new fields.
 * 3. The record takes over these fields, and the time if the parser found one.
 *
 * If no parser accepts the text, or there is no string under Key_Name, the
 * record passes unchanged and the reason is counted.
 * If the text has a time that cannot be read, the record keeps its time.
 * A Key_Name such as $a['b'] finds a value inside the record.  The top-level
 * field that contains the value is reserved as a whole, whatever Preserve_Key
 * says. */
#include "filter/kinds.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/accessor_warn.h"
#include "parse/parser.h"
#include "record/accessor.h"
#include "record/message.h"
#include "record/record.h"

/* The parser's verdicts, then the filter's own failures. */
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

/* All outcomes but the first are failures. */
static_assert(PARSER_parsed == 0, "the first outcome is the success");
static_assert(sizeof outcomes / sizeof outcomes[0] <= FILTER_FAILURES_MAX + 2,
	      "room to count");

static const struct conf_key_spec keys[] = {
	{"Key_Name", CONF_FIELD, .is_required = true,
	 .help = "The field to parse."},
	{"Parser", CONF_TEXT, .is_required = true, .is_repeatable = true,
	 .help = "The name of a [PARSER]; the first that accepts the text is "
		 "used."},
	{"Preserve_Key", CONF_BOOL, .default_text = "false",
	 .help = "Keep the parsed field in the record."},
	{"Reserve_Data", CONF_BOOL, .default_text = "false",
	 .help = "Keep the other fields of the record."},
	{"Unescape_Key", .ignored = "sluiced always unescapes JSON"},
	{.name = NULL},
};

struct parser_filter {
	struct filter filter;
	char *key_name;
	struct span key;	   /* key_name, measured once */
	struct accessor *accessor; /* if key_name starts with $, or NULL */
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
		return conf_err_missing(
			s, "Parser", e,
			"set it to the name of a [PARSER], for example "
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
				 "set it to the field to parse, for example "
				 "`Key_Name message`");
		goto fail;
	}
	f->key_name = mem_text(key);
	f->key = span_of(f->key_name);
	if (key[0] == '$') {
		f->accessor = accessor_new(f->key, e);
		if (f->accessor == NULL) {
			conf_err_in(s, "Key_Name", e);
			goto fail;
		}
		accessor_warn(f->accessor, s, "Key_Name");
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
	/* Where records differ, a missing field is normal. */
	log_rated(&f->rates[outcome],
		  outcome == KEY_MISSING ? LOG_DEBUG : LOG_WARN, "parser",
		  "filter=%s key=%s err=%s action=\"record passed on "
		  "unchanged\"",
		  f->filter.name, f->key_name, outcomes[outcome]);
	if (log_is_on(LOG_DEBUG) && outcome != KEY_MISSING) {
		char room[LOG_QUOTED_BYTES];
		log_line(LOG_DEBUG, "parser", "filter=%s err=%s text=%s",
			 f->filter.name, outcomes[outcome],
			 log_quoted(text, room));
	}
}

static void count_bad_time(struct parser_filter *f, const struct parser *parser,
			   struct span text)
{
	char room[LOG_QUOTED_BYTES];
	f->filter.stats.failures[BAD_TIME - 1]++;
	log_rated(&f->rates[BAD_TIME], LOG_WARN, "parser",
		  "filter=%s key=%s parser=%s err=%s format=\"%s\" text=%s "
		  "action=\"record keeps its time\"",
		  f->filter.name, f->key_name, parser_name(parser),
		  outcomes[BAD_TIME], parser_time_format(parser),
		  log_quoted(text, room));
}

/* An empty record for parse(). */
static struct record *room_for(const struct record *r)
{
	return record_new(r->arena, r->message, r->tag, 0);
}

static void clear(struct record *r)
{
	r->count = 0;
	r->time_ns = 0;
}

/* Put the fields and the time of the text into the empty record.  The time
 * stays 0 if the text has none or it cannot be read.  If no parser accepts the
 * text, the result is false and the record stays empty. */
static bool parse(struct parser_filter *f, const struct record *r,
		  struct span text, struct record *parsed)
{
	int64_t now_ns = r->message ? r->message->arrival_ns : r->time_ns;
	enum parser_verdict verdict = PARSER_no_match;
	struct span bad_time = span_make(NULL, 0);
	size_t i;
	for (i = 0; i < f->parser_count; i++) {
		verdict = parser_apply(f->parsers[i], text, now_ns, parsed,
				       &bad_time);
		if (verdict == PARSER_parsed)
			break;
	}
	if (verdict != PARSER_parsed) {
		count_failure(f, verdict, text);
		return false;
	}
	if (bad_time.ptr != NULL)
		count_bad_time(f, f->parsers[i], bad_time);
	return true;
}

/* Replace the fields of the record by the parsed ones, followed by `kept`. */
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
	struct record *parsed = room_for(r);
	if (parse(f, r, v->string, parsed))
		take_over(r, parsed, r->fields, f->reserve_data ? r->count : 0);
}

static bool is_to_parse(const struct parser_filter *f, const struct field *of)
{
	return span_equals(of->key, f->key) && of->value.type == VALUE_STRING;
}

/* The key may occur thousands of times, so the fields move once, and two
 * records take turns. */
static void apply_to_key(struct parser_filter *f, struct record *r)
{
	struct record *parsed = NULL, *room = NULL;
	struct field source;
	bool is_there = false;
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++) {
		if (kept != i)
			r->fields[kept] = r->fields[i];
		const struct field *at = &r->fields[kept++];
		if (!is_to_parse(f, at))
			continue;
		is_there = true;
		if (room == NULL)
			room = room_for(r);
		if (!parse(f, r, at->value.string, room))
			continue;
		struct record *earlier = parsed;
		parsed = room;
		room = earlier;
		if (room != NULL)
			clear(room);
		source = *at;
		if (!f->preserve_key)
			kept--;
	}
	r->count = kept;
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
	.keys = keys,
	.failures = outcomes + 1,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
