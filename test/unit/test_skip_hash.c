/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "file/skip_hash.h"
#include "journal/append_note.h"

enum { GARBAGE = 12345 };

static struct append_note noted(uint64_t hash, uint64_t skip_bytes)
{
	return (struct append_note){.skip_bytes = skip_bytes,
				    .skip_hash = skip_hash_end(hash)};
}

static void the_lines_of_a_batch_are_known_again(void **state)
{
	(void)state;
	uint64_t hash = skip_hash_add(GARBAGE, 0, "one\n", 4);
	hash = skip_hash_add(hash, 4, "two\nthree\n", 4);
	struct append_note n = noted(hash, 8);
	assert_true(skip_hash_is_of(&n, SPAN("one\ntwo\n")));
	assert_true(skip_hash_is_of(&n, SPAN("one\ntwo\nother\n")));
	assert_false(skip_hash_is_of(&n, SPAN("one\nTwo\nthree\n")));
	assert_false(skip_hash_is_of(&n, SPAN("one\n")));
}

static void lines_of_earlier_batches_are_left_out(void **state)
{
	(void)state;
	/* "old\n" is cut off in one step with a line, or alone. */
	uint64_t at_once = skip_hash_add(GARBAGE, -4, "old\nnew\nrest\n", 8);
	uint64_t alone = skip_hash_add(GARBAGE, -4, "old\nnew\nrest\n", 4);
	alone = skip_hash_add(alone, 0, "new\nrest\n", 4);
	struct append_note n = noted(at_once, 4), m = noted(alone, 4);
	assert_true(skip_hash_is_of(&n, SPAN("new\nrest\n")));
	assert_true(skip_hash_is_of(&m, SPAN("new\nrest\n")));
}

static void a_note_without_a_hash_fits_all_lines(void **state)
{
	(void)state;
	struct append_note n = {.skip_bytes = 8};
	assert_true(skip_hash_is_of(&n, SPAN("")));
	assert_int_not_equal(skip_hash_end(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lines_of_a_batch_are_known_again),
		cmocka_unit_test(lines_of_earlier_batches_are_left_out),
		cmocka_unit_test(a_note_without_a_hash_fits_all_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
