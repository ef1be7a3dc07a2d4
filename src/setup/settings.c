/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/settings.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf.h"
#include "conf/conf_keys.h"

const struct conf_key_spec settings_keys[] = {
	{"Flush", CONF_SECONDS, .default_text = "1",
	 .help = "How long a message may wait before sluiced begins to write. "
		 "Under load, or while an output is blocked, writing takes "
		 "longer."},
	{"Grace", CONF_SECONDS, .default_text = "5",
	 .help = "How long a graceful shutdown receives and writes; the "
		 "process ends at most 5 seconds later. -1 waits forever."},
	{"Hook_Timeout", CONF_SECONDS, .default_text = "5",
	 .help = "If one message takes longer, its worker is replaced; 0 means "
		 "never. The time in which the worker waits for a CPU does not "
		 "count."},
	{"Reload_Timeout", CONF_SECONDS, .default_text = "30",
	 .help = "A start or reload fails if loading the configuration takes "
		 "longer, or if the old worker has no progress for longer."},
	{"Log_Level", CONF_CHOICE, .default_text = "info",
	 .help = "Which log lines of sluiced itself appear: off, error, warn, "
		 "info, debug."},
	{"Log_File", CONF_PATH, .default_text = "standard error",
	 .help = "Where sluiced writes its own log."},
	{"Parsers_File", CONF_PATH, .is_repeatable = true,
	 .help = "A file with [PARSER] sections. Fluent Bit's stock parsers "
		 "are built in."},
	{"HTTP_Server", CONF_BOOL, .default_text = "off",
	 .help = "Serve probes and metrics over HTTP."},
	{"HTTP_Listen", CONF_TEXT, .default_text = "0.0.0.0",
	 .help = "The address of the HTTP server, IPv4 or IPv6."},
	{"HTTP_Port", CONF_INT, .default_text = "2020",
	 .help = "The port of the HTTP server; 0 lets the kernel choose."},
	{"Health_Check", CONF_BOOL, .default_text = "off",
	 .help = "/api/v1/health also answers 500 while outputs hang or fail "
		 "too often. It always does while a message takes longer than "
		 "Hook_Timeout, or while one that killed a worker still "
		 "waits."},
	{"HC_Errors_Count", CONF_INT, .default_text = "5",
	 .help = "Health_Check fails after more than this number of errors "
		 "within HC_Period."},
	{"HC_Retry_Failure_Count", CONF_INT, .default_text = "5",
	 .help = "Health_Check fails if, within HC_Period, more lines than "
		 "this number were dropped because they could not be written."},
	{"HC_Period", CONF_SECONDS, .default_text = "60",
	 .help = "The period over which Health_Check counts."},
	{"Hot_Reload", CONF_BOOL, .default_text = "off",
	 .help = "Allow a reload over HTTP. SIGHUP always reloads."},
	{"storage.path", CONF_PATH, .default_text = "beside the first socket",
	 .help = "The file or directory of the journal."},
	{"storage.type", CONF_CHOICE, .default_text = "filesystem",
	 .help = "filesystem or memory. With memory, a killed worker loses "
		 "messages."},
	{"storage.max_size", CONF_SIZE, .default_text = "64M",
	 .help = "The size of the journal. The default is lower if the "
		 "journal is in memory and the memory limit is low."},
	{"storage.spill_size", CONF_SIZE, .default_text = "16M",
	 .help = "How much each output, and Dead_Letter, may spill for files "
		 "that cannot be written. The default is lower if the journal "
		 "is in memory and the memory limit is low."},
	{"storage.metrics", CONF_BOOL, .default_text = "off",
	 .help = "Serve /api/v1/storage."},
	{"Fsync", CONF_WORDS, .default_text = "never",
	 .help = "When files are synced to the disk: never, batch, or interval "
		 "SECONDS."},
	{"Dead_Letter", CONF_PATH,
	 .help = "A file for messages that cannot become a line."},
	{"Daemon",
	 .ignored = "sluiced stays in the foreground, and its supervisor "
		    "restarts a dead worker"},
	{"Coro_Stack_Size", .ignored = "sluiced has no coroutines"},
	{"Streams_File", .ignored = "sluiced has no stream processor"},
	{"DNS.Mode", .ignored = "the system's resolver looks up names"},
	{"DNS.Resolver", .ignored = "the system's resolver looks up names"},
	{"DNS.Prefer_IPv4", .ignored = "the system's resolver looks up names"},
	{"DNS.Prefer_IPv6", .ignored = "the system's resolver looks up names"},
	{"scheduler.*", .ignored = "writing is retried after 0.1 to 5 s"},
	{"sp.*", .ignored = "sluiced has no stream processor"},
	{"Plugins_File", .ignored = "plug-ins are built in"},
	{"flush.adaptive*",
	 .ignored = "sluiced begins to write earlier if many messages wait"},
	{"storage.inherit", .ignored = "every input goes through the journal"},
	{"storage.rejected.*",
	 .ignored = "Dead_Letter keeps messages that cannot become a "
		    "line"},
	{"storage.backlog.flush_on_shutdown",
	 .ignored = "a stop writes messages until Grace is over"},
	{"security.fips_mode", .ignored = "sluiced encrypts nothing"},
	{"multiline_buffer_limit", .ignored = "one message is one record"},
	{"Enable_Chunk_Trace", .ignored = "sluiced has no chunks"},
	{"windows.maxstdio", .ignored = "sluiced does not run on Windows"},
	{"telemetry*", .ignored = "/metrics has all figures"},
	{"storage.keep.rejected",
	 .ignored = "Dead_Letter keeps messages that cannot become a "
		    "line"},
	{"storage.trim_files", .ignored = "sluiced has no chunks"},
	{"storage.sync", .ignored = "Fsync sets when files are synced"},
	{"storage.checksum", .ignored = "the journal always has checksums"},
	{"storage.backlog.mem_limit",
	 .ignored = "storage.max_size bounds the journal"},
	{"storage.max_chunks_up",
	 .ignored = "storage.max_size bounds the journal"},
	{"storage.delete_irrecoverable_chunks",
	 .ignored = "sluiced has no chunks"},
	{"json.convert_nan_to_null", .ignored = "sluiced always does so"},
	{"json.escape_unicode",
	 .ignored = "text beyond ASCII is written unchanged"},
	{"Hot_Reload.Ensure_Thread_Safety",
	 .ignored = "a reload starts a new process"},
	{"Hot_Reload.Timeout", .ignored = "Reload_Timeout limits a reload"},
	{.name = NULL},
};

