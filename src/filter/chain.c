/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/kinds.h"
#include "record/message.h"
#include "record/record.h"
#include "record/tag_match.h"

static const struct filter_ops *const kinds[] = {
	&filter_parser, &filter_lua,	&filter_rewrite_tag,
	&filter_grep,	&filter_modify, &filter_record_modifier,
	&filter_nest,
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

struct link {
	struct filter *filter;
	char *name;
	struct tag_match match;
	struct log_rate refused_rate;
};

struct chain {
	struct link *links;
	size_t count;
	size_t number; /* of the next filter; more than count, see chain_add */
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

static void link_fini(struct link *l)
{
	if (l->filter != NULL)
		l->filter->ops->close(l->filter);
	free(l->name);
	tag_match_fini(&l->match);
}

struct chain *chain_new(void)
{
	return mem_new(1, sizeof(struct chain));
}

void chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		link_fini(&c->links[i]);
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
	return conf_err_plugin(s, "filter", names, e);
}

static bool get_match(struct conf_section *s, struct tag_match *match,
		      struct err *e)
{
	const char *glob = NULL, *regex = NULL;
	if (!conf_get_text(s, "Match", &glob, e) ||
	    !conf_get_text(s, "Match_Regex", &regex, e))
		return false;
	return tag_match_init(match, glob, regex, e) ||
	       conf_err_in(s, "Match_Regex", e);
}

/* Fluent Bit 5: the words that switch a filter off. */
static bool get_active(struct conf_section *s, bool *is_active, struct err *e)
{
	const char *text = "true";
	if (!conf_get_text(s, "Active", &text, e))
		return false;
	*is_active = strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0;
	return true;
}

static bool is_taken(const struct chain *c, const char *name)
{
	size_t i = 0;
	while (i < c->count && strcmp(c->links[i].name, name) != 0)
		i++;
	return i < c->count;
}

/* The Alias, or NAME.N; free it. */
static bool get_name(const struct chain *c, struct conf_section *s,
		     const struct filter_ops *kind, char **name, struct err *e)
{
	char room[64];
	snprintf(room, sizeof room, "%s.%zu", kind->name, c->number);
	const char *wanted = room;
	if (!conf_get_text(s, "Alias", &wanted, e))
		return false;
	if (wanted != room && is_taken(c, wanted)) {
		conf_warn(s, "Alias",
			  "there is a filter \"%s\" already: this one is "
			  "called %s",
			  wanted, room);
		wanted = room;
	}
	if (is_taken(c, wanted))
		return conf_err_key(s, "Alias", e,
				    "there is a filter \"%s\" already; give "
				    "one of the two another Alias",
				    wanted);
	*name = mem_text(wanted);
	return true;
}

static bool check_emitter(const struct chain *c, struct conf_section *s,
			  const struct filter *f, struct err *e)
{
	for (size_t i = 0; f->emitter != NULL && i < c->count; i++) {
		const char *other = c->links[i].filter->emitter;
		if (other != NULL && strcmp(other, f->emitter) == 0)
			return conf_err_key(s, "Emitter_Name", e,
					    "there is an emitter \"%s\" "
					    "already; give one of the two "
					    "another name",
					    other);
	}
	return true;
}

static struct filter *open_one(const struct chain *c, struct conf_section *s,
			       const struct filter_ops *kind,
			       const struct filter_env *env, struct err *e)
{
	struct filter *f = kind->open(s, env, e);
	if (f == NULL)
		return NULL;
	CHECK(f->ops == kind);
	if (check_emitter(c, s, f, e) && conf_section_end(s, e))
		return f;
	kind->close(f);
	return NULL;
}

bool chain_add(struct chain *c, struct conf_section *s,
	       const struct filter_env *env, struct err *e)
{
	const struct filter_ops *kind = NULL;
	struct link link = {0};
	bool is_active = true;
	if (!get_kind(s, &kind, e) || !get_active(s, &is_active, e) ||
	    !get_match(s, &link.match, e) ||
	    !get_name(c, s, kind, &link.name, e))
		goto fail;
	conf_ignore(s, "Log_Level", "the level of [SERVICE] holds for all");
	conf_ignore(s, "log_suppress_interval",
		    "what is said again and again is held back");

	link.filter = open_one(c, s, kind, env, e);
	if (link.filter == NULL)
		goto fail;
	c->number++;
	if (is_active && !tag_match_is_there(&link.match)) {
		is_active = false;
		conf_warn(s, NULL,
			  "Match is missing: no record comes to the filter, it "
			  "is left out; `Match *` takes all");
	}
	if (!is_active) {
		link_fini(&link);
		return true;
	}
	link.filter->name = link.name;
	c->links = mem_grow(c->links, c->count + 1, sizeof *c->links);
	c->links[c->count++] = link;
	return true;
fail:
	link_fini(&link);
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
	record->restarted_by = r->record->restarted_by;
	put(r, record, r->at + 1);
	r->next_count++;
}

static bool on_restart(struct emit *emit, struct record *record)
{
	struct run *r = (struct run *)emit;
	struct link *l = &r->chain->links[r->at];
	unsigned by = (unsigned)r->at + 1;
	if (r->record->restarted_by == by ||
	    r->record->restarts >= CHAIN_RESTARTS_MAX ||
	    r->restarts >= CHAIN_RUN_RESTARTS_MAX) {
		l->filter->stats.refused_total++;
		log_rated(&l->refused_rate, LOG_WARN, "chain",
			  "filter=%s err=\"a new tag is matched again and "
			  "again\" restarts=%u",
			  l->name, r->record->restarts);
		return false;
	}
	record->restarts = r->record->restarts + 1;
	record->restarted_by = by;
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
		if (tag_match_takes(&l->match, record->tag) &&
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
