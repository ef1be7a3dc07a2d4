/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/storage_sizes.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/mem.h"

enum {
	JOURNAL_FIFTHS = 4, /* of the room for both, as in the defaults */
	MESSAGES_MIN = 4,   /* how many of the largest size a journal holds */
};

static size_t clamped(size_t n, size_t min, size_t max)
{
	if (n > max)
		n = max;
	return n < min ? min : n;
}

static size_t less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/* The journal's size plus the size of every spill, in bytes. */
static size_t sum_of(const struct storage_sizes *sizes,
		     const struct storage_place *place)
{
	return sizes->journal_bytes + sizes->spill_bytes * place->spills;
}

static size_t half_of(const struct storage_place *place)
{
	return (size_t)(place->limit_bytes / 2);
}

static bool is_limited(const struct storage_place *place)
{
	return place->is_memory && place->limit_bytes > 0;
}

/* If one size is configured, the other gets the rest.  If neither is, the
 * journal gets four fifths, the same ratio as in the defaults. */
void storage_sizes_choose(struct storage_sizes *sizes,
			  const struct storage_place *place)
{
	size_t spills = place->spills > 0 ? place->spills : 1;
	size_t room = is_limited(place) ? half_of(place) : SIZE_MAX;
	size_t least = MESSAGES_MIN * place->message_bytes_max;
	size_t most = STORAGE_JOURNAL_BYTES;
	if (place->limit_bytes > 0 && most > half_of(place))
		most = half_of(place);
	if (sizes->journal_bytes == STORAGE_UNSET) {
		size_t share =
			place->spills > 0 && sizes->spill_bytes == STORAGE_UNSET
				? room / 5 * JOURNAL_FIFTHS
				: less(room,
				       sizes->spill_bytes * place->spills);
		sizes->journal_bytes =
			clamped(share,
				least > STORAGE_JOURNAL_BYTES_MIN
					? least
					: STORAGE_JOURNAL_BYTES_MIN,
				most);
	}
	if (sizes->spill_bytes == STORAGE_UNSET)
		sizes->spill_bytes =
			clamped(less(room, sizes->journal_bytes) / spills,
				STORAGE_SPILL_BYTES_MIN, STORAGE_SPILL_BYTES);
}

static void log_streams(const struct storage_place *place)
{
	size_t bytes = place->stream_bytes_max;
	if (place->limit_bytes > 0 && bytes > half_of(place))
		log_line(LOG_WARN, "storage",
			 "memory_limit_bytes=%" PRId64 " stream_bytes_max=%zu "
			 "err=\"the connections of stream inputs can hold more "
			 "than half of the memory limit\" action=\"lower "
			 "Buffer_Max_Size, or raise the memory limit to %zu "
			 "bytes\"",
			 place->limit_bytes, bytes, 2 * bytes);
}

void storage_sizes_log(const struct storage_sizes *sizes,
		       const struct storage_place *place)
{
	log_streams(place);
	if (!is_limited(place))
		return;
	size_t sum = sum_of(sizes, place);
	char figures[160];
	snprintf(figures, sizeof figures,
		 "memory_limit_bytes=%" PRId64
		 " journal_bytes=%zu spill_bytes=%zu outputs=%zu",
		 place->limit_bytes, sizes->journal_bytes, sizes->spill_bytes,
		 place->spills);
	if (sum <= half_of(place))
		log_line(LOG_INFO, "storage", "%s", figures);
	else
		log_line(LOG_WARN, "storage",
			 "%s err=\"storage.max_size, and storage.spill_size "
			 "for each output, add up to %zu bytes, more than half "
			 "of the memory limit\" "
			 "action=\"lower storage.max_size or "
			 "storage.spill_size, or raise the memory limit to "
			 "%zu bytes\"",
			 figures, sum, 2 * sum);
}

bool storage_is_in_memory(const char *path)
{
	struct statfs fs;
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? mem_text(".")
				  : mem_copy(path, (size_t)(slash - path) + 1);
	bool is_known = statfs(path, &fs) == 0 || statfs(dir, &fs) == 0;
	free(dir);
	return is_known &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}
