/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/input_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "conf/instance_name.h"
#include "conf/unsupported.h"
#include "parse/parser.h"
#include "pipeline/decoder.h"
#include "setup/assemble.h"
#include "setup/plugins.h"

enum {
	/* The largest datagram that fits into a sender's default SO_SNDBUF. */
	MESSAGE_BYTES_DEFAULT = 212992,
	MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
	QUEUE_LENGTH_DEFAULT = 4096,
	PORT_DEFAULT = 5140,
	KINDS_MAX = 32,
};

const struct conf_key_spec input_common_keys[] = {
	{"Name", CONF_TEXT, .is_required = true,
	 .help = "The kind of input: syslog."},
	{"Tag", CONF_TEXT, .default_text = "syslog.N",
	 .help = "The tag of the input's records."},
	{"Alias", CONF_TEXT, .default_text = "syslog.N",
	 .help = "The name of this input in metrics and log lines."},
	{"Mem_Buf_Limit",
	 .ignored = "storage.max_size in [SERVICE] bounds the journal"},
	{"storage.type", .ignored = "every input goes through the journal"},
	{"storage.pause_on_chunks_overlimit",
	 .ignored = "the journal holds all unwritten messages"},
	{"Routable", .ignored = "every input is routed"},
	{"threaded", .ignored = "one thread reads all sockets"},
	{"thread.*", .ignored = "one thread reads all sockets"},
	{"rate_window", .ignored = "sluiced does not limit the rate"},
	{"rate_gate*", .ignored = "sluiced does not limit the rate"},
	{"Log_Level", .ignored = "Log_Level of [SERVICE] applies to all "
				 "of sluiced"},
	{"log_suppress_interval", .ignored = "sluiced limits the rate of "
					     "repeated log lines itself"},
	{"Interval_*", .ignored = "messages are received when they arrive"},
	{.name = NULL},
};

const struct conf_key_spec input_syslog_keys[] = {
	{"Mode", CONF_CHOICE, .default_text = "unix_udp",
	 .help = "unix_udp (datagrams), unix_tcp (streams), udp or tcp."},
	{"Path", CONF_PATH,
	 .help = "The Unix socket; required in the modes unix_udp and "
		 "unix_tcp."},
	{"Unix_Perm", CONF_OCTAL, .default_text = "0666",
	 .help = "The mode of the Unix socket."},
	{"Queue_Length", CONF_INT, .default_text = "4096",
	 .help = "How many datagrams the kernel may queue (unix_udp). sluiced "
		 "raises the kernel's limit before it creates the socket, if "
		 "it is permitted to."},
	{"Listen", CONF_TEXT, .default_text = "0.0.0.0",
	 .help = "The address to listen on (udp, tcp)."},
	{"Port", CONF_INT, .default_text = "5140",
	 .help = "The port to listen on (udp, tcp)."},
	{"Receive_Buffer_Size", CONF_SIZE, .default_text = "4MB for udp",
	 .help = "The kernel's receive buffer (udp, tcp)."},
	{"Parser", CONF_TEXT, .default_text = "built-in",
	 .help = "The parser of messages. Without it: syslog-rfc3164-local "
		 "(Unix) or syslog-rfc5424 (network) if configured, otherwise "
		 "the built-in parser of RFC 3164 and RFC 5424."},
	{"Buffer_Chunk_Size", CONF_SIZE, .default_text = "212992",
	 .help = "The longest message; values below the default have no "
		 "effect."},
	{"Buffer_Max_Size", CONF_SIZE, .default_text = "212992",
	 .help = "Like Buffer_Chunk_Size, for streams (unix_tcp, tcp)."},
	{"Format", CONF_CHOICE, .default_text = "newline",
	 .help = "How messages are framed in a stream: newline or "
		 "octet_counting (RFC 6587)."},
	{"Idle_Timeout", CONF_SECONDS, .default_text = "0",
	 .help = "End a connection that brings no message for this long "
		 "(unix_tcp, tcp). 0: never, because some senders lose a line "
		 "when they are disconnected."},
	{"Raw_Message_Key", CONF_FIELD,
	 .help = "Add a field with the message as it was received."},
	{"Source_Address_Key", CONF_FIELD,
	 .help = "Add a field with the peer address."},
	{"tls", CONF_BOOL, .default_text = "off",
	 .help = "Only off is supported."},
	{"tls.*", .ignored = "sluiced has no TLS"},
	{"Host", .ignored = "Listen is the address"},
	{"ipv6", .ignored = "Listen :: accepts IPv4 and IPv6"},
	{"net.*", .ignored = "sluiced opens no connection"},
	{.name = NULL},
};

