/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 *  1. the configuration names the inputs and their addresses;
 *  2. each line of FILE, or each message of the journal, is sent to its input;
 *     a socket is connected when it is first needed.
 *
 * Failure modes:
 *  - no line of FILE is a dead letter: one error says so;
 *  - lines of the journal's messages may be in their files already: without
 *    --again, replay sends nothing;
 *  - what was sent cannot be noted in the journal: a warning says so;
 *  - a line is not a dead letter, or a message does not fit into a datagram or
 *    a line: it is reported and skipped;
 *  - sending to a socket fails: replay stops sending and prints the position,
 *    so that the user can continue from there.  In a journal, it has noted the
 *    position itself. */
#include "tool/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "file/dead_letter.h"
#include "file/file_path.h"
#include "file/spill_file.h"
#include "file/spill_replay.h"
#include "intake/socket.h"
#include "journal/journal.h"
#include "journal/journal_replay.h"
#include "journal/peer_address.h"
#include "record/json.h"
#include "record/record.h"
#include "setup/match_check.h"
#include "tool/message_sender.h"

enum { ARENA_BYTES = 64 * 1024 };

struct replay_opts {
	const char *path; /* FILE */
	const char *conf_path;
	uint32_t rate; /* messages per second at most; 0: no limit */
	bool again;    /* also messages whose lines may be written already */
};

struct replayer {
	const struct replay_opts *opts;
	struct message_sender *senders;
	size_t sender_count;
	int64_t next_ns;
	uint64_t sent;
	uint64_t elsewhere; /* of these: sent to another input than their own */
	uint64_t unsent;
	bool is_stopped; /* an input cannot be reached; send nothing more */
};

/* --- the inputs */

static bool add_sender(struct replayer *r, struct conf_section *s,
		       struct err *e)
{
	size_t n = r->sender_count++;
	r->senders = mem_grow(r->senders, n + 1, sizeof *r->senders);
	return message_sender_init(&r->senders[n], s, n, e);
}

static bool read_senders(struct replayer *r, const struct conf *conf,
			 struct err *e)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(conf, i)) != NULL; i++)
		if (conf_is(s, "INPUT") && !add_sender(r, s, e))
			return false;
	return r->sender_count > 0 ||
	       err_set(e, "%s: it has no [INPUT] to send to",
		       r->opts->conf_path);
}

static struct message_sender *find_sender(struct replayer *r, struct span name)
{
	for (size_t i = 0; i < r->sender_count; i++)
		if (span_equals(span_of(r->senders[i].name), name))
			return &r->senders[i];
	return NULL;
}

/* --- one message */

