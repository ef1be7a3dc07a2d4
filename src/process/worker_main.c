/* SPDX-License-Identifier: Apache-2.0 */
#include "process/worker_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/endpoints.h"
#include "process/channel.h"
#include "process/worker.h"
#include "setup/assemble_journal.h"
#include "setup/removed_input.h"

static int failed(const struct err *e)
{
	log_failure(e->text);
	return e->exit_code;
}

/* At the end of the process only the outputs are closed.  The kernel frees the
 * rest: closing a script closes its pipes, and that waits for their processes,
 * which may never end.  A leak checker must see everything freed. */
static void discard(struct assembly *a)
{
	assembly_close_outputs(a);
#if defined(__SANITIZE_ADDRESS__)
	assembly_free(a);
#endif
}

static bool copy_text(char *to, size_t size, const char *text, struct err *e)
{
	size_t length = strlen(text);
	if (length >= size)
		return err_set(e, "\"%s\" is longer than %zu bytes", text,
			       size - 1);
	memcpy(to, text, length + 1);
	return true;
}

static bool specs_of(const struct assembly *a, struct endpoint_specs *specs,
		     struct err *e)
{
	*specs = (struct endpoint_specs){0};
	CHECK(a->input_count <= ENDPOINTS_MAX); /* assemble() has counted */
	specs->socket_count = (uint32_t)a->input_count;
	for (size_t i = 0; i < a->input_count; i++) {
		const struct socket_opts *opts = &a->inputs[i].socket;
		struct socket_spec *spec = &specs->sockets[i];
		spec->kind = opts->kind;
		spec->port = opts->port;
		spec->mode = opts->mode;
		spec->queue_length = opts->queue_length;
		spec->receive_bytes = opts->receive_bytes;
		if (!copy_text(spec->path, sizeof spec->path, opts->path, e))
			return err_in(e, "input %s", a->inputs[i].name);
		removed_input_describe(a, i, &spec->input);
	}
	specs->has_http = a->settings.http_server;
	specs->http_port = a->settings.http_port;
	return copy_text(specs->http_listen, sizeof specs->http_listen,
			 a->settings.http_listen, e) ||
	       err_in(e, "HTTP_Listen");
}

/* READY for the supervisor.  Every error in it is one of the configuration. */
static bool make_ready(const struct assembly *a,
		       const struct assemble_opts *opts,
		       struct channel_message *m, struct err *e)
{
	const struct settings *settings = &a->settings;
	*m = (struct channel_message){.kind = CHANNEL_READY};
	m->log.level = (int)(settings->has_log_level ? settings->log_level
						     : opts->log_level);
	m->limits.grace_ms = (int64_t)(settings->grace_s * 1000);
	m->limits.reload_ms = (int64_t)(settings->reload_timeout_s * 1000);
	if (!specs_of(a, &m->specs, e))
		return false;
	if (settings->log_file != NULL &&
	    !copy_text(m->log.path, sizeof m->log.path, settings->log_file, e))
		return err_in(e, "Log_File");
	return a->journal_path == NULL ||
	       copy_text(m->limits.journal_path, sizeof m->limits.journal_path,
			 a->journal_path, e) ||
	       err_in(e, "storage.path");
}

static bool take_retired(const struct channel_message *go, const int *fds,
			 struct retired *to, struct err *e)
{
	for (uint32_t i = 0; i < go->specs.socket_count; i++) {
		struct socket *socket = socket_adopt(fds[i], 0, false, e);
		if (socket == NULL)
			return false;
		to->sockets[to->count++] = (struct retired_socket){
			.socket = socket, .input = go->specs.sockets[i].input};
	}
	return true;
}

/* Take the descriptors of GO: the sockets in the order of the specs, HTTP, and
 * the retired sockets. */
