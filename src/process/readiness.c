/* SPDX-License-Identifier: Apache-2.0 */
#include "process/readiness.h"

#include "base/log.h"
#include "process/channel.h"
#include "setup/output_probe.h"

/* Called in the thread that tries the outputs. */
static void on_good(void *data)
{
	struct readiness *r = data;
	uv_async_send(&r->good);
}

static void report(uv_async_t *async)
{
	struct readiness *r = async->data;
	struct channel_message m = {.kind = CHANNEL_OUTPUTS_GOOD};
	r->counts->are_outputs_good = true;
	if (r->channel >= 0 && !channel_send(r->channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
}

bool readiness_start(struct readiness *r, uv_loop_t *loop,
		     const struct conf *conf, struct err *e)
{
	if (r->counts->are_outputs_good)
		return true;
	CHECK(uv_async_init(loop, &r->good, report) == 0);
	r->good.data = r;
	r->probe = output_probe_start(conf, on_good, r, e);
	return r->probe != NULL;
}

void readiness_stop(struct readiness *r)
{
	output_probe_stop(r->probe);
	r->probe = NULL;
}
