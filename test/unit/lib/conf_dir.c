/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int conf_dir_set_up(void **state)
{
	struct conf_dir *d = calloc(1, sizeof *d);
	struct err e;
	*state = d;
	if (!temp_dir_make(d->dir, "/tmp", "test_conf") || chdir(d->dir) != 0 ||
	    !log_open("log", LOG_INFO, &e))
		return -1;
	return 0;
}

int conf_dir_tear_down(void **state)
{
	struct conf_dir *d = *state;
	int rc = chdir("/");
	rc |= temp_dir_remove(d->dir);
	buf_fini(&d->text);
	free(d);
	return rc;
}

const char *conf_dir_log(void **state)
{
	struct conf_dir *d = *state;
	wait_for_log();
	assert_true(file_read("log", &d->text));
	return buf_text(&d->text);
}

void assert_logged(void **state, const char *part)
{
	const char *log = conf_dir_log(state);
	if (strstr(log, part) == NULL)
		fail_msg("not logged: %s\nbut: %s", part, log);
}

size_t times_logged(void **state, const char *part)
{
	size_t times = 0;
	for (const char *at = conf_dir_log(state);
	     (at = strstr(at, part)) != NULL; at++)
		times++;
	return times;
}

struct conf *conf_from_text(const char *text)
{
	struct err e = {0};
	struct conf *c = conf_read_text("x.conf", text, strlen(text), &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

struct conf *conf_from_file(const char *path)
{
	struct err e = {0};
	struct conf *c = conf_read(path, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

void assert_conf_refused(const char *path, const char *message)
{
	struct err e = {0};
	assert_null(conf_read(path, &e));
	assert_string_equal(e.text, message);
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
}

const char *conf_value(const struct conf *c, size_t index, const char *key)
{
	const char *value = NULL;
	struct err e = {0};
	if (!conf_get_text(conf_section(c, index), key, &value, &e))
		fail_msg("%s", e.text);
	return value;
}
