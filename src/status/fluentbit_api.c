/* SPDX-License-Identifier: Apache-2.0 */
#include "status/fluentbit_api.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "filter/kinds.h"
#include "pipeline/pipeline.h"
#include "record/json.h"
#include "setup/plugins.h"
#include "status/fluentbit_v1.h"
#include "status/fluentbit_v2.h"
#include "status/http.h"
#include "status/metrics.h"

static const char json_type[] = "application/json";
static const char text_type[] = "text/plain";
static const char prometheus_type[] = "text/plain; version=0.0.4";

static const char *plural(int64_t n)
{
	return n > 1 ? "s" : "";
}

static void put_uptime(struct buf *b, const struct metrics *m)
{
	int64_t s = m->uptime_s;
	int64_t days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
	buf_printf(b,
		   "{\"uptime_sec\":%" PRId64
		   ",\"uptime_hr\":\"Fluent Bit has been running:  %" PRId64
		   " day%s, %" PRId64 " hour%s, %" PRId64
		   " minute%s and %" PRId64 " second%s\"}",
		   s, days, plural(days), hours, plural(hours), minutes,
		   plural(minutes), s % 60, plural(s % 60));
}

static void put_name(struct buf *b, size_t index, const char *name)
{
	buf_printf(b, "%s\"%s\"", index > 0 ? "," : "", name);
}

static void put_plugins(struct buf *b, const struct metrics *m)
{
	(void)m;
	buf_put_text(b, "{\"plugins\":{\"inputs\":[");
	for (size_t i = 0; input_kinds[i].name != NULL; i++)
		put_name(b, i, input_kinds[i].name);
	buf_put_text(b, "],\"filters\":[");
	for (size_t i = 0; filter_kinds[i] != NULL; i++)
		put_name(b, i, filter_kinds[i]->name);
	buf_put_text(b, "],\"outputs\":[");
	for (size_t i = 0; output_kinds[i] != NULL; i++)
		put_name(b, i, output_kinds[i]->name);
	buf_put_text(b, "]}}");
}

static void put_input_storage(struct buf *b, const char *prefix,
			      const char *name)
{
	struct buf whole = {0};
	buf_printf(&whole, "%s%s", prefix, name);
	json_write_string(b, buf_span(&whole));
	buf_fini(&whole);
	buf_put_text(b, ":{\"status\":{\"overlimit\":false,"
			"\"mem_size\":\"0b\",\"mem_limit\":\"0b\"},"
			"\"chunks\":{\"total\":0,\"up\":0,\"down\":0,"
			"\"busy\":0,\"busy_size\":\"0b\"}}");
}

/* sluiced has no chunks.  The journal counts as one chunk on the disk. */
static void put_storage(struct buf *b, const struct metrics *m)
{
	int chunks = m->journal_pending_bytes > 0;
	buf_printf(b,
		   "{\"storage_layer\":{\"chunks\":{\"total_chunks\":%d,"
		   "\"mem_chunks\":0,\"fs_chunks\":%d,\"fs_chunks_up\":%d,"
		   "\"fs_chunks_down\":0}},\"input_chunks\":{",
		   chunks, chunks, chunks);
	const struct pipeline_view *v = m->view;
	for (size_t i = 0; i < v->decoder_count; i++) {
		buf_put(b, ",", i > 0);
		put_input_storage(b, "", v->decoders[i].name);
	}
	for (size_t i = 0; i < v->filter_count; i++) {
		if (!fluentbit_v1_has_emitter(&v->filters[i]))
			continue;
		buf_put_char(b, ',');
		const char *prefix;
		const char *name =
			fluentbit_v1_emitter(&v->filters[i], &prefix);
		put_input_storage(b, prefix, name);
	}
	buf_put_text(b, "}}");
}

static void put_root(struct buf *b, const struct metrics *m)
{
	(void)m;
	buf_printf(b,
		   "{\"fluent-bit\":{\"version\":\"" FLUENTBIT_V1_VERSION
		   "\",\"edition\":\"Community\",\"flags\":[]},"
		   "\"sluiced\":{\"version\":\"%s\"}}",
		   metrics_version());
}

