/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. worker_run opens the journal, and starts HTTP, the receiver, the pipeline
 *     thread and signals on one libuv loop.  The worker sends WORKING.
 *  2. The supervisor sends STOP.  Then drain() receives until no sender is
 *     connected.  If there may be invisible senders, it also waits for 1.5 s
 *     without a datagram.
 *  3. worker_finish() refuses senders and reads the data that the kernel still
 *     holds.  Then pipeline_finish writes everything that is in the journal.
 *  4. on_finished logs the final counts and closes all handles.
 *
 * On a reload the supervisor sends LEAVE (process/messages.c).  When the
 * pipeline has finished its batch, leave() hands connections over, and the next
 * worker finds the rest.
 *
 * A signal to this process means the same as one to the supervisor.  The worker
 * passes it on, because it must not stop on its own: it would shut down the
 * sockets, which the next worker needs.  It reopens files itself.
 *
 * Failure modes:
 *  - something cannot be opened: worker_run closes what it opened and fails;
 *  - Grace is over: the pipeline makes one more attempt to write
 *    (process/grace.c);
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
#include "process/spills_left.h"
#include "process/worker_state.h"
#include "setup/assemble.h"
#include "setup/assemble_journal.h"
#include "status/http.h"
#include "status/status.h"

enum {
	/* Each tick counts the connected senders.  After this many ticks
	 * without a datagram (1.25 to 1.75 s), the worker considers invisible
	 * senders gone.  A stall of the whole machine counts as one tick. */
	IDLE_TICK_MS = 250,
	IDLE_TICKS = 6,
};

int64_t worker_grace_ms(const struct worker *w)
{
	return (int64_t)(w->settings->grace_s * 1000);
}

/* --- stopping */

static void on_received_all(void *data)
{
	hold_finish_pipeline(data);
}

void worker_finish(struct worker *w)
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
		worker_finish(w);
}

static void drain(struct worker *w, int64_t grace_ms)
{
	struct senders senders = senders_of(w->opts->endpoints);
	log_line(LOG_INFO, "worker",
		 "state=draining grace_ms=%" PRId64
		 " senders=%zu source=\"%s\" until=\"%s\"",
		 grace_ms, senders.connected, senders_source(&senders),
		 senders.has_unseen ? "no sender is connected, and no datagram "
				      "came for about 1.5 s"
				    : "no sender is connected");
	if (senders.has_no_source)
		log_line(LOG_WARN, "worker",
			 "err=\"the kernel does not report which senders are "
			 "connected to the socket\" "
			 "action=\"ending after about 1.5 s without a "
			 "datagram; the lines of later requests are lost\"");
	w->state = DRAINING;
	hold_resume_pipeline(w); /* it pauses if the worker was to leave */
	w->arrivals = receiver_arrivals(w->receiver);
	uv_timer_start(&w->idle_timer, on_idle_tick, 0, IDLE_TICK_MS);
	uv_timer_start(&w->grace_timer, worker_on_grace_over,
		       (uint64_t)grace_ms, 0);
}

void worker_stop(struct worker *w, int64_t grace_ms)
{
	if (w->state == RUNNING)
		drain(w, grace_ms);
	else
		leave_within(w, grace_ms);
}

static void wake_pipeline(void *data)
{
	struct worker *w = data;
	pipeline_wake(w->pipeline);
}

