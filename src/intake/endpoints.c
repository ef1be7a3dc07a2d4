/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/endpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "intake/http_listen.h"
#include "intake/inet.h"

enum {
	LISTEN_FDS_START = 3, /* SD_LISTEN_FDS_START */
	LOOK_MS = 1000,
	OPEN_AGAIN_MS = 10000, /* while a socket is lost */
};

void endpoints_init(struct endpoints *e)
{
	*e = (struct endpoints){.http_fd = -1, .look_ns = 1};
}

static struct socket_opts opts_of(const struct socket_spec *spec)
{
	return (struct socket_opts){
		.kind = (enum socket_kind)spec->kind,
		.path = spec->path,
		.port = spec->port,
		.mode = (mode_t)spec->mode,
		.queue_length = spec->queue_length,
		.receive_bytes = spec->receive_bytes,
	};
}

static bool has(const struct endpoints *e, const struct socket *socket)
{
	for (uint32_t i = 0; i < e->specs.socket_count; i++)
		if (e->sockets[i] == socket)
			return true;
	return false;
}

/* The open socket for these options that `next` does not use yet, or NULL. */
static struct socket *find(const struct endpoints *had,
			   const struct endpoints *next,
			   const struct socket_opts *opts)
{
	for (uint32_t i = 0; i < had->specs.socket_count; i++)
		if (had->sockets[i] != NULL && !has(next, had->sockets[i]) &&
		    socket_is_at(had->sockets[i], opts))
			return had->sockets[i];
	return NULL;
}

static bool same_http(const struct endpoint_specs *a,
		      const struct endpoint_specs *b)
{
	return a->has_http && b->has_http && a->http_port == b->http_port &&
	       strcmp(a->http_listen, b->http_listen) == 0;
}

static void keep_open(const struct endpoints *had, struct endpoints *next)
{
	for (uint32_t i = 0; i < next->specs.socket_count; i++) {
		struct socket_opts opts = opts_of(&next->specs.sockets[i]);
		next->sockets[i] = find(had, next, &opts);
	}
	if (same_http(&had->specs, &next->specs))
		next->http_fd = had->http_fd;
}

/* An endpoint that `next` does not keep may have the path or the port of a new
 * one, and the old worker still uses it.  So may a retired socket.  If
 * is_shared, allow the new one to be opened beside it; otherwise end that.
 * Returns whether there is one. */
static bool share(const struct endpoints *had, const struct endpoints *next,
		  const struct socket_opts *opts, bool is_shared)
{
	bool is_in_way = false;
	for (uint32_t i = 0; i < had->specs.socket_count; i++) {
		struct socket *s = had->sockets[i];
		if (s == NULL || has(next, s) || !socket_is_in_way(s, opts))
			continue;
		socket_share_port(s, is_shared);
		is_in_way = true;
	}
	if (retired_share(&had->retired, opts, is_shared))
		is_in_way = true;
	if (had->http_fd >= 0 && had->http_fd != next->http_fd &&
	    opts->kind == SOCKET_TCP && had->specs.http_port == opts->port) {
		inet_share_port(had->http_fd, is_shared);
		is_in_way = true;
	}
	return is_in_way;
}

static bool is_same_input(const struct socket_spec *a,
			  const struct socket_spec *b)
{
	bool is_same_place =
		strcmp(a->path, b->path) == 0 && a->port == b->port;
	return is_same_place || (strcmp(a->input.name, b->input.name) == 0 &&
				 strcmp(a->input.tag, b->input.tag) == 0 &&
				 strcmp(a->input.parser, b->input.parser) == 0);
}

/* The socket of `next` with this number cannot be opened, as *e says: use the
 * input's old socket.  The specs then have its address, so that the next call
 * of endpoints_set tries again.  False if it has none. */
static bool keep_old(const struct endpoints *had, struct endpoints *next,
		     uint32_t number, const struct err *e)
{
	struct socket_spec *spec = &next->specs.sockets[number];
	for (uint32_t i = 0; i < had->specs.socket_count; i++) {
		const struct socket_spec *old = &had->specs.sockets[i];
		struct socket *s = had->sockets[i];
		if (s == NULL || has(next, s) || old->kind != spec->kind ||
		    !is_same_input(old, spec))
			continue;
		log_line(LOG_ERROR, "endpoints",
			 "input=%s err=\"%s\" action=\"continuing with this "
			 "input's old socket; correct the cause, then reload; "
			 "if somebody removed the socket, sluiced opens a new "
			 "one without a reload\"",
			 spec->input.name, e->text);
		socket_put_back(s); /* the failed attempt may have taken it */
		memcpy(spec->path, old->path, sizeof spec->path);
		spec->port = old->port;
		next->sockets[number] = s;
		return true;
	}
	return false;
}

