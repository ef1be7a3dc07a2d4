/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_record.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "hook/lua_value.h"
#include "record/record.h"

enum {
	WATCHED_CALLS = 1000,
	/* The bound for all that one call returns: several times the largest
	 * datagram.  Also for {[1e9]=1}, and for tables that are in many
	 * tables that are in many tables. */
	RESULT_BYTES_MAX = 8 * 1024 * 1024,
	/* What one call may assign in the view, again and again too. */
	VIEW_BYTES_MAX = 64 * 1024,
};

struct lua_record {
	struct lua_reader reader;
	struct record *view;
	const void *proxy; /* its address: another table cannot have it as
			    * long as somebody refers to the proxy */
	const void *metatable;
	int metatable_ref;
	size_t given;	/* so many fields are the record's, then new ones */
	size_t cursor;	/* the field that next gave last */
	unsigned calls; /* up to WATCHED_CALLS */
	bool is_walked; /* new fields go into the table */
	bool is_taken;	/* the view itself is what came back */
	bool is_kept;	/* the script keeps records: no proxies any more */
};

static const char earlier[] =
	"the record of an earlier call; from now on records can be kept";

/* In a proxy, at this address: what it had when its call ended. */
static const char aside_key;

static struct lua_record *records_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static bool is_proxy(const struct lua_record *rs, lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return false;
	bool is = lua_topointer(L, -1) == rs->metatable;
	lua_pop(L, 1);
	return is;
}

/* The script may look at this record later, see lua_record_set_aside. */
static bool can_be_kept(const struct lua_record *rs)
{
	return rs->is_kept || rs->calls < WATCHED_CALLS;
}

/* Fields from one table to another. */
static void copy_table(lua_State *L, int from, int to)
{
	lua_pushnil(L);
	while (lua_next(L, from)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, to);
	}
}

/* The earlier record at `index` becomes a table like others.  False when it
 * was not set aside. */
static bool revive(struct lua_record *rs, lua_State *L, int index)
{
	rs->is_kept = true;
	int aside = lua_gettop(L) + 1;
	if (lua_rawgetp(L, index, &aside_key) != LUA_TTABLE) {
		lua_settop(L, aside - 1);
		return false;
	}
	lua_pushnil(L);
	lua_setmetatable(L, index);
	lua_pushnil(L);
	lua_rawsetp(L, index, &aside_key);
	copy_table(L, aside, index);
	lua_settop(L, aside - 1);
	return true;
}

/* The view of the record at index 1; NULL when it is an earlier one, which is
 * a table like others from now on, or an error. */
static struct record *view_of(struct lua_record *rs, lua_State *L)
{
	/* debug.getmetatable hands these functions to the script. */
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_topointer(L, 1) == rs->proxy)
		return rs->view;
	if (!revive(rs, L, 1))
		luaL_error(L, "%s", earlier);
	return NULL;
}

/* What is still in the view, from that field on, moves into the table. */
static void move_all(struct lua_record *rs, lua_State *L, int table, size_t i)
{
	for (; i < rs->view->count; i++) {
		struct field *f = &rs->view->fields[i];
		if (lua_value_is_gone(f->value))
			continue;
		lua_pushlstring(L, f->key.ptr, f->key.len);
		lua_value_push(&rs->reader, L, &f->value);
		lua_rawset(L, table);
		f->value = value_null();
	}
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
	if (view == NULL) {
		lua_rawget(L, 1);
		return 1;
	}
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	size_t at =
		fields_place(view->fields, view->count, lua_value_text(L, 2));
	if (at == view->count || lua_value_is_gone(view->fields[at].value))
		return 0;
	push_field(rs, L, 1, &view->fields[at]);
	return 1;
}

