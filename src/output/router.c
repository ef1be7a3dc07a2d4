/* SPDX-License-Identifier: Apache-2.0 */
#include "output/router.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "conf/instance_name.h"
#include "conf/unsupported.h"
#include "output/kinds.h"
#include "output/line_limit.h"
#include "record/record.h"
#include "record/tag_match.h"

const struct conf_key_spec output_common_keys[] = {
	{"Name", CONF_TEXT, .is_required = true,
	 .help = "The kind of output: file, stdout or null."},
	{"Match", CONF_TAG_GLOB,
	 .help = "The output gets records whose tag matches; * stands for any "
		 "characters."},
	{"Match_Regex", CONF_REGEX,
	 .help = "The output also gets records whose tag matches this regular "
		 "expression; the match must begin at the first character."},
	{"Alias", CONF_TEXT, .default_text = "NAME.N",
	 .help = "The name of this output in metrics and log lines."},
	{"Workers", .ignored = "one thread writes all files"},
	{"Retry_Limit", .ignored = "writing is retried until it succeeds"},
	{"storage.total_limit_size",
	 .ignored =
		 "storage.max_size and storage.spill_size bound the storage"},
	{"Log_Level", .ignored = "Log_Level of [SERVICE] applies to all "
				 "of sluiced"},
	{"log_suppress_interval", .ignored = "sluiced limits the rate of "
					     "repeated log lines itself"},
	{"host", .ignored = "sluiced has no network outputs"},
	{"port", .ignored = "sluiced has no network outputs"},
	{"ipv6", .ignored = "sluiced has no network outputs"},
	{"net.*", .ignored = "sluiced has no network outputs"},
	{"tls*", .ignored = "sluiced has no network outputs"},
	{.name = NULL},
};

enum {
	KINDS_MAX = 32,
	ID_MASK = 0x3fffffff, /* no id is DEAD_LETTER_SINK (assemble.c) */
};

struct router_route {
	char *name;
	uint32_t id;
	struct tag_match match;
	struct sink *sink;
};

struct router {
	struct router_route *routes;
	size_t count;
	const char *taken_name;	       /* as in sink_env */
	_Atomic(const char *) working; /* the name of the output at work */
	/* The line that is held back until the end of its message. */
	struct sink *held_sink; /* NULL: none */
	struct record *held_record;
	/* Why a sink refused the last refused line.  As a local variable, it
	 * would cost every line a check of the stack. */
	enum drop_reason refusal;
	struct log_rate too_large_rate;
};

static const struct sink_ops *find_kind(struct conf_section *s,
					const struct sink_env *env,
					struct err *e)
{
	const char *names[KINDS_MAX + 1] = {NULL};
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return NULL;
	if (name == NULL) {
		conf_err_missing(s, "Name", e, "for example `Name file`");
		return NULL;
	}
	for (size_t i = 0; env->kinds[i] != NULL; i++) {
		CHECK(i < KINDS_MAX);
		names[i] = env->kinds[i]->name;
		if (strcasecmp(name, names[i]) == 0)
			return env->kinds[i];
	}
	unsupported_plugin(s, "output", names, e);
	return NULL;
}

static bool is_reserved(const struct router *router, struct span name)
{
	return router->taken_name != NULL &&
	       span_equals(span_of(router->taken_name), name);
}

static bool is_taken(const void *data, const char *name)
{
	const struct router *router = data;
	size_t i = 0;
	if (is_reserved(router, span_of(name)))
		return true;
	while (i < router->count && strcmp(router->routes[i].name, name) != 0)
		i++;
	return i < router->count;
}

static void route_fini(struct router_route *route)
{
	if (route->sink != NULL)
		route->sink->ops->close(route->sink);
	tag_match_fini(&route->match);
	free(route->name);
}

/* As in Fluent Bit: an output without a Match gets every record if the
 * configuration has one output and one input.  Otherwise it gets no record. */
static bool read_match(struct router_route *route, struct conf_section *s,
		       const struct sink_env *env, struct err *e)
{
	const char *match = NULL, *regex = NULL;
	if (!conf_get_text(s, "Match", &match, e) ||
	    !conf_get_text(s, "Match_Regex", &regex, e))
		return false;
	if (match == NULL && regex == NULL && env->is_only_route)
		match = "*";
	return tag_match_init(&route->match, match, regex, e) ||
	       conf_err_in(s, "Match_Regex", e);
}

struct router *router_new(void)
{
	return mem_new(1, sizeof(struct router));
}

void router_free(struct router *router)
{
	if (router == NULL)
		return;
	for (size_t i = 0; i < router->count; i++)
		route_fini(&router->routes[i]);
	free(router->routes);
	free(router);
}

/* How well the output suits for the spilled lines.  Its own lines must come
 * after them.  So the output that has spilled them suits best, if it has not
 * changed; among the others, the file counts most. */
