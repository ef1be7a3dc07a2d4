/* SPDX-License-Identifier: Apache-2.0 */
#include "file/write_back.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "file/append_file.h"
#include "unit.h"

enum {
	START_BYTES = 64 * 1024,
	MEMORY_BYTES = 16 * START_BYTES,
	CALLS_MAX = 16,
	DIR_BYTES = 64,
};

struct call {
	int fd;
	off_t at, bytes;
	unsigned how;
};

static struct call calls[CALLS_MAX];
static size_t call_count;
static int call_errno;

/* Instead of the C library's. */
int sync_file_range(int fd, off_t at, off_t bytes, unsigned how)
{
	assert_true(call_count < CALLS_MAX);
	calls[call_count++] = (struct call){fd, at, bytes, how};
	errno = call_errno;
	return call_errno != 0 ? -1 : 0;
}

/* The temporary directory may be on overlayfs. */
int fstatfs(int fd, struct statfs *fs)
{
	(void)fd;
	*fs = (struct statfs){.f_type = EXT4_SUPER_MAGIC};
	return 0;
}

struct fixture {
	char dir[DIR_BYTES], a_path[DIR_BYTES + 2], b_path[DIR_BYTES + 2];
	atomic_bool is_time_up;
	_Atomic uint64_t answers;
	struct sink_stats stats;
	struct file_env env;
	struct append_file a, b;
};

static int set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	assert_non_null(x);
	strcpy(x->dir, "/tmp/sluiced-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->a_path, sizeof x->a_path, "%s/a", x->dir);
	snprintf(x->b_path, sizeof x->b_path, "%s/b", x->dir);
	x->env = (struct file_env){
		.stats = &x->stats,
		.write_back = write_back_new(MEMORY_BYTES, &x->is_time_up),
		.answers = &x->answers,
	};
	append_file_init(&x->a, x->a_path, &x->env);
	append_file_init(&x->b, x->b_path, &x->env);
	call_count = 0;
	call_errno = 0;
	*state = x;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *x = *state;
	append_file_close(&x->a);
	append_file_close(&x->b);
	write_back_free(x->env.write_back);
	unlink(x->a_path);
	unlink(x->b_path);
	rmdir(x->dir);
	free(x);
	return 0;
}

static void append(struct append_file *f, size_t bytes)
{
	static char text[5 * START_BYTES];
	size_t done;
	const struct append_bytes b = {.kind = APPEND_LINES,
				       .bytes = span_make(text, bytes)};
	assert_int_equal(append_file_begin(f), 0);
	assert_int_equal(append_file_write(f, &b, &done), 0);
	append_file_end(f);
}

static void assert_call(size_t i, const struct append_file *f, off_t at,
			off_t bytes, unsigned how)
{
	assert_true(i < call_count);
	assert_int_equal(calls[i].fd, f->fd);
	assert_int_equal(calls[i].at, at);
	assert_int_equal(calls[i].bytes, bytes);
	assert_int_equal(calls[i].how, how);
}

static void each_start_awaits_the_one_before(void **state)
{
	struct fixture *x = *state;
	append(&x->a, START_BYTES - 4096);
	assert_int_equal(call_count, 0);
	append(&x->a, 4096);
	assert_int_equal(call_count, 1);
	assert_call(0, &x->a, 0, START_BYTES, SYNC_FILE_RANGE_WRITE);
	append(&x->a, START_BYTES + 100);
	assert_int_equal(call_count, 3);
	assert_call(1, &x->a, 0, START_BYTES, SYNC_FILE_RANGE_WAIT_BEFORE);
	/* without the last page, which is not complete */
	assert_call(2, &x->a, START_BYTES, START_BYTES, SYNC_FILE_RANGE_WRITE);
	assert_int_equal(x->answers, 3);
}

static void all_files_count_together(void **state)
{
	struct fixture *x = *state;
	append(&x->a, START_BYTES / 2);
	append(&x->b, START_BYTES / 2 - 8192);
	assert_int_equal(call_count, 0);
	append(&x->b, 4097); /* two pages */
	assert_int_equal(call_count, 2);
	assert_call(0, &x->b, 0, START_BYTES / 2 - 4096, SYNC_FILE_RANGE_WRITE);
	assert_call(1, &x->a, 0, START_BYTES / 2, SYNC_FILE_RANGE_WRITE);
}

