/* SPDX-License-Identifier: Apache-2.0 */
/* batch - the lines of a batch, one after the other, and their files.
 *
 *     bytes:  [ a1\n | b1\n | a2\n | a3\n | b2\n ]
 *     chains:   a1 --------> a2 --> a3
 *                      b1 ----------------> b2
 *
 * With a growing buffer for each of a thousand files, the lines would take
 * twice their size in memory, and growing the buffers would take time.  So the
 * lines lie here until flush writes the files one after the other.  To be
 * written, the lines of a file are copied into a buffer that is lent to its
 * output file.  The next file gets the same buffer, unless many lines are left
 * in it. */
#ifndef FILE_BATCH_H
#define FILE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct output_file;

/* A zero-initialised batch is empty. */
struct batch {
	struct buf bytes; /* each line is appended here when it is rendered */
	struct buf runs;  /* adjacent lines of one chain */
	size_t chains;	  /* that got lines in this batch */
	struct buf lines; /* the buffer that is lent */
	struct buf answers;
	size_t used_bytes;    /* by this batch */
	size_t longest_bytes; /* of its chains */
	unsigned small;	      /* small batches in a row */
};

/* The lines of one file; a zero-initialised chain has none. */
struct batch_chain {
	uint32_t first; /* places in runs, from 1; 0: none */
	uint32_t last;
	uint32_t bytes;
};

/* Free the memory; the batch is empty then. */
void batch_fini(struct batch *);

/* A line of `bytes` bytes was appended at `at`: add it to the chain.  `answers`
 * is as in sink_ops.put. */
void batch_took(struct batch *, struct batch_chain *, size_t at, size_t bytes,
		bool answers);

/* The memory that the batch takes until it is written.  It includes the copy
 * that batch_hand_over() makes if there are several chains. */
size_t batch_memory_bytes(const struct batch *);

/* Append the chain's lines, which were counted before, to those of the output
 * file. */
void batch_hand_over(struct batch *, struct batch_chain *,
		     struct output_file *);

/* The output file was flushed: take the lent buffer back for the next one.  If
 * lines are left, they move to memory of their own, unless they fill half of
 * the buffer. */
void batch_take_back(struct batch *, struct output_file *);

/* All chains were handed over.  The memory is kept for the next batch, unless
 * many batches in a row were small. */
void batch_end(struct batch *);

#endif
