/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/framing.h"

const char *const framing_names[] = {"newline", "octet_counting", "octet",
				     NULL};

enum {
	LENGTH_DIGITS_MAX = 9, /* so that it fits into 32 bits */
	LOOK_BYTES = 512,
};

static void skip(struct span *bytes, size_t count)
{
	*bytes = span_make(bytes->ptr + count, bytes->len - count);
}

/* The first newline or NUL after the first `from` bytes; len if there is none.
 * The bytes are searched piece by piece.  Otherwise each of many NULs would
 * cost a search for a newline in all bytes after it. */
static size_t find_end(struct span bytes, size_t from)
{
	while (from < bytes.len) {
		const char *start = bytes.ptr + from;
		size_t piece = bytes.len - from;
		if (piece > LOOK_BYTES)
			piece = LOOK_BYTES;
		size_t len = piece;
		const char *newline = memchr(start, '\n', len);
		if (newline != NULL)
			len = (size_t)(newline - start);
		const char *nul = len > 0 ? memchr(start, '\0', len) : NULL;
		if (nul != NULL)
			len = (size_t)(nul - start);
		from += len;
		if (len < piece)
			break;
	}
	return from;
}

static void skip_rest_of_line(struct framing *f, struct span *bytes)
{
	if (!f->is_skipping_line)
		return;
	size_t end = find_end(*bytes, 0);
	f->is_skipping_line = end == bytes->len;
	skip(bytes, f->is_skipping_line ? end : end + 1);
}

static enum framing_what take_line(struct framing *f, struct span *bytes,
				   struct span *message)
{
	while (bytes->len > 0) {
		size_t end = find_end(*bytes, f->looked);
		bool is_truncated = end > f->bytes_max;
		if (end == bytes->len && !is_truncated) {
			f->looked = end;
			return FRAMING_MORE;
		}
		f->looked = 0;
		f->is_skipping_line = is_truncated;
		*message = span_make(bytes->ptr,
				     is_truncated ? f->bytes_max : end);
		skip(bytes, is_truncated ? f->bytes_max : end + 1);
		if (end > 0)
			return is_truncated ? FRAMING_TRUNCATED
					    : FRAMING_MESSAGE;
	}
	return FRAMING_MORE;
}

enum length_read { LENGTH_GOOD, LENGTH_INCOMPLETE, LENGTH_BAD };

/* Read "17 ": *length is 17, and *used is 3. */
static enum length_read read_length(struct span bytes, size_t *length,
				    size_t *used)
{
	size_t i = 0;
	*length = 0;
	while (i < bytes.len && i <= LENGTH_DIGITS_MAX && bytes.ptr[i] >= '0' &&
	       bytes.ptr[i] <= '9')
		*length = *length * 10 + (size_t)(bytes.ptr[i++] - '0');
	if (i > LENGTH_DIGITS_MAX)
		return LENGTH_BAD;
	if (i == bytes.len)
		return LENGTH_INCOMPLETE;
	if (i == 0 || bytes.ptr[i] != ' ')
		return LENGTH_BAD;
	*used = i + 1;
	return LENGTH_GOOD;
}

static void skip_rest_of_octets(struct framing *f, struct span *bytes)
{
	if (f->octets_left == 0)
		return;
	size_t count =
		f->octets_left < bytes->len ? f->octets_left : bytes->len;
	skip(bytes, count);
	f->octets_left -= count;
}

static enum framing_what take_line_instead(struct framing *f,
					   struct span *bytes,
					   struct span *message)
{
	enum framing_what what = take_line(f, bytes, message);
	return what == FRAMING_MESSAGE ? FRAMING_NO_LENGTH : what;
}

static enum framing_what take_octets(struct framing *f, struct span *bytes,
				     struct span *message)
{
	while (bytes->len > 0) {
		size_t length, used;
		if (bytes->ptr[0] == '\n' || bytes->ptr[0] == '\0') {
			skip(bytes, 1);
			continue;
		}
		switch (read_length(*bytes, &length, &used)) {
		case LENGTH_GOOD:
			break;
		case LENGTH_INCOMPLETE:
			return FRAMING_MORE;
		case LENGTH_BAD:
			return take_line_instead(f, bytes, message);
		}
		bool is_truncated = length > f->bytes_max;
		size_t taken = is_truncated ? f->bytes_max : length;
		if (bytes->len - used < taken)
			return FRAMING_MORE;
		*message = span_make(bytes->ptr + used, taken);
		skip(bytes, used + taken);
		f->octets_left = length - taken;
		if (taken > 0)
			return is_truncated ? FRAMING_TRUNCATED
					    : FRAMING_MESSAGE;
	}
	return FRAMING_MORE;
}

void framing_init(struct framing *f, enum framing_kind kind, size_t bytes_max)
{
	*f = (struct framing){.kind = kind, .bytes_max = bytes_max};
}

enum framing_what framing_take(struct framing *f, struct span *bytes,
			       struct span *message)
{
	/* For either kind, because a reload may have changed the kind. */
	skip_rest_of_octets(f, bytes);
	skip_rest_of_line(f, bytes);
	if (f->kind == FRAMING_OCTETS)
		return take_octets(f, bytes, message);
	return take_line(f, bytes, message);
}

bool framing_end(struct framing *f, struct span rest, struct span *message)
{
	size_t length, used;
	if (f->kind == FRAMING_OCTETS && rest.len > 0) {
		enum length_read read = read_length(rest, &length, &used);
		if (read == LENGTH_INCOMPLETE)
			return false;
		if (read == LENGTH_GOOD)
			skip(&rest, used);
	}
	*message = rest;
	return rest.len > 0;
}