static bool take_endpoints(const struct channel_message *go,
			   const struct endpoint_specs *specs,
			   struct endpoints *to, struct err *e)
{
	uint32_t used = specs->socket_count + (specs->has_http ? 1 : 0);
	if (go->kind != CHANNEL_GO || go->specs.socket_count > RETIRED_MAX ||
	    go->fd_count != used + go->specs.socket_count + go->has_journal) {
		err_set(e, "the sockets did not arrive from the supervisor; "
			   "raise the limit of open files (ulimit -n, "
			   "LimitNOFILE of systemd)");
		e->exit_code = EXIT_CODE_SYSTEM;
		return false;
	}
	to->specs = *specs;
	for (uint32_t i = 0; i < specs->socket_count; i++) {
		to->sockets[i] = socket_adopt(go->fds[i], go->queue_lengths[i],
					      go->are_kept[i], e);
		if (to->sockets[i] == NULL)
			return false;
		if (socket_kind(to->sockets[i]) != specs->sockets[i].kind)
			return err_set(e,
				       "[INPUT] number %u: descriptor %d is "
				       "not a socket for its Mode",
				       (unsigned)i + 1, go->fds[i]);
	}
	if (specs->has_http)
		to->http_fd = go->fds[specs->socket_count];
	return take_retired(go, go->fds + used, &to->retired, e);
}

void worker_main_ignore_reopen(void)
{
	signal(SIGUSR1, SIG_IGN);
}

int worker_main_supervised(const struct assemble_opts *opts, int channel,
			   const struct handover *handover)
{
	struct err e = {0};
	struct endpoints endpoints;
	struct channel_message m;
	endpoints_init(&endpoints);
	prctl(PR_SET_NAME, "sluiced-worker");
	struct assembly *assembly = assemble(opts, &e);
	if (assembly == NULL || !make_ready(assembly, opts, &m, &e) ||
	    (opts->is_reload && !assemble_journal_try(assembly, true, &e)))
		goto fail;
	struct endpoint_specs specs = m.specs;
	if (!channel_send(channel, &m) || !channel_receive(channel, &m) ||
	    m.kind == CHANNEL_LEAVE) {
		discard(assembly); /* the supervisor ended this worker */
		return 0;
	}
	bool has_journal = m.has_journal && m.fd_count > 0;
	/* From now on, the closed channel shows that the supervisor is gone. */
	prctl(PR_SET_PDEATHSIG, 0);
	struct worker_opts worker = {
		.assembly = assembly,
		.endpoints = &endpoints,
		.channel = channel,
		.journal_fd = has_journal ? m.fds[m.fd_count - 1] : -1,
		.handover = handover,
		.worker_counts = m.worker_counts,
		.is_draining = m.is_draining,
		.died_of_other = m.died_of_other,
		.is_held = m.is_held && assembly->journal_path != NULL,
		.grace_left_ms = m.grace_left_ms,
		.left_journal = m.limits.journal_path,
	};
	if (!take_endpoints(&m, &specs, &endpoints, &e) ||
	    !worker_run(&worker, &e))
		goto fail;
	endpoints_close(&endpoints);
	discard(assembly);
	m = (struct channel_message){.kind = CHANNEL_LEFT};
	if (!channel_send(channel, &m))
		log_line(LOG_DEBUG, "worker", "err=\"the supervisor is gone\"");
	return 0;
fail:
	endpoints_close(&endpoints);
	discard(assembly);
	return failed(&e);
}

int worker_main_alone(const struct assemble_opts *opts)
{
	struct err e = {0};
	struct endpoints endpoints;
	struct endpoint_specs specs;
	worker_main_ignore_reopen();
	endpoints_init(&endpoints);
	struct assembly *assembly = assemble(opts, &e);
	struct worker_opts worker = {
		.assembly = assembly,
		.endpoints = &endpoints,
		.channel = -1,
		.journal_fd = -1,
		.left_journal = "",
	};
	bool ok = assembly != NULL && specs_of(assembly, &specs, &e) &&
		  endpoints_adopt_systemd(&endpoints, &e) &&
		  endpoints_set(&endpoints, &specs, &e) &&
		  worker_run(&worker, &e);
	endpoints_close(&endpoints);
	discard(assembly);
	return ok ? 0 : failed(&e);
}

int worker_main_dry_run(const struct assemble_opts *opts)
{
	struct err e = {0};
	struct channel_message unused;
	struct assembly *assembly = assemble(opts, &e);
	bool ok = assembly != NULL && make_ready(assembly, opts, &unused, &e) &&
		  assemble_journal_try(assembly, false, &e);
	assembly_free(assembly);
	if (!ok)
		return failed(&e);
	fputs("configuration test is successful\n", stderr);
	return 0;
}
