/* SPDX-License-Identifier: Apache-2.0 */
/* lua_value - values of a record to values of Lua, and back.
 *
 *     null, bool, integer, string   nil, boolean, integer, string
 *     float                         number, an integer when it is whole
 *     array                         table with a metatable that marks it
 *     map                           table
 *
 * Back: a table with a positive integer key is an array up to the largest of
 * them, nulls in its holes, and loses its other keys; an empty one that was
 * an array stays one; every other is a map, its fields in the order of their
 * names, since Lua has none.  A key that is a number or a boolean becomes its
 * text.  Functions, userdata and coroutines are refused, as is what is nested
 * deeper than JSON may be or larger than the reader's room.
 * With Enable_flb_null a null is flb_null, a light userdata, and is not lost
 * on the way; without it a table cannot hold a null.  Type_Int_Key and
 * Type_Array_Key hold for the fields of all maps. */
#ifndef HOOK_LUA_VALUE_H
#define HOOK_LUA_VALUE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "record/value.h"

struct arena;
struct record;

/* Names of fields, for which something holds. */
struct lua_keys {
	struct span *names;
	size_t count;
};

/* What the functions below share; the caller's storage. */
struct lua_reader {
	struct lua_keys int_keys;   /* a number is an integer */
	struct lua_keys array_keys; /* {} is [] */
	bool has_null;

	/* Since lua_value_setup: */
	bool has_casts;	   /* there are such keys */
	int array_ref;	   /* that metatable, in the registry */
	const void *array; /* its address */
	/* Called before a table is looked at, for one that is not what it
	 * seems.  False: `why` was set, it is refused. */
	bool (*on_table)(struct lua_reader *, lua_State *, int index);

	/* While something is read: */
	struct arena *arena;
	size_t room_bytes;
	unsigned depth;
	const char *why; /* after a false */
};

struct lua_shape {
	uint64_t keys;
	uint64_t length; /* the largest positive integer key: an array */
};

/* All of these may raise an error; `index` counts from 1. */

void lua_value_setup(struct lua_reader *, lua_State *);

void lua_value_push(const struct lua_reader *, lua_State *,
		    const struct value *);

/* The value on top of the stack, into the arena. */
bool lua_value_read(struct lua_reader *, lua_State *, struct value *) MUST_USE;

/* The key at `index` while lua_next is under way, into the arena. */
bool lua_value_read_key(struct lua_reader *, lua_State *, int index,
			struct span *) MUST_USE;

/* Look at the keys of a table, and take the room that it needs. */
bool lua_value_shape(struct lua_reader *, lua_State *, int index,
		     struct lua_shape *) MUST_USE;

/* False, when `count` of that size are more than the room that is left. */
bool lua_value_take_room(struct lua_reader *, uint64_t count,
			 size_t size_bytes) MUST_USE;

/* What int_keys and array_keys say about a field; only with has_casts. */
void lua_value_cast(const struct lua_reader *, struct field *);

/* The values that never were in Lua become what they would be after the way
 * there and back: without nulls (but for those inside of arrays), each key of a
 * map once, floats that are whole as integers; in the reader's arena.  Those
 * that were do not change by it; fields that are gone leave the record. */
void lua_value_settle(const struct lua_reader *, struct record *);

/* flb_null in a record, to be told from a field that is gone. */
static inline struct value lua_value_null(void)
{
	return (struct value){.type = VALUE_NULL, .count = 1};
}

static inline bool lua_value_is_gone(struct value v)
{
	return v.type == VALUE_NULL && v.count == 0;
}

void lua_value_sort(struct field *, size_t count);

/* Texts of Lua, valid as long as it keeps them. */
static inline struct span lua_value_text(lua_State *L, int index)
{
	struct span text;
	text.ptr = lua_tolstring(L, index, &text.len);
	return text;
}

#endif
