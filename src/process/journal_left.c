/* SPDX-License-Identifier: Apache-2.0 */
#include "process/journal_left.h"

#include <inttypes.h>

#include "base/log.h"
#include "journal/journal.h"
#include "journal/journal_file.h"

struct messages {
	uint64_t count;
	uint64_t first_seq;
	int64_t first_ns; /* when it arrived */
};

static void count(void *data, const struct journal_entry *entry,
		  const struct journal_input *input)
{
	struct messages *m = data;
	(void)input;
	if (m->count++ > 0)
		return;
	m->first_seq = entry->seq;
	m->first_ns = entry->arrival_ns;
}

/* The messages that can be read are counted in any case. */
static bool read_messages(const char *path, struct messages *m, struct err *e)
{
	struct journal_summary summary;
	*m = (struct messages){0};
	return journal_inspect(path, &summary, count, m, e);
}

bool journal_left_count(const char *path, uint64_t *messages, struct err *e)
{
	struct messages m;
	bool is_good = read_messages(path, &m, e);
	*messages = m.count;
	return is_good;
}

bool journal_left_has_equal(const char *a, const char *b)
{
	struct messages of_a, of_b;
	struct err unused;
	return read_messages(a, &of_a, &unused) &&
	       read_messages(b, &of_b, &unused) && of_a.count == of_b.count &&
	       of_a.first_seq == of_b.first_seq &&
	       of_a.first_ns == of_b.first_ns;
}

bool journal_left_report(const char *before, const char *now)
{
	struct err e;
	uint64_t messages;
	if (before[0] == '\0' || journal_file_is_same(before, now) ||
	    !journal_left_count(before, &messages, &e) || messages == 0)
		return false;
	log_line(LOG_ERROR, "supervisor",
		 "path=%s err=\"%" PRIu64 " messages wait in the journal of "
		 "the previous configuration\" "
		 "action=\"reload or start sluiced with storage.path=%s, which "
		 "writes each line once, or run sluiced replay %s -c CONFIG to "
		 "send them\"",
		 before, messages, before, before);
	return true;
}
