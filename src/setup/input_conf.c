/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/input_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "conf/conf.h"
#include "parse/parser.h"
#include "pipeline/decoder.h"
#include "setup/assemble.h"

enum {
	/* What fits into the sender's default SO_SNDBUF of 212,992 bytes. */
	MESSAGE_BYTES_DEFAULT = 212992,
	MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
	QUEUE_LENGTH_DEFAULT = 4096,
	PORT_DEFAULT = 5140,
};

struct ignored {
	const char *key; /* NULL behind the last */
	const char *why;
};

static const struct ignored in_all_modes[] = {
	{"Mem_Buf_Limit", "storage.max_size in [SERVICE] bounds the journal"},
	{"storage.type", "every input goes through the journal"},
	{"storage.pause_on_chunks_overlimit",
	 "the journal holds what is not yet written"},
	{"Routable", "every input is routed"},
	{"threaded", "the sockets always have a thread of their own"},
	{"thread.*", "the sockets always have a thread of their own"},
	{"rate_window", "what comes is received"},
	{"rate_gate*", "what comes is received"},
	{"Log_Level", "Log_Level in [SERVICE] is for all"},
	{"log_suppress_interval", "what is said again and again is held back"},
	{"Interval_*", "what is sent is received when it comes"},
	{"tls.*", "there is no tls"},
	{"Host", "Listen is where it listens"},
	{"ipv6", "Listen :: is for both"},
	{NULL, NULL},
};

static const struct ignored of_unix_sockets[] = {
	{"Receive_Buffer_Size",
	 "the kernel does not use it for Unix sockets; see Queue_Length"},
	{"Listen", "a Unix socket has a Path"},
	{"Port", "a Unix socket has a Path"},
	{"net.*", "nothing goes over a network"},
	{NULL, NULL},
};

static const struct ignored of_network_sockets[] = {
	{"Path", "a network socket has Listen and Port"},
	{"Unix_Perm", "a network socket has no file"},
	{"Queue_Length", "it is for unix_udp; see Receive_Buffer_Size"},
	{"net.*", "a connection lives as long as its sender keeps it"},
	{NULL, NULL},
};

static const struct ignored of_datagrams[] = {
	{"Buffer_Max_Size", "a datagram is never received in parts"},
	{"Format", "a datagram is a message"},
	{NULL, NULL},
};

static void ignore(struct conf_section *s, const struct ignored *keys)
{
	for (; keys->key != NULL; keys++)
		conf_ignore(s, keys->key, keys->why);
}

static bool check_plugin(struct conf_section *s, struct err *e)
{
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return false;
	if (name == NULL)
		return conf_err_missing(s, "Name", e, "`Name syslog`");
	static const char *const kinds[] = {"syslog", NULL};
	return strcasecmp(name, kinds[0]) == 0 ||
	       conf_err_plugin(s, "input", kinds, e);
}

static bool read_mode(struct conf_section *s, struct input *in, struct err *e)
{
	static const char *const modes[] = {/* enum socket_kind */
					    "unix_udp", "unix_tcp", "udp",
					    "tcp", NULL};
	size_t mode = SOCKET_UNIX_UDP;
	bool tls = false;
	if (!conf_get_choice(s, "Mode", modes, &mode, e) ||
	    !conf_get_bool(s, "tls", &tls, e))
		return false;
	in->socket.kind = (enum socket_kind)mode;
	return !tls || conf_err_key(s, "tls", e,
				    "there is no tls; let something in front "
				    "of this end it, like stunnel");
}

static bool read_unix(struct conf_section *s, struct input *in, struct err *e)
{
	int64_t queue_length = QUEUE_LENGTH_DEFAULT;
	unsigned mode = 0666;
	if (!conf_get_text(s, "Path", &in->socket.path, e) ||
	    !conf_get_octal(s, "Unix_Perm", &mode, e) ||
	    !conf_get_int(s, "Queue_Length", 0, INT32_MAX, &queue_length, e))
		return false;
	if (in->socket.path == NULL)
		return conf_err_missing(s, "Path", e,
					"where the socket shall be, like "
					"/tmp/sidecar-nginx/sys-log.sock");
	if (!socket_path_fits(in->socket.path, e))
		return conf_err_in(s, "Path", e);
	if (mode > 0777)
		return conf_err_key(s, "Unix_Perm", e,
				    "Unix_Perm is a mode like 0666");
	in->socket.mode = (mode_t)mode;
	in->socket.queue_length = (unsigned)queue_length;
	ignore(s, of_unix_sockets);
	return true;
}

