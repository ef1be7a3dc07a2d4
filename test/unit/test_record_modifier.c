/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include <string.h>

#include "base/log.h"

static void listed_fields_are_removed_or_kept_or_added(void **state)
{
	(void)state;
	static const struct filter_case cases[] = {
		{" Record k v\n Record l w\n", "{\"a\":1}",
		 "{\"a\":1,\"k\":\"v\",\"l\":\"w\"}"},
		{" Record k v\n", "{\"k\":1}", "{\"k\":1,\"k\":\"v\"}"},
		{" Record k it is so\n", "{}", "{\"k\":\"it is so\"}"},
		{" Record k   \"it \\\"is\\\" so\"\n", "{}",
		 "{\"k\":\"it \\\"is\\\" so\"}"},
		{" Record k \"it\" is\n", "{}", "{\"k\":\"\\\"it\\\" is\"}"},
		{" Record k \"it\n", "{}", "{\"k\":\"\\\"it\"}"},
		{" Remove_key AA\n Remove_key m_*\n",
		 "{\"aa\":1,\"aaa\":2,\"M_x\":3,\"m_\":4,\"m\":5}",
		 "{\"aaa\":2,\"m\":5}"},
		{" Allowlist_key AA\n Whitelist_key m_*\n",
		 "{\"aa\":1,\"aaa\":2,\"M_x\":3,\"m_\":4,\"m\":5}",
		 "{\"aa\":1,\"M_x\":3,\"m_\":4}"},
		{" Remove_key *\n Record k v\n", "{\"a\":1,\"k\":2}",
		 "{\"k\":\"v\"}"},
		/* A record without fields is dropped. */
		{" Remove_key a\n", "{\"a\":1}", ""},
		{" Remove_key a\n", "{}", "{}"},
	};
	filter_unit_check("record_modifier", cases, COUNT(cases));
}

static void every_record_gets_an_id_of_its_own(void **state)
{
	(void)state;
	struct filter_unit u;
	struct err e;
	char first[64];
	assert_true(
		filter_unit_init(&u, "record_modifier", " Uuid_key id\n", &e));
	const char *out = filter_unit_run(&u, "{}");
	assert_int_equal(strlen(out), strlen("{\"id\":\"\"}") + 36);
	const char *id = out + strlen("{\"id\":\"");
	for (size_t i = 0; i < 36; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		assert_non_null(
			strchr(is_dash ? "-" : "0123456789abcdef", id[i]));
	}
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
	memcpy(first, out, strlen(out) + 1);
	assert_string_not_equal(filter_unit_run(&u, "{}"), first);
	filter_unit_fini(&u);
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct mistake_case cases[] = {
		{"", "t.conf:1", "Record env"},
		{" Record k\n", "t.conf:4", "KEY VALUE"},
		{" Remove_key a\n Allowlist_key b\n", "t.conf:5",
		 "exclude each other"},
		{" Whitelist_key a\n Remove_key b\n", "t.conf:5",
		 "exclude each other"},
		{" Remove_keys a\n", "t.conf:4", "\"Remove_key\""},
	};
	filter_unit_mistakes("record_modifier", cases, COUNT(cases));
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_fields_are_removed_or_kept_or_added),
		cmocka_unit_test(every_record_gets_an_id_of_its_own),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
