/* SPDX-License-Identifier: Apache-2.0 */
#include "run/worker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/say.h"
#include "intake/journal.h"
#include "intake/socket.h"
#include "run/assemble.h"
#include "run/fluentbit_api.h"
#include "run/http.h"
#include "run/metrics.h"
#include "run/pipeline.h"

enum {
	SLOTS = 64,	 /* datagrams for one recvmmsg */
	ROUNDS_MAX = 64, /* recvmmsg calls before timers have a turn */
	RING_AT_BYTES =
		256 * 1024, /* so much waits: do not wait for the timer */
	/* Draining ends after so many ticks without a datagram, the first of
	 * which may come at once: 1 to 1.25 s.  Counted,
	 * so that a stall of the whole machine is one tick, not an end. */
	IDLE_TICK_MS = 250,
	IDLE_TICKS = 5,
	STUCK_MS = 5000, /* after Grace */
};

enum state { RUNNING, DRAINING, FINISHING, STOPPED };

struct intake { /* one input's socket in the loop */
	struct worker *worker;
	uint16_t source;
	struct dgram_socket *socket;
	uv_poll_t poll;
};

struct health {
	uint64_t errors_before; /* as of the period's begin */
	uint64_t failed_before;
};

struct worker {
	const struct assembly *assembly;
	enum state state;
	uv_loop_t loop;
	struct journal *journal;
	struct pipeline *pipeline;
	struct http *http;
	struct intake *intakes;
	struct metrics_input *metrics_inputs;
	uv_timer_t flush_timer; /* rings the pipeline */
	uv_timer_t idle_timer;	/* draining: a tick */
	unsigned idle_ticks;	/* without a datagram */
	uv_timer_t grace_timer;
	uv_timer_t health_timer;
	uv_async_t settled;
	uv_async_t finished;
	uv_signal_t signals[3];
	atomic_bool is_paused; /* no room: the kernel's queue holds */
	bool is_dropping;      /* nor will there be: the disk is blocked */
	struct health health;
	int64_t started_ns; /* monotonic */
	int64_t started_real_ns;
	struct say_rate full_rate;
};

/* --- from the sockets to the journal */

static void on_flush_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	pipeline_ring(w->pipeline);
}

/* The pipeline is woken once for a whole batch: when enough waits, or when
 * the oldest message has waited for half of Flush. */
static void ring_in_time(struct worker *w)
{
	if (journal_pending_bytes(w->journal) >= RING_AT_BYTES) {
		uv_timer_stop(&w->flush_timer);
		pipeline_ring(w->pipeline);
	} else if (!uv_is_active((uv_handle_t *)&w->flush_timer)) {
		double half_ms = w->assembly->settings.flush_s * 1000 / 2;
		uv_timer_start(&w->flush_timer, on_flush_timer,
			       (uint64_t)half_ms, 0);
	}
}

static void stop_polls(struct worker *w)
{
	for (size_t i = 0; i < w->assembly->input_count; i++)
		uv_poll_stop(&w->intakes[i].poll);
}

static bool is_blocked(struct worker *w)
{
	bool blocked = pipeline_view_begin(w->pipeline)->is_blocked;
	pipeline_view_end(w->pipeline);
	return blocked;
}

/* The pipeline tells what it has settled while is_paused is set; what it
 * settled before that is looked for here. */
static void pause_intake(struct worker *w)
{
	stop_polls(w);
	atomic_store(&w->is_paused, true);
	pipeline_ring(w->pipeline);
	if (journal_room(w->journal) > 0 || is_blocked(w))
		uv_async_send(&w->settled);
}

/* While the pipeline keeps writing but is behind, the kernel's queue is one
 * more buffer, and a sender that may wait does.  While the disk takes nothing
 * that would only lose lines uncounted: then they are received, and the
 * newest dropped. */
static unsigned room_for(struct worker *w, unsigned count)
{
	if (w->is_dropping)
		w->is_dropping = is_blocked(w);
	size_t room = journal_room(w->journal);
	return w->is_dropping || room > count ? count : (unsigned)room;
}

