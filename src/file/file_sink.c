/* SPDX-License-Identifier: Apache-2.0 */
/* Name file: appends lines to files, chosen by path.
 *
 *     [Path/]File, or [Path/]tag if File is not set
 *
 * The happy path:
 *  1. put finds the file for the record's tag, or adds a new one, and renders
 *     the line after all others of the batch (batch.h);
 *  2. flush gives each file its lines, and the file writes them with one
 *     write() (output_file.h);
 *  3. a file that was not used for a minute is closed.
 * Failures:
 *  - A tag is not a valid path, would lead out of its root, or to a path that
 *    the configuration uses: put refuses the line, DROP_path_refused.
 *  - The lines of the message together are too large (output/line_limit.h):
 *    put refuses the line, DROP_too_large.
 *  - The disk rejects writes: flush returns SINK_BLOCKED, and all lines wait
 *    where they are.
 *  - One file cannot be written: its lines are spilled (spill.h), and the
 *    other files continue.  The size of all spills is limited; beyond the
 *    limit, the newest lines of such files are dropped, DROP_write_failed.  If
 *    only another process keeps it busy, flush blocks first (file_block.h).
 *  - There is no directory for spills: held lines wait in memory, and are lost
 *    when the process ends.
 *  - Thousands of files cannot be written: the number of files that wait, and
 *    their memory, are limited (held_files.h), and so is the number of retries
 *    in a flush.  The files of the batch come first.
 *  - The process is killed: the next one finds the spills (restore), and each
 *    file detects which lines it has already. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "file/batch.h"
#include "file/file_cache.h"
#include "file/file_error.h"
#include "file/file_keys.h"
#include "file/file_lock.h"
#include "file/file_path.h"
#include "file/file_restore.h"
#include "file/flush_files.h"
#include "file/held_files.h"
#include "file/output_file.h"
#include "file/reserved_paths.h"
#include "file/spill.h"
#include "output/format.h"
#include "output/kinds.h"
#include "output/line_limit.h"
#include "record/record.h"

enum { FILES_MAX = 64 };

struct file_sink {
	struct sink sink;
	struct file_env env;
	struct spill_dir spills;
	struct file_restore restore;
	struct format *format;
	struct file_cache *files;
	struct batch batch;
	struct flush_files flusher;
	struct buf root; /* Path with one '/' at its end, or empty */
	char *fixed;	 /* File below the root; NULL: use the tag */
	const struct reserved_paths *reserved;
	char *real_root;   /* the root without symbolic links */
	bool is_sanitized; /* Tag_Path sanitized */
	struct buf tag;	   /* of the last record, sanitized */
	size_t new_dirs;   /* in the paths of this batch's new files */
	size_t new_bytes;  /* of this batch's lines for held files */
	int64_t flush_ns;  /* when the last flush began */
	int64_t sync_ns;   /* when to sync next */
	int64_t sync_interval_ns;
	struct log_rate refused_rate, full_rate;
};

/* Below a root, an absolute name is read as a relative one. */
static struct span below_root(const struct file_sink *fs, struct span name)
{
	while (fs->root.len > 0 && name.len > 0 && name.ptr[0] == '/')
		name = span_make(name.ptr + 1, name.len - 1);
	return name;
}

/* The result is valid until the next call. */
static struct span name_of(struct file_sink *fs, const struct record *r)
{
	if (fs->fixed != NULL)
		return span_of(fs->fixed);
	if (!fs->is_sanitized)
		return below_root(fs, r->tag);
	file_path_sanitize(r->tag, &fs->tag);
	return buf_span(&fs->tag);
}

/* The next flush may have to create the directories in its name. */
static struct cached_file *add_file(struct file_sink *fs, const char *path,
				    struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		fs->new_dirs += name.ptr[i] == '/';
	return file_cache_add(fs->files, path, name.len);
}

/* Returns the file, or NULL if its path is refused.  A name with a doubled
 * slash or a "." component is cleaned for each line. */
static struct cached_file *find_file(struct file_sink *fs, struct span name)
{
	struct cached_file *f = file_cache_find(fs->files, name);
	if (f != NULL)
		return f;
	char path[PATH_MAX];
	const char *wrong = file_path_make(buf_span(&fs->root), name,
					   fs->fixed != NULL, path);
	if (wrong == NULL) {
		struct span clean = span_of(path + fs->root.len);
		f = file_cache_find(fs->files, clean);
		if (f == NULL && fs->fixed == NULL)
			wrong = reserved_paths_check(fs->reserved,
						     fs->real_root, clean.ptr);
		if (wrong == NULL)
			return f != NULL ? f : add_file(fs, path, clean);
	}
	char room[LOG_QUOTED_BYTES];
	log_rated(&fs->refused_rate, LOG_WARN, "file_sink",
		  "path=%s err=\"refused: %s\" action=\"dropping the line; "
		  "keeping its message in Dead_Letter, if that is set\"",
		  log_quoted(name, room), wrong);
	return NULL;
}

