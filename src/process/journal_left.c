/* SPDX-License-Identifier: Apache-2.0 */
#include "process/journal_left.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "journal/journal.h"

static void count(void *data, const struct journal_entry *entry,
		  const struct journal_input *input)
{
	uint64_t *messages = data;
	(void)entry;
	(void)input;
	++*messages;
}

bool journal_left_count(const char *path, uint64_t *messages, struct err *e)
{
	struct journal_summary summary;
	*messages = 0;
	return journal_inspect(path, &summary, count, messages, e);
}

void journal_left_report(const char *before, const char *now)
{
	struct err e;
	uint64_t messages;
	if (before[0] == '\0' || strcmp(before, now) == 0 ||
	    !journal_left_count(before, &messages, &e) || messages == 0)
		return;
	log_line(LOG_ERROR, "supervisor",
		 "path=%s err=\"%" PRIu64 " messages wait in the journal of "
		 "the previous configuration\" "
		 "action=\"run sluiced replay %s -c CONFIG to send them\"",
		 before, messages, before);
}
