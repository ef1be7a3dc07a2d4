/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/parser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/mem.h"
#include "parse/decode_field.h"
#include "parse/logfmt.h"
#include "parse/ltsv.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"
#include "record/unescape.h"
#include "regex/pattern.h"

struct group { /* a group of the regex */
	struct span key;
	size_t index; /* in the pattern */
	enum parser_type type;
	bool is_time;
};

struct typed { /* one entry of Types */
	char *key;
	enum parser_type type;
};

struct parser {
	char *name;
	enum parser_format format;
	struct json_reader *json; /* PARSER_JSON; otherwise NULL */
	struct pattern *pattern;  /* PARSER_REGEX; otherwise NULL */
	struct group *groups;	  /* the named groups */
	size_t group_count;
	bool keep_empty;
	bool no_bare_keys;
	struct typed *types;
	size_t type_count;
	struct time_format *time; /* NULL: no Time_Format */
	char *time_format;	  /* NULL: no Time_Format */
	char *time_key;
	bool time_keep;
	struct decode_field *decode; /* or NULL */
};

struct parser_set {
	struct parser **parsers;
	size_t count;
};

const char *parser_verdict_name(enum parser_verdict verdict)
{
	static const char *const names[] = {
#define X(name, help) #name,
		PARSER_VERDICTS(X)
#undef X
	};
	CHECK(verdict < PARSER_VERDICT_COUNT);
	return names[verdict];
}

/* If a key is listed twice, its first type wins, as in Fluent Bit. */
static enum parser_type type_of(const struct parser *p, struct span key)
{
	for (size_t i = 0; i < p->type_count; i++)
		if (span_equals(span_of(p->types[i].key), key))
			return p->types[i].type;
	return PARSER_TYPE_STRING;
}

static bool is_time_key(const struct parser *p, struct span key)
{
	return p->time != NULL && span_equals(key, span_of(p->time_key));
}

static void add_group(struct parser *p, size_t index, struct span key)
{
	p->groups[p->group_count++] = (struct group){
		.key = key,
		.index = index,
		.type = type_of(p, key),
		.is_time = is_time_key(p, key),
	};
}

/* List the named groups in the order in which the pattern first uses each name.
 * Groups that share a name are adjacent.  False if the pattern is wrong or has
 * no named group. */
static bool take_regex(struct parser *p, const char *regex, struct err *e)
{
	p->pattern = pattern_new(
		span_of(regex),
		"write several parsers and name each of them in a filter", e);
	if (p->pattern == NULL)
		return false;

	size_t count = pattern_groups(p->pattern);
	p->groups = mem_new(count, sizeof *p->groups);
	for (size_t i = 1; i <= count; i++) {
		struct span key = pattern_group_name(p->pattern, i);
		bool is_known = key.len == 0;
		for (size_t k = 0; k < p->group_count; k++)
			if (span_equals(p->groups[k].key, key))
				is_known = true;
		for (size_t k = i; !is_known && k <= count; k++)
			if (span_equals(pattern_group_name(p->pattern, k), key))
				add_group(p, k, key);
	}
	if (p->group_count == 0)
		return err_set(e, "there is no named group like "
				  "(?<message>.*), so it would never yield "
				  "a field");
	return true;
}

static bool take_time(struct parser *p, const struct parser_opts *opts,
		      struct err *e)
{
	p->time_key = mem_text(opts->time_key ? opts->time_key : "time");
	p->time_keep = opts->time_keep;
	if (opts->time.format == NULL)
		return true;
	p->time_format = mem_text(opts->time.format);
	p->time = time_format_new(&opts->time, e);
	return p->time != NULL;
}

static void take_types(struct parser *p, const struct parser_opts *opts)
{
	p->types = mem_new(opts->type_count, sizeof *p->types);
	p->type_count = opts->type_count;
	for (size_t i = 0; i < opts->type_count; i++)
		p->types[i] = (struct typed){
			mem_text(opts->types[i].key),
			opts->types[i].type,
		};
}

static void free_parser(struct parser *p)
{
	for (size_t i = 0; i < p->type_count; i++)
		free(p->types[i].key);
	json_reader_free(p->json);
	pattern_free(p->pattern);
	time_format_free(p->time);
	decode_field_free(p->decode);
	free(p->types);
	free(p->groups);
	free(p->time_format);
	free(p->time_key);
	free(p->name);
	free(p);
}

