/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/buf.h"
#include "intake/socket.h"
#include "journal/journal.h"
#include "pipeline/pipeline.h"
#include "status/fluentbit_api.h"
#include "status/http.h"
#include "status/metrics.h"
#include "status/worker_counts.h"

#define NAME "a\"b\\c\nd"
#define ESCAPED "a\\\"b\\\\c\\nd"

static const struct journal_stats journal = {.appended_total = 20,
					     .refused_total = 3};
static const struct socket_stats socket_counts = {.datagrams_total = 23};
static const struct metrics_input inputs[] = {
	{NAME, &socket_counts, 512, false}};
static const struct filter_ops filter_kind = {.name = "lua"};

/* Of 23 messages, 9 are written, 7 dropped and 7 queued. */
static struct metrics metrics_of(struct pipeline_view *view)
{
	static struct decoder_view decoder = {.name = NAME};
	static struct filter_view filter = {.name = NAME, .ops = &filter_kind};
	static struct sink_view sink = {
		.name = NAME,
		.stats = {.messages_written_total = 9,
			  .messages_queued = 2,
			  .messages_dropped_total = {[DROP_write_failed] = 1}},
	};
	*view = (struct pipeline_view){
		.totals.taken = 15,
		.totals.dropped = {[DROP_filtered] = 3},
		.decoders = &decoder,
		.decoder_count = 1,
		.filters = &filter,
		.filter_count = 1,
		.sinks = &sink,
		.sink_count = 1,
	};
	static const struct worker_counts worker_counts = {
		.reloads_done = 1,
		.reloads_failed = 2,
		.deaths = 3,
		.are_outputs_good = true,
	};
	return (struct metrics){.view = view,
				.worker_counts = &worker_counts,
				.journal = &journal,
				.inputs = inputs,
				.input_count = 1};
}

static void the_metrics_satisfy_the_accounting_equation(void **state)
{
	(void)state;
	struct pipeline_view view;
	struct metrics m = metrics_of(&view);
	struct metrics_balance sums = metrics_balance(&m);
	uint64_t dropped = 0;
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		dropped += sums.dropped[r];
	assert_int_equal(sums.received, 23);
	assert_int_equal(sums.written, 9);
	assert_int_equal(sums.dropped[DROP_journal_full], 3);
	assert_int_equal(sums.dropped[DROP_filtered], 3);
	assert_int_equal(sums.dropped[DROP_write_failed], 1);
	assert_int_equal(sums.queued, 7);
	assert_int_equal(sums.received, sums.written + dropped + sums.queued);
}

static void assert_has(struct buf *b, const char *part)
{
	if (strstr(buf_text(b), part) == NULL)
		fail_msg("no %s in:\n%s", part, buf_text(b));
}

/* A blank or a line break in the wrong place makes the whole answer
 * unreadable. */
static void assert_lines_are_whole(struct buf *b)
{
	for (const char *at = buf_text(b); *at != '\0';) {
		const char *end = strchr(at, '\n');
		assert_non_null(end);
		if (strncmp(at, "# ", 2) != 0 &&
		    strncmp(at, "sluiced_", 8) != 0 &&
		    strncmp(at, "fluentbit_", 10) != 0 &&
		    strncmp(at, "process_", 8) != 0)
			fail_msg("%.*s", (int)(end - at), at);
		at = end + 1;
	}
}

static void every_drop_reason_has_help_text(void **state)
{
	(void)state;
	struct pipeline_view view;
	struct metrics m = metrics_of(&view);
	struct buf b = {0};
	metrics_put(&b, &m);
	for (size_t r = 0; r < DROP_REASON_COUNT; r++)
		assert_has(&b, drop_reason_help((enum drop_reason)r));
	buf_fini(&b);
}

static void a_name_is_escaped_in_both_kinds_of_metrics(void **state)
{
	(void)state;
	struct pipeline_view view;
	struct metrics m = metrics_of(&view);
	struct http_request request = {.method = "GET",
				       .path = "/api/v1/metrics/prometheus"};
	struct http_answer answer = {.status = 200};
	struct buf b = {0};
	metrics_put(&b, &m);
	assert_has(&b, "\nsluiced_input_datagrams_total{input=\"" ESCAPED
		       "\"} 23\n");
	assert_has(&b, "{filter=\"" ESCAPED "\"} 0\n");
	assert_has(&b, "{output=\"" ESCAPED "\",reason=\"write_failed\"} 0\n");
	assert_lines_are_whole(&b);
	buf_fini(&b);

	fluentbit_api_answer(&m, &request, &answer);
	assert_has(&answer.body,
		   "\nfluentbit_output_errors_total{name=\"" ESCAPED
		   "\"} 0 0\n");
	assert_has(&answer.body,
		   "\nfluentbit_input_records_total{name=\"" ESCAPED
		   "\"} 0 0\n");
	assert_lines_are_whole(&answer.body);
	buf_fini(&answer.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_metrics_satisfy_the_accounting_equation),
		cmocka_unit_test(every_drop_reason_has_help_text),
		cmocka_unit_test(a_name_is_escaped_in_both_kinds_of_metrics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