static bool read_network(struct conf_section *s, struct input *in,
			 struct err *e)
{
	int64_t port = PORT_DEFAULT;
	size_t bytes = 0;
	in->socket.path = "0.0.0.0";
	if (!conf_get_text(s, "Listen", &in->socket.path, e) ||
	    !conf_get_int(s, "Port", 1, UINT16_MAX, &port, e) ||
	    !conf_get_size(s, "Receive_Buffer_Size", &bytes, e))
		return false;
	if (bytes > INT32_MAX / 2)
		return conf_err_key(s, "Receive_Buffer_Size", e,
				    "Receive_Buffer_Size can be 1G at most");
	in->socket.port = (uint16_t)port;
	in->socket.receive_bytes = bytes;
	ignore(s, of_network_sockets);
	return true;
}

static bool read_framing(struct conf_section *s, struct input *in,
			 struct err *e)
{
	static const char *const formats[] = {"newline", "octet_counting",
					      "octet", NULL};
	size_t format = 0;
	if (!conf_get_choice(s, "Format", formats, &format, e))
		return false;
	in->framing = format == 0 ? FRAMING_NEWLINE : FRAMING_OCTETS;
	return true;
}

/* Fluent Bit cuts a datagram at Buffer_Chunk_Size, and ends a connection with
 * a message longer than Buffer_Max_Size; here they can only make room for
 * larger ones. */
static bool read_size(struct conf_section *s, const char *key, struct input *in,
		      struct err *e)
{
	size_t bytes = 0;
	if (!conf_get_size(s, key, &bytes, e))
		return false;
	if (bytes > MESSAGE_BYTES_MAX)
		return conf_err_key(s, key, e, "%s can be 16M at most", key);
	if (in->message_bytes_max < bytes)
		in->message_bytes_max = bytes;
	return true;
}

static bool read_socket(struct conf_section *s, struct input *in, struct err *e)
{
	if (!read_mode(s, in, e))
		return false;
	in->message_bytes_max = MESSAGE_BYTES_DEFAULT;
	bool ok = socket_kind_is_unix(in->socket.kind) ? read_unix(s, in, e)
						       : read_network(s, in, e);
	if (!ok || !read_size(s, "Buffer_Chunk_Size", in, e))
		return false;
	if (socket_kind_is_stream(in->socket.kind))
		return read_size(s, "Buffer_Max_Size", in, e) &&
		       read_framing(s, in, e);
	ignore(s, of_datagrams);
	return true;
}

static bool find_parser(struct conf_section *s, const struct input_env *env,
			const struct input *in, struct parser **parser,
			struct err *e)
{
	const char *name = NULL;
	*parser = socket_kind_is_unix(in->socket.kind) ? env->unix_parser
						       : env->network_parser;
	if (!conf_get_text(s, "Parser", &name, e))
		return false;
	if (name == NULL)
		return true;
	*parser = parser_set_find(env->parsers, name);
	if (*parser != NULL)
		return true;
	const char **names = parser_set_names(env->parsers);
	conf_err_unknown(s, "Parser", "parser", names, e);
	free(names);
	return false;
}

/* As Fluent Bit has it where it cannot know. */
static const char *no_origin(const struct input *in)
{
	switch (in->socket.kind) {
	case SOCKET_UDP:
		return "udp://unavailable";
	case SOCKET_TCP:
		return "tcp://unavailable";
	default:
		return "unix://unavailable";
	}
}

/* A sender of Unix datagrams has no address. */
static bool read_keys(struct conf_section *s, struct input *in,
		      struct decoder *d, struct err *e)
{
	const char *raw = NULL, *source = NULL;
	if (!conf_get_text(s, "Raw_Message_Key", &raw, e) ||
	    !conf_get_text(s, "Source_Address_Key", &source, e))
		return false;
	in->keeps_peer_address =
		source != NULL && in->socket.kind != SOCKET_UNIX_UDP;
	if (raw != NULL || source != NULL)
		decoder_add_keys(d, raw, source, no_origin(in));
	return true;
}

struct decoder *input_conf_read(struct conf_section *s, size_t index,
				const struct input_env *env, struct input *in,
				struct err *e)
{
	struct parser *parser = NULL;
	char standard[32];
	snprintf(standard, sizeof standard, "syslog.%zu", index);
	const char *tag = standard;
	const char *name = standard;
	*in = (struct input){0};
	if (!check_plugin(s, e) || !read_socket(s, in, e) ||
	    !find_parser(s, env, in, &parser, e) ||
	    !conf_get_text(s, "Tag", &tag, e) ||
	    !conf_get_text(s, "Alias", &name, e))
		return NULL;
	struct decoder *d = decoder_new(name, tag, parser, e);
	if (d == NULL)
		return NULL;
	in->name = decoder_name(d);
	ignore(s, in_all_modes);
	if (read_keys(s, in, d, e) && conf_section_end(s, e))
		return d;
	decoder_free(d);
	return NULL;
}
