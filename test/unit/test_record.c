/* SPDX-License-Identifier: Apache-2.0 */
#include "counted_memcmp.h"
#include "random.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "record/record.h"

static int setup(void **state)
{
	*state = arena_new(1024);
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static struct record *record_of(struct arena *a, const char *const *keys)
{
	struct record *r = record_new(a, NULL, SPAN("t"), 0);
	for (int64_t i = 0; keys[i] != NULL; i++)
		record_add(r, span_of(keys[i]), value_int(i));
	return r;
}

static void the_first_and_the_last_of_equal_keys_are_found(void **state)
{
	const char *const keys[] = {"a", "b", "a", NULL};
	struct record *r = record_of(*state, keys);
	assert_int_equal(record_first_at(r, SPAN("a"), &(size_t){0})->integer,
			 0);
	assert_int_equal(record_last(r, SPAN("a"))->integer, 2);
	assert_null(record_first_at(r, SPAN("c"), &(size_t){0}));
	assert_null(record_last(r, SPAN("")));
}

static void keep_last_leaves_each_key_once_at_its_last_position(void **state)
{
	const char *const keys[] = {"a", "b", "a", "", "c", "b", "", NULL};
	struct record *r = record_of(*state, keys);
	record_keep_last(r);
	assert_int_equal(r->count, 4);
	const int64_t left[] = {2, 4, 5, 6};
	for (size_t i = 0; i < r->count; i++)
		assert_int_equal(r->fields[i].value.integer, left[i]);
	record_add(r, SPAN("d"), value_null());
	assert_int_equal(r->count, 5);
}

static void keep_last_is_correct_for_thousands_of_keys(void **state)
{
	enum { KEYS = 20000 };
	struct record *r = record_new(*state, NULL, SPAN("t"), 0);
	for (int64_t i = 0; i < 2 * KEYS; i++) {
		char text[16];
		int len = snprintf(text, sizeof text, "k%d", (int)(i % KEYS));
		record_add(r, arena_copy(*state, span_make(text, (size_t)len)),
			   value_int(i));
	}
	record_keep_last(r);
	assert_int_equal(r->count, KEYS);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(r->fields[i].value.integer, KEYS + i);
}

/* Write the next text after number *i whose 32-bit FNV-1a hash ends with ten
 * zero bits.  All such keys share one slot of a hash table of 1024 slots. */
static size_t colliding_key(uint32_t *i, char room[static 16])
{
	uint32_t hash;
	size_t len;
	do {
		hash = 2166136261u;
		len = (size_t)snprintf(room, 16, "%u", (*i)++);
		for (size_t at = 0; at < len; at++)
			hash = (hash ^ (unsigned char)room[at]) * 16777619u;
	} while (hash % 1024 != 0);
	return len;
}

/* Comparing all pairs of 500 keys would take 124,750 comparisons; sorting them
 * takes about 4,500. */
static void no_keys_make_keep_last_compare_all_pairs(void **state)
{
	enum { KEYS = 500, COMPARISONS_MAX = 40 * KEYS };
	struct record *colliding = record_new(*state, NULL, SPAN("t"), 0);
	struct record *equal = record_new(*state, NULL, SPAN("t"), 0);
	uint32_t next = 1000000;
	for (int64_t i = 0; i < KEYS; i++) {
		char room[16];
		size_t len = colliding_key(&next, room);
		record_add(colliding, arena_copy(*state, span_make(room, len)),
			   value_int(i));
		record_add(equal, SPAN("same"), value_int(i));
	}
	counted_memcmp_calls = 0;
	record_keep_last(colliding);
	assert_in_range(counted_memcmp_calls, 1, COMPARISONS_MAX);
	assert_int_equal(colliding->count, KEYS);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(colliding->fields[i].value.integer, i);

	counted_memcmp_calls = 0;
	record_keep_last(equal);
	assert_in_range(counted_memcmp_calls, 1, COMPARISONS_MAX);
	assert_int_equal(equal->count, 1);
	assert_int_equal(equal->fields[0].value.integer, KEYS - 1);
}

static void remove_takes_every_field_of_the_key(void **state)
{
	const char *const keys[] = {"a", "b", "a", NULL};
	struct record *r = record_of(*state, keys);
	record_remove(r, SPAN("a"));
	assert_int_equal(r->count, 1);
	assert_null(record_first_at(r, SPAN("a"), &(size_t){0}));
}

static void a_copy_has_fields_of_its_own(void **state)
{
	const char *const keys[] = {"a", NULL};
	struct record *r = record_of(*state, keys);
	struct record *copy = record_copy(r);
	copy->fields[0].value = value_int(5);
	for (int i = 0; i < 100; i++)
		record_add(copy, SPAN("n"), value_null());
	assert_int_equal(r->fields[0].value.integer, 0);
	assert_int_equal(r->count, 1);
	assert_int_equal(copy->count, 101);
}

/* If an existing key is added again, record_first_at() finds its first field
 * and record_last() its last. */
static void after_adding_a_field_keys_are_not_known_to_be_unique(void **state)
{
	const char *const keys[] = {"a", "b", "a", NULL};
	struct record *r = record_of(*state, keys);
	assert_false(r->has_unique_keys);
	record_keep_last(r);
	assert_true(r->has_unique_keys);
	assert_int_equal(r->count, 2);

	record_add_new(r, SPAN("c"), value_int(8));
	record_remove(r, SPAN("b"));
	assert_true(r->has_unique_keys);
	assert_true(record_copy(r)->has_unique_keys);

	record_add(r, SPAN("a"), value_int(9));
	assert_false(r->has_unique_keys);
	assert_int_equal(record_first_at(r, SPAN("a"), &(size_t){0})->integer,
			 2);
	assert_int_equal(record_last(r, SPAN("a"))->integer, 9);
	record_add_new(r, SPAN("d"), value_int(10));
	assert_false(r->has_unique_keys);
	assert_false(record_copy(r)->has_unique_keys);
	record_keep_last(r);
	assert_int_equal(r->count, 3);
	assert_int_equal(record_first_at(r, SPAN("a"), &(size_t){0})->integer,
			 9);
}

/* Keys of every length that differ in a single byte. */
static void keys_that_are_nearly_equal_are_distinguished(void **state)
{
	enum { LEN = 40 };
	for (size_t len = 1; len <= LEN; len++) {
		char same[LEN], other[LEN];
		memset(same, 'k', LEN);
		memset(other, 'k', LEN);
		struct record *r = record_new(*state, NULL, SPAN("t"), 0);
		for (size_t i = 0; i < len; i++) {
			other[i] = 'x';
			record_add(r, arena_copy(*state, span_make(other, len)),
				   value_int((int64_t)i));
			other[i] = 'k';
		}
		assert_null(
			record_first_at(r, span_make(same, len), &(size_t){0}));
		assert_null(record_last(r, span_make(same, len)));
		for (size_t i = 0; i < len; i++) {
			size_t place = len / 2;
			other[i] = 'x';
			const struct value *v = record_first_at(
				r, span_make(other, len), &(size_t){0});
			assert_int_equal(v->integer, i);
			assert_ptr_equal(v,
					 record_last(r, span_make(other, len)));
			assert_ptr_equal(
				v, record_first_at(r, span_make(other, len),
						   &place));
			assert_int_equal(place, i);
			other[i] = 'k';
		}
		record_keep_last(r);
		assert_int_equal(r->count, len);
		record_add(r, span_make(same, len), value_null());
		record_add(r, span_make(same, len), value_null());
		record_keep_last(r);
		assert_int_equal(r->count, len + 1);
	}
}

static void a_field_is_found_where_it_was_or_elsewhere(void **state)
{
	const char *const keys[] = {"a", "b", "a", "c", NULL};
	struct record *r = record_of(*state, keys);
	size_t place = 2; /* that key, but not its first field */
	assert_int_equal(record_first_at(r, SPAN("a"), &place)->integer, 0);
	assert_int_equal(place, 0);
	assert_int_equal(record_last_at(r, SPAN("a"), &place)->integer, 2);
	assert_int_equal(place, 2);
	assert_null(record_first_at(r, SPAN("d"), &place));
	assert_null(record_last_at(r, SPAN("d"), &place));
	record_keep_last(r); /* now b, a, c */
	place = 99;
	assert_int_equal(record_first_at(r, SPAN("a"), &place)->integer, 2);
	assert_int_equal(place, 1);
	assert_int_equal(record_first_at(r, SPAN("a"), &place)->integer, 2);
	assert_int_equal(record_first_at(r, SPAN("b"), &place)->integer, 1);
	assert_null(record_first_at(r, SPAN(""), &place));
	assert_int_equal(record_last_at(r, SPAN("c"), &place)->integer, 3);
	assert_int_equal(place, 2);
	assert_int_equal(record_last_at(r, SPAN("c"), &place)->integer, 3);
	assert_int_equal(record_last_at(r, SPAN("b"), &place)->integer, 1);
	assert_null(record_last_at(r, SPAN(""), &place));
	place = 2;
	r->count = 2; /* c is still in memory */
	assert_null(record_first_at(r, SPAN("c"), &place));
	assert_null(record_last_at(r, SPAN("c"), &place));
}

/* Compare with the simple algorithm, for few and short keys, so that many are
 * equal. */
static void keep_last_is_correct_for_any_keys(void **state)
{
	struct random random = random_seed("record", 1);
	for (int round = 0; round < 2000; round++) {
		arena_reset(*state);
		struct record *r = record_new(*state, NULL, SPAN("t"), 0);
		size_t count = (size_t)round % 70, left = 0;
		for (size_t i = 0; i < count; i++) {
			char text[24];
			int len = snprintf(text, sizeof text, "%.*s%u",
					   (int)random_below(&random, 16),
					   "a_long_beginning",
					   random_below(&random, 40));
			record_add(r,
				   arena_copy(*state,
					      span_make(text, (size_t)len)),
				   value_int((int64_t)i));
		}
		struct record *all = record_copy(r);
		record_keep_last(r);
		for (size_t i = 0; i < count; i++) {
			const struct field *f = &all->fields[i];
			if (record_last(all, f->key) != &f->value)
				continue;
			assert_true(left < r->count);
			assert_int_equal(r->fields[left++].value.integer, i);
		}
		assert_int_equal(left, r->count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_first_and_the_last_of_equal_keys_are_found),
		cmocka_unit_test(
			keep_last_leaves_each_key_once_at_its_last_position),
		cmocka_unit_test(keep_last_is_correct_for_thousands_of_keys),
		cmocka_unit_test(no_keys_make_keep_last_compare_all_pairs),
		cmocka_unit_test(remove_takes_every_field_of_the_key),
		cmocka_unit_test(a_copy_has_fields_of_its_own),
		cmocka_unit_test(keys_that_are_nearly_equal_are_distinguished),
		cmocka_unit_test(a_field_is_found_where_it_was_or_elsewhere),
		cmocka_unit_test(keep_last_is_correct_for_any_keys),
		cmocka_unit_test(
			after_adding_a_field_keys_are_not_known_to_be_unique),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
