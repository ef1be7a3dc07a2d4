/* SPDX-License-Identifier: Apache-2.0 */
/* conf - Fluent Bit's configuration formats, with line numbers.
 *
 *     [INPUT]                      section, at column 0, any case
 *         Name    syslog           key, blanks, value to the end of the line
 *         Path    ${DIR}/log.sock
 *     @INCLUDE more/a.conf        @SET NAME=value
 *
 * A file whose name ends in .yaml or .yml is in the YAML format, see
 * yaml_format.h.
 *
 * The reader of a section declares the tables of its keys (conf_keys.h) and
 * asks for the keys.  Asking marks a key as known.  conf_section_end makes
 * every other key an error that names file, line, key and the nearest known
 * key, so no key is silently without effect.
 *
 * Getters return false with *e set if the value is wrong or the key is given
 * more than once.  If the key is missing or its value is empty, they leave
 * *out, the caller's default, unchanged.  All texts live as long as the struct
 * conf. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct conf;
struct conf_section;

/* Read a file and the files that it includes.  NULL on failure; the exit code
 * is EXIT_CODE_CONFIG even if the system denied access. */
struct conf *conf_read(const char *path, struct err *);

/* The same from memory; `name` replaces the path, also in messages.  Including
 * files is an error. */
struct conf *conf_read_text(const char *name, const char *text, size_t length,
			    struct err *);

/* Frees the configuration with all its sections and texts.  NULL is allowed. */
void conf_free(struct conf *);

/* The directory of the file, with symlinks resolved, because the files of a
 * ConfigMap are symlinks.  Relative names are looked up in the working
 * directory and then in this directory.  "." for a text. */
const char *conf_dir(const struct conf *);

/* Returns the path below `dir` if the path is relative and exists only there.
 * Otherwise returns the path itself.  Free with free(). */
char *conf_find_file(const char *dir, const char *path);

/* False with *e set if the path leads to a pipe or a device.  True if nothing
 * exists at the path: opening it fails. */
bool conf_check_file(const char *path, struct err *e) MUST_USE;

/* --allow-unknown: an unknown key or section is a warning instead of an error.
 */
void conf_allow_unknown(struct conf *);

/* A configuration of one section with these keys, for options of the command
 * line.  Its errors have no line number. */
struct conf_option {
	const char *key;
	const char *value;
};
struct conf *conf_of_options(const char *name, const char *section,
			     const struct conf_option *, size_t count);

/* The sections in their order; NULL after the last one. */
struct conf_section *conf_section(const struct conf *, size_t index);

/* The nth section of that name, ignoring case; NULL after the last one. */
struct conf_section *conf_section_named(const struct conf *, const char *name,
					size_t nth);

/* Whether the section has this name; case is ignored. */
bool conf_is(const struct conf_section *, const char *name);

/* A hash of the section's keys and values, except those of that key.  The same
 * section has the same hash in every process. */
uint64_t conf_section_hash(const struct conf_section *, const char *except);

/* Set *e to the formatted sentence, preceded by "file:line: [SECTION] ".
 * Always false.  conf_err_key names the line of that key.  If the key is given
 * several times, it names the line of the value that a getter returned last or,
 * if no getter returned one, the first line.  If the key is missing, it names
 * the line of the section. */
bool conf_err(const struct conf_section *, struct err *, const char *format,
	      ...) PRINTF_LIKE(3, 4);
bool conf_err_key(const struct conf_section *, const char *key, struct err *,
		  const char *format, ...) PRINTF_LIKE(4, 5);

/* Put the place in front of the sentence in *e: the key's line and name or, if
 * key is NULL, the section's line.  Always false. */
bool conf_err_in(const struct conf_section *, const char *key, struct err *);

/* Log a warning with the place of the key or, if key is NULL, of the section.
 * `format` says what is wrong.  `action` says what sluiced does about it or
 * what the reader can do. */
void conf_warn(const struct conf_section *, const char *key, const char *action,
	       const char *format, ...) PRINTF_LIKE(4, 5);

