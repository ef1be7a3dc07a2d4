/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/unsupported.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/conf_tree.h"

static const char *const inputs[] = {"blob",
				     "calyptia_fleet",
				     "collectd",
				     "cpu",
				     "disk",
				     "docker",
				     "docker_events",
				     "dummy",
				     "ebpf",
				     "elasticsearch",
				     "emitter",
				     "etw",
				     "event_test",
				     "event_type",
				     "exec",
				     "exec_wasi",
				     "fluentbit_logs",
				     "fluentbit_metrics",
				     "forward",
				     "gpu_metrics",
				     "head",
				     "health",
				     "http",
				     "kafka",
				     "kmsg",
				     "kubernetes_events",
				     "lib",
				     "mem",
				     "mqtt",
				     "netif",
				     "nginx_metrics",
				     "node_exporter_metrics",
				     "opentelemetry",
				     "podman_metrics",
				     "proc",
				     "process_exporter_metrics",
				     "prometheus_remote_write",
				     "prometheus_scrape",
				     "prometheus_textfile",
				     "random",
				     "serial",
				     "splunk",
				     "statsd",
				     "stdin",
				     "storage_backlog",
				     "systemd",
				     "tail",
				     "tcp",
				     "thermal",
				     "udp",
				     "unix_socket",
				     "windows_exporter_metrics",
				     "winevtlog",
				     "winlog",
				     "winstat",
				     NULL};

static const char *const filters[] = {
	"alter_size", "aws",	   "checklist",	    "ecs",
	"expect",     "geoip2",	   "kubernetes",    "log_to_metrics",
	"multiline",  "nightfall", "stdout",	    "sysinfo",
	"tensorflow", "throttle",  "throttle_size", "type_converter",
	"wasm",	      NULL};

static const char *const outputs[] = {"azure",
				      "azure_blob",
				      "azure_kusto",
				      "azure_logs_ingestion",
				      "bigquery",
				      "calyptia",
				      "chronicle",
				      "cloudwatch_logs",
				      "counter",
				      "datadog",
				      "es",
				      "exit",
				      "flowcounter",
				      "forward",
				      "gcs",
				      "gelf",
				      "http",
				      "influxdb",
				      "kafka",
				      "kafka-rest",
				      "kinesis_firehose",
				      "kinesis_streams",
				      "lib",
				      "logdna",
				      "loki",
				      "nats",
				      "nrlogs",
				      "opensearch",
				      "opentelemetry",
				      "oracle_log_analytics",
				      "pgsql",
				      "plot",
				      "prometheus_exporter",
				      "prometheus_remote_write",
				      "retry",
				      "s3",
				      "skywalking",
				      "slack",
				      "splunk",
				      "stackdriver",
				      "syslog",
				      "tcp",
				      "td",
				      "udp",
				      "vivo_exporter",
				      "websocket",
				      NULL};

static const struct {
	const char *name;
	const char *why;
} sections[] = {
	{"STREAM_TASK", "sluiced has no stream processor"},
	{"CUSTOM", "sluiced has no custom plug-ins"},
	{"CUSTOMS", "sluiced has no custom plug-ins"},
	{"PLUGINS", "plug-ins are built in"},
	{"UPSTREAM", "sluiced has no network outputs"},
	{"NODE", "sluiced has no network outputs"},
	{"EXTENSIONS", "sluiced has no extensions"},
};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words != NULL && strcasecmp(*words, word) != 0)
		words++;
	return *words != NULL;
}

static const char *const *plugins_of(const char *kind)
{
	if (strcmp(kind, "input") == 0)
		return inputs;
	return strcmp(kind, "filter") == 0 ? filters : outputs;
}

bool unsupported_plugin(const struct conf_section *s, const char *kind,
			const char *const *known, struct err *e)
{
	const struct conf_key *k = s->keys;
	while (k != NULL && strcasecmp(k->name, "Name") != 0)
		k = k->next;
	if (k == NULL || !is_one_of(k->value, plugins_of(kind)))
		return conf_err_unknown(s, "Name", kind, known, e);
	struct buf ours = {0};
	for (size_t i = 0; known[i] != NULL; i++)
		buf_printf(&ours, "%s%s", i > 0 ? ", " : "", known[i]);
	conf_err_key(s, "Name", e,
		     "\"%s\" is a plug-in of Fluent Bit that sluiced does not "
		     "have; the %ss of sluiced are %s",
		     k->value, kind, buf_text(&ours));
	buf_fini(&ours);
	return false;
}

bool unsupported_section(const struct conf_section *s, const char *const *known,
			 struct err *e)
{
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
		if (conf_is(s, sections[i].name))
			return conf_err(s, e,
					"a section of Fluent Bit that sluiced "
					"does not have: %s",
					sections[i].why);
	return conf_err_unknown(s, NULL, "section", known, e);
}
