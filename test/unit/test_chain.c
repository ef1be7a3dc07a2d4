/* SPDX-License-Identifier: Apache-2.0 */
/* The chain with filters that exist only here: each does what its key "Do"
 * says, so that these tests cover only the order of the filters, the counting
 * and the limits. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "filter/kinds.h"
#include "record/message.h"
#include "record/record.h"

/* A message that remembers what happened to it:
 *     A(r@a)  filter A was given record r with tag a
 *     r@a     the record came out of the chain */
struct traced {
	struct message message;
	struct buf trace;
	size_t out_count;
};

static struct buf *trace_of(const struct record *r)
{
	return &((struct traced *)r->message)->trace;
}

static struct record *make(struct arena *a, struct message *m, const char *id,
			   const char *tag)
{
	struct record *r = record_new(a, m, span_of(tag), 1);
	record_add(r, SPAN("id"), value_string(span_of(id)));
	return r;
}

static void put_record(struct buf *b, const struct record *r)
{
	buf_put_span(b, record_last(r, SPAN("id"))->string);
	buf_put_char(b, '@');
	buf_put_span(b, r->tag);
}

/* --- the filters */

enum deed { PASS, DROP, DONE, SPLIT, ADD, COPY, MOVE, RENEW, UNDECIDED, HOARD };

enum { HOARD_BYTES = 1024 * 1024 };

struct fake {
	struct filter filter;
	size_t deed;
	const char *to;
};

static struct record *child(const struct record *r, const char *suffix)
{
	struct buf id = {0};
	buf_put_span(&id, record_last(r, SPAN("id"))->string);
	buf_put_text(&id, suffix);
	struct record *made = record_new(r->arena, r->message, r->tag, 1);
	record_add(made, SPAN("id"),
		   value_string(arena_copy(r->arena, buf_span(&id))));
	buf_fini(&id);
	return made;
}

static enum filter_verdict fake_apply(struct filter *filter, struct record *r,
				      struct emit *emit)
{
	struct fake *f = (struct fake *)filter;
	struct buf *trace = trace_of(r);
	buf_printf(trace, "%s(", filter->name);
	put_record(trace, r);
	buf_put_text(trace, ") ");

	switch ((enum deed)f->deed) {
	case PASS:
		break;
	case DROP:
		return FILTER_DROP;
	case DONE:
		return FILTER_DONE;
	case UNDECIDED:
		return FILTER_UNDECIDED;
	case SPLIT:
		emit->next(emit, child(r, "1"));
		emit->next(emit, child(r, "2"));
		return FILTER_DONE;
	case HOARD:
		arena_take(r->arena, HOARD_BYTES);
		break;
	case ADD:
		emit->next(emit, child(r, "+"));
		break;
	case RENEW:
		emit->next(emit, child(r, ""));
		return FILTER_DONE;
	case COPY:
	case MOVE:
		if (emit->restart(emit, span_of(f->to), f->deed == COPY) &&
		    f->deed == MOVE)
			return FILTER_DONE;
		break;
	}
	return FILTER_PASS;
}

static void fake_close(struct filter *filter)
{
	free(filter);
}

static struct filter *open_as(const struct filter_ops *ops,
			      struct conf_section *s, struct err *e)
{
	static const char *const deeds[] = {
		"pass", "drop",	 "done",      "split", "add", "copy",
		"move", "renew", "undecided", "hoard", NULL};
	struct fake *f = mem_new(1, sizeof *f);
	f->filter.ops = ops;
	if (conf_get_choice(s, "Do", deeds, &f->deed, e) &&
	    conf_get_text(s, "To", &f->to, e))
		return &f->filter;
	free(f);
	return NULL;
}

static const struct conf_key_spec keys[] = {
	{"Do", CONF_CHOICE, .help = "What the filter does."},
	{"To", CONF_TEXT, .help = "The new tag."},
	{.name = NULL},
};

