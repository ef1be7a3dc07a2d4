/* SPDX-License-Identifier: Apache-2.0 */
/* fluentbit_v2 - the metrics of Fluent Bit 5.1, in both of their forms:
 *
 *     fluentbit_input_records_total{name="syslog.0"} 4
 *     2026-11-21T06:21:45.509000000Z fluentbit_...{name="syslog.0"} = 4
 *
 * Metrics of chunks, connections and threads are left out. */
#ifndef STATUS_FLUENTBIT_V2_H
#define STATUS_FLUENTBIT_V2_H

#define FLUENTBIT_V2_VERSION "5.1.1"

struct buf;
struct metrics;

/* Append the answer in one of the two forms. */
void fluentbit_v2_put_prometheus(struct buf *, const struct metrics *);
void fluentbit_v2_put_text(struct buf *, const struct metrics *);

#endif
