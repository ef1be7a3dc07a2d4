/* SPDX-License-Identifier: Apache-2.0 */
/* fault_mixture - calls that fail at random, and deaths at random calls.  A
 * process uses it when it is started with LD_PRELOAD=fault_mixture.so
 * MIXTURE=FILE MIXTURE_BELOW=DIRECTORY:DIRECTORY.
 *
 * FILE holds struct mixture and is mapped, so that a test can change the orders
 * at any moment.  harness/fault_mixture.py knows the same layout.  Only calls
 * for files below the directories are touched.  A failing call does nothing. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct mixture {
	uint32_t open_one_in;  /* one in n opens fails; 0: none */
	uint32_t write_one_in; /* ... writes fails or is short */
	uint32_t read_one_in;  /* ... reads of a file or directory fails */
	uint32_t other_one_in; /* ... other calls fails */
	uint32_t die_in;       /* SIGKILL at the nth call from now; 0: never */
	uint32_t seed;
	uint32_t calls;
	uint32_t struck;
	uint32_t deaths;
};

static struct mixture *mixture;
static const char *below;

#define COUNT(list) (sizeof(list) / sizeof *(list))
static const int open_errors[] = {EMFILE, ENOENT, EACCES, ENOSPC};
static const int write_errors[] = {EIO, ENOSPC};
static const int read_errors[] = {EIO, EINTR};
static const int stat_errors[] = {EIO, ENOENT, EACCES};
static const int other_errors[] = {EIO, ENOSPC};
static const int lock_errors[] = {ENOLCK, EINTR};

/* Other libraries may make calls before begin(). */
static long (*find_syscall(void))(long, ...)
{
	static long (*found)(long, ...);
	if (found == NULL)
		found = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return found;
}

#define real_syscall find_syscall()

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("MIXTURE");
	int fd = path == NULL ? -1
			      : (int)real_syscall(SYS_openat, AT_FDCWD, path,
						  O_RDWR | O_CLOEXEC, 0);
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof *mixture, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
	below = getenv("MIXTURE_BELOW");
	if (map == MAP_FAILED || below == NULL) {
		dprintf(2, "mixture: set MIXTURE and MIXTURE_BELOW\n");
		_exit(64);
	}
	close(fd);
	mixture = map;
}

/* --- which calls */

