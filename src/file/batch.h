/* SPDX-License-Identifier: Apache-2.0 */
/* batch - the lines of a batch, one behind the other, and whose they are.
 *
 *     bytes:  [ a1\n | b1\n | a2\n | a3\n | b2\n ]
 *     chains:   a1 --------> a2 --> a3
 *                      b1 ----------------> b2
 *
 * A buffer for each of a thousand files, grown by doubling, would take twice
 * the memory of its lines, and time.  So they lie here until their files are
 * written, one after the other: those of a chain are handed to its appender,
 * in memory that it gives back for the next one unless something is left. */
#ifndef FILE_BATCH_H
#define FILE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct output_file;

/* Zero-initialised it is empty. */
struct batch {
	struct buf bytes; /* a line is rendered to its end */
	struct buf runs;  /* of lines that follow each other */
	size_t chains;	  /* that have lines, or had them in this batch */
	struct buf lines; /* what is lent */
	struct buf answers;
	size_t used_bytes;    /* by this one */
	size_t longest_bytes; /* of its chains */
	unsigned small;	      /* so many since one that needed its memory */
};

/* A file's lines; zero-initialised it has none. */
struct batch_chain {
	uint32_t first; /* places in runs, from 1; 0: none */
	uint32_t last;
	uint32_t bytes;
};

void batch_fini(struct batch *);

/* The next line, so many bytes from `at` on, is the chain's. */
void batch_took(struct batch *, struct batch_chain *, size_t at, size_t bytes,
		bool answers);

/* The memory that it takes until it is written: a chain that is not the only
 * one is copied when it is handed over. */
size_t batch_memory_bytes(const struct batch *);

/* Put the chain's lines, which were counted, behind those that the appender
 * has. */
void batch_hand_over(struct batch *, struct batch_chain *,
		     struct output_file *);

/* Nothing waits in it: its memory is for the next one. */
void batch_take_back(struct batch *, struct output_file *);

/* All were handed over.  Its memory is kept for the next, unless many in a row
 * were small. */
void batch_end(struct batch *);

#endif
