/* SPDX-License-Identifier: Apache-2.0 */
/* fluentbit_api - the HTTP answers of Fluent Bit, for what asks for them today:
 * the probes of a pod, dashboards, scripts.  Below /api/v1, and at every path
 * that it does not know, as 1.8; below /api/v2 as 5.1. */
#ifndef STATUS_FLUENTBIT_API_H
#define STATUS_FLUENTBIT_API_H

struct http_answer;
struct http_request;
struct metrics;

void fluentbit_api_answer(const struct metrics *, const struct http_request *,
			  struct http_answer *);

#endif
