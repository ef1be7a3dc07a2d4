/* SPDX-License-Identifier: Apache-2.0 */
/* Name null: accepts every record and writes nothing.  Its lines count as
 * written, and so does a message that only null gets. */
#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf_keys.h"
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

/* No line ever waits here, and no file is open. */
static void do_nothing(struct sink *sink)
{
	(void)sink;
}

static void close_sink(struct sink *sink)
{
	free(sink);
}

static const struct conf_key_spec keys[] = {
	{"Format", .ignored = "null writes nothing"},
	{"json_date_key", .ignored = "null writes nothing"},
	{"json_date_format", .ignored = "null writes nothing"},
	{.name = NULL},
};

static struct sink *open_sink(struct conf_section *s,
			      const struct sink_env *env, struct err *e)
{
	(void)s;
	(void)env;
	(void)e;
	return mem_new(1, sizeof(struct sink));
}

const struct sink_ops null_sink_ops = {
	.name = "null",
	.keys = keys,
	.open = open_sink,
	.put = put,
	.flush = flush,
	.drop_buffered = do_nothing,
	.reopen = do_nothing,
	.close = close_sink,
};
