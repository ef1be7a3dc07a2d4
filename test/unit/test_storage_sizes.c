/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory_limit.h"
#include "setup/storage_sizes.h"

enum { MIB = 1024 * 1024, MESSAGE_BYTES = 212992 };

static struct storage_sizes chosen(size_t journal, size_t spill, int64_t limit,
				   size_t spills)
{
	struct storage_sizes sizes = {journal, spill};
	struct storage_place place = {.limit_bytes = limit,
				      .is_memory = true,
				      .spills = spills,
				      .message_bytes_max = MESSAGE_BYTES};
	storage_sizes_choose(&sizes, &place);
	return sizes;
}

static void assert_sizes(struct storage_sizes sizes, size_t journal,
			 size_t spill)
{
	assert_int_equal(sizes.journal_bytes, journal);
	assert_int_equal(sizes.spill_bytes, spill);
}

static void without_a_limit_the_defaults_hold(void **state)
{
	(void)state;
	assert_sizes(chosen(STORAGE_UNSET, STORAGE_UNSET, 0, 3),
		     STORAGE_JOURNAL_BYTES, STORAGE_SPILL_BYTES);
	assert_sizes(chosen(STORAGE_UNSET, STORAGE_UNSET, 1024L * MIB, 3),
		     STORAGE_JOURNAL_BYTES, STORAGE_SPILL_BYTES);
}

/* If the disk hangs, the whole journal may be in memory. */
static void on_a_disk_the_journal_takes_at_most_half_of_the_limit(void **state)
{
	struct storage_place disk = {.limit_bytes = 10 * MIB, .spills = 1};
	struct storage_sizes sizes = {STORAGE_UNSET, STORAGE_UNSET};
	(void)state;
	storage_sizes_choose(&sizes, &disk);
	assert_sizes(sizes, 5 * MIB, STORAGE_SPILL_BYTES);
	sizes = (struct storage_sizes){20 * MIB, STORAGE_UNSET};
	storage_sizes_choose(&sizes, &disk);
	assert_sizes(sizes, 20 * MIB, STORAGE_SPILL_BYTES);
}

/* 128Mi is the limit of the manifest. */
static void under_a_limit_the_defaults_fill_at_most_half_of_it(void **state)
{
	(void)state;
	for (int64_t mib = 16; mib <= 256; mib++)
		for (size_t spills = 0; spills <= 2; spills++) {
			struct storage_sizes sizes =
				chosen(STORAGE_UNSET, STORAGE_UNSET, mib * MIB,
				       spills);
			assert_in_range(sizes.journal_bytes +
						spills * sizes.spill_bytes,
					4 * MIB, mib * MIB / 2);
		}
	assert_sizes(chosen(STORAGE_UNSET, STORAGE_UNSET, 128 * MIB, 1),
		     53687088, 13421776);
	assert_sizes(chosen(STORAGE_UNSET, STORAGE_UNSET, 128 * MIB, 2),
		     53687088, 6710888);
	/* Without an output that spills, the journal needs no reduction. */
	assert_int_equal(chosen(STORAGE_UNSET, STORAGE_UNSET, 128 * MIB, 0)
				 .journal_bytes,
			 STORAGE_JOURNAL_BYTES);
}

static void a_configured_size_leaves_the_rest_to_the_other(void **state)
{
	(void)state;
	assert_sizes(chosen(60 * MIB, STORAGE_UNSET, 128 * MIB, 2), 60 * MIB,
		     2 * MIB);
	assert_sizes(chosen(STORAGE_UNSET, 4 * MIB, 128 * MIB, 2), 56 * MIB,
		     4 * MIB);
	assert_sizes(chosen(100 * MIB, 1, 128 * MIB, 2), 100 * MIB, 1);
	assert_sizes(chosen(100 * MIB, STORAGE_UNSET, 128 * MIB, 2), 100 * MIB,
		     STORAGE_SPILL_BYTES_MIN);
	assert_sizes(chosen(STORAGE_UNSET, 0, 128 * MIB, 2),
		     STORAGE_JOURNAL_BYTES, 0);
}

