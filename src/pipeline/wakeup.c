/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/wakeup.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

void wakeup_init(struct wakeup *w)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&w->lock, NULL);
}

void wakeup_fini(struct wakeup *w)
{
	pthread_cond_destroy(&w->cond);
	pthread_mutex_destroy(&w->lock);
}

void wakeup_notify(struct wakeup *w)
{
	pthread_mutex_lock(&w->lock);
	if (!w->is_notified)
		pthread_cond_signal(&w->cond);
	w->is_notified = true;
	pthread_mutex_unlock(&w->lock);
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
	case ORDER_PAUSE:
		return &o->pause;
	case ORDER_STOP_RETRYING:
		break;
	}
	return &o->stop_retrying;
}

/* The caller holds the lock. */
static void give_order(struct wakeup *w)
{
	if (!w->is_ordered)
		pthread_cond_signal(&w->cond);
	w->is_notified = true;
	w->is_ordered = true;
}

void wakeup_order(struct wakeup *w, enum order order)
{
	pthread_mutex_lock(&w->lock);
	if (order == ORDER_FINISH || order == ORDER_LEAVE)
		w->orders.pause = w->is_paused = false;
	*flag_of(&w->orders, order) = true;
	give_order(w);
	pthread_mutex_unlock(&w->lock);
}

void wakeup_resume(struct wakeup *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->orders.pause) {
		w->orders.pause = w->is_paused = false;
		give_order(w);
	}
	pthread_mutex_unlock(&w->lock);
}

bool wakeup_is_paused(struct wakeup *w)
{
	pthread_mutex_lock(&w->lock);
	bool is_paused = w->is_paused;
	pthread_mutex_unlock(&w->lock);
	return is_paused;
}

bool wakeup_has_order(const struct wakeup *w)
{
	return atomic_load_explicit(&w->is_ordered, memory_order_relaxed);
}

static struct timespec deadline_in(int64_t ns)
{
	int64_t at_ns = clock_mono_ns() + ns;
	return (struct timespec){
		.tv_sec = (time_t)(at_ns / NS_PER_S),
		.tv_nsec = (long)(at_ns % NS_PER_S),
	};
}

/* The caller holds the lock. */
static void sleep_for(struct wakeup *w, int64_t ns, bool orders_only)
{
	struct timespec until = deadline_in(ns);
	while (!w->is_ordered && (orders_only || !w->is_notified))
		if (pthread_cond_timedwait(&w->cond, &w->lock, &until) ==
		    ETIMEDOUT)
			break;
}

struct orders wakeup_wait(struct wakeup *w, int64_t ms, bool orders_only)
{
	pthread_mutex_lock(&w->lock);
	if (ms > 0)
		sleep_for(w, ms * NS_PER_MS, orders_only);
	w->is_notified = false;
	w->is_ordered = false;
	struct orders orders = w->orders;
	if (orders.pause)
		orders.reopen = false; /* it waits for the end of the pause */
	else
		w->orders.reopen = false;
	w->is_paused = orders.pause;
	pthread_mutex_unlock(&w->lock);
	return orders;
}

void wakeup_sleep(struct wakeup *w, int64_t ns)
{
	pthread_mutex_lock(&w->lock);
	sleep_for(w, ns, true);
	pthread_mutex_unlock(&w->lock);
}
