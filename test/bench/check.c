/* SPDX-License-Identifier: Apache-2.0 */
/* check - checks that every numbered line was written once, with the expected
 * text, to the expected file.
 *
 *     check [OPTIONS] DIRECTORY COUNT
 *       -o N     the first number (0)
 *       -l FILE  numbers that must not occur, one per line
 *       -p KIND  the expected file: one (any file may hold any line), date
 *                (2026-1121/access.log) or vhost
 *                (2026-1121/shop0000.example.log)
 *       -z BYTES -f FIELDS -w WRITTEN -v VHOSTS -d DAYS -t EPOCH  the shape,
 *                see line.h
 *
 * Prints "lines N missing N twice N wrong N", and the first wrong line to
 * standard error.  Exits with 0 if there is no error. */
#include <ftw.h>
#include <unistd.h>

#include "line.h"

/* Global, because nftw() passes no data to its callback. */
static struct {
	struct shape shape;
	long first, count;
	const char *kind;
	size_t root_length;
	unsigned char *seen; /* by number: 1 if seen, 2 if refused */
	long lines, missing, twice, wrong;
} check = {.shape = SHAPE_DEFAULT, .kind = "date"};

static void found_wrong(const char *path, const char *line, const char *why)
{
	if (check.wrong++ == 0)
		fprintf(stderr, "check: %s: %s: %.300s\n", path, why, line);
}

/* The expected path below the directory; empty for any. */
static void expect_path(long number, char path[128])
{
	time_t when = line_time(&check.shape, number);
	struct tm tm;
	path[0] = '\0';
	if (strcmp(check.kind, "one") == 0)
		return;
	gmtime_r(&when, &tm);
	strftime(path, 64, "/%Y-%m%d/", &tm);
	if (strcmp(check.kind, "date") == 0)
		strcat(path, "access.log");
	else
		snprintf(path + strlen(path), 64, "shop%04ld.example.log",
			 number % check.shape.vhosts);
}

/* The number in the line's request_id, or -1. */
static long number_of(const char *line, size_t length)
{
	const char *mark = check.shape.written == 0 ? "\"request_id\":\""
						    : "\trequest_id:";
	const char *at = memmem(line, length, mark, strlen(mark));
	char digits[13] = "";
	if (at == NULL ||
	    length - (size_t)(at - line) < strlen(mark) + LINE_NUMBER_DIGITS)
		return -1;
	memcpy(digits, at + strlen(mark) + LINE_NUMBER_DIGITS - 12, 12);
	return strtol(digits, NULL, 10);
}

static void check_line(const char *path, const char *line, size_t length)
{
	static char expected[LINE_BYTES_MAX], expected_path[128];
	static time_t day = -1;
	long number = number_of(line, length);
	check.lines++;
	if (number < check.first || number >= check.first + check.count) {
		found_wrong(path, line, "not a number that was sent");
		return;
	}
	if (line_written(&check.shape, number, expected) != length ||
	    memcmp(expected, line, length) != 0) {
		found_wrong(path, line, "differs from the line that was sent");
		return;
	}
	if (check.shape.vhosts > 1 || check.shape.days > 1 ||
	    line_time(&check.shape, number) / 86400 != day) {
		day = line_time(&check.shape, number) / 86400;
		expect_path(number, expected_path);
	}
	if (expected_path[0] != '\0' &&
	    strcmp(path + check.root_length, expected_path) != 0)
		found_wrong(path, line, "not in its file");
	unsigned char *seen = &check.seen[number - check.first];
	if (*seen == 2)
		found_wrong(path, line, "refused, yet written");
	else if (*seen == 1)
		check.twice++;
	else
		*seen = 1;
}

static int check_file(const char *path, const struct stat *s, int type,
		      struct FTW *ftw)
{
	(void)s;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	if (file == NULL)
		return -1;
	while ((length = getline(&line, &room, file)) > 0)
		check_line(path, line, (size_t)length);
	free(line);
	fclose(file);
	return 0;
}

static bool read_lost(const char *path)
{
	FILE *file = fopen(path, "r");
	long number;
	if (file == NULL)
		return false;
	while (fscanf(file, "%ld", &number) == 1)
		if (number >= check.first && number < check.first + check.count)
			check.seen[number - check.first] = 2;
	fclose(file);
	return true;
}

int main(int argc, char **argv)
{
	const char *lost = NULL;
	int option;
	while ((option = getopt(argc, argv, "o:l:p:" SHAPE_OPTIONS)) != -1) {
		if (option == 'o')
			check.first = strtol(optarg, NULL, 10);
		else if (option == 'l')
			lost = optarg;
		else if (option == 'p')
			check.kind = optarg;
		else if (!shape_option(&check.shape, option, optarg))
			return 64;
	}
	if (argc - optind != 2 || !shape_fit(&check.shape))
		return 64;
	check.count = strtol(argv[optind + 1], NULL, 10);
	check.root_length = strlen(argv[optind]);
	check.seen = calloc((size_t)check.count + 1, 1);
	if (check.seen == NULL || (lost != NULL && !read_lost(lost)) ||
	    nftw(argv[optind], check_file, 16, FTW_PHYS) != 0) {
		perror("check");
		return 71;
	}
	for (long i = 0; i < check.count; i++)
		check.missing += check.seen[i] == 0;
	printf("lines %ld missing %ld twice %ld wrong %ld\n", check.lines,
	       check.missing, check.twice, check.wrong);
	return check.missing + check.twice + check.wrong > 0;
}