static void wait_turn(struct replayer *r)
{
	if (r->opts->rate == 0)
		return;
	int64_t now_ns = clock_mono_ns();
	if (r->next_ns < now_ns)
		r->next_ns = now_ns;
	struct timespec until = {.tv_sec = (time_t)(r->next_ns / NS_PER_S),
				 .tv_nsec = (long)(r->next_ns % NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
	       EINTR)
		;
	r->next_ns += NS_PER_S / r->opts->rate;
}

/* `own` is NULL if the configuration does not have the message's input. */
static bool send_message(struct replayer *r, struct message_sender *own,
			 struct span raw, struct err *e)
{
	struct message_sender *t = own != NULL ? own : &r->senders[0];
	wait_turn(r);
	enum message_sender_result answer = message_sender_send(t, raw, e);
	r->is_stopped = answer == MESSAGE_SENDER_GONE;
	if (answer != MESSAGE_SENDER_SENT)
		return false;
	r->sent++;
	r->elsewhere += own == NULL;
	return true;
}

static void report_unsent(struct replayer *r, const char *what, uint64_t number,
			  const char *why)
{
	r->unsent++;
	fprintf(stderr, "%s:%s%" PRIu64 ": %s\n", r->opts->path, what, number,
		why);
}

/* --- dead letters */

struct letter_file {
	FILE *f;
	int64_t at, end; /* in bytes; end as of the beginning */
	char *line;
	size_t cap;
	struct json_reader *json;
	struct arena *arena;
};

static bool open_letters(struct letter_file *l, const char *path, struct err *e)
{
	struct stat st;
	*l = (struct letter_file){.f = fopen(path, "re")};
	if (l->f == NULL || fstat(fileno(l->f), &st) < 0) {
		err_sys(e, errno, "open %s", path);
		if (l->f != NULL)
			fclose(l->f);
		return false;
	}
	l->end = S_ISREG(st.st_mode) ? st.st_size : INT64_MAX;
	l->json = json_reader_new();
	l->arena = arena_new(ARENA_BYTES);
	return true;
}

static void close_letters(struct letter_file *l)
{
	free(l->line);
	arena_free(l->arena);
	json_reader_free(l->json);
	fclose(l->f);
}

/* Read the next line.  *wrong is NULL if it is a dead letter, which is valid
 * until the next call; otherwise a short text with the mistake.  False at the
 * end, or if reading fails. */
static bool next_letter(struct letter_file *l, struct letter *letter,
			const char **wrong)
{
	errno = 0;
	ssize_t n = l->at < l->end ? getline(&l->line, &l->cap, l->f) : -1;
	if (n < 0)
		return false;
	l->at += n;
	size_t len = (size_t)n - (n > 0 && l->line[n - 1] == '\n');
	arena_reset(l->arena);
	*wrong = dead_letter_read(l->json, span_make(l->line, len),
				  record_new(l->arena, NULL, SPAN(""), 0),
				  letter);
	return true;
}

/* False if the file is regular and not empty, but no line of it is a dead
 * letter.  Reads up to the first one, and goes back to the beginning. */
static bool has_letter(struct letter_file *l, const char *path, struct err *e)
{
	struct letter letter;
	const char *first = NULL, *wrong = NULL;
	if (l->end == INT64_MAX)
		return true;
	while (next_letter(l, &letter, &wrong) && wrong != NULL)
		first = first != NULL ? first : wrong;
	if (ferror(l->f))
		return err_sys(e, errno, "read %s", path);
	rewind(l->f);
	l->at = 0;
	return wrong == NULL ||
	       err_set(e,
		       "%s: it is no journal and no spill of sluiced, and none "
		       "of its lines is a dead letter; line 1: %s",
		       path, first);
}

static bool send_each(struct replayer *r, struct letter_file *l, struct err *e)
{
	struct letter letter;
	const char *wrong;
	for (uint64_t number = 1;
	     !r->is_stopped && next_letter(l, &letter, &wrong); number++) {
		struct err why = {0};
		if (wrong != NULL)
			report_unsent(r, "", number, wrong);
		else if (!send_message(r, find_sender(r, letter.input),
				       letter.raw, &why))
			report_unsent(r, "", number, why.text);
	}
	return !ferror(l->f) || err_sys(e, errno, "read %s", r->opts->path);
}

static bool send_letters(struct replayer *r, struct err *e)
{
	struct letter_file l;
	if (!open_letters(&l, r->opts->path, e))
		return false;
	bool ok = has_letter(&l, r->opts->path, e) && send_each(r, &l, e);
	close_letters(&l);
	return ok;
}

/* --- a journal */

/* The sender to the address of the message's input. */
static struct message_sender *sender_of(struct replayer *r, unsigned number,
					const struct journal_input *input)
{
	char address[SOCKET_ADDRESS_BYTES];
	if (input == NULL) /* an old journal: it holds only the number */
		return number < r->sender_count ? &r->senders[number] : NULL;
	for (size_t i = 0; i < r->sender_count; i++) {
		socket_address(&r->senders[i].at, address);
		if (strcmp(address, input->address) == 0)
			return &r->senders[i];
	}
	return NULL;
}

static enum journal_sent send_entry(void *data,
				    const struct journal_entry *item,
				    const struct journal_input *input)
{
	struct replayer *r = data;
	struct err e = {0};
	struct journal_entry entry = *item;
	(void)peer_address_take(&entry); /* the replay is the sender now */
	struct message_sender *own = sender_of(r, entry.input, input);
	if (send_message(r, own, entry.bytes, &e))
		return JOURNAL_SENT;
	report_unsent(r, " message ", entry.seq, e.text);
	return r->is_stopped ? JOURNAL_UNREACHABLE : JOURNAL_UNSENT;
}

static void warn_of_note_error(const struct replayer *r, int error)
{
	fprintf(stderr,
		"%s: the progress cannot be noted in the journal: %s; another "
		"replay, or a sluiced with this journal, sends the messages "
		"again\n",
		r->opts->path, strerror(error));
}

/* Sends the good messages of a damaged journal, too. */
static bool send_journal(struct replayer *r, struct err *e)
{
	struct journal_replay_result result;
	struct journal_replay *replay =
		journal_replay_open(r->opts->path, r->opts->again, e);
	if (replay == NULL)
		return false;
	int before = journal_replay_note_error(replay);
	if (before != 0)
		warn_of_note_error(r, before);
	bool ok = journal_replay_send(replay, send_entry, r, &result, e);
	int after = journal_replay_note_error(replay);
	if (before == 0 && after != 0)
		warn_of_note_error(r, after);
	journal_replay_close(replay);
	if (result.sent_before > 0)
		printf("sent by an earlier replay: %" PRIu64
		       "; --again sends them again\n",
		       result.sent_before);
	if (result.sent_before > 0 && r->sent + r->unsent + result.left == 0)
		printf("nothing is left to send\n");
	if (result.left > 0)
		printf("left: %" PRIu64
		       "; to send them, run the same command again%s\n",
		       result.left, r->opts->again ? " without --again" : "");
	return ok;
}

/* --- spills */

static size_t find_tag_root(const struct conf *conf, struct span path)
{
	char **roots = match_tag_roots(conf);
	size_t bytes = file_path_root(roots, path);
	match_tag_roots_free(roots);
	return bytes;
}

/* The length of Path with one '/' at its end; 0 if the path is not below it. */
static size_t root_length(const char *root, struct span path)
{
	size_t len = strlen(root);
	while (len > 0 && root[len - 1] == '/')
		len--;
	bool is_below = path.len > len + 1 && path.ptr[len] == '/' &&
			memcmp(path.ptr, root, len) == 0;
	return is_below ? len + 1 : 0;
}

/* The length of the path's directory if it is Dead_Letter; otherwise 0. */
static size_t find_letter_root(const struct conf *conf, struct span path)
{
	struct conf_section *s = conf_section_named(conf, "SERVICE", 0);
	const char *key = s != NULL ? conf_get_each(s, "Dead_Letter", 0) : NULL;
	char good[PATH_MAX];
	bool is_it =
		key != NULL &&
		file_path_make(SPAN(""), span_of(key), true, good) == NULL &&
		span_equals(path, span_of(good));
	return is_it ? file_path_fixed_root(good).len : 0;
}

/* The directories of the output that wrote the spill.  Symbolic links may not
 * lead out of its Path or, without Path, out of the directory of its File or of
 * its tags. */
static struct spill_roots find_roots(void *data, struct span path)
{
	const struct conf *conf = data;
	struct spill_roots roots = {0};
	bool has_tag_paths = false;
	struct conf_section *s;
	roots.root_bytes = find_letter_root(conf, path);
	if (roots.root_bytes > 0)
		return roots;
	for (size_t i = 0; (s = conf_section(conf, i)) != NULL; i++) {
		const char *root = NULL, *file = NULL;
		bool follows_symlinks = false;
		struct err e = {0};
		if (!conf_is(s, "OUTPUT") ||
		    !conf_get_text(s, "Path", &root, &e) ||
		    !conf_get_text(s, "File", &file, &e) ||
		    !conf_get_bool(s, "Follow_Symlinks", &follows_symlinks, &e))
			continue;
		size_t len = root != NULL ? root_length(root, path) : 0;
		if (len > roots.lock_bytes)
			roots.lock_bytes = len;
		if (follows_symlinks)
			continue;
		has_tag_paths = has_tag_paths || (root == NULL && file == NULL);
		if (root == NULL && file != NULL &&
		    span_equals(path, span_of(file)))
			return (struct spill_roots){
				.root_bytes = file_path_fixed_root(file).len};
		if (len > 0 &&
		    file_path_is_confined(span_make(path.ptr, len), file))
			return (struct spill_roots){len, len};
	}
	if (has_tag_paths)
		roots.root_bytes = find_tag_root(conf, path);
	return roots;
}

/* The lines of a spill are complete: they are appended to their file instead of
 * being sent to an input. */
static bool append_spill(struct replayer *r, struct conf *conf, struct err *e)
{
	struct spill_replayed result;
	bool ok = spill_replay(r->opts->path, find_roots, conf, &result, e);
	if (result.output_path != NULL)
		printf("appended to %s: %" PRIu64 " lines\n",
		       result.output_path, result.lines);
	if (result.found_lines > 0)
		printf("already in the file: %" PRIu64 " lines\n",
		       result.found_lines);
	if (result.is_unread)
		printf("the file cannot be read: the last lines that a killed "
		       "process appended may be in it twice\n");
	if (!ok && result.output_path != NULL && !result.is_unsaved)
		printf("to append the rest, run the same command again\n");
	if (result.is_unsaved)
		printf("the position could not be saved in %s: another replay "
		       "would append these lines again\n",
		       r->opts->path);
	if (ok && result.damaged_bytes > 0)
		ok = err_set(e, "%s: %" PRIu64 " damaged bytes were skipped",
			     r->opts->path, result.damaged_bytes);
	free(result.output_path);
	return ok;
}

/* --- the kind of a file */

/* False for a file that is not regular: reading a pipe here would remove its
 * first bytes. */
static bool begins_with(const char *path, struct span magic)
{
	char begin[16];
	struct stat st;
	CHECK(magic.len <= sizeof begin);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	size_t n = fread(begin, 1, magic.len, f);
	fclose(f);
	return n == magic.len && memcmp(begin, magic.ptr, n) == 0;
}

static bool replay_file(struct replayer *r, struct conf *conf, struct err *e)
{
	bool ok;
	if (begins_with(r->opts->path, SPAN(SPILL_MAGIC))) {
		ok = append_spill(r, conf, e);
		fflush(stdout);
		return ok;
	}
	ok = begins_with(r->opts->path, SPAN("sluicedJ")) ? send_journal(r, e)
							  : send_letters(r, e);
	printf("sent: %" PRIu64 "\n", r->sent);
	if (r->elsewhere > 0)
		printf("of these, sent to %s because their own input does not "
		       "exist: %" PRIu64 "\n",
		       r->senders[0].name, r->elsewhere);
	fflush(stdout);
	return ok;
}

static void replayer_fini(struct replayer *r)
{
	for (size_t i = 0; i < r->sender_count; i++)
		message_sender_fini(&r->senders[i]);
	free(r->senders);
}

int replay(const struct command_args *args)
{
	const struct replay_opts replay_opts = {
		.path = args->operand,
		.conf_path = args->assemble->conf_path,
		.rate = args->rate,
		.again = args->again,
	};
	const struct replay_opts *opts = &replay_opts;
	struct replayer r = {.opts = opts};
	struct err e = {0};
	int code = EXIT_CODE_SYSTEM;
	if (!log_open(NULL, LOG_OFF, &e))
		return code;
	struct conf *conf = conf_read(opts->conf_path, &e);
	bool ok = conf != NULL && read_senders(&r, conf, &e);
	if (!ok)
		code = e.exit_code;
	else
		ok = replay_file(&r, conf, &e);
	if (!ok)
		fprintf(stderr, "sluiced replay: %s\n", e.text);
	replayer_fini(&r);
	conf_free(conf);
	return ok && r.unsent == 0 ? 0 : code;
}
