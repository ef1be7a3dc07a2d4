/* SPDX-License-Identifier: Apache-2.0 */
/* spill_file - the layout of a spill's file (spill.h), shared by the files that
 * read and write it. */
#ifndef FILE_SPILL_FILE_H
#define FILE_SPILL_FILE_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "file/append_file.h"

struct spill_dir;

/* The bytes with which every spill begins. */
#define SPILL_MAGIC "sluiced spill "

enum {
	SPILL_HEAD_BYTES_MAX = 2 * PATH_MAX,
	SPILL_ALIGN_BYTES = 64,		/* the state lies in one page */
	SPILL_STATE_MAGIC = 0x73706c31, /* "spl1" */
	SPILL_CHUNK_MAGIC = 0x63686e6b, /* "chnk" */
};

struct spill_state {
	uint64_t magic;
	uint64_t position_bytes;
	uint64_t torn_bytes; /* of an incomplete line before the position */
	uint64_t device;     /* the file that was written last ... */
	uint64_t inode;
	uint64_t end_bytes;   /* ... and its size after that */
	uint64_t piece_bytes; /* about to be appended; 0: nothing */
	uint64_t check;	      /* of all fields above and of the head */
};

struct spill_chunk {
	uint32_t magic;
	uint32_t bytes;
	uint32_t lines; /* 0: column names */
	uint32_t messages;
	uint64_t check; /* of all fields above and of the lines */
};

static_assert(sizeof(struct spill_state) == SPILL_ALIGN_BYTES, "as in spill.h");
static_assert(sizeof(struct spill_chunk) == 24, "as in spill.h");

struct spill {
	struct spill_dir *dir;
	char *path;
	char *output_path;
	struct append_file file;
	struct buf names; /* that were loaded, for an empty output file */
	struct spill_state state;
	uint64_t head_check;
	uint64_t start_bytes; /* the place of the first chunk */
	uint64_t chunk_bytes; /* the chunk that contains the position */
	uint64_t limit_bytes; /* the end of the committed chunks */
	uint64_t size_bytes;
	uint64_t lines; /* in the chunks from the position on */
	uint64_t messages;
	uint64_t drained_lines; /* in the chunks before it, at load time */
	uint64_t drained_messages;
	unsigned failed_reads; /* in a row */
	unsigned failed_saves;
	unsigned unread;  /* attempts to read the output file after a crash */
	unsigned unsaved; /* attempts to save the state, in a row */
	bool is_unsaved;  /* the state in the file is older */
	bool is_recovered;
	bool is_dirty;	/* not synced */
	bool is_loaded; /* dir->owners has it as loaded */
};

/* The text with which a spill begins, as spill.h draws it. */
struct spill_head {
	struct sink_spilled spilled;
	size_t bytes; /* with the padding: the state begins there */
};

/* Read the head.  The spans point into the bytes.  False if it is damaged, of
 * another version, or if the bytes do not contain all of it. */
bool spill_read_head(struct span bytes, struct spill_head *) MUST_USE;

/* How a file begins. */
enum spill_kind {
	SPILL_FOREIGN,	/* not as a spill of sluiced */
	SPILL_BAD_HEAD, /* as one whose head is damaged or of another version */
	SPILL_GOOD_HEAD,
};

/* A file that cannot be read now may have a good head, so it counts as such. */
enum spill_kind spill_kind_of(const char *path);

/* Reading functions return 0, an errno, or SPILL_CUT if the bytes are missing
 * or damaged. */
enum { SPILL_CUT = -1 };

/* Open the directory of the spills, which spill_new() makes.  Returns the
 * descriptor, or -1 with errno set.  A directory of another user is renamed and
 * counts as missing (own_file.h). */
int spill_open_dir(struct spill_dir *) MUST_USE;

/* The same, but make the directory if it is missing. */
int spill_make_dir(struct spill_dir *dir) MUST_USE;

/* Keep the directory, which is open as `fd`, with a shared lock, so that
 * `sluiced replay` knows that its spills are in use.  The name of the journal
 * does not tell that: somebody may have renamed the journal's file. */
void spill_lock_dir(struct spill_dir *, int fd);

/* Call `each` with the open directory and every name in it, until it returns an
 * errno.  Returns that, or an errno if the directory cannot be listed
 * completely, or 0. */
int spill_list(struct spill_dir *,
	       int (*each)(void *data, int dir, const char *name),
	       void *data) MUST_USE;

/* Is this the name of a spill, not that of another file in the directory? */
bool spill_has_name(const char *name);

/* The spill's file name in the directory. */
const char *spill_name(const struct spill *);

/* Note in dir->owners that the spill is loaded, or no longer. */
void spill_set_loaded(struct spill *, bool is_loaded);

/* The id of the directory's sink in dir->owners. */
uint32_t spill_dir_id(const struct spill_dir *);

/* Open the spill's file.  Returns the same as spill_open_dir. */
int spill_open(const struct spill *, int flags) MUST_USE;

/* Read `bytes` bytes at the offset `at`. */
static inline int spill_read_at(int fd, void *to, size_t bytes, uint64_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done,
				  (off_t)(at + done));
		if (n <= 0)
			return n < 0 ? errno : SPILL_CUT;
		done += (size_t)n;
	}
	return 0;
}

/* Read the head and the state.  *head points into `bytes`.  If the head is
 * damaged, head->bytes is 0. */
int spill_read_begin(struct spill *, int fd, char bytes[SPILL_HEAD_BYTES_MAX],
		     struct spill_head *head) MUST_USE;

/* Read the header of the chunk at that place. */
int spill_read_chunk(const struct spill *, int fd, uint64_t at,
		     struct spill_chunk *) MUST_USE;

/* The XXH3 checksum of the bytes. */
uint64_t spill_check(struct span);
/* The checksum of the state and the head. */
uint64_t spill_state_check(const struct spill *);
/* The checksum of the chunk header, given that of its lines. */
uint64_t spill_chunk_check(const struct spill_chunk *, uint64_t lines_check);

/* Write the state to the file.  Returns 0 or an errno. */
int spill_save_state(struct spill *, int fd) MUST_USE;

/* The same.  A failure is logged, and spill_save() tries again. */
void spill_try_save(struct spill *, int fd);

/* Read the lines of the chunk at that place.  SPILL_CUT if their check is
 * wrong. */
int spill_check_chunk(const struct spill_chunk *, int fd, uint64_t at) MUST_USE;

/* Rename a file in the directory, but do not replace another one.  Returns 0 or
 * an errno; EEXIST if the new name is taken. */
int spill_rename(const char *from, const char *to) MUST_USE;

/* Turn NAME.spill into NAME.damaged, or into NAME.2.damaged ... if that exists.
 * The name is NUL-terminated. */
void spill_name_damaged(const struct spill *, struct buf *name);

/* Rename the spill's file so.  False, and an empty name, on failure. */
bool spill_set_aside(const struct spill *, struct buf *name) MUST_USE;

#endif
