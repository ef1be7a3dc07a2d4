/* SPDX-License-Identifier: Apache-2.0 */
/* spill_owners - which output owns which file in the directory of the spills.
 *
 * Each output lists the directory and loads its own spills.  Only the head of a
 * spill says which output it belongs to.  The output that reads the head first
 * notes the owner here, so that the others need not open the file.  The owner
 * notes whether it has loaded the spill, so that it need not search its files
 * for the spill when it lists the directory again.
 *
 * A sender may choose the paths of thousands of files that cannot be written.
 * Each of them has a spill, and receiving usually waits until the spills are
 * loaded.  So the names are in a hash table.  Its seed is random, since the
 * names depend on the paths.  All outputs of a process share it.  The pipeline
 * thread only. */
#ifndef FILE_SPILL_OWNERS_H
#define FILE_SPILL_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct spill_owners;

/* Nothing is known at first. */
struct spill_owners *spill_owners_new(void);

/* NULL is fine. */
void spill_owners_free(struct spill_owners *);

/* The spill of this name belongs to the output with this id (0: to the dead
 * letters), which uses it now if `is_loaded`. */
void spill_owners_put(struct spill_owners *, const char *name, uint32_t owner,
		      bool is_loaded);

/* Nothing is known about the name any more. */
void spill_owners_forget(struct spill_owners *, const char *name);

/* May the output with this id have to load the spill?  False if another output
 * owns it, or if it is loaded. */
bool spill_owners_may_load(struct spill_owners *, const char *name,
			   uint32_t id) MUST_USE;

#endif