static void put_health(struct buf *b, const struct metrics *m)
{
	buf_put_text(b, m->health.is_good ? "ok\n" : "error\n");
	if (m->hanging != NULL && !m->health.is_good)
		buf_printf(b, "a write to %s hangs\n", m->hanging);
}

static void put_health_v2(struct buf *b, const struct metrics *m)
{
	const struct metrics_health *h = &m->health;
	buf_printf(b,
		   "{\"status\":\"%s\",\"errors\":%" PRIu64
		   ",\"retries_failed\":%" PRIu64 ",\"error_limit\":%" PRId64
		   ",\"retry_failure_limit\":%" PRId64
		   ",\"period_limit\":%" PRId64 "}",
		   h->is_good ? "ok" : "error", h->errors, h->dropped,
		   h->errors_max, h->dropped_max, h->period_s);
}

enum needs { ALWAYS, HEALTH_CHECK, STORAGE_METRICS };

/* Which probe of Kubernetes uses the path. */
enum probe {
	NO_PROBE,
	READINESS, /* 503 and the reason until the outputs have accepted a test
		    * write: many manifests probe this path of Fluent Bit */
	HEALTH,	   /* 500 while health is bad */
};

/* Fluent Bit 1.8 accepts every path that begins with a known one, 5.1 only the
 * exact path. */
struct api_route {
	const char *path;
	bool is_beginning;
	enum needs needs;
	enum probe probe;
	const char *type;
	void (*put)(struct buf *, const struct metrics *);
};

static const struct api_route routes[] = {
	{"/api/v1/metrics/prometheus", true, ALWAYS, READINESS, prometheus_type,
	 fluentbit_v1_put_prometheus},
	{"/api/v1/metrics", true, ALWAYS, NO_PROBE, json_type,
	 fluentbit_v1_put_json},
	{"/api/v1/uptime", true, ALWAYS, NO_PROBE, json_type, put_uptime},
	{"/api/v1/plugins", true, ALWAYS, NO_PROBE, json_type, put_plugins},
	{"/api/v1/health", true, HEALTH_CHECK, HEALTH, text_type, put_health},
	{"/api/v1/storage", true, STORAGE_METRICS, NO_PROBE, json_type,
	 put_storage},
	{"/api/v2/metrics/prometheus", false, ALWAYS, NO_PROBE, prometheus_type,
	 fluentbit_v2_put_prometheus},
	{"/api/v2/metrics", false, ALWAYS, NO_PROBE, text_type,
	 fluentbit_v2_put_text},
	{"/api/v2/health", false, ALWAYS, HEALTH, json_type, put_health_v2},
	{"/", true, ALWAYS, NO_PROBE, json_type, put_root},
};

static bool is_for(const struct api_route *route, const char *path,
		   const struct metrics *m)
{
	if (route->needs == HEALTH_CHECK && !m->health.is_checked &&
	    m->health.is_good)
		return false;
	if (route->needs == STORAGE_METRICS && !m->has_storage_metrics)
		return false;
	return route->is_beginning
		       ? strncmp(path, route->path, strlen(route->path)) == 0
		       : strcmp(path, route->path) == 0;
}

void fluentbit_api_answer(const struct metrics *m,
			  const struct http_request *request,
			  struct http_answer *answer)
{
	const char *path = request->path;
	while (path[0] == '/' && path[1] == '/')
		path++;
	const struct api_route *route = routes;
	while (!is_for(route, path, m) &&
	       route < routes + sizeof routes / sizeof *routes - 1)
		route++;
	if (route->probe == HEALTH && !m->health.is_good)
		answer->status = 500;
	answer->content_type = route->type;
	if (route->probe == READINESS && m->not_ready != NULL) {
		answer->status = 503;
		answer->content_type = text_type;
		buf_printf(&answer->body, "not ready: %s\n", m->not_ready);
		return;
	}
	route->put(&answer->body, m);
}
