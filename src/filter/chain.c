/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path of a record:
 * 1. chain_run gives it to the first filter whose Match matches its tag.
 * 2. The filter answers FILTER_PASS, and the record moves to the next filter.
 * 3. After the last filter, out() gets the record.
 *
 * If a filter emits other records, they enter the list of waiting records,
 * followed by the record itself if it passes.  chain_run continues with the
 * first record of the list.
 * If a filter drops the record or leaves it undecided, the message notes the
 * reason and the record ends.
 * If a filter restarts a record too often, or if the records of the message
 * take too much memory, the chain refuses: the filter gets false and passes on
 * the record that it has. */
#include "filter/chain.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/instance_name.h"
#include "conf/unsupported.h"
#include "filter/kinds.h"
#include "record/message.h"
#include "record/record.h"
#include "record/tag_match.h"

struct chained_filter {
	struct filter *filter;
	char *name;
	struct tag_match match;
	struct log_rate refused_rate;
};

struct chain {
	struct chained_filter *filters;
	size_t count;
	_Atomic(const char *) working; /* the name of the filter at work */
	size_t number; /* of sections so far, including filters left out */
	struct log_rate copies_rate, records_rate;
};

/* An unfinished record, and the filter at which it continues. */
struct waiting_record {
	struct waiting_record *next;
	struct record *record;
	size_t at;
};

/* One call of chain_run. */
struct chain_run {
	struct emit emit; /* first, because the functions of it cast it */
	struct chain *chain;
	chain_out_fn out;
	void *out_data;
	struct waiting_record *first; /* the list, the next record first */
	size_t waited;		      /* how many records were put there */
	unsigned restarts;
	unsigned restarts_max;
	const struct arena *arena;
	size_t arena_bytes_before; /* what decoding the message took */
	bool is_too_large;	   /* no further restart */

	/* While a filter works: */
	size_t at;		       /* its index */
	struct record *record;	       /* the record it was given */
	struct waiting_record **place; /* where its next record enters */
	unsigned next_count;	       /* its calls of next() */
};

static void chained_filter_fini(struct chained_filter *l)
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
		chained_filter_fini(&c->filters[i]);
	free(c->filters);
	free(c);
}

