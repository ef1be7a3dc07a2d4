/* SPDX-License-Identifier: Apache-2.0 */
/* files - temporary directories, whole files, and descriptors.
 *
 * Each function fails the running test if the system call fails, unless its
 * comment says otherwise. */
#ifndef UNIT_FILES_H
#define UNIT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/span.h"

enum { TEMP_DIR_BYTES = 64, OTHER_USER = 65534 };

/* Create a directory PARENT/NAME.XXXXXX and write its path to `dir`.  False if
 * it cannot be created. */
bool temp_dir_make(char dir[TEMP_DIR_BYTES], const char *parent,
		   const char *name);

/* Remove the directory with everything in it.  0 on success, as cmocka expects
 * from a teardown function. */
int temp_dir_remove(const char *dir);

/* Create or replace the file. */
void file_write(const char *path, struct span bytes);
void file_write_text(const char *path, const char *text);

/* Read the whole file into `out`, which is cleared first.  False if the file
 * cannot be opened. */
bool file_read(const char *path, struct buf *out);

/* Wait until the lines that were logged to a regular file are in it. */
void wait_for_log(void);

/* True if the path exists; a symbolic link is not followed. */
bool file_exists(const char *path);

/* The permissions of the path; a symbolic link is not followed. */
mode_t file_mode(const char *path);

/* Give the path to OTHER_USER; a symbolic link is not followed.  False if this
 * process is not root. */
bool file_give_away(const char *path);

/* Copy a file; the destination is created or replaced. */
void file_copy(const char *from, const char *to);

/* How many descriptors this process has open. */
size_t count_fds(void);

/* Wait until the descriptor is readable.  Data that another socket sends over
 * the network, even on the same host, may arrive only after send() has
 * returned.  The test fails after four minutes. */
void wait_readable(int fd);

#endif