struct parser *parser_new(const struct parser_opts *opts, const char **wrong,
			  struct err *e)
{
	struct parser *p = mem_new(1, sizeof *p);
	p->name = mem_text(opts->name);
	p->format = opts->format;
	p->keep_empty = opts->keep_empty;
	p->no_bare_keys = opts->no_bare_keys;
	take_types(p, opts);
	*wrong = opts->time.zone != NULL ? "Time_Zone" : "Time_Format";
	if (!take_time(p, opts, e))
		goto fail;
	*wrong = "Regex";
	if (opts->format == PARSER_JSON)
		p->json = json_reader_new();
	else if (opts->format == PARSER_REGEX && !take_regex(p, opts->regex, e))
		goto fail;
	if (opts->decode_count > 0)
		p->decode = decode_field_new(opts->decode, opts->decode_count);
	return p;
fail:
	free_parser(p);
	return NULL;
}

const char *parser_name(const struct parser *p)
{
	return p->name;
}

const char *parser_time_format(const struct parser *p)
{
	return p->time_format != NULL ? p->time_format : "";
}

/* Convert as strtoll, strtod and strtoull do: text after the number is ignored.
 * A text that the type cannot hold stays a string. */
static struct value typed(enum parser_type type, struct span s, struct arena *a)
{
	if (type == PARSER_TYPE_STRING)
		return value_string(s);
	char *text = arena_take(a, s.len + 1);
	if (s.len > 0)
		memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';

	if (type == PARSER_TYPE_INTEGER)
		return value_int(strtoll(text, NULL, 10));
	if (type == PARSER_TYPE_FLOAT) {
		double real = strtod(text, NULL);
		if (isfinite(real))
			return value_float(real);
	}
	if (type == PARSER_TYPE_BOOL && strncasecmp(text, "true", 4) == 0)
		return value_bool(true);
	if (type == PARSER_TYPE_BOOL && strncasecmp(text, "false", 5) == 0)
		return value_bool(false);
	if (type == PARSER_TYPE_HEX) {
		unsigned long long n = strtoull(text, NULL, 16);
		if (n <= INT64_MAX)
			return value_int((int64_t)n);
	}
	return value_string(s);
}

/* Set the record's time.  False if the text does not fit the format. */
static bool read_time(struct parser *p, struct span text, int64_t now_ns,
		      struct record *into)
{
	int64_t time_ns = 0;
	if (!time_format_read(p->time, text, now_ns, &time_ns))
		return false;
	/* Fluent Bit does not accept the epoch itself as a time. */
	if (time_ns != 0)
		into->time_ns = time_ns;
	return true;
}

static enum parser_verdict apply_regex(struct parser *p, struct span text,
				       int64_t now_ns, struct record *into,
				       struct span *bad_time)
{
	if (!pattern_matches(p->pattern, text,
			     message_search_cost(into->message)))
		return pattern_hit_limit(p->pattern) ? PARSER_match_limit
						     : PARSER_no_match;
	bool has_any = false;
	for (size_t i = 0; i < p->group_count; i++) {
		const struct group *g = &p->groups[i];
		bool is_present;
		struct span s =
			pattern_group(p->pattern, g->index, &is_present);
		has_any = has_any || is_present;
		if (s.len == 0 && !p->keep_empty)
			continue;
		if (g->is_time) {
			bool fits = read_time(p, s, now_ns, into);
			if (!fits)
				*bad_time = s.ptr != NULL ? s : SPAN("");
			if (!fits || !p->time_keep)
				continue;
		}
		record_add(into, g->key, typed(g->type, s, into->arena));
	}
	if (has_any)
		return PARSER_parsed;
	into->count = 0;
	return PARSER_no_match;
}

/* Add a pair of LTSV or logfmt.  False if the pair is the time and does not fit
 * Time_Format. */
static bool add_pair(struct parser *p, struct span key, struct span text,
		     struct value value, int64_t now_ns, struct record *into)
{
	if (text.len > 0 && is_time_key(p, key)) {
		if (!read_time(p, text, now_ns, into))
			return false;
		if (!p->time_keep)
			return true;
	}
	if (p->type_count > 0)
		value = typed(type_of(p, key), text, into->arena);
	record_add(into, key, value);
	return true;
}

static bool add_ltsv(struct parser *p, struct span text, int64_t now_ns,
		     struct record *into)
{
	struct span key, value;
	while (ltsv_next(&text, &key, &value))
		if (key.len > 0 &&
		    !add_pair(p, key, value, value_string(value), now_ns, into))
			return false;
	return true;
}

