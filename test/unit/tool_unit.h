/* SPDX-License-Identifier: Apache-2.0 */
/* tool_unit - a directory, what a tool printed, and a journal for it. */
#ifndef TOOL_UNIT_H
#define TOOL_UNIT_H

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "journal/journal.h"

struct place {
	char dir[64];
	struct buf text; /* of the last path() or content() */
	int kept[2];
};

static inline const char *path(struct place *p, const char *name)
{
	buf_clear(&p->text);
	buf_printf(&p->text, "%s/%s", p->dir, name);
	return buf_text(&p->text);
}

static inline int enter(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->dir, sizeof p->dir, "/tmp/tool.XXXXXX");
	*state = p;
	return mkdtemp(p->dir) != NULL ? 0 : -1;
}

static inline int leave(void **state)
{
	struct place *p = *state;
	buf_clear(&p->text);
	buf_printf(&p->text, "rm -rf %s", p->dir);
	int rc = system(buf_text(&p->text));
	buf_fini(&p->text);
	free(p);
	return rc;
}

static inline const char *content(struct place *p, const char *name)
{
	char piece[4096];
	FILE *file = fopen(path(p, name), "r");
	assert_non_null(file);
	buf_clear(&p->text);
	size_t n;
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_put(&p->text, piece, n);
	fclose(file);
	return buf_text(&p->text);
}

static inline void write_file(struct place *p, const char *name,
			      struct span bytes)
{
	FILE *file = fopen(path(p, name), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	fclose(file);
}

static inline void assert_has(struct place *p, const char *name,
			      const char *part)
{
	if (strstr(content(p, name), part) == NULL)
		fail_msg("%s has no \"%s\": %s", name, part, p->text.ptr);
}

/* From here on standard output and error go to the files `out` and `err`. */
static inline void begin_capture(struct place *p)
{
	static const char *const names[] = {"out", "err"};
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		int fd = open(path(p, names[i]), O_CREAT | O_TRUNC | O_WRONLY,
			      0600);
		assert_true(fd >= 0);
		p->kept[i] = dup(i + 1);
		dup2(fd, i + 1);
		close(fd);
	}
}

static inline void end_capture(struct place *p)
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(p->kept[i], i + 1);
		close(p->kept[i]);
	}
}

static inline struct journal *open_journal(struct place *p, const char *name)
{
	struct journal_found found;
	struct err e = {0};
	struct journal *j =
		journal_open(&(struct journal_opts){.path = path(p, name),
						    .ring_bytes = 65536,
						    .slot_bytes = 1024,
						    .slots = 2},
			     &found, &e);
	if (j == NULL)
		fail_msg("%s", e.text);
	return j;
}

/* As if it had been received. */
static inline void put_in(struct journal *j, uint16_t input, int64_t at_ns,
			  struct span bytes)
{
	unsigned count;
	struct mmsghdr *m = journal_slots(j, input, &count);
	assert_true(bytes.len <= m->msg_hdr.msg_iov->iov_len);
	memcpy(m->msg_hdr.msg_iov->iov_base, bytes.ptr, bytes.len);
	m->msg_hdr.msg_flags = 0;
	m->msg_hdr.msg_controllen = 0;
	m->msg_len = (unsigned)bytes.len;
	assert_int_equal(journal_append(j, 1, at_ns), 1);
}

/* Change a byte of them, wherever they stand in the file. */
static inline void damage(struct place *p, const char *name, struct span bytes)
{
	content(p, name);
	struct buf whole = p->text;
	p->text = (struct buf){0};
	const char *end = whole.ptr + whole.len;
	char *at = whole.ptr;
	while ((at = memmem(at, (size_t)(end - at), bytes.ptr, bytes.len)))
		*at ^= 1;
	write_file(p, name, buf_span(&whole));
	buf_fini(&whole);
}

#endif
