/* SPDX-License-Identifier: Apache-2.0 */
#include "record/message.h"

const char *drop_reason_name(enum drop_reason reason)
{
	static const char *const names[] = {
#define X(name, help) [DROP_##name] = #name,
		DROP_REASONS(X)
#undef X
	};
	return names[reason];
}

const char *drop_reason_help(enum drop_reason reason)
{
	static const char *const helps[] = {
#define X(name, help) [DROP_##name] = help,
		DROP_REASONS(X)
#undef X
	};
	return helps[reason];
}
