/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/ruby_runs.h"

#include <limits.h>

static const struct ruby_place nowhere = {.opens = UINT_MAX};

/* The place is reached in both ways. */
static void join(struct ruby_place *place, const struct ruby_place *other)
{
	place->follows_run |= other->follows_run;
	place->is_suspect |= other->is_suspect;
	place->splits |= other->splits;
	if (other->opens < place->opens)
		place->opens = other->opens;
}

/* Two runs follow each other here. */
static void note_suspect(struct ruby_runs *r)
{
	for (unsigned i = 0; i <= r->depth; i++)
		r->groups[i].has_suspect = true;
	r->now.is_suspect = true;
}

void ruby_runs_init(struct ruby_runs *r)
{
	*r = (struct ruby_runs){0};
	r->groups[0].exit = nowhere;
}

void ruby_runs_item(struct ruby_runs *r)
{
	r->before = r->now;
	r->begins_with_run = false;
	r->has_suspect = false;
	r->has_begin = false;
	r->is_run = false;
	r->now = nowhere;
	r->now.is_suspect = r->before.is_suspect;
	r->now.splits = r->before.splits || r->before.is_suspect;
}

void ruby_runs_run(struct ruby_runs *r)
{
	for (unsigned i = r->before.opens; i <= r->depth; i++)
		r->groups[i].begins_with_run = true;
	r->has_run = true;
	r->begins_with_run = true;
	r->is_run = true;
	r->now.follows_run = true;
	if (!r->before.follows_run)
		return;
	note_suspect(r);
	r->now.splits = true;
}

void ruby_runs_repeat(struct ruby_runs *r, char quantifier, bool is_optional)
{
	/* A loop * or + whose next round fails ends without backtracking. */
	if (quantifier != '?' && !r->is_run && r->begins_with_run &&
	    r->now.follows_run) {
		note_suspect(r);
		r->has_suspect = true;
	}
	/* An optional item that fails is left out without backtracking, except
	 * to runs within it. */
	if (quantifier == '{' && r->has_suspect)
		r->now.splits = true;
	else if (is_optional && !r->has_suspect)
		r->now.splits = r->before.splits;
	if (is_optional)
		join(&r->now, &r->before);
	r->is_run = false;
}

void ruby_runs_note_begin(struct ruby_runs *r)
{
	for (unsigned i = 0; i <= r->depth; i++)
		r->groups[i].has_begin = true;
	r->has_begin = true;
}

void ruby_runs_make_atomic(struct ruby_runs *r)
{
	if (r->has_begin)
		ruby_runs_note_reference(r);
}

void ruby_runs_open(struct ruby_runs *r, char kind)
{
	if (kind == '!' || kind == '<')
		ruby_runs_note_reference(r);
	struct ruby_run_group *group = &r->groups[++r->depth];
	if (r->now.opens > r->depth)
		r->now.opens = r->depth;
	*group = (struct ruby_run_group){
		.entry = r->now,
		.branch = r->now,
		.exit = nowhere,
		.is_lookaround = kind == '=' || kind == '!' || kind == '<',
		.is_atomic = kind == '>',
	};
}

void ruby_runs_open_options(struct ruby_runs *r)
{
	r->groups[r->depth].branch = r->now;
}

void ruby_runs_next_branch(struct ruby_runs *r)
{
	struct ruby_run_group *group = &r->groups[r->depth];
	join(&group->exit, &r->now);
	r->now = group->branch;
}

void ruby_runs_close(struct ruby_runs *r)
{
	struct ruby_run_group *group = &r->groups[r->depth];
	join(&group->exit, &r->now);
	r->depth--;
	r->now = group->is_lookaround ? group->entry : group->exit;
	r->now.splits = group->exit.splits;
	r->before = group->entry;
	r->begins_with_run = group->begins_with_run;
	r->has_suspect = group->has_suspect;
	r->has_begin = group->has_begin;
	r->is_run = false;
	if (group->is_atomic)
		ruby_runs_make_atomic(r);
}

void ruby_runs_note_reference(struct ruby_runs *r)
{
	r->has_reference = true;
}

bool ruby_runs_split(const struct ruby_runs *r)
{
	struct ruby_place end = r->now;
	join(&end, &r->groups[0].exit);
	bool may_be_empty = end.opens == 0;
	return end.splits || (r->has_reference && (r->has_run || may_be_empty));
}
