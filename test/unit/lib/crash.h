/* SPDX-License-Identifier: Apache-2.0 */
/* crash - a process that is killed while its file sink writes a batch of three
 * lines, and the process that follows it. */
#ifndef UNIT_CRASH_H
#define UNIT_CRASH_H

#include "crash_notes.h"
#include "sink_dir.h"

enum { LINE_BYTES = 7, LINES_BYTES = 3 * LINE_BYTES };

extern const char all_lines[]; /* LINES_BYTES of them, with a NUL */

struct crash {
	struct sink_dir f;
	struct append_notes notes;
	struct crash_notes *left;
	rlim_t cut_bytes; /* the file size at which the kernel cuts the write */
	const char *file; /* that the lines are for: "a" */
};

/* Create the directory, without a sink; remove it. */
void crash_set_up(struct crash *);
void crash_tear_down(struct crash *);

/* Put the three lines for that file.  The second one does not count as a
 * message (answers, output/sink.h). */
void crash_put(struct crash *, const char *file);

/* Open a sink and put the lines. */
void crash_open_and_put(struct crash *);

/* For run_and_kill(); data is the struct crash.  Open, put and flush, but do not
 * commit. */
void crash_run_batch(void *data);

/* Play the next process, which gets the same lines again: open, put, flush and
 * commit.  Assert that all lines count as written. */
void crash_restart(struct crash *);

#endif
