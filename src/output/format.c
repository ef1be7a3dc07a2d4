/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "conf/conf.h"
#include "output/kinds.h"

static const struct format_ops *const kinds[] = {
	&format_out_file_ops, /* the default, as in Fluent Bit */
	&format_plain_ops,
	&format_template_ops,
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Whether any of eight bytes is a control character.  The usual arithmetic
 * on all bytes at once: a borrow can only come from a byte that is one. */
static bool has_control(uint64_t bytes)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t del = bytes ^ (ones * 0x7f);
	uint64_t below_20 = (bytes - ones * 0x20) & ~bytes;
	uint64_t equals_7f = (del - ones) & ~del;
	return ((below_20 | equals_7f) & (ones * 0x80)) != 0;
}

/* How many bytes from the start need no escape. */
static size_t plain_length(const char *bytes, size_t len)
{
	size_t at = 0;
	for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t eight;
		memcpy(&eight, bytes + at, sizeof eight);
		if (has_control(eight))
			break;
	}
	while (at < len && !is_control((unsigned char)bytes[at]))
		at++;
	return at;
}

static void put_control(struct buf *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[0x20] = {['\b'] = 'b',
					   ['\f'] = 'f',
					   ['\n'] = 'n',
					   ['\r'] = 'r',
					   ['\t'] = 't'};
	if (c < sizeof letters && letters[c] != '\0') {
		const char escape[] = {'\\', letters[c]};
		buf_put(out, escape, sizeof escape);
		return;
	}
	const char escape[] = {'\\',	       'u',	      '0', '0',
			       digits[c >> 4], digits[c & 15]};
	buf_put(out, escape, sizeof escape);
}

struct format *format_open(struct conf_section *s, struct err *e)
{
	const char *names[KIND_COUNT + 1] = {NULL};
	for (size_t i = 0; i < KIND_COUNT; i++)
		names[i] = kinds[i]->name;
	size_t kind = 0;
	if (!conf_get_choice(s, "Format", names, &kind, e))
		return NULL;
	struct format *f = kinds[kind]->open(s, e);
	if (f != NULL)
		f->ops = kinds[kind];
	return f;
}

void format_close(struct format *f)
{
	if (f != NULL)
		f->ops->close(f);
}

void format_put_escaped(struct buf *out, struct span s)
{
	while (s.len > 0) {
		size_t plain = plain_length(s.ptr, s.len);
		buf_put(out, s.ptr, plain);
		if (plain == s.len)
			return;
		put_control(out, (unsigned char)s.ptr[plain]);
		s = span_make(s.ptr + plain + 1, s.len - plain - 1);
	}
}
