/* SPDX-License-Identifier: Apache-2.0 */
/* match_check - the filters and outputs that no record will come to.
 *
 * The tags that there can be are those of the inputs and those that the rules
 * of rewrite_tag make; of the latter what stands before the first "$" is known.
 * A Match that fits none of them is nearly always a mistake of spelling, and
 * nothing would tell of it later. */
#ifndef SETUP_MATCH_CHECK_H
#define SETUP_MATCH_CHECK_H

struct conf;

/* A warning for each Match that fits no tag, and for each output without one.
 * (Of a filter without one the chain warns.) */
void match_check(const struct conf *);

#endif
