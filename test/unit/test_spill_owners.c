/* SPDX-License-Identifier: Apache-2.0 */
/* How often a start opens the spills of several outputs, and what is noted
 * about them. */
#include "bad_calls.h"
#include "counted_memcmp.h"
#include "sink_dir.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/spill_owners.h"
#include "output/kinds.h"
#include "output/router.h"
#include "pipeline/outputs.h"
#include "pipeline/pipeline.h"
#include "record/record.h"
#include "setup/plugins.h"

enum {
	OUTPUTS = 8,
	FILES = 4, /* of each output */
	SPILLS = OUTPUTS * FILES,
};

struct fixture {
	struct sink_dir f; /* its sink is not used */
	struct conf *conf;
	struct spill_owners *owners;
	struct router *router;
	struct outputs outputs;
	struct pipeline_totals totals;
	struct sink_stats committed[OUTPUTS];
};

/* Output n writes the files whose names begin with n. */
static void read_conf(struct fixture *o)
{
	struct err e;
	struct buf text = {0};
	for (int n = 0; n < OUTPUTS; n++)
		buf_printf(&text,
			   "[OUTPUT]\n"
			   "    Name file\n"
			   "    Match %d_*\n"
			   "    Path %s/out\n"
			   "    Format template\n"
			   "    Template {message}\n",
			   n, o->f.dir);
	o->conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	assert_non_null(o->conf);
	buf_fini(&text);
}

static void start(struct fixture *o)
{
	static const struct sink_ops *const kinds[] = {&file_sink_ops, NULL};
	struct err e;
	read_conf(o);
	o->owners = spill_owners_new();
	o->router = router_new();
	const struct sink_env env = {.kinds = kinds,
				     .conf_dir = ".",
				     .spill_dir = o->f.spills,
				     .spill_owners = o->owners,
				     .spill_bytes_max = 1024 * 1024,
				     .has_others = true};
	for (size_t i = 0; i < OUTPUTS; i++)
		assert_true(router_add(o->router, conf_section(o->conf, i),
				       &env, &e));
	for (size_t i = 0; i < OUTPUTS; i++)
		router_restore(o->router, i, &o->committed[i]);
	o->outputs =
		(struct outputs){.router = o->router, .totals = &o->totals};
	outputs_settle(&o->outputs);
}

static void stop(struct fixture *o)
{
	router_free(o->router);
	spill_owners_free(o->owners);
	conf_free(o->conf);
}

static const struct sink_stats *stats_of(const struct fixture *o, size_t i)
{
	const char *name;
	const struct sink *sink;
	assert_true(router_sink(o->router, i, &name, &sink));
	return &sink->stats;
}

static void flush(struct fixture *o)
{
	sink_dir_wait_s(&o->f, 10);
	assert_int_equal(router_flush(o->router, o->f.now_ns), SINK_FLUSHED);
	outputs_settle(&o->outputs);
	router_committed(o->router);
	for (size_t i = 0; i < OUTPUTS; i++) {
		o->committed[i] = *stats_of(o, i);
		assert_stats_add_up(stats_of(o, i));
	}
}

static void put(struct fixture *o, const char *tag)
{
	struct message message = {.reason = DROP_none};
	struct record *r = record_new(o->f.arena, &message, span_of(tag), 1);
	record_add(r, SPAN("message"), value_string(span_of(tag)));
	router_put(o->router, r);
	router_end(o->router);
}

/* The files cannot be created, since their directory is a file. */
static void spill_all(struct fixture *o)
{
	char tag[32];
	*o = (struct fixture){0};
	sink_dir_init(&o->f);
	sink_dir_use_spills(&o->f, 1024 * 1024);
	sink_dir_write(&o->f, "out", "");
	start(o);
	for (int i = 0; i < SPILLS; i++) {
		snprintf(tag, sizeof tag, "%d_%d", i % OUTPUTS, i / OUTPUTS);
		put(o, tag);
	}
	flush(o);
	stop(o);
}

static void assert_queued(const struct fixture *o, uint64_t lines)
{
	for (size_t i = 0; i < OUTPUTS; i++) {
		assert_int_equal(stats_of(o, i)->lines_queued, lines);
		assert_int_equal(stats_of(o, i)->lines_spilled, lines);
	}
}

