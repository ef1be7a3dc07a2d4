/* SPDX-License-Identifier: Apache-2.0 */
/* tool_dir - a directory for the test of a tool, with functions to capture the
 * tool's output and to create a journal for it. */
#ifndef UNIT_TOOL_DIR_H
#define UNIT_TOOL_DIR_H

#include "files.h"
#include "unit.h"

#include "journal/journal.h"

struct tool_dir {
	char dir[TEMP_DIR_BYTES];
	struct buf text; /* the last path or content */
	int kept[2];	 /* the real standard output and error */
};

/* cmocka set-up and teardown; *state is the struct tool_dir. */
int tool_dir_set_up(void **state);
int tool_dir_tear_down(void **state);

/* The path of a name in the directory, or the content of that file; valid
 * until the next call of either. */
const char *tool_dir_path(struct tool_dir *, const char *name);
const char *tool_dir_content(struct tool_dir *, const char *name);

void tool_dir_write(struct tool_dir *, const char *name, struct span bytes);

/* Fail the test unless the file contains `part`. */
void tool_dir_assert_has(struct tool_dir *, const char *name, const char *part);

/* Between the two calls, standard output and error go to the files `out` and
 * `err`. */
void tool_dir_capture_begin(struct tool_dir *);
void tool_dir_capture_end(struct tool_dir *);

/* Create a journal in the directory. */
struct journal *tool_dir_open_journal(struct tool_dir *, const char *name);

/* Append a message as if input number `input` had received it at `at_ns`, in
 * nanoseconds since the epoch. */
void tool_dir_append(struct journal *, uint16_t input, int64_t at_ns,
		     struct span bytes);

/* Flip one bit in every place of the file where these bytes are. */
void tool_dir_damage(struct tool_dir *, const char *name, struct span bytes);

#endif
