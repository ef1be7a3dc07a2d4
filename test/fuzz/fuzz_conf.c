/* SPDX-License-Identifier: Apache-2.0 */
/* Read any bytes as a configuration in either format, then call every getter on
 * every section. */
#include "fuzz.h"

#include "base/log.h"
#include "conf/conf.h"

static bool ask(struct conf_section *s, const char *key, struct err *e)
{
	static const char *const choices[] = {"template", "plain", NULL};
	const char *text;
	bool flag;
	int64_t number;
	unsigned mode;
	size_t size;
	double seconds;
	bool ok = conf_get_text(s, key, &text, e);
	ok &= conf_get_bool(s, key, &flag, e);
	ok &= conf_get_int(s, key, -1, 65535, &number, e);
	ok &= conf_get_octal(s, key, &mode, e);
	ok &= conf_get_size(s, key, &size, e);
	ok &= conf_get_seconds(s, key, &seconds, e);
	ok &= conf_get_choice(s, key, choices, &size, e);
	for (size_t i = 0; conf_get_each(s, key, i) != NULL; i++)
		ok &= conf_err_key(s, key, e, "%zu", i);
	return ok;
}

static void read_as(const char *name, const char *text, size_t size)
{
	static const char *const keys[] = {"Name", "Path", "Format", "Rule"};
	struct err e = {0};
	struct conf *c = conf_read_text(name, text, size, &e);
	if (c == NULL) {
		CHECK(e.text[0] != '\0');
		return;
	}
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(c, i)) != NULL; i++) {
		for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
			CHECK(ask(s, keys[j], &e) || e.text[0] != '\0');
		conf_ignore(s, "Daemon", "nothing");
		CHECK(conf_section_end(s, &e) || e.text[0] != '\0');
		conf_err(s, &e, "%s", "wrong");
	}
	conf_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	CHECK(log_open(NULL, LOG_OFF, &e));
	read_as("fuzz", (const char *)data, size);
	read_as("fuzz.yaml", (const char *)data, size);
	return 0;
}
