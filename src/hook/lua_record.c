/* SPDX-License-Identifier: Apache-2.0 */
/* The callers of these functions:
 * 1. For each record, filter/lua.c calls lua_record_push, the hook, then
 *    lua_record_take (lua_record_result.c), lua_record_save and lua_record_end.
 * 2. Meanwhile the hook reads and assigns fields: Lua calls index_record and
 *    newindex_record for fields that are not in the proxy's own table.
 *
 * The hook fails: only lua_record_end is called, and the record is as before.
 * The hook looks at a record of an earlier call: lua_record_revive turns that
 * record into an ordinary table if it was saved; otherwise the hook gets an
 * error.
 * From then on each call gets a full table instead of a proxy. */
#include "hook/lua_record.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "hook/lua_record_parts.h"
#include "hook/lua_value.h"
#include "record/record.h"

enum {
	/* The limit for the values that one call may assign in the view.
	 * Overwritten values count, too. */
	VIEW_BYTES_MAX = 64 * 1024,
};

/* A proxy that was saved holds, under this key, the table of the fields that
 * its record had when the call ended. */
static const char saved_key;

static struct lua_record *records_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* Copy all fields from one table to another. */
static void copy_table(lua_State *L, int from, int to)
{
	lua_pushnil(L);
	while (lua_next(L, from)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, to);
	}
}

bool lua_record_revive(struct lua_record *rs, lua_State *L, int index)
{
	rs->is_kept = true;
	int saved = lua_gettop(L) + 1;
	if (lua_rawgetp(L, index, &saved_key) != LUA_TTABLE) {
		lua_settop(L, saved - 1);
		return false;
	}
	lua_pushnil(L);
	lua_setmetatable(L, index);
	lua_pushnil(L);
	lua_rawsetp(L, index, &saved_key);
	copy_table(L, saved, index);
	lua_settop(L, saved - 1);
	return true;
}

/* The view of the record at index 1.  If it is the record of an earlier call,
 * this makes an ordinary table of it and returns NULL, or raises an error. */
static struct record *view_of(struct lua_record *rs, lua_State *L)
{
	/* In the handler of an error, a script can get these functions with
	 * debug.getinfo and call them with any value. */
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_topointer(L, 1) == rs->proxy)
		return rs->view;
	if (!lua_record_revive(rs, L, 1))
		luaL_error(L, "%s", LUA_RECORD_EARLIER);
	return NULL;
}

void lua_record_move_fields(struct lua_record *rs, lua_State *L, int table,
			    size_t i)
{
	for (; i < rs->view->count; i++) {
		struct field *f = &rs->view->fields[i];
		if (lua_value_is_absent(f->value))
			continue;
		lua_pushlstring(L, f->key.ptr, f->key.len);
		lua_value_push(&rs->reader, L, &f->value);
		lua_rawset(L, table);
		f->value = value_null();
	}
}

/* Push the value of the field.  A table also moves into the proxy's own table,
 * so that changes of the hook in it are seen. */
static void push_field(struct lua_record *rs, lua_State *L, int proxy,
		       struct field *f)
{
	lua_value_push(&rs->reader, L, &f->value);
	if (!lua_istable(L, -1))
		return;
	lua_pushlstring(L, f->key.ptr, f->key.len);
	lua_pushvalue(L, -2);
	lua_rawset(L, proxy);
	f->value = value_null();
}

static int index_record(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	struct record *view = view_of(rs, L);
	if (view == NULL) {
		lua_rawget(L, 1);
		return 1;
	}
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	size_t at =
		field_index_find(&rs->index, view->count, lua_value_text(L, 2));
	if (at == view->count || lua_value_is_absent(view->fields[at].value))
		return 0;
	push_field(rs, L, 1, &view->fields[at]);
	return 1;
}

/* Assign the text, number or boolean at index 3 to the field `at` of the view,
 * or append it as a new field with the key at index 2.  False if the value must
 * go into the table instead: any other type, a float that would become an
 * integer when it is read again, a new field while the record is walked (see
 * next_field), and a new field or text for which there is no room, since the
 * view never grows and so stays where it is. */
static bool assign(struct lua_record *rs, lua_State *L, size_t at)
{
	struct record *view = rs->view;
	struct field f;
	int type = lua_type(L, 3);
	bool is_new = at == view->count;
	if ((type != LUA_TSTRING && type != LUA_TNUMBER &&
	     type != LUA_TBOOLEAN) ||
	    (is_new && (rs->is_walked || view->count == view->cap)) ||
	    !lua_value_read(&rs->reader, L, &f.value) ||
	    (f.value.type == VALUE_INT) != lua_isinteger(L, 3))
		return false;
	if (!is_new) {
		view->fields[at].value = f.value;
		return true;
	}
	if (!lua_value_read_key(&rs->reader, L, 2, &f.key))
		return false;
	record_add_new(view, f.key, f.value);
	return true;
}

