/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/ruby_class.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

enum { DEPTH_MAX = 32 };

/* A class that is being read. */
struct class
{
	struct ruby_set set;
	struct buf *members; /* the members as text; needed if is_text */
	bool is_text;	     /* has a member that a set cannot hold */
	bool is_computed;    /* contains && or a negated class */
};

static void set_add(struct ruby_set *s, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		s->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool set_has(const struct ruby_set *s, unsigned i)
{
	return (s->bits[i / 64] >> (i % 64) & 1) != 0;
}

static void set_join(struct ruby_set *s, const struct ruby_set *other)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] |= other->bits[i];
}

static void set_intersect(struct ruby_set *s, const struct ruby_set *other)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] &= other->bits[i];
}

static void set_invert(struct ruby_set *s)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] = ~s->bits[i];
}

static void set_fold_case(struct ruby_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		unsigned upper = c - 'a' + 'A';
		if (set_has(s, c))
			set_add(s, upper, upper);
		else if (set_has(s, upper))
			set_add(s, c, c);
	}
}

static bool at_end(const struct ruby_cursor *c)
{
	return c->at == c->text.len;
}

bool ruby_letter_set(char letter, struct ruby_set *s)
{
	*s = (struct ruby_set){{0}};
	switch (letter) {
	case 'h':
	case 'H':
		set_add(s, 'a', 'f');
		set_add(s, 'A', 'F');
		set_add(s, '0', '9');
		break;
	case 'w':
	case 'W':
		set_add(s, 'a', 'z');
		set_add(s, 'A', 'Z');
		set_add(s, '_', '_');
		set_add(s, '0', '9');
		break;
	case 'd':
	case 'D':
		set_add(s, '0', '9');
		break;
	case 's':
	case 'S':
		set_add(s, '\t', '\r');
		set_add(s, ' ', ' ');
		break;
	default:
		return false;
	}
	if (letter < 'a')
		set_invert(s);
	return true;
}

static void put_range(struct buf *out, uint32_t first, uint32_t last)
{
	ruby_put_code(out, first);
	if (last > first) {
		buf_put_char(out, '-');
		ruby_put_code(out, last);
	}
}

void ruby_put_set(struct buf *out, const struct ruby_set *set)
{
	/* A set with \xff, written as [^...], also matches everything beyond
	 * ASCII; and PCRE2 is fast for [^x]. */
	bool is_negative = set_has(set, 255);
	size_t empty = out->len + 1 + is_negative;
	buf_put_text(out, is_negative ? "[^" : "[");
	for (unsigned i = 0; i < 256; i++) {
		unsigned first = i;
		while (i < 256 && set_has(set, i) != is_negative)
			i++;
		if (i > first)
			put_range(out, first, i - 1);
	}
	if (out->len == empty) {
		out->len -= 1 + is_negative;
		buf_put_text(out, is_negative ? "(?s:.)" : "(?!)");
		return;
	}
	buf_put_char(out, ']');
}

struct posix {
	const char *name;
	int (*holds)(int);
};

static int is_word(int c)
{
	return isalnum(c) || c == '_';
}

static int is_ascii(int c)
{
	return c < 0x80;
}

static const struct posix posix_classes[] = {
	{"alnum", isalnum}, {"alpha", isalpha},	  {"ascii", is_ascii},
	{"blank", isblank}, {"cntrl", iscntrl},	  {"digit", isdigit},
	{"graph", isgraph}, {"lower", islower},	  {"print", isprint},
	{"punct", ispunct}, {"space", isspace},	  {"upper", isupper},
	{"word", is_word},  {"xdigit", isxdigit},
};

static const struct posix *find_posix(struct span name)
{
	size_t count = sizeof posix_classes / sizeof *posix_classes;
	for (size_t i = 0; i < count; i++) {
		const char *known = posix_classes[i].name;
		if (strlen(known) == name.len &&
		    strncasecmp(known, name.ptr, name.len) == 0)
			return &posix_classes[i];
	}
	return NULL;
}

