/* SPDX-License-Identifier: Apache-2.0 */
#include "counted_memcmp.h"
#include "unit.h"

#include <string.h>

#include "base/span.h"
#include "file/file_cache.h"

enum { FILES = 500, NAME_BYTES = 16 };

/* Write the next name after number *i.  Without a seed, the cache once hashed
 * eight bytes at a time, by an exclusive or and a multiplication.  The last
 * eight bytes of these names undo what the first eight do to such a hash, so
 * all names have the same hash. */
static void colliding_name(uint64_t *i, char name[static NAME_BYTES + 1])
{
	uint64_t first, last;
	do {
		first = ++*i * UINT64_C(0x9e3779b97f4a7c15);
		last = (NAME_BYTES ^ first) * UINT64_C(0x9e3779b97f4a7c15);
		last ^= last >> 32;
		memcpy(name, &first, sizeof first);
		memcpy(name + sizeof first, &last, sizeof last);
		name[NAME_BYTES] = '\0';
	} while (strlen(name) < NAME_BYTES);
}

/* Comparing each name with all earlier ones would take 124,750 comparisons. */
static void no_names_make_a_search_compare_all_files(void **state)
{
	(void)state;
	static char names[FILES][NAME_BYTES + 1];
	struct cached_file *files[FILES];
	struct file_env env = {0};
	struct file_cache *c = file_cache_new(&env, FILES);
	uint64_t next = 0;
	for (size_t i = 0; i < FILES; i++) {
		colliding_name(&next, names[i]);
		files[i] = file_cache_add(c, names[i], NAME_BYTES);
	}
	counted_memcmp_calls = 0;
	for (size_t i = 0; i < FILES; i++)
		assert_ptr_equal(file_cache_find(c, span_of(names[i])),
				 files[i]);
	/* One with the file, and one with the file that was found before. */
	assert_in_range(counted_memcmp_calls, 1, 2 * FILES);
	assert_null(file_cache_find(c, SPAN("none")));
	file_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_names_make_a_search_compare_all_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
