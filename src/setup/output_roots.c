/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/output_roots.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"

/* Append a path that continues the one in the buffer. */
static void append(struct buf *b, const char *path)
{
	while (b->len > 0 && *path == '/')
		path++;
	buf_put_text(b, path);
}

/* False if the root is not known: the tag is the whole path. */
static bool find_root(struct conf_section *s, struct output_root *root)
{
	const char *path = conf_get_each(s, "Path", 0);
	const char *file = conf_get_each(s, "File", 0);
	struct buf b = {0};
	*root = (struct output_root){.may_make = true};
	if (path == NULL && (file == NULL || file[0] != '/'))
		return false;
	if (path != NULL) {
		buf_put_text(&b, path);
		if (b.len == 0 || b.ptr[b.len - 1] != '/')
			buf_put_char(&b, '/');
		root->directory = mem_text(buf_text(&b));
	}
	if (file != NULL) {
		append(&b, file);
		root->file = mem_text(buf_text(&b));
	}
	if (path == NULL)
		root->directory =
			mem_copy(file, (size_t)(strrchr(file, '/') + 1 - file));
	buf_fini(&b);
	struct err ignored;
	return conf_get_bool(s, "Mkdir", &root->may_make, &ignored);
}

struct output_roots output_roots_of(const struct conf *conf)
{
	struct output_roots roots = {0};
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "OUTPUT", i)); i++) {
		const char *name = conf_get_each(s, "Name", 0);
		struct output_root root;
		if (name == NULL || strcasecmp(name, "file") != 0 ||
		    !find_root(s, &root))
			continue;
		roots.items = mem_grow(roots.items, roots.count + 1,
				       sizeof *roots.items);
		roots.items[roots.count++] = root;
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
