/* SPDX-License-Identifier: Apache-2.0 */
/* fake_sink - an output that does what its keys say.
 *
 * Refuses: it drops every record with the reason path_refused.  Blocks: its
 * flush answers SINK_BLOCKED.  Fails: it cannot be opened.  File_Per_Tag: as
 * has_file_per_tag of struct sink. */
#ifndef UNIT_FAKE_SINK_H
#define UNIT_FAKE_SINK_H

#include "output/sink.h"

extern const struct conf_key_spec fake_sink_keys[];

struct fake_sink {
	struct sink sink;
	bool refuses;
	bool blocks;
	uint32_t id;			     /* as in the env */
	unsigned flushed, dropped, reopened; /* calls */
	const struct record *last;	     /* that was put */
};

struct sink *fake_sink_open(struct conf_section *, const struct sink_env *,
			    struct err *e);
bool fake_sink_put(struct sink *, const struct record *, bool answers,
		   enum drop_reason *reason);
enum sink_flush fake_sink_flush(struct sink *, int64_t now_ns);
void fake_sink_drop_buffered(struct sink *);
void fake_sink_reopen(struct sink *);
void fake_sink_close(struct sink *);

/* The initializer of a struct sink_ops with the functions above. */
#define FAKE_SINK_OPS(kind_name)                                               \
	{                                                                      \
		.name = kind_name, .keys = fake_sink_keys, .has_spills = true, \
		.open = fake_sink_open, .put = fake_sink_put,                  \
		.flush = fake_sink_flush,                                      \
		.drop_buffered = fake_sink_drop_buffered,                      \
		.reopen = fake_sink_reopen, .close = fake_sink_close,          \
	}

#endif