static void say_full(struct worker *w)
{
	say_rated(&w->full_rate, SAY_ERROR, "journal",
		  "err=\"journal full, the newest messages are dropped\" "
		  "size_bytes=%zu refused_total=%" PRIu64,
		  journal_ring_bytes(w->journal),
		  journal_stats(w->journal)->refused_total);
}

/* Receive what is there, as far as there is room.  Whether anything came. */
static bool drain_socket(struct intake *in)
{
	struct worker *w = in->worker;
	unsigned count;
	bool any = false;
	struct mmsghdr *slots = journal_slots(w->journal, &count);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		unsigned room = room_for(w, count);
		if (room == 0) {
			pause_intake(w);
			break;
		}
		unsigned received = socket_receive(in->socket, slots, room);
		if (received == 0)
			break;
		any = true;
		if (journal_append(w->journal, received, in->source,
				   clock_real_ns()) < received)
			say_full(w);
		if (received < room)
			break;
	}
	if (any) {
		ring_in_time(w);
		w->idle_ticks = 0;
	}
	return any;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	drain_socket(poll->data);
}

static void start_polls(struct worker *w)
{
	for (size_t i = 0; i < w->assembly->input_count; i++)
		uv_poll_start(&w->intakes[i].poll, UV_READABLE, on_readable);
}

/* --- what is known, for HTTP and the last word */

static struct metrics metrics_begin(struct worker *w)
{
	return (struct metrics){
		.view = pipeline_view_begin(w->pipeline),
		.journal = journal_stats(w->journal),
		.journal_pending_bytes = journal_pending_bytes(w->journal),
		.journal_ring_bytes = journal_ring_bytes(w->journal),
		.inputs = w->metrics_inputs,
		.input_count = w->assembly->input_count,
		.uptime_s = (clock_mono_ns() - w->started_ns) / NS_PER_S,
		.started_s = w->started_real_ns / NS_PER_S,
		.now_ms = clock_real_ns() / NS_PER_MS,
	};
}

static struct health health_now(const struct pipeline_view *v)
{
	struct health now = {0};
	for (size_t i = 0; i < v->sink_count; i++) {
		const struct sink_stats *s = &v->sinks[i].stats;
		now.errors_before += s->errors_total;
		now.failed_before += s->lines_dropped_total[DROP_write_failed];
	}
	return now;
}

/* As Fluent Bit: errors grew by more than the limit within the period. */
static bool is_healthy(const struct worker *w, const struct pipeline_view *v)
{
	const struct settings *s = &w->assembly->settings;
	struct health now = health_now(v);
	return !s->health_check ||
	       (now.errors_before - w->health.errors_before <=
			(uint64_t)s->health_errors_max &&
		now.failed_before - w->health.failed_before <=
			(uint64_t)s->health_retries_max);
}

static void on_health_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	w->health = health_now(pipeline_view_begin(w->pipeline));
	pipeline_view_end(w->pipeline);
}

static void answer_http(void *data, const struct http_request *request,
			struct http_answer *answer)
{
	struct worker *w = data;
	struct metrics m = metrics_begin(w);
	m.is_healthy = is_healthy(w, m.view);
	if (strcmp(request->path, "/metrics") == 0) {
		answer->content_type = "text/plain; version=0.0.4";
		metrics_put(&answer->body, &m);
	} else {
		fluentbit_api_answer(&m, request, answer);
	}
	pipeline_view_end(w->pipeline);
}

static void say_last_word(struct worker *w)
{
	struct metrics m = metrics_begin(w);
	struct metrics_law law = metrics_law(&m);
	pipeline_view_end(w->pipeline);
	uint64_t dropped = 0;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++)
		dropped += law.dropped[i];
	bool is_loss = law.dropped[DROP_write_failed] > 0;
	say(is_loss ? SAY_ERROR : SAY_INFO, "worker",
	    "stopped received=%" PRIu64 " written=%" PRIu64 " dropped=%" PRIu64
	    " queued=%" PRIu64,
	    law.received, law.written, dropped, law.queued);
}

/* --- the end */

/* What the kernel still holds, then the pipeline's order to end.  When the
 * journal has no room on the way, on_settled comes here again. */
