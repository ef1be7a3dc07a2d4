/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/ruby_code.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

bool ruby_fail_at(const struct ruby_cursor *c, size_t offset, const char *what)
{
	return err_set(c->err, "regular expression: %s at offset %zu", what,
		       offset);
}

unsigned char ruby_peek(const struct ruby_cursor *c, size_t ahead)
{
	if (c->text.len - c->at <= ahead)
		return 0;
	return (unsigned char)c->text.ptr[c->at + ahead];
}

bool ruby_has(const struct ruby_cursor *c, const char *text)
{
	size_t len = strlen(text);
	return c->text.len - c->at >= len &&
	       memcmp(c->text.ptr + c->at, text, len) == 0;
}

bool ruby_skip_comment(struct ruby_cursor *c)
{
	for (c->at += 3; c->at < c->text.len; c->at++) {
		unsigned char next = ruby_peek(c, 0);
		if (next == ')') {
			c->at++;
			return true;
		}
		if (next == '\\')
			c->at++;
		if (c->at == c->text.len)
			break;
	}
	return ruby_fail_at(c, c->at, "a comment without its )");
}

bool ruby_skip_space(struct ruby_cursor *c)
{
	if (isspace(ruby_peek(c, 0))) {
		c->at++;
		return true;
	}
	if (ruby_peek(c, 0) != '#')
		return false;
	while (c->at < c->text.len && ruby_peek(c, 0) != '\n')
		c->at++;
	return true;
}

bool ruby_names_characters(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return true;
		if (text.ptr[i] != '\\' || ++i == text.len)
			continue;
		if (memchr("pPuX", text.ptr[i], 4) != NULL)
			return true;
		if (text.ptr[i] == 'x' && i + 1 < text.len &&
		    text.ptr[i + 1] == '{')
			return true;
	}
	return false;
}

void ruby_put_code(struct buf *out, uint32_t code)
{
	buf_printf(out, "\\x{%02x}", code);
}

static bool read_digits(struct ruby_cursor *c, unsigned base, size_t max,
			uint32_t *value)
{
	size_t count = 0;
	*value = 0;
	for (; count < max; count++, c->at++) {
		unsigned char d = ruby_peek(c, 0);
		unsigned v = isdigit(d) ? d - (unsigned)'0'
					: (unsigned)tolower(d) - 'a' + 10;
		if (!isxdigit(d) || v >= base)
			break;
		*value = *value * base + v;
	}
	return count > 0;
}

static bool read_hex(struct ruby_cursor *c, uint32_t *code)
{
	size_t start = c->at;
	if (ruby_peek(c, 0) == '{') {
		c->at++;
		bool ok = read_digits(c, 16, 7, code) && *code <= RUBY_CODE_MAX;
		if (!ok || ruby_peek(c, 0) != '}')
			return ruby_fail_at(c, start, "\\x{HHHH} expected");
		c->at++;
		return true;
	}
	if (!read_digits(c, 16, 2, code))
		return ruby_fail_at(c, start, "\\xHH expected");
	if (c->is_utf && *code > 0x7f)
		return ruby_fail_at(c, start,
				    "a byte above \\x7f in a pattern with "
				    "Unicode characters (write \\uHHHH)");
	return true;
}

/* \cX or \C-X */
static bool read_control(struct ruby_cursor *c, uint32_t *code)
{
	unsigned char x = ruby_peek(c, 0);
	if (c->at == c->text.len || x == '\\' || x > 0x7f)
		return ruby_fail_at(c, c->at, "\\cX expected");
	c->at++;
	*code = x == '?' ? 0x7f : x & 0x1fU;
	return true;
}

bool ruby_read_code(struct ruby_cursor *c, bool is_octal, bool *is_code,
		    uint32_t *code)
{
	static const char plain[] = "t\tn\nr\rf\fv\va\ae\x1b";
	unsigned char letter = ruby_peek(c, 0);
	*is_code = true;
	for (size_t i = 0; i + 1 < sizeof plain; i += 2) {
		if (letter == (unsigned char)plain[i]) {
			c->at++;
			*code = (unsigned char)plain[i + 1];
			return true;
		}
	}
	if (letter == '0' || (is_octal && letter >= '1' && letter <= '7')) {
		size_t start = c->at;
		if (!read_digits(c, 8, 3, code) || *code > 0xff)
			return ruby_fail_at(c, start,
					    "an octal number above \\377");
		if (c->is_utf && *code > 0x7f)
			return ruby_fail_at(
				c, start,
				"a byte above \\177 in a pattern with "
				"Unicode characters (write "
				"\\uHHHH)");
		return true;
	}
	size_t start = c->at++;
	switch (letter) {
	case 'x':
		return read_hex(c, code);
	case 'u':
		if (read_digits(c, 16, 4, code) && c->at == start + 5)
			return true;
		return ruby_fail_at(c, start, "\\uHHHH expected");
	case 'c':
		return read_control(c, code);
	case 'C':
		if (ruby_peek(c, 0) != '-')
			return ruby_fail_at(c, start, "\\C-X expected");
		c->at++;
		return read_control(c, code);
	case 'M':
		return ruby_fail_at(c, start, "\\M- is not supported");
	default:
		c->at = start;
		*is_code = false;
		return true;
	}
}

bool ruby_read_utf8(struct ruby_cursor *c, uint32_t *code)
{
	unsigned char lead = ruby_peek(c, 0);
	size_t more = lead >= 0xf0   ? 3
		      : lead >= 0xe0 ? 2
		      : lead >= 0xc0 ? 1
				     : 0;
	if (lead < 0xc2 || lead > 0xf4)
		return ruby_fail_at(c, c->at, "not UTF-8");
	*code = lead & (0x3fU >> more);
	for (size_t i = 1; i <= more; i++) {
		unsigned char next = ruby_peek(c, i);
		if ((next & 0xc0) != 0x80)
			return ruby_fail_at(c, c->at, "not UTF-8");
		*code = *code << 6 | (next & 0x3f);
	}
	c->at += more + 1;
	return true;
}
