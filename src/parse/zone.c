/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/zone.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	S_PER_DAY = 86400,
	S_PER_WEEK = 7 * S_PER_DAY,
	YEARS = 150, /* from 1970 on, for which changes are known */
};

struct change {
	int64_t from_s;
	int32_t offset_s;
};

struct zone {
	struct change *changes; /* [0] holds before the first change */
	size_t count;
};

struct named {
	const char *name;
	int minutes;
};

/* RFC 2822 4.3. */
static const struct named offsets[] = {
	{"UTC", 0},    {"UT", 0},     {"GMT", 0},    {"Z", 0},
	{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300},
	{"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420},
	{NULL, 0},
};

/* Common names, each with its most common meaning. */
static const struct named names[] = {
	{"AKST", -540}, {"AKDT", -480}, {"HST", -600}, {"HADT", -540},
	{"AST", -240},	{"ADT", -180},	{"NST", -210}, {"NDT", -150},
	{"WET", 0},	{"WEST", 60},	{"CET", 60},   {"CEST", 120},
	{"EET", 120},	{"EEST", 180},	{"MSK", 180},  {"ART", -180},
	{"BRT", -180},	{"BRST", -120}, {"CLT", -240}, {"CLST", -180},
	{"AEST", 600},	{"AEDT", 660},	{"ACST", 570}, {"ACDT", 630},
	{"AWST", 480},	{"NZST", 720},	{"NZDT", 780}, {"JST", 540},
	{"KST", 540},	{"SGT", 480},	{"IST", 330},  {"GST", 240},
	{"ICT", 420},	{"WIB", 420},	{"WITA", 480}, {"WIT", 540},
	{"MYT", 480},	{"BDT", 360},	{"NPT", 345},  {"WAT", 60},
	{"CAT", 120},	{"EAT", 180},	{"SAST", 120}, {NULL, 0},
};

/* The length of the name if the text begins with it, otherwise 0.  If `alone`,
 * no letter or digit may follow it. */
static size_t read_one(const char *name, struct span text, bool alone)
{
	size_t len = strlen(name);
	if (text.len < len || strncasecmp(text.ptr, name, len) != 0)
		return 0;
	bool is_longer =
		text.len > len && isalnum((unsigned char)text.ptr[len]);
	return alone && is_longer ? 0 : len;
}

/* The length of the first name with which the text begins. */
static size_t read_named(const struct named *n, struct span text, bool alone,
			 int32_t *offset_s)
{
	for (; n->name != NULL; n++) {
		size_t len = read_one(n->name, text, alone);
		if (len == 0)
			continue;
		*offset_s = n->minutes * 60;
		return len;
	}
	return 0;
}

static size_t read_own(const struct zone_names *own, struct span text,
		       int32_t *offset_s)
{
	for (size_t i = 0; i < own->count; i++) {
		size_t len = read_one(own->list[i].text, text, true);
		if (len == 0)
			continue;
		*offset_s = own->list[i].offset_s;
		return len;
	}
	return 0;
}

/* Military letters: A to M without J are east of UTC, N to Y west of it. */
static size_t read_letter(struct span text, int32_t *offset_s)
{
	if (text.len == 0 ||
	    (text.len > 1 && isalnum((unsigned char)text.ptr[1])))
		return 0;
	int letter = toupper((unsigned char)text.ptr[0]);
	int hours;
	if (letter >= 'A' && letter <= 'I')
		hours = letter - 'A' + 1;
	else if (letter >= 'K' && letter <= 'M')
		hours = letter - 'K' + 10;
	else if (letter >= 'N' && letter <= 'Y')
		hours = 'M' - letter;
	else
		return 0;
	*offset_s = hours * 3600;
	return 1;
}

/* The two digits at that place, or -1. */
static int two_digits(struct span text, size_t at)
{
	if (text.len < at + 2 || !isdigit((unsigned char)text.ptr[at]) ||
	    !isdigit((unsigned char)text.ptr[at + 1]))
		return -1;
	return (text.ptr[at] - '0') * 10 + (text.ptr[at + 1] - '0');
}

size_t zone_read_offset(struct span text, int32_t *offset_s)
{
	if (text.len == 0 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
		return read_named(offsets, text, false, offset_s);
	size_t at = 3;
	int hours = two_digits(text, 1), minutes = 0;
	if (hours < 0)
		return 0;
	if (at < text.len && text.ptr[at] == ':')
		at++;
	if (at < text.len && isdigit((unsigned char)text.ptr[at])) {
		minutes = two_digits(text, at);
		if (minutes < 0)
			return 0;
		at += 2;
	}
	*offset_s = (hours * 60 + minutes) * 60;
	if (text.ptr[0] == '-')
		*offset_s = -*offset_s;
	return at;
}

size_t zone_read_name(const struct zone_names *own, struct span text,
		      int32_t *offset_s)
{
	int32_t known_s = 0;
	size_t known = read_named(offsets, text, true, &known_s);
	bool is_utc = known > 0 && known_s == 0;
	size_t len = 0;
	if (own != NULL && !is_utc)
		len = read_own(own, text, offset_s);
	if (len > 0)
		return len;
	if (known == 0)
		known = read_named(names, text, true, &known_s);
	if (known == 0)
		known = read_letter(text, &known_s);
	if (known > 0)
		*offset_s = known_s;
	return known;
}

/* tzname is no source for this: its names depend on the time that the C library
 * converted last. */
static void add_own(struct zone_names *own, const struct tm *tm)
{
	struct zone_own_name *n = own->list;
	for (; n < own->list + own->count; n++)
		if (strcmp(n->text, tm->tm_zone) == 0)
			return;
	size_t len = strlen(tm->tm_zone);
	if (own->count == sizeof own->list / sizeof *own->list || len == 0 ||
	    len >= sizeof n->text)
		return;
	memcpy(n->text, tm->tm_zone, len + 1);
	n->offset_s = (int32_t)tm->tm_gmtoff;
	own->count++;
}

void zone_names_init(struct zone_names *own, int64_t from_s)
{
	own->count = 0;
	/* Morocco's other time lasts only five weeks. */
	for (int week = 0; week < 52; week += 2) {
		time_t t = (time_t)(from_s + week * (int64_t)S_PER_WEEK);
		struct tm tm;
		if (localtime_r(&t, &tm) != NULL)
			add_own(own, &tm);
	}
}

/* Whether the C library can read the file: a directory, or a table of tzdata
 * such as zone.tab, would silently mean UTC. */
static bool is_zone_file(const char *path)
{
	static const char magic[4] = "TZif";
	char start[sizeof magic];
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, start, sizeof start) == sizeof start &&
		  memcmp(start, magic, sizeof magic) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

static bool exists(const char *name)
{
	const char *dir = getenv("TZDIR");
	struct buf path = {0};
	buf_printf(&path, "%s/%s",
		   dir != NULL && *dir != '\0' ? dir : "/usr/share/zoneinfo",
		   name);
	bool found = is_zone_file(buf_text(&path));
	buf_fini(&path);
	return found;
}

/* A name that means UTC with and without tzdata. */
static bool is_utc(const char *name)
{
	static const char *const utc[] = {"UTC",  "UCT",       "GMT",
					  "Zulu", "Universal", "Greenwich"};
	if (strncmp(name, "Etc/", 4) == 0)
		name += 4;
	for (size_t i = 0; i < sizeof utc / sizeof *utc; i++)
		if (strcmp(name, utc[i]) == 0)
			return true;
	return false;
}

/* Step over the name of a zone, JST or <+09>, and return what follows; NULL if
 * the text does not begin with one. */
static const char *after_name(const char *text)
{
	const char *at = text;
	if (*at == '<') {
		while (isalnum((unsigned char)*++at) || *at == '+' ||
		       *at == '-')
			;
		return *at == '>' && at - text > 3 ? at + 1 : NULL;
	}
	while (isalpha((unsigned char)*at))
		at++;
	return at - text >= 3 ? at : NULL;
}

/* Step over [+-]HH[:MM[:SS]]; NULL if there is none. */
static const char *after_offset(const char *at)
{
	if (*at == '+' || *at == '-')
		at++;
	for (int parts = 0; isdigit((unsigned char)*at); parts++) {
		at += 1 + (isdigit((unsigned char)at[1]) != 0);
		if (*at != ':' || parts == 2)
			return at;
		at++;
	}
	return NULL;
}

/* A rule of POSIX: NAME OFFSET, perhaps followed by a NAME for summer, perhaps
 * with an OFFSET, and by the dates of the changes. */
static bool is_rule(const char *text)
{
	const char *at = after_name(text);
	at = at != NULL ? after_offset(at) : NULL;
	if (at == NULL || *at == '\0')
		return at != NULL;
	at = after_name(at);
	if (at != NULL && *at != '\0' && *at != ',')
		at = after_offset(at);
	return at != NULL && (*at == '\0' || (*at == ',' && at[1] != '\0'));
}

bool zone_is_tz(const char *tz)
{
	if (*tz == ':')
		tz++;
	if (*tz == '\0')
		return true;
	return (*tz == '/' ? is_zone_file(tz) : exists(tz)) || is_utc(tz) ||
	       is_rule(tz);
}

static int32_t offset_now(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;
	return localtime_r(&t, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

/* TZ must be set to the zone.  No two changes are closer than a week. */
static void read_changes(struct zone *z)
{
	const int64_t end_s = (int64_t)YEARS * 365 * S_PER_DAY;
	struct change last = {INT64_MIN, offset_now(0)};
	for (int64_t s = 0;; s += S_PER_WEEK) {
		z->changes =
			mem_grow(z->changes, z->count + 1, sizeof *z->changes);
		z->changes[z->count++] = last;
		while (s < end_s && offset_now(s) == last.offset_s)
			s += S_PER_WEEK;
		if (s >= end_s)
			return;
		int64_t before = s - S_PER_WEEK, from = s;
		while (from - before > 1) {
			int64_t middle = before + (from - before) / 2;
			if (offset_now(middle) == last.offset_s)
				before = middle;
			else
				from = middle;
		}
		last = (struct change){from, offset_now(from)};
	}
}

struct zone *zone_new(const char *name, struct err *e)
{
	if (name[0] == '/' || strstr(name, "..") != NULL || !exists(name)) {
		err_set(e,
			"the time zone \"%s\" is unknown; a known one is "
			"named like Europe/Berlin (is tzdata installed?)",
			name);
		return NULL;
	}
	const char *set = getenv("TZ");
	char *before = set != NULL ? mem_text(set) : NULL;
	struct zone *z = mem_new(1, sizeof *z);
	setenv("TZ", name, 1);
	tzset();
	read_changes(z);
	if (before != NULL)
		setenv("TZ", before, 1);
	else
		unsetenv("TZ");
	tzset();
	free(before);
	return z;
}

void zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->changes);
	free(z);
}

/* The last change before that time. */
static size_t change_at(const struct zone *z, int64_t s)
{
	size_t low = 0, high = z->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (z->changes[middle].from_s <= s)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int64_t zone_to_utc(const struct zone *z, int64_t wall_s)
{
	size_t last = change_at(z, wall_s + S_PER_DAY);
	for (size_t i = change_at(z, wall_s - S_PER_DAY); i <= last; i++) {
		int64_t s = wall_s - z->changes[i].offset_s;
		if (s >= z->changes[i].from_s &&
		    (i + 1 == z->count || s < z->changes[i + 1].from_s))
			return s;
	}
	return wall_s - z->changes[change_at(z, wall_s)].offset_s;
}
