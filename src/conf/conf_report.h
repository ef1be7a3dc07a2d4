/* SPDX-License-Identifier: Apache-2.0 */
/* conf_report - errors and warnings that name their place: file, line, section
 * and key.  conf.h declares the functions that all folders use.  The functions
 * here take a key of the tree (conf_tree.h). */
#ifndef CONF_CONF_REPORT_H
#define CONF_CONF_REPORT_H

#include "base/check.h"
#include "base/err.h"

struct conf_key;
struct conf_section;

/* Set *e to "file:line: [SECTION] " and the sentence.  Always false. */
bool conf_report_key(const struct conf_section *, const struct conf_key *,
		     struct err *, const char *format, ...) PRINTF_LIKE(4, 5);

/* Report an unknown key, with the most similar one of `known`, which NULL
 * terminates.  Always false. */
bool conf_report_unknown(const struct conf_section *, const struct conf_key *,
			 const char *const *known, struct err *);

/* Log a warning about the key; see conf_warn. */
void conf_report_warn(const struct conf_section *, const struct conf_key *,
		      const char *action, const char *format, ...)
	PRINTF_LIKE(4, 5);

#endif