static int newindex_record(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	struct record *view = view_of(rs, L);
	lua_settop(L, 3);
	if (view == NULL) {
		lua_rawset(L, 1);
		return 0;
	}
	size_t at = view->count;
	if (lua_type(L, 2) == LUA_TSTRING) {
		at = field_index_find(&rs->index, view->count,
				      lua_value_text(L, 2));
		if (assign(rs, L, at))
			return 0;
	}
	if (!lua_isnil(L, 3))
		lua_rawset(L, 1);
	if (at < view->count)
		view->fields[at].value = value_null();
	return 0;
}

/* Return the fields of the view in their order, even if their values have moved
 * to the table, then the fields that are only in the table.  Leaves nil, or key
 * and value. */
static int next_field(struct lua_record *rs, lua_State *L)
{
	struct record *view = rs->view;
	size_t at = 0;
	/* New fields move to the table, and later ones start there.  If they
	 * stayed in the view, a loop that adds a field at each step would never
	 * end. */
	if (!rs->is_walked) {
		lua_record_move_fields(rs, L, 1, rs->given);
		view->count = rs->given;
		rs->is_walked = true;
	}
	if (lua_type(L, 2) == LUA_TSTRING) {
		struct span key = lua_value_text(L, 2);
		at = rs->cursor;
		if (at >= view->count ||
		    !span_equals(view->fields[at].key, key))
			at = field_index_find(&rs->index, view->count, key);
		at++;
	} else if (!lua_isnil(L, 2)) {
		at = view->count + 1;
	}
	for (; at < view->count; at++) {
		struct field *f = &view->fields[at];
		lua_pushlstring(L, f->key.ptr, f->key.len);
		if (lua_value_is_absent(f->value)) {
			lua_pushvalue(L, -1);
			lua_rawget(L, 1);
		} else {
			push_field(rs, L, 1, f);
		}
		if (!lua_isnil(L, -1)) {
			rs->cursor = at;
			return 2;
		}
		lua_settop(L, 2);
	}
	if (at == view->count) { /* the last key was in the view */
		lua_settop(L, 1);
		lua_pushnil(L);
	}
	while (lua_next(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING ||
		    field_index_find(&rs->index, view->count,
				     lua_value_text(L, -2)) == view->count)
			return 2;
		lua_pop(L, 1);
	}
	lua_pushnil(L);
	return 1;
}

