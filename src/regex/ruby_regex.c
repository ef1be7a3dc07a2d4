/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/ruby_regex.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "regex/ruby_class.h"
#include "regex/ruby_reference.h"
#include "regex/ruby_runs.h"

/* The kind of the last item, which a following quantifier would repeat.  PCRE2
 * needs (?:) around some items. */
enum last { LAST_NOTHING, LAST_ATOM, LAST_NEEDS_GROUP };

struct regex_group {
	size_t text_at;	  /* where it begins in the translated text */
	unsigned closers; /* how many ) to add for (?i), before its own */
	bool is_caseless;
	bool is_dotall;
	bool is_extended;
};

struct scan {
	struct ruby_cursor in;
	struct buf *out;
	struct ruby_references refs;
	struct ruby_runs runs;
	bool tells_apart; /* see ruby_regex.h */
	enum last last;
	size_t last_text_at; /* where that item begins in `out` */
	size_t depth;
	struct regex_group groups[RUBY_DEPTH_MAX]; /* [0]: all of it */
};

static bool fail(const struct scan *s, const char *what)
{
	return ruby_fail_at(&s->in, s->in.at, what);
}

static struct regex_group *top(struct scan *s)
{
	return &s->groups[s->depth];
}

static bool at_end(const struct scan *s)
{
	return s->in.at == s->in.text.len;
}

static void begin(struct scan *s, enum last kind)
{
	s->last = kind;
	s->last_text_at = s->out->len;
	ruby_runs_item(&s->runs);
}

/* Copy source bytes unchanged. */
static void copy(struct scan *s, size_t count)
{
	buf_put(s->out, s->in.text.ptr + s->in.at, count);
	s->in.at += count;
}

/* An atom was written that matches characters beyond ASCII: [^ ], \S or a dot.
 * If it repeats greedily without bound, matching bytes gives the same result,
 * unless it splits a character. */
static void note_wide(struct scan *s)
{
	unsigned char repeat = ruby_peek(&s->in, 0);
	if ((repeat == '*' || repeat == '+') && ruby_peek(&s->in, 1) != '?')
		ruby_runs_run(&s->runs);
	else
		s->tells_apart = true;
}

static void note_set(struct scan *s)
{
	const char *atom = buf_text(s->out) + s->last_text_at;
	if (strncmp(atom, "[^", 2) == 0 || strncmp(atom, "(?s:.)", 6) == 0)
		note_wide(s);
}

/* Read a letter that is neither a set nor a character nor a number. */
static bool put_other_escape(struct scan *s, unsigned char letter)
{
	s->in.at++;
	switch (letter) {
	case 'k':
	case 'g':
		ruby_runs_note_reference(&s->runs);
		return ruby_put_reference(&s->in, &s->refs, (char)letter,
					  s->out);
	case 'p':
	case 'P':
		return ruby_put_property(&s->in, false, s->out);
	case 'R': /* PCRE2's \R would match the byte \x85 */
		s->tells_apart = true;
		buf_put_text(s->out,
			     s->in.is_utf ? "\\R" : "(?>\\r\\n|[\\n-\\r])");
		return true;
	case 'A':
	case 'B':
	case 'b':
	case 'G':
	case 'K':
	case 'X':
	case 'Z':
	case 'z':
		s->last = letter == 'X' ? LAST_ATOM : LAST_NEEDS_GROUP;
		if (letter == 'b' || letter == 'B')
			s->tells_apart = true;
		if (letter == 'K')
			ruby_runs_note_reference(&s->runs);
		if (letter == 'A' || letter == 'G')
			ruby_runs_note_begin(&s->runs);
		buf_put_char(s->out, '\\');
		buf_put_char(s->out, (char)letter);
		return true;
	default: /* the letter itself; \LETTER may mean something to PCRE2 */
		if (!isalnum(letter) && letter < 0x80)
			buf_put_char(s->out, '\\');
		buf_put_char(s->out, (char)letter);
		return true;
	}
}

