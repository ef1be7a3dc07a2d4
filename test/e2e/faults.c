/* SPDX-License-Identifier: Apache-2.0 */
/* faults - a write() that fails as it does on a bad disk.  A process uses it
 * when it is started with LD_PRELOAD=faults.so FAULTS=FILE
 * FAULTS_BELOW=DIRECTORY.
 *
 * FILE holds struct faults and is mapped, so that a test can change the orders
 * at any moment and read how many writes had a fault.  harness/faults.py knows
 * the same layout.  Only writes to files below DIRECTORY get faults.  FILE may
 * also set the monotonic clock, for a test of deadlines.
 *
 * A worker whose Log_File hangs cannot end.  hold_exit has the same effect. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct faults {
	uint64_t clock_ms;    /* the monotonic clock shows this; 0: real time */
	uint32_t error;	      /* errno, 0: none */
	uint32_t short_every; /* each n-th write is short; 0: none */
	uint32_t delay_ms;
	uint32_t hold;	    /* writes wait as long as this is set */
	uint32_t hold_exit; /* workers that end wait as long as this is set */
	uint32_t struck;    /* how many writes had a fault */
	uint32_t writes;
	uint32_t held;	     /* how many writes wait at this moment */
	uint32_t exits_held; /* how many workers wait at this moment */
};

static volatile struct faults *faults;
static const char *below;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULTS");
	below = getenv("FAULTS_BELOW");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || below == NULL) {
		dprintf(2, "faults: set FAULTS and FAULTS_BELOW\n");
		_exit(64);
	}
	close(fd);
	faults = map;
}

static bool is_below(int fd)
{
	char link[64], path[512];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path);
	size_t len = strlen(below);
	return n > (ssize_t)len && memcmp(path, below, len) == 0 &&
	       path[len] == '/';
}

static void sleep_us(long us)
{
	struct timespec t = {.tv_sec = us / 1000000,
			     .tv_nsec = us % 1000000 * 1000};
	if (us != 0)
		nanosleep(&t, NULL);
}

__attribute__((destructor)) static void end(void)
{
	char name[16] = "";
	prctl(PR_GET_NAME, name);
	if (faults->hold_exit == 0 || strcmp(name, "sluiced-worker") != 0)
		return;
	faults->exits_held++;
	while (faults->hold_exit != 0)
		sleep_us(1000);
	faults->exits_held--;
}

/* Keep the write waiting until the test clears `hold`. */
static void wait_for_release(void)
{
	if (faults->hold == 0)
		return;
	faults->struck++;
	faults->held++;
	while (faults->hold != 0)
		sleep_us(1000);
	faults->held--;
}

static ssize_t bad_write(int fd, const void *bytes, size_t count,
			 uint32_t number)
{
	bool is_short = faults->short_every != 0 && count > 1 &&
			number % faults->short_every == 0;
	if (faults->error != 0 || is_short || faults->delay_ms != 0)
		faults->struck++;
	if (faults->error != 0) {
		errno = (int)faults->error;
		return -1;
	}
	/* Cut the write anywhere, but not always at the same place. */
	if (is_short)
		count = 1 + number * 2654435761U % (count - 1);
	return syscall(SYS_write, fd, bytes, count);
}

/* A slow write spends half of its delay before the bytes are in the file, and
 * the other half afterwards. */
ssize_t write(int fd, const void *bytes, size_t count)
{
	if (faults == NULL || !is_below(fd))
		return syscall(SYS_write, fd, bytes, count);
	wait_for_release();
	long half_us = (long)faults->delay_ms * 500;
	sleep_us(half_us);
	ssize_t done = bad_write(fd, bytes, count, ++faults->writes);
	int error = errno;
	sleep_us(half_us);
	errno = error;
	return done;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	uint64_t ms = faults == NULL ? 0 : faults->clock_ms;
	if (ms == 0 ||
	    (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE))
		return (int)syscall(SYS_clock_gettime, clock, t);
	*t = (struct timespec){.tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000) * 1000000};
	return 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	if (faults == NULL || count < 1 || !is_below(fd))
		return syscall(SYS_writev, fd, parts, count);
	return write(fd, parts[0].iov_base, parts[0].iov_len);
}