#define FAKE_KIND(kind)                                                 \
	static struct filter *open_##kind(struct conf_section *s,       \
					  const struct filter_env *env, \
					  struct err *e)                \
	{                                                               \
		(void)env;                                              \
		return open_as(&filter_##kind, s, e);                   \
	}                                                               \
	const struct filter_ops filter_##kind = {                       \
		.name = #kind,                                          \
		.keys = keys,                                           \
		.open = open_##kind,                                    \
		.apply = fake_apply,                                    \
		.close = fake_close,                                    \
	};

FAKE_KIND(parser)
FAKE_KIND(lua)
FAKE_KIND(rewrite_tag)

/* --- a chain at work */

struct fixture {
	struct conf *conf;
	struct chain *chain;
	struct arena *arena;
	struct traced traced;
};

static bool add_all(struct fixture *f, const char *text, struct err *e)
{
	static const struct filter_env env = {.conf_dir = "."};
	f->conf = conf_read_text("t.conf", text, strlen(text), e);
	if (f->conf == NULL)
		fail_msg("%s", e->text);
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(f->conf, i)) != NULL; i++)
		if (!chain_add(f->chain, s, &env, e))
			return false;
	return true;
}

static void init(struct fixture *f)
{
	*f = (struct fixture){.chain = chain_new(), .arena = arena_new(4096)};
	f->traced.message.reason = DROP_none;
}

static void fini(struct fixture *f)
{
	chain_free(f->chain);
	conf_free(f->conf);
	arena_free(f->arena);
	buf_fini(&f->traced.trace);
}

static void open_chain(struct fixture *f, const char *text)
{
	struct err e = {0};
	init(f);
	if (!add_all(f, text, &e))
		fail_msg("%s", e.text);
}

static void on_out(void *data, struct record *r)
{
	struct traced *t = data;
	put_record(&t->trace, r);
	buf_put_char(&t->trace, ' ');
	t->out_count++;
}

static const char *run(struct fixture *f)
{
	chain_run(f->chain, make(f->arena, &f->traced.message, "r", "a"),
		  on_out, &f->traced);
	return buf_text(&f->traced.trace);
}

static const struct filter_stats *stats(const struct fixture *f, size_t index)
{
	const char *name;
	const struct filter *filter;
	assert_true(chain_filter(f->chain, index, &name, &filter));
	return &filter->stats;
}

#define A "[FILTER]\n Name parser\n Alias A\n "
#define B "[FILTER]\n Name lua\n Alias B\n "
#define C "[FILTER]\n Name rewrite_tag\n Alias C\n "

static void every_record_takes_the_path_its_filters_choose(void **state)
{
	(void)state;
	static const struct {
		const char *what, *conf, *trace;
	} cases[] = {
		{"no filter", "", "r@a "},
		{"filters run in order", A "Match a\n" B "Match *\n",
		 "A(r@a) B(r@a) r@a "},
		{"a filter that does not match is skipped",
		 A "Match b\n" B "Match a\n", "B(r@a) r@a "},
		{"dropped", A "Match a\n Do drop\n" B "Match a\n", "A(r@a) "},
		{"undecided", A "Match a\n Do undecided\n" B "Match a\n",
		 "A(r@a) "},
		{"the filter took the record",
		 A "Match a\n Do done\n" B "Match a\n", "A(r@a) "},
		{"the parts of a split continue in order",
		 A "Match a\n Do split\n" B "Match a\n",
		 "A(r@a) B(r1@a) r1@a B(r2@a) r2@a "},
		{"an added record comes first",
		 A "Match a\n Do add\n" B "Match a\n",
		 "A(r@a) B(r+@a) r+@a B(r@a) r@a "},
		{"split twice",
		 A "Match a\n Do split\n" B "Match a\n Do split\n",
		 "A(r@a) B(r1@a) r11@a r12@a B(r2@a) r21@a r22@a "},
		{"a copy restarts the chain and comes out first",
		 A "Match b\n" B "Match a\n Do copy\n To b\n" C "Match *\n",
		 "B(r@a) A(r@b) C(r@b) r@b C(r@a) r@a "},
		{"moved",
		 A "Match b\n" B "Match a\n Do move\n To b\n" C "Match *\n",
		 "B(r@a) A(r@b) C(r@b) r@b "},
		{"a restart within a restart",
		 A "Match b\n Do copy\n To c\n" B "Match a\n Do copy\n To b\n",
		 "B(r@a) A(r@b) r@c r@b r@a "},
		{"each part of a split restarts the chain",
		 A "Match b\n" B "Match a\n Do split\n" C
		   "Match a\n Do move\n To b\n",
		 "B(r@a) C(r1@a) A(r1@b) r1@b C(r2@a) A(r2@b) r2@b "},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		open_chain(&f, cases[i].conf);
		const char *trace = run(&f);
		if (strcmp(trace, cases[i].trace) != 0)
			fail_msg("%s: %s", cases[i].what, trace);
		fini(&f);
	}
}

