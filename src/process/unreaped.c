/* SPDX-License-Identifier: Apache-2.0 */
#include "process/unreaped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first bytes of a file below /proc/PID, as a text.  False with errno. */
static bool read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	errno = ESRCH;
	ssize_t n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The rest of the line that begins with the key; "" if there is none. */
static const char *value_of(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	return line != NULL ? line + strlen(key) : "";
}

/* The last field of stat is the exit code, in the form of waitpid. */
static bool read_exit_code(pid_t pid, int *status)
{
	char text[2048];
	if (!read_text(pid, "stat", text, sizeof text))
		return false;
	const char *last = strrchr(text, ' ');
	*status = last != NULL ? (int)strtol(last, NULL, 10) : 0;
	return last != NULL;
}

/* Whether the thread is at its end, and only a core dump keeps it from ending.
 * The thread that writes the dump has sent SIGKILL to the others.  A thread
 * that has not yet taken it is still in a system call. */
static bool waits_for_dump(const char *status_text)
{
	unsigned long long pending =
		strtoull(value_of(status_text, "\nSigPnd:\t"), NULL, 16);
	return *value_of(status_text, "\nCoreDumping:\t") == '1' &&
	       (pending >> (SIGKILL - 1) & 1) == 0;
}

bool unreaped_is_dead(pid_t pid, int *status)
{
	char text[4096];
	if (!read_text(pid, "status", text, sizeof text))
		return false;
	if (*value_of(text, "\nState:\t") == 'Z')
		return read_exit_code(pid, status);
	*status = UNREAPED_SIGNAL;
	return waits_for_dump(text);
}

/* Whether it is a thread of that name that has not reached its end. */
static bool may_write(pid_t pid, const char *thread, const char *name)
{
	char path[64], text[4096];
	snprintf(path, sizeof path, "task/%.20s/status", thread);
	size_t length = strlen(name);
	if (!read_text(pid, path, text, sizeof text))
		return errno != ENOENT && errno != ESRCH; /* it has ended */
	return strncmp(value_of(text, "Name:\t"), name, length) == 0 &&
	       !waits_for_dump(text);
}

static bool has_thread(pid_t pid, const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return true;
	struct dirent *entry;
	bool has = false;
	while (!has && (entry = readdir(dir)) != NULL)
		has = may_write(pid, entry->d_name, name);
	closedir(dir);
	return has;
}

/* A line: "1: POSIX  ADVISORY  WRITE 4711 00:2e:1234 5 5". */
static bool has_lock(pid_t pid)
{
	char line[256];
	int holder;
	bool has = false;
	FILE *f = fopen("/proc/locks", "re");
	if (f == NULL)
		return true;
	while (!has && fgets(line, sizeof line, f) != NULL)
		has = sscanf(line, "%*s POSIX %*s %*s %d", &holder) == 1 &&
		      holder == pid;
	fclose(f);
	return has;
}

bool unreaped_may_write(pid_t pid, const char *thread)
{
	return has_thread(pid, thread) || has_lock(pid);
}
