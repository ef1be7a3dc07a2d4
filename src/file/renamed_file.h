/* SPDX-License-Identifier: Apache-2.0 */
/* renamed_file - the file that a path named before it was renamed.
 *
 *     before a crash:  a.log (inode 7)      [ a1 | a2      note: inode 7
 *     after it:        a.log.1 (inode 7)    [ a1 | a2
 *                      a.log (inode 8)      [ a3
 *
 * If a file is renamed and the process ends before it notices that, the next
 * process has notes about a file that the path no longer names.  It looks for
 * that file in the path's directory, and continues as if it had had the file
 * open when it was renamed. */
#ifndef FILE_RENAMED_FILE_H
#define FILE_RENAMED_FILE_H

#include "base/check.h"

struct append_file;

/* If the notes of the previous process say that it wrote lines for the path to
 * a file that the path does not name now, open that file.  append_file_begin()
 * then returns ESTALE.  The file that is given must be closed; it stays closed
 * if there is no such note, or no such file in the path's directory.  Returns 0
 * or, if that cannot be found out now, an errno. */
int renamed_file_open(struct append_file *) MUST_USE;

#endif
