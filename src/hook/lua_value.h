/* SPDX-License-Identifier: Apache-2.0 */
/* lua_value - convert values of a record to values of Lua, and back.
 *
 *     null, bool, integer, string   nil, boolean, integer, string
 *     float                         number; an integer if it is whole
 *     array                         table with a metatable that marks it
 *     map                           table
 *
 * From Lua to a record, a table with a positive integer key becomes an array
 * up to the largest such key; its holes become nulls, and its other keys are
 * lost.  An empty table that was an array stays one.  Every other table
 * becomes a map, with its fields in the order of lua_order.  A key that is a
 * number or a boolean becomes its text.  Functions, userdata and coroutines
 * are rejected, and so are tables nested deeper than JSON may be or larger
 * than the reader's remaining room.
 * With Enable_flb_null a null becomes flb_null, a light userdata, which is
 * converted back to a null; without Enable_flb_null, nulls are lost, because a
 * table cannot hold them.  Type_Int_Key and Type_Array_Key apply to the fields
 * of all maps. */
#ifndef HOOK_LUA_VALUE_H
#define HOOK_LUA_VALUE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "hook/lua_order.h"
#include "record/value.h"

struct arena;
struct record;

/* Names of fields. */
struct lua_keys {
	struct span *names;
	size_t count;
};

/* The state that the functions below share, in the caller's storage. */
struct lua_reader {
	struct lua_keys int_keys;   /* Type_Int_Key */
	struct lua_keys array_keys; /* Type_Array_Key */
	bool has_null;		    /* Enable_flb_null */

	/* From lua_value_setup on: */
	bool has_casts;	   /* int_keys or array_keys has names */
	int array_ref;	   /* the metatable of arrays, in the registry */
	const void *array; /* its address */
	struct lua_order order;
	/* Called before a table is read, so that the caller can fill in a table
	 * that is a proxy.  False: the table is rejected and `why` is set. */
	bool (*on_table)(struct lua_reader *, lua_State *, int index);

	/* During a call: */
	struct arena *arena;
	/* While a value is read: */
	size_t room_bytes;
	unsigned depth;
	const char *why; /* why the last function returned false */
};

struct lua_shape {
	uint64_t keys;
	uint64_t length; /* the largest positive integer key; 0: no array */
};

/* All of these may raise an error; `index` counts from 1. */

/* Once for each state, when int_keys, array_keys and has_null are set. */
void lua_value_setup(struct lua_reader *, lua_State *);

/* Push the value, maps and arrays as new tables. */
void lua_value_push(struct lua_reader *, lua_State *, const struct value *);

/* Copy the value on top of the stack into the arena.  False with `why` set if
 * it is rejected. */
bool lua_value_read(struct lua_reader *, lua_State *, struct value *) MUST_USE;

/* Copy the key at `index` into the arena; safe during lua_next.  False with
 * `why` set if the key is rejected. */
bool lua_value_read_key(struct lua_reader *, lua_State *, int index,
			struct span *) MUST_USE;

/* Look at the keys of a table, and take the room that its fields or items need.
 * False with `why` set. */
bool lua_value_shape(struct lua_reader *, lua_State *, int index,
		     struct lua_shape *) MUST_USE;

/* Take room for `count` objects of that size.  False with `why` set if too
 * little is left. */
bool lua_value_take_room(struct lua_reader *, uint64_t count,
			 size_t size_bytes) MUST_USE;

/* Give the values that never were in Lua the form that they would have after a
 * conversion to Lua and back: without nulls (except inside arrays), each key
 * of a map once, whole floats as integers.  Values that were in Lua do not
 * change, and absent fields are removed from the record.  New values lie in
 * the reader's arena. */
void lua_value_normalize(const struct lua_reader *, struct record *);

/* The null that stands for flb_null, unlike the null of an absent field. */
static inline struct value lua_value_null(void)
{
	return (struct value){.type = VALUE_NULL, .count = 1};
}

/* Whether the field was removed, or moved to a table. */
static inline bool lua_value_is_absent(struct value v)
{
	return v.type == VALUE_NULL && v.count == 0;
}

/* The text at `index`, valid as long as Lua keeps it. */
static inline struct span lua_value_text(lua_State *L, int index)
{
	struct span text;
	text.ptr = lua_tolstring(L, index, &text.len);
	return text;
}

#endif