/* Read the escape after a backslash outside of a class. */
static bool put_escape(struct scan *s)
{
	if (at_end(s))
		return fail(s, "nothing follows the \\");
	begin(s, LAST_ATOM);
	unsigned char letter = ruby_peek(&s->in, 0);
	struct ruby_set set;
	if (ruby_letter_set((char)letter, &set)) {
		s->in.at++;
		ruby_put_set(s->out, &set);
		note_set(s);
		return true;
	}
	if (ruby_at_back_reference(&s->in, &s->refs)) {
		ruby_runs_note_reference(&s->runs);
		ruby_put_back_reference(&s->in, &s->refs, s->out);
		return true;
	}
	bool is_code;
	uint32_t code;
	if (!ruby_read_code(&s->in, true, &is_code, &code))
		return false;
	if (is_code) {
		ruby_put_code(s->out, code);
		return true;
	}
	return put_other_escape(s, letter);
}

static bool push(struct scan *s, char kind)
{
	if (s->depth + 1 == RUBY_DEPTH_MAX)
		return fail(s, "groups nested too deep");
	ruby_runs_open(&s->runs, kind);
	struct regex_group inner = *top(s);
	inner.text_at = s->out->len;
	inner.closers = 0;
	s->depth++;
	*top(s) = inner;
	s->last = LAST_NOTHING;
	return true;
}

static void put_options(struct scan *s)
{
	bool i = top(s)->is_caseless;
	bool m = top(s)->is_dotall;
	buf_printf(s->out, "(?%s%s%s%s%s:", i ? "i" : "", m ? "s" : "",
		   i && m ? "" : "-", i ? "" : "i", m ? "" : "s");
}

/* "(?imx-imx)" applies up to the end of the surrounding group, even beyond a |,
 * like "(?imx-imx:". */
static bool open_options(struct scan *s)
{
	struct regex_group now = *top(s);
	bool is_on = true;
	unsigned char c;
	s->in.at += 2;
	while ((c = ruby_peek(&s->in, 0)) != ':' && c != ')') {
		if (c == '-')
			is_on = false;
		else if (c == 'i')
			now.is_caseless = is_on;
		else if (c == 'm')
			now.is_dotall = is_on;
		else if (c == 'x')
			now.is_extended = is_on;
		else
			return fail(s, "an unknown kind of group");
		s->in.at++;
	}
	s->in.at++;
	if (c == ':' && !push(s, ':'))
		return false;
	if (c == ')') {
		now.closers++;
		ruby_runs_open_options(&s->runs);
	} else {
		now.closers = 0;
	}
	now.text_at = top(s)->text_at;
	*top(s) = now;
	put_options(s);
	s->last = LAST_NOTHING;
	return true;
}

/* Read "(?(1)yes|no)" or "(?(<name>)yes|no)". */
static bool open_condition(struct scan *s)
{
	ruby_runs_note_reference(&s->runs);
	s->in.at += 3;
	unsigned char first = ruby_peek(&s->in, 0);
	if (!push(s, ':'))
		return false;
	buf_put_text(s->out, "(?(");
	if (isdigit(first)) {
		ruby_note_number(&s->refs, s->in.at);
		while (isdigit(ruby_peek(&s->in, 0)))
			copy(s, 1);
	} else {
		struct span name;
		if (!ruby_read_reference(&s->in, &name))
			return false;
		ruby_put_name(&s->refs, name, s->out);
	}
	if (ruby_peek(&s->in, 0) != ')')
		return fail(s, "(?(<name>) expected");
	copy(s, 1);
	return true;
}

static bool open_named(struct scan *s)
{
	s->in.at += 2;
	struct span name;
	if (!ruby_read_reference(&s->in, &name) || !push(s, ':'))
		return false;
	if (ruby_is_number(name))
		return fail(s, "a group name that begins with a digit or sign");
	buf_put_text(s->out, "(?");
	ruby_put_name(&s->refs, name, s->out);
	s->refs.captures++;
	s->refs.has_names = true;
	return true;
}

