/* SPDX-License-Identifier: Apache-2.0 */
/* fluentbit_v1 - the metrics of Fluent Bit 1.8, in both of their forms:
 *
 *     {"input":{"syslog.0":{"records":4,"bytes":688},...},"filter":...}
 *     fluentbit_input_records_total{name="syslog.0"} 4 1795242105509 */
#ifndef STATUS_FLUENTBIT_V1_H
#define STATUS_FLUENTBIT_V1_H

#define FLUENTBIT_V1_VERSION "1.8.13"

#include <stdbool.h>

struct buf;
struct filter_view;
struct metrics;

/* Whether the filter re-emits records.  In Fluent Bit, such a filter has a
 * hidden input, the emitter. */
bool fluentbit_v1_has_emitter(const struct filter_view *);

/* The name of the emitter: *prefix followed by the returned text.  Both live as
 * long as the filter. */
const char *fluentbit_v1_emitter(const struct filter_view *,
				 const char **prefix);

/* Append the answer in one of the two forms. */
void fluentbit_v1_put_json(struct buf *, const struct metrics *);
void fluentbit_v1_put_prometheus(struct buf *, const struct metrics *);

#endif