static void on_retired_read(void *data)
{
	struct worker *w = data;
	struct channel_message m = {.kind = CHANNEL_RETIRED_READ};
	retired_close(&w->opts->endpoints->retired);
	if (!channel_send(w->opts->channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
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
	/* Closing a signal's handle restores the default action, which would
	 * end the process with a signal.  From now on, signals wait. */
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	uv_walk(&w->loop, close_handle, NULL);
}

static void close_all(struct worker *w)
{
	http_stop(w->http, close_rest, w);
}

static void on_progress(uv_async_t *async)
{
	leave_if_possible(async->data);
}

static void on_finished(uv_async_t *async)
{
	struct worker *w = async->data;
	/* The next worker does not continue the counters in memory. */
	if (w->state != LEAVING || w->settings->storage_in_memory)
		status_log_final_counts(w->status);
	w->state = STOPPED;
	uv_timer_stop(&w->grace_timer); /* the pipeline met its deadline */
	/* The thread may still be inside a callback that uses the handles. */
	pipeline_join(w->pipeline);
	leave_save_journal(w);
	close_all(w);
}

/* --- called in the pipeline thread */

static void on_pipeline_progress(void *data, bool is_blocked)
{
	struct worker *w = data;
	receiver_progress(w->receiver, is_blocked);
	if (atomic_load(&w->waits_to_leave))
		uv_async_send(&w->progress);
}

static void on_pipeline_paused(void *data)
{
	struct worker *w = data;
	uv_async_send(&w->progress);
}

static void on_pipeline_finished(void *data)
{
	struct worker *w = data;
	uv_async_send(&w->finished);
}

/* --- events from outside */

static void on_signal(uv_signal_t *signal, int signum)
{
	struct worker *w = signal->data;
	if (signum != SIGUSR1 && w->opts->channel >= 0) {
		worker_pass_on_signal(w, signum);
	} else if (w->state == STOPPED) {
		return;
	} else if (signum == SIGUSR1) {
		log_line(LOG_INFO, "worker",
			 "signal=SIGUSR1 action=\"reopening files\"");
		log_reopen();
		pipeline_reopen(w->pipeline);
	} else if (signum == SIGHUP) {
		worker_request_reload(w); /* logs that this is impossible */
	} else {
		log_line(LOG_INFO, "worker", "signal=%d action=stopping",
			 signum);
		worker_stop(w, worker_grace_ms(w));
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
	CHECK(uv_async_init(&w->loop, &w->progress, on_progress) == 0);
	CHECK(uv_async_init(&w->loop, &w->finished, on_finished) == 0);
	w->progress.data = w->finished.data = w;
}

static void start_signals(struct worker *w)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP,
					     SIGUSR1};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		CHECK(uv_signal_init(&w->loop, &w->signals[i]) == 0);
		w->signals[i].data = w;
		uv_signal_start(&w->signals[i], on_signal, numbers[i]);
	}
	/* A signal to stop that came while this process was starting is
	 * delivered now. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool open_journal(struct worker *w, struct err *e)
{
	struct assemble_journal_opts opts = {
		.died_of_other = w->opts->died_of_other,
		.keeps_file = w->is_held,
		.fd = w->opts->journal_fd,
		.retired = &w->opts->endpoints->retired,
	};
	w->journal = assemble_journal(w->opts->assembly, &opts, e);
	if (w->journal != NULL)
		worker_pass_on_journal(w);
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
		.starts_held = w->is_held,
		.on_progress = on_pipeline_progress,
		.on_finished = on_pipeline_finished,
		.on_paused = on_pipeline_paused,
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
		.slots = ASSEMBLE_JOURNAL_SLOTS,
		.wake_after_ms = (uint64_t)(w->settings->flush_s * 1000 / 2),
		.on_messages = wake_pipeline,
		.on_retired_read = on_retired_read,
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
		.on_reload = worker_request_reload,
		.reload_from_ns = &w->reload_from_ns,
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
	if (!open_journal(w, e))
		return false;
	spills_left_take(w->opts->left_journal, w->opts->assembly->spill_dir,
			 w->is_held);
	if (!start_http(w, e))
		return false;
	start_receiver(w);
	if (!readiness_start(&w->readiness, &w->loop,
			     w->opts->assembly->confs[0], e) ||
	    !start_pipeline(w, e))
		return false;
	start_status(w);
	start_watchdog(w);
	worker_watch_channel(w);
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
	w->is_held = opts->is_held;
	w->readiness = (struct readiness){.channel = opts->channel,
					  .counts = &w->worker_counts};
	CHECK(uv_loop_init(&w->loop) == 0);
	init_handles(w);
	bool started = start(w, e);
	if (started) {
		log_line(LOG_INFO, "worker", "state=ready version=%s",
			 metrics_version());
	} else {
		w->state = STOPPED;
		close_all(w);
	}
	uv_run(&w->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&w->loop) == 0);
	status_free(w->status);
	pipeline_free(w->pipeline);
	journal_close(w->journal);
	free(w);
	return started;
}
