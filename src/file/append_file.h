/* SPDX-License-Identifier: Apache-2.0 */
/* append_file - one file that only grows, and what is noted of it.
 *
 *     begin: open | lock | is the path still this file? how long is it?
 *            found: what of the bytes stands there already (after a crash)?
 *            tail:  does it end with a whole line?
 *     write: note | write
 *     end:   unlock | sync
 *
 * The lock is a short flock, so that several processes may share a file: the
 * size that is noted is the offset of what is written.  Only a regular file
 * is locked, noted and looked into.  One that may be written but not read is
 * not looked into: what was noted for it is then written anew, whole.
 *
 * A tail without a newline that is not ours belongs to a process that was
 * killed inside its write and completes it when it is back.  It gets
 * FOREIGN_TAIL_S for that; then the line is closed, and this is said. */
#ifndef FILE_APPEND_FILE_H
#define FILE_APPEND_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/span.h"
#include "journal/append_note.h"
#include "output/sink.h"

enum { FOREIGN_TAIL_S = 10 };

struct spill_dir;

/* What the files of one sink share. */
struct file_env {
	struct sink_stats *stats;
	bool mkdir;	  /* make missing directories */
	struct span root; /* paths that begin so are confined */
	bool has_others;  /* other outputs must not wait for this one */
	const struct append_notes *notes; /* NULL: nothing is noted */
	uint32_t sink;			  /* its number, for the notes */
	enum sink_fsync fsync;
	struct spill_dir *spills; /* NULL: set aside in memory */
	struct log_rate failing_rate;
	struct log_rate busy_rate;
	struct log_rate working_rate;
	struct log_rate tail_rate;
	struct log_rate sync_rate;
	struct log_rate spill_rate;
};

struct append_file {
	struct file_env *env;
	const char *path; /* borrowed */
	int fd;		  /* -1: closed */
	bool is_regular;
	bool can_read;
	bool is_dirty; /* not synced */
	bool is_new;   /* nor is its directory */
	bool is_torn;  /* what we wrote last did not end with a newline */
	dev_t device;
	ino_t inode;
	uint64_t size_bytes; /* from begin to end: its size */
	uint64_t end_bytes;  /* its size when it was last known how it ends */
	struct append_note noted; /* what nothing was written of yet */
	struct buf head; /* whole lines that an empty file begins with */
	int64_t foreign_since_ns; /* somebody else's torn tail; 0: none */
	uint64_t foreign_size_bytes;
};

void append_file_init(struct append_file *, const char *path,
		      struct file_env *);

/* Open when it is closed, lock.  0 or an errno: EBUSY when another process
 * holds it too long; ESTALE when the path is another file now (or none), then
 * this one is locked and its size known all the same. */
int append_file_begin(struct append_file *) MUST_USE;

/* After a begin that failed: open it for reading alone, when it is closed, and
 * measure it, without a lock.  False when even that cannot be; else close it,
 * or begin again, behind this. */
bool append_file_peek(struct append_file *) MUST_USE;

/* Unlock; sync as the policy wants it. */
void append_file_end(struct append_file *);

/* The last note that the process before left of this file, or NULL. */
const struct append_note *append_file_noted(const struct append_file *,
					    enum append_kind);

/* Of bytes[skip...], which were noted, so many stand where the note says; the
 * answer counts those before `skip` too.  It ends behind a whole line, or in
 * a line that can be continued. */
size_t append_file_found(struct append_file *, const struct append_note *,
			 struct span bytes, size_t skip);

/* Whether it still ends with what we wrote last. */
bool append_file_is_as_left(const struct append_file *);

/* What is written next begins a line: see that it does, and that an empty file
 * gets its head.  0 or an errno; EBUSY while somebody else has a line to
 * complete. */
int append_file_tail(struct append_file *, int64_t now_ns) MUST_USE;

/* Note and write.  `skip`: where the bytes lie in what the note speaks of;
 * negative when that begins only behind so many of them.  0 or an errno;
 * *done is how far it came. */
int append_file_write(struct append_file *, enum append_kind, int64_t skip,
		      struct span bytes, size_t *done) MUST_USE;

/* The journal was committed: it has no note any more. */
void append_file_committed(struct append_file *);

/* Have what was written reach the disk, when the policy is not never. */
void append_file_sync(struct append_file *);

/* Sync and close. */
void append_file_close(struct append_file *);

#endif
