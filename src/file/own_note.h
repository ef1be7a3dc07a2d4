/* SPDX-License-Identifier: Apache-2.0 */
/* own_note - the notes of the previous process that are about an output's
 * lines.
 *
 * A note has the id of its output (output/sink.h), which stays the same if
 * other outputs are added, removed or moved.  If the output itself was changed,
 * no output has the id of its notes.  Each output that writes the same file
 * may then find such a note; append_file_found() compares the lines.  An
 * output's own notes about a file take precedence over such notes. */
#ifndef FILE_OWN_NOTE_H
#define FILE_OWN_NOTE_H

#include <stdbool.h>

#include "journal/append_note.h"

struct append_file;
struct file_env;

/* The note that follows `note` among those that may be about lines of the
 * output, or the first one if `note` is NULL; NULL after the last one. */
const struct append_note *own_note_next(const struct file_env *,
					const struct append_note *note);

/* Which of two notes about the same file takes precedence: the output's own one
 * or, if both or neither are the output's own, the later one.  `earlier` may be
 * NULL. */
const struct append_note *own_note_better(const struct file_env *,
					  const struct append_note *earlier,
					  const struct append_note *later);

/* Claim the note (journal_claim): the output continues the appends to the
 * note's path.  NULL is fine. */
void own_note_claim(const struct file_env *, const struct append_note *);

/* Find the note of that kind about this file, which must be open, under this
 * path.  If there are several, take the one that has precedence.  Claim the
 * note and return it; NULL if there is none. */
const struct append_note *own_note_last(const struct append_file *,
					enum append_kind);

/* The file, which must be open, ends with a torn line.  Did the previous
 * process tear it?  It noted the end of the file before a write, and a torn
 * line there is always its own. */
bool own_note_tore(const struct append_file *);

#endif
