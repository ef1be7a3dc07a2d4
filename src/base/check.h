/* SPDX-License-Identifier: Apache-2.0 */
/* check - assertions, function attributes and exit codes.
 *
 * CHECK is compiled into every build.  If the state of the process is wrong,
 * continuing could damage the journal and the files, so the process prints the
 * place of the failed check and exits with EXIT_CODE_BUG. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUST_USE __attribute__((warn_unused_result))
#define NO_INLINE __attribute__((noinline))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Exit codes, see sysexits.h; systemd can refuse to restart on 64 and 78. */
enum {
	EXIT_CODE_USAGE = 64,
	EXIT_CODE_BUG = 70,
	EXIT_CODE_SYSTEM = 71,
	EXIT_CODE_CONFIG = 78,
};

#define CHECK(e) ((e) ? (void)0 : check_failed(#e, __FILE__, __LINE__))

/* Print `check="expr" file=... line=...` to standard error and exit. */
_Noreturn void check_failed(const char *expr, const char *file, int line);

#endif
