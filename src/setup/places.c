/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/places.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "file/file_path.h"
#include "file/reserved_paths.h"
#include "intake/inet.h"
#include "setup/assemble.h"

/* --- paths */

/* The path from "/" on, in its clean spelling.  The caller frees it. */
static char *absolute(const char *path)
{
	struct buf b = {0};
	char room[PATH_MAX];
	if (path[0] != '/' && getcwd(room, sizeof room) != NULL)
		buf_printf(&b, "%s/", room);
	buf_put_text(&b, path);
	size_t len = file_path_clean(buf_span(&b), b.ptr);
	char *clean = mem_copy(b.ptr, len);
	buf_fini(&b);
	return clean;
}

/* Whether both paths are below directories that exist and are one, for example
 * /run and /var/run. */
static bool have_one_directory(const char *a, const char *b)
{
	struct stat at_a, at_b;
	char *dir_a = mem_text(a), *dir_b = mem_text(b);
	file_path_parent(dir_a);
	file_path_parent(dir_b);
	bool is_one = stat(dir_a, &at_a) == 0 && stat(dir_b, &at_b) == 0 &&
		      at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino;
	free(dir_a);
	free(dir_b);
	return is_one;
}

static bool are_one_path(const char *a, const char *b)
{
	const char *name_a = strrchr(a, '/'), *name_b = strrchr(b, '/');
	return strcmp(a, b) == 0 ||
	       (name_a != NULL && name_b != NULL &&
		strcmp(name_a, name_b) == 0 && have_one_directory(a, b));
}

/* --- sockets */

static struct inet_opts inet_opts_of(const struct socket_opts *socket)
{
	return (struct inet_opts){.host = socket->path,
				  .port = socket->port,
				  .is_stream =
					  socket_kind_is_stream(socket->kind)};
}

static bool have_one_place(const struct socket_opts *a,
			   const struct socket_opts *b)
{
	bool is_unix = socket_kind_is_unix(a->kind);
	if (is_unix != socket_kind_is_unix(b->kind))
		return false;
	if (!is_unix) {
		struct inet_opts inet_a = inet_opts_of(a);
		struct inet_opts inet_b = inet_opts_of(b);
		return inet_collides(&inet_a, &inet_b);
	}
	char *path_a = absolute(a->path), *path_b = absolute(b->path);
	bool is_one = are_one_path(path_a, path_b);
	free(path_a);
	free(path_b);
	return is_one;
}

bool places_check_input(const struct assembly *a, size_t index,
			const struct conf_section *s, struct err *e)
{
	const struct input *in = &a->inputs[index];
	const char *key =
		socket_kind_is_unix(in->socket.kind) ? "Path" : "Port";
	for (size_t i = 0; i < index; i++)
		if (have_one_place(&a->inputs[i].socket, &in->socket))
			return conf_err_key(s, key, e,
					    "the inputs %s and %s have the "
					    "same %s; each needs its own",
					    a->inputs[i].name, in->name, key);
	return true;
}

static bool check_http(const struct assembly *a, struct err *e)
{
	const struct inet_opts http = {.host = a->settings.http_listen,
				       .port = a->settings.http_port,
				       .is_stream = true};
	for (size_t i = 0; a->settings.http_server && i < a->input_count; i++) {
		const struct input *in = &a->inputs[i];
		struct inet_opts opts = inet_opts_of(&in->socket);
		if (!socket_kind_is_unix(in->socket.kind) &&
		    inet_collides(&http, &opts))
			return conf_err_key(
				conf_section_named(a->confs[0], "INPUT", i),
				"Port", e,
				"the input %s and the HTTP server have the "
				"same port; change Port or HTTP_Port",
				in->name);
	}
	return true;
}

/* --- files */

struct used_path {
	struct conf_section *section; /* NULL: no key names it */
	const char *key;
	const char *what;  /* for the error */
	char *path;	   /* as absolute() returns it */
	bool is_exclusive; /* nothing else may write there */
	bool is_shared;	   /* tags may lead there, too */
};

struct used_paths {
	struct used_path *items;
	size_t count;
};

/* Takes over the text in `b`. */
static void add(struct used_paths *all, struct used_path place, struct buf *b)
{
	place.path = absolute(buf_text(b));
	buf_fini(b);
	all->items = mem_grow(all->items, all->count + 1, sizeof *all->items);
	all->items[all->count++] = place;
}

