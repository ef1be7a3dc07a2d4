/* SPDX-License-Identifier: Apache-2.0 */
/* sender - sends numbered datagrams at a steady rate, as nginx would: without
 * waiting, and from eight sockets in turn, as eight nginx workers have them.
 * (The kernel lets one socket have about a hundred lines in flight.)  Lines
 * that the kernel refuses are lost, but their numbers are known.
 *
 *     sender [OPTIONS] SOCKET COUNT RATE_PER_SECOND
 *       -s N     use N sockets
 *       -k N     set the field "to" to f0 .. fN-1 in turn
 *       -w       wait until the kernel accepts the line
 *       -r       if nobody listens, count the line as gone and continue
 *       -l FILE  write the numbers of the lines that the kernel did not accept
 *
 * The program ends after COUNT lines, or on SIGTERM, and prints
 * "sent N refused N gone N late_ms N".  late_ms is its longest delay
 * against its own timetable, in milliseconds. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_NS = 1000000,
	PAD_BYTES = 640,
	LINE_BYTES = 1024,
	SOCKETS_MAX = 64
};

struct sender {
	struct sockaddr_un to;
	int fds[SOCKETS_MAX]; /* -1: to be connected again */
	long sockets;
	long kinds;
	bool waits, reconnects;
	FILE *lost; /* or NULL */
	char head[64];
	long sent, refused, gone;
};

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
	(void)number;
	is_over = 1;
}

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
	while (!is_over && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t,
					   NULL) == EINTR)
		;
}

static bool connect_one(struct sender *s, long index)
{
	int fd =
		socket(AF_UNIX, SOCK_DGRAM | (s->waits ? 0 : SOCK_NONBLOCK), 0);
	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&s->to, sizeof s->to) == 0) {
		s->fds[index] = fd;
		return true;
	}
	close(fd);
	s->fds[index] = -1;
	return false;
}

static int compose(const struct sender *s, char *text, long number)
{
	static const char pad[PAD_BYTES + 1];
	char x[sizeof pad];
	memset(x, 'x', PAD_BYTES);
	x[PAD_BYTES] = '\0';
	return snprintf(text, LINE_BYTES,
			"%s{\"n\":\"%ld\",\"to\":\"f%ld\","
			"\"vhost\":\"shop.example\",\"method\":\"GET\","
			"\"status\":\"200\",\"pad\":\"%s\"}",
			s->head, number, number % s->kinds, x);
}

/* Send the next number.  False if nobody listens and that was not expected. */
static bool send_next(struct sender *s)
{
	char text[LINE_BYTES];
	long number = s->sent + s->refused + s->gone;
	long index = number % s->sockets;
	ssize_t len = compose(s, text, number);
	if ((s->fds[index] >= 0 || connect_one(s, index)) &&
	    send(s->fds[index], text, (size_t)len, 0) == len) {
		s->sent++;
		return true;
	}
	if (errno == EINTR && is_over)
		return true; /* not accepted: the number was not used */
	if (errno == EAGAIN) {
		s->refused++;
	} else if (s->reconnects) {
		if (s->fds[index] >= 0)
			close(s->fds[index]);
		s->fds[index] = -1;
		s->gone++;
	} else {
		perror("sender");
		return false;
	}
	if (s->lost != NULL)
		fprintf(s->lost, "%ld\n", number);
	return true;
}

static bool send_all(struct sender *s, long count, long rate)
{
	int64_t start = now_ns(), late = 0;
	long next = 0;
	for (int64_t tick = 1; next < count && !is_over; tick++) {
		long due = (long)(tick * rate / (1000000000 / TICK_NS));
		if (due > count)
			due = count;
		for (; next < due && !is_over; next++)
			if (!send_next(s))
				return false;
		if (now_ns() - start - tick * TICK_NS > late)
			late = now_ns() - start - tick * TICK_NS;
		sleep_until(start + tick * TICK_NS);
	}
	printf("sent %ld refused %ld gone %ld late_ms %ld\n", s->sent,
	       s->refused, s->gone, (long)(late / 1000000));
	return true;
}

int main(int argc, char **argv)
{
	struct sender s = {
		.to = {.sun_family = AF_UNIX}, .sockets = 8, .kinds = 1};
	int option;
	while ((option = getopt(argc, argv, "s:k:wrl:")) != -1) {
		if (option == 's')
			s.sockets = strtol(optarg, NULL, 10);
		else if (option == 'k')
			s.kinds = strtol(optarg, NULL, 10);
		else if (option == 'w')
			s.waits = true;
		else if (option == 'r')
			s.reconnects = true;
		else if (option == 'l')
			s.lost = fopen(optarg, "w");
		else
			return 64;
	}
	if (argc - optind != 3 || s.sockets < 1 || s.sockets > SOCKETS_MAX ||
	    s.kinds < 1)
		return 64;
	strncpy(s.to.sun_path, argv[optind], sizeof s.to.sun_path - 1);
	for (long i = 0; i < s.sockets; i++) {
		if (!connect_one(&s, i) && !s.reconnects) {
			perror("sender");
			return 71;
		}
	}
	struct sigaction term = {.sa_handler = on_term};
	sigaction(SIGTERM, &term, NULL); /* without SA_RESTART */
	time_t clock = time(NULL);
	strftime(s.head, sizeof s.head,
		 "<190>%b %e %H:%M:%S gw-1 nginx: ", gmtime(&clock));
	bool is_good = send_all(&s, strtol(argv[optind + 1], NULL, 10),
				strtol(argv[optind + 2], NULL, 10));
	if (s.lost != NULL)
		fclose(s.lost);
	return is_good ? 0 : 71;
}
