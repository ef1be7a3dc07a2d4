/* SPDX-License-Identifier: Apache-2.0 */
/* hook_script - the script of a Lua filter: loads it, and loads it again when
 * its variables have filled the memory.
 *
 *     loaded --- the script is full: its state is closed ---> not loaded
 *        ^                                                        |
 *        +------ at the first call after load_at_ns --------------+
 *
 * A script may keep an entry for each client in a table, which grows until
 * calls fail.  Nothing but a new state helps then, and the variables are lost.
 * Loading takes as long as the script's top level.  So after an attempt that
 * took the time T, including closing the old state, the next one starts 10 T
 * later at the earliest, and one more second later if the attempt failed. */
#ifndef FILTER_HOOK_SCRIPT_H
#define FILTER_HOOK_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/span.h"

struct conf_section;
struct filter;
struct filter_env;
struct lua_record;
struct lua_state;

/* In the caller's storage, zeroed. */
struct hook_script {
	struct lua_state *state;    /* NULL if the script is not loaded */
	struct lua_record *proxies; /* of the state */
	const char *call;	    /* the name of the hook */
	bool has_groups;	    /* the hook has five parameters */

	/* Private: */
	const struct conf_section *section;
	struct span prelude;
	const char *text; /* of Code; NULL if the script is a file */
	char *path;	  /* or "Code" */
	int64_t load_at_ns;
	struct log_rate full_rate;
	struct log_rate load_rate;
};

/* Read Script, Code and Call, and make the proxies, but load nothing yet.  The
 * section must outlive the script.  False with *e set. */
bool hook_script_open(struct hook_script *, struct conf_section *,
		      const struct filter_env *, struct err *) MUST_USE;

/* Free all, also after a failure of the others. */
void hook_script_close(struct hook_script *);

/* Load the script for the first time.  False with *e set. */
bool hook_script_load(struct hook_script *, struct err *) MUST_USE;

/* The script is not loaded: if it is time, load it, which takes as long as the
 * script's top level.  Returns whether it is loaded now.  The log line names
 * the filter, whose stats count the load. */
bool hook_script_retry(struct hook_script *, struct filter *);

/* The state is full (lua_state_is_full): close it, and load the script again if
 * it is time. */
void hook_script_renew(struct hook_script *, struct filter *);

#endif
