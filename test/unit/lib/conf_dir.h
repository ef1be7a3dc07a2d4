/* SPDX-License-Identifier: Apache-2.0 */
/* conf_dir - an empty directory to read configurations in.
 *
 * conf_dir_set_up() makes the directory the working directory and opens the
 * log as the file "log" in it, so tests use relative paths. */
#ifndef UNIT_CONF_DIR_H
#define UNIT_CONF_DIR_H

#include "files.h"
#include "unit.h"

#include "conf/conf.h"

struct conf_dir {
	char dir[TEMP_DIR_BYTES];
	struct buf text; /* the log, as it was last read */
};

/* cmocka set-up and teardown; *state is the struct conf_dir. */
int conf_dir_set_up(void **state);
int conf_dir_tear_down(void **state);

/* The content of the log so far; valid until the next call. */
const char *conf_dir_log(void **state);

/* Fail the test unless `part` is in the log. */
void assert_logged(void **state, const char *part);

/* How many times `part` occurs in the log. */
size_t times_logged(void **state, const char *part);

/* Read a configuration that has no mistake, from a text with the file name
 * x.conf, or from a file.  A mistake fails the test; the caller frees the
 * result. */
struct conf *conf_from_text(const char *text);
struct conf *conf_from_file(const char *path);

/* Fail the test unless reading the file fails with exactly this message and
 * the exit code for a bad configuration. */
void assert_conf_refused(const char *path, const char *message);

/* The text of a key in the section with that index; NULL if the section does
 * not have the key. */
const char *conf_value(const struct conf *, size_t index, const char *key);

#endif
