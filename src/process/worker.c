/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. worker_run opens the journal, and starts HTTP, the receiver, the pipeline
 *     thread and signals on one libuv loop.  The worker sends WORKING.
 *  2. On SIGTERM, drain() receives until no sender is connected.  If there may
 *     be invisible senders, it also waits for a second without a datagram.
 *  3. finish() refuses senders and reads the data that the kernel still holds.
 *     Then pipeline_finish writes everything that is in the journal.
 *  4. on_finished logs the final counts and closes all handles.
 *
 * On a reload the supervisor sends LEAVE.  leave() hands connections over, the
 * pipeline finishes its batch, and the next worker finds the rest.
 *
 * Failure modes:
 *  - something cannot be opened: worker_run closes what it opened and fails;
 *  - Grace is over: the pipeline makes one more attempt and leaves the rest in
 *    the journal.  If it does not end at all, on_deadline ends the process;
 *  - the supervisor is gone: the worker leaves. */
#include "process/worker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "intake/endpoints.h"
#include "intake/receiver.h"
#include "intake/senders.h"
#include "journal/journal.h"
#include "pipeline/pipeline.h"
#include "process/worker_state.h"
#include "setup/assemble.h"
#include "setup/assemble_journal.h"
#include "status/http.h"
#include "status/status.h"

enum {
	SLOTS = 64, /* datagrams for one recvmmsg */
	/* Each tick counts the connected senders.  After this many ticks
	 * without a datagram (1.25 to 1.75 s), the worker considers invisible
	 * senders gone.  A stall of the whole machine counts as one tick. */
	IDLE_TICK_MS = 250,
	IDLE_TICKS = 6,
	/* How long after Grace the process ends; the supervisor would kill it
	 * a little later (STOP_MARGIN_MS). */
	DEADLINE_MS = 4000,
};

uint64_t worker_grace_ms(const struct worker *w)
{
	return (uint64_t)(w->settings->grace_s * 1000);
}

/* --- stopping */

static void on_received_all(void *data)
{
	struct worker *w = data;
	pipeline_finish(w->pipeline);
}

static void finish(struct worker *w)
{
	w->state = FINISHING;
	uv_timer_stop(&w->idle_timer);
	receiver_finish(w->receiver, on_received_all, w);
}

/* Finish when no sender is connected and invisible senders were silent for
 * IDLE_TICKS.  The loop runs timers before it polls, so receive the waiting
 * datagrams first. */
static void on_idle_tick(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	receiver_poll(w->receiver);
	uint64_t arrivals = receiver_arrivals(w->receiver);
	w->idle_ticks = arrivals == w->arrivals ? w->idle_ticks + 1 : 0;
	w->arrivals = arrivals;
	struct senders senders = senders_of(w->opts->endpoints);
	if (senders.connected == 0 &&
	    (!senders.has_unseen || w->idle_ticks >= IDLE_TICKS))
		finish(w);
}

/* Nothing in this process can end an endless call of a C library, or a write to
 * a hanging disk.  A journal in a file keeps the unwritten messages. */
static void on_deadline(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	log_line(LOG_ERROR, "worker",
		 "err=\"the pipeline does not end: a hook or a disk hangs\" "
		 "action=\"exiting; a journal in a file keeps its "
		 "messages\"");
	status_log_final_counts(w->status);
	_exit(EXIT_CODE_SYSTEM);
}

void worker_on_grace_over(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	log_line(LOG_WARN, "worker",
		 "err=\"Grace is over\" state=%s "
		 "action=\"one more attempt to write\"",
		 w->state == DRAINING  ? "draining"
		 : w->state == LEAVING ? "leaving"
				       : "finishing");
	if (w->state == DRAINING)
		finish(w);
	pipeline_stop_retrying(w->pipeline);
	uv_timer_start(timer, on_deadline, DEADLINE_MS, 0);
}

static void drain(struct worker *w, int64_t grace_ms)
{
	struct senders senders = senders_of(w->opts->endpoints);
	log_line(LOG_INFO, "worker",
		 "state=draining grace_ms=%" PRId64 " senders=%zu until=\"%s\"",
		 grace_ms, senders.connected,
		 senders.has_unseen ? "no sender is connected, and no datagram "
				      "came for 1 s"
				    : "no sender is connected");
	if (senders.has_no_source)
		log_line(LOG_WARN, "worker",
			 "err=\"the kernel does not report which senders are "
			 "connected to the socket\" "
			 "action=\"ending after 1 s without a datagram; the "
			 "lines of later requests are lost\"");
	w->state = DRAINING;
	w->arrivals = receiver_arrivals(w->receiver);
	uv_timer_start(&w->idle_timer, on_idle_tick, 0, IDLE_TICK_MS);
	uv_timer_start(&w->grace_timer, worker_on_grace_over,
		       (uint64_t)grace_ms, 0);
}

