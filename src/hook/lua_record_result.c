/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_record_parts.h"

#include "base/arena.h"
#include "hook/lua_record.h"
#include "record/message.h"
#include "record/record.h"

enum {
	/* The limit for everything that one call returns: several times the
	 * largest datagram.  The limit also stops results like {[1e9]=1}, and
	 * tables that contain each other many times. */
	RESULT_BYTES_MAX = 8 * 1024 * 1024,
	/* All results of one message are in memory together: a second hook is
	 * called for each record that the first one has made. */
	MESSAGE_RESULTS_BYTES_MAX = 2 * RESULT_BYTES_MAX,
};

static bool refuse(struct lua_record *rs, const char *why)
{
	rs->reader.why = why;
	return false;
}

bool lua_record_on_table(struct lua_reader *reader, lua_State *L, int index)
{
	struct lua_record *rs = (struct lua_record *)reader;
	if (!lua_record_is_proxy(rs, L, index))
		return true;
	if (lua_topointer(L, index) != rs->proxy)
		return lua_record_revive(rs, L, index) ||
		       refuse(rs, LUA_RECORD_EARLIER);
	if (reader->depth > 0) {
		lua_order_keep(&reader->order, L, index, rs->view);
		lua_record_move_fields(rs, L, index, 0);
	}
	return true;
}

/* Convert a table to a record.  If the table is the proxy of this call, the
 * view has all fields that have not moved; any other table only takes over the
 * order of the view's keys.  `is_only`: nothing uses the view after this. */
static bool read_record(struct lua_record *rs, lua_State *L, int table,
			bool is_only, struct record *out)
{
	bool is_given = lua_topointer(L, table) == rs->proxy;
	/* In a list, each record has a copy of all the keys. */
	if (!is_only && !lua_value_take_room(&rs->reader, rs->view->count,
					     sizeof(struct field)))
		return false;
	rs->is_taken = is_given && is_only && !lua_record_may_be_kept(rs);
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
			return refuse(rs, "the record has a positive integer "
					  "key, so it is an array");
		bool is_text = lua_type(L, -1) == LUA_TSTRING;
		size_t end = is_text ? known : rs->given;
		size_t at = field_index_find(&rs->index, end, f.key);
		if (at < end)
			out->fields[at].value = f.value;
		else if (is_text)
			record_add_new(out, f.key, f.value);
		else
			record_add(out, f.key, f.value);
	}
	lua_order_sort(out->fields + rs->given, out->count - rs->given);
	lua_value_normalize(&rs->reader, out);
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
			return refuse(rs, "the result is an array, but not "
					  "of tables");
		if (!lua_value_shape(&rs->reader, L, element, &shape))
			return false;
		if (shape.length > 0)
			return refuse(rs, "the result is an array of arrays");
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
		return refuse(rs, "the result is not a table");
	/* The proxy is the usual result, and it is never an array. */
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

static size_t room_of(const struct message *m)
{
	size_t left = m != NULL ? MESSAGE_RESULTS_BYTES_MAX - m->results_bytes
				: RESULT_BYTES_MAX;
	return left < RESULT_BYTES_MAX ? left : RESULT_BYTES_MAX;
}

bool lua_record_take(struct lua_record *rs, lua_State *L, int index,
		     struct lua_records *out)
{
	struct message *m = rs->view->message;
	size_t room_bytes = room_of(m);
	*out = (struct lua_records){0};
	rs->reader.room_bytes = room_bytes;
	rs->reader.depth = 0;
	bool is_read = read_result(rs, L, lua_absindex(L, index), out);
	if (m != NULL)
		m->results_bytes += room_bytes - rs->reader.room_bytes;
	if (is_read)
		return true;
	*out = (struct lua_records){.why = rs->reader.why};
	return false;
}