/* PCRE2 knows Unicode's names; Ruby also has the names of POSIX. */
bool ruby_put_property(struct ruby_cursor *c, bool in_class, struct buf *out)
{
	bool is_negative = c->text.ptr[c->at - 1] == 'P';
	size_t start = c->at;
	const char *open = c->text.ptr + c->at;
	const char *close = ruby_peek(c, 0) == '{'
				    ? memchr(open, '}', c->text.len - c->at)
				    : NULL;
	if (close == NULL)
		return ruby_fail_at(c, start, "\\p{Name} expected");
	c->at += (size_t)(close - open) + 1;
	struct span name = span_make(open + 1, (size_t)(close - open) - 1);
	if (name.len > 0 && name.ptr[0] == '^') {
		is_negative = !is_negative;
		name = span_make(name.ptr + 1, name.len - 1);
	}
	const struct posix *posix = find_posix(name);
	if (posix != NULL) {
		buf_put_text(out, in_class ? "" : "[");
		buf_printf(out, "[:%s%s:]", is_negative ? "^" : "",
			   posix->name);
		buf_put_text(out, in_class ? "" : "]");
		return true;
	}
	buf_put_text(out, is_negative ? "\\P{" : "\\p{");
	buf_put_span(out, name);
	buf_put_char(out, '}');
	return true;
}

static void class_add_set(struct class *k, const struct ruby_set *set)
{
	set_join(&k->set, set);
	for (unsigned i = 0; i < 256; i++) {
		unsigned first = i;
		while (i < 256 && set_has(set, i))
			i++;
		if (i > first)
			put_range(k->members, first,
				  i == 256 ? RUBY_CODE_MAX : i - 1);
	}
}

static bool class_add_range(const struct ruby_cursor *c, struct class *k,
			    uint32_t first, uint32_t last)
{
	if (first > last)
		return ruby_fail_at(c, c->at, "an empty range in a class");
	put_range(k->members, first, last);
	if (last > 0xff || (c->is_utf && last > 0x7f))
		k->is_text = true;
	else
		set_add(&k->set, first, last);
	return true;
}

/* Whether :] follows before any other ]; only then does Ruby read [:name:]. */
static bool at_posix(const struct ruby_cursor *c)
{
	if (ruby_peek(c, 0) != ':')
		return false;
	for (size_t i = c->at + 1; i + 1 < c->text.len; i++) {
		char byte = c->text.ptr[i];
		if (byte == ':' && c->text.ptr[i + 1] == ']')
			return true;
		if (byte == ']')
			return false;
		if (byte == '\\')
			i++;
	}
	return false;
}

static bool read_posix(struct ruby_cursor *c, struct class *k)
{
	size_t start = c->at++;
	bool is_negative = ruby_peek(c, 0) == '^';
	c->at += is_negative;
	size_t name_at = c->at;
	while (ruby_peek(c, 0) != ':')
		c->at++;
	struct span name = span_make(c->text.ptr + name_at, c->at - name_at);
	const struct posix *posix = find_posix(name);
	if (posix == NULL || ruby_peek(c, 1) != ']')
		return ruby_fail_at(c, start, "an unknown [:name:]");
	c->at += 2;
	if (c->is_utf) {
		k->is_text = true;
		buf_printf(k->members, "[:%s%s:]", is_negative ? "^" : "",
			   posix->name);
		return true;
	}
	struct ruby_set set = {{0}};
	for (unsigned i = 0; i < 128; i++)
		if (posix->holds((int)i))
			set_add(&set, i, i);
	if (is_negative)
		set_invert(&set);
	class_add_set(k, &set);
	return true;
}

/* Read a member.  If it is a character, *is_code is true; a set like \d is
 * added to the class. */
