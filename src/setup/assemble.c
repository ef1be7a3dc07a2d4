/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/assemble.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/descriptors.h"
#include "base/mem.h"
#include "base/memory_limit.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/unsupported.h"
#include "file/dead_letter.h"
#include "file/file_path.h"
#include "file/spill_owners.h"
#include "file/write_back.h"
#include "filter/chain.h"
#include "intake/endpoints.h"
#include "journal/journal_file.h"
#include "output/router.h"
#include "parse/parser.h"
#include "parse/zone.h"
#include "pipeline/decoder.h"
#include "setup/assemble_journal.h"
#include "setup/embedded.h"
#include "setup/input_conf.h"
#include "setup/match_check.h"
#include "setup/parser_conf.h"
#include "setup/places.h"
#include "setup/plugins.h"

#define JOURNAL_NAME ".sluiced.journal"

#define DEAD_LETTER_SINK UINT32_MAX /* its id, for notes */

static struct conf *add_conf(struct assembly *a, struct conf *conf,
			     const struct assemble_opts *opts)
{
	if (conf == NULL)
		return NULL;
	if (opts->allow_unknown)
		conf_allow_unknown(conf);
	a->confs = mem_grow(a->confs, a->conf_count + 1, sizeof *a->confs);
	a->confs[a->conf_count++] = conf;
	return conf;
}

static bool check_section_names(const struct conf *conf, bool allow_unknown,
				struct err *e)
{
	static const char *const names[] = {"SERVICE", "INPUT",	 "PARSER",
					    "FILTER",  "OUTPUT", NULL};
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(conf, i)) != NULL; i++) {
		size_t n = 0;
		while (names[n] != NULL && !conf_is(s, names[n]))
			n++;
		if (names[n] != NULL)
			continue;
		if (conf_is(s, "MULTILINE_PARSER"))
			conf_ignore_section(s, "a message is one record");
		else if (allow_unknown)
			conf_warn(s, NULL, "ignoring it", "unknown section");
		else
			return unsupported_section(s, names, e);
	}
	s = conf_section_named(conf, "SERVICE", 1);
	if (s != NULL)
		conf_warn(s, NULL, "ignoring this one",
			  "there is a [SERVICE] before this one");
	return true;
}

/* A dry run logs to standard error and only checks whether the file could be
 * opened.  A worker that replaces another one collects even if the file cannot
 * be opened any more. */
static bool open_log(const struct assembly *a, const struct assemble_opts *opts,
		     struct err *e)
{
	const struct settings *s = &a->settings;
	const char *path = opts->dry_run ? NULL : s->log_file;
	if (opts->dry_run && s->log_file != NULL) {
		int error = file_path_try(s->log_file, 0, false);
		if (error != 0)
			return err_sys(e, error, "open %s", s->log_file);
	}
	enum log_level level =
		s->has_log_level ? s->log_level : opts->log_level;
	if (!opts->log_may_fail)
		return log_open(path, level, e);
	log_open_or_stderr(path, level, "assemble");
	return true;
}

/* A container without tzdata is common, so this is no error. */
static void check_tz(void)
{
	const char *tz = getenv("TZ");
	char room[LOG_QUOTED_BYTES];
	if (tz != NULL && !zone_is_tz(tz))
		log_line(
			LOG_WARN, "assemble",
			"tz=%s err=\"the time zone in the environment "
			"variable TZ is unknown\" action=\"using UTC for times "
			"without a zone and for os.date; correct TZ, or "
			"install tzdata\"",
			log_quoted(span_of(tz), room));
}

/* Read the command line first, because the file overrides it. */
static bool read_service(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	struct conf_section *options =
		opts->options != NULL ? conf_section(opts->options, 0) : NULL;
	struct conf_section *file =
		conf_section_named(a->confs[0], "SERVICE", 0);
	settings_init(&a->settings);
	if (options != NULL && !settings_read(&a->settings, options, e))
		return false;
	const char *log_file = a->settings.log_file;
	if (file != NULL && !settings_read(&a->settings, file, e))
		return false;
	if (open_log(a, opts, e)) {
		check_tz();
		return true;
	}
	/* The error names the place that set Log_File. */
	bool is_in_file = a->settings.log_file != log_file;
	return conf_err_in(is_in_file ? file : options, "Log_File", e);
}

