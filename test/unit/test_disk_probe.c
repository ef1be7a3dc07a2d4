/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file/disk_probe.h"
#include "files.h"

static const int lost[] = {EIO,	    EROFS,     ENODEV,	  ENOTCONN, ESTALE,
			   EUCLEAN, ESHUTDOWN, ETIMEDOUT, EHOSTDOWN};

/* /proc stands for the other file system: nobody can create files there. */
static void the_root_decides_if_a_file_system_below_it_is_lost(void **state)
{
	(void)state;
	char root[TEMP_DIR_BYTES], path[96];
	assert_true(temp_dir_make(root, "/tmp", "disk_probe"));
	size_t root_bytes = strlen(root) + 1;
	snprintf(path, sizeof path, "%s/below", root);
	assert_int_equal(symlink("/proc", path), 0);
	snprintf(path, sizeof path, "%s/below/a", root);
	for (size_t i = 0; i < COUNT(lost); i++) {
		assert_true(disk_is_lost(lost[i]));
		assert_true(disk_probe(path, root_bytes, lost[i], 0));
		assert_false(disk_probe(path, 0, lost[i], 0));
	}
	assert_false(disk_is_lost(ENOSPC));
	assert_false(disk_probe(path, root_bytes, ENOSPC, 0));
	assert_int_equal(temp_dir_remove(root), 0);
}

/* No disk has room for a petabyte. */
static void a_disk_must_have_room_for_what_could_not_be_written(void **state)
{
	(void)state;
	char root[TEMP_DIR_BYTES], path[96];
	assert_true(temp_dir_make(root, "/tmp", "disk_probe"));
	snprintf(path, sizeof path, "%s/a", root);
	for (int i = 0; i < 2; i++) {
		int error = i == 0 ? ENOSPC : EDQUOT;
		assert_true(disk_probe(path, 0, error, 1000));
		assert_false(disk_probe(path, 0, error, (size_t)1 << 50));
	}
	assert_int_equal(temp_dir_remove(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_root_decides_if_a_file_system_below_it_is_lost),
		cmocka_unit_test(
			a_disk_must_have_room_for_what_could_not_be_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