static void a_dropped_record_carries_its_reason(void **state)
{
	(void)state;
	static const char *const deeds[] = {A "Match *\n Do drop\n",
					    A "Match *\n Do done\n"};
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		open_chain(&f, deeds[i]);
		run(&f);
		assert_int_equal(f.traced.message.reason, DROP_filtered);
		assert_int_equal(stats(&f, 0)->records_total, 1);
		assert_int_equal(stats(&f, 0)->dropped_total, 1);
		assert_int_equal(stats(&f, 0)->added_total, 0);
		fini(&f);
	}
}

static void an_undecided_record_is_not_dropped(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n Do undecided\n");
	run(&f);
	assert_int_equal(f.traced.message.reason, DROP_undecided);
	assert_int_equal(stats(&f, 0)->records_total, 1);
	assert_int_equal(stats(&f, 0)->undecided_total, 1);
	assert_int_equal(stats(&f, 0)->dropped_total, 0);
	fini(&f);
}

static void a_message_stays_undecided_if_a_part_is_dropped(void **state)
{
	(void)state;
	static const char *const chains[] = {
		A "Match a\n Do copy\n To b\n" B "Match b\n Do undecided\n" C
		  "Match a\n Do drop\n",
		A "Match a\n Do copy\n To b\n" B "Match b\n Do drop\n" C
		  "Match a\n Do undecided\n",
	};
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		open_chain(&f, chains[i]);
		run(&f);
		assert_int_equal(f.traced.out_count, 0);
		assert_int_equal(f.traced.message.reason, DROP_undecided);
		fini(&f);
	}
}

static void a_filter_continues_the_counts_it_is_given(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n" B "Match *\n Do drop\n");
	chain_restore(f.chain, 1,
		      &(struct filter_stats){.records_total = 7,
					     .dropped_total = 5,
					     .failures[2] = 3});
	run(&f);
	assert_int_equal(stats(&f, 0)->records_total, 1);
	assert_int_equal(stats(&f, 1)->records_total, 8);
	assert_int_equal(stats(&f, 1)->dropped_total, 6);
	assert_int_equal(stats(&f, 1)->failures[2], 3);
	fini(&f);
}

static void a_record_that_passes_does_not_change_the_reason(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n" B "Match *\n Do split\n" C
			 "Match a\n Do move\n To b\n");
	run(&f);
	assert_int_equal(f.traced.message.reason, DROP_none);
	fini(&f);
}

static void records_are_counted_by_their_outcome(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match a\n Do split\n" B "Match a\n Do add\n" C
			 "Match a\n Do move\n To b\n");
	run(&f);
	assert_int_equal(f.traced.out_count, 4);
	assert_int_equal(stats(&f, 0)->records_total, 1);
	assert_int_equal(stats(&f, 0)->added_total, 1);
	assert_int_equal(stats(&f, 0)->dropped_total, 0);
	assert_int_equal(stats(&f, 1)->records_total, 2);
	assert_int_equal(stats(&f, 1)->added_total, 2);
	assert_int_equal(stats(&f, 2)->records_total, 4);
	assert_int_equal(stats(&f, 2)->added_total, 0);
	assert_int_equal(stats(&f, 2)->dropped_total, 0);
	assert_int_equal(stats(&f, 2)->restarted_total, 4);
	assert_int_equal(stats(&f, 2)->refused_total, 0);
	fini(&f);
}

