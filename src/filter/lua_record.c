/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/lua_record.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "filter/lua_value.h"
#include "record/record.h"

enum {
	/* The bound for all that one call returns: several times the largest
	 * datagram.  Also for {[1e9]=1}, and for tables that are in many
	 * tables that are in many tables. */
	RESULT_BYTES_MAX = 8 * 1024 * 1024,
};

struct lua_record {
	struct lua_reader reader;
	struct record *view;
	const void *proxy; /* its address: another table cannot have it as
			    * long as somebody refers to the proxy */
	const void *metatable;
	int metatable_ref;
	size_t cursor; /* the field that next gave last */
};

static const char earlier[] =
	"the record of an earlier call: copy the fields that are needed later";

static struct lua_record *records_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* The place of the key among the first `count` fields, else `count`. */
static size_t find(const struct record *r, size_t count, struct span key)
{
	if (key.len == 0)
		key.ptr = ""; /* so that it may be compared */
	for (size_t i = count; i-- > 0;) {
		struct span other = r->fields[i].key;
		if (other.len != key.len)
			continue;
		/* Keys of one length often begin alike, seldom end so. */
		if (key.len > 0 &&
		    other.ptr[key.len - 1] != key.ptr[key.len - 1])
			continue;
		if (span_equals(other, key))
			return i;
	}
	return count;
}

static bool is_proxy(const struct lua_record *rs, lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return false;
	bool is = lua_topointer(L, -1) == rs->metatable;
	lua_pop(L, 1);
	return is;
}

/* The view of the record at index 1; an error when it is an earlier one. */
static struct record *view_of(struct lua_record *rs, lua_State *L)
{
	if (lua_topointer(L, 1) != rs->proxy)
		luaL_error(L, "%s", earlier);
	return rs->view;
}

/* The field's value; a table moves into the proxy, at `proxy`, so that what
 * the hook changes in it is seen. */
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
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	size_t at = find(view, view->count, lua_value_text(L, 2));
	if (at == view->count)
		return 0;
	push_field(rs, L, 1, &view->fields[at]);
	return 1;
}

static int newindex_record(lua_State *L)
{
	struct record *view = view_of(records_of(L), L);
	size_t at = view->count;
	if (lua_type(L, 2) == LUA_TSTRING)
		at = find(view, view->count, lua_value_text(L, 2));
	lua_settop(L, 3);
	if (!lua_isnil(L, 3))
		lua_rawset(L, 1);
	if (at < view->count)
		view->fields[at].value = value_null();
	return 0;
}

/* The fields of the view in their order, wherever they live now, then what is
 * only in the table.  Leaves nil, or key and value. */
