/* SPDX-License-Identifier: Apache-2.0 */
/* journal_inspect - journal_inspect() for a file that is open already; for the
 * files of journal/ only. */
#ifndef JOURNAL_JOURNAL_INSPECT_H
#define JOURNAL_JOURNAL_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "journal/journal.h"
#include "journal/journal_format.h"

struct journal_inspect_opts {
	const char *path; /* for errors */
	int fd;
	bool has_lock;	    /* the caller has the file locked */
	bool with_replayed; /* pass on messages that were replayed, too */
	void (*each_entry)(void *, const struct journal_entry *,
			   const struct journal_input *);
	void *data;
};

/* What only journal_replay.c needs. */
struct journal_inspected {
	struct journal_replayed replayed; /* as in the file */
	uint64_t number;		  /* of the last commit */
	uint64_t seq; /* of the first message that is not committed */
};

/* As journal_inspect(). */
bool journal_inspect_file(const struct journal_inspect_opts *,
			  struct journal_summary *, struct journal_inspected *,
			  struct err *) MUST_USE;

#endif
