/* SPDX-License-Identifier: Apache-2.0 */
#include "process/watchdog.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "pipeline/pipeline.h"
#include "process/channel.h"

enum {
	/* The timeout of a message, in ticks.  A message is seen at up to one
	 * tick after its beginning. */
	TICKS = 20,
	/* The same for an output that does not answer. */
	OUTPUT_TICKS = 4,
	OUTPUT_TICK_MS = 500,
};

static int64_t tick_ns(const struct watchdog *d)
{
	return (int64_t)(d->opts.timeout_s * NS_PER_S / TICKS);
}

static bool is_over(const struct watchdog *d)
{
	return d->spent_ns >= TICKS * tick_ns(d);
}

static void on_stuck(struct watchdog *d, const char *filter)
{
	struct channel_message m = {.kind = CHANNEL_STUCK};
	const char *action =
		d->opts.channel >= 0
			? "replacing the worker; after two attempts the "
			  "message becomes a dead letter or is dropped"
			: "exiting; the message is processed again after a "
			  "restart";
	log_line(LOG_ERROR, "watchdog",
		 "filter=%s err=\"a message takes longer than Hook_Timeout\" "
		 "hook_timeout_s=%g action=\"%s\"",
		 filter != NULL ? filter : "none", d->opts.timeout_s, action);
	if (d->opts.channel < 0 || !channel_send(d->opts.channel, &m))
		d->opts.on_alone(d->opts.data);
}

static void on_tick(uv_timer_t *timer)
{
	struct watchdog *d = timer->data;
	const char *filter;
	uint64_t work = pipeline_work(d->opts.pipeline, &filter);
	bool was_over = is_over(d);
	int64_t wait_ns =
		work != 0 ? pipeline_cpu_wait_ns(d->opts.pipeline) : 0;
	int64_t spent_ns = tick_ns(d) - (wait_ns - d->cpu_wait_ns);
	if (work == 0 || work != d->work)
		d->spent_ns = 0;
	else if (spent_ns > 0)
		d->spent_ns += spent_ns;
	d->work = work;
	d->cpu_wait_ns = wait_ns;
	if (is_over(d) && !was_over)
		on_stuck(d, filter);
}

static unsigned seconds_of(unsigned output_ticks)
{
	return output_ticks * OUTPUT_TICK_MS / 1000;
}

static void on_silent(struct watchdog *d, const struct output_work *at)
{
	if (!pipeline_set_hanging(d->opts.pipeline, d->output_work)) {
		d->output_ticks = 0;
		return;
	}
	d->output = at->output;
	log_rated(&d->silent_rate, LOG_ERROR, "watchdog",
		  "output=%s path=%s err=\"an output has not answered for %u "
		  "s\" action=\"messages stay in the journal until it answers; "
		  "check its disk, and with lsof who else uses the file\"",
		  at->output, at->path[0] != '\0' ? at->path : "none",
		  seconds_of(d->output_ticks));
}

static void on_output_tick(uv_timer_t *timer)
{
	struct watchdog *d = timer->data;
	struct output_work at;
	uint64_t work = pipeline_output_work(d->opts.pipeline, &at);
	if (work == 0 || work != d->output_work) {
		if (d->output_ticks >= OUTPUT_TICKS)
			log_rated(&d->answered_rate, LOG_INFO, "watchdog",
				  "output=%s state=answered after_s=%u",
				  d->output, seconds_of(d->output_ticks));
		d->output_work = work;
		d->output_ticks = 0;
	} else if (++d->output_ticks % OUTPUT_TICKS == 0) {
		on_silent(d, &at);
	}
}

void watchdog_start(struct watchdog *d, const struct watchdog_opts *opts)
{
	*d = (struct watchdog){.opts = *opts};
	CHECK(uv_timer_init(opts->loop, &d->timer) == 0);
	CHECK(uv_timer_init(opts->loop, &d->output_timer) == 0);
	d->timer.data = d->output_timer.data = d;
	uint64_t tick_ms = (uint64_t)(tick_ns(d) / NS_PER_MS);
	if (opts->timeout_s > 0)
		uv_timer_start(&d->timer, on_tick, tick_ms + 1, tick_ms + 1);
	uv_timer_start(&d->output_timer, on_output_tick, OUTPUT_TICK_MS,
		       OUTPUT_TICK_MS);
}

bool watchdog_is_stuck(const struct watchdog *d)
{
	const char *filter;
	return d->opts.timeout_s > 0 && is_over(d) &&
	       pipeline_work(d->opts.pipeline, &filter) == d->work;
}