static void a_file_that_is_closed_is_awaited(void **state)
{
	struct fixture *x = *state;
	append(&x->a, 100);
	append_file_close(&x->a);
	assert_int_equal(call_count, 0);
	append(&x->a, 100);
	append(&x->b, START_BYTES);
	assert_int_equal(call_count, 2);
	assert_call(1, &x->a, 100, 100, SYNC_FILE_RANGE_WRITE);
	int fd = x->a.fd;
	append_file_close(&x->a);
	assert_int_equal(call_count, 3);
	assert_int_equal(calls[2].fd, fd);
	assert_int_equal(calls[2].how, SYNC_FILE_RANGE_WAIT_BEFORE);
}

static void a_large_range_is_split(void **state)
{
	struct fixture *x = *state;
	append(&x->a, 4 * START_BYTES);
	append(&x->a, 4 * START_BYTES);
	append(&x->a, 4 * START_BYTES);
	call_count = 0;
	x->is_time_up = true;
	append(&x->a, 4 * START_BYTES);
	assert_int_equal(call_count, 0);
	x->is_time_up = false;
	append(&x->a, 4 * START_BYTES + 4096);
	assert_call(0, &x->a, 12 * START_BYTES, 4 * START_BYTES,
		    SYNC_FILE_RANGE_WAIT_BEFORE);
	assert_call(1, &x->a, 16 * START_BYTES, 4 * START_BYTES,
		    SYNC_FILE_RANGE_WRITE);
	assert_call(2, &x->a, 20 * START_BYTES, 4096, SYNC_FILE_RANGE_WRITE);
	assert_int_equal(call_count, 3);
}

static void a_truncated_file_begins_again(void **state)
{
	struct fixture *x = *state;
	append(&x->a, START_BYTES);
	assert_int_equal(truncate(x->a_path, 0), 0);
	append(&x->a, START_BYTES);
	assert_int_equal(call_count, 2);
	assert_call(1, &x->a, 0, START_BYTES, SYNC_FILE_RANGE_WRITE);
}

static void a_file_without_new_bytes_is_no_longer_started(void **state)
{
	struct fixture *x = *state;
	append(&x->a, START_BYTES);
	append(&x->b, START_BYTES);
	append(&x->b, START_BYTES);
	call_count = 0;
	append(&x->b, START_BYTES);
	assert_int_equal(call_count, 2);
	assert_int_equal(calls[0].fd, x->b.fd);
	assert_int_equal(calls[1].fd, x->b.fd);
	append_file_close(&x->a);
	assert_int_equal(call_count, 2);
}

static void nothing_is_awaited_at_the_end(void **state)
{
	struct fixture *x = *state;
	append(&x->a, START_BYTES);
	write_back_end(x->env.write_back);
	append_file_close(&x->a);
	assert_int_equal(call_count, 1);
}

static void only_errors_of_the_disk_count(void **state)
{
	static const int harmless[] = {ENOSYS, EINVAL, ESPIPE, EPERM};
	struct fixture *x = *state;
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
		call_errno = harmless[i];
		append(&x->a, START_BYTES);
	}
	assert_int_equal(x->stats.errors_total, 0);
	call_errno = EIO;
	append(&x->a, START_BYTES);
	assert_int_equal(x->stats.errors_total, 2);
}

static void without_a_limit_nothing_happens(void **state)
{
	struct fixture *x = *state;
	write_back_free(x->env.write_back);
	x->env.write_back = write_back_new(0, &x->is_time_up);
	assert_null(x->env.write_back);
	append(&x->a, 2 * START_BYTES);
	append_file_close(&x->a);
	write_back_end(NULL);
	assert_int_equal(call_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_start_awaits_the_one_before),
		TEST(all_files_count_together),
		TEST(a_file_that_is_closed_is_awaited),
		TEST(a_large_range_is_split),
		TEST(a_truncated_file_begins_again),
		TEST(a_file_without_new_bytes_is_no_longer_started),
		TEST(nothing_is_awaited_at_the_end),
		TEST(only_errors_of_the_disk_count),
		TEST(without_a_limit_nothing_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