static void wake_pipeline(void *data)
{
	struct worker *w = data;
	pipeline_wake(w->pipeline);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_rest(void *data)
{
	struct worker *w = data;
	receiver_stop(w->receiver);
	readiness_stop(&w->readiness);
	uv_walk(&w->loop, close_handle, NULL);
}

static void close_all(struct worker *w)
{
	http_stop(w->http, close_rest, w);
}

static void on_finished(uv_async_t *async)
{
	struct worker *w = async->data;
	if (w->state != LEAVING)
		status_log_final_counts(w->status);
	w->state = STOPPED;
	/* The thread may still be inside a callback that uses the handles. */
	pipeline_join(w->pipeline);
	close_all(w);
}

/* --- called in the pipeline thread */

static void on_pipeline_progress(void *data, bool is_blocked)
{
	struct worker *w = data;
	receiver_progress(w->receiver, is_blocked);
}

static void on_pipeline_finished(void *data)
{
	struct worker *w = data;
	uv_async_send(&w->finished);
}

/* --- events from outside */

static bool request_reload(void *data)
{
	struct worker *w = data;
	struct channel_message m = {.kind = CHANNEL_RELOAD};
	if (w->opts->channel >= 0 && channel_send(w->opts->channel, &m))
		return true;
	log_line(LOG_WARN, "worker",
		 "reload=refused err=\"there is no supervisor\"");
	return false;
}

void worker_reload_ended(struct worker *w, enum reload_outcome outcome)
{
	status_reload_ended(w->status, outcome);
	http_resume(w->http);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;
	struct channel_message m;
	(void)status;
	(void)events;
	if (!channel_receive(w->opts->channel, &m)) {
		leave_orphaned(w);
	} else if (m.kind == CHANNEL_LEAVE) {
		memcpy(w->kept_by_next, m.kept_by_next, sizeof w->kept_by_next);
		if (watchdog_is_stuck(&w->watchdog))
			leave_stuck(w);
		w->is_reload = m.is_reload;
		w->is_journal_left = !m.keeps_journal;
		leave_for_next(w);
	} else if (m.kind == CHANNEL_COUNTS) {
		/* A reload has failed.  The supervisor may not know yet that
		 * the outputs are good. */
		m.worker_counts.are_outputs_good |=
			w->worker_counts.are_outputs_good;
		w->worker_counts = m.worker_counts;
		worker_reload_ended(w, RELOAD_FAILED);
	} else if (m.kind == CHANNEL_REFUSED) {
		worker_reload_ended(w, RELOAD_REFUSED);
	}
}

static void on_signal(uv_signal_t *signal, int signum)
{
	struct worker *w = signal->data;
	if (signum == SIGUSR1) {
		log_line(LOG_INFO, "worker",
			 "signal=SIGUSR1 action=\"reopening files\"");
		pipeline_reopen(w->pipeline);
	} else if (signum == SIGHUP) {
		if (w->opts->channel < 0) /* otherwise the supervisor does */
			request_reload(w);
	} else if (w->state == RUNNING) {
		log_line(LOG_INFO, "worker", "signal=%d", signum);
		drain(w, (int64_t)worker_grace_ms(w));
	}
}

static void on_health_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	status_tick(w->status);
}

/* The HTTP server answers all waiting requests before it returns to the loop.
 * Many of them would take longer than a short queue of the kernel lasts, so
 * receive before each answer. */
static void answer_http(void *data, const struct http_request *request,
			struct http_answer *answer)
{
	struct worker *w = data;
	if (w->state == RUNNING || w->state == DRAINING)
		receiver_poll_datagrams(w->receiver);
	status_set_stuck(w->status, watchdog_is_stuck(&w->watchdog));
	status_answer(w->status, request, answer);
}

/* --- starting */

static void init_handles(struct worker *w)
{
	uv_timer_t *timers[] = {&w->idle_timer, &w->grace_timer,
				&w->health_timer};
	for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
		CHECK(uv_timer_init(&w->loop, timers[i]) == 0);
		timers[i]->data = w;
	}
	CHECK(uv_async_init(&w->loop, &w->finished, on_finished) == 0);
	w->finished.data = w;
}

static void start_signals(struct worker *w)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	signal(SIGPIPE, SIG_IGN);
	/* Exceeding a file size limit is then an error of write(). */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		CHECK(uv_signal_init(&w->loop, &w->signals[i]) == 0);
		w->signals[i].data = w;
		uv_signal_start(&w->signals[i], on_signal, numbers[i]);
	}
}

static bool open_journal(struct worker *w, struct err *e)
{
	w->journal = assemble_journal(w->opts->assembly, SLOTS,
				      w->opts->died_of_other, e);
	return w->journal != NULL;
}

static bool start_pipeline(struct worker *w, struct err *e)
{
	const struct assembly *a = w->opts->assembly;
	struct pipeline_opts opts = {
		.journal = w->journal,
		.decoders = a->decoders,
		.decoder_count = a->input_count,
		.chain = a->chain,
		.router = a->router,
		.dead_letter = a->dead_letter,
		.is_durable = a->journal_path != NULL,
		.on_progress = on_pipeline_progress,
		.on_finished = on_pipeline_finished,
		.data = w,
	};
	w->pipeline = pipeline_start(&opts, e);
	return w->pipeline != NULL;
}

