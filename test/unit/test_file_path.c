/* SPDX-License-Identifier: Apache-2.0 */
/* These tests check which symbolic links file_path_open() follows.  Their own
 * syscall() stands between it and openat2(2). */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file/file_path.h"
#include "files.h"

enum { PATH_BYTES = 128, WRITING = O_WRONLY | O_CREAT | O_APPEND };

/* The error of each openat2(), or 0, and the only name that has it, or NULL. */
static struct {
	int error;
	const char *name;
} refused;

long syscall(long number, ...)
{
	long (*real)(long, ...);
	*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_list args;
	va_start(args, number);
	long a[6];
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2 && refused.error != 0 &&
	    (refused.name == NULL ||
	     strcmp((const char *)a[1], refused.name) == 0)) {
		errno = refused.error;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

struct place {
	char dir[TEMP_DIR_BYTES];
	char path[PATH_BYTES]; /* the last path */
	size_t root_bytes;
	size_t fds;
};

/* DIR/root/ is the root.  DIR/root/dir/ and DIR/outside/ are empty. */
static int set_up(void **state)
{
	static struct place p;
	p = (struct place){.fds = count_fds()};
	*state = &p;
	if (!temp_dir_make(p.dir, "/tmp", "test_file_path"))
		return -1;
	static const char *const dirs[] = {"root", "root/dir", "outside"};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		snprintf(p.path, sizeof p.path, "%s/%s", p.dir, dirs[i]);
		assert_int_equal(mkdir(p.path, 0755), 0);
	}
	p.root_bytes = strlen(p.dir) + strlen("/root/");
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	refused.error = 0;
	refused.name = NULL;
	assert_int_equal(count_fds(), p->fds);
	return temp_dir_remove(p->dir);
}

static const char *in_root(struct place *p, const char *name)
{
	snprintf(p->path, sizeof p->path, "%s/root/%s", p->dir, name);
	return p->path;
}

static void link_to(struct place *p, const char *target, const char *name)
{
	assert_int_equal(symlink(target, in_root(p, name)), 0);
}

/* Returns 0 or an errno. */
static int open_error(struct place *p, const char *name, int flags)
{
	int fd = file_path_open(in_root(p, name), p->root_bytes, flags);
	int error = fd < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool is_outside(struct place *p, const char *name)
{
	snprintf(p->path, sizeof p->path, "%s/outside/%s", p->dir, name);
	return file_exists(p->path);
}

/* An immutable file answers EPERM, and its owner may replace it by a link after
 * that. */
static void an_error_of_a_file_makes_no_link_followed(void **state)
{
	struct place *p = *state;
	static const int errors[] = {EPERM, ENOSYS};
	link_to(p, "../outside/file", "a.log");
	for (size_t i = 0; i < 2; i++) {
		refused.error = errors[i];
		refused.name = "a.log";
		assert_int_equal(open_error(p, "a.log", WRITING), errors[i]);
		assert_int_equal(open_error(p, "b.log", WRITING), 0);
	}
	assert_false(is_outside(p, "file"));
}

static void links_within_the_root_are_followed(void **state)
{
	struct place *p = *state;
	link_to(p, "dir", "way");
	link_to(p, "dir/file", "a.log");
	link_to(p, "../outside/file", "b.log");
	assert_int_equal(open_error(p, "a.log", WRITING), 0);
	assert_int_equal(open_error(p, "way/file", WRITING), 0);
	assert_int_equal(open_error(p, "b.log", WRITING), EXDEV);
	assert_false(is_outside(p, "file"));
}

static void without_openat2_files_and_directories_are_opened(void **state)
{
	struct place *p = *state;
	refused.error = ENOSYS;
	assert_int_equal(open_error(p, "new/dir/file", WRITING), ENOENT);
	assert_int_equal(file_path_make_parents(in_root(p, "new/dir/file"),
						p->root_bytes),
			 0);
	assert_int_equal(open_error(p, "new/dir/file", WRITING), 0);
	assert_true(file_exists(in_root(p, "new/dir/file")));
	assert_int_equal(open_error(p, "new/dir/file", O_PATH), 0);
	assert_int_equal(open_error(p, "new", O_PATH | O_DIRECTORY), 0);
	assert_int_equal(open_error(p, "file", WRITING), 0);
	assert_int_equal(open_error(p, "file", O_PATH | O_DIRECTORY), ENOTDIR);
	assert_int_equal(open_error(p, "file/a", WRITING), ENOTDIR);
	assert_int_equal(open_error(p, "dir", WRITING), EISDIR);
	char name[NAME_MAX + 2];
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s%s", in_root(p, ""), name);
	assert_int_equal(file_path_open(path, p->root_bytes, WRITING), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static void without_openat2_no_link_is_followed(void **state)
{
	struct place *p = *state;
	static const int errors[] = {EPERM, ENOSYS};
	static const char *const names[] = {"a.log", "b.log", "out/file",
					    "in/file", "dir/up/outside/file"};
	link_to(p, "../outside/file", "a.log");
	link_to(p, "dir/file", "b.log");
	link_to(p, "../outside", "out");
	link_to(p, "dir", "in");
	link_to(p, "../..", "dir/up");
	for (size_t i = 0; i < 2; i++) {
		refused.error = errors[i];
		for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
			assert_int_equal(open_error(p, names[n], WRITING),
					 ELOOP);
			assert_int_equal(open_error(p, names[n], O_PATH),
					 ELOOP);
		}
		assert_int_equal(file_path_make_parents(in_root(p, "out/new/a"),
							p->root_bytes),
				 ELOOP);
		assert_int_equal(open_error(p, "../outside/file", WRITING),
				 EXDEV);
	}
	assert_false(is_outside(p, "file"));
	assert_false(is_outside(p, "new"));
	assert_false(file_exists(in_root(p, "dir/file")));
}

static void without_a_root_every_link_is_followed(void **state)
{
	struct place *p = *state;
	refused.error = EPERM;
	link_to(p, "../outside/file", "a.log");
	p->root_bytes = 0;
	assert_int_equal(open_error(p, "a.log", WRITING), 0);
	assert_true(is_outside(p, "file"));
}

static void an_output_writes_its_file_or_files_below_its_root(void **state)
{
	(void)state;
	static const struct {
		const char *root, *fixed, *path;
		enum sink_writes writes;
	} cases[] = {
		{"/log/", "a/x", "/log/a/x", SINK_WRITES_ONLY},
		{"/log/", "a/x", "/log/a/xy", SINK_WRITES_NOT},
		{"/log/", "a/x", "/log/", SINK_WRITES_NOT},
		{"/log/", "a/x", "/lo", SINK_WRITES_NOT},
		{"/log/", NULL, "/log/a/x", SINK_MAY_WRITE},
		{"/log/", NULL, "/other/x", SINK_WRITES_NOT},
		{"", "/log/x", "/log/x", SINK_WRITES_ONLY},
		{"", "/log/x", "/log/y", SINK_WRITES_NOT},
		{"", NULL, "/log/x", SINK_MAY_WRITE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(file_path_writes(span_of(cases[i].root),
						  cases[i].fixed,
						  span_of(cases[i].path)),
				 cases[i].writes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(an_error_of_a_file_makes_no_link_followed),
		TEST(links_within_the_root_are_followed),
		TEST(without_openat2_files_and_directories_are_opened),
		TEST(without_openat2_no_link_is_followed),
		TEST(without_a_root_every_link_is_followed),
		TEST(an_output_writes_its_file_or_files_below_its_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
