/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_report.h"
#include "conf/conf_tree.h"
#include "conf/nearest.h"

struct unit {
	const char *name;
	double factor;
};

/* Whether last_got is the value just before the nth one of this key or, if
 * `list` is not NULL, of the keys in this list. */
static bool follows_last(const struct conf_section *s, const char *key,
			 const char *const *list, size_t nth)
{
	return s->last_got != NULL && nth > 0 && nth - 1 == s->last_nth &&
	       list == s->last_list &&
	       (list != NULL || conf_tree_is_value(s->last_got, key));
}

/* Find the nth value of the key.  Callers read one value after the other, so
 * the search continues after last_got if it can. */
static const struct conf_key *get_nth(struct conf_section *s, const char *key,
				      size_t nth)
{
	bool follows = follows_last(s, key, NULL, nth);
	const struct conf_key *k = follows ? s->last_got->next : s->keys;
	size_t skip = follows ? 0 : nth;
	while (k != NULL && !(conf_tree_is_value(k, key) && skip-- == 0))
		k = k->next;
	s->last_got = k;
	s->last_nth = nth;
	s->last_list = NULL;
	return k;
}

static void note_known(struct conf_section *s, const char *key)
{
	for (struct conf_key *k = s->keys; k != NULL; k = k->next)
		if (strcasecmp(k->name, key) == 0)
			k->is_known = true;
}

static bool is_declared(const struct conf_section *s, const char *key)
{
	for (size_t i = 0; i < s->table_count; i++)
		for (const struct conf_key_spec *k = s->tables[i];
		     k->name != NULL; k++)
			if (conf_key_covers(k, key))
				return true;
	return s->table_count == 0;
}

static void note_asked(struct conf_section *s, const char *key)
{
	CHECK(is_declared(s, key));
	for (size_t i = 0; i < s->asked_count; i++)
		if (strcasecmp(s->asked[i], key) == 0)
			return;
	s->asked = mem_grow(s->asked, s->asked_count + 2, sizeof *s->asked);
	struct span name = span_make(key, strlen(key) + 1);
	s->asked[s->asked_count++] = arena_copy(s->conf->arena, name).ptr;
	s->asked[s->asked_count] = NULL;
	note_known(s, key);
}

static bool err_value(const struct conf_section *s, const struct conf_key *k,
		      struct err *e, const char *what)
{
	char room[LOG_QUOTED_BYTES];
	return conf_report_key(s, k, e, "%s %s is not %s", k->name,
			       log_quoted(span_of(k->value), room), what);
}

static bool err_twice(const struct conf_section *s, const char *key,
		      struct err *e)
{
	struct buf lines = {0};
	const struct conf_key *k, *last = NULL;
	size_t count = 0;
	while ((k = conf_tree_find(s, key, count)) != NULL) {
		buf_printf(&lines, "%s%zu", count > 0 ? ", " : "", k->line);
		last = k;
		count++;
	}
	conf_report_key(s, last, e, "%s is set %zu times, in lines %s",
			last->name, count, buf_text(&lines));
	buf_fini(&lines);
	return false;
}

/* *out is NULL on failure and if the key is missing. */
static bool get_one(struct conf_section *s, const char *key,
		    const struct conf_key **out, struct err *e)
{
	*out = NULL;
	note_asked(s, key);
	if (conf_tree_find(s, key, 1) != NULL)
		return err_twice(s, key, e);
	*out = get_nth(s, key, 0);
	return true;
}

/* Read a number and one of the units, ignoring case.  strtod alone would accept
 * more: exponents, hexadecimal numbers and signs. */
static bool read_amount(const char *text, const struct unit *units, double max,
			double *out)
{
	size_t len = strspn(text, "0123456789.");
	char *end;
	double number = strtod(text, &end);
	if (len == 0 || end != text + len)
		return false;
	while (units->name != NULL && strcasecmp(end, units->name) != 0)
		units++;
	if (units->name == NULL || number * units->factor > max)
		return false;
	*out = number * units->factor;
	return true;
}

/* "net.*" covers "net.keepalive". */
static bool fits(const char *pattern, const char *key)
{
	size_t len = strlen(pattern);
	if (len > 0 && pattern[len - 1] == '*')
		return strncasecmp(pattern, key, len - 1) == 0;
	return strcasecmp(pattern, key) == 0;
}

