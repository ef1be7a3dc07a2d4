/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/journal.h"
#include "journal/journal_file.h"
#include "journal/journal_format.h"

bool journal_check_opts(const struct journal_opts *opts, struct err *e)
{
	if (opts->slots < 1 || opts->slots > JOURNAL_SLOTS_MAX)
		return err_set(e, "journal: %u slots; must be 1 to %d",
			       opts->slots, JOURNAL_SLOTS_MAX);
	if (opts->slot_bytes < 1 || opts->slot_bytes > JOURNAL_SLOT_BYTES_MAX)
		return err_set(e,
			       "journal: messages of up to %zu bytes; "
			       "must be 1 to %d",
			       opts->slot_bytes, JOURNAL_SLOT_BYTES_MAX);
	if (opts->ring_bytes > PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES)
		return err_set(e,
			       "journal: %zu bytes are too many; "
			       "must be at most %td",
			       opts->ring_bytes,
			       PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES);
	if (opts->counters_bytes > JOURNAL_COUNTERS_BYTES_MAX)
		return err_set(e,
			       "journal: %zu bytes of counters are too many; "
			       "must be at most %d",
			       opts->counters_bytes,
			       JOURNAL_COUNTERS_BYTES_MAX);
	CHECK(opts->input_count <= JOURNAL_INPUTS_MAX);
	size_t need = journal_item_bytes(opts->slot_bytes);
	if (journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES) < need)
		return err_set(e,
			       "journal: %zu bytes are too few: one message of "
			       "%zu bytes needs %zu",
			       opts->ring_bytes, opts->slot_bytes, need);
	return true;
}

struct journal_geometry journal_geometry_of(const struct journal_opts *opts)
{
	return (struct journal_geometry){
		.ring_bytes =
			journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES),
		.slot_bytes = opts->slot_bytes,
		.counters_bytes = opts->counters_bytes,
		.slots = opts->slots,
	};
}

/* The directory of the file, as a new text. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return mem_text(".");
	return mem_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

/* The file gets no name.  Some file systems, such as NFS, cannot make such a
 * file; there, only the permissions are checked, and *fd is -1. */
static bool try_dir(const char *dir, int *fd, struct err *e)
{
	*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0 || ((errno == EOPNOTSUPP || errno == EISDIR) &&
			 access(dir, W_OK | X_OK) == 0))
		return true;
	int error = errno;
	return err_set(e, "the journal cannot be created in %s: %s; %s", dir,
		       strerror(error),
		       error == ENOENT
			       ? "create this directory, or choose another one"
			       : "choose a directory in which sluiced can "
				 "create files");
}

static bool try_size(int fd, size_t bytes)
{
	if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0)
		return false;
	struct err unused;
	void *map = journal_file_map(fd, bytes, &unused);
	if (map == NULL)
		return false;
	munmap(map, bytes);
	return true;
}

enum journal_try journal_try(const struct journal_opts *opts, struct err *e)
{
	const struct journal_geometry g = journal_geometry_of(opts);
	size_t bytes = journal_view_make(NULL, &g).at.end;
	enum journal_try answer = JOURNAL_TRY_GOOD;
	char *dir = opts->path != NULL ? dir_of(opts->path) : NULL;
	int fd = -1;
	if (dir != NULL && journal_file_exists(opts->path))
		answer = JOURNAL_TRY_GOOD;
	else if (dir != NULL && !try_dir(dir, &fd, e))
		answer = JOURNAL_TRY_BAD_PATH;
	else if ((dir == NULL || fd >= 0) && !try_size(fd, bytes)) {
		err_set(e,
			"a journal of %zu bytes cannot be created in %s: %s; "
			"choose a smaller size, such as 64M",
			bytes, dir != NULL ? dir : "memory", strerror(errno));
		answer = JOURNAL_TRY_BAD_SIZE;
	}
	if (fd >= 0)
		close(fd);
	free(dir);
	return answer;
}
