/* SPDX-License-Identifier: Apache-2.0 */
/* held_files - how many files of a sink wait, and the memory that they take.
 *
 * A sender may choose the paths of files that cannot be written.  Each of them
 * waits and takes memory, also if its lines are spilled: the path, the structs
 * and the column names.  So an output holds at most HELD_FILES_MAX files and
 * HELD_BYTES_MAX bytes.  Beyond that, another file that cannot be written is
 * treated like one whose lines find the spill full (output_file.h).
 *
 * The sink measures a file after each flush of the file.  Files that wait for
 * the disk with their lines in the journal are not measured.
 *
 * A file that waits keeps no descriptor, except for a torn line.  If the disk
 * is full, each file of a batch can have a torn line.  So beyond env->open_max
 * open files, these are closed, too.  If such a file is renamed before it is
 * written again, it keeps the beginning of the line, and the whole line goes to
 * the new file. */
#ifndef FILE_HELD_FILES_H
#define FILE_HELD_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct output_file;

enum {
	HELD_FILES_MAX = 4096,
	HELD_BYTES_MAX = 8 * 1024 * 1024,
	/* The structs of a file, of its spill and of the spill's name, with
	 * the allocator's share: 600 bytes without a spill, 960 with one. */
	HELD_FILE_BYTES = 1024,
};

struct held_files {
	size_t count;
	size_t bytes;	   /* all memory, lines included */
	size_t line_bytes; /* the lines alone */
};

/* Count the file if it waits, and no longer if it does not. */
void held_files_measure(struct output_file *);

/* May the file wait?  True if it is already counted, or if there is room for
 * one more file. */
bool held_files_has_room(const struct output_file *);

/* Has the spill room for the lines of the file?  False if the output has no
 * spills; otherwise true if the file has no lines in memory. */
bool held_files_can_spill(const struct output_file *);

/* The file waits: close it, unless a torn line keeps it open. */
void held_files_close(struct output_file *);

/* How many bytes the lines of the file may take in memory. */
size_t held_files_room_bytes(const struct output_file *);

#endif
