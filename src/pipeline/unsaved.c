/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/unsaved.h"

#include <stddef.h>

#include "base/backoff.h"
#include "base/log.h"
#include "output/sink.h"
#include "pipeline/pipeline.h"

static uint64_t in_memory(uint64_t queued, uint64_t spilled)
{
	return queued > spilled ? queued - spilled : 0;
}

static void limit(uint64_t *count, uint64_t most)
{
	if (*count > most)
		*count = most;
}

void unsaved_count(struct pipeline_view *v, bool is_committed)
{
	uint64_t lines = 0, messages = 0;
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *s = &v->sinks[i].stats;
		lines += in_memory(s->lines_queued, s->lines_spilled);
		messages += in_memory(s->messages_queued, s->messages_spilled);
	}
	if (is_committed)
		v->unsaved_lines = v->unsaved_messages = UINT64_MAX;
	limit(&v->unsaved_lines, lines);
	limit(&v->unsaved_messages, messages);
}

int64_t unsaved_retry_ms(const struct pipeline_view *v, struct backoff *backoff,
			 bool has_next)
{
	bool is_first = backoff->last_ms == 0;
	if (v->unsaved_lines == 0 ||
	    (has_next && backoff->last_ms > backoff->min_ms))
		return 0;
	if (is_first && !has_next)
		log_line(LOG_WARN, "pipeline",
			 "lines_in_memory=%llu err=\"these lines wait for "
			 "files that cannot be written, and sluiced stops\" "
			 "action=\"retrying until Grace is over; then they are "
			 "lost\"",
			 (unsigned long long)v->unsaved_lines);
	return backoff_next_ms(backoff);
}

void unsaved_log_lost(const struct pipeline_view *v)
{
	if (v->unsaved_lines > 0)
		log_line(LOG_ERROR, "pipeline",
			 "lost=%llu err=\"lines that waited in memory were not "
			 "written\" action=\"the next worker with this journal "
			 "counts them as dropped\"",
			 (unsigned long long)v->unsaved_lines);
}
