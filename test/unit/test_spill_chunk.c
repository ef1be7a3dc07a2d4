/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks of a spill: the memory that they take, and writes that the kernel
 * cuts. */
#include "crash_notes.h"
#include "files.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "file/spill.h"
#include "file/spill_file.h"
#include "file/spill_owners.h"
#include "output/sink.h"

enum { LONG_BYTES = 4 * 1024 * 1024, PIECE_MAX = 2 * 1024 * 1024 };

struct places {
	char path[TEMP_DIR_BYTES];
	char out[TEMP_DIR_BYTES + 8];
	struct sink_stats stats;
	struct spill_dir dir;
	struct file_env env;
	struct append_file file;
};

static void init(struct places *p)
{
	*p = (struct places){0};
	assert_true(temp_dir_make(p->path, "/tmp", "test_spill_chunk"));
	snprintf(p->out, sizeof p->out, "%s/out", p->path);
	p->dir = (struct spill_dir){.path = p->path,
				    .bytes_max = SIZE_MAX,
				    .sink_name = "app",
				    .owners = spill_owners_new(),
				    .stats = &p->stats};
	p->dir.env.stats = &p->dir.own_stats;
	p->env.stats = &p->stats;
	append_file_init(&p->file, p->out, &p->env);
}

static void fini(struct places *p)
{
	append_file_close(&p->file);
	buf_fini(&p->dir.piece);
	buf_fini(&p->dir.piece_chunks);
	spill_owners_free(p->dir.owners);
	temp_dir_remove(p->path);
}

static void add(struct places *p, struct spill *s, struct span bytes)
{
	const struct spill_lines lines = {.bytes = bytes, .lines = 1};
	assert_int_equal(spill_add(s, &lines, &p->file), 0);
	p->stats.lines_queued++;
}

static void drain(struct places *p, struct spill *s)
{
	assert_int_equal(append_file_begin(&p->file), 0);
	assert_int_equal(spill_drain(s, &p->file, 0), 0);
	append_file_end(&p->file);
}

/* Such a line is already in memory twice (output/line_limit.h). */
static void spilling_and_draining_a_long_line_keeps_no_copy(void **state)
{
	(void)state;
	struct places p;
	init(&p);
	char *line = mem_new(LONG_BYTES, 1);
	memset(line, 'a', LONG_BYTES - 1);
	line[LONG_BYTES - 1] = '\n';
	struct spill *s = spill_new(&p.dir, p.out);
	assert_non_null(s);
	add(&p, s, span_make(line, LONG_BYTES));
	assert_int_equal(p.dir.piece.cap, 0);
	spill_committed(s);
	add(&p, s, SPAN("next\n"));
	drain(&p, s);
	assert_int_equal(spill_lines_left(s), 1);
	assert_in_range(p.dir.piece.cap, 0, PIECE_MAX);
	spill_committed(s);
	drain(&p, s);
	assert_true(spill_is_empty(s));
	assert_int_equal(p.file.size_bytes, LONG_BYTES + 5);
	assert_true(spill_remove(s));
	free(line);
	fini(&p);
}

/* --- a write that the kernel cuts, in the header or in the line */

static void a_chunk_that_is_cut_at_any_byte_is_added_later(void **state)
{
	(void)state;
	enum { CHUNK_BYTES = sizeof(struct spill_chunk) + 7 };
	struct buf text = {0};
	for (rlim_t cut = 0; cut < CHUNK_BYTES; cut++) {
		struct places p;
		init(&p);
		struct spill *s = spill_new(&p.dir, p.out);
		assert_non_null(s);
		add(&p, s, SPAN("line 1\n"));
		const struct spill_lines second = {.bytes = SPAN("line 2\n"),
						   .lines = 1};
		limit_file_size(s->size_bytes + cut);
		int error = spill_add(s, &second, &p.file);
		limit_file_size(RLIM_INFINITY);
		assert_int_equal(error, EFBIG);
		assert_int_equal(spill_lines_left(s), 1);
		add(&p, s, SPAN("line 3\n"));
		spill_committed(s);
		drain(&p, s);
		assert_true(file_read(p.out, &text));
		assert_string_equal(buf_text(&text), "line 1\nline 3\n");
		assert_true(spill_remove(s));
		fini(&p);
	}
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			spilling_and_draining_a_long_line_keeps_no_copy),
		cmocka_unit_test(
			a_chunk_that_is_cut_at_any_byte_is_added_later),
	};
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
