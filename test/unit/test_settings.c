/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "setup/settings.h"

static bool read_keys(const char *keys, struct settings *s, struct err *e)
{
	char text[1024];
	snprintf(text, sizeof text, "[SERVICE]\n%s", keys);
	struct conf *c = conf_from_text(text);
	struct conf_section *section = conf_section(c, 0);
	settings_init(s);
	bool ok = settings_read(s, section, e);
	conf_section_warn(section);
	conf_free(c);
	return ok;
}

static void a_key_that_is_not_set_has_its_default(void **state)
{
	(void)state;
	struct settings s;
	struct err e = {0};
	assert_true(read_keys("", &s, &e));
	assert_true(s.flush_s == 1 && s.grace_s == 5);
	assert_false(s.http_server || s.health_check || s.has_log_level);
	assert_string_equal(s.http_listen, "0.0.0.0");
	assert_int_equal(s.http_port, 2020);
	assert_null(s.log_file);
}

static void an_address_may_be_ipv4_or_ipv6(void **state)
{
	(void)state;
	static const char *const good[] = {"0.0.0.0", "127.0.0.1", "::", "::1"};
	for (size_t i = 0; i < COUNT(good); i++) {
		char keys[64];
		struct settings s;
		struct err e = {0};
		snprintf(keys, sizeof keys, "    HTTP_Listen %s\n", good[i]);
		if (!read_keys(keys, &s, &e))
			fail_msg("%s", e.text);
	}
}

static void a_mistake_is_reported_at_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *message;
	} cases[] = {
		{"    Flush 1\n    HTTP_Listen localhost\n",
		 "x.conf:3: [SERVICE] HTTP_Listen \"localhost\" is not an "
		 "address like 0.0.0.0, 127.0.0.1 or ::"},
		{"    HTTP_Port 65536\n",
		 "x.conf:2: [SERVICE] HTTP_Port \"65536\" is not a whole "
		 "number from 0 to 65535"},
		{"    Flush 0\n",
		 "x.conf:2: [SERVICE] Flush must be more than 0, like 1 or "
		 "0.2"},
		{"    storage.max_size 999k\n",
		 "x.conf:2: [SERVICE] storage.max_size must be at least 1M"},
		{"    Log_Level inof\n",
		 "x.conf:2: [SERVICE] unknown Log_Level \"inof\"; did you "
		 "mean \"info\"?"},
		{"    Grace -2\n",
		 "x.conf:2: [SERVICE] Grace \"-2\" is not a time such as 1, "
		 "0.2, 30s, 5m, 2h or 1d"},
		{"    Grace -1\n    Grace -1\n",
		 "x.conf:3: [SERVICE] Grace is set 2 times, in lines 2, 3"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s;
		struct err e = {0};
		assert_false(read_keys(cases[i].keys, &s, &e));
		assert_string_equal(e.text, cases[i].message);
		assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	}
}

static void ignored_keys_of_fluent_bit_are_reported_once(void **state)
{
	static const char *const keys[] = {
		"Daemon",	    "Plugins_File",
		"Coro_Stack_Size",  "Hot_Reload.Timeout",
		"scheduler.cap",    "sp.convert_from_str_to_num",
		"storage.sync",	    "storage.keep.rejected",
		"flush.adaptive.x", "json.escape_unicode",
		"flush.adaptive",   "storage.rejected.limit",
		"windows.maxstdio", "security.fips_mode",
	};
	char text[1024];
	size_t used = 0;
	for (size_t i = 0; i < COUNT(keys); i++)
		used += (size_t)snprintf(text + used, sizeof text - used,
					 "    %s off\n", keys[i]);
	struct settings s;
	struct err e = {0};
	if (!read_keys(text, &s, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < COUNT(keys); i++) {
		snprintf(text, sizeof text, "key=%s msg=", keys[i]);
		assert_int_equal(times_logged(state, text), 1);
	}
}

static void an_unknown_key_is_reported_and_ignored(void **state)
{
	struct settings s;
	struct err e = {0};
	assert_true(read_keys("    Flsh 3\n    Log_Level warn\n", &s, &e));
	assert_true(s.flush_s == 1);
	assert_logged(state, "level=warn mod=conf at=x.conf:2 section=SERVICE "
			     "key=Flsh err=\"unknown key; did you "
			     "mean Flush?\" action=\"ignoring it\"\n");
	assert_int_equal(times_logged(state, "unknown"), 1);
}

static void a_grace_of_minus_one_is_unlimited(void **state)
{
	(void)state;
	struct settings s;
	struct err e = {0};
	assert_true(read_keys("    Grace -1\n", &s, &e));
	assert_true(s.grace_s >= 1e9);
}

static void the_environment_overrides_the_log_level(void **state)
{
	(void)state;
	static const struct {
		const char *env, *keys;
		bool has;
		enum log_level level;
	} cases[] = {
		{"error", "    Log_Level info\n", true, LOG_ERROR},
		{"DEBUG", "", true, LOG_DEBUG},
		{"loud", "    Log_Level warn\n", true, LOG_WARN},
		{"", "", false, LOG_INFO},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s;
		struct err e = {0};
		setenv("FLB_LOG_LEVEL", cases[i].env, 1);
		assert_true(read_keys(cases[i].keys, &s, &e));
		assert_int_equal(s.has_log_level, cases[i].has);
		assert_int_equal(s.log_level, cases[i].level);
	}
	unsetenv("FLB_LOG_LEVEL");
}

/* In the same order as main(): first the command line, then the file. */
static void the_configuration_overrides_the_command_line(void **state)
{
	(void)state;
	static const struct conf_option options[] = {{"Flush", "3"},
						     {"HTTP_Port", "2021"}};
	struct conf *c = conf_of_options("command line", "SERVICE", options,
					 COUNT(options));
	struct conf *file = conf_from_text("[SERVICE]\n    Flush 4\n");
	struct settings s;
	struct err e = {0};
	settings_init(&s);
	assert_true(settings_read(&s, conf_section(c, 0), &e));
	assert_true(settings_read(&s, conf_section(file, 0), &e));
	assert_true(s.flush_s == 4);
	assert_int_equal(s.http_port, 2021);
	conf_free(file);
	conf_free(c);
}

static void a_mistake_in_an_option_has_no_line(void **state)
{
	(void)state;
	static const struct conf_option options[] = {{"Flush", "soon"}};
	struct conf *c = conf_of_options("command line", "SERVICE", options, 1);
	struct settings s;
	struct err e = {0};
	settings_init(&s);
	assert_false(settings_read(&s, conf_section(c, 0), &e));
	assert_string_equal(e.text,
			    "command line: [SERVICE] Flush \"soon\" is not a "
			    "time such as 1, 0.2, 30s, 5m, 2h or 1d");
	conf_free(c);
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_key_that_is_not_set_has_its_default),
		T(an_address_may_be_ipv4_or_ipv6),
		T(a_mistake_is_reported_at_its_key),
		T(ignored_keys_of_fluent_bit_are_reported_once),
		T(an_unknown_key_is_reported_and_ignored),
		T(a_grace_of_minus_one_is_unlimited),
		T(the_environment_overrides_the_log_level),
		T(the_configuration_overrides_the_command_line),
		T(a_mistake_in_an_option_has_no_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
