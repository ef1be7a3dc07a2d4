/* SPDX-License-Identifier: Apache-2.0 */
#include "check_fails.h"
#include "conf_dir.h"

#include <string.h>

#include "conf/conf_keys.h"

static const struct conf_key_spec table[] = {
	{"Path", CONF_PATH, .help = "A file."},
	{"tls*", .ignored = "sluiced has no network output"},
	{"Retry_Limit", .ignored = "lines are retried"},
	{.name = NULL},
};

static void a_row_covers_its_key_in_any_case(void **state)
{
	(void)state;
	static const struct {
		const char *row, *key;
		bool covers;
	} cases[] = {
		{"Path", "Path", true},	      {"Path", "pATH", true},
		{"Path", "Pat", false},	      {"Path", "Paths", false},
		{"net.*", "net.", true},      {"net.*", "NET.keepalive", true},
		{"net.*", "net", false},      {"tls*", "tls", true},
		{"tls*", "tls.verify", true}, {"*", "anything", true},
		{"a*b", "axb", false},	      {"a*b", "a*b", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf_key_spec row = {.name = cases[i].row};
		if (conf_key_covers(&row, cases[i].key) != cases[i].covers)
			fail_msg("%s %s", cases[i].row, cases[i].key);
	}
}

static void every_type_has_its_own_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_TYPE_COUNT; i++) {
		const char *name = conf_type_name((enum conf_type)i);
		assert_non_null(name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(
				name, conf_type_name((enum conf_type)j));
	}
	assert_string_equal(conf_type_name(CONF_SECONDS), "seconds");
}

static void ignored_keys_are_accepted_and_logged_once(void **state)
{
	struct conf *c = conf_from_text("[OUTPUT]\n    Path a\n    tls on\n"
					"    tls.verify off\n"
					"    retry_limit 3\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	const char *path = NULL;
	conf_declare(s, table);
	assert_true(conf_get_text(s, "Path", &path, &e));
	assert_true(conf_section_end(s, &e));
	assert_true(conf_section_end(s, &e));
	assert_logged(state, "level=info mod=conf at=x.conf:4 key=tls.verify "
			     "msg=\"has no effect: sluiced has no network "
			     "output\"\n");
	assert_int_equal(times_logged(state, "key=tls "), 1);
	assert_int_equal(times_logged(state, "key=retry_limit "), 1);
	assert_int_equal(times_logged(state, "key=Path"), 0);
	conf_free(c);
}

static void an_ignored_key_that_is_asked_for_has_an_effect(void **state)
{
	struct conf *c = conf_from_text("[OUTPUT]\n    Retry_Limit 3\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	const char *limit = NULL;
	conf_declare(s, table);
	assert_true(conf_get_text(s, "Retry_Limit", &limit, &e));
	assert_string_equal(limit, "3");
	assert_true(conf_section_end(s, &e));
	assert_int_equal(times_logged(state, "Retry_Limit"), 0);
	conf_free(c);
}

static void a_key_in_no_table_is_an_error(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[OUTPUT]\n    Pat a\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	const char *path = NULL;
	conf_declare(s, table);
	assert_true(conf_get_text(s, "Path", &path, &e));
	assert_false(conf_section_end(s, &e));
	assert_string_equal(e.text, "x.conf:2: [OUTPUT] unknown key \"Pat\"; "
				    "did you mean \"Path\"?");
	conf_free(c);
}

static void a_table_may_be_declared_again(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[OUTPUT]\n    Path a\n");
	for (int i = 0; i < 2 * CONF_TABLES_MAX; i++)
		conf_declare(conf_section(c, 0), table);
	assert_string_equal(conf_get_each(conf_section(c, 0), "Path", 0), "a");
	conf_free(c);
}

static void ask_for_a_stranger(void *section)
{
	conf_get_each(section, "Stranger", 0);
}

static void asking_for_a_key_in_no_table_is_a_bug(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[OUTPUT]\n    Stranger a\n");
	/* Without a table, every key may be asked for. */
	ask_for_a_stranger(conf_section(c, 0));
	conf_declare(conf_section(c, 0), table);
	assert_check_fails(ask_for_a_stranger, conf_section(c, 0),
			   "is_declared(s, key)");
	conf_free(c);
}

static void declare_too_many(void *section)
{
	static const struct conf_key_spec tables[CONF_TABLES_MAX + 1];
	for (size_t i = 0; i < COUNT(tables); i++)
		conf_declare(section, &tables[i]);
}

static void too_many_tables_are_a_bug(void **state)
{
	(void)state;
	struct conf *c = conf_from_text("[OUTPUT]\n");
	assert_check_fails(declare_too_many, conf_section(c, 0),
			   "s->table_count < CONF_TABLES_MAX");
	conf_free(c);
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_row_covers_its_key_in_any_case),
		T(every_type_has_its_own_name),
		T(ignored_keys_are_accepted_and_logged_once),
		T(an_ignored_key_that_is_asked_for_has_an_effect),
		T(a_key_in_no_table_is_an_error),
		T(a_table_may_be_declared_again),
		T(asking_for_a_key_in_no_table_is_a_bug),
		T(too_many_tables_are_a_bug),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
