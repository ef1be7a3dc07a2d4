/* SPDX-License-Identifier: Apache-2.0 */
#include "check_fails.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

void assert_check_fails(void (*run)(void *data), void *data, const char *expr)
{
	int ends[2], status;
	char printed[512], wanted[256];
	size_t used = 0;
	ssize_t n;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		run(data);
		_exit(0);
	}
	close(ends[1]);
	while (used < sizeof printed - 1 &&
	       (n = read(ends[0], printed + used, sizeof printed - 1 - used)) >
		       0)
		used += (size_t)n;
	printed[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	snprintf(wanted, sizeof wanted, "check=\"%s\"", expr);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_CODE_BUG ||
	    strstr(printed, wanted) == NULL)
		fail_msg("no %s: status %d: %s", wanted, status, printed);
}