struct conf_section *conf_section(const struct conf *c, size_t index)
{
	struct conf_section *s = c->sections;
	while (s != NULL && index-- > 0)
		s = s->next;
	return s;
}

struct conf_section *conf_section_named(const struct conf *c, const char *name,
					size_t nth)
{
	struct conf_section *s = c->sections;
	while (s != NULL && (!conf_is(s, name) || nth-- > 0))
		s = s->next;
	return s;
}

bool conf_is(const struct conf_section *s, const char *name)
{
	return strcasecmp(s->name, name) == 0;
}

bool conf_get_text(struct conf_section *s, const char *key, const char **out,
		   struct err *e)
{
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k != NULL)
		*out = k->value;
	return ok;
}

bool conf_get_bool(struct conf_section *s, const char *key, bool *out,
		   struct err *e)
{
	static const char *const words[] = {"true",  "on",  "yes",
					    "false", "off", "no"};
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasecmp(k->value, words[i]) == 0) {
			*out = i < 3;
			return true;
		}
	}
	return err_value(s, k, e, "a boolean: true, on, yes, false, off or no");
}

bool conf_get_int(struct conf_section *s, const char *key, int64_t min,
		  int64_t max, int64_t *out, struct err *e)
{
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	char *end;
	errno = 0;
	long long number = strtoll(k->value, &end, 10);
	bool is_number = strspn(k->value, "-0123456789") == strlen(k->value) &&
			 end != k->value && *end == '\0' && errno == 0;
	if (is_number && number >= min && number <= max) {
		*out = number;
		return true;
	}
	char what[96];
	snprintf(what, sizeof what,
		 "a whole number from %" PRId64 " to %" PRId64, min, max);
	return err_value(s, k, e, what);
}

bool conf_get_octal(struct conf_section *s, const char *key, unsigned *out,
		    struct err *e)
{
	enum { MODE_MAX = 07777 };
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	/* If the number is too large, strtoul returns ULONG_MAX. */
	size_t digits = strspn(k->value, "01234567");
	unsigned long mode = strtoul(k->value, NULL, 8);
	if (k->value[digits] != '\0' || mode > MODE_MAX)
		return err_value(s, k, e, "an octal mode such as 0660");
	*out = (unsigned)mode;
	return true;
}

bool conf_get_size(struct conf_section *s, const char *key, size_t *out_bytes,
		   struct err *e)
{
	static const struct unit units[] = {
		{"", 1},     {"b", 1},	 {"k", 1e3},  {"kb", 1e3}, {"m", 1e6},
		{"mb", 1e6}, {"g", 1e9}, {"gb", 1e9}, {NULL, 0},
	};
	const double max = 9e15; /* a double is exact up to here */
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	double bytes = 0;
	if (strcasecmp(k->value, "false") != 0 &&
	    !read_amount(k->value, units, max, &bytes))
		return err_value(
			s, k, e,
			"a size such as 10, 1k, 5M or 2GB (K is 1000)");
	*out_bytes = (size_t)(bytes + 0.5);
	return true;
}

bool conf_get_seconds(struct conf_section *s, const char *key, double *out_s,
		      struct err *e)
{
	static const struct unit units[] = {
		{"", 1},     {"s", 1},	   {"m", 60},
		{"h", 3600}, {"d", 86400}, {NULL, 0},
	};
	const double max = 1e9; /* fits an int64_t in nanoseconds */
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	if (!read_amount(k->value, units, max, out_s))
		return err_value(s, k, e,
				 "a time such as 1, 0.2, 30s, 5m, 2h or 1d");
	return true;
}