/* --- loops */

static void a_record_that_moves_to_its_own_tag_comes_out_once(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n Do move\n To a\n");
	assert_string_equal(run(&f), "A(r@a) A(r@a) r@a ");
	assert_int_equal(stats(&f, 0)->restarted_total, 1);
	assert_int_equal(stats(&f, 0)->refused_total, 1);
	fini(&f);
}

static void no_copy_is_lost_when_a_record_copies_itself(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n Do copy\n To a\n");
	assert_string_equal(run(&f), "A(r@a) A(r@a) r@a r@a ");
	assert_int_equal(stats(&f, 0)->restarted_total, 1);
	assert_int_equal(stats(&f, 0)->refused_total, 1);
	fini(&f);
}

static void records_retagged_back_and_forth_come_out_once(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match a\n Do move\n To b\n" B
			 "Match b\n Do move\n To a\n");
	run(&f);
	assert_int_equal(f.traced.out_count, 1);
	assert_int_equal(stats(&f, 0)->restarted_total +
				 stats(&f, 1)->restarted_total,
			 CHAIN_RESTARTS_MAX);
	assert_int_equal(stats(&f, 0)->refused_total, 1);
	fini(&f);
}

static void replacing_the_record_does_not_hide_a_loop(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n Do renew\n" B "Match *\n Do move\n To a\n");
	run(&f);
	assert_int_equal(f.traced.out_count, 1);
	assert_int_equal(stats(&f, 1)->restarted_total, 1);
	assert_int_equal(stats(&f, 1)->refused_total, 1);
	fini(&f);
}

static void filters_that_copy_each_others_copies_do_not_multiply(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match *\n Do copy\n To a\n" B
			 "Match *\n Do copy\n To a\n" C
			 "Match *\n Do copy\n To a\n");
	run(&f);
	assert_int_equal(f.traced.out_count, CHAIN_RUN_RESTARTS_MAX + 1);
	fini(&f);
}

static void on_out_over_limit(void *data, struct record *r)
{
	unsigned *over_limit = data;
	*over_limit += r->is_over_limit;
}

static unsigned run_and_count_over_limit(struct fixture *f)
{
	unsigned over_limit = 0;
	chain_run(f->chain, make(f->arena, &f->traced.message, "r", "a"),
		  on_out_over_limit, &over_limit);
	return over_limit;
}

#define SPLIT(name) \
	"[FILTER]\n Name lua\n Alias " name "\n Match a\n Do split\n"

/* More parts than CHAIN_RUN_RESTARTS_MAX, each restarted twice. */
static void each_part_of_a_large_split_is_restarted(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, SPLIT("1") SPLIT("2") SPLIT("3") SPLIT("4") SPLIT("5")
			       SPLIT("6") SPLIT("7") SPLIT("8") SPLIT("9")
				       SPLIT("10") SPLIT("11") B
		   "Match a\n Do move\n To b\n" C "Match b\n Do move\n To c\n");
	run(&f);
	assert_int_equal(f.traced.out_count, 2048);
	assert_int_equal(stats(&f, 11)->restarted_total, 2048);
	assert_int_equal(stats(&f, 12)->restarted_total, 2048);
	assert_int_equal(stats(&f, 12)->refused_total, 0);
	fini(&f);
}

static void a_record_over_a_limit_is_marked_with_its_parts(void **state)
{
	(void)state;
	static const struct {
		const char *conf;
		unsigned over_limit;
	} cases[] = {
		/* a filter that would restart its own record is no limit */
		{A "Match *\n Do move\n To a\n", 0},
		{A "Match a\n Do move\n To b\n" B "Match b\n Do move\n To a\n",
		 1},
		{A "Match a\n Do move\n To b\n" B "Match b\n Do move\n To a\n" C
		   "Match a\n Do split\n",
		 2},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		open_chain(&f, cases[i].conf);
		assert_int_equal(run_and_count_over_limit(&f),
				 cases[i].over_limit);
		fini(&f);
	}
}

