/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/say.h"
#include "conf/conf.h"
#include "filter/kinds.h"
#include "record/message.h"
#include "record/record.h"
#include "record/tag_glob.h"

static const struct filter_ops *const kinds[] = {
	&filter_parser,
	&filter_lua,
	&filter_rewrite_tag,
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

struct link {
	struct filter *filter;
	char *name;
	char *match;
	struct span glob; /* match, measured once */
	struct say_rate refused_rate;
};

struct chain {
	struct link *links;
	size_t count;
};

/* A record that is not out yet, and the filter that it goes on at. */
struct waiting {
	struct waiting *next;
	struct record *record;
	size_t at;
};

/* One call of chain_run. */
struct run {
	struct emit emit; /* first: the filters hand it back */
	struct chain *chain;
	chain_out_fn out;
	void *out_data;
	struct waiting *first; /* what goes on next, in this order */
	unsigned restarts;

	/* The filter at work: */
	size_t at;
	struct record *record;	/* what it was given */
	struct waiting **place; /* where in the list its next record goes */
	unsigned next_count;
};

struct chain *chain_new(void)
{
	return mem_new(1, sizeof(struct chain));
}

void chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++) {
		struct link *l = &c->links[i];
		l->filter->ops->close(l->filter);
		free(l->name);
		free(l->match);
	}
	free(c->links);
	free(c);
}

static bool get_kind(struct conf_section *s, const struct filter_ops **kind,
		     struct err *e)
{
	const char *names[KIND_COUNT + 1] = {NULL};
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return false;
	if (name == NULL)
		return conf_err_missing(s, "Name", e,
					"for example `Name parser`");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		names[i] = kinds[i]->name;
		if (strcasecmp(name, names[i]) == 0) {
			*kind = kinds[i];
			return true;
		}
	}
	return conf_err_unknown(s, "Name", "filter", names, e);
}

static bool get_match(struct conf_section *s, const char **match, struct err *e)
{
	if (!conf_get_text(s, "Match", match, e))
		return false;
	if (*match == NULL)
		return conf_err_missing(s, "Match", e,
					"without it no record comes here, "
					"`Match *` takes all");
	return true;
}

/* The Alias, or NAME.N; free it. */
static bool get_name(const struct chain *c, struct conf_section *s,
		     const struct filter_ops *kind, char **name, struct err *e)
{
	char room[64];
	snprintf(room, sizeof room, "%s.%zu", kind->name, c->count);
	const char *wanted = room;
	if (!conf_get_text(s, "Alias", &wanted, e))
		return false;
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->links[i].name, wanted) == 0)
			return conf_err_key(s, "Alias", e,
					    "there is a filter \"%s\" already; "
					    "give one of the two another Alias",
					    wanted);
	*name = mem_text(wanted);
	return true;
}

bool chain_add(struct chain *c, struct conf_section *s,
	       const struct filter_env *env, struct err *e)
{
	const struct filter_ops *kind = NULL;
	const char *match = NULL;
	char *name = NULL;
	if (!get_kind(s, &kind, e) || !get_match(s, &match, e) ||
	    !get_name(c, s, kind, &name, e))
		return false;
	conf_ignore(s, "Log_Level", "the level of [SERVICE] holds for all");
	conf_ignore(s, "log_suppress_interval",
		    "what is said again and again is held back");

	struct filter *f = kind->open(s, env, e);
	if (f == NULL)
		goto fail;
	CHECK(f->ops == kind);
	f->name = name;
	if (!conf_section_end(s, e)) {
		kind->close(f);
		goto fail;
	}
	c->links = mem_grow(c->links, c->count + 1, sizeof *c->links);
	struct link *l = &c->links[c->count++];
	*l = (struct link){.filter = f, .name = name, .match = mem_text(match)};
	l->glob = span_of(l->match);
	return true;
fail:
	free(name);
	return false;
}

bool chain_filter(const struct chain *c, size_t index, const char **name,
		  const struct filter **filter)
{
	if (index >= c->count)
		return false;
	*name = c->links[index].name;
	*filter = c->links[index].filter;
	return true;
}

void chain_restore(struct chain *c, size_t index,
		   const struct filter_stats *stats)
{
	CHECK(index < c->count);
	c->links[index].filter->stats = *stats;
}

/* The record goes on at filter `at`, behind what was put before by the filter
 * at work and before all that waited already. */
static void put(struct run *r, struct record *record, size_t at)
{
	struct waiting *w = arena_take(record->arena, sizeof *w);
	*w = (struct waiting){.next = *r->place, .record = record, .at = at};
	*r->place = w;
	r->place = &w->next;
}

static void on_next(struct emit *emit, struct record *record)
{
	struct run *r = (struct run *)emit;
	/* Else a filter that builds its records anew would hide a loop. */
	record->restarts = r->record->restarts;
	put(r, record, r->at + 1);
	r->next_count++;
}

static bool on_restart(struct emit *emit, struct record *record)
{
	struct run *r = (struct run *)emit;
	struct link *l = &r->chain->links[r->at];
	if (r->record->restarts >= CHAIN_RESTARTS_MAX ||
	    r->restarts >= CHAIN_RUN_RESTARTS_MAX) {
		l->filter->stats.refused_total++;
		say_rated(&l->refused_rate, SAY_WARN, "chain",
			  "filter=%s err=\"a new tag is matched again and "
			  "again\" restarts=%u",
			  l->name, r->record->restarts);
		return false;
	}
	record->restarts = r->record->restarts + 1;
	put(r, record, 0);
	r->restarts++;
	l->filter->stats.restarted_total++;
	return true;
}

static void end(struct record *record, enum drop_reason why)
{
	struct message *m = record->message;
	/* A message of which a part is undecided is a dead letter. */
	if (m != NULL && m->reason != DROP_undecided)
		m->reason = why;
}

/* True when the record goes on at once. */
static bool apply(struct run *r, struct filter *f)
{
	r->place = &r->first;
	r->next_count = 0;
	f->stats.records_total++;
	enum filter_verdict verdict = f->ops->apply(f, r->record, &r->emit);
	f->stats.added_total += r->next_count;
	bool has_emitted = r->place != &r->first;

	if (verdict == FILTER_PASS && !has_emitted)
		return true;
	if (verdict == FILTER_PASS) {
		put(r, r->record, r->at + 1);
	} else if (verdict == FILTER_DONE && has_emitted) {
		if (r->next_count > 0)
			f->stats.added_total--; /* one stands for the given */
	} else if (verdict == FILTER_UNDECIDED) {
		f->stats.undecided_total++;
		end(r->record, DROP_undecided);
	} else {
		f->stats.dropped_total++;
		end(r->record, DROP_filtered);
	}
	return false;
}

/* Until the record is out, gone, or has to wait for what it caused. */
static void go_on(struct run *r, struct record *record, size_t at)
{
	const struct chain *c = r->chain;
	r->record = record;
	for (r->at = at; r->at < c->count; r->at++) {
		const struct link *l = &c->links[r->at];
		if (tag_glob_matches(l->glob, record->tag) &&
		    !apply(r, l->filter))
			return;
	}
	r->out(r->out_data, record);
}

void chain_run(struct chain *c, struct record *record, chain_out_fn out,
	       void *out_data)
{
	struct run r = {
		.emit = {.next = on_next, .restart = on_restart},
		.chain = c,
		.out = out,
		.out_data = out_data,
	};
	go_on(&r, record, 0);
	while (r.first != NULL) {
		struct waiting *w = r.first;
		r.first = w->next;
		go_on(&r, w->record, w->at);
	}
}