void settings_init(struct settings *s)
{
	*s = (struct settings){
		.flush_s = 1,
		.grace_s = 5,
		.hook_timeout_s = 5,
		.reload_timeout_s = 30,
		.log_level = LOG_INFO,
		.http_listen = "0.0.0.0",
		.http_port = 2020,
		.health_errors_max = 5,
		.health_retries_max = 5,
		.health_period_s = 60,
		.sizes = {STORAGE_UNSET, STORAGE_UNSET},
		.fsync = SINK_FSYNC_NEVER,
	};
}

/* Like Fluent Bit, let the environment variable FLB_LOG_LEVEL override the key
 * Log_Level.  A value that is not a level is ignored. */
static bool read_log(struct settings *s, struct conf_section *c, struct err *e)
{
	static const char *const names[] = {"off",  "error", "warn",  "warning",
					    "info", "debug", "trace", NULL};
	static const enum log_level levels[] = {LOG_OFF,  LOG_ERROR, LOG_WARN,
						LOG_WARN, LOG_INFO,  LOG_DEBUG,
						LOG_DEBUG};
	size_t chosen = sizeof levels;
	if (!conf_get_choice(c, "Log_Level", names, &chosen, e) ||
	    !conf_get_text(c, "Log_File", &s->log_file, e))
		return false;
	const char *wanted = getenv("FLB_LOG_LEVEL");
	for (size_t i = 0; wanted != NULL && names[i] != NULL; i++)
		if (strcasecmp(wanted, names[i]) == 0)
			chosen = i;
	if (chosen != sizeof levels) {
		s->has_log_level = true;
		s->log_level = levels[chosen];
	}
	return true;
}

static bool is_address(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, text, address) == 1 ||
	       inet_pton(AF_INET6, text, address) == 1;
}

