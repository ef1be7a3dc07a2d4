/* SPDX-License-Identifier: Apache-2.0 */
/* lua_order - the order of a map's fields, through Lua and back.
 *
 * A table of Lua has no order.  So each map that becomes a table in a call
 * leaves its keys here, and a table that is read back gets the order of the map
 * from which it was made:
 *
 *     {"z":1,"b":2,"a":3}  ->  t.b = nil; t.n = 4  ->  {"z":1,"a":3,"n":4}
 *
 * New fields follow, sorted by name.  Tables are remembered until the next call
 * of the hook. */
#ifndef HOOK_LUA_ORDER_H
#define HOOK_LUA_ORDER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct field;
struct record;

/* In the caller's storage. */
struct lua_order {
	int maps; /* in the registry: table -> the fields of its map */
	bool is_used;
};

/* All but lua_order_sort may raise an error. */

/* Once for each state. */
void lua_order_setup(struct lua_order *, lua_State *);

/* Forget all tables: a call starts. */
void lua_order_reset(struct lua_order *, lua_State *);

/* Remember that the table at `index`, which counts from 1, was made from a map
 * with the fields of this record.  Their keys must last until the call ends. */
void lua_order_keep(struct lua_order *, lua_State *, int index,
		    const struct record *map);

/* Put the fields that were read from the table at `index` in order. */
void lua_order_apply(const struct lua_order *, lua_State *, int index,
		     const struct record *map);

/* Sort by key, bytewise. */
void lua_order_sort(struct field *, size_t count);

#endif
