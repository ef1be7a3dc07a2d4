# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: probes and scrapers find Fluent Bit's paths and formats, and
/metrics contains all terms of the accounting equation."""
import http.client
import json
import re
import time

import pytest

from harness.config import (file_output, json_filter, lua_filter, section,
                            service, syslog_input, template)
from harness.daemon import Daemon
from harness.metrics import Metrics
from harness.room import Room
from harness.sender import Sender, datagram
from harness.wait import HANG_S, wait_until


def published_config(room, *more):
    return (service(*more) + syslog_input(room) + json_filter()
            + lua_filter(room, """
                function hook(tag, timestamp, record)
                    record["path"] = "lines"
                    return 1, timestamp, record
                end""")
            + section("FILTER", "Name rewrite_tag", "Match in",
                      f"Rule vhost ^(.*)$ {room.out}/$path true")
            + section("OUTPUT", "Name file", "Match *", "Format template",
                      "Template {uri}"))


@pytest.fixture(scope="module")
def daemon():
    room = Room()
    daemon = Daemon(room, published_config(room))
    with Sender(room.socket) as sender:
        for n in range(5):
            sender.send(datagram({"vhost": "a", "uri": f"/{n}"}))
        sender.send(datagram("no json"), b"")
    daemon.wait_for_messages(7)
    yield daemon
    try:
        daemon.stop()
    finally:
        daemon.kill()
        room.remove()


def get_json(daemon, path):
    answer = daemon.get(path)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize("path", ["/", "/api/v1/metrics/prometheus",
                                  "/api/v1/health", "/api/v2/health",
                                  "/api/v2/metrics", "/metrics"])
def test_the_probes_succeed(daemon, path):
    assert daemon.get(path).status == 200


@pytest.mark.parametrize("path", ["/", "/whatever", "/api/v2/reload/",
                                  "/api/v1/health", "/api/v1/storage"])
def test_the_root_and_unknown_paths_answer_with_the_version(daemon, path):
    about = get_json(daemon, path)["fluent-bit"]
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", about["version"])
    assert about["edition"] and isinstance(about["flags"], list)


def test_uptime_is_formatted_as_fluent_bit_does(daemon):
    uptime = get_json(daemon, "/api/v1/uptime")
    assert set(uptime) == {"uptime_sec", "uptime_hr"}
    assert uptime["uptime_sec"] >= 0
    assert re.fullmatch(
        r"Fluent Bit has been running:  0 day, 0 hour, [0-9]+ minutes? "
        r"and [0-9]+ seconds?", uptime["uptime_hr"])


def test_version_1_has_fluent_bit_s_metrics_as_json(daemon):
    metrics = get_json(daemon, "/api/v1/metrics")
    assert list(metrics) == ["input", "filter", "output"]
    assert metrics["input"]["syslog.0"]["records"] == 6
    assert metrics["input"]["syslog.0"]["bytes"] > 6 * 30
    assert metrics["input"]["emitter_for_rewrite_tag.2"]["records"] == 5
    assert list(metrics["filter"]) == ["parser.0", "lua.1", "rewrite_tag.2"]
    assert metrics["filter"]["rewrite_tag.2"] == {
        "drop_records": 0, "add_records": 0, "emit_records": 5}
    assert metrics["filter"]["parser.0"] == {
        "drop_records": 0, "add_records": 0}
    output = metrics["output"]["file.0"]
    assert output.pop("proc_bytes") > 0
    # The output wrote the copies and, to the file that is named like their
    # tag, the originals.
    assert output == {"proc_records": 11, "errors": 0, "retries": 0,
                      "retries_failed": 0, "dropped_records": 0,
                      "retried_records": 0}


def test_version_1_has_fluent_bit_s_metrics_for_prometheus(daemon):
    before = time.time()
    answer = daemon.get("/api/v1/metrics/prometheus")
    assert answer.headers["Content-Type"].startswith(
        "text/plain; version=0.0.4")
    text = answer.body.decode()
    metrics = Metrics(text)
    assert metrics.sum("fluentbit_input_records_total", name="syslog.0") == 6
    assert metrics.sum("fluentbit_output_proc_records_total",
                       name="file.0") == 11
    assert metrics.sum("fluentbit_filter_emit_records_total",
                       name="rewrite_tag.2") == 5
    assert metrics.types["fluentbit_input_records_total"] == "counter"
    assert metrics.types["fluentbit_uptime"] == "counter"
    assert metrics.types["process_start_time_seconds"] == "gauge"
    samples = [line for line in text.splitlines()
               if line.startswith("fluentbit_") and "_total{" in line]
    assert samples == sorted(samples)
    stamps = {int(line.rsplit(" ", 1)[1]) for line in samples}
    # The kernel's coarse clock may be a moment late.
    assert all(before - 1 <= stamp / 1000 <= time.time() for stamp in stamps)
    assert re.search(r'^fluentbit_build_info\{version="[0-9.]+",edition="[^"]+'
                     r'"\} 1$', text, re.M)


def test_version_2_has_fluent_bit_s_metrics_in_both_formats(daemon):
    answer = daemon.get("/api/v2/metrics/prometheus")
    metrics = Metrics(answer.body.decode())
    assert metrics.sum("fluentbit_input_records_total", name="syslog.0") == 6
    assert metrics.sum("fluentbit_input_records_total",
                       name="emitter_for_rewrite_tag.2") == 5
    assert metrics.sum("fluentbit_filter_records_total", name="lua.1") == 6
    assert metrics.sum("fluentbit_output_proc_records_total",
                       name="file.0") == 11
    for name, labels in metrics.samples:
        assert metrics.types[name] == (
            "counter" if name.endswith(("_total", "_uptime", "_times"))
            else "gauge"), name
    text = daemon.get("/api/v2/metrics").body.decode()
    pattern = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z '
                         r'fluentbit_[a-z_]+\{[a-z]+=".*"\} = \d+')
    assert all(pattern.fullmatch(line) for line in text.splitlines())
    assert len(text.splitlines()) == len(metrics.samples)


def test_a_reload_over_http_is_disabled_by_default(daemon):
    assert get_json(daemon, "/api/v2/reload") == {"hot_reload_count": 0}
    for method in ("POST", "PUT"):
        answer = daemon.get("/api/v2/reload", method=method)
        assert json.loads(answer.body) == {"reload": "not enabled",
                                           "status": -1}
    answer = daemon.get("/api/v2/reload", method="DELETE")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, POST, PUT"


def test_metrics_contain_all_terms_of_the_accounting_equation(daemon):
    metrics = daemon.metrics()
    metrics.check_accounting_equation()
    assert metrics.received == 7
    assert metrics.written == 6
    assert metrics.dropped("empty") == metrics.dropped() == 1
    assert metrics.labels("sluiced_messages_dropped_total", "reason") == sorted(
        ["journal_full", "empty", "filtered", "unrouted", "replayed",
         "unparsed", "killed_worker", "rewrite_loop", "path_refused",
         "too_large", "write_failed", "undecided"])
    assert metrics.sum("sluiced_output_lines_written_total",
                       output="file.0") == 11
    assert metrics.sum("sluiced_input_datagrams_total", input="syslog.0") == 7
    assert metrics.sum("sluiced_filter_records_total", filter="lua.1") == 6
    assert metrics.failures("json_broken", filter="parser.0") == 1


def test_every_metric_has_a_type_and_a_help_text(daemon):
    text = daemon.get("/metrics").body.decode()
    metrics = Metrics(text)
    for name, _ in metrics.samples:
        assert name.startswith("sluiced_")
        assert metrics.types[name] == (
            "counter" if name.endswith("_total") else "gauge"), name
        assert f"# HELP {name} " in text


def test_other_methods_change_nothing(daemon):
    assert daemon.get("/metrics", method="HEAD").body == b""
    for method in ("POST", "PUT", "DELETE"):
        answer = daemon.get("/metrics", method=method)
        assert answer.status == 200
        Metrics(answer.body.decode()).check_accounting_equation()
    assert daemon.metrics().received == 7


def test_one_address_cannot_use_up_all_connections(daemon):
    def client(host):
        return http.client.HTTPConnection(*daemon.address, timeout=HANG_S,
                                          source_address=(host, 0))
    clients = [client("127.0.0.9") for _ in range(200)]
    for each in clients:
        each.connect()
    probe = client("127.0.0.8")
    probe.request("GET", "/")
    assert probe.getresponse().status == 200
    for each in clients + [probe]:
        each.close()


@pytest.mark.parametrize("count", range(128, 136))
def test_clients_above_the_limit_wait_until_others_close(daemon, count):
    """At most 128 clients are connected; up to seven more wait."""
    clients = [http.client.HTTPConnection(
        *daemon.address, timeout=HANG_S,
        source_address=(f"127.0.0.{2 + n // 50}", 0)) for n in range(count)]
    for client in clients:
        client.request("GET", "/metrics")
    for client in clients:
        assert client.getresponse().read()
        client.close()
    assert daemon.get("/").status == 200


def test_names_with_quotes_are_escaped(room, start):
    name = r'a "quoted\" name'
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    daemon = start(service()
                   + syslog_input(room, f"Alias {name}")
                   + section("FILTER", "Name parser", "Match in",
                             f"Alias {name}", "Key_Name message",
                             "Parser json")
                   + template("{message}", room)
                   + file_output(room, f"Alias {name}", match="none"))
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    counts = daemon.wait_for_messages(1)
    assert counts.failures("json_broken", filter=escaped) == 1
    assert counts.sum("sluiced_input_datagrams_total", input=escaped) == 1
    assert counts.labels("sluiced_output_lines_total", "output") == sorted(
        ["file.0", escaped])
    for path in ("/api/v1/storage", "/api/v2/metrics/prometheus"):
        assert daemon.get(path).status == 200
    text = daemon.get("/api/v1/metrics/prometheus").body.decode()
    assert Metrics(text).sum("fluentbit_input_records_total",
                             name=escaped) == 1
    assert get_json(daemon, "/api/v1/metrics")["input"][name]["records"] == 1


def test_emitter_name_is_the_input_that_counts_retagged_copies(room, start):
    daemon = start(service("storage.metrics On") + syslog_input(room)
                   + json_filter()
                   + section("FILTER", "Name rewrite_tag", "Match in",
                             "Emitter_Name again", "Rule a . new false")
                   + section("OUTPUT", "Name null", "Match *"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"a": "b"}))
    daemon.wait_for_messages(1)
    inputs = get_json(daemon, "/api/v1/metrics")["input"]
    assert inputs["again"]["records"] == 1
    metrics = Metrics(daemon.get("/api/v2/metrics/prometheus").body.decode())
    assert metrics.sum("fluentbit_input_records_total", name="again") == 1
    chunks = get_json(daemon, "/api/v1/storage")["input_chunks"]
    assert set(chunks) == {"syslog.0", "again"}


def test_no_process_listens_when_the_server_is_off(room, start):
    daemon = start(section("SERVICE", "Flush 0.1", "Grace 0",
                           "HTTP_Server Off")
                   + syslog_input(room) + template("{message}", room))
    assert daemon.address is None


def test_health_reports_a_failing_output(room, start):
    daemon = start(service("Health_Check On", "HC_Errors_Count 0",
                           "HC_Period 3600") + syslog_input(room)
                   + template("{message}", room))
    assert daemon.get("/api/v1/health")[0::2] == (200, b"ok\n")
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.get("/api/v1/health").status == 500,
               "a failing health check")
    assert daemon.get("/api/v1/health").body == b"error\n"
    assert daemon.get("/").status == 200
    (room.out / "lines.log").rmdir()
    daemon.wait_for_messages(1)


def test_health_covers_the_last_period_only(room, start):
    daemon = start(service("Health_Check On", "HC_Errors_Count 0",
                           "HC_Period 1") + syslog_input(room)
                   + template("{message}", room))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.get("/api/v1/health").status == 500,
               "a failing health check")
    (room.out / "lines.log").rmdir()
    daemon.wait_for_messages(1)
    wait_until(lambda: daemon.get("/api/v1/health").status == 200,
               "a period without an error")
    assert daemon.metrics().sum("sluiced_output_errors_total") > 0


def test_health_of_version_2_has_the_figures_of_fluent_bit(room, start):
    daemon = start(service("Health_Check On", "HC_Errors_Count 0",
                           "HC_Retry_Failure_Count 7", "HC_Period 3600")
                   + syslog_input(room) + template("{message}", room))
    assert get_json(daemon, "/api/v2/health") == {
        "status": "ok", "errors": 0, "retries_failed": 0, "error_limit": 0,
        "retry_failure_limit": 7, "period_limit": 3600}
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.get("/api/v2/health").status == 500,
               "a failing health check")
    bad = json.loads(daemon.get("/api/v2/health").body)
    assert bad["status"] == "error" and bad["errors"] >= 1
    (room.out / "lines.log").rmdir()
    daemon.wait_for_messages(1)


def test_storage_metrics_are_reported_when_configured(room, start):
    daemon = start(service("storage.metrics On") + syslog_input(room)
                   + template("{message}", room))
    chunks = {"total_chunks": 0, "mem_chunks": 0, "fs_chunks": 0,
              "fs_chunks_up": 0, "fs_chunks_down": 0}
    storage = get_json(daemon, "/api/v1/storage")
    assert storage["storage_layer"] == {"chunks": chunks}
    assert list(storage["input_chunks"]) == ["syslog.0"]


def test_errors_up_to_the_limit_keep_the_health_good(room, start):
    daemon = start(service("Health_Check On", "HC_Errors_Count 3",
                           "HC_Period 3600") + syslog_input(room)
                   + template("{message}", room))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))

    def errors():
        return daemon.metrics().sum("sluiced_output_errors_total")
    wait_until(lambda: errors() >= 3, "as many errors as are allowed")
    status = daemon.get("/api/v1/health").status
    assert status == 200 or errors() > 3
    wait_until(lambda: errors() > 3, "one error more")
    assert daemon.get("/api/v1/health").status == 500
    (room.out / "lines.log").rmdir()
    daemon.wait_for_messages(1)


@pytest.mark.parametrize("allowed, status", [(0, 500), (1000, 200)])
def test_dropped_lines_count_as_failed_retries(room, start, allowed, status):
    """The spill of the file is full, so lines are dropped."""
    daemon = start(service("Health_Check On", "HC_Errors_Count 1000000",
                           "storage.spill_size 2M",
                           f"HC_Retry_Failure_Count {allowed}",
                           "HC_Period 3600") + syslog_input(room)
                   + template("{message}", room))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(*[datagram(b"x" * 200_000)] * 50)
    wait_until(lambda: daemon.metrics().dropped("write_failed"),
               "lines to be dropped")
    wait_until(lambda: daemon.metrics().received == 50,
               "all lines to be received")
    assert daemon.get("/api/v1/health").status == status
    (room.out / "lines.log").rmdir()
    daemon.wait_for_messages(50)