/* A key that other modes use. */
struct unused_key {
	const char *key; /* NULL after the last one */
	const char *why;
	bool is_ours; /* Fluent Bit does not have it */
};

static const struct unused_key of_unix_sockets[] = {
	{"Receive_Buffer_Size",
	 "the kernel does not use it for Unix sockets; see Queue_Length",
	 false},
	{"Listen", "a Unix socket has a Path", false},
	{"Port", "a Unix socket has a Path", false},
	{NULL, NULL, false},
};

static const struct unused_key of_network_sockets[] = {
	{"Path", "a network socket has Listen and Port", false},
	{"Unix_Perm", "a network socket has no file", false},
	{NULL, NULL, false},
};

static const struct unused_key of_datagrams[] = {
	{"Buffer_Max_Size", "a datagram is never received in parts", false},
	{"Format", "a datagram is one message", false},
	{"Idle_Timeout", "datagrams have no connection", true},
	{NULL, NULL, false},
};

static const struct unused_key of_all_but_unix_udp[] = {
	{"Queue_Length", "it is for Mode unix_udp", true},
	{NULL, NULL, false},
};

static bool check_unused(struct conf_section *s, const struct input *in,
			 const struct unused_key *keys, struct err *e)
{
	char user[32];
	snprintf(user, sizeof user, "Mode %s",
		 socket_kind_names[in->socket.kind]);
	for (; keys->key != NULL; keys++)
		if (!keys->is_ours)
			conf_unused(s, keys->key, user, keys->why);
		else if (!conf_refuse_unused(s, keys->key, user, keys->why, e))
			return false;
	return true;
}

static bool check_plugin(struct conf_section *s, struct err *e)
{
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return false;
	if (name == NULL)
		return conf_err_missing(s, "Name", e,
					"for example `Name syslog`");
	const char *names[KINDS_MAX + 1] = {NULL};
	for (size_t i = 0; input_kinds[i].name != NULL; i++) {
		CHECK(i < KINDS_MAX);
		names[i] = input_kinds[i].name;
		if (strcasecmp(name, names[i]) != 0)
			continue;
		conf_declare(s, input_kinds[i].keys);
		return true;
	}
	return unsupported_plugin(s, "input", names, e);
}

static bool read_mode(struct conf_section *s, struct input *in, struct err *e)
{
	size_t mode = SOCKET_UNIX_UDP;
	bool tls = false;
	if (!conf_get_choice(s, "Mode", socket_kind_names, &mode, e) ||
	    !conf_get_bool(s, "tls", &tls, e))
		return false;
	in->socket.kind = (enum socket_kind)mode;
	return !tls ||
	       conf_err_key(s, "tls", e,
			    "TLS is not supported; terminate TLS in front of "
			    "sluiced, for example with stunnel");
}

static bool read_unix(struct conf_section *s, struct input *in, struct err *e)
{
	unsigned mode = 0666;
	if (!conf_get_text(s, "Path", &in->socket.path, e) ||
	    !conf_get_octal(s, "Unix_Perm", &mode, e))
		return false;
	if (in->socket.path == NULL)
		return conf_err_missing(s, "Path", e,
					"set it to the path of the socket, "
					"for example "
					"/tmp/sidecar-nginx/sys-log.sock");
	if (!socket_path_fits(in->socket.path, e))
		return conf_err_in(s, "Path", e);
	if (mode > 0777)
		return conf_err_key(s, "Unix_Perm", e,
				    "Unix_Perm can be 0777 at most");
	in->socket.mode = (mode_t)mode;
	return check_unused(s, in, of_unix_sockets, e);
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
	return check_unused(s, in, of_network_sockets, e);
}

