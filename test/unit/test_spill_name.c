/* SPDX-License-Identifier: Apache-2.0 */
/* The names of spills. */
#include "files.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/spill.h"
#include "file/spill_owners.h"
#include "output/sink.h"

enum { TAKEN = 100 };

/* How many names were looked for. */
static size_t looks;

int access(const char *path, int mode)
{
	looks++;
	return faccessat(AT_FDCWD, path, mode, 0);
}

static uint64_t number_of_only_spill(const char *path)
{
	uint64_t number = 0;
	size_t count = 0;
	const struct dirent *entry;
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ".spill") != NULL) {
			number = strtoull(entry->d_name, NULL, 16);
			count++;
		}
	closedir(dir);
	assert_int_equal(count, 1);
	return number;
}

static void make_spill(const char *dir, uint64_t number)
{
	char path[TEMP_DIR_BYTES + 32];
	snprintf(path, sizeof path, "%s/%016" PRIx64 ".spill", dir, number);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* A client can choose paths so that many spills prefer the same name. */
static void a_spill_whose_name_is_taken_looks_for_few_others(void **state)
{
	(void)state;
	char path[TEMP_DIR_BYTES];
	assert_true(temp_dir_make(path, "/tmp", "test_spill_name"));
	struct sink_stats stats = {0};
	struct spill_dir dir = {.path = path,
				.bytes_max = 1024 * 1024,
				.sink_name = "app",
				.owners = spill_owners_new(),
				.stats = &stats};
	dir.env.stats = &dir.own_stats;
	struct spill *first = spill_new(&dir, "/log/a");
	assert_non_null(first);
	uint64_t number = number_of_only_spill(path);
	for (uint64_t i = 1; i <= TAKEN; i++)
		make_spill(path, number + i);
	looks = 0;
	struct spill *second = spill_new(&dir, "/log/a");
	assert_non_null(second);
	assert_in_range(looks, 2, 3);
	assert_int_equal(dir.files, 2);
	spill_free(first);
	spill_free(second);
	spill_owners_free(dir.owners);
	temp_dir_remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_spill_whose_name_is_taken_looks_for_few_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
