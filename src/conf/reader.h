/* SPDX-License-Identifier: Apache-2.0 */
/* reader - text to sections of keys, with @INCLUDE and @SET.
 *
 *     struct conf
 *       sets      NAME=value -> NAME=value            newest first
 *       sections  [INPUT]    -> [FILTER]   -> ...     in the order read
 *                   keys       Name -> Match -> ...
 *       files     what was read, so that none is read twice
 *
 * What conf.h hides: reader.c and expand.c fill it, conf.c answers from it.
 * All of it lies in one arena, but for the list of keys asked for.  A section
 * never continues in another file, so that its keys need only a line. */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"

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
	size_t line;
	struct conf_key *keys;
	struct conf_key **keys_end;
	const struct conf_key *last_got; /* where conf_err_key points */
	const char **asked;		 /* names, NULL behind the last */
	size_t asked_count;
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
	struct conf_set *sets;
	struct conf_section *sections;
	struct conf_section **sections_end;
	struct conf_file *files;
};

/* Add the sections of the file and of what it includes; conf->dir is set. */
bool reader_file(struct conf *, const char *path, struct err *) MUST_USE;

/* Add the sections of the text; `name` stands for the file in messages. */
bool reader_text(struct conf *, const char *name, const char *text,
		 size_t length, struct err *) MUST_USE;

#endif