static int next(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (lua_record_is_proxy(rs, L, 1) && view_of(rs, L) != NULL)
		return next_field(rs, L);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int pairs_record(lua_State *L)
{
	view_of(records_of(L), L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushcclosure(L, next, 1);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int raw_get(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	lua_settop(L, 2);
	if (lua_record_is_proxy(records_of(L), L, 1))
		lua_gettable(L, 1);
	else
		lua_rawget(L, 1);
	return 1;
}

static int raw_set(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	luaL_checkany(L, 3);
	lua_settop(L, 3);
	if (lua_record_is_proxy(records_of(L), L, 1))
		lua_settable(L, 1);
	else
		lua_rawset(L, 1);
	lua_settop(L, 1);
	return 1;
}

/* A record shows no metatable, because scripts that copy a record would copy
 * the metatable as well.  If true, the metatable is on top of the stack. */
static bool shows_metatable(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	luaL_checkany(L, 1);
	return lua_getmetatable(L, 1) &&
	       lua_topointer(L, -1) != rs->metatable &&
	       lua_topointer(L, -1) != rs->reader.array;
}

static int get_metatable(lua_State *L)
{
	if (shows_metatable(L))
		luaL_getmetafield(L, 1, "__metatable");
	else
		lua_pushnil(L);
	return 1;
}

/* The same for debug.getmetatable, whose original is upvalue 2.  A script could
 * add __gc to the metatable of records, and the time limit cannot stop it. */
static int debug_get_metatable(lua_State *L)
{
	if (!shows_metatable(L)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* Set the metatable on top of the stack for the table at index 1.  As in
 * LuaJIT, tables have no finalisers: Lua would run one where the time limit
 * cannot stop it.  Lua looks for __gc only at this moment. */
static void set_without_finalizer(lua_State *L)
{
	int metatable = lua_gettop(L);
	if (!lua_istable(L, metatable)) {
		lua_setmetatable(L, 1);
		return;
	}
	lua_pushliteral(L, "__gc");
	lua_pushvalue(L, -1);
	lua_rawget(L, metatable);
	bool has_finalizer = !lua_isnil(L, -1);
	if (has_finalizer) {
		lua_pushvalue(L, -2);
		lua_pushnil(L);
		lua_rawset(L, metatable);
	}
	lua_pushvalue(L, metatable);
	lua_setmetatable(L, 1);
	if (has_finalizer)
		lua_rawset(L, metatable);
	lua_settop(L, metatable - 1);
}

/* A record with a metatable of the script becomes an ordinary table. */
static int set_metatable(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2,
			 "nil or table");
	lua_settop(L, 2);
	if (lua_record_is_proxy(rs, L, 1)) {
		if (view_of(rs, L) != NULL)
			lua_record_move_fields(rs, L, 1, 0);
	} else if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
		return luaL_error(L, "cannot change a protected metatable");
	}
	lua_settop(L, 2);
	set_without_finalizer(L);
	return 1;
}

void lua_record_push(struct lua_record *rs, lua_State *L,
		     const struct record *record)
{
	lua_order_reset(&rs->reader.order, L);
	rs->view = record_copy(record);
	record_keep_last(rs->view);
	rs->given = rs->view->count;
	field_index_build(&rs->index, rs->view->arena, rs->view->fields,
			  rs->given);
	rs->cursor = 0;
	rs->is_walked = false;
	rs->is_taken = false;
	rs->reader.arena = rs->view->arena;
	rs->reader.room_bytes = VIEW_BYTES_MAX;
	rs->reader.depth = 0;
	for (size_t i = 0; rs->reader.has_null && i < rs->view->count; i++)
		if (rs->view->fields[i].value.type == VALUE_NULL)
			rs->view->fields[i].value = lua_value_null();
	lua_createtable(L, 0, rs->is_kept ? (int)rs->given : 0);
	rs->proxy = lua_topointer(L, -1);
	if (rs->is_kept) {
		lua_record_move_fields(rs, L, lua_gettop(L), 0);
		return;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, rs->metatable_ref);
	lua_setmetatable(L, -2);
}

void lua_record_save(struct lua_record *rs, lua_State *L, int index)
{
	/* If the view became the result, its fields must not move, even if the
	 * script looked at an earlier record meanwhile. */
	if (rs->is_taken || !lua_record_may_be_kept(rs) ||
	    !lua_record_is_proxy(rs, L, index))
		return;
	if (rs->is_kept) {
		lua_record_move_fields(rs, L, index, 0);
		lua_pushnil(L);
		lua_setmetatable(L, index);
		return;
	}
	rs->calls++;
	lua_createtable(L, 0, (int)rs->view->count);
	int saved = lua_gettop(L);
	copy_table(L, index, saved);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, index);
	}
	lua_record_move_fields(rs, L, saved, 0);
	lua_rawsetp(L, index, &saved_key);
}

void lua_record_end(struct lua_record *rs)
{
	rs->proxy = NULL;
	rs->view = NULL;
}

struct lua_reader *lua_record_reader(struct lua_record *rs)
{
	return &rs->reader;
}

void lua_record_setup(struct lua_record *rs, lua_State *L)
{
	static const luaL_Reg metamethods[] = {
		{"__index", index_record},
		{"__newindex", newindex_record},
		{"__pairs", pairs_record},
		{NULL, NULL},
	};
	static const luaL_Reg globals[] = {
		{"next", next},
		{"rawget", raw_get},
		{"rawset", raw_set},
		{"getmetatable", get_metatable},
		{"setmetatable", set_metatable},
		{NULL, NULL},
	};
	*rs = (struct lua_record){.reader = rs->reader};
	lua_newtable(L);
	lua_pushlightuserdata(L, rs);
	luaL_setfuncs(L, metamethods, 1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	rs->metatable = lua_topointer(L, -1);
	rs->metatable_ref = luaL_ref(L, LUA_REGISTRYINDEX);

	rs->reader.on_table = lua_record_on_table;
	lua_value_setup(&rs->reader, L);

	lua_pushglobaltable(L);
	lua_pushlightuserdata(L, rs);
	luaL_setfuncs(L, globals, 1);

	lua_getfield(L, -1, "debug");
	lua_pushlightuserdata(L, rs);
	lua_getfield(L, -2, "getmetatable");
	lua_pushcclosure(L, debug_get_metatable, 2);
	lua_setfield(L, -2, "getmetatable");
	lua_pop(L, 2);
}

struct lua_record *lua_record_new(void)
{
	return mem_new(1, sizeof(struct lua_record));
}

void lua_record_free(struct lua_record *rs)
{
	free(rs);
}
