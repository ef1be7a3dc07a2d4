/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/retired.h"

#include <string.h>

#include "intake/socket.h"

void retired_add(struct retired *r, struct socket *socket,
		 const struct journal_input *input)
{
	if (socket_is_kept(socket) ||
	    socket_kind_is_stream(socket_kind(socket))) {
		socket_close(socket);
		return;
	}
	if (r->count == RETIRED_MAX) {
		socket_discard(socket, "too many sockets of removed inputs "
				       "wait for a worker");
		socket_close(socket);
		return;
	}
	socket_retire(socket);
	r->sockets[r->count++] =
		(struct retired_socket){.socket = socket, .input = *input};
}

void retired_settle(struct retired *r)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		/* In this order: nothing arrives after socket_refuse. */
		socket_refuse(r->sockets[i].socket);
		if (socket_is_empty(r->sockets[i].socket))
			socket_close(r->sockets[i].socket);
		else
			r->sockets[kept++] = r->sockets[i];
	}
	r->count = kept;
	r->passed = 0;
}

void retired_close_passed(struct retired *r)
{
	for (uint32_t i = 0; i < r->passed; i++)
		socket_close(r->sockets[i].socket);
	r->count -= r->passed;
	memmove(r->sockets, r->sockets + r->passed,
		r->count * sizeof *r->sockets);
	r->passed = 0;
}

bool retired_share(const struct retired *r, const struct socket_opts *opts,
		   bool is_shared)
{
	bool is_in_way = false;
	for (uint32_t i = 0; i < r->count; i++) {
		if (!socket_is_in_way(r->sockets[i].socket, opts))
			continue;
		socket_share_port(r->sockets[i].socket, is_shared);
		is_in_way = true;
	}
	return is_in_way;
}

void retired_close(struct retired *r)
{
	r->passed = r->count;
	retired_close_passed(r);
}
