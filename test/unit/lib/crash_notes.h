/* SPDX-License-Identifier: Apache-2.0 */
/* crash_notes - append notes that survive the process that wrote them.
 *
 * The notes lie in memory that a test shares with its forked children.  The
 * test chooses when the child is killed: after it has written a certain note
 * and before the write that the note announces, or after this write, which
 * RLIMIT_FSIZE cuts short.  The parent then plays the next process.  Such a
 * child plays one that was killed inside the write, so it records no failure
 * unless the test says so. */
#ifndef UNIT_CRASH_NOTES_H
#define UNIT_CRASH_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "journal/append_note.h"

enum { CRASH_NOTES_MAX = 4096 };

struct crash_notes {
	size_t count;	   /* written since the last commit */
	size_t found;	   /* of these, left by the previous process */
	size_t kill_in;	   /* the child dies at this note; 0: never */
	bool has_failures; /* failures are recorded */
	size_t all_total;
	struct append_note notes[CRASH_NOTES_MAX];
};

/* The access to the notes that a sink gets. */
struct append_notes crash_notes_access(struct crash_notes *);

/* Its callback for a new note; data is the crash_notes. */
uint32_t crash_notes_write(void *data, const struct append_note *,
			   uint32_t replaced);

/* Forget all notes, as a commit does. */
void crash_notes_commit(struct crash_notes *);

/* From now on the notes written so far are those of the previous process. */
void crash_notes_restart(struct crash_notes *);

/* Zeroed memory that forked children share. */
void *share(size_t bytes);

/* From now on no write makes a file longer than this: the kernel cuts the write
 * short. */
void limit_file_size(rlim_t bytes);

/* Fork, call run(data) in the child and kill the child with SIGKILL: after
 * run(), if nothing has killed it earlier.  Waits for the child's end. */
void run_and_kill(void (*run)(void *), void *data);

#endif
