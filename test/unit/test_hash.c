/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/hash.h"

/* From the authors of FNV (www.isthe.com/chongo/src/fnv/test_fnv.c). */
static void published_test_vectors_have_their_hashes(void **state)
{
	(void)state;
	static const struct {
		struct span bytes;
		uint64_t hash;
	} cases[] = {
		{{"", 0}, UINT64_C(0xcbf29ce484222325)},
		{{"a", 1}, UINT64_C(0xaf63dc4c8601ec8c)},
		{{"b", 1}, UINT64_C(0xaf63df4c8601f1a5)},
		{{"fo", 2}, UINT64_C(0x08985907b541d342)},
		{{"foobar", 6}, UINT64_C(0x85944171f73967e8)},
		{{"foobar\0", 7}, UINT64_C(0x34531ca7168b8f38)},
		{{"chongo was here!\n", 17}, UINT64_C(0x46810940eff5f915)},
		{{"\xff\x00\x00\x01", 4}, UINT64_C(0x6961196491cc682d)},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(hash_fnv1a(HASH_FNV1A_BEGIN, cases[i].bytes),
				 cases[i].hash);
}

static void a_hash_is_continued_over_several_texts(void **state)
{
	(void)state;
	uint64_t hash = hash_fnv1a(HASH_FNV1A_BEGIN, span_of("foo"));
	assert_int_equal(hash_fnv1a(hash, span_of("bar")),
			 hash_fnv1a(HASH_FNV1A_BEGIN, span_of("foobar")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_test_vectors_have_their_hashes),
		cmocka_unit_test(a_hash_is_continued_over_several_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
