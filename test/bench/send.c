/* SPDX-License-Identifier: Apache-2.0 */
/* send - sends numbered access-log lines as nginx does: one datagram per line,
 * from several sockets in turn, like several workers.
 *
 *     send [OPTIONS] SOCKET COUNT
 *       -b       wait for room in the queue (nginx does not)
 *       -r N     send N lines per second; default: as fast as possible
 *       -g N     when late, catch up with at most N lines at once and delay
 *                the rest
 *       -s N     use N sockets (8)
 *       -o N     the first number (0)
 *       -l FILE  write the refused numbers to FILE, one per line
 *       -z BYTES -f FIELDS -w WRITTEN -v VHOSTS -d DAYS -t EPOCH  the shape,
 *                see line.h
 *       -N       print the names of the fields, send nothing
 *
 * Prints "sent N refused N bytes N us N": the accepted and the refused lines,
 * the bytes that a collector writes for the accepted ones, and the duration. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "line.h"

enum { SOCKETS_MAX = 64, BATCH = 32 };

struct sender {
	struct shape shape;
	struct sockaddr_un to;
	int fds[SOCKETS_MAX];
	long line_bytes; /* the size of a written line */
	long sockets, first, count, rate, catch_up;
	bool waits;
	FILE *lost; /* or NULL */
	long sent, refused;
	long bytes; /* that a collector writes for the sent lines */
	char text[BATCH][LINE_BYTES_MAX];
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec t = {.tv_sec = ns / 1000000000,
			     .tv_nsec = ns % 1000000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
	       EINTR)
		;
}

static void sent_one(struct sender *s, size_t length)
{
	s->sent++;
	s->bytes += s->shape.written == 0 ? (long)length + 1 : s->line_bytes;
}

static bool connect_all(struct sender *s)
{
	int kind = SOCK_DGRAM | (s->waits ? 0 : SOCK_NONBLOCK);
	for (long i = 0; i < s->sockets; i++) {
		s->fds[i] = socket(AF_UNIX, kind, 0);
		if (s->fds[i] < 0 ||
		    connect(s->fds[i], (struct sockaddr *)&s->to,
			    sizeof s->to) != 0)
			return false;
	}
	return true;
}

/* Send the next line from the next socket. */
static bool send_next(struct sender *s)
{
	long index = s->sent + s->refused, number = s->first + index;
	size_t length = line_datagram(&s->shape, number, s->text[0]);
	if (send(s->fds[index % s->sockets], s->text[0], length, 0) >= 0) {
		sent_one(s, length);
		return true;
	}
	if (errno != EAGAIN)
		return false;
	s->refused++;
	if (s->lost != NULL)
		fprintf(s->lost, "%ld\n", number);
	return true;
}

static bool send_paced(struct sender *s)
{
	int64_t period = 1000000000 / s->rate, due = now_ns();
	for (long i = 0; i < s->count; i++, due += period) {
		int64_t now = now_ns();
		if (now < due)
			sleep_until(due);
		else if (now - due > s->catch_up * period)
			due = now - s->catch_up * period;
		if (!send_next(s))
			return false;
	}
	return true;
}

/* Send as fast as possible, many lines per call, so that the collector is the
 * bottleneck and not the sender. */
static bool send_flood(struct sender *s)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	for (long turn = 0; s->sent < s->count; turn++) {
		int in_batch = 0;
		for (; in_batch < BATCH && s->sent + in_batch < s->count;
		     in_batch++) {
			parts[in_batch] = (struct iovec){
				s->text[in_batch],
				line_datagram(&s->shape,
					      s->first + s->sent + in_batch,
					      s->text[in_batch])};
			messages[in_batch] = (struct mmsghdr){
				.msg_hdr = {.msg_iov = &parts[in_batch],
					    .msg_iovlen = 1}};
		}
		for (int done = 0; done < in_batch;) {
			int n = sendmmsg(s->fds[turn % s->sockets],
					 messages + done,
					 (unsigned)(in_batch - done), 0);
			if (n < 0)
				return false;
			for (; n > 0; n--, done++)
				sent_one(s, parts[done].iov_len);
		}
	}
	return true;
}

static int print_names(long fields)
{
	char name[32];
	for (long i = 0; i < fields; i++) {
		line_name(i, name);
		puts(name);
	}
	return 0;
}

static bool read_options(struct sender *s, int argc, char **argv, bool *names)
{
	int option;
	while ((option = getopt(argc, argv, "br:g:s:o:l:N" SHAPE_OPTIONS)) !=
	       -1) {
		if (option == 'b')
			s->waits = true;
		else if (option == 'r')
			s->rate = strtol(optarg, NULL, 10);
		else if (option == 'g')
			s->catch_up = strtol(optarg, NULL, 10);
		else if (option == 's')
			s->sockets = strtol(optarg, NULL, 10);
		else if (option == 'o')
			s->first = strtol(optarg, NULL, 10);
		else if (option == 'l')
			s->lost = fopen(optarg, "w");
		else if (option == 'N')
			*names = true;
		else if (!shape_option(&s->shape, option, optarg))
			return false;
	}
	return *names || (argc - optind == 2 && s->sockets >= 1 &&
			  s->sockets <= SOCKETS_MAX && s->rate >= 0 &&
			  (s->rate > 0 || s->waits));
}

int main(int argc, char **argv)
{
	static struct sender s = {.shape = SHAPE_DEFAULT,
				  .to = {.sun_family = AF_UNIX},
				  .sockets = 8,
				  .catch_up = 8};
	bool names = false;
	if (!read_options(&s, argc, argv, &names))
		return 64;
	if (names)
		return print_names(s.shape.fields);
	if (!shape_fit(&s.shape)) {
		fprintf(stderr,
			"send: %ld fields need %ld to 4096 bytes, not %ld\n",
			s.shape.fields, s.shape.size_bytes - s.shape.tail_bytes,
			s.shape.size_bytes);
		return 64;
	}
	snprintf(s.to.sun_path, sizeof s.to.sun_path, "%s", argv[optind]);
	s.count = strtol(argv[optind + 1], NULL, 10);
	s.line_bytes = (long)line_written(&s.shape, 0, s.text[0]);
	prctl(PR_SET_TIMERSLACK, 1);
	if (!connect_all(&s)) {
		perror("send: connect");
		return 71;
	}
	int64_t start = now_ns();
	if (!(s.rate > 0 ? send_paced(&s) : send_flood(&s))) {
		perror("send");
		return 71;
	}
	int64_t took = now_ns() - start;
	if (s.lost != NULL && fclose(s.lost) != 0)
		return 71;
	printf("sent %ld refused %ld bytes %ld us %ld\n", s.sent, s.refused,
	       s.bytes, (long)(took / 1000));
	return 0;
}
