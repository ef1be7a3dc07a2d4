/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_order.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "record/record.h"

static int by_key(const void *a, const void *b)
{
	return span_compare(((const struct field *)a)->key,
			    ((const struct field *)b)->key);
}

void lua_order_sort(struct field *fields, size_t count)
{
	if (count > 1)
		qsort(fields, count, sizeof *fields, by_key);
}

void lua_order_keep(struct lua_order *o, lua_State *L, int index,
		    const struct record *map)
{
	if (map->count == 0)
		return;
	struct record *kept = arena_take(map->arena, sizeof *kept);
	*kept = *map;
	o->is_used = true;
	lua_rawgeti(L, LUA_REGISTRYINDEX, o->maps);
	lua_pushvalue(L, index);
	lua_pushlightuserdata(L, kept);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* The map from which the table was made, or NULL. */
static const struct record *map_of(const struct lua_order *o, lua_State *L,
				   int index)
{
	if (!o->is_used)
		return NULL;
	lua_rawgeti(L, LUA_REGISTRYINDEX, o->maps);
	lua_pushvalue(L, index);
	lua_rawget(L, -2);
	const struct record *map = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return map;
}

void lua_order_apply(const struct lua_order *o, lua_State *L, int index,
		     const struct record *map)
{
	lua_order_sort(map->fields, map->count);
	const struct record *was = map_of(o, L, index);
	if (was == NULL || map->count < 2)
		return;
	struct record *old = record_copy(was);
	record_keep_last(old);
	struct field *ordered =
		arena_take(map->arena, map->count * sizeof *ordered);
	bool *is_old = arena_take(map->arena, map->count * sizeof *is_old);
	memset(is_old, 0, map->count * sizeof *is_old);
	size_t n = 0;
	for (size_t i = 0; i < old->count; i++) {
		const struct field *f =
			bsearch(&old->fields[i], map->fields, map->count,
				sizeof *map->fields, by_key);
		/* Two fields may have the same key as text, like 1 and "1". */
		if (f == NULL || is_old[f - map->fields])
			continue;
		is_old[f - map->fields] = true;
		ordered[n++] = *f;
	}
	for (size_t i = 0; i < map->count; i++)
		if (!is_old[i])
			ordered[n++] = map->fields[i];
	memcpy(map->fields, ordered, n * sizeof *ordered);
	arena_give_back(map->arena, old);
}

void lua_order_reset(struct lua_order *o, lua_State *L)
{
	if (!o->is_used)
		return;
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, o->maps);
	o->is_used = false;
}

void lua_order_setup(struct lua_order *o, lua_State *L)
{
	lua_newtable(L);
	o->maps = luaL_ref(L, LUA_REGISTRYINDEX);
	o->is_used = false;
}
