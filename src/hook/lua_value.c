/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_value.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "record/json.h"
#include "record/record.h"

enum {
	NUMBER_BYTES = 32,
	STACK_SLOTS = 8, /* of Lua's stack, for each level of nesting */
};

/* In LuaJIT, for which hooks were written, 1.0 and 1 are the same number. */
static bool is_whole(double real, lua_Integer *integer)
{
	return lua_numbertointeger(real, integer) && (double)*integer == real;
}

/* Push a map as a table. */
static void push_map(struct lua_reader *reader, lua_State *L,
		     const struct value *v)
{
	struct record map = {
		.arena = reader->arena, .fields = v->fields, .count = v->count};
	luaL_checkstack(L, STACK_SLOTS, "nested too deeply");
	lua_createtable(L, 0, (int)v->count);
	lua_order_keep(&reader->order, L, lua_gettop(L), &map);
	for (uint32_t i = 0; i < v->count; i++) {
		struct span key = v->fields[i].key;
		lua_pushlstring(L, key.ptr, key.len);
		lua_value_push(reader, L, &v->fields[i].value);
		lua_rawset(L, -3);
	}
}

void lua_value_push(struct lua_reader *reader, lua_State *L,
		    const struct value *v)
{
	lua_Integer integer;
	switch (v->type) {
	case VALUE_NULL:
		if (reader->has_null)
			lua_pushlightuserdata(L, NULL);
		else
			lua_pushnil(L);
		return;
	case VALUE_BOOL:
		lua_pushboolean(L, v->boolean);
		return;
	case VALUE_INT:
		lua_pushinteger(L, v->integer);
		return;
	case VALUE_FLOAT:
		if (is_whole(v->real, &integer))
			lua_pushinteger(L, integer);
		else
			lua_pushnumber(L, v->real);
		return;
	case VALUE_STRING:
		lua_pushlstring(L, v->string.ptr, v->string.len);
		return;
	case VALUE_ARRAY:
		luaL_checkstack(L, STACK_SLOTS, "nested too deeply");
		lua_createtable(L, (int)v->count, 0);
		lua_rawgeti(L, LUA_REGISTRYINDEX, reader->array_ref);
		lua_setmetatable(L, -2);
		for (uint32_t i = 0; i < v->count; i++) {
			lua_value_push(reader, L, &v->items[i]);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		return;
	case VALUE_MAP:
		push_map(reader, L, v);
		return;
	}
}

static bool refuse(struct lua_reader *reader, const char *why)
{
	reader->why = why;
	return false;
}

bool lua_value_take_room(struct lua_reader *reader, uint64_t count,
			 size_t size_bytes)
{
	if (count > reader->room_bytes / size_bytes)
		return refuse(reader, "the result is too large");
	reader->room_bytes -= (size_t)count * size_bytes;
	return true;
}

static bool copy_text(struct lua_reader *reader, struct span text,
		      struct span *out)
{
	if (!lua_value_take_room(reader, text.len, 1))
		return false;
	*out = arena_copy(reader->arena, text);
	return true;
}

/* lua_tolstring would convert a number in the table and confuse lua_next. */
bool lua_value_read_key(struct lua_reader *reader, lua_State *L, int index,
			struct span *out)
{
	char number[NUMBER_BYTES];
	int n;
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		return copy_text(reader, lua_value_text(L, index), out);
	case LUA_TBOOLEAN:
		*out = lua_toboolean(L, index) ? SPAN("true") : SPAN("false");
		return true;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			n = snprintf(number, sizeof number, "%lld",
				     lua_tointeger(L, index));
		else
			n = snprintf(number, sizeof number, "%.14g",
				     lua_tonumber(L, index));
		return copy_text(reader, span_make(number, (size_t)n), out);
	default:
		return refuse(reader,
			      "the result has a key that is not a text");
	}
}

static bool read_scalar(struct lua_reader *reader, lua_State *L, int index,
			struct value *out)
{
	lua_Integer integer;
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		*out = value_null();
		return true;
	case LUA_TBOOLEAN:
		*out = value_bool(lua_toboolean(L, index));
		return true;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			*out = value_int(lua_tointeger(L, index));
		else if (is_whole(lua_tonumber(L, index), &integer))
			*out = value_int(integer);
		else
			*out = value_float(lua_tonumber(L, index));
		return true;
	case LUA_TSTRING:
		*out = value_string(lua_value_text(L, index));
		return copy_text(reader, out->string, &out->string);
	case LUA_TLIGHTUSERDATA: /* flb_null */
		*out = lua_value_null();
		return lua_touserdata(L, index) == NULL ||
		       refuse(reader, "the result contains a userdata");
	default:
		return refuse(reader, "the result contains a function, a "
				      "userdata or a coroutine");
	}
}

bool lua_value_shape(struct lua_reader *reader, lua_State *L, int index,
		     struct lua_shape *out)
{
	*out = (struct lua_shape){0};
	if (!lua_checkstack(L, STACK_SLOTS))
		return refuse(reader, "the result is nested too deeply");
	if (!reader->on_table(reader, L, index))
		return false;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		out->keys++;
		if (!lua_isinteger(L, -1))
			continue;
		lua_Integer key = lua_tointeger(L, -1);
		if (key > 0 && (uint64_t)key > out->length)
			out->length = (uint64_t)key;
	}
	/* Keys that are lost take a byte each, so that a result that contains
	 * one large table many times reaches the limit. */
	if (out->length > 0)
		return lua_value_take_room(reader, out->length,
					   sizeof(struct value)) &&
		       lua_value_take_room(reader, out->keys, 1);
	return lua_value_take_room(reader, out->keys, sizeof(struct field));
}

