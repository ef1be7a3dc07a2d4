/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "record_modifier": select the fields to keep, and append fields.
 *
 *     Remove_key     pid              remove these fields, or
 *     Allowlist_key  http_*           keep only these fields
 *     Record         host  ${HOST}    append a field, even if the key exists
 *     Uuid_key       id               append a new UUID to each record
 *
 * Keys are compared without regard to case; a * at the end stands for the rest
 * of a key.  A record that loses its last field is dropped. */
#include "filter/kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/quoted_words.h"
#include "filter/wildcard.h"
#include "record/record.h"

static const struct conf_key_spec keys[] = {
	{"Remove_key", CONF_TEXT, .is_repeatable = true,
	 .help = "Remove all fields with this key; * at the end stands for "
		 "the rest of a key."},
	{"Allowlist_key", CONF_TEXT, .is_repeatable = true,
	 .help = "Keep only the fields with these keys; * at the end stands "
		 "for the rest of a key."},
	{"Whitelist_key", CONF_TEXT, .is_repeatable = true,
	 .help = "An older name of Allowlist_key."},
	{"Record", CONF_WORDS, .is_repeatable = true,
	 .help = "KEY VALUE: append this field, even if the key exists."},
	{"Uuid_key", CONF_TEXT, .help = "Append a random UUID under this key."},
	{.name = NULL},
};

struct added_field {
	char *key_text, *value_text;
	struct field field;
};

struct record_modifier {
	struct filter filter;
	bool keeps; /* keep the listed fields; false: remove them */
	struct wildcard *listed;
	size_t listed_count;
	struct added_field *added;
	size_t added_count;
	const char *uuid_key; /* or NULL */
};

static void close_filter(struct filter *filter)
{
	struct record_modifier *m = (struct record_modifier *)filter;
	for (size_t i = 0; i < m->added_count; i++) {
		free(m->added[i].key_text);
		free(m->added[i].value_text);
	}
	free(m->added);
	free(m->listed);
	free(m);
}

static bool read_list(struct record_modifier *m, struct conf_section *s,
		      struct err *e)
{
	static const char *const names[] = {"Remove_key", "Allowlist_key",
					    "Whitelist_key", NULL};
	const char *text;
	size_t which;
	while ((text = conf_get_each_of(s, names, m->listed_count, &which)) !=
	       NULL) {
		bool keeps = which > 0;
		if (m->listed_count > 0 && keeps != m->keeps)
			return conf_err_key(s, names[which], e,
					    "Remove_key and Allowlist_key "
					    "exclude each other; use one of "
					    "them");
		m->keeps = keeps;
		m->listed = mem_grow(m->listed, m->listed_count + 1,
				     sizeof *m->listed);
		m->listed[m->listed_count++] = wildcard_of(text);
	}
	return true;
}

/* Quotes that surround the whole value are not part of it. */
static bool read_record(struct added_field *a, const char *at, struct buf *word,
			struct err *e)
{
	if (!quoted_words_next(&at, QUOTED_WORDS_DOUBLE, word) ||
	    *quoted_words_rest(at) == '\0')
		return err_set(e,
			       "KEY VALUE is needed, for example `Record env "
			       "production`");
	a->key_text = mem_copy(word->ptr, word->len);
	a->field.key = span_make(a->key_text, word->len);
	at = quoted_words_rest(at);
	struct span value = span_of(at);
	if (quoted_words_next(&at, QUOTED_WORDS_DOUBLE, word) &&
	    *quoted_words_rest(at) == '\0')
		value = buf_span(word);
	a->value_text = mem_copy(value.ptr, value.len);
	a->field.value = value_string(span_make(a->value_text, value.len));
	return true;
}

static bool read_records(struct record_modifier *m, struct conf_section *s,
			 struct err *e)
{
	struct buf word = {0};
	const char *text;
	bool ok = true;
	while (ok &&
	       (text = conf_get_each(s, "Record", m->added_count)) != NULL) {
		m->added = mem_grow(m->added, m->added_count + 1,
				    sizeof *m->added);
		struct added_field *a = &m->added[m->added_count++];
		*a = (struct added_field){0};
		ok = read_record(a, text, &word, e) ||
		     conf_err_in(s, "Record", e);
	}
	buf_fini(&word);
	return ok;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	(void)env;
	struct record_modifier *m = mem_new(1, sizeof *m);
	m->filter.ops = &filter_record_modifier;

	if (!read_list(m, s, e) || !read_records(m, s, e) ||
	    !conf_get_text(s, "Uuid_key", &m->uuid_key, e))
		goto fail;
	if (m->listed_count + m->added_count == 0 && m->uuid_key == NULL) {
		if (conf_section_end(s, e))
			conf_err_missing(
				s, "Record", e,
				"set at least one key, for example `Record env "
				"production` or `Remove_key pid`");
		goto fail;
	}
	return &m->filter;
fail:
	close_filter(&m->filter);
	return NULL;
}

static bool is_listed(const struct record_modifier *m, struct span key)
{
	for (size_t i = 0; i < m->listed_count; i++)
		if (wildcard_matches_any_case(&m->listed[i], key))
			return true;
	return false;
}

static void keep_some(const struct record_modifier *m, struct record *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++)
		if (is_listed(m, r->fields[i].key) == m->keeps)
			r->fields[kept++] = r->fields[i];
	r->count = kept;
}

/* RFC 9562, version 4: all bits but the version and the variant are random. */
static void add_uuid(const struct record_modifier *m, struct record *r)
{
	enum { UUID_LEN = 36, BYTE_COUNT = 16 };
	unsigned char b[BYTE_COUNT];
	CHECK(getrandom(b, sizeof b, 0) == (ssize_t)sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	char *text = arena_take(r->arena, UUID_LEN + 1);
	snprintf(text, UUID_LEN + 1,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
	record_add(r, span_of(m->uuid_key),
		   value_string(span_make(text, UUID_LEN)));
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct record_modifier *m = (struct record_modifier *)filter;
	(void)emit;
	bool was_empty = r->count == 0;
	if (m->listed_count > 0)
		keep_some(m, r);
	for (size_t i = 0; i < m->added_count; i++)
		record_add(r, m->added[i].field.key, m->added[i].field.value);
	if (m->uuid_key != NULL)
		add_uuid(m, r);
	return r->count > 0 || was_empty ? FILTER_PASS : FILTER_DROP;
}

const struct filter_ops filter_record_modifier = {
	.name = "record_modifier",
	.keys = keys,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
