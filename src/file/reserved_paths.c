/* SPDX-License-Identifier: Apache-2.0 */
#include "file/reserved_paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "file/file_path.h"

static char *absolute(const char *path)
{
	struct buf b = {0};
	char room[PATH_MAX];
	if (path[0] != '/' && getcwd(room, sizeof room) != NULL) {
		buf_put_text(&b, room);
		buf_put_char(&b, '/');
	}
	buf_put_text(&b, path);
	char *clean = mem_copy(b.ptr, file_path_clean(buf_span(&b), b.ptr));
	buf_fini(&b);
	return clean;
}

/* Resolve the longest part that exists, and append the rest. */
char *reserved_paths_resolve(const char *path)
{
	char *clean = absolute(path);
	size_t whole = strlen(clean), len = whole;
	char room[PATH_MAX];
	while (len > 1) {
		char cut = clean[len];
		clean[len] = '\0';
		bool exists = realpath(clean, room) != NULL;
		clean[len] = cut;
		if (exists)
			break;
		while (len > 1 && clean[--len] != '/')
			;
	}
	struct buf b = {0};
	if (len > 1 && strcmp(room, "/") != 0)
		buf_put_text(&b, room);
	buf_put(&b, clean + (len > 1 ? len : 0), whole - (len > 1 ? len : 0));
	free(clean);
	clean = mem_copy(b.len > 0 ? b.ptr : "/", b.len > 0 ? b.len : 1);
	buf_fini(&b);
	return clean;
}

/* The name itself may be a link, so resolve only its directory. */
static char *resolve_directory(const char *path)
{
	char *name = absolute(path);
	char *directory = mem_text(name);
	file_path_parent(directory);
	char *real = reserved_paths_resolve(directory);
	struct buf b = {0};
	if (strcmp(real, "/") != 0)
		buf_put_text(&b, real);
	buf_put_text(&b, strrchr(name, '/'));
	free(real);
	free(directory);
	free(name);
	real = mem_copy(b.ptr, b.len);
	buf_fini(&b);
	return real;
}

static void add(struct reserved_paths *all, char *path, bool is_shared)
{
	all->items = mem_grow(all->items, all->count + 1, sizeof *all->items);
	all->items[all->count++] = (struct reserved_path){path, is_shared};
}

void reserved_paths_add(struct reserved_paths *all, const char *path,
			bool is_shared)
{
	char *spelled = absolute(path), *real = resolve_directory(path);
	add(all, spelled, is_shared);
	if (strcmp(spelled, real) != 0)
		add(all, real, is_shared);
	else
		free(real);
}

/* Is `inner` below `outer`? */
static bool is_below(const char *outer, const char *inner)
{
	size_t len = strlen(outer);
	return strncmp(outer, inner, len) == 0 && inner[len] == '/';
}

static const char *conflict(const struct reserved_path *r, const char *path)
{
	if (strcmp(path, r->path) == 0)
		return r->is_shared ? NULL : "the configuration uses this path";
	if (is_below(r->path, path))
		return "it is below a file that the configuration uses";
	if (is_below(path, r->path))
		return "the configuration uses a path below it";
	return NULL;
}

const char *reserved_paths_check(const struct reserved_paths *all,
				 const char *root, const char *name)
{
	if (all == NULL || all->count == 0)
		return NULL;
	char path[2 * PATH_MAX];
	size_t root_len = name[0] != '/' ? strlen(root) : 0;
	size_t name_len = strlen(name);
	if (root_len + name_len + 2 > sizeof path)
		return "it is too long";
	if (root_len > 0)
		memcpy(path, root, root_len);
	path[root_len] = '/';
	memcpy(path + root_len + 1, name, name_len + 1);
	size_t len =
		file_path_clean(span_make(path, root_len + 1 + name_len), path);
	path[len] = '\0';
	const char *wrong = NULL;
	for (size_t i = 0; wrong == NULL && i < all->count; i++)
		wrong = conflict(&all->items[i], path);
	return wrong;
}

void reserved_paths_fini(struct reserved_paths *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i].path);
	free(all->items);
	*all = (struct reserved_paths){0};
}
