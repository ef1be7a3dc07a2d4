/* SPDX-License-Identifier: Apache-2.0 */
/* hook_unit - one lua filter: a script, JSON in, the outcome as text.
 *
 * The outcome of a record is "seconds.nanoseconds json", with " | " between
 * several records, or one word: "dropped" or "undecided". */
#ifndef UNIT_HOOK_UNIT_H
#define UNIT_HOOK_UNIT_H

#include "files.h"
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

enum { T_S = 1795219198 }; /* 2026-11-20 23:59:58 UTC */
#define T (T_S * NS_PER_S)
#define T_TEXT "1795219198.000000000 "
#define KEYS " script hook.lua\n call hook\n"

struct hook_unit {
	struct emit emit; /* must be first: on_next() casts it */
	char dir[TEMP_DIR_BYTES];
	char path[96]; /* of the script */
	struct conf *conf;
	struct filter *filter;
	struct arena *arena;
	struct json_reader *json;
	struct message message;
	bool dead_letters;
	struct span tag; /* of the next record; "kube.*" until a test sets it */
	const char *sets; /* @SET lines for the configuration, or NULL */
	struct buf out;
};

/* cmocka set-up and teardown; *state is the struct hook_unit. */
int hook_unit_set_up(void **state);
int hook_unit_tear_down(void **state);
#define TEST(name)                                              \
	cmocka_unit_test_setup_teardown(name, hook_unit_set_up, \
					hook_unit_tear_down)

/* Open the filter with this script and these keys; an open filter is closed
 * first.  False on a mistake, with *e saying which. */
bool hook_unit_try_open(struct hook_unit *, const char *script,
			const char *keys, struct err *e);

/* Open a script that has no mistake; its function is "hook". */
void hook_unit_open(struct hook_unit *, const char *script);

/* The same for a script that is one function with this body. */
void hook_unit_open_body(struct hook_unit *, const char *body,
			 const char *keys);

void hook_unit_close(struct hook_unit *);

/* Run the hook on a record with that time, or with the time T.  The answer is
 * the outcome; it is valid until the next call. */
const char *hook_unit_give_at(struct hook_unit *, const char *json,
			      int64_t time_ns);
const char *hook_unit_give(struct hook_unit *, const char *json);

/* How many failures were counted, under one reason or in all. */
uint64_t hook_unit_failures(const struct hook_unit *, const char *reason);
uint64_t hook_unit_all_failures(const struct hook_unit *);

struct hook_case {
	const char *body;
	const char *in;
	const char *out;
};

/* Run each case in a script of its own.  Each must count one failure under
 * `reason`, or none if `reason` is NULL. */
void hook_unit_check(struct hook_unit *, const struct hook_case *cases,
		     size_t count, const char *reason);

#endif