static bool open_sockets(const struct endpoints *had, struct endpoints *next,
			 bool keeps_old, struct err *e)
{
	for (uint32_t i = 0; i < next->specs.socket_count; i++) {
		struct socket_opts opts = opts_of(&next->specs.sockets[i]);
		if (next->sockets[i] != NULL)
			continue;
		opts.takes_over = share(had, next, &opts, true);
		next->sockets[i] = socket_open(&opts, e);
		(void)share(had, next, &opts, false);
		if (next->sockets[i] == NULL &&
		    !(keeps_old && keep_old(had, next, i, e)))
			return false;
	}
	return true;
}

static bool open_http(const struct endpoints *had, struct endpoints *next,
		      struct err *e)
{
	if (!next->specs.has_http || next->http_fd >= 0)
		return true;
	/* If systemd passed the listener, duplicate its descriptor; the
	 * original is closed with the other sockets that no input uses. */
	struct socket_opts opts = {.kind = SOCKET_TCP,
				   .path = next->specs.http_listen,
				   .port = next->specs.http_port};
	struct socket *passed = find(had, next, &opts);
	if (passed != NULL && socket_is_kept(passed)) {
		next->http_fd = fcntl(socket_fd(passed), F_DUPFD_CLOEXEC, 0);
		return next->http_fd >= 0 || err_sys(e, errno, "HTTP listener");
	}
	bool shares_port = share(had, next, &opts, true);
	next->http_fd = http_listen(opts.path, opts.port, shares_port, e);
	(void)share(had, next, &opts, false);
	return next->http_fd >= 0;
}

/* The same, but if it cannot be opened, use the old one, as keep_old does. */
static bool open_or_keep_http(const struct endpoints *had,
			      struct endpoints *next, struct err *e)
{
	struct endpoint_specs *specs = &next->specs;
	if (open_http(had, next, e))
		return true;
	if (had->http_fd < 0)
		return false;
	log_line(LOG_ERROR, "endpoints",
		 "err=\"%s\" action=\"continuing with the HTTP server on %s "
		 "port %u; correct the cause and reload\"",
		 e->text, had->specs.http_listen, had->specs.http_port);
	next->http_fd = had->http_fd;
	specs->http_port = had->specs.http_port;
	memcpy(specs->http_listen, had->specs.http_listen,
	       sizeof specs->http_listen);
	return true;
}

/* Close the endpoints of `all` that are not in `kept`. */
static void close_others(const struct endpoints *all,
			 const struct endpoints *kept)
{
	for (uint32_t i = 0; i < all->specs.socket_count; i++)
		if (all->sockets[i] != NULL && !has(kept, all->sockets[i]))
			socket_close(all->sockets[i]);
	if (all->http_fd >= 0 && all->http_fd != kept->http_fd)
		close(all->http_fd);
}

/* Retire or close the sockets that `next` does not keep. */
static void retire_others(struct endpoints *had, const struct endpoints *next)
{
	for (uint32_t i = 0; i < had->specs.socket_count; i++) {
		struct socket *s = had->sockets[i];
		if (s == NULL || has(next, s))
			continue;
		had->sockets[i] = NULL;
		if (had->has_no_reader) {
			socket_discard(s, "no worker reads this socket any "
					  "more, because the configuration "
					  "has no such input");
			socket_close(s);
		} else {
			retired_add(&had->retired, s,
				    &had->specs.sockets[i].input);
		}
	}
}

static bool set(struct endpoints *had, const struct endpoint_specs *specs,
		bool keeps_old, struct err *e)
{
	struct endpoints next;
	endpoints_init(&next);
	next.specs = *specs;
	keep_open(had, &next);
	bool has_http = keeps_old ? open_or_keep_http(had, &next, e)
				  : open_http(had, &next, e);
	if (!has_http || !open_sockets(had, &next, keeps_old, e)) {
		close_others(&next, had);
		for (uint32_t i = 0; i < had->specs.socket_count; i++)
			socket_put_back(had->sockets[i]);
		had->has_no_reader = false;
		return false;
	}
	retire_others(had, &next);
	close_others(had, &next);
	next.retired = had->retired;
	for (uint32_t i = 0; i < next.specs.socket_count; i++) {
		struct socket_opts opts = opts_of(&next.specs.sockets[i]);
		if (socket_is_at(next.sockets[i], &opts))
			socket_keep(next.sockets[i], &opts);
	}
	next.again_ns = had->again_ns;
	next.lost_rate = had->lost_rate;
	*had = next;
	return true;
}

