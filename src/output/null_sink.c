/* SPDX-License-Identifier: Apache-2.0 */
/* Name null: takes every record and writes nothing.  To it, that is written:
 * a message that only null gets counts as such. */
#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "output/kinds.h"

static bool put(struct sink *sink, const struct record *r, bool answers,
		enum drop_reason *reason)
{
	struct sink_stats *s = &sink->stats;
	(void)r;
	(void)reason;
	s->lines_total++;
	s->lines_written_total++;
	s->messages_total += answers;
	s->messages_written_total += answers;
	return true;
}

static enum sink_flush flush(struct sink *sink, int64_t now_ns)
{
	(void)sink;
	(void)now_ns;
	return SINK_FLUSHED;
}

/* Nothing waits here, and nothing is open. */
static void do_nothing(struct sink *sink)
{
	(void)sink;
}

static void close_sink(struct sink *sink)
{
	free(sink);
}

static struct sink *open_sink(struct conf_section *s,
			      const struct sink_env *env, struct err *e)
{
	static const char why[] = "nothing is written";
	(void)env;
	(void)e;
	conf_ignore(s, "Format", why);
	conf_ignore(s, "json_date_key", why);
	conf_ignore(s, "json_date_format", why);
	return mem_new(1, sizeof(struct sink));
}

const struct sink_ops null_sink_ops = {
	.name = "null",
	.open = open_sink,
	.put = put,
	.flush = flush,
	.abandon = do_nothing,
	.reopen = do_nothing,
	.close = close_sink,
};
