/* SPDX-License-Identifier: Apache-2.0 */
/* The file is read twice.  The summary is printed first but is complete only
 * after all messages are read, and the messages of a full journal may not fit
 * into the memory of the container. */
#include "tool/journal_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/rfc3339.h"
#include "journal/journal.h"
#include "journal/peer_address.h"
#include "record/json.h"

struct show {
	bool verbose;
	uint64_t count;
	struct buf line;
};

static void on_count(void *data, const struct journal_entry *entry,
		     const struct journal_input *input)
{
	struct show *show = data;
	(void)entry, (void)input;
	show->count++;
}

static void on_print(void *data, const struct journal_entry *item,
		     const struct journal_input *input)
{
	struct show *show = data;
	struct journal_entry entry = *item;
	struct span peer_address = peer_address_take(&entry);
	struct buf *b = &show->line;
	buf_clear(b);
	buf_printf(b, "seq=%" PRIu64 " time=", entry.seq);
	rfc3339_put(b, entry.arrival_ns);
	buf_put_text(b, " input=");
	if (input != NULL)
		buf_put_text(b, input->name);
	else
		buf_printf(b, "%u", entry.input);
	buf_printf(b, " bytes=%zu", entry.bytes.len);
	if (!span_is_empty(peer_address)) {
		buf_put_text(b, " from=");
		buf_put_span(b, peer_address);
	}
	if (show->verbose) {
		buf_put_text(b, " text=");
		json_write_string(b, entry.bytes);
	}
	buf_put_char(b, '\n');
	fwrite(b->ptr, 1, b->len, stdout);
}

static void print(const char *key, uint64_t value)
{
	printf("%s: %" PRIu64 "\n", key, value);
}

static void print_summary(const struct journal_summary *s, uint64_t pending)
{
	print("version", s->version);
	printf("in_use: %s\n", s->is_owned ? "yes" : "no");
	print("ring_bytes", s->ring_bytes);
	print("slot_bytes", s->slot_bytes);
	print("head", s->head);
	print("tail", s->tail);
	print("appended_total", s->appended_total);
	print("refused_total", s->refused_total);
	print("notes", s->notes);
	print("replayed", s->replayed);
	print("pending", pending);
}

int journal_show(const struct command_args *args)
{
	const char *path = args->operand;
	struct show show = {.verbose = args->is_verbose};
	struct journal_summary summary = {0};
	struct err e = {0};
	bool ok = journal_inspect(path, &summary, on_count, &show, &e);
	if (summary.version != 0) { /* at least its header is good */
		print_summary(&summary, show.count);
		ok = journal_inspect(path, &summary, on_print, &show, &e);
		buf_fini(&show.line);
	}
	fflush(stdout);
	if (ok)
		return 0;
	fprintf(stderr, "sluiced journal: %s\n", e.text);
	return EXIT_CODE_SYSTEM;
}
