/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/assemble_journal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "conf/conf.h"
#include "intake/endpoints.h"
#include "journal/journal.h"
#include "journal/journal_file.h"
#include "journal/peer_address.h"
#include "pipeline/counters.h"
#include "setup/assemble.h"
#include "setup/removed_input.h"

/* How long another sluiced may take to release the journal. */
enum { JOURNAL_WAIT_MS = 10000 };

static void log_found(const struct journal_found *found, const char *path)
{
	bool is_set_aside = found->damaged[0] != '\0';
	if (is_set_aside && !found->is_replayable)
		log_line(LOG_ERROR, "journal",
			 "path=%s err=\"%s\" set_aside=%s "
			 "action=\"starting with a new journal; this sluiced "
			 "cannot read the old file\"",
			 path, found->why, found->damaged);
	else if (is_set_aside)
		log_line(LOG_ERROR, "journal",
			 "path=%s err=\"%s\" set_aside=%s "
			 "action=\"run sluiced replay %s -c CONFIG to send "
			 "its good messages\"",
			 path, found->why, found->damaged, found->damaged);
	if (found->is_written_back)
		log_line(LOG_WARN, "journal",
			 "path=%s err=\"the journal is on a disk: receiving "
			 "waits while the kernel writes pages back\" "
			 "action=\"put it on a tmpfs (emptyDir with medium: "
			 "Memory)\"",
			 path);
	if (found->messages > 0)
		log_line(LOG_INFO, "journal",
			 "path=%s recovered=%" PRIu64
			 " from_receive_slots=%" PRIu64
			 " from_interrupted_batch=%" PRIu64,
			 path, found->messages, found->from_slots,
			 found->noted);
	if (found->replayed > 0)
		log_line(LOG_WARN, "journal",
			 "path=%s replayed=%" PRIu64
			 " action=\"dropping these messages, which sluiced "
			 "replay has sent\"",
			 path, found->replayed);
	if (found->died_at_work)
		log_line(
			LOG_WARN, "journal",
			"path=%s err=\"the last worker died while it processed "
			"a message\" action=\"after two deaths the message "
			"becomes a dead letter or is dropped\"",
			path);
}

/* The file keeps its sizes. */
static void log_kept(const struct journal *j, const struct journal_opts *opts,
		     const char *why)
{
	char sizes[160];
	snprintf(sizes, sizeof sizes,
		 "journal_size_bytes=%zu wanted_size_bytes=%zu "
		 "message_bytes_max=%zu wanted_message_bytes_max=%zu",
		 journal_ring_bytes(j), opts->ring_bytes,
		 journal_message_bytes_max(j), opts->slot_bytes);
	bool truncates = journal_message_bytes_max(j) < opts->slot_bytes;
	log_line(LOG_WARN, "journal",
		 "path=%s err=\"%s\" %s action=\"continuing with the old "
		 "sizes%s; they change at the next start or reload, if at "
		 "most %d bytes of messages wait and a new file can be made\"",
		 opts->path, why, sizes,
		 truncates ? " and truncating longer messages" : "",
		 JOURNAL_MOVE_BYTES_MAX);
}

static size_t peer_address_bytes(const struct input *in)
{
	return in->keeps_peer_address ? PEER_ADDRESS_BYTES_MAX : 0;
}

static struct journal_opts opts_of(const struct assembly *a)
{
	struct journal_opts opts = {
		.path = a->journal_path,
		.is_known = a->is_journal_known,
		.ring_bytes = a->settings.sizes.journal_bytes,
		.slots = ASSEMBLE_JOURNAL_SLOTS,
		.counters_bytes = COUNTERS_BYTES,
		.wait_ms = JOURNAL_WAIT_MS,
	};
	for (size_t i = 0; i < a->input_count; i++) {
		const struct input *in = &a->inputs[i];
		size_t bytes = in->message_bytes_max + peer_address_bytes(in);
		if (bytes > opts.slot_bytes)
			opts.slot_bytes = bytes;
	}
	return opts;
}

