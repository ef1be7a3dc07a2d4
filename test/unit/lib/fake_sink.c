/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_sink.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"

const struct conf_key_spec fake_sink_keys[] = {
	{"Refuses", .type = CONF_BOOL},
	{"Blocks", .type = CONF_BOOL},
	{"Fails", .type = CONF_BOOL},
	{"File_Per_Tag", .type = CONF_BOOL},
	{.name = NULL},
};

struct sink *fake_sink_open(struct conf_section *s, const struct sink_env *env,
			    struct err *e)
{
	bool refuses = false, blocks = false, fails = false, per_tag = false;
	if (!conf_get_bool(s, "Refuses", &refuses, e) ||
	    !conf_get_bool(s, "Blocks", &blocks, e) ||
	    !conf_get_bool(s, "Fails", &fails, e) ||
	    !conf_get_bool(s, "File_Per_Tag", &per_tag, e))
		return NULL;
	if (fails) {
		err_set(e, "as asked");
		return NULL;
	}
	struct fake_sink *fake = mem_new(1, sizeof *fake);
	fake->refuses = refuses;
	fake->blocks = blocks;
	fake->sink.has_file_per_tag = per_tag;
	fake->id = env->id;
	return &fake->sink;
}

bool fake_sink_put(struct sink *sink, const struct record *r, bool answers,
		   enum drop_reason *reason)
{
	struct fake_sink *fake = (struct fake_sink *)sink;
	fake->last = r;
	sink->stats.lines_total++;
	if (fake->refuses) {
		*reason = DROP_path_refused;
		return false;
	}
	sink->stats.messages_total += answers;
	return true;
}

enum sink_flush fake_sink_flush(struct sink *sink, int64_t now_ns)
{
	(void)now_ns;
	struct fake_sink *fake = (struct fake_sink *)sink;
	fake->flushed++;
	return fake->blocks ? SINK_BLOCKED : SINK_FLUSHED;
}

void fake_sink_drop_buffered(struct sink *sink)
{
	((struct fake_sink *)sink)->dropped++;
}

void fake_sink_reopen(struct sink *sink)
{
	((struct fake_sink *)sink)->reopened++;
}

void fake_sink_close(struct sink *sink)
{
	free(sink);
}
