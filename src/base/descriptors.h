/* SPDX-License-Identifier: Apache-2.0 */
/* descriptors - how the file descriptors of the process are shared out.
 *
 *     half: connections of inputs | a quarter: output files
 *     an eighth: connections of HTTP | the rest: everything else */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stddef.h>

/* The maximum of connections of all inputs together. */
enum { CONNECTIONS_MAX = 256 };

/* Raise the soft limit to the hard limit, or as far as it is useful. */
void descriptors_raise(void);

/* The shares of input connections and of HTTP connections. */
size_t descriptors_for_connections(void);
size_t descriptors_for_http(void);

/* How many input connections may be ending beside those. */
size_t descriptors_for_ending(size_t connections);

/* How many idle files each output may keep open if there are `outputs` outputs.
 */
size_t descriptors_for_files(size_t outputs);

#endif
