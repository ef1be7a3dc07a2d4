/* SPDX-License-Identifier: Apache-2.0 */
/* sender - numbered datagrams at a steady rate, as nginx would send them: from
 * eight sockets in turn, as eight workers have them (the kernel bounds what
 * one of them may have in flight to about a hundred lines), without waiting.
 * What is refused is lost, but counted.
 *
 *     sender SOCKET COUNT RATE_PER_SECOND
 *
 * Prints "sent N refused N late_ms N"; late is the most that it fell behind
 * its own timetable. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { TICK_NS = 1000000, MESSAGE_BYTES = 800, SOCKETS = 8 };

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

static size_t compose(char *text, size_t room, const char *head, long number)
{
	int n = snprintf(text, room,
			 "%s{\"n\":\"%ld\",\"vhost\":\"shop.example\","
			 "\"method\":\"GET\",\"status\":\"200\",\"pad\":\"",
			 head, number);
	memset(text + n, 'x', MESSAGE_BYTES - 2 - (size_t)n);
	memcpy(text + MESSAGE_BYTES - 2, "\"}", 2);
	return MESSAGE_BYTES;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 64;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strncpy(to.sun_path, argv[1], sizeof to.sun_path - 1);
	long count = strtol(argv[2], NULL, 10);
	long rate = strtol(argv[3], NULL, 10);
	int fds[SOCKETS];
	for (int i = 0; i < SOCKETS; i++) {
		fds[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fds[i] < 0 ||
		    connect(fds[i], (struct sockaddr *)&to, sizeof to) != 0) {
			perror("sender");
			return 71;
		}
	}
	char head[64], text[MESSAGE_BYTES + 1];
	time_t clock = time(NULL);
	strftime(head, sizeof head,
		 "<190>%b %e %H:%M:%S gw-1 nginx: ", gmtime(&clock));

	long sent = 0, refused = 0;
	int64_t start = now_ns(), late = 0;
	for (int64_t tick = 1; sent + refused < count; tick++) {
		long due = (long)(tick * rate / (1000000000 / TICK_NS));
		if (due > count)
			due = count;
		while (sent + refused < due) {
			long number = sent + refused;
			size_t len = compose(text, sizeof text, head, number);
			if (send(fds[number % SOCKETS], text, len, 0) ==
			    (ssize_t)len) {
				sent++;
			} else if (errno == EAGAIN) {
				refused++;
			} else {
				perror("sender");
				return 71;
			}
		}
		if (now_ns() - start - tick * TICK_NS > late)
			late = now_ns() - start - tick * TICK_NS;
		sleep_until(start + tick * TICK_NS);
	}
	printf("sent %ld refused %ld late_ms %ld\n", sent, refused,
	       (long)(late / 1000000));
	return 0;
}
