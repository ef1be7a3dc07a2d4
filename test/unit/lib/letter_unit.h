/* SPDX-License-Identifier: Apache-2.0 */
/* letter_unit - a dead-letter file in a directory of its own, with the dead
 * letters in `letters` and the log in `log`. */
#ifndef UNIT_LETTER_UNIT_H
#define UNIT_LETTER_UNIT_H

#include "files.h"
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "file/dead_letter.h"
#include "record/json.h"

#define HEAD                                                        \
	"{\"time\":\"2026-11-21T02:50:00.123456789Z\",\"input\":\"" \
	"syslog.0\",\"reason\":\"unparsed\","

enum { SPILL_BYTES_MAX = 64 * 1024 };

struct letter_unit {
	char dir[TEMP_DIR_BYTES];
	char path[96];
	char spill_dir[96]; /* empty: nothing is spilled */
	struct spill_owners *spill_owners;
	struct dead_letter *letters;
	int64_t now_ns;
	struct arena *arena;
	struct json_reader *json;
	struct buf text;
};

int letter_unit_start(void **state);
int letter_unit_stop(void **state);

void open_at(struct letter_unit *, const char *path,
	     const struct append_notes *);

/* Checks the accounting equations, as put() and flush() do. */
const struct sink_stats *stats(const struct letter_unit *);
bool put(struct letter_unit *, struct span bytes);
void put_all(struct letter_unit *, const char *const *texts);
enum sink_flush flush(struct letter_unit *);

/* The content of a file in the directory, valid until the next call. */
struct span content(struct letter_unit *, const char *name);

/* Fails unless this is what the file of dead letters contains. */
void assert_content(struct letter_unit *, const char *want);

#endif