static void fini(struct fixture *o)
{
	char tag[32];
	assert_int_equal(unlink(sink_dir_path(&o->f, "out")), 0);
	flush(o);
	flush(o);
	assert_queued(o, 0);
	for (int i = 0; i < SPILLS; i++) {
		snprintf(tag, sizeof tag, "out/%d_%d", i % OUTPUTS,
			 i / OUTPUTS);
		const char *written = sink_dir_content(&o->f, tag);
		assert_int_equal(strlen(written), 4);
		assert_memory_equal(written, tag + 4, 3);
	}
	stop(o);
	sink_dir_fini(&o->f);
}

static void count_opens(void)
{
	bad_calls_begin(BAD_OPEN, "/spill/", EIO, 1);
	bad_calls.skip = INT_MAX;
}

static size_t opens(void)
{
	return INT_MAX - bad_calls.skip;
}

static void a_start_opens_each_spill_at_most_twice(void **state)
{
	(void)state;
	struct fixture o;
	spill_all(&o);
	count_opens();
	start(&o);
	assert_in_range(opens(), SPILLS, 2 * SPILLS);
	bad_calls_end();
	assert_queued(&o, FILES);
	fini(&o);
}

static void a_retry_opens_no_loaded_spill(void **state)
{
	(void)state;
	struct fixture o;
	spill_all(&o);
	/* All attempts to open one of the spills fail. */
	char name[64] = "";
	DIR *dir = opendir(o.f.spills);
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ".spill") != NULL)
			snprintf(name, sizeof name, "/spill/%.50s",
				 entry->d_name);
	closedir(dir);
	bad_calls_begin(BAD_OPEN, name, EIO, OUTPUTS);
	start(&o);
	assert_int_equal(bad_calls_end(), OUTPUTS);
	count_opens();
	sink_dir_wait_s(&o.f, 1);
	assert_int_equal(router_flush(o.router, o.f.now_ns), SINK_FLUSHED);
	outputs_settle(&o.outputs);
	/* One to load it; the flush may open a spill to drain it. */
	assert_in_range(opens(), 1, 2);
	bad_calls_end();
	assert_queued(&o, FILES);
	fini(&o);
}

static void a_name_is_found_in_one_comparison(void **state)
{
	(void)state;
	enum { NAMES = 4096 };
	struct spill_owners *owners = spill_owners_new();
	char name[32];
	for (uint32_t i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%016x.spill", i);
		assert_true(spill_owners_may_load(owners, name, i % 3));
		spill_owners_put(owners, name, i % 3, i % 2 == 0);
	}
	counted_memcmp_calls = 0;
	for (uint32_t i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%016x.spill", i);
		for (uint32_t id = 0; id < 3; id++)
			assert_int_equal(
				spill_owners_may_load(owners, name, id),
				id == i % 3 && i % 2 != 0);
	}
	assert_int_equal(counted_memcmp_calls, 3 * NAMES);
	spill_owners_free(owners);
}

static void a_forgotten_name_may_be_of_any_output(void **state)
{
	(void)state;
	struct spill_owners *owners = spill_owners_new();
	spill_owners_put(owners, "a.spill", 7, true);
	spill_owners_put(owners, "b.spill", 7, true);
	assert_false(spill_owners_may_load(owners, "a.spill", 7));
	spill_owners_put(owners, "a.spill", 7, false);
	assert_true(spill_owners_may_load(owners, "a.spill", 7));
	assert_false(spill_owners_may_load(owners, "a.spill", 8));
	spill_owners_forget(owners, "a.spill");
	spill_owners_forget(owners, "a.spill");
	assert_true(spill_owners_may_load(owners, "a.spill", 8));
	assert_false(spill_owners_may_load(owners, "b.spill", 8));
	spill_owners_free(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_opens_each_spill_at_most_twice),
		cmocka_unit_test(a_retry_opens_no_loaded_spill),
		cmocka_unit_test(a_name_is_found_in_one_comparison),
		cmocka_unit_test(a_forgotten_name_may_be_of_any_output),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