/* The text, number or boolean at 3 becomes the value of the field, or, with
 * the key at 2, a new field of the view.  False: it belongs into the table.
 * So does a float that would be an integer when it is read again, a new field
 * while the record is walked, see next_field, and what there is no room for:
 * the view does not grow, so that it stays where it is. */
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
		at = fields_place(view->fields, view->count,
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

/* The fields of the view in their order, wherever they live now, then what is
 * only in the table.  Leaves nil, or key and value. */
static int next_field(struct lua_record *rs, lua_State *L)
{
	struct record *view = rs->view;
	size_t at = 0;
	/* New fields move, and from now on begin, in the table: who adds one at
	 * each step would go on for ever in the view. */
	if (!rs->is_walked) {
		move_all(rs, L, 1, rs->given);
		view->count = rs->given;
		rs->is_walked = true;
	}
	if (lua_type(L, 2) == LUA_TSTRING) {
		struct span key = lua_value_text(L, 2);
		at = rs->cursor;
		if (at >= view->count ||
		    !span_equals(view->fields[at].key, key))
			at = fields_place(view->fields, view->count, key);
		at++;
	} else if (!lua_isnil(L, 2)) {
		at = view->count + 1;
	}
	for (; at < view->count; at++) {
		struct field *f = &view->fields[at];
		lua_pushlstring(L, f->key.ptr, f->key.len);
		if (lua_value_is_gone(f->value)) {
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
		    fields_place(view->fields, view->count,
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
	if (is_proxy(rs, L, 1) && view_of(rs, L) != NULL)
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

/* Scripts that copy a record copy its metatable as well: it has none. */
static int get_metatable(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	luaL_checkany(L, 1);
	if (!lua_getmetatable(L, 1) || lua_topointer(L, -1) == rs->metatable ||
	    lua_topointer(L, -1) == rs->reader.array) {
		lua_pushnil(L);
		return 1;
	}
	luaL_getmetafield(L, 1, "__metatable");
	return 1;
}

/* With a metatable of the script's a record is a table like others. */
static int set_metatable(lua_State *L)
{
	struct lua_record *rs = records_of(L);
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2,
			 "nil or table");
	lua_settop(L, 2);
	if (is_proxy(rs, L, 1)) {
		if (view_of(rs, L) != NULL)
			move_all(rs, L, 1, 0);
	} else if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
		return luaL_error(L, "cannot change a protected metatable");
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
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
		return revive(rs, L, index) || refuse(rs, earlier);
	if (reader->depth > 0)
		move_all(rs, L, index, 0);
	return true;
}

/* A table to a record.  The one given has all that has not moved; another
 * one has only the order of the names from it.  `is_only`: nobody looks at
 * the view after this. */
static bool read_record(struct lua_record *rs, lua_State *L, int table,
			bool is_only, struct record *out)
{
	bool is_given = lua_topointer(L, table) == rs->proxy;
	/* A list has a copy of all the names for each of its records. */
	if (!is_only && !lua_value_take_room(&rs->reader, rs->view->count,
					     sizeof(struct field)))
		return false;
	rs->is_taken = is_given && is_only && !can_be_kept(rs);
	*out = rs->is_taken ? *rs->view : *record_copy(rs->view);
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
		if (is_given && lua_isinteger(L, -1) &&
		    lua_tointeger(L, -1) > 0)
			return refuse(rs, "the record has a key that makes it "
					  "an array");
		bool is_text = lua_type(L, -1) == LUA_TSTRING;
		size_t end = is_text ? known : rs->given;
		size_t at = fields_place(out->fields, end, f.key);
		if (at < end)
			out->fields[at].value = f.value;
		else if (is_text)
			record_add_new(out, f.key, f.value);
		else
			record_add(out, f.key, f.value);
	}
	lua_value_sort(out->fields + rs->given, out->count - rs->given);
	lua_value_settle(&rs->reader, out);
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
	rs->given = rs->view->count;
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
		move_all(rs, L, lua_gettop(L), 0);
		return;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, rs->metatable_ref);
	lua_setmetatable(L, -2);
}

void lua_record_set_aside(struct lua_record *rs, lua_State *L, int index)
{
	/* Taken, also when an earlier record in it was looked at since: what
	 * moves would be missing in the result. */
	if (rs->is_taken || !can_be_kept(rs) || !is_proxy(rs, L, index))
		return;
	if (rs->is_kept) {
		move_all(rs, L, index, 0);
		lua_pushnil(L);
		lua_setmetatable(L, index);
		return;
	}
	rs->calls++;
	lua_createtable(L, 0, (int)rs->view->count);
	int aside = lua_gettop(L);
	copy_table(L, index, aside);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, index);
	}
	move_all(rs, L, aside, 0);
	lua_rawsetp(L, index, &aside_key);
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