static void take_rest(struct worker *w)
{
	for (size_t i = 0; i < w->assembly->input_count; i++)
		while (drain_socket(&w->intakes[i]) && !w->is_paused)
			;
	if (w->is_paused)
		return;
	uv_timer_stop(&w->flush_timer);
	pipeline_finish(w->pipeline);
}

static void finish(struct worker *w)
{
	w->state = FINISHING;
	uv_timer_stop(&w->idle_timer);
	stop_polls(w);
	for (size_t i = 0; i < w->assembly->input_count; i++)
		socket_refuse(w->intakes[i].socket);
	if (!w->is_paused)
		take_rest(w);
}

static void on_settled(uv_async_t *async)
{
	struct worker *w = async->data;
	if (!w->is_paused)
		return;
	w->is_dropping = is_blocked(w);
	if (!w->is_dropping && journal_room(w->journal) == 0)
		return;
	atomic_store(&w->is_paused, false);
	if (w->state == FINISHING)
		take_rest(w);
	else
		start_polls(w);
}

/* The loop runs timers before it polls: what came meanwhile is looked for. */
static void on_idle_tick(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	w->idle_ticks = w->is_paused ? 0 : w->idle_ticks + 1;
	for (size_t i = 0; i < w->assembly->input_count && !w->is_paused; i++)
		drain_socket(&w->intakes[i]);
	if (w->idle_ticks >= IDLE_TICKS)
		finish(w);
}

/* A hook in one endless call of the C library, a disk that hangs: nothing in
 * this process can end that. */
static void on_stuck(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	say(SAY_ERROR, "worker",
	    "err=\"the pipeline does not end: a hook or a disk hangs\"");
	say_last_word(w);
	_exit(EXIT_CODE_SYSTEM);
}

static void on_grace_over(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	say(SAY_WARN, "worker", "grace=over state=%s",
	    w->state == DRAINING ? "draining" : "finishing");
	if (w->state == DRAINING)
		finish(w);
	pipeline_abandon(w->pipeline);
	uv_timer_start(timer, on_stuck, STUCK_MS, 0);
}

static void drain(struct worker *w, int signum)
{
	double grace_s = w->assembly->settings.grace_s;
	say(SAY_INFO, "worker", "signal=%d draining grace_s=%g", signum,
	    grace_s);
	w->state = DRAINING;
	w->idle_ticks = 0;
	uv_timer_start(&w->idle_timer, on_idle_tick, IDLE_TICK_MS,
		       IDLE_TICK_MS);
	uv_timer_start(&w->grace_timer, on_grace_over,
		       (uint64_t)(grace_s * 1000), 0);
}

static void on_signal(uv_signal_t *signal, int signum)
{
	struct worker *w = signal->data;
	if (signum == SIGHUP) {
		say(SAY_INFO, "worker", "signal=SIGHUP files are reopened");
		pipeline_reopen(w->pipeline);
	} else if (w->state == RUNNING) {
		drain(w, signum);
	}
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void on_finished(uv_async_t *async)
{
	struct worker *w = async->data;
	w->state = STOPPED;
	say_last_word(w);
	http_stop(w->http);
	w->http = NULL;
	uv_walk(&w->loop, close_handle, NULL);
}

static void tell_settled(void *data)
{
	struct worker *w = data;
	if (atomic_load(&w->is_paused))
		uv_async_send(&w->settled);
}

static void tell_finished(void *data)
{
	struct worker *w = data;
	uv_async_send(&w->finished);
}

/* --- the beginning */

static void init_timers(struct worker *w)
{
	uv_timer_t *timers[] = {&w->flush_timer, &w->idle_timer,
				&w->grace_timer, &w->health_timer};
	for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
		CHECK(uv_timer_init(&w->loop, timers[i]) == 0);
		timers[i]->data = w;
	}
	CHECK(uv_async_init(&w->loop, &w->settled, on_settled) == 0);
	CHECK(uv_async_init(&w->loop, &w->finished, on_finished) == 0);
	w->settled.data = w->finished.data = w;
}

static void start_signals(struct worker *w)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	signal(SIGPIPE, SIG_IGN);
	/* A file size limit is an error of write(), not the end. */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		CHECK(uv_signal_init(&w->loop, &w->signals[i]) == 0);
		w->signals[i].data = w;
		uv_signal_start(&w->signals[i], on_signal, numbers[i]);
	}
}

