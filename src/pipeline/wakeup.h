/* SPDX-License-Identifier: Apache-2.0 */
/* wakeup - how the intake thread wakes the pipeline thread and gives it orders.
 *
 * A notification says that messages wait.  An order ends any sleep and stays in
 * force until the thread ends, except `reopen`, which is delivered once, and
 * `pause`, which `finish`, `leave` and wakeup_resume end.  `reopen` is not
 * delivered during a pause.
 * One thread waits; any thread may notify or order. */
#ifndef PIPELINE_WAKEUP_H
#define PIPELINE_WAKEUP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The orders in force when wakeup_wait returned. */
struct orders {
	bool reopen;
	bool finish;
	bool leave;
	bool stop_retrying;
	bool pause;
};

struct wakeup {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool is_notified;
	atomic_bool is_ordered; /* written with the lock held */
	struct orders orders;
	bool is_paused; /* wakeup_wait has returned `pause` */
};

enum order {
	ORDER_REOPEN,
	ORDER_FINISH,
	ORDER_LEAVE,
	ORDER_STOP_RETRYING,
	ORDER_PAUSE,
};

/* Initialise storage of the caller; call wakeup_fini after the thread ended. */
void wakeup_init(struct wakeup *);
void wakeup_fini(struct wakeup *);

/* Messages wait.  Cheap if the thread has been notified already. */
void wakeup_notify(struct wakeup *);
void wakeup_order(struct wakeup *, enum order);

/* End a pause.  Nothing happens if none is ordered. */
void wakeup_resume(struct wakeup *);

/* Whether wakeup_wait has returned `pause`, and the pause has not been ended
 * since.  Then the thread that waits does nothing but wait again. */
bool wakeup_is_paused(struct wakeup *);

/* Whether an order waits for wakeup_wait.  Cheap. */
bool wakeup_has_order(const struct wakeup *);

/* Sleep until notified or ordered, at most `ms` milliseconds, which may be 0.
 * Then return the orders.  With `orders_only`, a notification does not end the
 * sleep: new datagrams are no reason to retry a full disk earlier. */
struct orders wakeup_wait(struct wakeup *, int64_t ms, bool orders_only);

/* Sleep for `ns` nanoseconds or until an order, which stays for wakeup_wait. */
void wakeup_sleep(struct wakeup *, int64_t ns);

#endif
