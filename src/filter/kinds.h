/* SPDX-License-Identifier: Apache-2.0 */
/* kinds - the filters that there are; chain.c has the table. */
#ifndef FILTER_KINDS_H
#define FILTER_KINDS_H

#include "filter/filter.h"

extern const struct filter_ops filter_parser;
extern const struct filter_ops filter_lua;
extern const struct filter_ops filter_rewrite_tag;
extern const struct filter_ops filter_grep;
extern const struct filter_ops filter_modify;
extern const struct filter_ops filter_record_modifier;
extern const struct filter_ops filter_nest;

#endif