static bool open_journal(struct worker *w, struct err *e)
{
	const struct assembly *a = w->assembly;
	struct journal_opts opts = {.ring_bytes = a->settings.journal_bytes,
				    .slots = SLOTS};
	for (size_t i = 0; i < a->input_count; i++)
		if (a->inputs[i].message_bytes_max > opts.slot_bytes)
			opts.slot_bytes = a->inputs[i].message_bytes_max;
	w->journal = journal_open(&opts, e);
	return w->journal != NULL || err_in(e, "storage.max_size");
}

static bool open_sockets(struct worker *w, struct err *e)
{
	const struct assembly *a = w->assembly;
	w->intakes = mem_new(a->input_count, sizeof *w->intakes);
	w->metrics_inputs = mem_new(a->input_count, sizeof *w->metrics_inputs);
	for (size_t i = 0; i < a->input_count; i++) {
		struct intake *in = &w->intakes[i];
		in->worker = w;
		in->source = (uint16_t)i;
		in->socket = socket_open(&a->inputs[i].socket, e);
		if (in->socket == NULL)
			return err_in(e, "input %s", a->inputs[i].name);
		w->metrics_inputs[i] = (struct metrics_input){
			.name = a->inputs[i].name,
			.socket = socket_stats(in->socket),
			.queue_length = socket_queue_length(in->socket),
		};
	}
	return true;
}

static void init_polls(struct worker *w)
{
	for (size_t i = 0; i < w->assembly->input_count; i++) {
		struct intake *in = &w->intakes[i];
		CHECK(uv_poll_init(&w->loop, &in->poll,
				   socket_fd(in->socket)) == 0);
		in->poll.data = in;
	}
}

static bool start_http(struct worker *w, struct err *e)
{
	const struct settings *s = &w->assembly->settings;
	if (!s->http_server)
		return true;
	struct http_opts opts = {.listen = s->http_listen,
				 .port = s->http_port,
				 .answer = answer_http,
				 .data = w};
	w->http = http_start(&w->loop, &opts, e);
	return w->http != NULL;
}

static bool start_pipeline(struct worker *w, struct err *e)
{
	const struct assembly *a = w->assembly;
	struct pipeline_opts opts = {
		.journal = w->journal,
		.decoders = a->decoders,
		.decoder_count = a->input_count,
		.chain = a->chain,
		.router = a->router,
		.on_settled = tell_settled,
		.on_finished = tell_finished,
		.data = w,
	};
	w->pipeline = pipeline_start(&opts, e);
	return w->pipeline != NULL;
}

/* The pipeline's thread comes last of what can fail: before it, nothing needs
 * to be told to stop. */
static bool start(struct worker *w, struct err *e)
{
	start_signals(w); /* before the socket: what it accepts is written */
	if (!open_journal(w, e) || !open_sockets(w, e) || !start_http(w, e) ||
	    !start_pipeline(w, e))
		return false;
	init_polls(w);
	start_polls(w);
	const struct settings *s = &w->assembly->settings;
	uint64_t period_ms = (uint64_t)(s->health_period_s * 1000);
	if (s->health_check && period_ms > 0)
		uv_timer_start(&w->health_timer, on_health_timer, period_ms,
			       period_ms);
	return true;
}

bool worker_run(const struct assembly *assembly, struct err *e)
{
	struct worker *w = mem_new(1, sizeof *w);
	w->assembly = assembly;
	w->started_ns = clock_mono_ns();
	w->started_real_ns = clock_real_ns();
	CHECK(uv_loop_init(&w->loop) == 0);
	init_timers(w);
	bool started = start(w, e);
	if (started) {
		say(SAY_INFO, "worker", "ready version=%s", metrics_version());
	} else {
		http_stop(w->http);
		uv_walk(&w->loop, close_handle, NULL);
	}
	uv_run(&w->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&w->loop) == 0);
	pipeline_free(w->pipeline);
	for (size_t i = 0; w->intakes && i < assembly->input_count; i++)
		socket_close(w->intakes[i].socket);
	journal_close(w->journal);
	free(w->intakes);
	free(w->metrics_inputs);
	free(w);
	return started;
}
