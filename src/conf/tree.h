/* SPDX-License-Identifier: Apache-2.0 */
/* tree - a configuration as it was read: sections of keys, with lines.
 *
 *     struct conf
 *       sets      NAME=value -> NAME=value            newest first
 *       sections  [INPUT]    -> [FILTER]   -> ...     in the order read
 *                   keys       Name -> Match -> ...
 *       files     what was read, so that none is read twice
 *
 * What conf.h hides: reader.c and yaml.c fill it, expand.c replaces variables,
 * conf.c answers from it.  All of it lies in one arena, but for the list of
 * keys asked for.  A section never continues in another file, so that its keys
 * need only a line. */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/span.h"
#include "conf/conf_keys.h"

struct conf_key {
	struct conf_key *next;
	const char *name;
	const char *value; /* "" counts as not there */
	size_t line;
	bool is_known;
};

struct conf_section {
	struct conf_section *next;
	struct conf *conf;
	const char *name;
	const char *file;
	size_t line; /* 0: none of a file */
	struct conf_key *keys;
	struct conf_key **keys_end;
	const struct conf_key *last_got; /* where conf_err_key points */
	const char **asked;		 /* names, NULL behind the last */
	size_t asked_count;
	const struct conf_key_spec *tables[CONF_TABLES_MAX];
	size_t table_count;
};

struct conf_set {
	struct conf_set *next;
	const char *name;
	const char *value;
};

struct conf_file {
	struct conf_file *next;
	dev_t device;
	ino_t inode;
};

struct conf {
	struct arena *arena;
	const char *dir; /* NULL: a text, which includes nothing */
	bool allows_unknown;
	struct conf_set *sets;
	struct conf_section *sections;
	struct conf_section **sections_end;
	struct conf_file *files;
};

/* A copy with a NUL behind it, in the tree's arena. */
const char *tree_text(struct conf *, struct span);

/* Put a section behind the others, a key behind the others of its section.
 * `file` must live as long as the tree; name and value are copied. */
struct conf_section *tree_add_section(struct conf *, struct span name,
				      const char *file, size_t line);
struct conf_key *tree_add_key(struct conf_section *, struct span name,
			      struct span value, size_t line);

/* From now on ${NAME} is the value or, of "file:///path" where that may be
 * read, what is in that file. */
bool tree_set(struct conf *, struct span name, struct span value,
	      struct err *) MUST_USE;

#endif