/* Read the files that [SERVICE] names.  Parsers_File is the last key of the
 * section to be read, so warn of unknown keys afterwards. */
static bool read_parsers_files(struct assembly *a, struct conf_section *s,
			       const struct assemble_opts *opts,
			       struct parser_names *names, struct err *e)
{
	const char *file;
	for (size_t n = 0; (file = conf_get_each(s, "Parsers_File", n)); n++) {
		char *path = conf_find_file(conf_dir(a->confs[0]), file);
		struct conf *conf = add_conf(a, conf_read(path, e), opts);
		free(path);
		if (conf == NULL)
			return conf_err_in(s, "Parsers_File", e);
		if (!parser_conf_read_file(a->parsers, conf, names, e))
			return false;
	}
	conf_section_warn(s);
	return true;
}

/* An input without Parser uses Fluent Bit's default parser if it is configured.
 */
static void find_standard_parsers(struct assembly *a,
				  const struct parser_names *names)
{
	static const char in_unix[] = "syslog-rfc3164-local";
	static const char in_network[] = "syslog-rfc5424";
	for (size_t i = 0; i < names->count; i++) {
		const char *name = conf_get_each(names->sections[i], "Name", 0);
		if (name == NULL)
			continue;
		if (strcmp(name, in_unix) == 0)
			a->unix_parser = parser_set_find(a->parsers, in_unix);
		if (strcmp(name, in_network) == 0)
			a->network_parser =
				parser_set_find(a->parsers, in_network);
	}
}

/* Read the built-in parsers first, so that configured ones replace them. */
static bool read_parsers(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	a->parsers = parser_set_new();
	struct span text = embedded_parsers_conf();
	struct conf *conf = add_conf(
		a, conf_read_text("built-in parsers", text.ptr, text.len, e),
		opts);
	if (conf == NULL || !parser_conf_read(a->parsers, conf, NULL, e))
		return false;

	struct parser_names names = {0};
	struct conf_section *s = conf_section_named(a->confs[0], "SERVICE", 0);
	bool ok = opts->options == NULL ||
		  read_parsers_files(a, conf_section(opts->options, 0), opts,
				     &names, e);
	ok = ok && (s == NULL || read_parsers_files(a, s, opts, &names, e)) &&
	     parser_conf_read(a->parsers, a->confs[0], &names, e);
	if (ok)
		find_standard_parsers(a, &names);
	free(names.sections);
	return ok;
}

/* Check the socket's address without opening it.  A missing directory is only a
 * warning, because it may exist in the pod. */
static bool try_socket(const struct input *in, const struct conf_section *s,
		       struct err *e)
{
	switch (socket_try(&in->socket, e)) {
	case SOCKET_TRY_GOOD:
		return true;
	case SOCKET_TRY_NO_DIRECTORY:
		conf_warn(s, "Path",
			  "continuing, because the directory may exist in the "
			  "pod",
			  "%s", e->text);
		return true;
	case SOCKET_TRY_BAD:
		break;
	}
	return conf_err_in(
		s, socket_kind_is_unix(in->socket.kind) ? "Path" : "Listen", e);
}

static bool read_inputs(struct assembly *a, const struct assemble_opts *opts,
			struct err *e)
{
	struct input_env env = {.parsers = a->parsers,
				.unix_parser = a->unix_parser,
				.network_parser = a->network_parser};
	struct conf_section *s;
	for (size_t n = 0; (s = conf_section_named(a->confs[0], "INPUT", n));
	     n++) {
		if (n == ENDPOINTS_MAX)
			return conf_err(s, e, "at most %d inputs are possible",
					ENDPOINTS_MAX);
		a->inputs = mem_grow(a->inputs, n + 1, sizeof *a->inputs);
		a->decoders = mem_grow(a->decoders, n + 1, sizeof *a->decoders);
		env.inputs = a->inputs;
		a->decoders[n] = input_conf_read(s, n, &env, &a->inputs[n], e);
		if (a->decoders[n] == NULL)
			return false;
		a->input_count++;
		if (!places_check_input(a, n, s, e) ||
		    (opts->dry_run && !try_socket(&a->inputs[n], s, e)))
			return false;
	}
	if (a->input_count == 0)
		return err_set(e,
			       "%s: [INPUT] is missing; add one, for example "
			       "with Name syslog and a Path",
			       opts->conf_path);
	return true;
}