/* If the file keeps its sizes, it may have less room for a message than the
 * configuration wants.  A UDP datagram with its peer address always fits: they
 * are shorter than the shortest message_bytes_max. */
static void limit_messages(struct assembly *a, const struct journal *j)
{
	size_t most = journal_message_bytes_max(j);
	for (size_t i = 0; i < a->input_count; i++) {
		struct input *in = &a->inputs[i];
		size_t added = peer_address_bytes(in);
		if (in->message_bytes_max + added > most)
			in->message_bytes_max = most > added ? most - added : 1;
	}
}

/* Put the place of the key in front of the sentence. */
static bool err_at(const struct assembly *a, const char *key, struct err *e)
{
	const struct conf_section *s =
		conf_section_named(a->confs[0], "SERVICE", 0);
	return s != NULL ? conf_err_in(s, key, e) : err_in(e, "%s", key);
}

bool assemble_journal_check(const struct assembly *a, struct err *e)
{
	const struct journal_opts opts = opts_of(a);
	if (!journal_check_opts(&opts, e))
		return err_in(e, "storage");
	return opts.path == NULL || opts.is_known ||
	       journal_try_content(opts.path, e) ||
	       err_at(a, "storage.path", e);
}

bool assemble_journal_try(const struct assembly *a, bool is_reload,
			  struct err *e)
{
	const struct journal_opts opts = opts_of(a);
	if (opts.is_known && journal_file_exists(opts.path))
		return true;
	switch (journal_try(&opts, is_reload, e)) {
	case JOURNAL_TRY_GOOD:
		return true;
	case JOURNAL_TRY_BAD_PATH:
		if (a->settings.storage_path == NULL)
			return true;
		break;
	case JOURNAL_TRY_BAD_FILE:
		break;
	case JOURNAL_TRY_BAD_SIZE:
		return err_at(a, "storage.max_size", e);
	}
	return err_at(a, "storage.path", e);
}

struct journal *assemble_journal(struct assembly *a,
				 const struct assemble_journal_opts *how,
				 struct err *e)
{
	struct journal_opts opts = opts_of(a);
	opts.died_of_other = how->died_of_other;
	opts.keeps_file = how->keeps_file;
	opts.has_fd = how->fd >= 0;
	opts.fd = how->fd;
	struct journal_input inputs[ENDPOINTS_MAX + RETIRED_MAX];
	for (size_t i = 0; i < a->input_count; i++)
		removed_input_describe(a, i, &inputs[i]);
	opts.inputs = inputs;
	if (!removed_input_add_retired(a, how->retired, inputs, e))
		return NULL;
	opts.input_count = a->input_count + a->removed_count;
	struct journal_found found = {0};
	struct journal *j = journal_open(&opts, &found, e);
	if (j == NULL) {
		err_in(e, "storage");
		return NULL;
	}
	a->notes.data = j;
	limit_messages(a, j);
	if (a->journal_path != NULL)
		log_found(&found, a->journal_path);
	if (found.kept.text[0] != '\0')
		log_kept(j, &opts, found.kept.text);
	if (removed_input_add_all(a, j, e))
		return j;
	journal_close(j);
	return NULL;
}

static uint32_t note(void *journal, const struct append_note *n,
		     uint32_t replaced)
{
	return journal_note(journal, n, replaced);
}

static void note_failed(void *journal, uint32_t place, uint32_t length_bytes)
{
	journal_note_failed(journal, place, length_bytes);
}

static const struct append_note *next_note(void *journal,
					   const struct append_note *note)
{
	return journal_noted(journal, note);
}

static void claim_note(void *journal, const struct append_note *n)
{
	journal_claim(journal, n);
}

static bool may_find_note(void *journal)
{
	return journal_is_repeating(journal);
}

void assemble_journal_notes(struct assembly *a)
{
	a->notes = (struct append_notes){.note = note,
					 .failed = note_failed,
					 .next = next_note,
					 .may_find = may_find_note,
					 .claim = claim_note};
}
