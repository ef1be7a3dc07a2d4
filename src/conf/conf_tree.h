/* SPDX-License-Identifier: Apache-2.0 */
/* conf_tree - a configuration as it was read: sections of keys, with lines.
 *
 *     struct conf
 *       sets      NAME=value -> NAME=value            newest first
 *       sections  [INPUT]    -> [FILTER]   -> ...     in the order read
 *                   keys       Name -> Match -> ...
 *       files     the files read, so that none is read twice
 *
 * conf.h hides this tree: classic_format.c and yaml_format.c fill it,
 * expand.c replaces variables, and conf.c answers from it.  The tree lies in
 * one arena, except the list of keys that were asked for.  A section never
 * continues in another file, so a key needs only a line number. */
#ifndef CONF_CONF_TREE_H
#define CONF_CONF_TREE_H

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
	const char *value; /* "" counts as missing */
	size_t line;
	bool is_known;
};

struct conf_section {
	struct conf_section *next;
	struct conf *conf;
	const char *name;
	const char *file;
	size_t line; /* 0: not from a file */
	struct conf_key *keys;
	struct conf_key **keys_end;
	const struct conf_key *last_got; /* the one that conf_err_key names */
	/* The index of last_got, from 0.  It counts the values of all keys in
	 * last_list or, if last_list is NULL, of the keys with the same name as
	 * last_got. */
	size_t last_nth;
	const char *const *last_list;
	const char **asked; /* names; NULL after the last */
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
	const char *dir; /* NULL: a text, which may not include files */
	bool allows_unknown;
	struct conf_set *sets;
	struct conf_section *sections;
	struct conf_section **sections_end;
	struct conf_file *files;
};

/* A NUL-terminated copy in the tree's arena. */
const char *conf_tree_text(struct conf *, struct span);

/* Append a section, or a key to its section.  `file` must live as long as the
 * tree; name and value are copied. */
struct conf_section *conf_tree_add_section(struct conf *, struct span name,
					   const char *file, size_t line);
struct conf_key *conf_tree_add_key(struct conf_section *, struct span name,
				   struct span value, size_t line);

/* Whether the key has this name, ignoring case, and a value that is not empty.
 */
bool conf_tree_is_value(const struct conf_key *, const char *key);

/* The nth key with this name and a value; NULL after the last one. */
struct conf_key *conf_tree_find(const struct conf_section *, const char *key,
				size_t nth);

/* Let ${NAME} expand to the value or, if the value is "file:///path", to the
 * content of that file. */
bool conf_tree_set(struct conf *, struct span name, struct span value,
		   struct err *) MUST_USE;

#endif
