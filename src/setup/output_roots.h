/* SPDX-License-Identifier: Apache-2.0 */
/* output_roots - the directories that the file outputs write below. */
#ifndef SETUP_OUTPUT_ROOTS_H
#define SETUP_OUTPUT_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

struct conf;

struct output_root {
	char *directory;       /* ends with '/' */
	char *file;	       /* the only file, or NULL */
	size_t confined_bytes; /* of `file`, as root_bytes of file_path.h */
	bool may_make;	       /* Mkdir */
};

struct output_roots {
	struct output_root *items;
	size_t count;
};

/* The roots of each [OUTPUT] with Name file, as far as they are known
 * beforehand.  The root is Path or the directory of an absolute File.  Without
 * Path and File, filters make tags for the output, and the roots are the
 * directories that these tags begin with (match_check.h).  The caller frees the
 * result with output_roots_fini. */
struct output_roots output_roots_of(const struct conf *);

/* Free them. */
void output_roots_fini(struct output_roots *);

#endif
