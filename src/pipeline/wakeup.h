/* SPDX-License-Identifier: Apache-2.0 */
/* wakeup - how the intake thread wakes the pipeline thread and gives it orders.
 *
 * A notification says that messages wait.  An order ends any sleep and stays in
 * force until the thread ends, except `reopen`, which is delivered once.
 * One thread waits; any thread may notify or order. */
#ifndef PIPELINE_WAKEUP_H
#define PIPELINE_WAKEUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The orders in force when wakeup_wait returned. */
struct orders {
	bool reopen;
	bool finish;
	bool leave;
	bool stop_retrying;
};

struct wakeup {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool is_notified;
	bool is_ordered;
	struct orders orders;
};

enum order { ORDER_REOPEN, ORDER_FINISH, ORDER_LEAVE, ORDER_STOP_RETRYING };

/* Initialise storage of the caller; call wakeup_fini after the thread ended. */
void wakeup_init(struct wakeup *);
void wakeup_fini(struct wakeup *);

/* Messages wait.  Cheap if the thread has been notified already. */
void wakeup_notify(struct wakeup *);
void wakeup_order(struct wakeup *, enum order);

/* Sleep until notified or ordered, at most `ms` milliseconds, which may be 0.
 * Then return the orders.  With `orders_only`, a notification does not end the
 * sleep: new datagrams are no reason to retry a full disk earlier. */
struct orders wakeup_wait(struct wakeup *, int64_t ms, bool orders_only);

/* Sleep for `ns` nanoseconds or until an order, which stays for wakeup_wait. */
void wakeup_sleep(struct wakeup *, int64_t ns);

#endif
