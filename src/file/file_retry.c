/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_retry.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/append_tail.h"
#include "file/file_error.h"
#include "file/file_lock.h"
#include "file/output_file.h"

#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)
#define BUSY_LOG_NS (5 * NS_PER_S)
#define NAMED_NS (10 * NS_PER_S)

enum { NAMED_FILES_MAX = 20 }; /* in NAMED_NS */

/* Whether this is the first failure of the file and is logged regardless of the
 * rate that all files share.  This is done for at most NAMED_FILES_MAX files in
 * NAMED_NS, because thousands of files may fail. */
static bool is_named(struct output_file *o, int64_t now_ns)
{
	struct file_env *env = o->env;
	if (o->was_named)
		return false;
	o->was_named = true;
	if (now_ns >= env->named_until_ns) {
		env->named_until_ns = now_ns + NAMED_NS;
		env->named_files = 0;
	}
	if (env->named_files == NAMED_FILES_MAX)
		return false;
	env->named_files++;
	return true;
}

static void log_failing(struct output_file *o, int error, int64_t now_ns)
{
	char room[LOG_QUOTED_BYTES];
	struct log_rate unlimited = {0};
	bool is_busy = error == EBUSY;
	bool is_limited = is_busy || !is_named(o, now_ns);
	log_rated(is_limited ? &o->env->failing_rate : &unlimited,
		  is_busy ? LOG_DEBUG : LOG_ERROR, "file_sink",
		  "path=%s err=\"%s\" lines=%zu action=\"keeping the lines, "
		  "retrying\"",
		  log_quoted(span_of(o->path), room), file_error_text(error),
		  o->answers.len);
}

static void log_lock(struct output_file *o)
{
	char room[LOG_QUOTED_BYTES], pid[16] = "unknown";
	pid_t holder = file_lock_holder(o->env->lock);
	if (holder != 0)
		snprintf(pid, sizeof pid, "%d", (int)holder);
	log_rated(&o->env->busy_rate, LOG_WARN, "file_sink",
		  "path=%s lock_holder_pid=%s err=\"another process has held "
		  "the lock for several seconds\" action=\"keeping the lines, "
		  "retrying\"",
		  log_quoted(span_of(o->path), room), pid);
}

/* The other process holds the lock often, each time for a moment.  With a
 * growing delay this process would never get it. */
static void delay_busy(struct output_file *o, int64_t now_ns)
{
	o->retry_ns = now_ns + BACKOFF_MIN_NS;
	if (now_ns - o->busy_since_ns >= BUSY_LOG_NS &&
	    !append_file_has_foreign_tail(&o->file))
		log_lock(o);
}

static void delay_retry(struct output_file *o, int error, int64_t now_ns)
{
	if (error == EBUSY) {
		delay_busy(o, now_ns);
		return;
	}
	o->retry_ns = now_ns + o->backoff_ns;
	o->backoff_ns *= 2;
	if (o->backoff_ns > BACKOFF_MAX_NS)
		o->backoff_ns = BACKOFF_MAX_NS;
}

void file_retry_failed(struct output_file *o, int error, bool has_delay,
		       int64_t now_ns)
{
	if (o->failed_errno == 0)
		o->backoff_ns = BACKOFF_MIN_NS;
	if (error == EBUSY && o->failed_errno != EBUSY)
		o->busy_since_ns = now_ns;
	if (o->failed_errno == 0 ||
	    (o->failed_errno == EBUSY && error != EBUSY))
		log_failing(o, error, now_ns);
	o->failed_errno = error;
	o->retry_ns = now_ns;
	if (has_delay)
		delay_retry(o, error, now_ns);
}

void file_retry_worked(struct output_file *o)
{
	if (o->failed_errno == 0)
		return;
	char room[LOG_QUOTED_BYTES];
	log_rated(&o->env->working_rate,
		  o->failed_errno == EBUSY ? LOG_DEBUG : LOG_INFO, "file_sink",
		  "path=%s msg=\"can be written again\"",
		  log_quoted(span_of(o->path), room));
	o->failed_errno = 0;
	o->is_disk = o->is_busy = false;
}

bool file_retry_is_due(const struct output_file *o, int64_t now_ns)
{
	return now_ns >= o->retry_ns ||
	       (o->lines.len > 0 && o->env->spills != NULL);
}

void file_retry_at_once(struct output_file *o)
{
	o->retry_ns = 0;
	o->backoff_ns = BACKOFF_MIN_NS;
}
