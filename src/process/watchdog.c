/* SPDX-License-Identifier: Apache-2.0 */
#include "process/watchdog.h"

#include "base/check.h"
#include "base/log.h"
#include "pipeline/pipeline.h"
#include "process/channel.h"

/* The timeout, in ticks.  A message is seen at up to one tick after its
 * beginning. */
enum { TICKS = 20 };

static void on_stuck(struct watchdog *d, const char *filter)
{
	struct channel_message m = {.kind = CHANNEL_STUCK};
	log_line(LOG_ERROR, "watchdog",
		 "filter=%s err=\"a message takes longer than Hook_Timeout\" "
		 "hook_timeout_s=%g action=\"replacing the worker; after two "
		 "attempts the message becomes a dead letter or is dropped\"",
		 filter != NULL ? filter : "none", d->opts.timeout_s);
	if (d->opts.channel < 0 || !channel_send(d->opts.channel, &m))
		d->opts.on_alone(d->opts.data);
}

static void on_tick(uv_timer_t *timer)
{
	struct watchdog *d = timer->data;
	const char *filter;
	uint64_t work = pipeline_work(d->opts.pipeline, &filter);
	if (work == 0 || work != d->work) {
		d->work = work;
		d->ticks = 0;
	} else if (d->ticks < TICKS && ++d->ticks == TICKS) {
		on_stuck(d, filter);
	}
}

void watchdog_start(struct watchdog *d, const struct watchdog_opts *opts)
{
	*d = (struct watchdog){.opts = *opts};
	CHECK(uv_timer_init(opts->loop, &d->timer) == 0);
	d->timer.data = d;
	uint64_t tick_ms = (uint64_t)(opts->timeout_s * 1000 / TICKS);
	if (opts->timeout_s > 0)
		uv_timer_start(&d->timer, on_tick, tick_ms + 1, tick_ms + 1);
}

bool watchdog_is_stuck(const struct watchdog *d)
{
	const char *filter;
	return d->ticks == TICKS &&
	       pipeline_work(d->opts.pipeline, &filter) == d->work;
}
