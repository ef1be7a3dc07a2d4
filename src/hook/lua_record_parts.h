/* SPDX-License-Identifier: Apache-2.0 */
/* lua_record_parts - what lua_record.c and lua_record_result.c share.  No other
 * file includes it. */
#ifndef HOOK_LUA_RECORD_PARTS_H
#define HOOK_LUA_RECORD_PARTS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "hook/lua_value.h"
#include "record/field_index.h"

struct record;

enum { LUA_RECORD_WATCHED_CALLS = 1000 };

struct lua_record {
	struct lua_reader reader; /* first, because on_table casts it */
	struct record *view;
	struct field_index index; /* of the fields that the record had */
	/* The address of the proxy's table.  No other table can have it as long
	 * as the script refers to the proxy. */
	const void *proxy;
	const void *metatable;
	int metatable_ref;
	size_t given;	/* how many fields the record had; new ones follow */
	size_t cursor;	/* the field that next() returned last */
	unsigned calls; /* counts up to LUA_RECORD_WATCHED_CALLS */
	bool is_walked; /* new fields enter the table, not the view */
	bool is_taken;	/* the view itself became the result */
	bool is_kept;	/* the script keeps records, so there are no proxies */
};

/* The error when a script looks at an earlier record that was not saved. */
#define LUA_RECORD_EARLIER                                                 \
	"this record belongs to an earlier call and was not saved; later " \
	"calls get records that can be kept"

/* Whether the table at `index` is a proxy, of this call or an earlier one. */
static inline bool lua_record_is_proxy(const struct lua_record *rs,
				       lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return false;
	bool is = lua_topointer(L, -1) == rs->metatable;
	lua_pop(L, 1);
	return is;
}

/* Whether the script may look at this record later, see lua_record_save. */
static inline bool lua_record_may_be_kept(const struct lua_record *rs)
{
	return rs->is_kept || rs->calls < LUA_RECORD_WATCHED_CALLS;
}

/* Make an ordinary table of the earlier record at `index`.  False if it was not
 * saved.  May raise. */
bool lua_record_revive(struct lua_record *, lua_State *, int index);

/* Move the fields of the view, from the i-th on, into the table.  May raise. */
void lua_record_move_fields(struct lua_record *, lua_State *, int table,
			    size_t i);

/* The on_table of the reader: a proxy inside a result gets the fields that are
 * not in its table yet.  The proxy that is the result keeps its view, see
 * read_record.  May raise. */
bool lua_record_on_table(struct lua_reader *, lua_State *, int index);

#endif
