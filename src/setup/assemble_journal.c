/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/assemble_journal.h"

#include <inttypes.h>

#include "base/log.h"
#include "intake/endpoints.h"
#include "journal/journal.h"
#include "journal/peer_address.h"
#include "pipeline/counters.h"
#include "setup/assemble.h"
#include "setup/removed_input.h"

/* How long the previous worker may take to release the journal. */
enum { JOURNAL_WAIT_MS = 10000 };

static void log_found(const struct journal_found *found, const char *path)
{
	if (found->damaged[0] != '\0')
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
	if (found->died_at_work)
		log_line(
			LOG_WARN, "journal",
			"path=%s err=\"the last worker died while it processed "
			"a message\" action=\"after two deaths the message "
			"becomes a dead letter or is dropped\"",
			path);
}

struct journal *assemble_journal(struct assembly *a, unsigned slots,
				 bool died_of_other, struct err *e)
{
	struct journal_opts opts = {
		.path = a->journal_path,
		.ring_bytes = a->settings.sizes.journal_bytes,
		.slots = slots,
		.counters_bytes = COUNTERS_BYTES,
		.wait_ms = JOURNAL_WAIT_MS,
		.died_of_other = died_of_other,
	};
	for (size_t i = 0; i < a->input_count; i++) {
		const struct input *in = &a->inputs[i];
		size_t bytes =
			in->message_bytes_max +
			(in->keeps_peer_address ? PEER_ADDRESS_BYTES_MAX : 0);
		if (bytes > opts.slot_bytes)
			opts.slot_bytes = bytes;
	}
	struct journal_input inputs[ENDPOINTS_MAX];
	for (size_t i = 0; i < a->input_count; i++)
		removed_input_describe(a, i, &inputs[i]);
	opts.inputs = inputs;
	opts.input_count = a->input_count;
	struct journal_found found = {0};
	struct journal *j = journal_open(&opts, &found, e);
	if (j == NULL) {
		err_in(e, "storage");
		return NULL;
	}
	a->notes.data = j;
	if (a->journal_path != NULL)
		log_found(&found, a->journal_path);
	if (removed_input_add_all(a, j, e))
		return j;
	journal_close(j);
	return NULL;
}
