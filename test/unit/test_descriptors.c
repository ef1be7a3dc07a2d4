/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/descriptors.h"

enum {
	ALWAYS_OPEN = 16, /* and one for each input */
	HOOK_MIN = 2,
};

static size_t all_of(const struct descriptors *d, size_t outputs)
{
	return d->connections + d->ending + d->http + d->http_ending +
	       d->files * outputs;
}

static void the_shares_fit_together(void **state)
{
	(void)state;
	for (size_t inputs = 1; inputs <= 16; inputs += 5) {
		for (size_t limit = 1; limit < 9000; limit += 1) {
			struct descriptors d;
			struct err e;
			if (!descriptors_share_out(&d, limit, inputs, 1, &e)) {
				assert_true(limit < 33 + inputs);
				assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
				continue;
			}
			assert_true(d.connections >= 1 && d.ending >= 1);
			assert_true(d.http >= 1 && d.files >= 4);
			/* Some descriptors stay free for files that are open
			 * only for a moment. */
			assert_in_range(all_of(&d, 1) + ALWAYS_OPEN + inputs, 0,
					limit - 5 - HOOK_MIN);
		}
	}
}

static void with_many_descriptors_each_share_has_its_maximum(void **state)
{
	struct descriptors d;
	struct err e;
	(void)state;
	assert_true(descriptors_share_out(&d, 8192, 1, 1, &e));
	assert_int_equal(d.connections, 256);
	assert_int_equal(d.http, 128);
	assert_in_range(d.files, 2000, 2048);
}

static void outputs_divide_their_share(void **state)
{
	struct descriptors d;
	struct err e;
	(void)state;
	assert_true(descriptors_share_out(&d, 1024, 1, 4, &e));
	assert_in_range(d.files, 60, 64);
	assert_true(descriptors_share_out(&d, 34, 1, 100, &e));
	assert_int_equal(d.files, 1);
}

static void too_few_descriptors_are_an_error_that_names_the_limit(void **state)
{
	struct descriptors d;
	struct err e;
	(void)state;
	assert_false(descriptors_share_out(&d, 20, 2, 1, &e));
	assert_string_equal(e.text,
			    "this process may have 20 open files, but with 2 "
			    "inputs it needs 35; raise the limit (ulimit -n, "
			    "LimitNOFILE of systemd)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shares_fit_together),
		cmocka_unit_test(
			with_many_descriptors_each_share_has_its_maximum),
		cmocka_unit_test(outputs_divide_their_share),
		cmocka_unit_test(
			too_few_descriptors_are_an_error_that_names_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
