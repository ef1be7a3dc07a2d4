/* SPDX-License-Identifier: Apache-2.0 */
/* descriptors - how the file descriptors of the process are shared out.
 *
 *     sluiced's own: sockets, journal, pipes, log, files open briefly
 *     a thirty-second of all: files that the script of a Lua filter opens
 *     a quarter of the rest: output files
 *     an eighth of the rest: HTTP clients
 *     at most half of the rest: connections of inputs
 *
 * The rest is the limit without the first two rows.  No share can use the
 * descriptors of another.  This reserves descriptors for one Lua filter.  Files
 * that the scripts of other Lua filters open use the descriptors that belong to
 * no share, which are usually at least an eighth of the rest. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/err.h"

/* The maximum of connections of all inputs together. */
enum { CONNECTIONS_MAX = 256 };

struct descriptors {
	size_t connections; /* of all inputs together */
	size_t ending;	    /* additional connections that are ending */
	size_t http;	    /* clients, at most 128 */
	size_t http_ending; /* additional clients that are ending */
	size_t files;	    /* that each output may keep open */
};

/* If standard input, output or error is closed, open /dev/null in its place for
 * reading.  Otherwise a socket or file of sluiced would get that number, and an
 * output `stdout` or the log would write into it.  Writing fails as before. */
void descriptors_reserve_standard(void);

/* Raise the soft limit to the hard limit, but not above the number that sluiced
 * can use. */
void descriptors_raise(void);

/* How many descriptors this process may have open. */
size_t descriptors_limit(void);

/* How many files the script of a Lua filter may have open. */
size_t descriptors_hook(void);

/* Share out `limit` descriptors among this number of inputs and outputs.  If
 * there are too few, false with *e set; the exit code is EXIT_CODE_SYSTEM. */
bool descriptors_share_out(struct descriptors *, size_t limit, size_t inputs,
			   size_t outputs, struct err *e) MUST_USE;

#endif