static void the_limits_apply_to_each_record_separately(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match a\n Do move\n To b\n");
	for (unsigned i = 0; i < CHAIN_RUN_RESTARTS_MAX + 1; i++)
		run(&f);
	assert_int_equal(stats(&f, 0)->refused_total, 0);
	assert_int_equal(f.traced.out_count, CHAIN_RUN_RESTARTS_MAX + 1);
	fini(&f);
}

/* Copies of small records reach the limit of their number first. */
static void the_bytes_of_all_copies_are_limited(void **state)
{
	(void)state;
	static const size_t fields = 5000;
	const size_t record_bytes = sizeof(struct record) + 64 +
				    (fields + 5) * sizeof(struct field);
	struct fixture f;
	open_chain(&f, A "Match *\n Do copy\n To a\n" B
			 "Match *\n Do copy\n To a\n" C
			 "Match *\n Do copy\n To a\n");
	struct record *r = make(f.arena, &f.traced.message, "r", "a");
	for (size_t i = 0; i < fields; i++)
		record_add(r, SPAN("k"), value_null());
	size_t before = arena_used_bytes(f.arena);
	chain_run(f.chain, r, on_out, &f.traced);
	size_t used = arena_used_bytes(f.arena) - before;
	size_t copies = f.traced.out_count - 1;
	assert_in_range(used, CHAIN_RESTARTS_BYTES_MAX,
			CHAIN_RESTARTS_BYTES_MAX + record_bytes);
	assert_in_range(copies, CHAIN_RESTARTS_BYTES_MAX / record_bytes,
			CHAIN_RESTARTS_BYTES_MAX / record_bytes + 1);
	assert_int_equal(f.traced.message.reason, DROP_too_large);
	fini(&f);
}

/* A filter that restarts its own record is no loss, however large it is. */
static void a_refusal_of_an_own_copy_is_no_loss(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, A "Match b\n Do hoard\n" B "Match *\n Do copy\n To b\n");
	struct record *r = make(f.arena, &f.traced.message, "r", "a");
	for (size_t i = 0; i < 2 * CHAIN_RESTARTS_BYTES_MAX / 64; i++)
		record_add(r, SPAN("k"), value_null());
	chain_run(f.chain, r, on_out, &f.traced);
	assert_int_equal(f.traced.out_count, 2);
	assert_int_equal(f.traced.message.reason, DROP_none);
	assert_int_equal(stats(&f, 1)->refused_total, 1);
	fini(&f);
}

static void records_that_need_too_much_memory_are_lost(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, SPLIT("1") SPLIT("2") SPLIT("3") SPLIT("4") SPLIT("5") C
		   "Match a\n Do hoard\n");
	run(&f);
	assert_int_equal(stats(&f, 5)->records_total,
			 CHAIN_BYTES_MAX / HOARD_BYTES);
	assert_int_equal(f.traced.out_count, CHAIN_BYTES_MAX / HOARD_BYTES);
	assert_int_equal(f.traced.message.reason, DROP_too_large);
	/* What one message takes does not count for the next one. */
	f.traced.out_count = 0;
	f.traced.message.reason = DROP_none;
	run(&f);
	assert_int_equal(f.traced.out_count, CHAIN_BYTES_MAX / HOARD_BYTES);
	fini(&f);
}

/* --- set-up */

