/* SPDX-License-Identifier: Apache-2.0 */
/* expand - ${NAME} and ${NAME:-default} in the values of a configuration.
 *
 * NAME is looked up among the @SETs and then in the environment, where an empty
 * variable counts as unset.  If HOSTNAME is not set, it stands for the host
 * name of the system.  Values are not expanded a second time.  "${" without "}"
 * stays unchanged. */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

struct conf;

/* Expand every value of every section, once all @SETs are known.  A name that
 * is not set expands to nothing, with a warning. */
void expand_values(struct conf *);

#endif
