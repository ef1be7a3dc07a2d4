/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *tool_dir_path(struct tool_dir *d, const char *name)
{
	buf_clear(&d->text);
	buf_printf(&d->text, "%s/%s", d->dir, name);
	return buf_text(&d->text);
}

int tool_dir_set_up(void **state)
{
	struct tool_dir *d = calloc(1, sizeof *d);
	*state = d;
	return temp_dir_make(d->dir, "/tmp", "tool") ? 0 : -1;
}

int tool_dir_tear_down(void **state)
{
	struct tool_dir *d = *state;
	int rc = temp_dir_remove(d->dir);
	buf_fini(&d->text);
	free(d);
	return rc;
}

const char *tool_dir_content(struct tool_dir *d, const char *name)
{
	struct buf bytes = {0};
	assert_true(file_read(tool_dir_path(d, name), &bytes));
	buf_fini(&d->text);
	d->text = bytes;
	return buf_text(&d->text);
}

void tool_dir_write(struct tool_dir *d, const char *name, struct span bytes)
{
	file_write(tool_dir_path(d, name), bytes);
}

void tool_dir_assert_has(struct tool_dir *d, const char *name, const char *part)
{
	if (strstr(tool_dir_content(d, name), part) == NULL)
		fail_msg("%s has no \"%s\": %s", name, part, d->text.ptr);
}

void tool_dir_capture_begin(struct tool_dir *d)
{
	static const char *const names[] = {"out", "err"};
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		int fd = open(tool_dir_path(d, names[i]),
			      O_CREAT | O_TRUNC | O_WRONLY, 0600);
		assert_true(fd >= 0);
		d->kept[i] = dup(i + 1);
		dup2(fd, i + 1);
		close(fd);
	}
}

void tool_dir_capture_end(struct tool_dir *d)
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(d->kept[i], i + 1);
		close(d->kept[i]);
	}
}

struct journal *tool_dir_open_journal(struct tool_dir *d, const char *name)
{
	struct journal_found found;
	struct err e = {0};
	struct journal *j = journal_open(
		&(struct journal_opts){.path = tool_dir_path(d, name),
				       .ring_bytes = 65536,
				       .slot_bytes = 1024,
				       .slots = 2},
		&found, &e);
	if (j == NULL)
		fail_msg("%s", e.text);
	return j;
}

void tool_dir_append(struct journal *j, uint16_t input, int64_t at_ns,
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

void tool_dir_damage(struct tool_dir *d, const char *name, struct span bytes)
{
	tool_dir_content(d, name);
	struct buf whole = d->text;
	d->text = (struct buf){0};
	const char *end = whole.ptr + whole.len;
	char *at = whole.ptr;
	while ((at = memmem(at, (size_t)(end - at), bytes.ptr, bytes.len)))
		*at ^= 1;
	tool_dir_write(d, name, buf_span(&whole));
	buf_fini(&whole);
}
