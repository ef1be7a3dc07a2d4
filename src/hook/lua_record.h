/* SPDX-License-Identifier: Apache-2.0 */
/* lua_record - a record as a hook sees it, and the conversion of what a hook
 * returns.
 *
 *     C: the view, a copy of the fields      Lua: the proxy, a table
 *     [ method="GET" | a=null | log_path=".." ]    { a = {..}, took_s = 0.5 }
 *            |            |         |                  |
 *            |            |         +- assigned        |
 *            +- as given  +- moved --------------------+
 *
 * The proxy is an ordinary Lua table that starts empty.  Its metatable looks up
 * missing keys in the view, so that a hook only pays for the fields it touches.
 * Each field lives in either the view or the table.  A text, number or boolean
 * that the hook assigns goes into the view.  Most hooks need no more, and their
 * table stays empty (this saves 1,200 of 7,500 instructions per call).  Three
 * kinds of values move into the table, which leaves a null in the view:
 * - other assigned values;
 * - a map or array as soon as the hook looks at it;
 * - an assigned value for which the view has no room.
 * So a field that has moved and is no longer in the table was removed by the
 * hook.  next, pairs, rawget and rawset take all this into account.
 *
 * The way back: the fields of the table replace those of the view, and new
 * fields follow, sorted by name; the same holds for maps inside the table, see
 * lua_order.  A table that the hook made itself is read as a whole by the
 * same rules, with the record's order for the fields that both have.  The
 * result is the same as after a round trip through Fluent Bit: of equal keys
 * the last is kept; nulls are removed from maps and from the end of arrays;
 * floats without a fraction become integers; a table with a positive integer
 * key is an array and loses its other keys.  Unlike in Fluent Bit, [] stays []
 * and large integers stay exact.  A key that is a number or a boolean becomes
 * its text.
 *
 * Each call has its own proxy, since hooks keep records in globals.  After each
 * of the first 1,000 calls, the values of the record are saved, so that a
 * script can still look at it in later calls.  A record of a later call is not
 * saved, and looking at it afterwards is an error.  After the first look at an
 * earlier record, whether it succeeds or not, all new records are full tables
 * instead of proxies.  (A new table for each call costs about 60 ns more than
 * reusing one.)  getmetatable shows no metatable; setmetatable makes a full
 * table.  The given record never changes, so that a failed call has no effect.
 */
#ifndef HOOK_LUA_RECORD_H
#define HOOK_LUA_RECORD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct lua_reader;
struct lua_record;
struct record;

/* The result of a hook, in the arena of the record. */
struct lua_records {
	struct record *records; /* with the tag and time of the given one */
	size_t count;
	bool is_list;	 /* the hook returned an array of records */
	const char *why; /* the reason if there is no result */
};

/* The proxies of one hook. */
struct lua_record *lua_record_new(void);

/* NULL is fine. */
void lua_record_free(struct lua_record *);

/* The reader, whose int_keys, array_keys and has_null may be set before
 * lua_record_setup. */
struct lua_reader *lua_record_reader(struct lua_record *);

/* The functions below may raise an error; `index` is a place on Lua's stack. */

/* Once for each state: create the metatables, and replace next, rawget, rawset,
 * getmetatable, setmetatable and debug.getmetatable.  An earlier state of this
 * hook must be closed by then, and is forgotten. */
void lua_record_setup(struct lua_record *, lua_State *);

/* Push a proxy of the record, which starts a call. */
void lua_record_push(struct lua_record *, lua_State *, const struct record *);

/* Convert what the hook returned.  False if it is neither a record nor an array
 * of records; then only `why` is set. */
bool lua_record_take(struct lua_record *, lua_State *, int index,
		     struct lua_records *) MUST_USE;

/* Save the values of the proxy at `index`, which the script may look at in
 * later calls.  Call it after the result was taken. */
void lua_record_save(struct lua_record *, lua_State *, int index);

/* End the call, whatever its outcome.  From now on its proxy belongs to an
 * earlier call.  Does not raise. */
void lua_record_end(struct lua_record *);

#endif