static bool read_queue_length(struct conf_section *s, struct input *in,
			      struct err *e)
{
	int64_t length = QUEUE_LENGTH_DEFAULT;
	if (in->socket.kind != SOCKET_UNIX_UDP)
		return check_unused(s, in, of_all_but_unix_udp, e);
	if (!conf_get_int(s, "Queue_Length", 0, INT32_MAX, &length, e))
		return false;
	in->socket.queue_length = (unsigned)length;
	return true;
}

static bool read_framing(struct conf_section *s, struct input *in,
			 struct err *e)
{
	size_t format = 0;
	if (!conf_get_choice(s, "Format", framing_names, &format, e))
		return false;
	in->framing = format == 0 ? FRAMING_NEWLINE : FRAMING_OCTETS;
	return true;
}

/* Fluent Bit truncates a datagram at Buffer_Chunk_Size and closes a connection
 * with a message longer than Buffer_Max_Size.  In sluiced these keys can only
 * make room for longer messages. */
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

static bool read_idle(struct conf_section *s, struct input *in, struct err *e)
{
	double seconds = 0;
	if (!conf_get_seconds(s, "Idle_Timeout", &seconds, e))
		return false;
	in->idle_ms = (int64_t)(seconds * 1000);
	if (seconds > 0 && in->idle_ms == 0)
		in->idle_ms = 1;
	return true;
}

static bool read_socket(struct conf_section *s, struct input *in, struct err *e)
{
	if (!read_mode(s, in, e))
		return false;
	in->message_bytes_max = MESSAGE_BYTES_DEFAULT;
	bool ok = socket_kind_is_unix(in->socket.kind) ? read_unix(s, in, e)
						       : read_network(s, in, e);
	if (!ok || !read_queue_length(s, in, e) ||
	    !read_size(s, "Buffer_Chunk_Size", in, e))
		return false;
	if (socket_kind_is_stream(in->socket.kind))
		return read_size(s, "Buffer_Max_Size", in, e) &&
		       read_framing(s, in, e) && read_idle(s, in, e);
	return check_unused(s, in, of_datagrams, e);
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

/* Fluent Bit's text for an unknown address. */
static const char *no_peer_address(const struct input *in)
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

/* The sender of a Unix datagram has no address. */
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
		decoder_add_keys(d, raw, source, no_peer_address(in));
	return true;
}

/* The inputs before the one that is being read. */
struct earlier_inputs {
	const struct input *inputs;
	size_t count;
};

static bool is_taken(const void *data, const char *name)
{
	const struct earlier_inputs *earlier = data;
	size_t i = 0;
	while (i < earlier->count && strcmp(earlier->inputs[i].name, name) != 0)
		i++;
	return i < earlier->count;
}

struct decoder *input_conf_read(struct conf_section *s, size_t index,
				const struct input_env *env, struct input *in,
				struct err *e)
{
	const struct earlier_inputs earlier = {env->inputs, index};
	const struct instance_name_opts names = {.kind = "input",
						 .plugin = "syslog",
						 .number = index,
						 .is_taken = is_taken,
						 .data = &earlier,
						 .is_strict = true};
	struct parser *parser = NULL;
	char by_number[INSTANCE_NAME_BYTES];
	instance_name_default(by_number, names.plugin, index);
	const char *tag = by_number;
	*in = (struct input){0};
	conf_declare(s, input_common_keys);
	if (!check_plugin(s, e) || !read_socket(s, in, e) ||
	    !find_parser(s, env, in, &parser, e) ||
	    !conf_get_text(s, "Tag", &tag, e))
		return NULL;
	char *name = instance_name(s, &names, e);
	if (name == NULL)
		return NULL;
	struct decoder *d = decoder_new(name, tag, parser, e);
	free(name);
	if (d == NULL)
		return NULL;
	in->name = decoder_name(d);
	if (read_keys(s, in, d, e) && conf_section_end(s, e))
		return d;
	decoder_free(d);
	return NULL;
}