bool endpoints_set(struct endpoints *e, const struct endpoint_specs *specs,
		   struct err *err)
{
	return set(e, specs, false, err);
}

bool endpoints_set_or_keep(struct endpoints *e,
			   const struct endpoint_specs *specs, struct err *err)
{
	return set(e, specs, true, err);
}

bool endpoints_have(const struct endpoints *e, ino_t inode)
{
	for (uint32_t i = 0; i < e->specs.socket_count; i++)
		if (socket_inode(e->sockets[i]) == inode)
			return true;
	return false;
}

/* The socket with this number is lost.  Whether another could be opened in its
 * place, as far as this can be found out. */
static bool may_replace(struct endpoints *e, uint32_t number)
{
	struct socket_opts opts = opts_of(&e->specs.sockets[number]);
	struct err err;
	if (socket_try(&opts, &err) == SOCKET_TRY_GOOD &&
	    (!socket_kind_is_unix(opts.kind) ||
	     socket_path_is_free(opts.path, &err)))
		return true;
	log_rated(
		&e->lost_rate, LOG_ERROR, "endpoints",
		"input=%s err=\"%s\" action=\"continuing with the socket that "
		"was removed, which only connected senders reach; opening "
		"another when that is possible\"",
		e->specs.sockets[number].input.name, err.text);
	return false;
}

bool endpoints_restore(struct endpoints *e, int64_t now_ns)
{
	bool are_good = true;
	if (now_ns < e->look_ns)
		return true;
	e->look_ns = now_ns + LOOK_MS * NS_PER_MS;
	for (uint32_t i = 0; i < e->specs.socket_count; i++)
		if (!socket_restore(e->sockets[i]) && may_replace(e, i))
			are_good = false;
	if (are_good || now_ns < e->again_ns)
		return true;
	e->again_ns = now_ns + OPEN_AGAIN_MS * NS_PER_MS;
	return false;
}

unsigned endpoints_close_refused(struct endpoints *e)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < e->specs.socket_count; i++) {
		struct socket_spec *spec = &e->specs.sockets[i];
		if (socket_is_refused(e->sockets[i])) {
			retired_add(&e->retired, e->sockets[i], &spec->input);
		} else {
			e->specs.sockets[kept] = *spec;
			e->sockets[kept++] = e->sockets[i];
		}
	}
	unsigned closed = e->specs.socket_count - kept;
	e->specs.socket_count = kept;
	return closed;
}

void endpoints_discard(struct endpoints *e, const char *why)
{
	for (uint32_t i = 0; i < e->specs.socket_count; i++)
		socket_discard(e->sockets[i], why);
	for (uint32_t i = 0; i < e->retired.count; i++)
		socket_discard(e->retired.sockets[i].socket, why);
}

void endpoints_close(struct endpoints *e)
{
	struct endpoints none;
	endpoints_init(&none);
	close_others(e, &none);
	retired_close(&e->retired);
	*e = none;
}

/* endpoints_set finds out later which input the socket belongs to. */
static bool adopt(struct endpoints *to, int fd, struct err *e)
{
	if (to->specs.socket_count == ENDPOINTS_MAX)
		return err_set(e, "LISTEN_FDS: more than %d descriptors",
			       ENDPOINTS_MAX);
	struct socket *socket = socket_adopt(fd, 0, true, e);
	if (socket == NULL)
		return err_in(e, "LISTEN_FDS");
	to->sockets[to->specs.socket_count++] = socket;
	return true;
}

bool endpoints_adopt_systemd(struct endpoints *to, struct err *e)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	if (pid == NULL || count == NULL ||
	    strtol(pid, NULL, 10) != (long)getpid())
		return true;
	long fds = strtol(count, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (long i = 0; i < fds; i++)
		if (!adopt(to, LISTEN_FDS_START + (int)i, e))
			return false;
	log_line(LOG_INFO, "endpoints",
		 "msg=\"using the sockets that systemd "
		 "passed\" listen_fds=%ld",
		 fds);
	return true;
}
