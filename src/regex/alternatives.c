/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/alternatives.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { OPEN_GROUPS_MAX = 256 }; /* PCRE2's own limit is 250 */

struct open_group {
	size_t body_at;	  /* the first byte after "(?:" or the like */
	size_t first_bar; /* the first bar in it or in its inner groups */
	bool is_sealed;	  /* must not be halved */
};

struct bar {
	size_t at;	       /* where the | is */
	size_t body_at, close; /* of its group; close: 0 while it is open */
};

struct halver {
	struct span text;
	size_t at;
	size_t depth;
	struct open_group groups[OPEN_GROUPS_MAX]; /* [0]: the whole text */
	struct bar *bars;
	size_t bar_count, bar_room;
	const char *why;
};

static bool fail(struct halver *h, const char *why)
{
	h->why = why;
	return false;
}

static bool has(const struct halver *h, const char *prefix)
{
	size_t len = strlen(prefix);
	return h->text.len - h->at >= len &&
	       memcmp(h->text.ptr + h->at, prefix, len) == 0;
}

static bool has_one_of(const struct halver *h, const char *const prefixes[])
{
	for (size_t i = 0; prefixes[i] != NULL; i++)
		if (has(h, prefixes[i]))
			return true;
	return false;
}

/* Move the cursor after the next `last`. */
static void skip_to(struct halver *h, char last)
{
	while (h->at < h->text.len && h->text.ptr[h->at] != last)
		h->at++;
	h->at++;
}

static bool open_group(struct halver *h)
{
	static const char *const sealed[] = {"(?=",  "(?!",  "(?>",
					     "(?<=", "(?<!", NULL};
	static const char *const referring[] = {"(?(", "(?R", NULL};
	if (has_one_of(h, referring))
		return fail(h, "refers to its groups");
	if (h->depth + 1 == OPEN_GROUPS_MAX)
		return fail(h, "has groups that are nested too deep");
	struct open_group *group = &h->groups[++h->depth];
	group->is_sealed = has_one_of(h, sealed);
	group->first_bar = h->bar_count;
	if (group->is_sealed || !has(h, "(?"))
		h->at++;
	else
		skip_to(h, has(h, "(?<") ? '>' : ':');
	group->body_at = h->at;
	return true;
}

/* The cursor is at the ) of the open group or at the end of the text. */
static void close_group(struct halver *h)
{
	static const char *const repeats[] = {"*", "+", "?", "{", NULL};
	const struct open_group *group = &h->groups[h->depth];
	size_t close = h->at++;
	if (group->is_sealed || (h->at < h->text.len && has_one_of(h, repeats)))
		h->bar_count = group->first_bar;
	for (size_t i = group->first_bar; i < h->bar_count; i++)
		if (h->bars[i].close == 0)
			h->bars[i].close = close;
}

static void note_bar(struct halver *h)
{
	if (h->bar_count == h->bar_room) {
		h->bar_room = h->bar_room > 0 ? h->bar_room * 2 : 64;
		h->bars = mem_grow(h->bars, h->bar_room, sizeof *h->bars);
	}
	h->bars[h->bar_count++] = (struct bar){
		.at = h->at,
		.body_at = h->groups[h->depth].body_at,
	};
	h->at++;
}

/* In a class, ruby_regex writes each character as \x{7c}, so a | or parenthesis
 * is never a member. */
static bool read_next(struct halver *h)
{
	static const char *const referring[] = {"\\g", "\\k", NULL};
	switch (h->text.ptr[h->at]) {
	case '\\':
		if (has_one_of(h, referring))
			return fail(h, "refers to its groups");
		h->at += 2;
		return true;
	case '(':
		return open_group(h);
	case ')':
		CHECK(h->depth > 0);
		close_group(h);
		h->depth--;
		return true;
	case '|':
		note_bar(h);
		return true;
	default:
		h->at++;
		return true;
	}
}

/* How much shorter than the whole text the larger half is. */
static size_t gain(const struct bar *bar)
{
	size_t before = bar->at - bar->body_at, after = bar->close - bar->at;
	return before < after ? before : after;
}

static bool choose_bar(struct halver *h, struct bar *best)
{
	while (h->at < h->text.len)
		if (!read_next(h))
			return false;
	close_group(h);
	if (h->bar_count == 0)
		return fail(h, "has no alternatives outside of repeated "
			       "groups, lookarounds and atomic groups");
	*best = h->bars[0];
	for (size_t i = 1; i < h->bar_count; i++)
		if (gain(&h->bars[i]) > gain(best))
			*best = h->bars[i];
	return true;
}

bool alternatives_halve(struct span text, struct buf halves[static 2],
			const char **why)
{
	struct halver h = {.text = text};
	struct bar bar;
	bool ok = choose_bar(&h, &bar);
	if (ok) {
		buf_put(&halves[0], text.ptr, bar.at);
		buf_put(&halves[0], text.ptr + bar.close, text.len - bar.close);
		buf_put(&halves[1], text.ptr, bar.body_at);
		buf_put(&halves[1], text.ptr + bar.at + 1,
			text.len - bar.at - 1);
	}
	*why = h.why;
	free(h.bars);
	return ok;
}