static int next_field(struct lua_record *rs, lua_State *L)
{
	struct record *view = view_of(rs, L);
	size_t at = 0;
	if (lua_type(L, 2) == LUA_TSTRING) {
		struct span key = lua_value_text(L, 2);
		at = rs->cursor;
		if (at >= view->count ||
		    !span_equals(view->fields[at].key, key))
			at = find(view, view->count, key);
		at++;
	} else if (!lua_isnil(L, 2)) {
		at = view->count + 1;
	}
	for (; at < view->count; at++) {
		struct field *f = &view->fields[at];
		lua_pushlstring(L, f->key.ptr, f->key.len);
		if (f->value.type == VALUE_NULL) {
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
	if (at == view->count) { /* the last key was one of the view */
		lua_settop(L, 1);
		lua_pushnil(L);
	}
	while (lua_next(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING ||
		    find(view, view->count, lua_value_text(L, -2)) ==
			    view->count)
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
	if (is_proxy(rs, L, 1))
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
	if (is_proxy(records_of(L), L, 1))
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
	if (is_proxy(records_of(L), L, 1))
		lua_settable(L, 1);
	else
		lua_rawset(L, 1);
	lua_settop(L, 1);
	return 1;
}

static bool refuse(struct lua_record *rs, const char *why)
{
	rs->reader.why = why;
	return false;
}

/* A proxy in a result gets those of its fields that are not in it yet, but
 * for the one that is the result: see read_record. */
static bool on_table(struct lua_reader *reader, lua_State *L, int index)
{
	struct lua_record *rs = (struct lua_record *)reader;
	if (!is_proxy(rs, L, index))
		return true;
	if (lua_topointer(L, index) != rs->proxy)
		return refuse(rs, earlier);
	if (reader->depth == 0)
		return true;
	for (size_t i = 0; i < rs->view->count; i++) {
		struct field *f = &rs->view->fields[i];
		if (f->value.type == VALUE_NULL)
			continue;
		lua_pushlstring(L, f->key.ptr, f->key.len);
		lua_value_push(reader, L, &f->value);
		lua_rawset(L, index);
		f->value = value_null();
	}
	return true;
}

/* The values that were not in Lua are made as if they had been; those that
 * were do not change by it. */
static void settle(struct record *r)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct field *f = &r->fields[i];
		if (f->value.type == VALUE_NULL)
			continue;
		if (f->value.type != VALUE_STRING)
			f->value = lua_value_settled(r->arena, f->value);
		if (kept != i)
			r->fields[kept] = *f;
		kept++;
	}
	r->count = kept;
}

/* A table to a record.  The one given has all that has not moved; another
 * one has only the order of the names from it.  `is_only`: nobody looks at
 * the view after this. */
static bool read_record(struct lua_record *rs, lua_State *L, int table,
			bool is_only, struct record *out)
{
	bool is_given = lua_topointer(L, table) == rs->proxy;
	*out = is_given && is_only ? *rs->view : *record_copy(rs->view);
	for (size_t i = 0; !is_given && i < out->count; i++)
		out->fields[i].value = value_null();
	size_t known = out->count;
	lua_pushnil(L);
	while (lua_next(L, table)) {
		struct field f;
		if (!lua_value_take_room(&rs->reader, 1, sizeof f) ||
		    !lua_value_read_key(&rs->reader, L, -2, &f.key) ||
		    !lua_value_read(&rs->reader, L, &f.value))
			return false;
		lua_pop(L, 1);
		if (is_given && lua_type(L, -1) != LUA_TSTRING)
			return refuse(rs, "the record has a key that is no "
					  "text");
		size_t at = find(out, known, f.key);
		if (at < known)
			out->fields[at].value = f.value;
		else
			record_add(out, f.key, f.value);
	}
	lua_value_sort(out->fields + known, out->count - known);
	settle(out);
	return true;
}

static bool read_list(struct lua_record *rs, lua_State *L, int table,
		      struct lua_records *out)
{
	for (size_t i = 0; i < out->count; i++) {
		struct lua_shape shape;
		lua_rawgeti(L, table, (lua_Integer)i + 1);
		int element = lua_gettop(L);
		if (!lua_istable(L, element))
			return refuse(rs, "it is an array, but not of tables");
		if (!lua_value_shape(&rs->reader, L, element, &shape))
			return false;
		if (shape.length > 0)
			return refuse(rs, "it is an array of arrays");
		if (!read_record(rs, L, element, false, &out->records[i]))
			return false;
		lua_pop(L, 1);
	}
	return true;
}

static bool read_result(struct lua_record *rs, lua_State *L, int index,
			struct lua_records *out)
{
	struct lua_shape shape = {0};
	if (!lua_istable(L, index))
		return refuse(rs, "it is no table");
	/* The common case needs no look at the shape. */
	if (lua_topointer(L, index) != rs->proxy &&
	    !lua_value_shape(&rs->reader, L, index, &shape))
		return false;
	out->is_list = shape.length > 0;
	out->count = out->is_list ? (size_t)shape.length : 1;
	if (!lua_value_take_room(&rs->reader, out->count, sizeof *out->records))
		return false;
	out->records =
		arena_take(rs->reader.arena, out->count * sizeof *out->records);
	return out->is_list ? read_list(rs, L, index, out)
			    : read_record(rs, L, index, true, out->records);
}

bool lua_record_take(struct lua_record *rs, lua_State *L, int index,
		     struct lua_records *out)
{
	*out = (struct lua_records){0};
	rs->reader.arena = rs->view->arena;
	rs->reader.room_bytes = RESULT_BYTES_MAX;
	rs->reader.depth = 0;
	if (read_result(rs, L, lua_absindex(L, index), out))
		return true;
	*out = (struct lua_records){.why = rs->reader.why};
	return false;
}

void lua_record_push(struct lua_record *rs, lua_State *L,
		     const struct record *record)
{
	rs->view = record_copy(record);
	record_keep_last(rs->view);
	rs->cursor = 0;
	lua_createtable(L, 0, 1); /* most hooks assign one field */
	lua_rawgeti(L, LUA_REGISTRYINDEX, rs->metatable_ref);
	lua_setmetatable(L, -2);
	rs->proxy = lua_topointer(L, -1);
}

void lua_record_end(struct lua_record *rs)
{
	rs->proxy = NULL;
	rs->view = NULL;
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
		{NULL, NULL},
	};
	lua_newtable(L);
	lua_pushlightuserdata(L, rs);
	luaL_setfuncs(L, metamethods, 1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	rs->metatable = lua_topointer(L, -1);
	rs->metatable_ref = luaL_ref(L, LUA_REGISTRYINDEX);

	rs->reader.on_table = on_table;
	lua_value_setup(&rs->reader, L);

	lua_pushglobaltable(L);
	lua_pushlightuserdata(L, rs);
	luaL_setfuncs(L, globals, 1);
	lua_pop(L, 1);
}

struct lua_record *lua_record_new(void)
{
	return mem_new(1, sizeof(struct lua_record));
}

void lua_record_free(struct lua_record *rs)
{
	free(rs);
}
