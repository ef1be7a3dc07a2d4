/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log_output.h"
#include "base/rfc3339.h"
#include "base/utf8.h"

enum {
	LINE_BYTES_MAX = 2048,
	TIME_DIGITS = 3, /* milliseconds */
};

static enum log_level level_now = LOG_INFO;

static const char *const level_names[] = {
	[LOG_OFF] = "off",   [LOG_ERROR] = "error", [LOG_WARN] = "warn",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

bool log_open(const char *path, enum log_level level, struct err *e)
{
	if (!log_output_open(path, e))
		return false;
	level_now = level;
	return true;
}

bool log_is_on(enum log_level level)
{
	return level <= level_now && level != LOG_OFF;
}

static size_t put_head(char *line, enum log_level level, const char *mod)
{
	char time[RFC3339_BYTES];
	rfc3339_format(clock_real_ns(), TIME_DIGITS, time);
	return (size_t)snprintf(line, LINE_BYTES_MAX, "%s level=%s mod=%s ",
				time, level_names[level], mod);
}

/* Before a line, report the lines that were dropped before it. */
static void report_dropped(void)
{
	uint64_t dropped = log_output_take_dropped();
	if (dropped == 0)
		return;
	char line[LINE_BYTES_MAX];
	size_t used = put_head(line, LOG_WARN, "log");
	int n = snprintf(
		line + used, sizeof line - used,
		"err=\"log lines could not be written\" "
		"dropped=%" PRIu64
		" action=\"these lines are lost; collecting continued\"\n",
		dropped);
	if (!log_output_write(line, used + (size_t)n))
		log_output_return_dropped(dropped);
}

PRINTF_LIKE(4, 0)
static void put_line(enum log_level level, const char *mod, uint64_t repeated,
		     const char *format, va_list args)
{
	report_dropped();
	char line[LINE_BYTES_MAX];
	size_t used = put_head(line, level, mod);
	int n = vsnprintf(line + used, sizeof line - used, format, args);
	used += n > 0 ? (size_t)n : 0;
	if (used < sizeof line && repeated > 0) {
		n = snprintf(line + used, sizeof line - used, " repeated=%llu",
			     (unsigned long long)repeated);
		used += (size_t)n;
	}
	if (used > sizeof line - 1)
		used = sizeof line - 1;
	line[used++] = '\n';
	(void)log_output_write(line, used);
}

void log_line(enum log_level level, const char *mod, const char *format, ...)
{
	if (!log_is_on(level))
		return;
	va_list args;
	va_start(args, format);
	put_line(level, mod, 0, format, args);
	va_end(args);
}

static void warn_of_stderr(const char *mod, const char *why)
{
	log_line(LOG_WARN, mod,
		 "err=\"Log_File: %s\" action=\"logging to standard error; "
		 "correct the cause, then send SIGUSR1 or reload\"",
		 why);
}

static void on_opened(const char *path, int error)
{
	char room[LOG_QUOTED_BYTES];
	struct err e;
	if (error == 0)
		log_line(LOG_INFO, "log", "path=%s state=opened",
			 log_quoted(span_of(path), room));
	else if (!err_sys(&e, error, "open %s", path))
		warn_of_stderr("log", e.text);
}

void log_open_or_stderr(const char *path, enum log_level level, const char *mod)
{
	struct err e;
	level_now = level;
	if (!log_output_open_or_stderr(path, on_opened, &e))
		warn_of_stderr(mod, e.text);
}

void log_reopen(void)
{
	log_output_retry(on_opened);
}

void log_failure(const char *text)
{
	char line[LINE_BYTES_MAX];
	log_output_flush();
	int n = snprintf(line, sizeof line, "sluiced: %s\n", text);
	size_t used = n < (int)sizeof line ? (size_t)n : sizeof line - 1;
	line[used - 1] = '\n';
	log_output_write_stderr(line, used);
}

void log_rated(struct log_rate *rate, enum log_level level, const char *mod,
	       const char *format, ...)
{
	if (!log_is_on(level))
		return;
	int64_t now_ns = clock_mono_ns();
	if (now_ns < rate->next_ns) {
		rate->held++;
		return;
	}
	va_list args;
	va_start(args, format);
	put_line(level, mod, rate->held, format, args);
	va_end(args);
	rate->next_ns = now_ns + 10 * NS_PER_S;
	rate->held = 0;
}

/* Append the character at the start of the text to `room`, and return its
 * length. */
static size_t put_quoted(char *room, size_t *at, struct span s)
{
	unsigned char c = (unsigned char)s.ptr[0];
	uint32_t character;
	size_t len = utf8_read((const unsigned char *)s.ptr, s.len, &character);
	char *to = room + *at;
	if (len == 0 || c < 0x20 || c == 0x7f) {
		to = hex_write(to, "\\x", c, 2);
	} else if (utf8_is_control(character)) {
		to = hex_write(to, "\\u", character, 4);
	} else {
		if (c == '"' || c == '\\')
			*to++ = '\\';
		memcpy(to, s.ptr, len);
		to += len;
	}
	*at = (size_t)(to - room);
	return len > 0 ? len : 1;
}

const char *log_quoted(struct span s, char room[static LOG_QUOTED_BYTES])
{
	size_t at = 0;
	room[at++] = '"';
	for (size_t i = 0; i < s.len && at < 200;)
		i += put_quoted(room, &at, span_make(s.ptr + i, s.len - i));
	room[at++] = '"';
	room[at] = '\0';
	return room;
}
