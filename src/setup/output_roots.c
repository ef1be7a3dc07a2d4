/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/output_roots.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "file/file_path.h"
#include "setup/match_check.h"

/* Append a path that continues the one in the buffer. */
static void append(struct buf *b, const char *path)
{
	while (b->len > 0 && *path == '/')
		path++;
	buf_put_text(b, path);
}

static void add_root(struct output_roots *roots, struct output_root root)
{
	roots->items =
		mem_grow(roots->items, roots->count + 1, sizeof *roots->items);
	roots->items[roots->count++] = root;
}

/* Without Path and File, the tag is the whole path. */
static void add_tag_roots(struct output_roots *roots, const struct conf *conf,
			  struct conf_section *s, bool may_make)
{
	char **tag_roots = match_tag_roots_of(conf, s);
	for (size_t i = 0; tag_roots[i] != NULL; i++)
		add_root(roots, (struct output_root){
					.directory = mem_text(tag_roots[i]),
					.may_make = may_make});
	match_tag_roots_free(tag_roots);
}

static void add_path(struct output_roots *roots, const char *path,
		     const char *file, bool may_make)
{
	struct output_root root = {.may_make = may_make};
	struct buf b = {0};
	if (path != NULL) {
		buf_put_text(&b, path);
		while (b.len > 0 && b.ptr[b.len - 1] == '/')
			b.len--;
		buf_put_char(&b, '/');
		root.directory = mem_text(buf_text(&b));
	}
	if (file != NULL) {
		append(&b, file);
		root.file = mem_text(buf_text(&b));
	}
	if (path == NULL)
		root.directory =
			mem_copy(file, (size_t)(strrchr(file, '/') + 1 - file));
	buf_fini(&b);
	add_root(roots, root);
}

static void add_roots(struct output_roots *roots, const struct conf *conf,
		      struct conf_section *s)
{
	const char *path = conf_get_each(s, "Path", 0);
	const char *file = conf_get_each(s, "File", 0);
	bool may_make = true;
	struct err ignored;
	bool follows = false;
	if (!conf_get_bool(s, "Mkdir", &may_make, &ignored) ||
	    !conf_get_bool(s, "Follow_Symlinks", &follows, &ignored))
		return; /* the output has reported the error */
	size_t first = roots->count;
	if (path != NULL || (file != NULL && file[0] == '/'))
		add_path(roots, path, file, may_make);
	else if (file == NULL)
		add_tag_roots(roots, conf, s, may_make);
	for (size_t i = first; i < roots->count && !follows; i++) {
		struct output_root *root = &roots->items[i];
		struct span directory = span_of(root->directory);
		if (file_path_is_confined(directory, file))
			root->confined_bytes = directory.len;
	}
}

struct output_roots output_roots_of(const struct conf *conf)
{
	struct output_roots roots = {0};
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "OUTPUT", i)); i++) {
		const char *name = conf_get_each(s, "Name", 0);
		if (name != NULL && strcasecmp(name, "file") == 0)
			add_roots(&roots, conf, s);
	}
	return roots;
}

void output_roots_fini(struct output_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++) {
		free(roots->items[i].directory);
		free(roots->items[i].file);
	}
	free(roots->items);
	*roots = (struct output_roots){0};
}
