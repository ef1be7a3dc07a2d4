/* SPDX-License-Identifier: Apache-2.0 */
/* Edit an undamaged journal and open it.  The input is
 * "FLAGS (PART OFFSET OFFSET BYTE)*".  FLAGS & 1: make the checksums of the
 * header, heads, tails and inputs right again, to reach the code they protect.
 * FLAGS & 2: leave datagrams that were received but not appended.  Either the
 * messages that come out are numbered in order and lie within the ring, or the
 * file is renamed to PATH.damaged.N.  Afterwards the journal must work. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "journal/journal_check.h"
#include "journal/journal_format.h"

enum { SLOTS = 4, SLOT_BYTES = 700, COUNTERS_BYTES = 24 };

static const struct journal_opts *with_path(struct journal_opts *opts,
					    const char *path)
{
	static const struct journal_input inputs[] = {
		{.address = "unix_udp:/a", .name = "a", .tag = "a"},
		{.address = "udp:::1:5140", .name = "b", .tag = "b"},
	};
	*opts = (struct journal_opts){
		.inputs = inputs,
		.input_count = 2,
		.path = path,
		.ring_bytes = 4096,
		.slot_bytes = SLOT_BYTES,
		.slots = SLOTS,
		.counters_bytes = COUNTERS_BYTES,
	};
	return opts;
}

static void receive(struct journal *j, unsigned n)
{
	unsigned count;
	struct mmsghdr *slots = journal_slots(j, 1, &count);
	for (unsigned i = 0; i < n; i++) {
		memset(slots[i].msg_hdr.msg_iov->iov_base, 'a', 100);
		slots[i].msg_hdr.msg_controllen = 0;
		slots[i].msg_len = 100 * i;
	}
}

static void make_good(const char *path, bool in_slots)
{
	static const char counters[COUNTERS_BYTES] = {1, 2, 3};
	struct journal_opts opts;
	struct journal_found found;
	struct journal_entry entry;
	struct err e;
	struct journal *j = journal_open(with_path(&opts, path), &found, &e);
	CHECK(j != NULL);
	for (int i = 0; i < 3; i++) {
		receive(j, SLOTS);
		CHECK(journal_append(j, SLOTS, 1) == SLOTS);
	}
	for (int i = 0; i < 5; i++)
		CHECK(journal_take(j, &entry));
	journal_commit(j, counters, sizeof counters);
	CHECK(journal_take(j, &entry));
	journal_note(j, &(struct append_note){.inode = 1}, 0);
	journal_note(j, &(struct append_note){.inode = 2}, 0);
	if (in_slots)
		receive(j, 3);
	journal_close(j);
}

static void mend(struct journal_view *v)
{
	struct journal_header *h = v->header;
	h->check = journal_header_check(h);
	for (unsigned i = 0; i < 2; i++) {
		struct journal_tail_block *b = journal_tail_at(v, i);
		if (b->counters_bytes <= COUNTERS_BYTES)
			b->check = journal_tail_check(
				b, journal_counters_at(v, i));
		h->heads[i].check = journal_head_check(&h->heads[i]);
	}
	for (size_t i = 0; i < JOURNAL_INPUTS_MAX; i++) {
		struct journal_input_row *row = journal_row_at(v, i);
		if (row->check != 0)
			row->check = journal_input_check(&row->input);
	}
}

static void edit(const char *path, const uint8_t *edits, size_t count,
		 bool is_mended)
{
	struct journal_view v;
	char why[JOURNAL_WHY_BYTES];
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	size_t bytes = (size_t)lseek(fd, 0, SEEK_END);
	char *map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK(journal_view_read(&v, map, bytes, why));
	const size_t parts[] = {
		0,	    v.at.tails, v.at.headers, v.at.controls,
		v.at.notes, v.at.ring,	v.at.inputs,  v.at.buffers,
	};
	for (size_t i = 0; i < count; i++, edits += 4) {
		size_t offset = (size_t)edits[1] << 8 | edits[2];
		size_t at = parts[edits[0] % 8] + offset % 4096;
		if (at < bytes)
			map[at] = (char)edits[3];
	}
	if (is_mended)
		mend(&v);
	munmap(map, bytes);
	close(fd);
}

struct order {
	bool is_first;
	bool may_skip; /* damaged messages */
	uint64_t seq;
	unsigned sum;
};

static void check_entry(void *data, const struct journal_entry *entry,
			const struct journal_input *input)
{
	(void)input;
	struct order *order = data;
	CHECK(order->is_first || entry->seq == order->seq + 1 ||
	      (order->may_skip && entry->seq > order->seq));
	CHECK(entry->bytes.len <= 4096);
	order->is_first = false;
	order->seq = entry->seq;
	for (size_t i = 0; i < entry->bytes.len; i++)
		order->sum += (unsigned char)entry->bytes.ptr[i];
}

static void take_all(struct journal *j)
{
	struct order order = {.is_first = true};
	struct journal_entry entry;
	for (int batch = 0; batch < 2; batch++) {
		while (journal_take(j, &entry))
			check_entry(&order, &entry, NULL);
		journal_note(j, &(struct append_note){.inode = 3}, 0);
		journal_commit(j, NULL, 0);
	}
	CHECK(journal_pending_bytes(j) == 0);
}

static void use(const char *path)
{
	struct order order = {.is_first = true, .may_skip = true};
	struct journal_summary summary;
	struct journal_found found;
	struct journal_opts opts;
	struct err e = {0};
	bool is_good = journal_inspect(path, &summary, check_entry, &order, &e);
	CHECK(is_good || e.text[0] != '\0');
	struct journal *j = journal_open(with_path(&opts, path), &found, &e);
	CHECK(j != NULL);
	CHECK(is_good == (found.damaged[0] == '\0'));
	const struct journal_input *input;
	for (size_t i = 0; journal_removed_input(j, i, &input); i++)
		CHECK(input == NULL ||
		      strlen(input->name) < sizeof input->name);
	const struct append_note *note = NULL;
	while ((note = journal_noted(j, note)) != NULL)
		;
	take_all(j);
	receive(j, 2);
	CHECK(journal_append(j, 2, 1) == 2);
	take_all(j);
	journal_close(j);
	if (found.damaged[0] != '\0')
		unlink(found.damaged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char in_memory[] = "/dev/shm/sluiced-fuzz-XXXXXX";
	char on_disk[] = "/tmp/sluiced-fuzz-XXXXXX";
	if (size == 0)
		return 0;
	const char *dir = mkdtemp(in_memory);
	if (dir == NULL)
		dir = mkdtemp(on_disk);
	CHECK(dir != NULL);
	char path[sizeof in_memory + sizeof "/journal"];
	snprintf(path, sizeof path, "%s/journal", dir);
	make_good(path, (data[0] & 2) != 0);
	edit(path, data + 1, (size - 1) / 4, (data[0] & 1) != 0);
	use(path);
	unlink(path);
	rmdir(dir);
	return 0;
}