static bool read_http(struct settings *s, struct conf_section *c, struct err *e)
{
	int64_t port = s->http_port;
	if (!conf_get_bool(c, "HTTP_Server", &s->http_server, e) ||
	    !conf_get_text(c, "HTTP_Listen", &s->http_listen, e) ||
	    !conf_get_int(c, "HTTP_Port", 0, 65535, &port, e) ||
	    !conf_get_bool(c, "Health_Check", &s->health_check, e) ||
	    !conf_get_int(c, "HC_Errors_Count", 0, INT32_MAX,
			  &s->health_errors_max, e) ||
	    !conf_get_int(c, "HC_Retry_Failure_Count", 0, INT32_MAX,
			  &s->health_retries_max, e) ||
	    !conf_get_seconds(c, "HC_Period", &s->health_period_s, e))
		return false;
	if (!is_address(s->http_listen))
		return conf_err_key(c, "HTTP_Listen", e,
				    "HTTP_Listen \"%s\" is not an address like "
				    "0.0.0.0, 127.0.0.1 or ::",
				    s->http_listen);
	s->http_port = (uint16_t)port;
	return true;
}

/* Read never, batch or interval SECONDS. */
static bool read_fsync(struct settings *s, struct conf_section *c,
		       struct err *e)
{
	const char *text = NULL;
	if (!conf_get_text(c, "Fsync", &text, e))
		return false;
	if (text == NULL || strcasecmp(text, "never") == 0)
		return true;
	if (strcasecmp(text, "batch") == 0) {
		s->fsync = SINK_FSYNC_BATCH;
		return true;
	}
	char *end;
	if (strncasecmp(text, "interval ", 9) == 0) {
		s->fsync = SINK_FSYNC_INTERVAL;
		s->fsync_interval_s = strtod(text + 9, &end);
		if (*end == '\0' && s->fsync_interval_s > 0 &&
		    s->fsync_interval_s < 1e6)
			return true;
	}
	return conf_err_key(c, "Fsync", e,
			    "Fsync \"%s\" must be never, batch or interval "
			    "SECONDS",
			    text);
}

static bool read_storage(struct settings *s, struct conf_section *c,
			 struct err *e)
{
	static const char *const types[] = {"filesystem", "memory", NULL};
	size_t type = 0;
	if (!conf_get_text(c, "storage.path", &s->storage_path, e) ||
	    !conf_get_choice(c, "storage.type", types, &type, e) ||
	    !conf_get_size(c, "storage.max_size", &s->sizes.journal_bytes, e) ||
	    !conf_get_size(c, "storage.spill_size", &s->sizes.spill_bytes, e) ||
	    !conf_get_bool(c, "storage.metrics", &s->storage_metrics, e) ||
	    !conf_get_text(c, "Dead_Letter", &s->dead_letter, e) ||
	    !read_fsync(s, c, e))
		return false;
	s->storage_in_memory = type == 1;
	return true;
}

/* Read seconds, or -1, which means to wait forever, as in Fluent Bit. */
static bool read_grace(struct settings *s, struct conf_section *c,
		       struct err *e)
{
	const char *text = conf_get_each(c, "Grace", 0);
	if (text == NULL || strcmp(text, "-1") != 0)
		return conf_get_seconds(c, "Grace", &s->grace_s, e);
	s->grace_s = 1e9;
	return conf_get_text(c, "Grace", &text, e);
}

static bool read_timeouts(struct settings *s, struct conf_section *c,
			  struct err *e)
{
	if (!conf_get_seconds(c, "Hook_Timeout", &s->hook_timeout_s, e) ||
	    !conf_get_seconds(c, "Reload_Timeout", &s->reload_timeout_s, e))
		return false;
	return s->reload_timeout_s > 0 ||
	       conf_err_key(c, "Reload_Timeout", e,
			    "Reload_Timeout must be more than 0, such as 30");
}

bool settings_read(struct settings *s, struct conf_section *c, struct err *e)
{
	conf_declare(c, settings_keys);
	if (!conf_get_seconds(c, "Flush", &s->flush_s, e) ||
	    !read_grace(s, c, e) || !read_timeouts(s, c, e) ||
	    !conf_get_bool(c, "Hot_Reload", &s->hot_reload, e) ||
	    !read_storage(s, c, e) || !read_log(s, c, e) || !read_http(s, c, e))
		return false;
	if (s->flush_s <= 0)
		return conf_err_key(c, "Flush", e,
				    "Flush must be more than 0, like 1 or 0.2");
	if (s->sizes.journal_bytes < STORAGE_JOURNAL_BYTES_MIN)
		return conf_err_key(c, "storage.max_size", e,
				    "storage.max_size must be at least 1M");
	return true;
}
