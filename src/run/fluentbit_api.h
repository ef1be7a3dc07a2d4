/* SPDX-License-Identifier: Apache-2.0 */
/* fluentbit_api - the HTTP answers of Fluent Bit 1.8, for what asks for them
 * today: the probes of a pod, dashboards, scripts. */
#ifndef RUN_FLUENTBIT_API_H
#define RUN_FLUENTBIT_API_H

struct http_answer;
struct http_request;
struct metrics;

/* Answers every path: one that 1.8 does not know gets `/`, as there. */
void fluentbit_api_answer(const struct metrics *, const struct http_request *,
			  struct http_answer *);

#endif