static void add_path(struct used_paths *all, struct used_path place,
		     const char *path)
{
	struct buf b = {0};
	if (path == NULL)
		return;
	buf_put_text(&b, path);
	add(all, place, &b);
}

static void add_inputs(struct used_paths *all, const struct assembly *a)
{
	for (size_t i = 0; i < a->input_count; i++)
		if (socket_kind_is_unix(a->inputs[i].socket.kind))
			add_path(all,
				 (struct used_path){.what = "the socket",
						    .is_exclusive = true},
				 a->inputs[i].socket.path);
}

/* While the journal is made, its file has this name (journal/journal_file.h).
 * A file of sluiced with the name is emptied or removed; with any other file,
 * the start fails. */
static void add_new_journal(struct used_paths *all,
			    struct conf_section *section, const char *path)
{
	struct buf b = {0};
	if (path == NULL)
		return;
	buf_printf(&b, "%s.new", path);
	add(all,
	    (struct used_path){section, "storage.path",
			       "the journal's new file", NULL, true, false},
	    &b);
}

/* A key of the command line is not in the file; then the section is NULL, and
 * the error has no line. */
static void add_settings(struct used_paths *all, const struct assembly *a)
{
	const struct settings *s = &a->settings;
	struct conf_section *section =
		conf_section_named(a->confs[0], "SERVICE", 0);
	add_path(all,
		 (struct used_path){section, "storage.path", "the journal",
				    NULL, true, false},
		 a->journal_path);
	add_new_journal(all, section, a->journal_path);
	add_path(all,
		 (struct used_path){section, "storage.path",
				    "the directory of spills", NULL, true,
				    false},
		 a->spill_dir);
	add_path(all,
		 (struct used_path){section, "Dead_Letter", "Dead_Letter", NULL,
				    true, false},
		 s->dead_letter);
	add_path(all,
		 (struct used_path){section, "Log_File", "Log_File", NULL,
				    false, false},
		 s->log_file);
}

static void add_outputs(struct used_paths *all, const struct assembly *a)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(a->confs[0], "OUTPUT", i));
	     i++) {
		const char *name = conf_get_each(s, "Name", 0);
		if (name == NULL || strcasecmp(name, "file") != 0)
			continue;
		const char *file = conf_get_each(s, "File", 0);
		const char *path = conf_get_each(s, "Path", 0);
		struct buf b = {0};
		if (file == NULL)
			continue;
		if (path != NULL)
			buf_printf(&b, "%s/", path);
		buf_put_text(&b, file);
		add(all,
		    (struct used_path){s, "File", "the output", NULL, false,
				       true},
		    &b);
	}
}

/* Device files may have several writers. */
static bool collide(const struct used_path *a, const struct used_path *b)
{
	return (a->is_exclusive || b->is_exclusive) &&
	       strncmp(a->path, "/dev/", 5) != 0 &&
	       are_one_path(a->path, b->path);
}

static bool report(const struct used_path *a, const struct used_path *b,
		   struct err *e)
{
	err_set(e, "%s and %s have the same path, %s; each needs its own",
		a->what, b->what, b->path);
	return b->section != NULL && conf_err_in(b->section, b->key, e);
}

static void list(struct used_paths *all, const struct assembly *a)
{
	add_inputs(all, a);
	add_settings(all, a);
	add_outputs(all, a);
}

static void free_list(struct used_paths *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->items[i].path);
	free(all->items);
}

bool places_check(const struct assembly *a, struct err *e)
{
	struct used_paths all = {0};
	bool is_good = check_http(a, e);
	list(&all, a);
	for (size_t j = 0; is_good && j < all.count; j++)
		for (size_t i = 0; is_good && i < j; i++)
			if (collide(&all.items[i], &all.items[j]))
				is_good =
					report(&all.items[i], &all.items[j], e);
	free_list(&all);
	return is_good;
}

void places_reserve(struct assembly *a)
{
	struct used_paths all = {0};
	list(&all, a);
	for (size_t i = 0; i < all.count; i++)
		reserved_paths_add(&a->reserved, all.items[i].path,
				   all.items[i].is_shared);
	free_list(&all);
}