static bool is_below(const char *path)
{
	for (const char *dir = below; mixture != NULL && *dir != '\0';) {
		size_t len = strcspn(dir, ":");
		if (strncmp(path, dir, len) == 0 &&
		    (path[len] == '/' || path[len] == '\0'))
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

static bool fd_is_below(int fd, const char *name)
{
	char link[64], path[1024];
	if (name != NULL && name[0] == '/')
		return is_below(name);
	if (fd == AT_FDCWD)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return is_below(path);
}

/* --- what happens at a call */

static uint64_t roll(void)
{
	uint64_t z =
		mixture->seed + UINT64_C(0x9e3779b97f4a7c15) *
					__atomic_add_fetch(&mixture->calls, 1,
							   __ATOMIC_RELAXED);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

struct fate {
	int error;	/* 0: the call is done */
	bool is_short;	/* of a write */
	bool dies_then; /* after the call */
	uint64_t dice;
};

static void die(void)
{
	__atomic_add_fetch(&mixture->deaths, 1, __ATOMIC_SEQ_CST);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static struct fate fate(uint32_t one_in, const int *errors, size_t count)
{
	struct fate f = {.dice = roll()};
	uint64_t dice = f.dice;
	uint32_t left = __atomic_load_n(&mixture->die_in, __ATOMIC_RELAXED);
	while (left > 0 && !__atomic_compare_exchange_n(
				   &mixture->die_in, &left, left - 1, false,
				   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (left == 1 && dice >> 63 != 0)
		die();
	f.dies_then = left == 1;
	if (one_in != 0 && dice % one_in == 0) {
		__atomic_add_fetch(&mixture->struck, 1, __ATOMIC_RELAXED);
		f.error = errors[dice / one_in % count];
		f.is_short = (dice >> 40) % 2 == 0;
	}
	return f;
}

static long end(const struct fate *f, long result)
{
	if (f->dies_then)
		die();
	return result;
}

static long fail(const struct fate *f)
{
	if (f->dies_then)
		die();
	errno = f->error;
	return -1;
}

#define FATE(kind, errors) fate(mixture->kind, errors, COUNT(errors))

/* --- the calls */

static long opened(int dir, const char *path, int flags, mode_t mode)
{
	if (!fd_is_below(dir, path))
		return real_syscall(SYS_openat, dir, path, flags, mode);
	struct fate f = FATE(open_one_in, open_errors);
	if (f.error != 0)
		return fail(&f);
	return end(&f, real_syscall(SYS_openat, dir, path, flags, mode));
}

#define MODE(last)                                               \
	va_list args;                                            \
	va_start(args, last);                                    \
	mode_t mode = last & O_CREAT ? va_arg(args, mode_t) : 0; \
	va_end(args)

int open(const char *path, int flags, ...)
{
	MODE(flags);
	return (int)opened(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	MODE(flags);
	return (int)opened(dir, path, flags, mode);
}

DIR *opendir(const char *path)
{
	DIR *(*real)(const char *) =
		(DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
	if (!is_below(path))
		return real(path);
	struct fate f = FATE(open_one_in, open_errors);
	return f.error != 0 ? (fail(&f), NULL) : (end(&f, 0), real(path));
}

struct dirent *readdir(DIR *dir)
{
	struct dirent *(*real)(DIR *) =
		(struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
	if (mixture == NULL || !fd_is_below(dirfd(dir), NULL))
		return real(dir);
	struct fate f = FATE(read_one_in, read_errors);
	return f.error != 0 ? (fail(&f), NULL) : (end(&f, 0), real(dir));
}

/* openat2(dir, path, how, bytes) */
long syscall(long number, ...)
{
	va_list args;
	va_start(args, number);
	long a[6];
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	bool is_open = number == SYS_openat2 && mixture != NULL &&
		       fd_is_below((int)a[0], (const char *)a[1]);
	struct fate f = {0};
	if (is_open)
		f = FATE(open_one_in, open_errors);
	if (f.error != 0)
		return fail(&f);
	return end(&f,
		   real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static size_t shortened(const struct fate *f, size_t count)
{
	return f->error != 0 ? 1 + (f->dice >> 20) % (count - 1) : count;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
	if (mixture == NULL || !fd_is_below(fd, NULL))
		return real_syscall(SYS_write, fd, bytes, count);
	struct fate f = FATE(write_one_in, write_errors);
	if (f.error != 0 && !(f.is_short && count > 1))
		return fail(&f);
	return end(&f,
		   real_syscall(SYS_write, fd, bytes, shortened(&f, count)));
}

ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
	struct fate f = {0};
	if (mixture != NULL && fd_is_below(fd, NULL))
		f = FATE(read_one_in, read_errors);
	if (f.error != 0)
		return fail(&f);
	return end(&f, real_syscall(SYS_pread64, fd, bytes, count, at));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	struct fate f = {0};
	if (mixture != NULL && fd_is_below(fd, NULL))
		f = FATE(other_one_in, other_errors);
	if (f.error != 0)
		return fail(&f);
	return end(&f, real_syscall(SYS_pwrite64, fd, bytes, count, at));
}

#define FAULT(errors, is_touched, call)         \
	struct fate f = {0};                    \
	if (mixture != NULL && (is_touched))    \
		f = FATE(other_one_in, errors); \
	return (int)(f.error != 0 ? fail(&f) : end(&f, call))
#define OTHER(is_touched, call) FAULT(other_errors, is_touched, call)

int fsync(int fd)
{
	OTHER(fd_is_below(fd, NULL), real_syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
	OTHER(fd_is_below(fd, NULL), real_syscall(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t size)
{
	OTHER(fd_is_below(fd, NULL), real_syscall(SYS_ftruncate, fd, size));
}

int rename(const char *from, const char *to)
{
	OTHER(is_below(from),
	      real_syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
	      unsigned flags)
{
	OTHER(fd_is_below(from_dir, from),
	      real_syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

int stat(const char *restrict path, struct stat *restrict st)
{
	FAULT(stat_errors, is_below(path),
	      real_syscall(SYS_newfstatat, AT_FDCWD, path, st, 0));
}

int access(const char *path, int mode)
{
	FAULT(stat_errors, is_below(path),
	      real_syscall(SYS_faccessat, AT_FDCWD, path, mode));
}

int unlink(const char *path)
{
	OTHER(is_below(path), real_syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int unlinkat(int dir, const char *path, int flags)
{
	OTHER(fd_is_below(dir, path),
	      real_syscall(SYS_unlinkat, dir, path, flags));
}

int mkdir(const char *path, mode_t mode)
{
	OTHER(is_below(path), real_syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int fcntl(int fd, int what, ...)
{
	va_list args;
	va_start(args, what);
	void *arg = va_arg(args, void *);
	va_end(args);
	struct fate f = {0};
	if (mixture != NULL && what == F_SETLK && fd_is_below(fd, NULL))
		f = FATE(other_one_in, lock_errors);
	if (f.error != 0)
		return (int)fail(&f);
	return (int)end(&f, real_syscall(SYS_fcntl, fd, what, arg));
}
