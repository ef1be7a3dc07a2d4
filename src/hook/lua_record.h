/* SPDX-License-Identifier: Apache-2.0 */
/* lua_record - a record as a hook sees it, and what a hook gives back.
 *
 *     C: the view, a copy of the fields      Lua: the proxy, a table
 *     [ method="GET" | a=null | log_path=".." ]    { a = {..}, took_s = 0.5 }
 *            |            |         |                  |
 *            |            |         +- assigned        |
 *            +- as given  +- moved --------------------+
 *
 * The proxy is an ordinary table that starts empty; its metatable looks up in
 * the view what is not in it, so that a hook pays for the fields it touches.
 * A field lives in one of the two.  A text, number or boolean that is assigned
 * goes into the view: most hooks need no more, and their table stays empty
 * (1,200 of 7,500 instructions a call less).  Other values, a map or array once
 * it is looked at, and what the view has no room for, move into the table: the
 * table has it, the view a null.  So what has moved and is gone from the table
 * was removed.  next, pairs, rawget and rawset know of it.
 *
 * Back: the view, what is in the table put over it; new fields come behind, in
 * the order of their names.  A table of the hook's own is read whole, by the
 * same rules, with the record's order for the fields that both have.
 * As after Fluent Bit's round trip: of equal keys the last is left, nulls are
 * gone (also at the end of arrays), floats without fraction are integers, a
 * table with a positive integer key is an array and loses its other keys.
 * Other than there, [] stays [] and large integers stay exact.  A key that is
 * a number or a boolean becomes its text.
 *
 * Each call has a proxy of its own, since hooks keep records in globals.  A
 * script that looks at an earlier one finds it: what the record was is set
 * aside after each of the first 1,000 calls, and as soon as that is looked at,
 * or a later one in vain, which is an error, records are full tables instead
 * of proxies.
 * (A table of its own costs some 60 ns a call more than using one again.)
 * getmetatable knows of no metatable; setmetatable makes a full table.
 * The record that was given is never changed, so a call that fails is as if
 * it had not been. */
#ifndef HOOK_LUA_RECORD_H
#define HOOK_LUA_RECORD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct lua_reader;
struct lua_record;
struct record;

/* What came back, in the arena of the record. */
struct lua_records {
	struct record *records; /* with the tag and time of the one given */
	size_t count;
	bool is_list;	 /* the hook returned an array of records */
	const char *why; /* when nothing did */
};

struct lua_record *lua_record_new(void);
void lua_record_free(struct lua_record *);

/* How values are read; to be set before lua_record_setup. */
struct lua_reader *lua_record_reader(struct lua_record *);

/* What follows may raise, and take `index` as Lua does. */

/* Once for a state: the metatables, what next, rawget and others are. */
void lua_record_setup(struct lua_record *, lua_State *);

/* Push the proxy of a record. */
void lua_record_push(struct lua_record *, lua_State *, const struct record *);

/* What the hook returned.  False when it is no record and no array of them;
 * then only `why` is set. */
bool lua_record_take(struct lua_record *, lua_State *, int index,
		     struct lua_records *) MUST_USE;

/* The hook has ended, and what it returned was taken: the proxy at `index` may
 * be looked at later. */
void lua_record_set_aside(struct lua_record *, lua_State *, int index);

/* The call is over, however it ended: its proxy is an earlier one from now
 * on.  Does not raise. */
void lua_record_end(struct lua_record *);

#endif
