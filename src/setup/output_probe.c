/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/output_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "file/file_path.h"
#include "file/root_probe.h"
#include "setup/output_roots.h"

enum {
	RETRY_S = 1,
	STOP_S = 1, /* how long the thread may take to remove its test file */
};

struct output_probe {
	struct output_roots roots; /* used by the thread */
	struct log_rate failed_rate;
	pthread_mutex_t lock;	/* for all members below */
	pthread_cond_t stopped; /* is_stopping or owners has changed */
	unsigned owners; /* the worker and the thread; the last one frees it */
	bool is_stopping;
	bool is_good;
	struct err why;
	void (*on_good)(void *);
	void *data;
};

static void release(struct output_probe *p)
{
	pthread_mutex_lock(&p->lock);
	unsigned left = --p->owners;
	pthread_cond_signal(&p->stopped);
	pthread_mutex_unlock(&p->lock);
	if (left > 0)
		return;
	output_roots_fini(&p->roots);
	pthread_cond_destroy(&p->stopped);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* If the only file of an output can be opened, its directory need not be
 * writable. */
static bool is_writable(const struct output_root *root)
{
	const int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY;
	int fd = root->file != NULL
			 ? file_path_open(root->file, root->confined_bytes,
					  flags)
			 : -1;
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void set_why(struct output_probe *p, const struct err *why)
{
	pthread_mutex_lock(&p->lock);
	p->why = *why;
	pthread_mutex_unlock(&p->lock);
}

static bool try_all(struct output_probe *p)
{
	struct err e;
	for (size_t i = 0; i < p->roots.count; i++) {
		const struct output_root *root = &p->roots.items[i];
		if (is_writable(root) ||
		    root_probe(root->directory, root->may_make, &e))
			continue;
		set_why(p, &e);
		log_rated(&p->failed_rate, LOG_ERROR, "output_probe",
			  "err=\"%s\" action=\"not ready; trying again every "
			  "second\"",
			  e.text);
		return false;
	}
	return true;
}

static struct timespec seconds_from_now(int seconds)
{
	struct timespec at;
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += seconds;
	return at;
}

/* Whether to try again. */
static bool wait_for_retry(struct output_probe *p)
{
	struct timespec until = seconds_from_now(RETRY_S);
	pthread_mutex_lock(&p->lock);
	while (!p->is_stopping && pthread_cond_timedwait(&p->stopped, &p->lock,
							 &until) != ETIMEDOUT)
		;
	bool is_stopping = p->is_stopping;
	pthread_mutex_unlock(&p->lock);
	return !is_stopping;
}

static void *run(void *data)
{
	struct output_probe *p = data;
	/* Signals are for the main thread, which blocks them at its end. */
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	bool is_good = try_all(p);
	while (!is_good && wait_for_retry(p))
		is_good = try_all(p);
	pthread_mutex_lock(&p->lock);
	p->is_good = is_good;
	if (is_good && !p->is_stopping) {
		log_line(LOG_INFO, "output_probe",
			 "state=ready test_writes=%zu", p->roots.count);
		p->on_good(p->data);
	}
	pthread_mutex_unlock(&p->lock);
	release(p);
	return NULL;
}

struct output_probe *output_probe_start(const struct conf *conf,
					void (*on_good)(void *), void *data,
					struct err *e)
{
	struct output_probe *p = mem_new(1, sizeof *p);
	pthread_t thread;
	p->roots = output_roots_of(conf);
	p->on_good = on_good;
	p->data = data;
	p->owners = 2;
	err_set(&p->why, "the first write to the outputs has not ended");
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->stopped, NULL);
	int error = pthread_create(&thread, NULL, run, p);
	if (error == 0) {
		pthread_detach(thread);
		return p;
	}
	err_sys(e, error, "start the thread that tries the outputs");
	p->owners = 1;
	release(p);
	return NULL;
}

bool output_probe_is_good(struct output_probe *p, struct err *e)
{
	pthread_mutex_lock(&p->lock);
	bool is_good = p->is_good;
	*e = p->why;
	pthread_mutex_unlock(&p->lock);
	return is_good;
}

void output_probe_stop(struct output_probe *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_signal(&p->stopped);
	struct timespec until = seconds_from_now(STOP_S);
	while (p->owners > 1 && pthread_cond_timedwait(&p->stopped, &p->lock,
						       &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&p->lock);
	release(p);
}
