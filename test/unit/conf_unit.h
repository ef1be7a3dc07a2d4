/* SPDX-License-Identifier: Apache-2.0 */
/* conf_unit - what the tests of conf share. */
#ifndef CONF_UNIT_H
#define CONF_UNIT_H

#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* Each test runs in an empty directory; what is said goes to its file "log". */
struct place {
	char dir[64];
	char text[16384];
};

static inline const char *said(void **state)
{
	struct place *p = *state;
	FILE *f = fopen("log", "r");
	assert_non_null(f);
	size_t n = fread(p->text, 1, sizeof p->text - 1, f);
	p->text[n] = '\0';
	fclose(f);
	return p->text;
}

static inline void assert_said(void **state, const char *part)
{
	if (strstr(said(state), part) == NULL)
		fail_msg("not said: %s\nbut: %s", part, said(state));
}

static inline size_t times_said(void **state, const char *part)
{
	size_t times = 0;
	for (const char *at = said(state); (at = strstr(at, part)) != NULL;
	     at++)
		times++;
	return times;
}

static inline int enter(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->dir, sizeof p->dir, "/tmp/test_conf.XXXXXX");
	struct err e;
	if (mkdtemp(p->dir) == NULL || chdir(p->dir) != 0 ||
	    !log_open("log", LOG_INFO, &e))
		return -1;
	*state = p;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
			     struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline int leave(void **state)
{
	struct place *p = *state;
	int rc = chdir("/");
	rc |= nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return rc;
}

static inline struct conf *read_text(const char *text)
{
	struct err e = {0};
	struct conf *c = conf_read_text("x.conf", text, strlen(text), &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

static inline void write_bytes(const char *path, const char *bytes,
			       size_t length)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, length, f), length);
	assert_int_equal(fclose(f), 0);
}

static inline void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static inline struct conf *read_path(const char *path)
{
	struct err e = {0};
	struct conf *c = conf_read(path, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

static inline void assert_refused(const char *path, const char *message)
{
	struct err e = {0};
	assert_null(conf_read(path, &e));
	assert_string_equal(e.text, message);
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
}

/* NULL when the key is not there. */
static inline const char *value_of(const struct conf *c, size_t index,
				   const char *key)
{
	const char *value = NULL;
	struct err e = {0};
	if (!conf_get_text(conf_section(c, index), key, &value, &e))
		fail_msg("%s", e.text);
	return value;
}

#endif
