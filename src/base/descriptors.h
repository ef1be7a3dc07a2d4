/* SPDX-License-Identifier: Apache-2.0 */
/* descriptors - who may hold how many of those that the process may have.
 *
 *     half: connections of inputs | a quarter: output files
 *     an eighth: connections of HTTP | the rest: all others */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stddef.h>

/* Connections of all inputs together. */
enum { CONNECTIONS_MAX = 256 };

/* Have as many as the hard limit allows, as far as they are of use. */
void descriptors_raise(void);

size_t descriptors_for_connections(void);
size_t descriptors_for_http(void);

/* Of each of so many outputs: those that rest between two batches. */
size_t descriptors_for_files(size_t outputs);

#endif
