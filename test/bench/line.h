/* SPDX-License-Identifier: Apache-2.0 */
/* line - the numbered lines of the benchmarks.  The sender writes them as
 * nginx's JSON; the checker expects them as the fields that a collector writes.
 *
 *     <190>Nov 21 06:44:51 gw-1 nginx: {"vhost":"shop000.example", ... }
 *
 * The number and the shape determine a line.  Every value has a fixed width, so
 * all written lines of one shape have the same length.  One line in sixteen has
 * two escaped quotes, and its datagram is two bytes longer.
 *
 * Each program includes this file once.  The caller owns all memory. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LINE_FIELDS = 22, /* nginx's; further fields are called extra_23 ... */
	LINE_FIELDS_MAX = 64,
	LINE_WRITTEN = 12, /* the first fields, which a usual line writes */
	LINES_PER_SECOND = 2000, /* lines per second of log time */
	LINE_DAYS_MAX = 100,
	LINE_BYTES_MAX = 8192,
	LINE_NUMBER_DIGITS = 32 /* of request_id, which ends with the number */
};

struct shape {
	long size_bytes; /* of the datagram */
	long fields;	 /* sent */
	long written;	 /* the number of fields written, the first ones */
	long vhosts;	 /* in turn */
	long days;	 /* in turn, backwards */
	long epoch;	 /* the time of line 0 */
	long tail_bytes; /* padding of the user agent for size_bytes */
};

/* The shortest line has the first four fields; a usual line writes the first
 * twelve. */
static const char *const line_names[LINE_FIELDS] = {"vhost",
						    "request_id",
						    "time_iso8601",
						    "user_agent",
						    "remote_addr",
						    "method",
						    "uri",
						    "status",
						    "body_bytes_sent",
						    "request_time",
						    "upstream_response_time",
						    "referer",
						    "msec",
						    "remote_port",
						    "x_forwarded_for",
						    "scheme",
						    "args",
						    "protocol",
						    "bytes_sent",
						    "request_length",
						    "upstream_addr",
						    "upstream_status"};

static inline void line_name(long field, char name[32])
{
	if (field < LINE_FIELDS)
		snprintf(name, 32, "%s", line_names[field]);
	else
		snprintf(name, 32, "extra_%02ld", field + 1);
}

/* Append text.  The caller must ensure that it fits. */
static inline char *put(char *at, const char *text)
{
	size_t length = strlen(text);
	memcpy(at, text, length);
	return at + length;
}

static inline char *put_number(char *at, long number, int digits)
{
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
	return at + digits;
}

static inline time_t line_time(const struct shape *s, long number)
{
	return s->epoch + number / LINES_PER_SECOND - number % s->days * 86400;
}

static inline bool line_is_escaped(long number)
{
	return number % 16 == 7;
}

/* Append a request_id: digits that look random, then the number. */
static inline char *put_id(char *at, long number)
{
	uint64_t mixed = ((uint64_t)number + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < LINE_NUMBER_DIGITS - 12; i++, mixed = mixed >> 3)
		*at++ = "0123456789abcdef"[mixed & 15];
	return put_number(at, number, 12);
}

/* Append the time in the form of the syslog header or of time_iso8601. */
static inline char *put_time(char *at, const struct shape *s, long number,
			     bool is_header)
{
	/* The last text of each day, which is kept while the second is the
	 * same. */
	static struct {
		time_t second;
		char text[64];
	} last[2][LINE_DAYS_MAX];
	time_t second = line_time(s, number);
	long day = number % s->days;
	if (last[is_header][day].second != second) {
		struct tm tm;
		gmtime_r(&second, &tm);
		last[is_header][day].second = second;
		char *text = last[is_header][day].text;
		if (is_header)
			strftime(text, 64, "%b %e %H:%M:%S", &tm);
		else
			strftime(text, 64, "%Y-%m-%dT%H:%M:%S+00:00", &tm);
	}
	return put(at, last[is_header][day].text);
}

