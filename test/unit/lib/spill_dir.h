/* SPDX-License-Identifier: Apache-2.0 */
/* spill_dir - a file sink that spills, and the process that ran before it.
 *
 * The sink writes to out/ and spills to spill/.  To make a file unwritable, a
 * test puts a directory in its place; the same makes a spill unreadable. */
#ifndef UNIT_SPILL_DIR_H
#define UNIT_SPILL_DIR_H

#include "crash_notes.h"
#include "sink_dir.h"

enum { PAD_BYTES = 1024 };

/* The lines that spill_dir_spill_three() spills. */
#define THREE_LINES "line 1\nline 2\nline 3\n"

struct spill_dir {
	struct sink_dir f;
	struct append_notes notes;
	struct crash_notes *left;     /* shared with children */
	struct sink_stats *committed; /* as of the last commit; shared */
	size_t pad_bytes;	      /* written to out/a before all lines */
	char name[64]; /* after spill_dir_spill_three: spill/NAME.spill */
};

/* Create the directory and open the sink. */
void spill_dir_init(struct spill_dir *);
void spill_dir_fini(struct spill_dir *);

/* Open the sink again, in the same process. */
void spill_dir_open(struct spill_dir *);

/* Commit the batch: counters, notes and sink. */
void spill_dir_commit(struct spill_dir *);

/* Flush and commit; assert that the sink is not blocked. */
void spill_dir_flush(struct spill_dir *);

/* Flush until the sink no longer waits for its spills, and commit.  Returns how
 * often it was blocked. */
unsigned spill_dir_flush_unspilled(struct spill_dir *);

/* Give the open sink the counters of the last commit. */
void spill_dir_restore(struct spill_dir *);

/* Play the next process: a new sink with the notes of the previous one and the
 * counters of the last commit. */
void spill_dir_restart(struct spill_dir *);

/* Make out/NAME unwritable, and writable again after enough time for a
 * retry. */
void spill_dir_block(struct spill_dir *, const char *name);
void spill_dir_unblock(struct spill_dir *, const char *name);

/* The only name in spill/ that contains `part`, as "spill/NAME"; "" if there
 * is none.  Two of them fail the test. */
const char *spill_dir_only(struct spill_dir *, const char *part, char name[64]);

/* True if there is a spill. */
bool spill_dir_has_spill(struct spill_dir *);

/* The size of the file in bytes. */
uint64_t spill_dir_size_of(struct spill_dir *, const char *name);

/* Flush, and assert that out/a holds exactly these lines after the pad and
 * that no line is queued or spilled. */
void spill_dir_assert_written(struct spill_dir *, const char *lines);

/* Assert that no spill was renamed as damaged and no line was dropped. */
void spill_dir_assert_nothing_lost(struct spill_dir *);

/* spill_dir_init(), then spill THREE_LINES for out/a, which is writable
 * again. */
void spill_dir_spill_three(struct spill_dir *);

/* Make the file fail to open, as if the disk could not return it; undo it. */
void spill_dir_hide(struct spill_dir *, const char *name);
void spill_dir_show(struct spill_dir *, const char *name);

/* Copy a file within the directory. */
void spill_dir_copy(struct spill_dir *, const char *from, const char *to);

/* A batch for run_and_kill(). */
struct spill_batch {
	struct spill_dir *s;
	const char *line; /* NULL: nothing new is put */
	rlim_t cut_bytes; /* writes are cut at this file size */
	size_t kill_in;	  /* the process dies at this note; 0: later */
};

/* Put the line and flush; data is the struct spill_batch. */
void spill_batch_run(void *data);

#endif
