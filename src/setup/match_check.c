/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/match_check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/instance_name.h"
#include "file/file_path.h"
#include "filter/kinds.h"

/* The possible tags, with a star for the part that is not known beforehand. */
struct tags {
	char **globs;
	size_t count;
};

static void add_tag(struct tags *tags, struct span known, bool is_open)
{
	struct buf glob = {0};
	buf_put_span(&glob, known);
	if (is_open)
		buf_put_char(&glob, '*');
	tags->globs = mem_grow(tags->globs, tags->count + 1, sizeof(char *));
	tags->globs[tags->count++] = mem_text(buf_text(&glob));
	buf_fini(&glob);
}

static void on_tag(void *tags, struct span tag, bool is_prefix)
{
	add_tag(tags, tag, is_prefix);
}

static void list_filter_tags(const struct conf *conf, filter_tag_fn found,
			     void *data)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "FILTER", i)); i++) {
		const char *name = conf_get_each(s, "Name", 0);
		const struct filter_ops *kind =
			name != NULL ? filter_kind_named(name) : NULL;
		if (kind != NULL && kind->list_tags != NULL)
			kind->list_tags(s, found, data);
	}
}

static void collect(const struct conf *conf, struct tags *tags)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "INPUT", i)); i++) {
		char by_number[INSTANCE_NAME_BYTES];
		const char *tag = conf_get_each(s, "Tag", 0);
		instance_name_default(by_number, "syslog", i);
		add_tag(tags, span_of(tag != NULL ? tag : by_number), false);
	}
	list_filter_tags(conf, on_tag, tags);
}

static void free_tags(struct tags *tags)
{
	for (size_t i = 0; i < tags->count; i++)
		free(tags->globs[i]);
	free(tags->globs);
}

/* Whether some text matches both globs.  ends[j] says whether the part of `a`
 * read so far and the first j characters of `b` can match the same text. */
static bool can_overlap(const char *a, const char *b)
{
	size_t len = strlen(b);
	bool *ends = mem_new(len + 1, sizeof *ends);
	ends[0] = true;
	for (size_t j = 1; j <= len; j++)
		ends[j] = ends[j - 1] && b[j - 1] == '*';
	for (; *a != '\0'; a++) {
		bool diagonal = ends[0];
		ends[0] = ends[0] && *a == '*';
		for (size_t j = 1; j <= len; j++) {
			bool above = ends[j];
			if (*a == '*')
				ends[j] = above || ends[j - 1];
			else if (b[j - 1] == '*')
				ends[j] = above || ends[j - 1];
			else
				ends[j] = diagonal && *a == b[j - 1];
			diagonal = above;
		}
	}
	bool can = ends[len];
	free(ends);
	return can;
}

static void check(struct conf_section *s, const struct tags *tags)
{
	const char *match = conf_get_each(s, "Match", 0);
	if (conf_get_each(s, "Match_Regex", 0) != NULL)
		return;
	if (match == NULL) {
		conf_warn(s, "Name", "set `Match *` to receive every record",
			  "without Match this section never receives a "
			  "record");
		return;
	}
	struct buf known = {0};
	bool is_matched = false;
	for (size_t i = 0; i < tags->count && !is_matched; i++) {
		buf_printf(&known, "%s%s", i > 0 ? ", " : "", tags->globs[i]);
		is_matched = can_overlap(match, tags->globs[i]);
	}
	if (!is_matched)
		conf_warn(s, "Match", "correct Match, or remove this section",
			  "`Match %.100s` matches no tag, so this section "
			  "never receives a record; possible tags: %.100s",
			  match, buf_text(&known));
	buf_fini(&known);
}

bool match_is_only_route(const struct conf *conf)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "FILTER", i)); i++) {
		const char *name = conf_get_each(s, "Name", 0);
		const struct filter_ops *kind =
			name != NULL ? filter_kind_named(name) : NULL;
		if (kind != NULL && kind->has_emitter)
			return false;
	}
	return conf_section_named(conf, "INPUT", 1) == NULL &&
	       conf_section_named(conf, "OUTPUT", 1) == NULL;
}

void match_check(const struct conf *conf)
{
	struct tags tags = {0};
	struct conf_section *s;
	collect(conf, &tags);
	for (size_t i = 0; (s = conf_section_named(conf, "FILTER", i)); i++)
		if (conf_get_each(s, "Match", 0) != NULL)
			check(s, &tags);
	bool is_only_route = match_is_only_route(conf);
	for (size_t i = 0; (s = conf_section_named(conf, "OUTPUT", i)); i++)
		if (!is_only_route || conf_get_each(s, "Match", 0) != NULL)
			check(s, &tags);
	free_tags(&tags);
}

/* --- directories */

/* The part before the last '/', cleaned as the paths of the files are.  NULL if
 * it confines nothing: "/", "./" or no directory at all.  The caller frees. */
static char *root_of(struct span known)
{
	size_t len = known.len;
	while (len > 0 && known.ptr[len - 1] != '/')
		len--;
	char *root = mem_copy(known.ptr, len); /* with a NUL, for the '/' */
	len = file_path_clean(span_make(root, len), root);
	if (len == 0 || root[len - 1] == '/') {
		free(root);
		return NULL;
	}
	root[len] = '/';
	root[len + 1] = '\0';
	return root;
}

/* Which roots are collected. */
struct root_search {
	struct tags roots;
	struct conf_section *output; /* NULL: of all outputs */
};

/* Whether the output may receive a tag that begins like this one. */
static bool may_receive(struct conf_section *output, struct span tag)
{
	struct tags globs = {0};
	const char *match = conf_get_each(output, "Match", 0);
	add_tag(&globs, tag, true);
	bool may = conf_get_each(output, "Match_Regex", 0) != NULL ||
		   (match != NULL && can_overlap(match, globs.globs[0]));
	free_tags(&globs);
	return may;
}

/* A tag without a "$" is chosen by the operator alone, so it needs no root. */
static void on_root(void *data, struct span tag, bool is_prefix)
{
	struct root_search *search = data;
	char *root = is_prefix ? root_of(tag) : NULL;
	if (root != NULL &&
	    (search->output == NULL || may_receive(search->output, tag)))
		add_tag(&search->roots, span_of(root), false);
	free(root);
}

static void on_rootless(void *data, struct span tag, bool is_prefix)
{
	struct root_search *search = data;
	char *root = is_prefix ? root_of(tag) : NULL;
	if (is_prefix && root == NULL && may_receive(search->output, tag))
		add_tag(&search->roots, tag, true);
	free(root);
}

char **match_tag_roots_of(const struct conf *conf, struct conf_section *output)
{
	struct root_search search = {.output = output};
	struct tags *roots = &search.roots;
	list_filter_tags(conf, on_root, &search);
	roots->globs = mem_grow(roots->globs, roots->count + 1, sizeof(char *));
	roots->globs[roots->count] = NULL;
	return roots->globs;
}

char **match_tag_roots(const struct conf *conf)
{
	return match_tag_roots_of(conf, NULL);
}

void match_tag_roots_free(char **roots)
{
	for (size_t i = 0; roots != NULL && roots[i] != NULL; i++)
		free(roots[i]);
	free(roots);
}

bool match_has_rootless_tags(const struct conf *conf,
			     struct conf_section *output)
{
	struct root_search search = {.output = output};
	list_filter_tags(conf, on_rootless, &search);
	bool has = search.roots.count > 0;
	free_tags(&search.roots);
	return has;
}
