/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/kinds.h"

#include <stddef.h>
#include <strings.h>

/* clang-format off */
const struct filter_ops *const filter_kinds[] = {
#define X(name) &filter_##name,
	FILTER_KINDS(X)
#undef X
	NULL,
};
/* clang-format on */

const struct conf_key_spec filter_common_keys[] = {
	{"Name", CONF_TEXT, .is_required = true,
	 .help = "The kind of filter, for example parser."},
	{"Match", CONF_TAG_GLOB,
	 .help = "The filter is given records whose tag matches; * stands for "
		 "any characters. A filter with neither Match nor "
		 "Match_Regex is left out."},
	{"Match_Regex", CONF_REGEX,
	 .help = "The filter is also given records whose tag matches this "
		 "regular expression; the match must begin at the first "
		 "character."},
	{"Alias", CONF_TEXT, .default_text = "NAME.N",
	 .help = "The name of this filter in metrics and log lines."},
	{"Active", CONF_BOOL, .default_text = "true",
	 .help = "With false or 0, the section is checked but the filter does "
		 "not run. As in Fluent Bit, it runs with off and no; sluiced "
		 "warns."},
	{"Log_Level", .ignored = "Log_Level of [SERVICE] applies to all "
				 "of sluiced"},
	{"log_suppress_interval", .ignored = "sluiced limits the rate of "
					     "repeated log lines itself"},
	{.name = NULL},
};

const struct filter_ops *filter_kind_named(const char *name)
{
	for (size_t i = 0; i < FILTER_KIND_COUNT; i++)
		if (strcasecmp(name, filter_kinds[i]->name) == 0)
			return filter_kinds[i];
	return NULL;
}