/* Report that the value of the key or, if key is NULL, the name of the section
 * is not in `known`, which NULL terminates: `unknown WHAT "x"; did you mean
 * "y"?`.  Always false. */
bool conf_err_unknown(const struct conf_section *, const char *key,
		      const char *what, const char *const *known, struct err *);

/* Report that a required key is missing: `KEY is missing: hint`.  If the
 * section has an unknown key with a similar name, report that one instead.
 * Always false. */
bool conf_err_missing(const struct conf_section *, const char *key,
		      struct err *, const char *hint);

/* The getters.  They leave *out unchanged if the key is missing or empty, and
 * return false on an error; see the top of this file. */

/* Read the value as it is written.  The text lives as long as the conf. */
bool conf_get_text(struct conf_section *, const char *key, const char **out,
		   struct err *) MUST_USE;
/* Read on, off, true, false, yes or no, ignoring case. */
bool conf_get_bool(struct conf_section *, const char *key, bool *out,
		   struct err *) MUST_USE;
/* Read a decimal number from min to max. */
bool conf_get_int(struct conf_section *, const char *key, int64_t min,
		  int64_t max, int64_t *out, struct err *) MUST_USE;
/* Read the octal mode of a file, like 0644, up to 07777. */
bool conf_get_octal(struct conf_section *, const char *key, unsigned *out,
		    struct err *) MUST_USE;
/* Read bytes: 10, 1k, 5M, 2GB.  K is 1000, as in Fluent Bit; "false" is 0. */
bool conf_get_size(struct conf_section *, const char *key, size_t *out_bytes,
		   struct err *) MUST_USE;
/* Read seconds: 1, 0.2, 30s, 5m, 2h, 1d. */
bool conf_get_seconds(struct conf_section *, const char *key, double *out_s,
		      struct err *) MUST_USE;
/* Read one of the words, ignoring case; NULL ends the words.  *out is the index
 * of the word. */
bool conf_get_choice(struct conf_section *, const char *key,
		     const char *const *choices, size_t *out,
		     struct err *) MUST_USE;

/* The nth value of a key that may be given several times; NULL after the last.
 */
const char *conf_get_each(struct conf_section *, const char *key, size_t nth);

/* The same for several keys, which NULL terminates, in the order of their
 * lines; *which is the index of the key.  The words in `keys` must not change
 * from one call to the next. */
const char *conf_get_each_of(struct conf_section *, const char *const *keys,
			     size_t nth, size_t *which);

/* Go through the @SETs, the newest first, so that the first one of a name is in
 * force.  Start with *at = NULL.  False after the last one. */
struct conf_set;
bool conf_next_set(const struct conf_section *, const struct conf_set **at,
		   struct conf_option *out);

/* Accept a key of Fluent Bit that has no effect here, and log it with the
 * reason.  "net.*" covers all keys that begin so.  conf_ignore_section accepts
 * a whole section. */
void conf_ignore(struct conf_section *, const char *key, const char *why);
void conf_ignore_section(const struct conf_section *, const char *why);

/* Report a key that is known, but that `user`, for example "Mode tcp", does not
 * use.  `why` says what does.  Call it instead of a getter; it does nothing if
 * the key is missing.
 *
 * Fluent Bit ignores such a key silently.  So conf_unused only logs a warning.
 * conf_refuse_unused is for a key that Fluent Bit does not have: it is an error
 * or, if unknown keys are allowed, a warning. */
void conf_unused(struct conf_section *, const char *key, const char *user,
		 const char *why);
bool conf_refuse_unused(struct conf_section *, const char *key,
			const char *user, const char *why,
			struct err *) MUST_USE;

/* Report every key that nobody asked for: as an error, or as a warning if
 * unknown keys are allowed.  conf_section_warn always logs warnings. */
bool conf_section_end(struct conf_section *, struct err *) MUST_USE;
void conf_section_warn(struct conf_section *);

#endif
