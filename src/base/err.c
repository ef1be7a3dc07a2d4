/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

bool err_vset(struct err *e, const char *format, va_list args)
{
	vsnprintf(e->text, sizeof e->text, format, args);
	e->exit_code = EXIT_CODE_CONFIG;
	return false;
}

bool err_set(struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return false;
}

bool err_sys(struct err *e, int errno_value, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	size_t used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s",
		 strerror(errno_value));
	e->exit_code = EXIT_CODE_SYSTEM;
	return false;
}

bool err_in(struct err *e, const char *format, ...)
{
	char inner[sizeof e->text];
	memcpy(inner, e->text, sizeof inner);
	int exit_code = e->exit_code;

	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	size_t used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s", inner);
	e->exit_code = exit_code;
	return false;
}