static bool was_array(const struct lua_reader *reader, lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return false;
	bool was = lua_topointer(L, -1) == reader->array;
	lua_pop(L, 1);
	return was;
}

static bool has_name(const struct lua_keys *keys, struct span name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (span_equals(keys->names[i], name))
			return true;
	return false;
}

/* Apply Type_Int_Key and Type_Array_Key to a field; only with has_casts. */
static void cast(const struct lua_reader *reader, struct field *f)
{
	lua_Integer integer = INT64_MIN; /* for NaN and numbers too large */
	if (f->value.type == VALUE_FLOAT &&
	    has_name(&reader->int_keys, f->key)) {
		if (!lua_numbertointeger(trunc(f->value.real), &integer))
			integer = INT64_MIN;
		f->value = value_int(integer);
	} else if (f->value.type == VALUE_MAP && f->value.count == 0 &&
		   has_name(&reader->array_keys, f->key)) {
		f->value = (struct value){.type = VALUE_ARRAY};
	}
}

bool lua_value_read(struct lua_reader *reader, lua_State *L, struct value *out)
{
	int top = lua_gettop(L);
	if (!lua_istable(L, top))
		return read_scalar(reader, L, top, out);
	struct lua_shape shape;
	if (reader->depth == JSON_DEPTH_MAX)
		return refuse(
			reader,
			"the result is nested too deeply or contains itself");
	reader->depth++;
	if (!lua_value_shape(reader, L, top, &shape))
		return false;
	if (shape.length > 0 ||
	    (shape.keys == 0 && was_array(reader, L, top))) {
		*out = (struct value){.type = VALUE_ARRAY,
				      .count = (uint32_t)shape.length};
		out->items = arena_take(reader->arena,
					out->count * sizeof *out->items);
		for (uint32_t i = 0; i < out->count; i++) {
			lua_rawgeti(L, top, (lua_Integer)i + 1);
			if (!lua_value_read(reader, L, &out->items[i]))
				return false;
			lua_settop(L, top);
		}
	} else {
		*out = (struct value){.type = VALUE_MAP,
				      .count = (uint32_t)shape.keys};
		out->fields = arena_take(reader->arena,
					 out->count * sizeof *out->fields);
		struct field *f = out->fields, *end = f + out->count;
		lua_pushnil(L);
		for (; lua_next(L, top); f++) {
			/* A safeguard: the script does not run meanwhile. */
			if (f == end)
				return refuse(reader,
					      "the result changes while it is "
					      "read");
			if (!lua_value_read_key(reader, L, top + 1, &f->key) ||
			    !lua_value_read(reader, L, &f->value))
				return false;
			if (reader->has_casts)
				cast(reader, f);
			lua_pop(L, 1);
		}
		struct record map = {.arena = reader->arena,
				     .fields = out->fields,
				     .count = out->count};
		lua_order_apply(&reader->order, L, top, &map);
	}
	reader->depth--;
	return true;
}

static struct value normalized(const struct lua_reader *, struct value);

static struct value normalized_map(const struct lua_reader *reader,
				   struct value v)
{
	struct record map = {
		.arena = reader->arena, .fields = v.fields, .count = v.count};
	struct record *copy = record_copy(&map);
	record_keep_last(copy);
	v.fields = copy->fields;
	v.count = 0;
	for (size_t i = 0; i < copy->count; i++) {
		struct field f = copy->fields[i];
		f.value = normalized(reader, f.value);
		if (f.value.type == VALUE_NULL && !reader->has_null)
			continue;
		if (reader->has_casts)
			cast(reader, &f);
		v.fields[v.count++] = f;
	}
	return v;
}

static struct value normalized(const struct lua_reader *reader, struct value v)
{
	lua_Integer integer;
	if (v.type == VALUE_FLOAT && is_whole(v.real, &integer)) {
		v = value_int(integer);
	} else if (v.type == VALUE_ARRAY) {
		while (!reader->has_null && v.count > 0 &&
		       v.items[v.count - 1].type == VALUE_NULL)
			v.count--;
		const struct value *from = v.items;
		v.items = arena_take(reader->arena, v.count * sizeof *v.items);
		for (uint32_t i = 0; i < v.count; i++)
			v.items[i] = normalized(reader, from[i]);
	} else if (v.type == VALUE_MAP && v.count > 0) {
		v = normalized_map(reader, v);
	}
	return v;
}

/* Values of these types are always in normal form. */
static bool is_plain(const struct field *f)
{
	const unsigned plain =
		1u << VALUE_STRING | 1u << VALUE_INT | 1u << VALUE_BOOL;
	return (plain >> f->value.type & 1) != 0;
}

void lua_value_normalize(const struct lua_reader *reader, struct record *r)
{
	struct field *f = r->fields, *end = f + r->count, *to;
	/* Usually this loop visits every field. */
	while (f < end && is_plain(f))
		f++;
	for (to = f; f < end; f++) {
		if (!is_plain(f)) {
			if (lua_value_is_absent(f->value))
				continue;
			f->value = normalized(reader, f->value);
			if (reader->has_casts)
				cast(reader, f);
		}
		*to++ = *f;
	}
	r->count = (size_t)(to - r->fields);
}

void lua_value_setup(struct lua_reader *reader, lua_State *L)
{
	reader->has_casts =
		reader->int_keys.count > 0 || reader->array_keys.count > 0;
	lua_newtable(L);
	reader->array = lua_topointer(L, -1);
	reader->array_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_order_setup(&reader->order, L);
	if (reader->has_null) {
		lua_pushlightuserdata(L, NULL);
		lua_setglobal(L, "flb_null");
	}
}