static const char *first_unix_path(const struct assembly *a)
{
	for (size_t i = 0; i < a->input_count; i++)
		if (socket_kind_is_unix(a->inputs[i].socket.kind))
			return a->inputs[i].socket.path;
	return NULL;
}

/* By default the journal is a hidden file beside the first Unix socket, because
 * an emptyDir outlives the container. */
static void place_storage(struct assembly *a)
{
	const char *path = a->settings.storage_path;
	const char *beside = first_unix_path(a);
	struct buf b = {0};
	struct stat st;
	if (path == NULL && beside == NULL && !a->settings.storage_in_memory) {
		log_line(LOG_WARN, "assemble",
			 "err=\"no input has a Unix socket and storage.path is "
			 "not set, so the journal is in memory, and a crash "
			 "loses unwritten messages\" action=\"set "
			 "storage.path in [SERVICE]\"");
		a->settings.storage_in_memory = true;
	}
	if (a->settings.storage_in_memory)
		return;
	if (path == NULL) {
		path = beside;
		const char *slash = strrchr(path, '/');
		buf_put(&b, path,
			slash != NULL ? (size_t)(slash + 1 - path) : 0);
		buf_put_text(&b, JOURNAL_NAME);
	} else {
		buf_put_text(&b, path);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			buf_put_text(&b, "/" JOURNAL_NAME);
	}
	a->journal_path = mem_copy(b.ptr, b.len);
	buf_put_text(&b, ".spill");
	a->spill_dir = mem_copy(b.ptr, b.len);
	a->spill_owners = spill_owners_new();
	buf_fini(&b);
}

static bool check_journal(struct assembly *a, const struct assemble_opts *opts,
			  struct err *e)
{
	a->is_journal_known =
		a->journal_path != NULL && opts->journal_before != NULL &&
		journal_file_is_same(opts->journal_before, a->journal_path);
	return assemble_journal_check(a, e);
}

static size_t count_spilling(const struct assembly *a)
{
	size_t count = a->settings.dead_letter != NULL;
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(a->confs[0], "OUTPUT", i));
	     i++) {
		const char *name = conf_get_each(s, "Name", 0);
		for (size_t k = 0; output_kinds[k] != NULL; k++)
			if (name != NULL && output_kinds[k]->has_spills &&
			    strcasecmp(name, output_kinds[k]->name) == 0)
				count++;
	}
	return count;
}

static void size_storage(struct assembly *a)
{
	struct storage_place place = {
		.limit_bytes = memory_limit_read(""),
		.is_memory = a->journal_path == NULL ||
			     storage_is_in_memory(a->journal_path),
		.spills = a->spill_dir != NULL ? count_spilling(a) : 0,
	};
	size_t of_streams = 0;
	for (size_t i = 0; i < a->input_count; i++) {
		const struct input *in = &a->inputs[i];
		size_t bytes = in->message_bytes_max;
		if (bytes > place.message_bytes_max)
			place.message_bytes_max = bytes;
		if (socket_kind_is_stream(in->socket.kind) &&
		    bytes > of_streams)
			of_streams = bytes;
	}
	place.stream_bytes_max = CONNECTIONS_MAX * of_streams;
	storage_sizes_choose(&a->settings.sizes, &place);
	storage_sizes_log(&a->settings.sizes, &place);
}

static bool read_filters(struct assembly *a, struct err *e)
{
	struct filter_env env = {.parsers = a->parsers,
				 .lua_prelude = embedded_prelude_lua(),
				 .conf_dir = conf_dir(a->confs[0]),
				 .dead_letters =
					 a->settings.dead_letter != NULL};
	struct conf_section *s;
	a->chain = chain_new();
	for (size_t i = 0; (s = conf_section_named(a->confs[0], "FILTER", i));
	     i++)
		if (!chain_add(a->chain, s, &env, e))
			return false;
	return true;
}

static size_t count_outputs(const struct assembly *a)
{
	size_t outputs = 0;
	while (conf_section_named(a->confs[0], "OUTPUT", outputs) != NULL)
		outputs++;
	return outputs;
}

