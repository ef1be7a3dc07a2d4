/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/syslog.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "parse/time_format.h"
#include "record/record.h"

enum { PRI_MAX = 191 }; /* RFC 5424 6.2.1 */

struct syslog_parser {
	struct time_format *bsd;      /* Nov 21 02:08:26 */
	struct time_format *iso;      /* 2003-10-11T22:14:15Z */
	struct time_format *fraction; /* 2003-10-11T22:14:15.003Z */
};

struct syslog_cursor {
	const char *at;
	const char *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Characters that end a tag.  JSON has one of them within a few bytes. */
static bool ends_tag(char c)
{
	static const bool ends[256] = {
		['\0'] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true,
		[' '] = true,  [':'] = true,  ['['] = true,  [']'] = true,
		['{'] = true,  ['}'] = true,  ['"'] = true,  ['\''] = true,
		[','] = true,  [';'] = true,  ['='] = true,
	};
	return ends[(unsigned char)c];
}

static bool take_char(struct syslog_cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static void skip_spaces(struct syslog_cursor *c)
{
	while (take_char(c, ' '))
		;
}

/* Take the text up to a space or the end, and pass the space. */
static struct span take_word(struct syslog_cursor *c)
{
	size_t left = (size_t)(c->end - c->at);
	const char *space = memchr(c->at, ' ', left);
	const char *end = space != NULL ? space : c->end;
	struct span word = span_make(c->at, (size_t)(end - c->at));
	c->at = space != NULL ? space + 1 : end;
	return word;
}

static struct span rest_of(struct syslog_cursor c)
{
	return span_make(c.at, (size_t)(c.end - c.at));
}

static void add(struct record *r, struct span key, struct span text)
{
	if (!span_is_empty(text))
		record_add(r, key, value_string(text));
}

/* In RFC 5424, "-" stands for a missing value. */
static void add_unless_nil(struct record *r, struct span key, struct span text)
{
	if (!span_equals(text, SPAN("-")))
		add(r, key, text);
}

/* Take "<190>"; *pri is the digits. */
static bool take_pri(struct syslog_cursor *c, struct span *pri)
{
	struct syslog_cursor at = *c;
	if (!take_char(&at, '<'))
		return false;
	const char *digits = at.at;
	int value = 0;
	while (at.at < at.end && is_digit(*at.at) && at.at - digits < 3)
		value = value * 10 + (*at.at++ - '0');
	*pri = span_make(digits, (size_t)(at.at - digits));
	if (span_is_empty(*pri) || value > PRI_MAX || !take_char(&at, '>'))
		return false;
	*c = at;
	return true;
}

/* Take a text of this shape: 'a' stands for a letter, '9' for a digit, and
 * every other character for itself. */
static bool take_shape(struct syslog_cursor *c, const char *shape)
{
	const char *at = c->at;
	for (; *shape != '\0'; shape++, at++) {
		if (at == c->end)
			return false;
		bool fits = *shape == 'a'   ? is_letter(*at)
			    : *shape == '9' ? is_digit(*at)
					    : *at == *shape;
		if (!fits)
			return false;
	}
	c->at = at;
	return true;
}

static bool at_word_end(const struct syslog_cursor *c)
{
	return c->at == c->end || *c->at == ' ';
}

/* Take "Nov 21 02:08:26", "Nov  1 02:08:26" or "Nov 1 02:08:26". */
static bool take_bsd_time(struct syslog_cursor *c, struct span *text)
{
	struct syslog_cursor at = *c;
	if (!take_shape(&at, "aaa "))
		return false;
	take_char(&at, ' ');
	if ((!take_shape(&at, "99 ") && !take_shape(&at, "9 ")) ||
	    !take_shape(&at, "99:99:99") || !at_word_end(&at))
		return false;
	*text = span_make(c->at, (size_t)(at.at - c->at));
	take_char(&at, ' ');
	*c = at;
	return true;
}

static bool at_iso_time(const struct syslog_cursor *c)
{
	struct syslog_cursor at = *c;
	return take_shape(&at, "9999-99-99T99:99:99");
}

static enum syslog_verdict add_time(struct time_format *format,
				    struct span text, int64_t now_ns,
				    struct record *r)
{
	if (!time_format_read(format, text, now_ns, &r->time_ns))
		return SYSLOG_BAD_TIME;
	add(r, SPAN("time"), text);
	return SYSLOG_PARSED;
}

static enum syslog_verdict add_iso_time(struct syslog_parser *p,
					struct span text, int64_t now_ns,
					struct record *r)
{
	size_t seconds = sizeof "9999-99-99T99:99:99" - 1;
	bool has_fraction = text.len > seconds && text.ptr[seconds] == '.';
	return add_time(has_fraction ? p->fraction : p->iso, text, now_ns, r);
}

/* How many bytes at the beginning may belong to a tag. */
static size_t tag_length(struct span word)
{
	size_t i = 0;
	while (i < word.len && !ends_tag(word.ptr[i]))
		i++;
	return i;
}

/* Take "TAG: " or "TAG[pid]: ".  The colon must end the word, so that an
 * address or the "key": of JSON is not taken for a tag. */
static bool take_tag(struct syslog_cursor *c, struct span *ident,
		     struct span *pid)
{
	struct syslog_cursor at = *c;
	struct span word = take_word(&at);
	if (span_is_empty(word) || word.ptr[--word.len] != ':')
		return false;
	size_t length = tag_length(word);
	*ident = span_make(word.ptr, length);
	*pid = span_make(NULL, 0);
	if (length < word.len) {
		if (word.ptr[length] != '[' || word.ptr[--word.len] != ']')
			return false;
		length++;
		*pid = span_make(word.ptr + length, word.len - length);
	}
	if (span_is_empty(*ident))
		return false;
	*c = at;
	return true;
}

/* Whether the word looks like a host name or an address. */
static bool is_host(struct span word)
{
	for (size_t i = 0; i < word.len; i++)
		if (ends_tag(word.ptr[i]) && word.ptr[i] != ':')
			return false;
	return !span_is_empty(word);
}

/* A relay may put its own name for the sender in front: "RELAYED HOST TAG: ".
 * Two words and a tag may also be plain text.  So this form is accepted only if
 * the message starts with { or if both words are the same name. */
static bool take_relayed_tag(struct syslog_cursor *c, struct span *host,
			     struct span *ident, struct span *pid)
{
	struct span second = take_word(c);
	if (!is_host(second) || !take_tag(c, ident, pid))
		return false;
	bool is_same = second.len == host->len &&
		       strncasecmp(second.ptr, host->ptr, host->len) == 0;
	struct syslog_cursor message = *c;
	skip_spaces(&message);
	if (!is_same && !take_char(&message, '{'))
		return false;
	*host = second;
	return true;
}

static bool take_host_and_tag(struct syslog_cursor *c, struct span *host,
			      struct span *ident, struct span *pid)
{
	*host = take_word(c);
	if (!is_host(*host))
		return false;
	return take_tag(c, ident, pid) || take_relayed_tag(c, host, ident, pid);
}

/* Read "HOST TAG: message", "TAG: message" or only the message. */
static void parse_bsd_rest(struct syslog_cursor c, struct record *r)
{
	struct span host = span_make(NULL, 0), ident, pid;
	struct syslog_cursor at = c;
	bool has_tag = take_tag(&at, &ident, &pid) ||
		       take_host_and_tag(&at, &host, &ident, &pid);
	if (has_tag) {
		add(r, SPAN("host"), host);
		add(r, SPAN("ident"), ident);
		add(r, SPAN("pid"), pid);
		skip_spaces(&at);
		c = at;
	}
	add(r, SPAN("message"), rest_of(c));
}

/* Read RFC 3164, also with the ISO time that rsyslog writes.  If there is no
 * time, everything after the PRI is the message (RFC 3164 4.3.3). */
static enum syslog_verdict parse_bsd(struct syslog_parser *p,
				     struct syslog_cursor c, int64_t now_ns,
				     struct record *r)
{
	enum syslog_verdict verdict;
	struct span time;
	if (take_bsd_time(&c, &time)) {
		verdict = add_time(p->bsd, time, now_ns, r);
	} else if (at_iso_time(&c)) {
		verdict = add_iso_time(p, take_word(&c), now_ns, r);
	} else {
		add(r, SPAN("message"), rest_of(c));
		return SYSLOG_PARSED;
	}
	parse_bsd_rest(c, r);
	return verdict;
}

/* Take one [id name="value"]; in a value, \" \\ and \] are escapes (RFC 5424
 * 6.3.3). */
static bool take_element(struct syslog_cursor *c)
{
	struct syslog_cursor at = *c;
	if (!take_char(&at, '['))
		return false;
	bool in_value = false;
	for (; at.at < at.end; at.at++) {
		if (in_value && *at.at == '\\' && at.at + 1 < at.end) {
			at.at++;
		} else if (*at.at == '"') {
			in_value = !in_value;
		} else if (*at.at == ']' && !in_value) {
			c->at = at.at + 1;
			return true;
		}
	}
	return false;
}

/* Malformed structured data stays part of the message. */
static struct span take_structured_data(struct syslog_cursor *c)
{
	struct syslog_cursor at = *c;
	if (!take_char(&at, '-'))
		while (take_element(&at))
			;
	if (at.at == c->at || !at_word_end(&at))
		return span_make(NULL, 0);
	struct span data = span_make(c->at, (size_t)(at.at - c->at));
	take_char(&at, ' ');
	*c = at;
	return data;
}

/* Take "1 " if a time or nil follows, so that a message "1 ..." is not taken
 * for RFC 5424. */
static bool take_version(struct syslog_cursor *c)
{
	struct syslog_cursor at = *c;
	if (!take_shape(&at, "1 "))
		return false;
	struct syslog_cursor nil = at;
	if (!at_iso_time(&at) && !(take_char(&nil, '-') && at_word_end(&nil)))
		return false;
	*c = at;
	return true;
}

static enum syslog_verdict parse_5424(struct syslog_parser *p,
				      struct syslog_cursor c, int64_t now_ns,
				      struct record *r)
{
	enum syslog_verdict verdict = SYSLOG_PARSED;
	struct span time = take_word(&c);
	if (!span_equals(time, SPAN("-")))
		verdict = add_iso_time(p, time, now_ns, r);
	add_unless_nil(r, SPAN("host"), take_word(&c));
	add_unless_nil(r, SPAN("ident"), take_word(&c));
	add_unless_nil(r, SPAN("pid"), take_word(&c));
	add_unless_nil(r, SPAN("msgid"), take_word(&c));
	add_unless_nil(r, SPAN("extradata"), take_structured_data(&c));
	struct syslog_cursor text = c;
	if (take_char(&text, '\xEF') && take_char(&text, '\xBB') &&
	    take_char(&text, '\xBF'))
		c = text; /* RFC 5424 6.4: the byte order mark of UTF-8 */
	add(r, SPAN("message"), rest_of(c));
	return verdict;
}

static struct span without_line_end(struct span text)
{
	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' ||
				text.ptr[text.len - 1] == '\0'))
		text.len--;
	return text;
}

