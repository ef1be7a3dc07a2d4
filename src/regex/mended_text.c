/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/mended_text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* U+10FE00 plus the byte. */
enum { PRIVATE_BYTES = 4 };

static void put_private(struct mended_text *m, unsigned char byte)
{
	char *place = buf_reserve(&m->breaks, sizeof m->text.len);
	memcpy(place, &m->text.len, sizeof m->text.len);
	m->breaks.len += sizeof m->text.len;
	place = buf_reserve(&m->text, PRIVATE_BYTES);
	place[0] = '\xf4';
	place[1] = '\x8f';
	place[2] = (char)(0xb8 | byte >> 6);
	place[3] = (char)(0x80 | (byte & 0x3f));
	m->text.len += PRIVATE_BYTES;
}

void mended_text_init(struct mended_text *m, struct span text)
{
	*m = (struct mended_text){0};
	size_t at = 0, kept = 0;
	while (at < text.len) {
		const unsigned char *p = (const unsigned char *)text.ptr + at;
		uint32_t character;
		size_t len = utf8_read(p, text.len - at, &character);
		if (len == 0) {
			if (at > kept)
				buf_put(&m->text, text.ptr + kept, at - kept);
			put_private(m, *p);
			kept = at + 1;
		}
		at += len > 0 ? len : 1;
	}
	buf_put(&m->text, text.ptr + kept, at - kept);
}

void mended_text_fini(struct mended_text *m)
{
	buf_fini(&m->text);
	buf_fini(&m->breaks);
}

size_t mended_text_source_at(const struct mended_text *m, size_t offset)
{
	const size_t *breaks = (const size_t *)(const void *)m->breaks.ptr;
	size_t low = 0, high = m->breaks.len / sizeof *breaks;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (breaks[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return offset - low * (PRIVATE_BYTES - 1);
}