bool conf_get_choice(struct conf_section *s, const char *key,
		     const char *const *choices, size_t *out, struct err *e)
{
	const struct conf_key *k;
	bool ok = get_one(s, key, &k, e);
	if (k == NULL)
		return ok;
	for (size_t i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(k->value, choices[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return conf_err_unknown(s, key, k->name, choices, e);
}

const char *conf_get_each(struct conf_section *s, const char *key, size_t nth)
{
	note_asked(s, key);
	const struct conf_key *k = get_nth(s, key, nth);
	return k != NULL ? k->value : NULL;
}

const char *conf_get_each_of(struct conf_section *s, const char *const *keys,
			     size_t nth, size_t *which)
{
	for (size_t i = 0; keys[i] != NULL; i++)
		note_asked(s, keys[i]);
	bool follows = follows_last(s, keys[0], keys, nth);
	const struct conf_key *k = follows ? s->last_got->next : s->keys;
	size_t skip = follows ? 0 : nth;
	for (; k != NULL; k = k->next)
		for (size_t i = 0; keys[i] != NULL; i++)
			if (conf_tree_is_value(k, keys[i]) && skip-- == 0) {
				s->last_got = k;
				s->last_nth = nth;
				s->last_list = keys;
				*which = i;
				return k->value;
			}
	return NULL;
}

bool conf_next_set(const struct conf_section *s, const struct conf_set **at,
		   struct conf_option *out)
{
	const struct conf_set *set = *at == NULL ? s->conf->sets : (*at)->next;
	if (set == NULL)
		return false;
	*at = set;
	*out = (struct conf_option){set->name, set->value};
	return true;
}

void conf_ignore(struct conf_section *s, const char *key, const char *why)
{
	for (struct conf_key *k = s->keys; k != NULL; k = k->next) {
		if (k->is_known || !fits(key, k->name))
			continue;
		k->is_known = true;
		if (k->value[0] != '\0')
			log_line(LOG_INFO, "conf",
				 "at=%s:%zu key=%s msg=\"has no effect: "
				 "%s\"",
				 s->file, k->line, k->name, why);
	}
}

void conf_unused(struct conf_section *s, const char *key, const char *user,
		 const char *why)
{
	for (struct conf_key *k = s->keys; k != NULL; k = k->next)
		if (!k->is_known && conf_tree_is_value(k, key))
			conf_report_warn(s, k, "ignoring it",
					 "%s does not use this key: %s", user,
					 why);
	note_asked(s, key);
}

bool conf_refuse_unused(struct conf_section *s, const char *key,
			const char *user, const char *why, struct err *e)
{
	const struct conf_key *k = conf_tree_find(s, key, 0);
	if (k == NULL || s->conf->allows_unknown) {
		conf_unused(s, key, user, why);
		return true;
	}
	return conf_report_key(s, k, e, "%s does not use %s: %s", user, k->name,
			       why);
}

void conf_ignore_section(const struct conf_section *s, const char *why)
{
	log_line(LOG_INFO, "conf",
		 "at=%s:%zu section=%s msg=\"has no effect: %s\"", s->file,
		 s->line, s->name, why);
}

uint64_t conf_section_hash(const struct conf_section *s, const char *except)
{
	uint64_t hash = HASH_FNV1A_BEGIN;
	for (const struct conf_key *k = s->keys; k != NULL; k = k->next) {
		if (strcasecmp(k->name, except) == 0)
			continue;
		/* With the NULs, which separate the texts. */
		hash = hash_fnv1a(hash,
				  span_make(k->name, strlen(k->name) + 1));
		hash = hash_fnv1a(hash,
				  span_make(k->value, strlen(k->value) + 1));
	}
	return hash;
}

static void ignore_declared(struct conf_section *s)
{
	for (size_t i = 0; i < s->table_count; i++)
		for (const struct conf_key_spec *k = s->tables[i];
		     k->name != NULL; k++)
			if (k->ignored != NULL)
				conf_ignore(s, k->name, k->ignored);
}

void conf_section_warn(struct conf_section *s)
{
	ignore_declared(s);
	for (struct conf_key *k = s->keys; k != NULL; k = k->next) {
		if (k->is_known)
			continue;
		const char *near = nearest_word(k->name, s->asked);
		k->is_known = true;
		conf_report_warn(s, k, "ignoring it", "unknown key%s%s%s",
				 near != NULL ? "; did you mean " : "",
				 near != NULL ? near : "",
				 near != NULL ? "?" : "");
	}
}

bool conf_section_end(struct conf_section *s, struct err *e)
{
	ignore_declared(s);
	if (s->conf->allows_unknown)
		conf_section_warn(s);
	const struct conf_key *k = s->keys;
	while (k != NULL && k->is_known)
		k = k->next;
	return k == NULL || conf_report_unknown(s, k, s->asked, e);
}
