/* SPDX-License-Identifier: Apache-2.0 */
#include "file/batch.h"

#include "file/output_file.h"
#include "unit.h"

enum { FILES = 3, MUCH_BYTES = 1024 * 1024, MANY = 100 };

struct fixture {
	struct sink_stats stats;
	struct file_env env;
	struct output_file *files[FILES];
	struct batch_chain chains[FILES];
	struct batch batch;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){.env.stats = &f->stats};
	for (size_t i = 0; i < FILES; i++)
		f->files[i] = output_file_new("/nowhere/file", &f->env);
}

static void end(struct fixture *f)
{
	for (size_t i = 0; i < FILES; i++)
		output_file_free(f->files[i]);
	batch_fini(&f->batch);
}

static void put(struct fixture *f, size_t file, const char *line, bool answers)
{
	size_t at = f->batch.bytes.len;
	buf_put_text(&f->batch.bytes, line);
	batch_took(&f->batch, &f->chains[file], at, f->batch.bytes.len - at,
		   answers);
	output_file_count(f->files[file], answers);
}

static void assert_handed_over(struct fixture *f, size_t file,
			       const char *lines, const char *answers)
{
	struct output_file *a = f->files[file];
	batch_hand_over(&f->batch, &f->chains[file], a);
	assert_int_equal(f->chains[file].first, 0);
	assert_string_equal(buf_text(&a->lines), lines);
	assert_int_equal(a->answers.len, strlen(answers));
	for (size_t i = 0; i < a->answers.len; i++)
		assert_int_equal(a->answers.ptr[i], answers[i] - '0');
}

/* Return the memory to the batch, as if the lines had been written. */
static void take_back(struct fixture *f, size_t file)
{
	struct output_file *a = f->files[file];
	buf_clear(&a->lines);
	buf_clear(&a->answers);
	batch_take_back(&f->batch, a);
	assert_int_equal(a->lines.cap, 0);
	assert_int_equal(a->answers.cap, 0);
}

static void each_file_gets_its_own_lines_in_order(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	for (int i = 0; i < 2; i++) {
		put(&f, 0, "a1\n", true);
		put(&f, 1, "b1\n", true);
		put(&f, 0, "a2\n", false);
		put(&f, 0, "a3\n", true);
		put(&f, 1, "b2\n", false);
		assert_int_equal(f.batch.chains, 2);
		assert_int_equal(f.batch.used_bytes, 15);
		assert_handed_over(&f, 0, "a1\na2\na3\n", "101");
		take_back(&f, 0);
		assert_handed_over(&f, 1, "b1\nb2\n", "10");
		take_back(&f, 1);
		assert_handed_over(&f, 2, "", "");
		batch_end(&f.batch);
		assert_int_equal(f.batch.chains, 0);
	}
	end(&f);
}

static void a_single_file_borrows_the_memory_of_the_batch(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	put(&f, 1, "b1\n", true);
	put(&f, 1, "b2\n", true);
	const char *memory = f.batch.bytes.ptr;
	assert_handed_over(&f, 1, "b1\nb2\n", "11");
	assert_ptr_equal(f.files[1]->lines.ptr, memory);
	take_back(&f, 1);
	assert_ptr_equal(f.batch.bytes.ptr, memory);
	end(&f);
}

static void lines_left_from_the_previous_batch_come_first(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	for (size_t others = 0; others < 2; others++) {
		put(&f, 0, "a1\n", true);
		assert_handed_over(&f, 0, "a1\n", "1");
		batch_end(&f.batch);
		put(&f, 0, "a2\n", false);
		if (others > 0)
			put(&f, 1, "b1\n", true);
		assert_handed_over(&f, 0, "a1\na2\n", "10");
		take_back(&f, 0);
		if (others > 0) {
			assert_handed_over(&f, 1, "b1\n", "1");
			take_back(&f, 1);
		}
		batch_end(&f.batch);
	}
	end(&f);
}

static void lines_that_wait_keep_none_of_the_lent_memory(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	for (size_t others = 0; others < 2; others++) {
		/* With another file, the lines are copied to a lent buffer. */
		buf_reserve(others ? &f.batch.lines : &f.batch.bytes,
			    MUCH_BYTES);
		buf_reserve(&f.batch.answers, MUCH_BYTES);
		put(&f, others, "a1\n", true);
		if (others)
			put(&f, 2, "b1\n", true);
		struct output_file *a = f.files[others];
		assert_handed_over(&f, others, "a1\n", "1");
		batch_take_back(&f.batch, a);
		assert_int_equal(a->lines.len, 3);
		assert_memory_equal(a->lines.ptr, "a1\n", 3);
		assert_int_equal(a->lines.cap, 3);
		assert_int_equal(a->answers.cap, 1);
		assert_int_equal(a->answers.ptr[0], 1);
		assert_in_range(f.batch.answers.cap, MUCH_BYTES, SIZE_MAX);
		assert_handed_over(&f, 2, others ? "b1\n" : "",
				   others ? "1" : "");
		take_back(&f, 2);
		batch_end(&f.batch);
	}
	end(&f);
}

static void memory_of_a_burst_is_released_after_many_small_batches(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	buf_reserve(&f.batch.bytes, MUCH_BYTES);
	int count = 0;
	for (; f.batch.bytes.cap >= MUCH_BYTES && count < MANY; count++) {
		put(&f, 0, "a1\n", true);
		assert_handed_over(&f, 0, "a1\n", "1");
		take_back(&f, 0);
		batch_end(&f.batch);
	}
	assert_in_range(count, 2, MANY - 1);
	end(&f);
}

static void lines_that_will_be_copied_count_as_used_memory(void **state)
{
	(void)state;
	struct fixture f;
	make(&f);
	for (int i = 0; i < 2; i++) {
		put(&f, 0, "a1\n", true);
		put(&f, 0, "a2\n", true);
		assert_int_equal(batch_memory_bytes(&f.batch), 6);
		put(&f, 1, "b1\n", true);
		assert_int_equal(batch_memory_bytes(&f.batch), 9 + 6);
		put(&f, 1, "b2, longer\n", true);
		assert_int_equal(batch_memory_bytes(&f.batch), 20 + 14);
		for (size_t file = 0; file < 2; file++) {
			batch_hand_over(&f.batch, &f.chains[file],
					f.files[file]);
			take_back(&f, file);
		}
		batch_end(&f.batch);
		assert_int_equal(batch_memory_bytes(&f.batch), 0);
	}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_gets_its_own_lines_in_order),
		cmocka_unit_test(a_single_file_borrows_the_memory_of_the_batch),
		cmocka_unit_test(lines_left_from_the_previous_batch_come_first),
		cmocka_unit_test(lines_that_wait_keep_none_of_the_lent_memory),
		cmocka_unit_test(
			memory_of_a_burst_is_released_after_many_small_batches),
		cmocka_unit_test(
			lines_that_will_be_copied_count_as_used_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
