/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/wakeup.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

void wakeup_init(struct wakeup *b)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&b->lock, NULL);
}

void wakeup_fini(struct wakeup *b)
{
	pthread_cond_destroy(&b->cond);
	pthread_mutex_destroy(&b->lock);
}

void wakeup_notify(struct wakeup *b)
{
	pthread_mutex_lock(&b->lock);
	if (!b->is_notified)
		pthread_cond_signal(&b->cond);
	b->is_notified = true;
	pthread_mutex_unlock(&b->lock);
}

static bool *flag_of(struct orders *o, enum order order)
{
	switch (order) {
	case ORDER_REOPEN:
		return &o->reopen;
	case ORDER_FINISH:
		return &o->finish;
	case ORDER_LEAVE:
		return &o->leave;
	case ORDER_ABANDON:
		break;
	}
	return &o->abandon;
}

void wakeup_order(struct wakeup *b, enum order order)
{
	pthread_mutex_lock(&b->lock);
	if (!b->is_ordered)
		pthread_cond_signal(&b->cond);
	b->is_notified = b->is_ordered = true;
	*flag_of(&b->orders, order) = true;
	pthread_mutex_unlock(&b->lock);
}

static struct timespec deadline_in(int64_t ns)
{
	int64_t at_ns = clock_mono_ns() + ns;
	return (struct timespec){
		.tv_sec = (time_t)(at_ns / NS_PER_S),
		.tv_nsec = (long)(at_ns % NS_PER_S),
	};
}

/* Locked.  A ring ends the sleep too, unless calm. */
static void sleep_for(struct wakeup *b, int64_t ns, bool calm)
{
	struct timespec until = deadline_in(ns);
	while (!b->is_ordered && (calm || !b->is_notified))
		if (pthread_cond_timedwait(&b->cond, &b->lock, &until) ==
		    ETIMEDOUT)
			break;
}

struct orders wakeup_wait(struct wakeup *b, int64_t ms, bool calm)
{
	pthread_mutex_lock(&b->lock);
	if (ms > 0)
		sleep_for(b, ms * NS_PER_MS, calm);
	b->is_notified = b->is_ordered = false;
	struct orders orders = b->orders;
	b->orders.reopen = false;
	pthread_mutex_unlock(&b->lock);
	return orders;
}

void wakeup_sleep(struct wakeup *b, int64_t ns)
{
	pthread_mutex_lock(&b->lock);
	sleep_for(b, ns, true);
	pthread_mutex_unlock(&b->lock);
}
