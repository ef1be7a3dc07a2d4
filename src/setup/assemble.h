/* SPDX-License-Identifier: Apache-2.0 */
/* assemble - turns the configuration into the objects that do the work. */
#ifndef SETUP_ASSEMBLE_H
#define SETUP_ASSEMBLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/descriptors.h"
#include "base/err.h"
#include "file/reserved_paths.h"
#include "intake/framing.h"
#include "intake/socket.h"
#include "journal/append_note.h"
#include "setup/settings.h"

struct chain;
struct conf;
struct dead_letter;
struct decoder;
struct parser;
struct parser_set;
struct router;
struct spill_owners;
struct write_back;

struct assemble_opts {
	const char *conf_path;
	struct conf *options;	  /* the command line's [SERVICE], or NULL */
	enum log_level log_level; /* unless Log_Level says otherwise */
	bool dry_run;		  /* create and change nothing */
	/* Standard error replaces a Log_File that cannot be opened. */
	bool log_may_fail;
	bool is_reload; /* another worker runs, and has the old configuration */
	const char *journal_before; /* of the last worker; or NULL or "" */
	bool allow_unknown;	    /* unknown keys and sections are warnings */
};

/* An [INPUT]: the socket that it needs.  Its decoder has the same index. */
struct input {
	const char *name; /* "syslog.0", or its Alias */
	struct socket_opts socket;
	size_t message_bytes_max;
	enum framing_kind framing; /* of a stream */
	bool keeps_peer_address;   /* stored with each message */
	int64_t idle_ms;	   /* of a stream; 0: it may be idle forever */
};

struct assembly {
	struct settings settings;
	struct conf **confs; /* the main file, then the Parsers_Files */
	size_t conf_count;
	struct parser_set *parsers;
	/* NULL: the built-in one. */
	struct parser *unix_parser;    /* of Unix inputs without Parser */
	struct parser *network_parser; /* of network inputs without Parser */
	struct input *inputs;
	/* One for each input, then those of removed inputs whose messages wait
	 * in the journal (setup/removed_input.h). */
	struct decoder **decoders;
	size_t input_count;
	size_t removed_count;
	struct descriptors descriptors; /* how they are shared out */
	struct chain *chain;
	struct router *router;
	char **tag_roots;		   /* for the router */
	struct reserved_paths reserved;	   /* for the router */
	struct dead_letter *dead_letter;   /* or NULL */
	char *journal_path;		   /* NULL: in memory */
	bool is_journal_known;		   /* the last worker had it, too */
	char *spill_dir;		   /* NULL: nothing is spilled */
	struct spill_owners *spill_owners; /* NULL without spill_dir */
	struct write_back *write_back;	   /* of all outputs */
	/* Writes the notes of outputs into the journal; assemble_journal sets
	 * notes.data. */
	struct append_notes notes;
	atomic_bool is_time_up; /* as in output/sink.h; set by the worker */
};

/* Create everything but the sockets, the journal and the threads.  Opens the
 * log as soon as its settings are known.  NULL on failure. */
struct assembly *assemble(const struct assemble_opts *, struct err *);

/* Close the files of the outputs and remove their locks.  NULL is allowed. */
void assembly_close_outputs(struct assembly *);

/* NULL is allowed. */
void assembly_free(struct assembly *);

#endif