static void the_journal_always_has_room_for_some_messages(void **state)
{
	(void)state;
	assert_sizes(chosen(STORAGE_UNSET, STORAGE_UNSET, 4096, 2),
		     STORAGE_JOURNAL_BYTES_MIN, STORAGE_SPILL_BYTES_MIN);
	struct storage_sizes sizes = {STORAGE_UNSET, STORAGE_UNSET};
	struct storage_place place = {.limit_bytes = 4096,
				      .is_memory = true,
				      .message_bytes_max = 16 * MIB};
	storage_sizes_choose(&sizes, &place);
	assert_int_equal(sizes.journal_bytes, 64 * MIB);
}

/* --- the limit */

static char root[TEMP_DIR_BYTES];

static int make_root(void **state)
{
	(void)state;
	return temp_dir_make(root, "/tmp", "memory_limit") ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	return temp_dir_remove(root);
}

static void put(const char *path, const char *text)
{
	char whole[2 * PATH_MAX];
	snprintf(whole, sizeof whole, "%s%s", root, path);
	for (char *slash = whole + strlen(root) + 1;
	     (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	file_write_text(whole, text);
}

static void the_lowest_limit_of_all_parents_holds(void **state)
{
	(void)state;
	assert_int_equal(memory_limit_read(root), 0);
	put("/proc/self/cgroup", "0::/pod.slice/sluiced.scope\n");
	put("/proc/self/mountinfo",
	    "34 24 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	assert_int_equal(memory_limit_read(root), 0);
	put("/sys/fs/cgroup/pod.slice/sluiced.scope/memory.max", "max\n");
	assert_int_equal(memory_limit_read(root), 0);
	put("/sys/fs/cgroup/pod.slice/memory.max", "134217728\n");
	assert_int_equal(memory_limit_read(root), 134217728);
	put("/sys/fs/cgroup/pod.slice/sluiced.scope/memory.max", "268435456\n");
	assert_int_equal(memory_limit_read(root), 134217728);
	put("/sys/fs/cgroup/memory.max", "1000000\n");
	assert_int_equal(memory_limit_read(root), 1000000);
	put("/sys/fs/memory.max", "1\n"); /* above the mount */
	assert_int_equal(memory_limit_read(root), 1000000);
}

static void a_limit_of_version_1_is_read(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "7:memory:/kubepods/pod1/c2\n0::/\n");
	put("/proc/self/mountinfo",
	    "701 690 0:31 / /sys/fs/cgroup/memory ro - cgroup cgroup "
	    "rw,memory\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes",
	    "9223372036854771712\n");
	assert_int_equal(memory_limit_read(root), 0);
	put("/sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes",
	    "200000000\n");
	assert_int_equal(memory_limit_read(root), 200000000);
	put("/sys/fs/cgroup/memory/kubepods/pod1/c2/memory.limit_in_bytes",
	    "100000000\n");
	assert_int_equal(memory_limit_read(root), 100000000);
}

static void memory_is_distinguished_from_disk(void **state)
{
	(void)state;
	assert_true(storage_is_in_memory("/dev/shm/journal"));
	assert_false(storage_is_in_memory("/proc/journal"));
	assert_false(storage_is_in_memory("/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIMIT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_root, remove_root)
		cmocka_unit_test(without_a_limit_the_defaults_hold),
		cmocka_unit_test(
			on_a_disk_the_journal_takes_at_most_half_of_the_limit),
		cmocka_unit_test(
			under_a_limit_the_defaults_fill_at_most_half_of_it),
		cmocka_unit_test(
			a_configured_size_leaves_the_rest_to_the_other),
		cmocka_unit_test(the_journal_always_has_room_for_some_messages),
		cmocka_unit_test(memory_is_distinguished_from_disk),
		LIMIT_TEST(the_lowest_limit_of_all_parents_holds),
		LIMIT_TEST(a_limit_of_version_1_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