static void restore(struct sink *sink, const struct sink_stats *before)
{
	file_restore(&((struct file_sink *)sink)->restore, before);
}

static bool found(struct sink *sink, struct sink_moved *lines)
{
	return file_restore_found(&((struct file_sink *)sink)->restore, lines);
}

static void settle(struct sink *sink, struct sink_moved *moved)
{
	file_restore_settle(&((struct file_sink *)sink)->restore, moved);
}

/* --- the lines */

/* Is there no room for another line of this file?  If all its lines were
 * dropped, its next line is accepted when the file is due: it may work again.
 */
static bool is_full(const struct file_sink *fs, const struct output_file *o)
{
	const struct held_files *held = &fs->env.held;
	if (!output_file_waits(o) && fs->flush_ns >= o->retry_ns)
		return false;
	size_t spilled_bytes = fs->sink.stats.spilled_bytes + held->line_bytes;
	if (fs->env.spills != NULL &&
	    spilled_bytes + fs->new_bytes >= fs->spills.bytes_max)
		return true;
	return o->spill == NULL &&
	       (!held_files_has_room(o) ||
		held->bytes + fs->new_bytes >= HELD_BYTES_MAX);
}

/* Add a rendered record to the batch.  With Escape off, it may contain line
 * breaks and then counts as several lines; only the last one stands for the
 * message. */
static void take(struct file_sink *fs, struct cached_file *f, size_t from,
		 bool answers)
{
	const struct buf *bytes = &fs->batch.bytes;
	const char *at;
	while (fs->format->is_raw &&
	       (at = memchr(bytes->ptr + from, '\n', bytes->len - 1 - from)) !=
		       NULL) {
		size_t length = (size_t)(at + 1 - bytes->ptr) - from;
		batch_took(&fs->batch, &f->chain, from, length, false);
		output_file_count(f->output_file, false);
		from += length;
	}
	batch_took(&fs->batch, &f->chain, from, bytes->len - from, answers);
	output_file_count(f->output_file, answers);
}

static bool put(struct sink *sink, const struct record *r, bool answers,
		enum drop_reason *reason)
{
	struct file_sink *fs = (struct file_sink *)sink;
	restore(sink, NULL);
	struct cached_file *f = find_file(fs, name_of(fs, r));
	if (f == NULL)
		return sink_refuse(sink, DROP_path_refused, reason);
	struct output_file *o = f->output_file;
	bool is_held = output_file_is_held(o);
	if (is_held && output_file_may_refuse(o) && is_full(fs, o)) {
		fs->flusher.full_lines++;
		return sink_refuse(sink, DROP_write_failed, reason);
	}
	struct buf *bytes = &fs->batch.bytes;
	size_t from = bytes->len;
	if (fs->format->has_head && f->chain.first == 0 &&
	    (!output_file_waits(o) || o->file.head.len == 0)) {
		buf_clear(&o->file.head);
		fs->format->ops->render_head(fs->format, r, &o->file.head);
	}
	if (!line_limit_begin(bytes, r->message))
		return sink_refuse(sink, DROP_too_large, reason);
	fs->format->ops->render(fs->format, r, bytes);
	if (!line_limit_end(bytes, r->message, from))
		return sink_refuse(sink, DROP_too_large, reason);
	take(fs, f, from, answers);
	sink->batch_bytes = batch_memory_bytes(&fs->batch);
	sink->batch_files = fs->batch.chains + fs->new_dirs;
	if (is_held)
		fs->new_bytes += bytes->len - from;
	file_cache_wait(fs->files, f);
	return true;
}

/* At most once for each batch. */
static void log_full(struct file_sink *fs)
{
	log_rated(&fs->full_rate, LOG_ERROR, "file_sink",
		  "output=%s err=\"too many lines wait for files that cannot "
		  "be written\" files=%zu spilled_bytes=%llu "
		  "in_memory_bytes=%zu dropped=%zu action=\"dropping the "
		  "newest lines of these files\"",
		  fs->spills.sink_name, fs->env.held.count,
		  (unsigned long long)fs->sink.stats.spilled_bytes,
		  fs->env.held.bytes, fs->flusher.full_lines);
	fs->flusher.full_lines = 0;
}

