/* SPDX-License-Identifier: Apache-2.0 */
/* Keys among few and among many fields. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "record/field_index.h"
#include "record/record.h"

enum { KEY_BYTES = 16 };

/* A record with the keys k0, k7, k14 and so on, in the order of (i * 7) modulo
 * the count. */
static struct record *record_of(struct arena *arena, size_t count)
{
	struct record *r = record_new(arena, NULL, SPAN("t"), 0);
	for (size_t i = 0; i < count; i++) {
		char key[KEY_BYTES];
		int length = snprintf(key, sizeof key, "k%zu", i * 7 % count);
		struct span text = span_make(key, (size_t)length);
		record_add_new(r, arena_copy(arena, text),
			       value_int((int64_t)i));
	}
	return r;
}

static void each_key_is_found_where_it_is(void **state)
{
	static const size_t counts[] = {0, 1, 2, 64, 65, 66, 1000, 20001};
	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		struct arena *arena = arena_new(4096);
		struct record *r = record_of(arena, counts[c]);
		struct field_index index;
		field_index_build(&index, arena, r->fields, r->count);
		for (size_t i = 0; i < r->count; i++) {
			struct span key = r->fields[i].key;
			assert_int_equal(
				field_index_find(&index, r->count, key), i);
			/* Only the first fields count. */
			assert_int_equal(field_index_find(&index, i, key), i);
			assert_int_equal(field_index_find(&index, i + 1, key),
					 i);
		}
		assert_int_equal(
			field_index_find(&index, r->count, SPAN("none")),
			r->count);
		assert_int_equal(field_index_find(&index, r->count, SPAN("")),
				 r->count);
		arena_free(arena);
	}
}

static void appended_fields_are_found(void **state)
{
	static const size_t counts[] = {0, 3, 100};
	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		struct arena *arena = arena_new(4096);
		struct record *r = record_of(arena, counts[c] + 2);
		size_t count = counts[c];
		struct field_index index;
		field_index_build(&index, arena, r->fields, count);
		for (size_t i = 0; i < count + 2; i++)
			assert_int_equal(field_index_find(&index, count + 2,
							  r->fields[i].key),
					 i);
		assert_int_equal(
			field_index_find(&index, count, r->fields[count].key),
			count);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_found_where_it_is),
		cmocka_unit_test(appended_fields_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
