/* SPDX-License-Identifier: Apache-2.0 */
/* append_file - one file that only grows, and the notes about it.
 *
 *     begin: open | lock | does the path still name this file? how long is it?
 *            found: which of the bytes are in it already (after a crash)?
 *            tail:  does it end with a whole line? (append_tail.h)
 *     write: note | write | after an error, note how much was written
 *     end:   unlock | sync
 *
 * The lock (file_lock.h) is held from `begin` to `end`, so no other process
 * appends in between, and the noted size is the offset of the written bytes.
 * Since that time is short, several processes can share a file.  Only a
 * regular file is locked, noted and read.  If a file can be written but not
 * read, bytes from before a crash cannot be found.  The callers then wait for
 * ten attempts, and after that write the noted lines again as a whole. */
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
#include "file/file_block.h"
#include "file/file_gone.h"
#include "file/held_files.h"
#include "file/write_back.h"
#include "journal/append_note.h"
#include "output/sink.h"

struct file_lock;
struct spill_dir;

/* The state that the files of one sink share. */
struct file_env {
	struct sink_stats *stats;
	bool mkdir;		/* make missing directories */
	struct span root;	/* paths below it are confined to it */
	char *const *tag_roots; /* ... and to these (sink.h); may be NULL */
	struct file_lock *lock; /* NULL: no other process writes the files */
	struct span lock_root;	/* Path; has the lock file of the files below */
	bool has_others;	/* other outputs must not wait for this one */
	const struct append_notes *notes; /* NULL: nothing is noted */
	uint32_t sink;			  /* its id, for the notes */
	/* Is there an output with this id?  NULL: unknown. */
	bool (*has_sink)(const void *router, uint32_t id);
	const void *router;
	enum sink_fsync fsync;
	struct write_back *write_back; /* NULL: the kernel decides */
	_Atomic uint64_t *answers;     /* of the sink (sink.h), or NULL */
	struct spill_dir *spills;      /* NULL: held lines stay in memory */
	struct file_block block;       /* by files that other processes use */
	struct held_files held;
	struct file_listing listing; /* to find out what was renamed */
	size_t open_max; /* of these files may be open while their lines wait;
			  * 0: any number */
	struct log_rate failing_rate;
	int64_t named_until_ns; /* the end of the period of named_files */
	unsigned named_files;	/* whose first failure was logged */
	struct log_rate busy_rate;
	struct log_rate changed_rate;
	struct log_rate working_rate;
	struct log_rate tail_rate;
	struct log_rate sync_rate;
	struct log_rate spill_rate;
};

struct append_file {
	struct file_env *env;
	const char *path;   /* borrowed */
	uint16_t path_hash; /* as in a note; not 0 */
	int fd;		    /* -1: closed */
	bool is_regular;
	bool can_read;
	bool is_dirty;	/* not synced */
	bool is_new;	/* its directory is not synced either */
	bool is_torn;	/* our last write did not end with a newline */
	bool is_urgent; /* other files cannot be written until this one is */
	dev_t device;
	ino_t inode;
	uint64_t kernel_name; /* while the path named the file; 0: unknown */
	uint64_t size_bytes;  /* its size, between begin and end */
	uint64_t end_bytes;   /* its size when its end was last known */
	uint32_t empty_note;  /* the place of the last note if its append failed
			      * before the first byte; 0: none */
	uint32_t skip_hash;   /* of the bytes that the next note skips */
	size_t failed_bytes;  /* what the last write could not append */
	struct write_back_file write_back;
	struct buf head; /* whole lines with which an empty file begins */
	int64_t foreign_since_ns; /* since when another process' torn line is at
	                           * the end; 0: there is none */
};

/* A closed file; opens nothing.  The path and the env are borrowed. */
void append_file_init(struct append_file *, const char *path,
		      struct file_env *);

/* The length of the part of the path that confines the rest of it, for
 * file_path_open(). */
size_t append_file_root_bytes(const struct append_file *);

/* Open the file if it is closed, and lock it.  Returns 0 or an errno.  EBUSY:
 * another process holds the lock for too long.  ESTALE: the path names another
 * file now, or none; the file that is open is then locked, and its size is
 * known. */
int append_file_begin(struct append_file *) MUST_USE;

/* Take over a descriptor of the path's file, opened with O_RDWR and O_APPEND,
 * so that append_file_begin() does not open it.  The file must be closed.
 * Returns 0 or an errno; the descriptor is then closed.  If it is -1, the
 * result is errno. */
int append_file_give(struct append_file *, int fd) MUST_USE;

/* After append_file_begin() has failed: open the file for reading if it is not
 * open for reading, and measure it without a lock.  Returns false if that is
 * impossible too.  After success, close the file or begin again. */
bool append_file_peek(struct append_file *) MUST_USE;

/* After an error: does the disk take writes of other files?  If it does, the
 * error concerns this file only (disk_probe.h). */
bool append_file_probe(const struct append_file *, int error) MUST_USE;

/* Unlock, and sync if the policy is to sync each batch.  May wait until bytes
 * written before are on the disk (write_back.h). */
void append_file_end(struct append_file *);

/* The note that the previous process left about this output's lines in this
 * file under this path (own_note.h), or NULL.  Lines that it wrote to the file
 * under another path are not ours. */
const struct append_note *append_file_noted(const struct append_file *,
					    enum append_kind);

/* May the previous process have left a note about the file that the path names?
 * The file need not be open.  True if that cannot be found out now. */
bool append_file_has_note(const struct append_file *);

/* Count how many of the bytes are in the file already.  The note covers
 * bytes[skip...]; the count includes the first `skip` bytes.  The part that is
 * in the file ends after a whole line, or within a line that can be completed.
 * If the file is shorter than the note says, it was truncated: that is logged,
 * and the count is 0.  Returns 0 or, if the file cannot be read now, an errno;
 * the count is then 0. */
int append_file_found(struct append_file *, const struct append_note *,
		      struct span bytes, size_t skip, size_t *count) MUST_USE;

struct append_bytes {
	enum append_kind kind;
	/* The offset of the bytes in the batch's lines for this file; the note
	 * records it.  A negative skip means that the first -skip bytes, header
	 * included, belong to an earlier batch and are not noted. */
	int64_t skip;
	struct span header; /* in front of the bytes; often empty */
	struct span bytes;
};

/* Note the bytes, then write them.  Returns 0 or an errno; *done is the number
 * of bytes written, header included. */
int append_file_write(struct append_file *, const struct append_bytes *,
		      size_t *done) MUST_USE;

/* The journal was committed, which deletes its notes. */
void append_file_committed(struct append_file *);

/* Sync the file to the disk, unless the policy is never to sync. */
void append_file_sync(struct append_file *);

/* Sync and close. */
void append_file_close(struct append_file *);

#endif