static bool open_group(struct scan *s)
{
	static const char *const same[] = {"(?:", "(?=",  "(?!",
					   "(?>", "(?<=", "(?<!"};
	if (ruby_has(&s->in, "(*"))
		return fail(s, "nothing to repeat");
	if (!ruby_has(&s->in, "(?")) {
		if (!push(s, ':'))
			return false;
		s->refs.captures++;
		copy(s, 1);
		return true;
	}
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		if (ruby_has(&s->in, same[i])) {
			if (!push(s, same[i][2]))
				return false;
			copy(s, strlen(same[i]));
			return true;
		}
	}
	if (ruby_has(&s->in, "(?#"))
		return ruby_skip_comment(&s->in);
	if (ruby_has(&s->in, "(?<") || ruby_has(&s->in, "(?'"))
		return open_named(s);
	if (ruby_has(&s->in, "(?("))
		return open_condition(s);
	if (ruby_has(&s->in, "(?~"))
		return fail(s, "(?~ is not supported");
	return open_options(s);
}

static void put_closers(struct scan *s)
{
	for (; top(s)->closers > 0; top(s)->closers--)
		buf_put_char(s->out, ')');
}

static bool close_group(struct scan *s)
{
	if (s->depth == 0)
		return fail(s, "unmatched )");
	put_closers(s);
	copy(s, 1);
	ruby_runs_close(&s->runs);
	s->last = LAST_ATOM;
	s->last_text_at = top(s)->text_at;
	s->depth--;
	return true;
}

static void wrap_last(struct scan *s)
{
	size_t len = s->out->len - s->last_text_at;
	buf_put_text(s->out, "(?:)");
	char *last = s->out->ptr + s->last_text_at;
	memmove(last + 3, last, len);
	memcpy(last, "(?:", 3);
}

static void begin_repeat(struct scan *s)
{
	if (s->last == LAST_NEEDS_GROUP)
		wrap_last(s);
	if (s->last == LAST_ATOM)
		s->last = LAST_NEEDS_GROUP;
}

/* Read * + or ?, perhaps followed by ? (lazy) or + (possessive). */
static void put_repeat(struct scan *s)
{
	unsigned char c = ruby_peek(&s->in, 0);
	unsigned char next = ruby_peek(&s->in, 1);
	begin_repeat(s);
	ruby_runs_repeat(&s->runs, (char)c, c != '+');
	if (next == '+')
		ruby_runs_make_atomic(&s->runs);
	copy(s, next == '?' || next == '+' ? 2 : 1);
}

/* Read {n} {n,} {n,m} or {,m}; any other { stands for itself.  In Ruby, {n}?
 * and {n,m}+ repeat the interval, which put_repeat handles. */
static void put_interval(struct scan *s)
{
	size_t low = 0;
	bool is_optional = true;
	for (; isdigit(ruby_peek(&s->in, 1 + low)); low++)
		if (ruby_peek(&s->in, 1 + low) != '0')
			is_optional = false;
	bool has_comma = ruby_peek(&s->in, 1 + low) == ',';
	size_t len = 1 + low + has_comma;
	while (has_comma && isdigit(ruby_peek(&s->in, len)))
		len++;
	bool has_any = low > 0 || len > low + 2;
	if (ruby_peek(&s->in, len) != '}' || !has_any) {
		begin(s, LAST_ATOM);
		buf_put_text(s->out, "\\{");
		s->in.at++;
		return;
	}
	begin_repeat(s);
	copy(s, 1);
	ruby_runs_repeat(&s->runs, '{', is_optional);
	if (low == 0)
		buf_put_char(s->out, '0');
	copy(s, len);
	if (has_comma && ruby_peek(&s->in, 0) == '?')
		copy(s, 1);
}

static bool put_class(struct scan *s)
{
	begin(s, LAST_ATOM);
	size_t start = s->in.at++;
	if (!ruby_put_class(&s->in, top(s)->is_caseless, s->out))
		return false;
	if (memmem(s->in.text.ptr + start, s->in.at - start, "[:", 2) != NULL)
		s->tells_apart = true;
	note_set(s);
	return true;
}

