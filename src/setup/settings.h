/* SPDX-License-Identifier: Apache-2.0 */
/* settings - the values of the [SERVICE] section. */
#ifndef SETUP_SETTINGS_H
#define SETUP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "conf/conf_keys.h"
#include "output/sink.h"
#include "setup/storage_sizes.h"

struct conf_section;

/* The keys of [SERVICE]. */
extern const struct conf_key_spec settings_keys[];

struct settings {
	double flush_s;	       /* how long a message may wait before writing */
	double grace_s;	       /* the longest graceful shutdown */
	double hook_timeout_s; /* for one message; 0: none */
	double reload_timeout_s; /* for loading a configuration */
	bool has_log_level;
	enum log_level log_level;
	const char *log_file; /* NULL: standard error */
	bool http_server;
	const char *http_listen; /* an address, IPv4 or IPv6 */
	uint16_t http_port;
	bool health_check;
	int64_t health_errors_max;
	int64_t health_retries_max;
	double health_period_s;
	bool hot_reload;	  /* over HTTP; SIGHUP always works */
	const char *storage_path; /* NULL: beside the first socket */
	bool storage_in_memory;
	bool storage_metrics;	    /* /api/v1/storage answers */
	struct storage_sizes sizes; /* chosen by assemble if not configured */
	enum sink_fsync fsync;
	double fsync_interval_s;
	const char *dead_letter; /* a path, or NULL */
};

/* Set the defaults. */
void settings_init(struct settings *);

/* Read all keys but Parsers_File, which setup/assemble.c reads before it ends
 * the section.  False with *e set on a mistake. */
bool settings_read(struct settings *, struct conf_section *,
		   struct err *) MUST_USE;

#endif