static struct value logfmt_value(const struct logfmt_pair *pair,
				 struct arena *a)
{
	if (pair->value.len == 0 && !pair->is_quoted)
		return value_bool(true);
	return value_string(pair->has_escape ? unescape_utf8(a, pair->value)
					     : pair->value);
}

static bool add_logfmt(struct parser *p, struct span text, int64_t now_ns,
		       struct record *into)
{
	struct logfmt_pair pair;
	while (logfmt_next(&text, &pair)) {
		if (!pair.has_equals && p->no_bare_keys) {
			into->count = 0;
			return true;
		}
		if (!add_pair(p, pair.key, pair.value,
			      logfmt_value(&pair, into->arena), now_ns, into))
			return false;
	}
	return true;
}

static enum parser_verdict apply_pairs(struct parser *p, struct span text,
				       int64_t now_ns, struct record *into)
{
	int64_t time_ns = into->time_ns;
	bool fits = p->format == PARSER_LTSV
			    ? add_ltsv(p, text, now_ns, into)
			    : add_logfmt(p, text, now_ns, into);
	if (fits && into->count > 0)
		return PARSER_parsed;
	into->count = 0;
	into->time_ns = time_ns;
	return fits ? PARSER_no_match : PARSER_bad_pair_time;
}

static void take_json_time(struct parser *p, int64_t now_ns,
			   struct record *into, struct span *bad_time)
{
	size_t i = 0;
	while (i < into->count && !is_time_key(p, into->fields[i].key))
		i++;
	if (i == into->count || into->fields[i].value.type != VALUE_STRING)
		return;
	if (!read_time(p, into->fields[i].value.string, now_ns, into)) {
		*bad_time = into->fields[i].value.string;
	} else if (!p->time_keep) {
		into->count--;
		memmove(into->fields + i, into->fields + i + 1,
			(into->count - i) * sizeof *into->fields);
	}
}

static enum parser_verdict apply_json(struct parser *p, struct span text,
				      struct record *into)
{
	switch (json_read(p->json, text, into)) {
	case JSON_READ:
		return PARSER_parsed;
	case JSON_CUT:
		return PARSER_json_cut;
	case JSON_NO_OBJECT:
		return PARSER_json_no_object;
	case JSON_TOO_DEEP:
		return PARSER_json_too_deep;
	case JSON_BROKEN:
		break;
	}
	return PARSER_json_broken;
}

enum parser_verdict parser_apply(struct parser *p, struct span text,
				 int64_t now_ns, struct record *into,
				 struct span *bad_time)
{
	enum parser_verdict verdict = PARSER_no_match;
	*bad_time = span_make(NULL, 0);
	switch (p->format) {
	case PARSER_REGEX:
		verdict = apply_regex(p, text, now_ns, into, bad_time);
		break;
	case PARSER_JSON:
		verdict = apply_json(p, text, into);
		break;
	case PARSER_LTSV:
	case PARSER_LOGFMT:
		verdict = apply_pairs(p, text, now_ns, into);
		break;
	}
	if (verdict != PARSER_parsed) {
		*bad_time = span_make(NULL, 0);
		return verdict;
	}
	if (p->decode != NULL)
		decode_field_apply(p->decode, into);
	if (p->json != NULL && p->time != NULL)
		take_json_time(p, now_ns, into, bad_time);
	return PARSER_parsed;
}

struct parser_set *parser_set_new(void)
{
	return mem_new(1, sizeof(struct parser_set));
}

void parser_set_free(struct parser_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		free_parser(set->parsers[i]);
	free(set->parsers);
	free(set);
}

/* The index of the parser, or the count if there is none. */
static size_t place_of(const struct parser_set *set, const char *name)
{
	size_t i = 0;
	while (i < set->count && strcmp(set->parsers[i]->name, name) != 0)
		i++;
	return i;
}

void parser_set_give(struct parser_set *set, struct parser *p)
{
	size_t i = place_of(set, p->name);
	if (i < set->count) {
		free_parser(set->parsers[i]);
	} else {
		set->parsers = mem_grow(set->parsers, ++set->count,
					sizeof(struct parser *));
	}
	set->parsers[i] = p;
}

struct parser *parser_set_find(const struct parser_set *set, const char *name)
{
	size_t i = place_of(set, name);
	return i < set->count ? set->parsers[i] : NULL;
}

const char **parser_set_names(const struct parser_set *set)
{
	const char **names = mem_new(set->count + 1, sizeof *names);
	for (size_t i = 0; i < set->count; i++)
		names[i] = set->parsers[i]->name;
	return names;
}
