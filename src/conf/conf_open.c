/* SPDX-License-Identifier: Apache-2.0 */
/* The part of conf.h that opens a configuration. */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/classic_format.h"
#include "conf/conf_tree.h"
#include "conf/expand.h"
#include "conf/yaml_format.h"

enum { FIRST_BLOCK_BYTES = 16384 };

static struct conf *conf_new(void)
{
	struct conf *c = mem_new(1, sizeof *c);
	c->arena = arena_new(FIRST_BLOCK_BYTES);
	c->sections_end = &c->sections;
	return c;
}

/* The directory of the file itself, with symlinks resolved. */
static const char *dir_of(struct arena *arena, const char *path)
{
	char *real = realpath(path, NULL);
	if (real == NULL)
		return ".";
	char *slash = strrchr(real, '/');
	slash[slash == real ? 1 : 0] = '\0';
	const char *dir =
		arena_copy(arena, span_make(real, strlen(real) + 1)).ptr;
	free(real);
	return dir;
}

struct conf *conf_read(const char *path, struct err *e)
{
	struct conf *c = conf_new();
	c->dir = dir_of(c->arena, path);
	bool ok = yaml_format_is_name(path) ? yaml_format_file(c, path, e)
					    : classic_format_file(c, path, e);
	if (!ok) {
		conf_free(c);
		return NULL;
	}
	expand_values(c);
	return c;
}

struct conf *conf_read_text(const char *name, const char *text, size_t length,
			    struct err *e)
{
	struct conf *c = conf_new();
	bool ok = yaml_format_is_name(name)
			  ? yaml_format_text(c, name, text, length, e)
			  : classic_format_text(c, name, text, length, e);
	if (!ok) {
		conf_free(c);
		return NULL;
	}
	expand_values(c);
	return c;
}

struct conf *conf_of_options(const char *name, const char *section,
			     const struct conf_option *options, size_t count)
{
	struct conf *c = conf_new();
	struct conf_section *s = conf_tree_add_section(
		c, span_of(section), conf_tree_text(c, span_of(name)), 0);
	for (size_t i = 0; i < count; i++)
		conf_tree_add_key(s, span_of(options[i].key),
				  span_of(options[i].value), 0);
	return c;
}

void conf_allow_unknown(struct conf *c)
{
	c->allows_unknown = true;
}

void conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (struct conf_section *s = c->sections; s != NULL; s = s->next)
		free(s->asked);
	arena_free(c->arena);
	free(c);
}

const char *conf_dir(const struct conf *c)
{
	return c->dir != NULL ? c->dir : ".";
}
