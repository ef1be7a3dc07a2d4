/* SPDX-License-Identifier: Apache-2.0 */
#include "record/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/mem.h"
#include "record/json.h"
#include "record/pattern.h"
#include "record/record.h"
#include "record/time_format.h"

struct group { /* of the regex, what to do with it */
	struct span key;
	enum parser_type type;
	bool is_time;
};

struct parser {
	char *name;
	struct json_reader *json; /* PARSER_JSON, else NULL */
	struct pattern *pattern;  /* PARSER_REGEX, else NULL */
	struct group *groups;	  /* groups[i] is the pattern's i + 1 */
	size_t group_count;
	struct time_format *time; /* NULL: the text has no time */
	char *time_key;
	bool time_keep;
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

/* A key that is listed twice has its first type, as in Fluent Bit. */
static enum parser_type type_of(const struct parser_opts *opts, struct span key)
{
	for (size_t i = 0; i < opts->type_count; i++)
		if (span_equals(span_of(opts->types[i].key), key))
			return opts->types[i].type;
	return PARSER_TYPE_STRING;
}

static bool take_regex(struct parser *p, const struct parser_opts *opts,
		       struct err *e)
{
	p->pattern = pattern_new(span_of(opts->regex), e);
	if (p->pattern == NULL)
		return false;

	bool has_name = false;
	p->group_count = pattern_groups(p->pattern);
	p->groups = mem_new(p->group_count, sizeof *p->groups);
	for (size_t i = 0; i < p->group_count; i++) {
		struct span key = pattern_group_name(p->pattern, i + 1);
		p->groups[i] = (struct group){
			.key = key,
			.type = type_of(opts, key),
			.is_time = p->time != NULL &&
				   span_equals(key, span_of(p->time_key)),
		};
		has_name = has_name || !span_is_empty(key);
	}
	if (!has_name)
		return err_set(e, "there is no named group like "
				  "(?<message>.*): it would never yield a "
				  "field");
	return true;
}

static bool take_time(struct parser *p, const struct parser_opts *opts,
		      struct err *e)
{
	p->time_key = mem_text(opts->time_key ? opts->time_key : "time");
	p->time_keep = opts->time_keep;
	if (opts->time_format == NULL)
		return true;
	p->time = time_format_new(
		&(struct time_format_opts){
			.format = opts->time_format,
			.has_offset = opts->has_time_offset,
			.offset_s = opts->time_offset_s,
		},
		e);
	return p->time != NULL;
}

struct parser *parser_new(const struct parser_opts *opts, const char **wrong,
			  struct err *e)
{
	struct parser *p = mem_new(1, sizeof *p);
	p->name = mem_text(opts->name);
	*wrong = "Time_Format";
	if (!take_time(p, opts, e))
		goto fail;
	*wrong = "Regex";
	if (opts->format == PARSER_JSON)
		p->json = json_reader_new();
	else if (!take_regex(p, opts, e))
		goto fail;
	return p;
fail:
	parser_free(p);
	return NULL;
}

void parser_free(struct parser *p)
{
	if (p == NULL)
		return;
	json_reader_free(p->json);
	pattern_free(p->pattern);
	time_format_free(p->time);
	free(p->groups);
	free(p->time_key);
	free(p->name);
	free(p);
}

const char *parser_name(const struct parser *p)
{
	return p->name;
}

/* As strtoll, strtod and strtoull read: what leads counts, the rest is
 * ignored.  What a type cannot hold stays a string. */
static struct value typed(enum parser_type type, struct span s, struct arena *a)
{
	if (type == PARSER_TYPE_STRING)
		return value_string(s);
	char *text = arena_take(a, s.len + 1);
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';

	if (type == PARSER_TYPE_INTEGER)
		return value_int(strtoll(text, NULL, 10));
	if (type == PARSER_TYPE_FLOAT)
		return value_float(strtod(text, NULL));
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

/* What becomes of the record's time; false when the text does not fit. */
static bool read_time(struct parser *p, struct span text, int64_t now_ns,
		      struct record *into)
{
	int64_t time_ns = 0;
	if (!time_format_read(p->time, text, now_ns, &time_ns))
		return false;
	/* To Fluent Bit the epoch itself is no time. */
	if (time_ns != 0)
		into->time_ns = time_ns;
	return true;
}

static enum parser_verdict apply_regex(struct parser *p, struct span text,
				       int64_t now_ns, struct record *into,
				       bool *bad_time)
{
	if (!pattern_matches(p->pattern, text))
		return pattern_gave_up(p->pattern) ? PARSER_match_limit
						   : PARSER_no_match;
	for (size_t i = 0; i < p->group_count; i++) {
		const struct group *g = &p->groups[i];
		bool is_present;
		struct span s = pattern_group(p->pattern, i + 1, &is_present);
		if (!is_present || s.len == 0 || g->key.len == 0)
			continue;
		if (g->is_time) {
			bool fits = read_time(p, s, now_ns, into);
			if (!fits)
				*bad_time = true;
			if (!fits || !p->time_keep)
				continue;
		}
		record_add(into, g->key, typed(g->type, s, into->arena));
	}
	return PARSER_parsed;
}

static void take_json_time(struct parser *p, int64_t now_ns,
			   struct record *into, bool *bad_time)
{
	struct span key = span_of(p->time_key);
	const struct value *v = record_first(into, key);
	if (v == NULL || v->type != VALUE_STRING)
		return;
	bool fits = read_time(p, v->string, now_ns, into);
	if (!fits)
		*bad_time = true;
	if (!fits || !p->time_keep)
		record_remove(into, key);
}

static enum parser_verdict apply_json(struct parser *p, struct span text,
				      int64_t now_ns, struct record *into,
				      bool *bad_time)
{
	switch (json_read(p->json, text, into)) {
	case JSON_READ:
		if (p->time != NULL)
			take_json_time(p, now_ns, into, bad_time);
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
				 bool *bad_time)
{
	return p->json != NULL ? apply_json(p, text, now_ns, into, bad_time)
			       : apply_regex(p, text, now_ns, into, bad_time);
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
		parser_free(set->parsers[i]);
	free(set->parsers);
	free(set);
}

/* Its place, or the one behind the last. */
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
		parser_free(set->parsers[i]);
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
