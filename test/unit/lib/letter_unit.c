/* SPDX-License-Identifier: Apache-2.0 */
#include "letter_unit.h"
#include "sink_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "file/spill_owners.h"
#include "record/message.h"

static const int64_t T = 1795229400 * NS_PER_S + 123456789;
int letter_unit_start(void **state)
{
	struct letter_unit *f = calloc(1, sizeof *f);
	struct err e;
	char log[96];
	if (!temp_dir_make(f->dir, "/tmp", "dead_letter"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/letters", f->dir);
	snprintf(log, sizeof log, "%s/log", f->dir);
	f->now_ns = 1000 * NS_PER_S;
	f->arena = arena_new(4096);
	f->json = json_reader_new();
	f->spill_owners = spill_owners_new();
	*state = f;
	return log_open(log, LOG_INFO, &e) ? 0 : -1;
}

int letter_unit_stop(void **state)
{
	struct letter_unit *f = *state;
	struct err e;
	dead_letter_close(f->letters);
	spill_owners_free(f->spill_owners);
	json_reader_free(f->json);
	arena_free(f->arena);
	int rc = temp_dir_remove(f->dir);
	buf_fini(&f->text);
	free(f);
	return log_open("/dev/stderr", LOG_OFF, &e) ? rc : -1;
}

void open_at(struct letter_unit *f, const char *path,
	     const struct append_notes *notes)
{
	struct err e = {0};
	const struct dead_letter_opts opts = {
		.path = path,
		.notes = notes,
		.id = 7,
		.spill_dir = f->spill_dir[0] != '\0' ? f->spill_dir : NULL,
		.spill_owners = f->spill_owners,
		.spill_bytes_max = SPILL_BYTES_MAX,
	};
	f->letters = dead_letter_open(&opts, &e);
	if (f->letters == NULL)
		fail_msg("%s", e.text);
}

const struct sink_stats *stats(const struct letter_unit *f)
{
	const struct sink_stats *s = dead_letter_stats(f->letters);
	assert_stats_add_up(s);
	return s;
}

bool put(struct letter_unit *f, struct span bytes)
{
	struct message m = {.bytes = bytes, .arrival_ns = T};
	bool taken = dead_letter_put(f->letters, &m, "syslog.0", "unparsed");
	stats(f);
	return taken;
}

void put_all(struct letter_unit *f, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		assert_true(put(f, span_of(*texts)));
}

enum sink_flush flush(struct letter_unit *f)
{
	enum sink_flush answer = dead_letter_flush(f->letters, f->now_ns);
	stats(f);
	return answer;
}

struct span content(struct letter_unit *f, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	wait_for_log();
	if (!file_read(path, &f->text))
		return SPAN("(no file)");
	buf_text(&f->text);
	return buf_span(&f->text);
}

void assert_content(struct letter_unit *f, const char *want)
{
	struct span got = content(f, "letters");
	if (!span_equals(got, span_of(want)))
		fail_msg("want: %s\n got: %.*s", want, (int)got.len, got.ptr);
}
