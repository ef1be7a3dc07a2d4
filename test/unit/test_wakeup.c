/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <unistd.h>

#include "base/clock.h"
#include "pipeline/wakeup.h"

/* If nobody ends a sleep, the alarm that main() sets ends the test, which
 * fails. */
enum { FOREVER_MS = 24 * 3600 * 1000, ALARM_S = 240 };

static void a_notification_ends_one_sleep(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_notify(&b);
	wakeup_notify(&b);
	struct orders o = wakeup_wait(&b, FOREVER_MS, false);
	assert_false(o.reopen || o.finish || o.leave || o.stop_retrying);
	assert_false(b.is_notified);
	/* The notification is not delivered twice: this call sleeps its
	 * millisecond. */
	int64_t before_ns = clock_mono_ns();
	wakeup_wait(&b, 1, false);
	assert_true(clock_mono_ns() - before_ns >= NS_PER_MS);
	wakeup_fini(&b);
}

static void a_throttled_sleeper_is_woken_by_orders_only(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_notify(&b);
	int64_t before_ns = clock_mono_ns();
	wakeup_wait(&b, 1, true);
	assert_true(clock_mono_ns() - before_ns >= NS_PER_MS);
	wakeup_order(&b, ORDER_LEAVE);
	assert_true(wakeup_wait(&b, FOREVER_MS, true).leave);
	wakeup_fini(&b);
}

static void a_short_sleep_leaves_the_order_unread(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_notify(&b);
	int64_t before_ns = clock_mono_ns();
	wakeup_sleep(&b, NS_PER_MS);
	assert_true(clock_mono_ns() - before_ns >= NS_PER_MS);
	assert_true(b.is_notified);
	wakeup_order(&b, ORDER_FINISH);
	wakeup_sleep(&b, FOREVER_MS * NS_PER_MS);
	assert_true(wakeup_wait(&b, FOREVER_MS, true).finish);
	wakeup_fini(&b);
}

static void only_the_order_to_reopen_is_delivered_once(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_order(&b, ORDER_REOPEN);
	wakeup_order(&b, ORDER_STOP_RETRYING);
	struct orders o = wakeup_wait(&b, 0, false);
	assert_true(o.reopen && o.stop_retrying);
	assert_false(o.finish || o.leave);
	o = wakeup_wait(&b, 0, false);
	assert_true(o.stop_retrying && !o.reopen);
	wakeup_fini(&b);
}

static void a_pause_lasts_until_it_is_ended(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_resume(&b);
	assert_false(wakeup_has_order(&b));
	wakeup_order(&b, ORDER_PAUSE);
	assert_true(wakeup_has_order(&b));
	assert_false(wakeup_is_paused(&b));
	wakeup_order(&b, ORDER_REOPEN);
	struct orders o = wakeup_wait(&b, 0, false);
	assert_true(o.pause && !o.reopen);
	assert_true(wakeup_is_paused(&b));
	wakeup_resume(&b);
	assert_false(wakeup_is_paused(&b));
	o = wakeup_wait(&b, FOREVER_MS, true);
	assert_true(o.reopen && !o.pause);
	wakeup_fini(&b);
}

static void a_second_pause_must_be_seen_anew(void **state)
{
	(void)state;
	struct wakeup b = {0};
	wakeup_init(&b);
	wakeup_order(&b, ORDER_PAUSE);
	wakeup_wait(&b, 0, false);
	wakeup_resume(&b);
	wakeup_order(&b, ORDER_PAUSE);
	assert_false(wakeup_is_paused(&b));
	assert_true(wakeup_wait(&b, FOREVER_MS, true).pause);
	wakeup_order(&b, ORDER_LEAVE);
	assert_false(wakeup_is_paused(&b));
	struct orders o = wakeup_wait(&b, FOREVER_MS, true);
	assert_true(o.leave && !o.pause);
	wakeup_fini(&b);
}

static void *order_to_leave(void *data)
{
	wakeup_order(data, ORDER_LEAVE);
	return NULL;
}

static void an_order_wakes_a_sleeper(void **state)
{
	(void)state;
	struct wakeup b = {0};
	pthread_t other;
	wakeup_init(&b);
	assert_int_equal(pthread_create(&other, NULL, order_to_leave, &b), 0);
	assert_true(wakeup_wait(&b, FOREVER_MS, true).leave);
	pthread_join(other, NULL);
	wakeup_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notification_ends_one_sleep),
		cmocka_unit_test(a_throttled_sleeper_is_woken_by_orders_only),
		cmocka_unit_test(a_short_sleep_leaves_the_order_unread),
		cmocka_unit_test(only_the_order_to_reopen_is_delivered_once),
		cmocka_unit_test(a_pause_lasts_until_it_is_ended),
		cmocka_unit_test(a_second_pause_must_be_seen_anew),
		cmocka_unit_test(an_order_wakes_a_sleeper),
	};
	alarm(ALARM_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
