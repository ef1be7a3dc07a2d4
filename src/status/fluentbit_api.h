/* SPDX-License-Identifier: Apache-2.0 */
/* fluentbit_api - the HTTP answers of Fluent Bit, for existing probes,
 * dashboards and scripts.  Paths below /api/v1 and unknown paths are answered
 * as by Fluent Bit 1.8, paths below /api/v2 as by 5.1. */
#ifndef STATUS_FLUENTBIT_API_H
#define STATUS_FLUENTBIT_API_H

struct http_answer;
struct http_request;
struct metrics;

/* Answer a request for any path. */
void fluentbit_api_answer(const struct metrics *, const struct http_request *,
			  struct http_answer *);

#endif