static void filters_are_named_by_number_or_alias(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, "[FILTER]\n name PARSER\n match *\n log_level debug\n" B
		       "Match *\n[FILTER]\n Name Parser\n Match *\n");
	static const char *const names[] = {"parser.0", "B", "parser.2"};
	const char *name;
	const struct filter *filter;
	for (size_t i = 0; i < 3; i++) {
		assert_true(chain_filter(f.chain, i, &name, &filter));
		assert_string_equal(name, names[i]);
		assert_string_equal(filter->name, names[i]);
	}
	assert_false(chain_filter(f.chain, 3, &name, &filter));
	fini(&f);
}

static void a_skipped_filter_still_has_a_number(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f,
		   "[FILTER]\n Name lua\n Do drop\n"
		   "[FILTER]\n Name lua\n Do drop\n Match *\n Active FALSE\n"
		   "[FILTER]\n Name parser\n Match_Regex ^a\n");
	const char *name;
	const struct filter *filter;
	assert_true(chain_filter(f.chain, 0, &name, &filter));
	assert_string_equal(name, "parser.2");
	assert_false(chain_filter(f.chain, 1, &name, &filter));
	assert_string_equal(run(&f), "parser.2(r@a) r@a ");
	fini(&f);
}

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct {
		const char *conf, *place, *says;
	} cases[] = {
		{"[FILTER]\n Match *\n", "t.conf:1", "Name"},
		{"[FILTER]\n Name pasrer\n Match *\n", "t.conf:2", "parser"},
		{"[FILTER]\n Name xyz\n Match *\n", "t.conf:2", "rewrite_tag"},
		{"[FILTER]\n Name lua\n Match_Regex (\n", "t.conf:3",
		 "Match_Regex"},
		{"[FILTER]\n Name lua\n Match *\n Doo pass\n", "t.conf:4",
		 "Do"},
		{"[FILTER]\n Name lua\n Match *\n Do jump\n", "t.conf:4",
		 "pass"},
		{"[FILTER]\n Name lua\n Alias parser.1\n Match *\n"
		 "[FILTER]\n Name parser\n Match *\n",
		 "t.conf:5", "Alias"},
		{"[FILTER]\n Nane lua\n Match *\n", "t.conf:2", "\"Name\""},
		{"[FILTER]\n Name lua\n Mach *\n", "t.conf:3", "\"Match\""},
		{"[FILTER]\n Name grepp\n Match *\n", "t.conf:2",
		 "unknown filter"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		struct err e = {0};
		init(&f);
		assert_false(add_all(&f, cases[i].conf, &e));
		if (strstr(e.text, cases[i].place) == NULL ||
		    strstr(e.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, e.text);
		fini(&f);
	}
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_record_takes_the_path_its_filters_choose),
		cmocka_unit_test(a_dropped_record_carries_its_reason),
		cmocka_unit_test(an_undecided_record_is_not_dropped),
		cmocka_unit_test(
			a_message_stays_undecided_if_a_part_is_dropped),
		cmocka_unit_test(a_filter_continues_the_counts_it_is_given),
		cmocka_unit_test(
			a_record_that_passes_does_not_change_the_reason),
		cmocka_unit_test(records_are_counted_by_their_outcome),
		cmocka_unit_test(
			a_record_that_moves_to_its_own_tag_comes_out_once),
		cmocka_unit_test(no_copy_is_lost_when_a_record_copies_itself),
		cmocka_unit_test(records_retagged_back_and_forth_come_out_once),
		cmocka_unit_test(replacing_the_record_does_not_hide_a_loop),
		cmocka_unit_test(
			filters_that_copy_each_others_copies_do_not_multiply),
		cmocka_unit_test(each_part_of_a_large_split_is_restarted),
		cmocka_unit_test(
			a_record_over_a_limit_is_marked_with_its_parts),
		cmocka_unit_test(the_limits_apply_to_each_record_separately),
		cmocka_unit_test(the_bytes_of_all_copies_are_limited),
		cmocka_unit_test(a_refusal_of_an_own_copy_is_no_loss),
		cmocka_unit_test(records_that_need_too_much_memory_are_lost),
		cmocka_unit_test(filters_are_named_by_number_or_alias),
		cmocka_unit_test(a_skipped_filter_still_has_a_number),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