static bool read_outputs(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	size_t outputs = count_outputs(a);
	a->tag_roots = match_tag_roots(a->confs[0]);
	places_reserve(a);
	struct sink_env env = {
		.kinds = output_kinds,
		.conf_dir = conf_dir(a->confs[0]),
		.dry_run = opts->dry_run,
		.is_only_route = match_is_only_route(a->confs[0]),
		.has_others = outputs > 1,
		.tag_roots = a->tag_roots,
		.reserved = &a->reserved,
		.notes = &a->notes,
		.spill_dir = a->spill_dir,
		.spill_owners = a->spill_owners,
		.spill_bytes_max = a->settings.sizes.spill_bytes,
		.write_back = a->write_back,
		.files_max = a->descriptors.files,
		.fsync = a->settings.fsync,
		.fsync_interval_s = a->settings.fsync_interval_s,
		.is_time_up = &a->is_time_up,
		.taken_name = a->settings.dead_letter != NULL ? DEAD_LETTER_NAME
							      : NULL,
	};
	struct conf_section *s;
	a->router = router_new();
	for (size_t i = 0; (s = conf_section_named(a->confs[0], "OUTPUT", i));
	     i++) {
		env.has_rootless_tags = match_has_rootless_tags(a->confs[0], s);
		if (!router_add(a->router, s, &env, e))
			return false;
	}
	if (outputs == 0)
		return err_set(e,
			       "%s: [OUTPUT] is missing; add one, for example "
			       "with Name file and a Match",
			       opts->conf_path);
	return true;
}

static bool open_dead_letter(struct assembly *a, bool dry_run, struct err *e)
{
	if (a->settings.dead_letter == NULL)
		return true;
	if (dry_run)
		return dead_letter_try(a->settings.dead_letter, e) ||
		       err_in(e, "Dead_Letter");
	const struct dead_letter_opts opts = {
		.path = a->settings.dead_letter,
		.notes = &a->notes,
		.id = DEAD_LETTER_SINK,
		.spill_dir = a->spill_dir,
		.spill_owners = a->spill_owners,
		.write_back = a->write_back,
		.spill_bytes_max = a->settings.sizes.spill_bytes,
	};
	a->dead_letter = dead_letter_open(&opts, e);
	return a->dead_letter != NULL || err_in(e, "Dead_Letter");
}

struct assembly *assemble(const struct assemble_opts *opts, struct err *e)
{
	struct assembly *a = mem_new(1, sizeof *a);
	assemble_journal_notes(a);
	a->write_back = write_back_new(memory_limit_read(""), &a->is_time_up);
	if (add_conf(a, conf_read(opts->conf_path, e), opts) == NULL)
		goto fail;
	if (!check_section_names(a->confs[0], opts->allow_unknown, e) ||
	    !read_service(a, opts, e) || !read_parsers(a, opts, e))
		goto fail;
	if (!read_inputs(a, opts, e) ||
	    !descriptors_share_out(&a->descriptors, descriptors_limit(),
				   a->input_count, count_outputs(a), e))
		goto fail;
	place_storage(a);
	size_storage(a);
	if (!check_journal(a, opts, e))
		goto fail;
	if (!read_filters(a, e) || !read_outputs(a, opts, e) ||
	    !places_check(a, e) || !open_dead_letter(a, opts->dry_run, e))
		goto fail;
	match_check(a->confs[0]);
	return a;
fail:
	assembly_free(a);
	return NULL;
}

void assembly_close_outputs(struct assembly *a)
{
	if (a == NULL)
		return;
	write_back_end(a->write_back);
	dead_letter_close(a->dead_letter);
	a->dead_letter = NULL;
	router_free(a->router);
	a->router = NULL;
}

void assembly_free(struct assembly *a)
{
	if (a == NULL)
		return;
	assembly_close_outputs(a);
	match_tag_roots_free(a->tag_roots);
	reserved_paths_fini(&a->reserved);
	chain_free(a->chain);
	for (size_t i = 0; i < a->input_count + a->removed_count; i++)
		decoder_free(a->decoders[i]);
	free(a->decoders);
	free(a->inputs);
	parser_set_free(a->parsers);
	for (size_t i = 0; i < a->conf_count; i++)
		conf_free(a->confs[i]);
	free(a->confs);
	free(a->journal_path);
	free(a->spill_dir);
	spill_owners_free(a->spill_owners);
	write_back_free(a->write_back);
	free(a);
}