static bool read_member(struct ruby_cursor *c, struct class *k, bool *is_code,
			uint32_t *code)
{
	if (at_end(c))
		return ruby_fail_at(c, c->at, "a class without its ]");
	*is_code = true;
	*code = ruby_peek(c, 0);
	if (*code >= 0x80)
		return ruby_read_utf8(c, code);
	c->at++;
	if (*code != '\\')
		return true;
	if (at_end(c))
		return ruby_fail_at(c, c->at, "nothing follows the \\");
	struct ruby_set set;
	char letter = (char)ruby_peek(c, 0);
	if (ruby_letter_set(letter, &set)) {
		c->at++;
		*is_code = false;
		class_add_set(k, &set);
		return true;
	}
	if (letter == 'p' || letter == 'P') {
		c->at++;
		*is_code = false;
		k->is_text = true;
		return ruby_put_property(c, true, k->members);
	}
	if (letter == 'b') {
		c->at++;
		*code = '\b';
		return true;
	}
	if (!ruby_read_code(c, true, is_code, code))
		return false;
	if (*is_code)
		return true;
	*is_code = true;
	if ((unsigned char)letter >= 0x80)
		return ruby_read_utf8(c, code);
	c->at++;
	*code = (unsigned char)letter;
	return true;
}

/* Whether the - at the cursor is between the two ends of a range. */
static bool at_range(const struct ruby_cursor *c)
{
	return ruby_peek(c, 0) == '-' && ruby_peek(c, 1) != ']' &&
	       !(ruby_peek(c, 1) == '&' && ruby_peek(c, 2) == '&');
}

static bool read_members(struct ruby_cursor *c, struct class *k)
{
	bool is_code;
	uint32_t first;
	if (!read_member(c, k, &is_code, &first))
		return false;
	if (!is_code)
		return true;
	uint32_t last = first;
	if (at_range(c)) {
		size_t start = c->at++;
		is_code = ruby_peek(c, 0) != '[';
		if (is_code && !read_member(c, k, &is_code, &last))
			return false;
		if (!is_code)
			return ruby_fail_at(c, start,
					    "a range that ends in a class");
	}
	return class_add_range(c, k, first, last);
}

/* Nested classes share one buffer of members, because a class contains the
 * members of a class in it.  The buffer is not used if the class is computed.
 */
static bool read_class(struct ruby_cursor *c, unsigned depth, struct class *k,
		       bool *is_negative)
{
	size_t start = c->at;
	struct ruby_set before_and = {
		{~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)}};
	if (depth > DEPTH_MAX)
		return ruby_fail_at(c, start, "classes nested too deep");
	*is_negative = ruby_peek(c, 0) == '^';
	c->at += *is_negative;
	for (bool is_first = true;; is_first = false) {
		if (at_end(c))
			return ruby_fail_at(c, start, "a class without its ]");
		unsigned char next = ruby_peek(c, 0);
		if (next == ']' && !is_first)
			break;
		if (next == '&' && ruby_peek(c, 1) == '&') {
			c->at += 2;
			k->is_computed = true;
			set_intersect(&before_and, &k->set);
			k->set = (struct ruby_set){{0}};
			continue;
		}
		if (next != '[') {
			if (!read_members(c, k))
				return false;
			continue;
		}
		c->at++;
		if (at_posix(c)) {
			if (!read_posix(c, k))
				return false;
			continue;
		}
		bool inner_is_negative;
		struct class inner = {.members = k->members};
		if (!read_class(c, depth + 1, &inner, &inner_is_negative))
			return false;
		if (inner_is_negative)
			set_invert(&inner.set);
		set_join(&k->set, &inner.set);
		k->is_computed = k->is_computed || inner.is_computed ||
				 inner_is_negative;
		k->is_text = k->is_text || inner.is_text;
	}
	c->at++;
	set_intersect(&k->set, &before_and);
	return true;
}

bool ruby_put_class(struct ruby_cursor *c, bool is_caseless, struct buf *out)
{
	size_t start = c->at;
	struct buf members = {0};
	struct class k = {.members = &members};
	bool is_negative;
	bool ok = read_class(c, 1, &k, &is_negative);
	if (ok && k.is_text && k.is_computed)
		ok = ruby_fail_at(c, start,
				  "Unicode characters in a class with && or a "
				  "negated class in it are not supported");
	if (ok && k.is_text) {
		buf_put_text(out, is_negative ? "[^" : "[");
		buf_put_span(out, buf_span(&members));
		buf_put_char(out, ']');
	} else if (ok) {
		if (is_caseless)
			set_fold_case(&k.set);
		if (is_negative)
			set_invert(&k.set);
		ruby_put_set(out, &k.set);
	}
	buf_fini(&members);
	return ok;
}
