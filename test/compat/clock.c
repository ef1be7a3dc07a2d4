/* SPDX-License-Identifier: Apache-2.0 */
/* clock - gives another time of day to a process that is started with
 * LD_PRELOAD=clock.so CLOCK_AHEAD_NS=NANOSECONDS.
 *
 * It moves the time of day and the receive time that the kernel adds to a
 * datagram.  It does not move timers and monotonic clocks, so the program waits
 * as long as without it.  libfaketime would also move the monotonic clocks, but
 * not the receive times. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NS = 1000000000 };

static int64_t ahead_ns;

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("CLOCK_AHEAD_NS");
	ahead_ns = text != NULL ? strtoll(text, NULL, 10) : 0;
}

static void move(struct timespec *ts)
{
	int64_t ns = (int64_t)ts->tv_sec * NS + ts->tv_nsec + ahead_ns;
	ts->tv_sec = ns / NS;
	ts->tv_nsec = ns % NS;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int answer = (int)syscall(SYS_clock_gettime, clock, ts);
	if (answer == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		move(ts);
	return answer;
}

int timespec_get(struct timespec *ts, int base)
{
	return clock_gettime(CLOCK_REALTIME, ts) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *at)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (at != NULL)
		*at = ts.tv_sec;
	return ts.tv_sec;
}

static void move_stamp(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		struct timespec ts;
		memcpy(&ts, CMSG_DATA(c), sizeof ts);
		move(&ts);
		memcpy(CMSG_DATA(c), &ts, sizeof ts);
	}
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, m, flags);
	if (n >= 0)
		move_stamp(m);
	return n;
}

int recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags,
	     struct timespec *timeout)
{
	int n = (int)syscall(SYS_recvmmsg, fd, m, count, flags, timeout);
	for (int i = 0; i < n; i++)
		move_stamp(&m[i].msg_hdr);
	return n;
}
