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
		assert_true(disk_probe(path, root_bytes, lost[i]));
		assert_false(disk_probe(path, 0, lost[i]));
	}
	assert_false(disk_is_lost(ENOSPC));
	assert_false(disk_probe(path, root_bytes, ENOSPC));
	assert_int_equal(temp_dir_remove(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_root_decides_if_a_file_system_below_it_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
