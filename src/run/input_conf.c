/* SPDX-License-Identifier: Apache-2.0 */
#include "run/input_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "conf/conf.h"
#include "record/parser.h"
#include "run/assemble.h"
#include "run/decoder.h"

enum {
	/* What fits into the sender's default SO_SNDBUF of 212,992 bytes. */
	MESSAGE_BYTES_DEFAULT = 212992,
	MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
	QUEUE_LENGTH_DEFAULT = 4096,
};

static const struct {
	const char *key;
	const char *why;
} without_meaning[] = {
	{"Mem_Buf_Limit", "storage.max_size in [SERVICE] bounds the journal"},
	{"storage.type", "every input goes through the journal"},
	{"storage.pause_on_chunks_overlimit", "inputs are never paused"},
	{"Buffer_Max_Size", "a datagram is never received in parts"},
	{"Receive_Buffer_Size",
	 "the kernel does not use it for Unix datagrams; "
	 "see Queue_Length"},
	{"Routable", "every input is routed"},
	{"threaded", "the socket always has a thread of its own"},
	{"Log_Level", "Log_Level in [SERVICE] is for all"},
	{"log_suppress_interval", "what is said again and again is held back"},
	{"Listen", "a Unix socket has a Path"},
	{"Port", "a Unix socket has a Path"},
	{"Format", "Parser says how a message is read"},
	{"Interval_*", "a datagram is read when it comes"},
	{"net.*", "nothing goes over a network"},
	{"tls*", "nothing goes over a network"},
};

static bool check_kind(struct conf_section *s, struct err *e)
{
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return false;
	if (name == NULL)
		return conf_err_missing(s, "Name", e, "`Name syslog`");
	static const char *const kinds[] = {"syslog", NULL};
	if (strcasecmp(name, kinds[0]) != 0)
		return conf_err_unknown(s, "Name", "input", kinds, e);
	static const char *const modes[] = {"unix_udp", "unix_tcp", "udp",
					    "tcp", NULL};
	size_t mode = 0;
	if (!conf_get_choice(s, "Mode", modes, &mode, e))
		return false;
	if (mode != 0)
		return conf_err_key(s, "Mode", e,
				    "Mode %s is not there yet; unix_udp is",
				    modes[mode]);
	return true;
}

static bool read_socket(struct conf_section *s, struct input *in, struct err *e)
{
	int64_t queue_length = QUEUE_LENGTH_DEFAULT;
	unsigned mode = 0666;
	size_t bytes = 0;
	if (!conf_get_text(s, "Path", &in->socket.path, e) ||
	    !conf_get_octal(s, "Unix_Perm", &mode, e) ||
	    !conf_get_int(s, "Queue_Length", 0, INT32_MAX, &queue_length, e) ||
	    !conf_get_size(s, "Buffer_Chunk_Size", &bytes, e))
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
	if (bytes > MESSAGE_BYTES_MAX)
		return conf_err_key(s, "Buffer_Chunk_Size", e,
				    "Buffer_Chunk_Size can be 16M at most");
	in->socket.mode = (mode_t)mode;
	in->socket.queue_length = (unsigned)queue_length;
	/* Fluent Bit cuts a datagram at Buffer_Chunk_Size; here it can only
	 * make room for larger ones, none is cut that the kernel sends. */
	in->message_bytes_max =
		bytes > MESSAGE_BYTES_DEFAULT ? bytes : MESSAGE_BYTES_DEFAULT;
	return true;
}

static bool find_parser(struct conf_section *s, const struct parser_set *set,
			struct parser **parser, struct err *e)
{
	const char *name = NULL;
	if (!conf_get_text(s, "Parser", &name, e))
		return false;
	if (name == NULL)
		return true;
	*parser = parser_set_find(set, name);
	if (*parser != NULL)
		return true;
	const char **names = parser_set_names(set);
	conf_err_unknown(s, "Parser", "parser", names, e);
	free(names);
	return false;
}

struct decoder *input_conf_read(struct conf_section *s, size_t index,
				const struct parser_set *parsers,
				struct input *in, struct err *e)
{
	struct parser *parser = NULL;
	char standard[32];
	snprintf(standard, sizeof standard, "syslog.%zu", index);
	const char *tag = standard;
	const char *name = standard;
	*in = (struct input){0};
	if (!check_kind(s, e) || !read_socket(s, in, e) ||
	    !find_parser(s, parsers, &parser, e) ||
	    !conf_get_text(s, "Tag", &tag, e) ||
	    !conf_get_text(s, "Alias", &name, e))
		return NULL;
	for (size_t i = 0; i < sizeof without_meaning / sizeof *without_meaning;
	     i++)
		conf_ignore(s, without_meaning[i].key, without_meaning[i].why);
	if (!conf_section_end(s, e))
		return NULL;
	struct decoder *d = decoder_new(name, tag, parser, e);
	if (d != NULL)
		in->name = decoder_name(d);
	return d;
}