/* Append the value of a field, as in JSON or as a collector writes it. */
static inline char *put_value(char *at, const struct shape *s, long number,
			      long field, bool is_json)
{
	switch (field) {
	case 0:
		at = put(at, "shop");
		at = put_number(at, number % s->vhosts, 4);
		return put(at, ".example");
	case 1:
		return put_id(at, number);
	case 2:
		return put_time(at, s, number, false);
	case 3: {
		const char *quote =
			line_is_escaped(number) ? is_json ? "\\\"" : "\"" : "'";
		at = put(at, "M/5 ");
		at = put(at, quote);
		at = put(at, "X11");
		at = put(at, quote);
		memset(at, 'u', (size_t)s->tail_bytes);
		return at + s->tail_bytes;
	}
	case 4:
		at = put(at, "198.51.100.");
		return put_number(at, 100 + number % 156, 3);
	case 5:
		return put(at, number % 5 == 0 ? "POST" : "HEAD");
	case 6:
		at = put(at, "/catalog/items/");
		return put_number(at, number % 100000, 6);
	case 7:
		return put_number(at, 200 + number % 7 / 6 * 204, 3);
	case 8:
		return put_number(at, 10000 + number % 80000, 5);
	case 9:
	case 10:
		at = put(at, "0.");
		return put_number(at, number % 1000, 3);
	case 11:
		return put(at, "https://www.example.com/catalog/");
	case 12:
		at = put_number(at, line_time(s, number), 10);
		at = put(at, ".");
		return put_number(at, number % 1000, 3);
	case 13:
		return put_number(at, 10000 + number % 50000, 5);
	case 14:
		return put(at, "203.0.113.7, 198.51.100.24");
	case 15:
		return put(at, "https");
	case 16:
		return put(at, "page=1&sort=price");
	case 17:
		return put(at, "HTTP/1.1");
	case 18:
		return put_number(at, 10300 + number % 80000, 5);
	case 19:
		return put_number(at, 1200 + number % 800, 4);
	case 20:
		return put(at, "127.0.0.1:8081");
	case 21:
		return put(at, "200");
	default:
		return put(at, "a value that nobody asks for");
	}
}

/* Write the datagram with that number to `text`.  Returns its length. */
static inline size_t line_datagram(const struct shape *s, long number,
				   char *text)
{
	char *at = put(text, "<190>");
	at = put_time(at, s, number, true);
	at = put(at, " gw-1 nginx: {");
	for (long i = 0; i < s->fields; i++) {
		char name[32];
		at = put(at, i == 0 ? "\"" : ",\"");
		if (i < LINE_FIELDS) {
			at = put(at, line_names[i]);
		} else {
			line_name(i, name);
			at = put(at, name);
		}
		at = put(at, "\":\"");
		at = put_value(at, s, number, i, true);
		*at++ = '"';
	}
	*at++ = '}';
	return (size_t)(at - text);
}

/* Write the line that a collector writes for that datagram to `text`:
 * name:value of the first fields, separated by tabs, and a newline.  If
 * shape.written is 0, the line is the datagram and a newline.  Returns the
 * length of the line. */
static inline size_t line_written(const struct shape *s, long number,
				  char *text)
{
	char *at = text;
	if (s->written == 0)
		at += line_datagram(s, number, text);
	for (long i = 0; i < s->written; i++) {
		char name[32];
		line_name(i, name);
		at = put(at, i == 0 ? "" : "\t");
		at = put(at, name);
		at = put(at, ":");
		at = put_value(at, s, number, i, false);
	}
	*at++ = '\n';
	return (size_t)(at - text);
}

/* Choose the padding so that a datagram has the size.  False if the size is too
 * small. */
static inline bool shape_fit(struct shape *s)
{
	char text[LINE_BYTES_MAX];
	s->tail_bytes = 0;
	s->tail_bytes = s->size_bytes - (long)line_datagram(s, 0, text);
	return s->tail_bytes >= 0 && s->size_bytes <= 4096;
}

#define SHAPE_OPTIONS "z:f:w:v:d:t:"
#define SHAPE_DEFAULT                                           \
	{                                                       \
		.size_bytes = 800, .fields = LINE_FIELDS,       \
		.written = LINE_WRITTEN, .vhosts = 1, .days = 1 \
	}

/* Read an option of a shape.  False if the option does not belong to one. */
static inline bool shape_option(struct shape *s, int option, const char *value)
{
	long number = value == NULL ? 0 : strtol(value, NULL, 10);
	switch (option) {
	case 'z':
		s->size_bytes = number;
		return true;
	case 'f':
		s->fields = number;
		return number >= 4 && number <= LINE_FIELDS_MAX;
	case 'w':
		s->written = number;
		return number >= 0 && number <= LINE_WRITTEN;
	case 'v':
		s->vhosts = number;
		return number >= 1 && number <= 9999;
	case 'd':
		s->days = number;
		return number >= 1 && number <= LINE_DAYS_MAX;
	case 't':
		s->epoch = number;
		return true;
	default:
		return false;
	}
}

#endif