static bool put_next(struct scan *s)
{
	unsigned char c = ruby_peek(&s->in, 0);
	if (top(s)->is_extended && ruby_skip_space(&s->in))
		return true;
	switch (c) {
	case '\\':
		s->in.at++;
		return put_escape(s);
	case '[':
		return put_class(s);
	case '(':
		return open_group(s);
	case ')':
		return close_group(s);
	case '*':
	case '+':
	case '?':
		put_repeat(s);
		return true;
	case '{':
		put_interval(s);
		return true;
	case '|':
		s->last = LAST_NOTHING;
		ruby_runs_next_branch(&s->runs);
		copy(s, 1);
		return true;
	case '.':
		begin(s, LAST_ATOM);
		copy(s, 1);
		note_wide(s);
		return true;
	case '^':
	case '$':
		begin(s, LAST_NEEDS_GROUP);
		if (c == '^')
			ruby_runs_note_begin(&s->runs);
		copy(s, 1);
		return true;
	default:
		if ((c & 0xc0) != 0x80) /* only at the start of a character */
			begin(s, LAST_ATOM);
		copy(s, 1);
		return true;
	}
}

/* "/re/imx": remove the slashes and apply the letters; o has no effect. */
static void strip_slashes(struct scan *s)
{
	struct span *text = &s->in.text;
	size_t last = text->len;
	while (last > 1 && memchr("imox", text->ptr[last - 1], 4) != NULL)
		last--;
	if (last < 2 || text->ptr[0] != '/' || text->ptr[last - 1] != '/')
		return;
	for (size_t i = last; i < text->len; i++) {
		char c = text->ptr[i];
		top(s)->is_caseless = top(s)->is_caseless || c == 'i';
		top(s)->is_dotall = top(s)->is_dotall || c == 'm';
		top(s)->is_extended = top(s)->is_extended || c == 'x';
	}
	text->len = last - 1;
	s->in.at = 1;
	if (top(s)->is_caseless || top(s)->is_dotall) {
		put_options(s);
		top(s)->closers = 1;
	}
}

/* Translate up to the point where the text has grown to text_len. */
static bool scan_run(struct scan *s, struct span source, size_t text_len)
{
	s->in.text = source;
	s->in.is_utf = s->in.is_utf || ruby_names_characters(source);
	ruby_runs_init(&s->runs);
	strip_slashes(s);
	while (!at_end(s) && s->out->len < text_len)
		if (!put_next(s))
			return false;
	if (s->depth == 0)
		put_closers(s);
	return true;
}

bool ruby_regex_read(struct span source, bool in_characters,
		     struct ruby_regex *regex, struct err *e)
{
	*regex = (struct ruby_regex){0};
	struct scan s = {
		.in.err = e,
		.in.is_utf = in_characters,
		.out = &regex->text,
		.refs.names = &regex->names,
	};
	bool ok = scan_run(&s, source, SIZE_MAX);
	regex->is_utf = s.in.is_utf;
	regex->has_names = s.refs.has_names;
	regex->tells_apart =
		(s.tells_apart || ruby_runs_split(&s.runs)) && !s.in.is_utf;
	if (ok && s.refs.has_names && s.refs.has_numbers)
		ok = ruby_fail_at(&s.in, s.refs.number_at,
				  "a numbered reference in a pattern with "
				  "named groups (write \\k<name>)");
	if (ok && s.depth > 0)
		ok = fail(&s, "a group without its )");
	return ok;
}

size_t ruby_regex_source_at(struct span source, size_t text_at)
{
	struct err ignored;
	struct buf text = {0}, names = {0};
	struct scan s = {
		.in.err = &ignored, .out = &text, .refs.names = &names};
	bool ok = scan_run(&s, source, text_at);
	(void)ok;
	buf_fini(&text);
	buf_fini(&names);
	return s.in.at;
}