static unsigned suits(const struct router_route *route,
		      const struct sink_spilled *spilled)
{
	const struct sink_ops *ops = route->sink->ops;
	if (route->id == spilled->id)
		return UINT_MAX;
	enum sink_writes writes =
		ops->writes != NULL ? ops->writes(route->sink, spilled->path)
				    : SINK_WRITES_NOT;
	bool has_name = span_equals(span_of(route->name), spilled->name);
	return 1 + 2 * (unsigned)writes + has_name;
}

/* If no output suits well, because the output was removed, the first output
 * with spills writes the lines: a spill contains the path of its file and
 * complete lines. */
static uint32_t owner_of(const void *data, const struct sink_spilled *spilled)
{
	const struct router *router = data;
	const struct router_route *writer = NULL;
	unsigned best = 0;
	if (is_reserved(router, spilled->name))
		return 0;
	for (size_t i = 0; i < router->count; i++) {
		const struct router_route *route = &router->routes[i];
		if (!route->sink->ops->has_spills)
			continue;
		unsigned score = suits(route, spilled);
		if (score <= best)
			continue;
		best = score;
		writer = route;
	}
	return writer != NULL ? writer->id : 0;
}

static bool has_sink(const void *data, uint32_t id)
{
	const struct router *router = data;
	size_t i = 0;
	while (i < router->count && router->routes[i].id != id)
		i++;
	return i < router->count;
}

/* The id is a hash of the section.  If it is taken, because an earlier section
 * is equal, it is the next free one. */
static uint32_t choose_id(const struct router *router,
			  const struct conf_section *s)
{
	uint64_t hash = conf_section_hash(s, "Alias");
	uint32_t id = SINK_ID_FIRST | ((hash ^ hash >> 32) & ID_MASK);
	while (has_sink(router, id))
		id++;
	return id;
}

bool router_add(struct router *router, struct conf_section *s,
		const struct sink_env *env, struct err *e)
{
	router->taken_name = env->taken_name;
	conf_declare(s, output_common_keys);
	const struct sink_ops *kind = find_kind(s, env, e);
	if (kind == NULL)
		return false;
	if (kind->keys != NULL)
		conf_declare(s, kind->keys);

	const struct instance_name_opts names = {.kind = "output",
						 .plugin = kind->name,
						 .number = router->count,
						 .is_taken = is_taken,
						 .data = router};
	char *name = instance_name(s, &names, e);
	if (name == NULL)
		return false;
	struct router_route route = {
		.name = name,
		.id = choose_id(router, s),
	};
	if (!read_match(&route, s, env, e)) {
		free(name);
		return false;
	}
	struct sink_env its_env = *env;
	its_env.id = route.id;
	its_env.name = route.name;
	its_env.owner_of = owner_of;
	its_env.has_sink = has_sink;
	its_env.router = router;
	route.sink = kind->open(s, &its_env, e);
	if (route.sink != NULL) {
		route.sink->ops = kind;
		pthread_mutex_init(&route.sink->path_lock, NULL);
	}
	if (route.sink == NULL || !conf_section_end(s, e)) {
		route_fini(&route);
		return false;
	}
	router->routes = mem_grow(router->routes, router->count + 1,
				  sizeof *router->routes);
	router->routes[router->count++] = route;
	return true;
}

/* A sink has refused a line.  Sinks log the other reasons themselves. */
static void lose(struct router *router, struct message *m)
{
	if (router->refusal == DROP_too_large && m->reason < DROP_too_large)
		log_rated(&router->too_large_rate, LOG_WARN, "router",
			  "message_bytes=%zu err=\"the lines of this message "
			  "exceed %d MiB\" reason=too_large "
			  "action=\"dropping its further lines; keeping it in "
			  "Dead_Letter, if that is set\"",
			  m->bytes.len,
			  MESSAGE_LINES_BYTES_MAX / (1024 * 1024));
	message_lose(m, router->refusal);
}

static void put_uncounted(struct router *router, struct sink *sink,
			  struct record *r)
{
	if (!sink->ops->put(sink, r, false, &router->refusal))
		lose(router, r->message);
}

/* Whether the line that is held back stays so when this one comes.  Not if both
 * go to the same file, where lines must stay in order. */
static bool stays_held(const struct router *router, const struct sink *sink,
		       const struct record *r)
{
	const struct sink *held = router->held_sink;
	if (held != sink)
		return held->ops->has_spills || !sink->ops->has_spills;
	return sink->has_file_per_tag &&
	       !span_equals(router->held_record->tag, r->tag);
}

/* Either hold this line back or the one held so far; put the other one.  The
 * first line is held if possible: with rewrite_tag, it is the one with the new
 * tag, which matters most. */
