/* SPDX-License-Identifier: Apache-2.0 */
/* view - fills the copy of the counters that the pipeline publishes.
 *
 * For pipeline.c only, which locks the view. */
#ifndef PIPELINE_VIEW_H
#define PIPELINE_VIEW_H

struct outputs;
struct pipeline_opts;
struct pipeline_view;

/* Fill in the names of all inputs, filters and outputs.  *view must be zero. */
void view_init(struct pipeline_view *, const struct pipeline_opts *);

/* Fill in the counters of the previous process, if the journal has any. */
void view_unpack(struct pipeline_view *, const struct pipeline_opts *);

/* Let all inputs, filters and outputs continue with the counters of the view,
 * and the outputs with their spills.  Only once. */
void view_restore(const struct pipeline_view *, const struct pipeline_opts *,
		  struct outputs *);

/* Copy the counters of all inputs, filters and outputs. */
void view_copy(struct pipeline_view *, const struct pipeline_opts *);

/* Free what view_init has allocated. */
void view_fini(struct pipeline_view *);

#endif
