/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/message_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/instance_name.h"
#include "intake/inet.h"

enum { SEND_BUFFER_BYTES = 32 * 1024 * 1024, PORT_DEFAULT = 5140 };

static bool read_place(struct message_sender *t, struct conf_section *s,
		       struct err *e)
{
	int64_t port = PORT_DEFAULT;
	if (!socket_kind_is_unix(t->at.kind)) {
		t->at.path = "0.0.0.0";
		if (!conf_get_text(s, "Listen", &t->at.path, e) ||
		    !conf_get_int(s, "Port", 1, UINT16_MAX, &port, e))
			return false;
		t->at.port = (uint16_t)port;
		return true;
	}
	if (!conf_get_text(s, "Path", &t->at.path, e))
		return false;
	if (t->at.path == NULL)
		return conf_err(s, e, "Path is missing; it names the socket");
	return socket_path_fits(t->at.path, e) || conf_err_in(s, "Path", e);
}

bool message_sender_init(struct message_sender *t, struct conf_section *s,
			 size_t index, struct err *e)
{
	const struct instance_name_opts names = {
		.kind = "input", .plugin = "syslog", .number = index};
	size_t mode = 0, format = 0;
	*t = (struct message_sender){.fd = -1};
	if (!conf_get_choice(s, "Mode", socket_kind_names, &mode, e))
		return false;
	t->at.kind = (enum socket_kind)mode;
	if (!read_place(t, s, e) ||
	    (socket_kind_is_stream(t->at.kind) &&
	     !conf_get_choice(s, "Format", framing_names, &format, e)))
		return false;
	t->framing = format == 0 ? FRAMING_NEWLINE : FRAMING_OCTETS;
	t->name = instance_name(s, &names, e);
	return t->name != NULL;
}

void message_sender_fini(struct message_sender *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->name);
	buf_fini(&t->framed);
}

static int type_of(const struct message_sender *t)
{
	int type = socket_kind_is_stream(t->at.kind) ? SOCK_STREAM : SOCK_DGRAM;
	return type | SOCK_CLOEXEC;
}

/* Allow long datagrams; the kernel limits the value (unix(7)). */
static void widen(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER_BYTES},
		   sizeof(int));
}

static bool connect_to(struct message_sender *t, int family,
		       const struct sockaddr *address, socklen_t length,
		       struct err *e)
{
	t->fd = socket(family, type_of(t), 0);
	if (t->fd < 0)
		return err_sys(e, errno, "socket");
	widen(t->fd);
	if (connect(t->fd, address, length) == 0)
		return true;
	err_sys(e, errno, "connect to %s", t->at.path);
	close(t->fd);
	t->fd = -1;
	return false;
}

/* If the input listens on a wildcard address, connecting to that address
 * reaches this machine. */
static bool connect_inet(struct message_sender *t, struct err *e)
{
	struct inet_opts opts = {
		.host = t->at.path,
		.port = t->at.port,
		.is_stream = socket_kind_is_stream(t->at.kind),
	};
	struct inet_address address;
	return inet_resolve(&opts, &address, e) &&
	       connect_to(t, address.any.ss_family,
			  (struct sockaddr *)&address.any, address.length, e);
}

static bool connect_to_input(struct message_sender *t, struct err *e)
{
	if (t->fd >= 0)
		return true;
	if (!socket_kind_is_unix(t->at.kind))
		return connect_inet(t, e);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, t->at.path, strlen(t->at.path));
	return connect_to(t, AF_UNIX, (struct sockaddr *)&address,
			  sizeof address, e);
}

/* Frame the message.  False if a line cannot hold it, because it contains a
 * newline or NUL. */
static bool frame(struct message_sender *t, struct span *message)
{
	if (!socket_kind_is_stream(t->at.kind))
		return true;
	struct span m = *message;
	buf_clear(&t->framed);
	if (t->framing == FRAMING_OCTETS) {
		buf_printf(&t->framed, "%zu ", m.len);
	} else if (m.len > 0 && (memchr(m.ptr, '\n', m.len) != NULL ||
				 memchr(m.ptr, '\0', m.len) != NULL)) {
		return false;
	}
	buf_put_span(&t->framed, m);
	if (t->framing == FRAMING_NEWLINE)
		buf_put_char(&t->framed, '\n');
	*message = buf_span(&t->framed);
	return true;
}

enum message_sender_result message_sender_send(struct message_sender *t,
					       struct span message,
					       struct err *e)
{
	if (!connect_to_input(t, e))
		return MESSAGE_SENDER_GONE;
	struct span rest = message;
	if (!frame(t, &rest)) {
		err_set(e,
			"%s expects one message per line, and this message "
			"contains a newline or NUL",
			t->at.path);
		return MESSAGE_SENDER_CANNOT;
	}
	do {
		ssize_t n = send(t->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
		if (n >= 0) {
			rest = span_make(rest.ptr + n, rest.len - (size_t)n);
		} else if (errno != EINTR) {
			err_sys(e, errno, "send %zu bytes to %s", message.len,
				t->at.path);
			return errno == EMSGSIZE ? MESSAGE_SENDER_CANNOT
						 : MESSAGE_SENDER_GONE;
		}
	} while (rest.len > 0);
	return MESSAGE_SENDER_SENT;
}
