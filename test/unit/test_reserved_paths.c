/* SPDX-License-Identifier: Apache-2.0 */
/* These tests check that no tag leads to a path of the configuration. */
#include "sink_dir.h"

#include <stdlib.h>
#include <unistd.h>

#include "file/reserved_paths.h"

static const struct tag_case {
	const char *tag;
	bool is_refused;
} cases[] = {
	{"dead.jsonl", true},
	{"dead.jsonl/a.log", true},
	{"./dead.jsonl//a", true},
	{"spill/x", true},
	{"deep", true},
	{"deep/er", true},
	{"deep/er/s.sock", true},
	{"unparsed.log/a", true},
	{"all", true},
	{"unparsed.log", false},
	{"all/b.log", false},
	{"all/a.log", false},
	{"dead.jsonl2", false},
	{"a/dead.jsonl", false},
	{"dead", false},
	{"deep/else", false},
	{"link/dead.jsonl2", false},
};

static void open_reserved(struct sink_dir *d, struct reserved_paths *reserved,
			  const char *keys)
{
	static const char *const own[] = {"dead.jsonl", "spill",
					  "link/deep/er/s.sock"};
	struct err e;
	sink_dir_init(d);
	assert_int_equal(symlink(".", sink_dir_path(d, "link")), 0);
	for (size_t n = 0; n < COUNT(own); n++)
		reserved_paths_add(reserved, sink_dir_path(d, own[n]), false);
	reserved_paths_add(reserved, sink_dir_path(d, "link/unparsed.log"),
			   true);
	reserved_paths_add(reserved, sink_dir_path(d, "all/a.log"), true);
	d->env.reserved = reserved;
	assert_true(sink_dir_try_open(d, keys, false, &e));
}

/* Otherwise a client could make a directory with the name of the file of dead
 * letters, or write lines into it. */
static void a_tag_cannot_lead_to_a_path_of_the_configuration(void **state)
{
	(void)state;
	static const char *const keys[] = {"", "    Path @\n",
					   "    Path @/./link\n"};
	for (size_t i = 0; i < COUNT(cases) * COUNT(keys); i++) {
		const char *key = keys[i / COUNT(cases)];
		const struct tag_case *c = &cases[i % COUNT(cases)];
		struct sink_dir d;
		struct reserved_paths reserved = {0};
		open_reserved(&d, &reserved, key);
		enum drop_reason reason = DROP_none;
		struct span tag =
			span_of(*key ? c->tag : sink_dir_path(&d, c->tag));
		if (sink_dir_put_span(&d, tag, SPAN("m"), true, &reason) ==
		    c->is_refused)
			fail_msg("%s: tag %s", key, c->tag);
		if (c->is_refused)
			assert_int_equal(reason, DROP_path_refused);
		sink_dir_flush_all(&d);
		assert_int_not_equal(sink_dir_exists(&d, c->tag),
				     c->is_refused);
		sink_dir_fini(&d);
		reserved_paths_fini(&reserved);
	}
}

/* setup/places.c compares those when it reads the configuration. */
static void a_fixed_file_is_not_compared(void **state)
{
	(void)state;
	struct sink_dir d;
	struct reserved_paths reserved = {0};
	open_reserved(&d, &reserved, "    File @/dead.jsonl\n");
	sink_dir_put(&d, "tag", "m");
	sink_dir_flush_all(&d);
	assert_string_equal(sink_dir_content(&d, "dead.jsonl"), "m\n");
	sink_dir_fini(&d);
	reserved_paths_fini(&reserved);
}

static void a_path_is_resolved_as_far_as_it_exists(void **state)
{
	(void)state;
	static const struct {
		const char *path, *resolved;
	} paths[] = {
		{"/", "/"},
		{"/sluiced-none", "/sluiced-none"},
		{"/./sluiced-none//a/", "/sluiced-none/a"},
		{"/proc/self/../sluiced-none/b", "/proc/sluiced-none/b"},
	};
	for (size_t i = 0; i < COUNT(paths); i++) {
		char *resolved = reserved_paths_resolve(paths[i].path);
		assert_string_equal(resolved, paths[i].resolved);
		free(resolved);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_tag_cannot_lead_to_a_path_of_the_configuration),
		cmocka_unit_test(a_fixed_file_is_not_compared),
		cmocka_unit_test(a_path_is_resolved_as_far_as_it_exists),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