static struct time_format *new_format(const char *format, struct err *e)
{
	return time_format_new(&(struct time_format_opts){.format = format}, e);
}

struct syslog_parser *syslog_parser_new(struct err *e)
{
	struct syslog_parser *p = mem_new(1, sizeof *p);
	p->bsd = new_format("%b %d %H:%M:%S", e);
	p->iso = new_format("%Y-%m-%dT%H:%M:%S%z", e);
	p->fraction = new_format("%Y-%m-%dT%H:%M:%S.%L%z", e);
	if (p->bsd != NULL && p->iso != NULL && p->fraction != NULL)
		return p;
	syslog_parser_free(p);
	return NULL;
}

void syslog_parser_free(struct syslog_parser *p)
{
	if (p == NULL)
		return;
	time_format_free(p->bsd);
	time_format_free(p->iso);
	time_format_free(p->fraction);
	free(p);
}

enum syslog_verdict syslog_parse(struct syslog_parser *p, struct span text,
				 int64_t now_ns, struct record *into)
{
	text = without_line_end(text);
	if (span_is_empty(text))
		return SYSLOG_NO_PRI;
	struct syslog_cursor c = {text.ptr, text.ptr + text.len};
	struct span pri;
	if (!take_pri(&c, &pri)) {
		add(into, SPAN("message"), text);
		return SYSLOG_NO_PRI;
	}
	add(into, SPAN("pri"), pri);
	if (take_version(&c))
		return parse_5424(p, c, now_ns, into);
	return parse_bsd(p, c, now_ns, into);
}
