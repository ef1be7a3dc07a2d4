/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/counters_v1.h"

#include <string.h>

#include "base/buf.h"

enum { TOTALS = 13 };

static const char *const totals[] = {
	"taken",
	"written",
	"dropped.journal_full",
	"dropped.empty",
	"dropped.unparsed",
	"dropped.filtered",
	"dropped.undecided",
	"dropped.unrouted",
	"dropped.path_refused",
	"dropped.write_failed",
	"dead_lettered",
	"queued",
	"batches",
	NULL,
};

static const char *const decoder[] = {
	"records_total",
	"bytes_total",
	"unparsed.parsed",
	"unparsed.no_match",
	"unparsed.bad_pair_time",
	"unparsed.match_limit",
	"unparsed.json_cut",
	"unparsed.json_broken",
	"unparsed.json_no_object",
	"unparsed.json_too_deep",
	"no_pri_total",
	"bad_time_total",
	NULL,
};

/* The counters of failures came after these, in an order that depended on the
 * kind of filter.  They are not converted. */
static const char *const filter[] = {
	"records_total",
	"dropped_total",
	"undecided_total",
	"added_total",
	"restarted_total",
	"refused_total",
	NULL,
};

static const char *const sink[] = {
	"lines_total",
	"lines_written_total",
	"lines_dropped.journal_full",
	"lines_dropped.empty",
	"lines_dropped.unparsed",
	"lines_dropped.filtered",
	"lines_dropped.undecided",
	"lines_dropped.unrouted",
	"lines_dropped.path_refused",
	"lines_dropped.write_failed",
	"lines_queued",
	"messages_total",
	"messages_written_total",
	"messages_dropped.journal_full",
	"messages_dropped.empty",
	"messages_dropped.unparsed",
	"messages_dropped.filtered",
	"messages_dropped.undecided",
	"messages_dropped.unrouted",
	"messages_dropped.path_refused",
	"messages_dropped.write_failed",
	"messages_queued",
	"bytes_written_total",
	"writes_total",
	"errors_total",
	"retries_total",
	"fsyncs_total",
	"recovered_bytes_total",
	"files_open",
	"lines_spilled",
	"messages_spilled",
	"spilled_bytes",
	NULL,
};

static const char *const *names_of(uint32_t kind)
{
	switch (kind) {
	case COUNTERS_DECODER:
		return decoder;
	case COUNTERS_FILTER:
		return filter;
	case COUNTERS_SINK:
		return sink;
	case COUNTERS_TOTALS:
		return totals;
	default:
		return NULL;
	}
}

struct item {
	uint32_t kind;
	uint32_t bytes;
	uint64_t name;
};

static void put_object(struct buf *out, const struct item *item,
		       const char *values, uint64_t (*hash_of)(const char *))
{
	const char *const *names = names_of(item->kind);
	struct counters_object object = {.kind = item->kind,
					 .name = item->name};
	if (names == NULL)
		return;
	while (names[object.count] != NULL &&
	       (object.count + 1) * sizeof(uint64_t) <= item->bytes)
		object.count++;
	buf_put_span(out, span_make((const char *)&object, sizeof object));
	for (uint32_t i = 0; i < object.count; i++) {
		struct counters_value value = {.name = hash_of(names[i])};
		memcpy(&value.value, values + i * sizeof value.value,
		       sizeof value.value);
		buf_put_span(out,
			     span_make((const char *)&value, sizeof value));
	}
}

char *counters_v1_convert(const void *block, size_t *bytes,
			  uint64_t (*hash_of)(const char *name))
{
	struct item item = {COUNTERS_TOTALS, TOTALS * sizeof(uint64_t), 0};
	const char *at = block;
	const char *end = at + *bytes;
	struct buf out = {0};
	if (*bytes < strlen("counter1") + item.bytes ||
	    memcmp(at, "counter1", strlen("counter1")) != 0)
		return NULL;
	at += strlen("counter1");
	buf_put_text(&out, "counter2");
	put_object(&out, &item, at, hash_of);
	at += item.bytes;
	while ((size_t)(end - at) >= sizeof item) {
		memcpy(&item, at, sizeof item);
		at += sizeof item;
		if (item.kind == COUNTERS_END ||
		    (size_t)(end - at) < item.bytes)
			break;
		put_object(&out, &item, at, hash_of);
		at += item.bytes;
	}
	*bytes = out.len;
	return out.ptr;
}