static void start_receiver(struct worker *w)
{
	struct receiver_input inputs[ENDPOINTS_MAX] = {0};
	struct receiver_opts opts = {
		.loop = &w->loop,
		.journal = w->journal,
		.endpoints = w->opts->endpoints,
		.handover = w->opts->handover,
		.inputs = inputs,
		.connections_max = w->opts->assembly->descriptors.connections,
		.ending_max = w->opts->assembly->descriptors.ending,
		.slots = SLOTS,
		.wake_after_ms = (uint64_t)(w->settings->flush_s * 1000 / 2),
		.on_messages = wake_pipeline,
		.data = w,
	};
	for (uint32_t i = 0; i < opts.endpoints->specs.socket_count; i++) {
		const struct input *in = &w->opts->assembly->inputs[i];
		struct socket *s = opts.endpoints->sockets[i];
		inputs[i] = (struct receiver_input){
			.framing = in->framing,
			.message_bytes_max = in->message_bytes_max,
			.keeps_peer_address = in->keeps_peer_address,
			.idle_ms = in->idle_ms,
		};
		w->inputs[i] = (struct metrics_input){
			.name = in->name,
			.socket = socket_stats(s),
			.queue_length = socket_queue_length(s),
			.counts_kernel_drops = socket_kind(s) == SOCKET_UDP,
		};
	}
	w->receiver = receiver_new(&opts);
}

static bool start_http(struct worker *w, struct err *e)
{
	if (w->opts->endpoints->http_fd < 0)
		return true;
	const struct descriptors *shares = &w->opts->assembly->descriptors;
	struct http_opts opts = {.fd = w->opts->endpoints->http_fd,
				 .clients_max = shares->http,
				 .ending_max = shares->http_ending,
				 .answer = answer_http,
				 .data = w};
	w->http = http_start(&w->loop, &opts, e);
	if (w->http != NULL)
		w->opts->endpoints->http_fd = -1;
	return w->http != NULL;
}

static void start_status(struct worker *w)
{
	struct status_opts opts = {
		.settings = w->settings,
		.journal = w->journal,
		.pipeline = w->pipeline,
		.inputs = w->inputs,
		.input_count = w->opts->endpoints->specs.socket_count,
		.worker_counts = &w->worker_counts,
		.output_probe = w->readiness.probe,
		.on_reload = request_reload,
		.data = w,
	};
	w->status = status_new(&opts);
	uint64_t tick_ms = status_tick_ms(w->status);
	if (w->settings->health_check)
		uv_timer_start(&w->health_timer, on_health_timer, tick_ms,
			       tick_ms);
}

static void start_watchdog(struct worker *w)
{
	struct watchdog_opts opts = {
		.loop = &w->loop,
		.pipeline = w->pipeline,
		.timeout_s = w->settings->hook_timeout_s,
		.channel = w->opts->channel,
		.on_alone = leave_stuck,
		.data = w,
	};
	watchdog_start(&w->watchdog, &opts);
}

/* The pipeline's thread is the last thing that can fail, so that nothing has to
 * be stopped on failure. */
static bool start(struct worker *w, struct err *e)
{
	start_signals(w);
	if (!open_journal(w, e) || !start_http(w, e))
		return false;
	start_receiver(w);
	if (!readiness_start(&w->readiness, &w->loop,
			     w->opts->assembly->confs[0], e) ||
	    !start_pipeline(w, e))
		return false;
	start_status(w);
	start_watchdog(w);
	if (w->opts->channel >= 0) {
		CHECK(uv_poll_init(&w->loop, &w->channel, w->opts->channel) ==
		      0);
		w->channel.data = w;
		uv_poll_start(&w->channel, UV_READABLE, on_channel);
	}
	struct channel_message working = {.kind = CHANNEL_WORKING};
	if (w->opts->channel >= 0 && !channel_send(w->opts->channel, &working))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
	receiver_start(w->receiver);
	if (w->opts->is_draining)
		drain(w, w->opts->grace_left_ms);
	return true;
}

bool worker_run(const struct worker_opts *opts, struct err *e)
{
	struct worker *w = mem_new(1, sizeof *w);
	w->opts = opts;
	w->settings = &opts->assembly->settings;
	w->worker_counts = opts->worker_counts;
	w->readiness = (struct readiness){.channel = opts->channel,
					  .counts = &w->worker_counts};
	CHECK(uv_loop_init(&w->loop) == 0);
	init_handles(w);
	bool started = start(w, e);
	if (started)
		log_line(LOG_INFO, "worker", "state=ready version=%s",
			 metrics_version());
	else
		close_all(w);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&w->loop) == 0);
	status_free(w->status);
	pipeline_free(w->pipeline);
	journal_close(w->journal);
	free(w);
	return started;
}
