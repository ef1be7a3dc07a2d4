/* SPDX-License-Identifier: Apache-2.0 */
#include "file/batch.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "file/output_file.h"

enum {
	KEEP_BYTES = 64 * 1024,
	/* Under load, small and large batches alternate.  Mapping and touching
	 * the memory each time costs a fifth of the time of a line. */
	SMALL_MAX = 64,
};

struct batch_run { /* adjacent lines of one chain */
	uint32_t at;
	uint32_t bytes;
	uint32_t lines;
	uint32_t next; /* as in a chain */
	uint32_t answers;
};

void batch_fini(struct batch *b)
{
	buf_fini(&b->bytes);
	buf_fini(&b->runs);
	buf_fini(&b->lines);
	buf_fini(&b->answers);
}

static struct batch_run *run_at(const struct batch *b, uint32_t place)
{
	return (struct batch_run *)(void *)b->runs.ptr + place - 1;
}

static void append_run(struct batch *b, struct batch_chain *chain,
		       const struct batch_run *run)
{
	buf_put(&b->runs, (const char *)run, sizeof *run);
	uint32_t place = (uint32_t)(b->runs.len / sizeof *run);
	if (chain->first == 0) {
		chain->first = place;
		b->chains++;
	} else {
		run_at(b, chain->last)->next = place;
	}
	chain->last = place;
}

void batch_took(struct batch *b, struct batch_chain *chain, size_t at,
		size_t bytes, bool answers)
{
	CHECK(b->bytes.len <= UINT32_MAX);
	b->used_bytes = b->bytes.len;
	chain->bytes += (uint32_t)bytes;
	if (chain->bytes > b->longest_bytes)
		b->longest_bytes = chain->bytes;
	size_t runs = b->runs.len / sizeof(struct batch_run);
	struct batch_run *last = runs > 0 ? run_at(b, (uint32_t)runs) : NULL;
	if (last != NULL && chain->last == runs && last->answers == answers) {
		last->bytes += (uint32_t)bytes;
		last->lines++;
		return;
	}
	append_run(b, chain,
		   &(struct batch_run){
			   .at = (uint32_t)at,
			   .bytes = (uint32_t)bytes,
			   .lines = 1,
			   .answers = answers,
		   });
}

size_t batch_memory_bytes(const struct batch *b)
{
	return b->used_bytes + (b->chains > 1 ? b->longest_bytes : 0);
}

/* A single chain owns all the bytes: it gets them without a copy. */
void batch_hand_over(struct batch *b, struct batch_chain *chain,
		     struct output_file *o)
{
	if (chain->first == 0)
		return;
	const char *bytes = b->bytes.ptr;
	bool is_only = b->chains == 1 && o->lines.len == 0;
	if (is_only)
		buf_swap(&o->lines, &b->bytes);
	else if (o->lines.cap == 0)
		buf_swap(&o->lines, &b->lines);
	if (o->answers.cap == 0)
		buf_swap(&o->answers, &b->answers);
	for (uint32_t place = chain->first; place != 0;) {
		const struct batch_run *r = run_at(b, place);
		if (!is_only)
			buf_put(&o->lines, bytes + r->at, r->bytes);
		memset(buf_reserve(&o->answers, r->lines), (int)r->answers,
		       r->lines);
		o->answers.len += r->lines;
		place = r->next;
	}
	*chain = (struct batch_chain){0};
}

/* Thousands of files may wait, each with a short line. */
static void take_back(struct buf *from, struct buf *to)
{
	if (from->len > 0 && from->len >= from->cap / 2)
		return;
	struct buf own = {0};
	if (from->len > 0)
		own = (struct buf){.ptr = mem_copy(from->ptr, from->len),
				   .len = from->len,
				   .cap = from->len};
	if (to->cap == 0)
		buf_swap(to, from);
	buf_clear(to);
	buf_fini(from);
	*from = own;
}

void batch_take_back(struct batch *b, struct output_file *o)
{
	take_back(&o->lines, b->bytes.cap == 0 ? &b->bytes : &b->lines);
	take_back(&o->answers, &b->answers);
}

void batch_end(struct batch *b)
{
	bool is_small =
		b->bytes.cap > KEEP_BYTES && b->used_bytes < b->bytes.cap / 4;
	b->small = is_small ? b->small + 1 : 0;
	b->chains = 0;
	b->used_bytes = b->longest_bytes = 0;
	buf_clear(&b->bytes);
	buf_clear(&b->runs);
	if (b->small >= SMALL_MAX)
		batch_fini(b);
}