static bool get_kind(struct conf_section *s, const struct filter_ops **kind,
		     struct err *e)
{
	const char *names[FILTER_KIND_COUNT + 1] = {NULL};
	const char *name = NULL;
	if (!conf_get_text(s, "Name", &name, e))
		return false;
	if (name == NULL)
		return conf_err_missing(s, "Name", e,
					"for example `Name parser`");
	*kind = filter_kind_named(name);
	if (*kind != NULL)
		return true;
	for (size_t i = 0; i < FILTER_KIND_COUNT; i++)
		names[i] = filter_kinds[i]->name;
	return unsupported_plugin(s, "filter", names, e);
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

/* Only "false" and "0" switch a filter off, as in Fluent Bit 5.  Any other
 * text leaves it on.  If the text is not one that means on, sluiced warns. */
static bool get_active(struct conf_section *s, bool *is_active, struct err *e)
{
	const char *text = "true";
	if (!conf_get_text(s, "Active", &text, e))
		return false;
	static const char *const on[] = {"true", "on", "yes", "1"};
	*is_active = strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0;
	for (size_t i = 0; i < sizeof on / sizeof *on; i++)
		if (strcasecmp(text, on[i]) == 0)
			return true;
	if (*is_active)
		conf_warn(s, "Active", "to switch it off, set `Active false`",
			  "as in Fluent Bit, `Active %.100s` leaves the filter "
			  "on",
			  text);
	return true;
}

static bool is_taken(const void *data, const char *name)
{
	const struct chain *c = data;
	size_t i = 0;
	while (i < c->count && strcmp(c->filters[i].name, name) != 0)
		i++;
	return i < c->count;
}

static char *get_name(const struct chain *c, struct conf_section *s,
		      const struct filter_ops *kind, struct err *e)
{
	const struct instance_name_opts opts = {.kind = "filter",
						.plugin = kind->name,
						.number = c->number,
						.is_taken = is_taken,
						.data = c};
	return instance_name(s, &opts, e);
}

static bool check_emitter(const struct chain *c, struct conf_section *s,
			  const struct filter *f, struct err *e)
{
	for (size_t i = 0; f->emitter != NULL && i < c->count; i++) {
		const char *other = c->filters[i].filter->emitter;
		if (other != NULL && strcmp(other, f->emitter) == 0)
			return conf_err_key(s, "Emitter_Name", e,
					    "another filter already has an "
					    "emitter \"%s\"; give one of the "
					    "two another Emitter_Name",
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
	struct chained_filter added = {0};
	bool is_active = true;
	conf_declare(s, filter_common_keys);
	if (!get_kind(s, &kind, e))
		goto fail;
	conf_declare(s, kind->keys);
	if (!get_active(s, &is_active, e) || !get_match(s, &added.match, e))
		goto fail;
	added.name = get_name(c, s, kind, e);
	if (added.name == NULL)
		goto fail;

	added.filter = open_one(c, s, kind, env, e);
	if (added.filter == NULL)
		goto fail;
	c->number++;
	if (is_active && !tag_match_is_set(&added.match)) {
		is_active = false;
		conf_warn(s, NULL,
			  "leaving it out; set `Match *` to match every tag",
			  "Match is missing, so this filter would never "
			  "receive a record");
	}
	if (!is_active) {
		chained_filter_fini(&added);
		return true;
	}
	added.filter->name = added.name;
	c->filters = mem_grow(c->filters, c->count + 1, sizeof *c->filters);
	c->filters[c->count++] = added;
	return true;
fail:
	chained_filter_fini(&added);
	return false;
}

const char *chain_working(const struct chain *c)
{
	return atomic_load_explicit(&c->working, memory_order_relaxed);
}

bool chain_filter(const struct chain *c, size_t index, const char **name,
		  const struct filter **filter)
{
	if (index >= c->count)
		return false;
	*name = c->filters[index].name;
	*filter = c->filters[index].filter;
	return true;
}

void chain_restore(struct chain *c, size_t index,
		   const struct filter_stats *stats)
{
	CHECK(index < c->count);
	c->filters[index].filter->stats = *stats;
}

/* Let the record wait for its turn at filter `at`: after the records that the
 * working filter has emitted before, and before all older waiting records. */
static void put(struct chain_run *r, struct record *record, size_t at)
{
	struct waiting_record *w = arena_take(record->arena, sizeof *w);
	*w = (struct waiting_record){
		.next = *r->place, .record = record, .at = at};
	*r->place = w;
	r->place = &w->next;
	r->waited++;
}

static void on_next(struct emit *emit, struct record *record)
{
	struct chain_run *r = (struct chain_run *)emit;
	/* Otherwise a filter that builds new records would hide a loop. */
	record->restarts = r->record->restarts;
	record->restarted_by = r->record->restarted_by;
	record->is_over_limit = r->record->is_over_limit;
	if (record->restarts <= 1)
		r->restarts_max += CHAIN_RESTARTS_MAX;
	put(r, record, r->at + 1);
	r->next_count++;
}

static void end(struct record *record, enum drop_reason why)
{
	if (record->message != NULL)
		message_lose(record->message, why);
}

/* What the filters have taken for this message, once records have waited.
 * Before that, they have made no copies. */
static inline size_t used_bytes(const struct chain_run *r)
{
	return r->waited > 0
		       ? arena_used_bytes(r->arena) - r->arena_bytes_before
		       : 0;
}

/* The answer is only about memory, since that is what the caller saves. */
static size_t on_tag_bytes_max(struct emit *emit)
{
	const struct chain_run *r = (struct chain_run *)emit;
	size_t used = used_bytes(r);
	return used < CHAIN_RESTARTS_BYTES_MAX && !r->is_too_large
		       ? CHAIN_RESTARTS_BYTES_MAX - used
		       : 1;
}

enum refusal { REFUSAL_NONE, REFUSAL_OWN, REFUSAL_LOOP, REFUSAL_TOO_LARGE };

static enum refusal refusal_of(const struct chain_run *r, struct span tag)
{
	const struct record *record = r->record;
	if (record->restarts >= CHAIN_RESTARTS_MAX ||
	    r->restarts >= r->restarts_max)
		return REFUSAL_LOOP;
	if (record->restarted_by == r->at + 1)
		return REFUSAL_OWN;
	if (r->is_too_large ||
	    used_bytes(r) + tag.len > CHAIN_RESTARTS_BYTES_MAX)
		return REFUSAL_TOO_LARGE;
	return REFUSAL_NONE;
}

static void refuse_as_too_large(struct chain_run *r, struct chained_filter *l)
{
	if (!r->is_too_large)
		log_rated(&r->chain->copies_rate, LOG_WARN, "chain",
			  "filter=%s err=\"the copies of this message exceed "
			  "%d MiB\" reason=too_large action=\"its records keep "
			  "their tags; keeping it in Dead_Letter, if that is "
			  "set\"",
			  l->name, CHAIN_RESTARTS_BYTES_MAX / (1024 * 1024));
	r->is_too_large = true;
	end(r->record, DROP_too_large);
}

static void refuse(struct chain_run *r, enum refusal why)
{
	struct chained_filter *l = &r->chain->filters[r->at];
	l->filter->stats.refused_total++;
	if (why == REFUSAL_TOO_LARGE) {
		refuse_as_too_large(r, l);
		return;
	}
	r->record->is_over_limit |= why == REFUSAL_LOOP;
	log_rated(&l->refused_rate, LOG_WARN, "chain",
		  "filter=%s err=\"rewrite loop\" restarts=%u "
		  "action=\"the record keeps its tag\"",
		  l->name, r->record->restarts);
}

static bool on_restart(struct emit *emit, struct span tag, bool is_copy)
{
	struct chain_run *r = (struct chain_run *)emit;
	enum refusal why = refusal_of(r, tag);
	if (why != REFUSAL_NONE) {
		refuse(r, why);
		return false;
	}
	struct record *record = is_copy ? record_copy(r->record) : r->record;
	record->tag = arena_copy(record->arena, tag);
	record->restarts++;
	record->restarted_by = (unsigned)r->at + 1;
	put(r, record, 0);
	r->restarts++;
	r->chain->filters[r->at].filter->stats.restarted_total++;
	return true;
}

/* True if the record continues with the next filter at once. */
static bool apply(struct chain_run *r, struct filter *f)
{
	r->place = &r->first;
	r->next_count = 0;
	f->stats.records_total++;
	atomic_store_explicit(&r->chain->working, f->name,
			      memory_order_relaxed);
	enum filter_verdict verdict = f->ops->apply(f, r->record, &r->emit);
	atomic_store_explicit(&r->chain->working, NULL, memory_order_relaxed);
	f->stats.added_total += r->next_count;
	bool has_emitted = r->place != &r->first;

	if (verdict == FILTER_PASS && !has_emitted)
		return true;
	if (verdict == FILTER_PASS) {
		put(r, r->record, r->at + 1);
	} else if (verdict == FILTER_DONE && has_emitted) {
		if (r->next_count > 0)
			f->stats.added_total--; /* one replaces the given one */
	} else if (verdict == FILTER_UNDECIDED) {
		f->stats.undecided_total++;
		end(r->record, DROP_undecided);
	} else {
		f->stats.dropped_total++;
		end(r->record, DROP_filtered);
	}
	return false;
}

/* Process a record until it leaves the chain, ends, or has to wait for the
 * records that it caused. */
static void proceed(struct chain_run *r, struct record *record, size_t at)
{
	const struct chain *c = r->chain;
	r->record = record;
	for (r->at = at; r->at < c->count; r->at++) {
		const struct chained_filter *l = &c->filters[r->at];
		if (tag_match_takes(&l->match, record->tag,
				    message_search_cost(record->message)) &&
		    !apply(r, l->filter))
			return;
	}
	r->out(r->out_data, record);
}

static void lose_as_too_large(struct chain_run *r, struct record *record)
{
	log_rated(&r->chain->records_rate, LOG_WARN, "chain",
		  "err=\"the records of this message exceed %d MiB\" "
		  "reason=too_large action=\"dropping its further records; "
		  "keeping it in Dead_Letter, if that is set\"",
		  CHAIN_BYTES_MAX / (1024 * 1024));
	end(record, DROP_too_large);
}

void chain_run(struct chain *c, struct record *record, chain_out_fn out,
	       void *out_data)
{
	struct chain_run r = {
		.emit = {.next = on_next,
			 .restart = on_restart,
			 .tag_bytes_max = on_tag_bytes_max},
		.chain = c,
		.out = out,
		.out_data = out_data,
		.restarts_max = CHAIN_RUN_RESTARTS_MAX,
		.arena = record->arena,
		.arena_bytes_before = arena_used_bytes(record->arena),
	};
	proceed(&r, record, 0);
	while (r.first != NULL) {
		struct waiting_record *w = r.first;
		r.first = w->next;
		if (r.waited == 1 || used_bytes(&r) < CHAIN_BYTES_MAX)
			proceed(&r, w->record, w->at);
		else
			lose_as_too_large(&r, w->record);
	}
}