static void sync_all(struct file_sink *fs, int64_t now_ns)
{
	if (fs->env.fsync != SINK_FSYNC_INTERVAL || now_ns < fs->sync_ns)
		return;
	fs->sync_ns = now_ns + fs->sync_interval_ns;
	file_cache_each(fs->files, output_file_sync);
}

static void end_batch(struct file_sink *fs, enum sink_flush answer)
{
	fs->sink.batch_bytes = fs->sink.batch_files = fs->new_dirs = 0;
	fs->new_bytes = 0;
	batch_end(&fs->batch);
	/* Lines that wait for the disk are in the files' own memory now. */
	if (answer == SINK_BLOCKED)
		batch_fini(&fs->batch);
}

static enum sink_flush flush(struct sink *sink, int64_t now_ns)
{
	struct file_sink *fs = (struct file_sink *)sink;
	enum sink_flush answer = SINK_FLUSHED;
	restore(sink, NULL);
	if (!file_restore_rest(&fs->restore, now_ns))
		return SINK_BLOCKED;
	output_files_begin_flush(&fs->env, now_ns);
	fs->flush_ns = now_ns;
	if (!flush_files(&fs->flusher, now_ns, &answer))
		return SINK_BLOCKED;
	end_batch(fs, answer);
	if (fs->flusher.full_lines > 0)
		log_full(fs);
	sync_all(fs, now_ns);
	file_cache_tidy(fs->files, now_ns);
	return answer;
}

static void committed(struct sink *sink)
{
	flush_files_committed(&((struct file_sink *)sink)->flusher);
}

static void drop_buffered(struct sink *sink)
{
	struct file_sink *fs = (struct file_sink *)sink;
	flush_files_drop(&fs->flusher);
	end_batch(fs, SINK_BLOCKED);
}

static void reopen(struct sink *sink)
{
	struct file_sink *fs = (struct file_sink *)sink;
	fs->flusher.retries_all = true;
	file_cache_each(fs->files, output_file_reopen);
}

static void close_sink(struct sink *sink)
{
	struct file_sink *fs = (struct file_sink *)sink;
	file_cache_free(fs->files);
	batch_fini(&fs->batch);
	spill_dir_free(&fs->spills);
	format_close(fs->format);
	file_lock_free(fs->env.lock);
	buf_fini(&fs->root);
	buf_fini(&fs->tag);
	free(fs->fixed);
	free(fs->real_root);
	free(fs);
}

/* Without Path, the tags are whole paths. */
static void confine_tags(struct file_sink *fs, const struct sink_env *env,
			 struct conf_section *s)
{
	fs->env.tag_roots = env->tag_roots;
	if (env->has_rootless_tags)
		conf_warn(s, "Name",
			  "set Path, or put a directory in front of the $ in "
			  "the rule",
			  "a filter makes tags that do not begin with a fixed "
			  "directory, so a symbolic link can redirect lines "
			  "to any file");
}

static bool set_paths(struct file_sink *fs, const struct file_keys *keys,
		      const struct sink_env *env, struct conf_section *s,
		      struct err *e)
{
	if (keys->path != NULL && file_path_is_private(span_of(keys->path)))
		return conf_err_key(s, "Path", e,
				    "\"%s\" is not a valid path: %s contains "
				    "locks",
				    keys->path, FILE_LOCK_DIR);
	if (keys->path != NULL) {
		buf_put_text(&fs->root, keys->path);
		while (fs->root.len > 0 &&
		       fs->root.ptr[fs->root.len - 1] == '/')
			fs->root.len--;
		buf_put_char(&fs->root, '/');
		fs->env.lock_root = buf_span(&fs->root);
	}
	fs->is_sanitized = keys->is_sanitized;
	if (!keys->follow_symlinks &&
	    file_path_is_confined(buf_span(&fs->root), keys->file))
		fs->env.root = buf_span(&fs->root);
	if (keys->path == NULL && keys->file == NULL && !keys->follow_symlinks)
		confine_tags(fs, env, s);
	if (keys->file == NULL)
		return true;
	struct span name = below_root(fs, span_of(keys->file));
	char path[PATH_MAX];
	const char *wrong =
		file_path_make(buf_span(&fs->root), name, true, path);
	if (wrong != NULL)
		return conf_err_key(s, "File", e,
				    "\"%s\" is not a valid path of a file: %s",
				    keys->file, wrong);
	const char *clean = path + fs->root.len;
	fs->fixed = mem_copy(clean, strlen(clean));
	if (keys->path == NULL && !keys->follow_symlinks)
		fs->env.root = file_path_fixed_root(fs->fixed);
	return true;
}

