/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_sink.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"

const struct conf_key_spec fake_sink_keys[] = {
	{"Refuses", .type = CONF_BOOL},
	{"Blocks", .type = CONF_BOOL},
	{"Fails", .type = CONF_BOOL},
	{.name = NULL},
};

struct sink *fake_sink_open(struct conf_section *s, const struct sink_env *env,
			    struct err *e)
{
	(void)env;
	bool refuses = false, blocks = false, fails = false;
	if (!conf_get_bool(s, "Refuses", &refuses, e) ||
	    !conf_get_bool(s, "Blocks", &blocks, e) ||
	    !conf_get_bool(s, "Fails", &fails, e))
		return NULL;
	if (fails) {
		err_set(e, "as asked");
		return NULL;
	}
	struct fake_sink *fake = mem_new(1, sizeof *fake);
	fake->refuses = refuses;
	fake->blocks = blocks;
	return &fake->sink;
}

bool fake_sink_put(struct sink *sink, const struct record *r, bool answers,
		   enum drop_reason *reason)
{
	(void)r;
	struct fake_sink *fake = (struct fake_sink *)sink;
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
