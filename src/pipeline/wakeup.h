/* SPDX-License-Identifier: Apache-2.0 */
/* bell - how the intake thread wakes the pipeline's, and what it wants of it.
 *
 * To ring says that there are messages; an order ends any sleep.  An order
 * stands until the thread ends, but for `reopen`, which is given out once.
 * One thread listens, any may ring. */
#ifndef PIPELINE_WAKEUP_H
#define PIPELINE_WAKEUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct orders { /* as of one moment */
	bool reopen;
	bool finish;
	bool leave;
	bool abandon;
};

struct wakeup {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool is_notified;
	bool is_ordered;
	struct orders orders;
};

enum order { ORDER_REOPEN, ORDER_FINISH, ORDER_LEAVE, ORDER_ABANDON };

void wakeup_init(struct wakeup *);
void wakeup_fini(struct wakeup *);

/* Cheap when it has been heard of already. */
void wakeup_notify(struct wakeup *);
void wakeup_order(struct wakeup *, enum order);

/* Sleep until rung or for `ms`, which may be 0; then read the orders.  With
 * `calm` only an order ends the sleep: more datagrams are no reason to try a
 * full disk again. */
struct orders wakeup_wait(struct wakeup *, int64_t ms, bool calm);

/* Sleep for so long or until an order, which is left for wakeup_wait. */
void wakeup_sleep(struct wakeup *, int64_t ns);

#endif