/* Part of the path is known before the first record arrives.  Report now if it
 * cannot be written, and make the directory, so that a tailer finds it.  Only a
 * dry run fails: the disk may be mounted later. */
static bool prepare(struct file_sink *fs, struct conf_section *s, bool dry_run,
		    struct err *e)
{
	struct buf known = {0};
	buf_put_span(&known, buf_span(&fs->root));
	buf_put_text(&known, fs->fixed != NULL ? fs->fixed : "");
	const char *path = buf_text(&known);
	bool is_good = true;
	if (*path != '\0') {
		int error = 0;
		if (!dry_run && fs->env.mkdir)
			error = file_path_make_parents(path, fs->env.root.len);
		if (error == 0)
			error = file_path_try(path, fs->env.root.len,
					      dry_run && fs->env.mkdir);
		if (error != 0 && dry_run)
			is_good = conf_err_key(
				s, fs->root.len > 0 ? "Path" : "File", e,
				"%s cannot be written: %s", path,
				file_error_text(error));
		else if (error != 0)
			log_line(
				LOG_WARN, "file_sink",
				"path=\"%s\" err=\"%s\" action=\"keeping lines "
				"until it can be written\"",
				path, file_error_text(error));
	}
	buf_fini(&known);
	return is_good;
}

static void read_env(struct file_sink *fs, const struct sink_env *env)
{
	fs->env = (struct file_env){
		.lock = file_lock_new(),
		.stats = &fs->sink.stats,
		.notes = env->notes,
		.sink = env->id,
		.has_sink = env->has_sink,
		.router = env->router,
		.fsync = env->fsync,
		.has_others = env->has_others,
		.write_back = env->write_back,
		.answers = &fs->sink.answers,
	};
	fs->reserved = env->reserved;
	fs->sync_interval_ns = (int64_t)(env->fsync_interval_s * NS_PER_S);
	fs->spills = (struct spill_dir){
		.path = env->spill_dir,
		.bytes_max = env->spill_bytes_max,
		.sink_name = env->name != NULL ? env->name : "",
		.owner_of = env->owner_of,
		.router = env->router,
		.owners = env->spill_owners,
		.stats = &fs->sink.stats,
		.env = {.stats = &fs->spills.own_stats,
			.notes = env->notes,
			.sink = env->id,
			.write_back = env->write_back,
			.answers = &fs->sink.answers,
			.fsync = env->fsync == SINK_FSYNC_BATCH
					 ? SINK_FSYNC_BATCH
					 : SINK_FSYNC_NEVER},
	};
	if (env->spill_dir != NULL)
		fs->env.spills = &fs->spills;
}

static struct sink *open_sink(struct conf_section *s,
			      const struct sink_env *env, struct err *e)
{
	struct file_keys keys;
	if (!file_keys_read(s, &keys, e))
		return NULL;
	struct file_sink *fs = mem_new(1, sizeof *fs);
	read_env(fs, env);
	fs->env.mkdir = keys.mkdir;
	fs->env.open_max = env->files_max > 0 ? env->files_max : FILES_MAX;
	fs->files = file_cache_new(&fs->env, fs->env.open_max);
	fs->flusher = (struct flush_files){.sink = &fs->sink,
					   .env = &fs->env,
					   .files = fs->files,
					   .batch = &fs->batch,
					   .is_time_up = env->is_time_up};
	if (!set_paths(fs, &keys, env, s, e))
		goto fail;
	fs->sink.has_file_per_tag = fs->fixed == NULL;
	fs->restore = (struct file_restore){.files = fs->files,
					    .spills = &fs->spills,
					    .root = buf_span(&fs->root)};
	fs->format = format_open(s, e);
	if (fs->format == NULL || !prepare(fs, s, env->dry_run, e))
		goto fail;
	fs->real_root = reserved_paths_resolve(buf_text(&fs->root));
	return &fs->sink;
fail:
	close_sink(&fs->sink);
	return NULL;
}

static enum sink_writes writes(const struct sink *sink, struct span path)
{
	const struct file_sink *fs = (const struct file_sink *)sink;
	return file_path_writes(buf_span(&fs->root), fs->fixed, path);
}

const struct sink_ops file_sink_ops = {
	.name = "file",
	.keys = file_keys_table,
	.has_spills = true,
	.writes = writes,
	.open = open_sink,
	.put = put,
	.flush = flush,
	.committed = committed,
	.restore = restore,
	.found = found,
	.settle = settle,
	.drop_buffered = drop_buffered,
	.reopen = reopen,
	.close = close_sink,
};