static void hold(struct router *router, struct sink *sink, struct record *r)
{
	struct sink *held = router->held_sink;
	if (held != NULL && stays_held(router, sink, r)) {
		put_uncounted(router, sink, r);
		return;
	}
	if (held != NULL)
		put_uncounted(router, held, router->held_record);
	router->held_sink = sink;
	router->held_record = r;
}

void router_put(struct router *router, struct record *r)
{
	bool is_routed = false;
	for (size_t i = 0; i < router->count; i++) {
		const struct router_route *route = &router->routes[i];
		if (!tag_match_takes(&route->match, r->tag,
				     message_search_cost(r->message)))
			continue;
		is_routed = true;
		hold(router, route->sink, r);
	}
	if (!is_routed)
		message_lose(r->message, r->is_over_limit ? DROP_rewrite_loop
							  : DROP_unrouted);
}

void router_end(struct router *router)
{
	struct sink *held = router->held_sink;
	if (held == NULL)
		return;
	struct message *m = router->held_record->message;
	router->held_sink = NULL;
	if (held->ops->put(held, router->held_record, !message_has_loss(m),
			   &router->refusal))
		m->is_answered = !message_has_loss(m);
	else
		lose(router, m);
}

void router_batch(const struct router *router, size_t *bytes, size_t *files)
{
	*bytes = *files = 0;
	for (size_t i = 0; i < router->count; i++) {
		*bytes += router->routes[i].sink->batch_bytes;
		*files += router->routes[i].sink->batch_files;
	}
}

static void set_working(struct router *router, const char *name)
{
	atomic_store_explicit(&router->working, name, memory_order_relaxed);
}

enum sink_flush router_flush(struct router *router, int64_t now_mono_ns)
{
	enum sink_flush answer = SINK_FLUSHED;
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		set_working(router, router->routes[i].name);
		if (sink->ops->flush(sink, now_mono_ns) == SINK_BLOCKED)
			answer = SINK_BLOCKED;
	}
	set_working(router, NULL);
	return answer;
}

static void drop_buffered(const struct router_route *route)
{
	struct sink *sink = route->sink;
	const uint64_t *dropped =
		&sink->stats.lines_dropped_total[DROP_write_failed];
	uint64_t before = *dropped;
	sink->ops->drop_buffered(sink);
	if (*dropped > before)
		log_line(LOG_ERROR, "router",
			 "output=%s lost=%llu err=\"lines were neither written "
			 "nor spilled before the worker had to end\" "
			 "action=\"counting them as dropped\"",
			 route->name, (unsigned long long)(*dropped - before));
}

void router_drop_buffered(struct router *router)
{
	for (size_t i = 0; i < router->count; i++)
		drop_buffered(&router->routes[i]);
}

void router_reopen(struct router *router)
{
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		set_working(router, router->routes[i].name);
		sink->ops->reopen(sink);
	}
	set_working(router, NULL);
}

const char *router_working(const struct router *router)
{
	return atomic_load_explicit(&router->working, memory_order_relaxed);
}

void router_working_path(const struct router *router,
			 char room[static LOG_QUOTED_BYTES])
{
	const char *name = router_working(router);
	room[0] = '\0';
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		if (router->routes[i].name != name)
			continue;
		pthread_mutex_lock(&sink->path_lock);
		if (sink->path != NULL)
			log_quoted(span_of(sink->path), room);
		pthread_mutex_unlock(&sink->path_lock);
	}
}

uint64_t router_answers(const struct router *router)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < router->count; i++)
		sum += atomic_load_explicit(&router->routes[i].sink->answers,
					    memory_order_relaxed);
	return sum;
}

void router_committed(struct router *router)
{
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		if (sink->ops->committed != NULL)
			sink->ops->committed(sink);
	}
}

void router_restore(struct router *router, size_t index,
		    const struct sink_stats *stats)
{
	CHECK(index < router->count);
	struct sink *sink = router->routes[index].sink;
	if (sink->ops->restore != NULL)
		sink->ops->restore(sink, stats);
	else if (stats != NULL)
		sink->stats = *stats;
}

bool router_found(struct router *router, struct sink_moved *found)
{
	bool is_all = true;
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		if (sink->ops->found != NULL && !sink->ops->found(sink, found))
			is_all = false;
	}
	return is_all;
}

void router_settle(struct router *router, struct sink_moved *moved)
{
	for (size_t i = 0; i < router->count; i++) {
		struct sink *sink = router->routes[i].sink;
		if (sink->ops->settle != NULL)
			sink->ops->settle(sink, moved);
	}
}

bool router_sink(const struct router *router, size_t index, const char **name,
		 const struct sink **sink)
{
	if (index >= router->count)
		return false;
	*name = router->routes[index].name;
	*sink = router->routes[index].sink;
	return true;
}
