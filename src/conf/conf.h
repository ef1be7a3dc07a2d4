/* SPDX-License-Identifier: Apache-2.0 */
/* conf - Fluent Bit's configuration formats, with line numbers.
 *
 *     [INPUT]                      section, at column 0, any case
 *         Name    syslog           key, blanks, value to the end of the line
 *         Path    ${DIR}/log.sock
 *     @INCLUDE more/a.conf        @SET NAME=value
 *
 * A file whose name ends in .yaml or .yml is in the other format, see yaml.h.
 * A section's consumer asks for the keys that it knows; each question marks
 * the key as known, and conf_section_end makes every other key an error that
 * names file, line, key and the nearest known one.  So no table of keys is
 * kept anywhere, and no key is silently without effect.
 * Getters return false with *e set when the value is bad or the key occurs
 * more than once; they leave *out alone (the caller's default) when the key
 * is not there or its value expands to nothing.  All texts live as long as the
 * struct conf. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct conf;
struct conf_section;

/* Read a file and what it includes.  NULL on failure; the exit code is
 * EXIT_CODE_CONFIG even when the system would not let us read it. */
struct conf *conf_read(const char *path, struct err *);

/* The same from memory; `name` stands for the path, in messages too.  Including
 * files is refused. */
struct conf *conf_read_text(const char *name, const char *text, size_t length,
			    struct err *);
void conf_free(struct conf *);

/* The directory of the file given, symlinks resolved (a ConfigMap's files are
 * symlinks): where relative names are looked for after the working directory.
 * "." for a text. */
const char *conf_dir(const struct conf *);

/* The path itself when it is absolute or exists as given, else the one in
 * `dir` when that exists, else the path itself.  Free with free(). */
char *conf_find_file(const char *dir, const char *path);

/* --allow-unknown: an unknown key is a warning instead of an error. */
void conf_allow_unknown(struct conf *);

/* A configuration of one section with one key a row, for what the command line
 * says; its errors have no line. */
struct conf_option {
	const char *key;
	const char *value;
};
struct conf *conf_of_options(const char *name, const char *section,
			     const struct conf_option *, size_t count);

/* Sections in their order; index from 0; NULL behind the last. */
struct conf_section *conf_section(const struct conf *, size_t index);

/* The nth of the sections of that name, as conf_is; NULL behind the last. */
struct conf_section *conf_section_named(const struct conf *, const char *name,
					size_t nth);

/* As written, "FILTER"; compare with conf_is (case-insensitive). */
const char *conf_section_name(const struct conf_section *);
bool conf_is(const struct conf_section *, const char *name);

/* Err helpers: put "file:line: [SECTION] " in front.  Always false.
 * conf_err_key points at the line of that key; of several, at the one that
 * was got last, else at the first. */
bool conf_err(const struct conf_section *, struct err *, const char *format,
	      ...) PRINTF_LIKE(3, 4);
bool conf_err_key(const struct conf_section *, const char *key, struct err *,
		  const char *format, ...) PRINTF_LIKE(4, 5);

/* Put the place in front of the sentence that is in *e: of the key, and its
 * name, or of the section when key is NULL.  Always false. */
bool conf_err_in(const struct conf_section *, const char *key, struct err *);

/* Told as a warning instead, at the key, or at the section when key is NULL. */
void conf_warn(const struct conf_section *, const char *key, const char *format,
	       ...) PRINTF_LIKE(3, 4);

/* The value of the key, or the name of the section when key is NULL, is none
 * of `known` (NULL-terminated): `unknown WHAT "x"; did you mean "y"?`.  Always
 * false. */
bool conf_err_unknown(const struct conf_section *, const char *key,
		      const char *what, const char *const *known, struct err *);

/* The plugin that Name names is none of `known`: one of Fluent Bit's others, or
 * no such.  `kind` is input, filter or output.  Always false. */
bool conf_err_plugin(const struct conf_section *, const char *kind,
		     const char *const *known, struct err *);

/* The same of the section's name. */
bool conf_err_section(const struct conf_section *, const char *const *known,
		      struct err *);

/* The key is needed and not there.  When a key that nobody asked for looks
 * like it, that one is told as unknown; else `KEY is missing: hint`.  Always
 * false. */
bool conf_err_missing(const struct conf_section *, const char *key,
		      struct err *, const char *hint);

/* Getters, see above. */
bool conf_get_text(struct conf_section *, const char *key, const char **out,
		   struct err *) MUST_USE;
bool conf_get_bool(struct conf_section *, const char *key, bool *out,
		   struct err *) MUST_USE;
bool conf_get_int(struct conf_section *, const char *key, int64_t min,
		  int64_t max, int64_t *out, struct err *) MUST_USE;
bool conf_get_octal(struct conf_section *, const char *key, unsigned *out,
		    struct err *) MUST_USE;
/* 10, 1k, 5M, 2GB: K is 1000, as in Fluent Bit; "false" is 0. */
bool conf_get_size(struct conf_section *, const char *key, size_t *out_bytes,
		   struct err *) MUST_USE;
/* 1, 0.2, 30s, 5m, 2h, 1d, to seconds. */
bool conf_get_seconds(struct conf_section *, const char *key, double *out_s,
		      struct err *) MUST_USE;
/* One of a NULL-terminated list, any case; *out is its index. */
bool conf_get_choice(struct conf_section *, const char *key,
		     const char *const *choices, size_t *out,
		     struct err *) MUST_USE;

/* A key that may occur several times: its nth value, NULL behind the last. */
const char *conf_get_each(struct conf_section *, const char *key, size_t nth);

/* The same of several keys (NULL-terminated), in the order of their lines;
 * *which is the index of the key. */
const char *conf_get_each_of(struct conf_section *, const char *const *keys,
			     size_t nth, size_t *which);

/* The nth @SET, the newest first, so that the first of a name counts; false
 * behind the last. */
bool conf_get_set(const struct conf_section *, size_t nth,
		  struct conf_option *);

/* A key of Fluent Bit that has no meaning here: known, and told once, with
 * the reason, at start-up.  "net.*" stands for all keys that start so.  Of a
 * section: all its keys. */
void conf_ignore(struct conf_section *, const char *key, const char *why);
void conf_ignore_section(const struct conf_section *, const char *why);

/* Every key that was not asked for is an error, or a warning where unknown
 * ones are allowed.  conf_section_warn: a warning in any case. */
bool conf_section_end(struct conf_section *, struct err *) MUST_USE;
void conf_section_warn(struct conf_section *);

#endif
