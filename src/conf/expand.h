/* SPDX-License-Identifier: Apache-2.0 */
/* expand - ${NAME} and ${NAME:-default} in the values of a configuration.
 *
 * NAME is looked for in the @SET table, then in the environment, where empty
 * means unset; HOSTNAME is the system's when nobody set it.  One pass: what
 * was put in is not looked at again.  "${" without "}" stays as it is. */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

struct conf;

/* Every value of every section, once all @SET are known.  A name that is not
 * set becomes nothing, with a warning. */
void expand_values(struct conf *);

#endif
