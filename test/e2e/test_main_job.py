# SPDX-License-Identifier: Apache-2.0
"""The published configuration and a real nginx with two workers that are not
root: 10,000 requests of every kind become 10,000 lines, each byte as the
template says."""
import os
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from harness import namespace
from harness.config import json_filter, service, syslog_input, template
from harness.expect import read_json, template_line
from harness.load import Request, get, send_requests
from harness.scale import dice
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until

PUBLISHED = Path(__file__).parent / "published"
REQUESTS = 2000 if SAN else 10000
ACCESS_LOG = "istio-ingressgateway-access.log"

# The JSON has a field "time", to show that {time} is the time of the record.
VARIABLES = {
    "time": "$time_iso8601", "msec": "$msec", "vhost": "$host",
    "remote_addr": "$remote_addr", "remote_port": "$remote_port",
    "x_forwarded_for": "$http_x_forwarded_for", "method": "$request_method",
    "scheme": "$scheme", "uri": "$uri", "args": "$args",
    "request_uri": "$request_uri", "protocol": "$server_protocol",
    "status": "$status", "body_bytes_sent": "$body_bytes_sent",
    "bytes_sent": "$bytes_sent", "request_length": "$request_length",
    "request_time": "$request_time", "referer": "$http_referer",
    "user_agent": "$http_user_agent", "cookie": "$http_cookie",
    "upstream_status": "$upstream_status", "worker": "$pid",
}
FIELDS = ("method", "uri", "request_uri", "args", "vhost", "status",
          "body_bytes_sent", "request_time", "referer", "user_agent",
          "x_forwarded_for", "cookie", "upstream_status", "worker", "pri",
          "ident", "nothing_of_that_name")
TEMPLATE = "time:{time}\t" + "\t".join(f"{f}:{{{f}}}" for f in FIELDS)

LOG_FORMAT = "log_format json_access_format escape=json '{%s}';" % ",".join(
    f'"{key}":"{variable}"' for key, variable in VARIABLES.items())
HTTP = LOG_FORMAT + """
    access_log ROOM/access.json json_access_format;
    access_log syslog:server=unix:ROOM/sys-log.sock json_access_format;
"""
SERVER = """
        location / { return 200 "ok\\n"; }
        location /empty { return 204; }
        location /missing { return 404; }
        location /away { return 302 /; }
        location /broken { return 503; }
"""


def mixed_requests(count):
    rng = dice("requests")
    kinds = [
        lambda n: get(b"/item/%d" % n, b"User-Agent: curl/7.88.1"),
        lambda n: get(b"/find?q=%d&lang=ja" % n, b"Referer: http://a/?b=\"c\""),
        lambda n: get(b"/form", method=b"POST", body=b"x=%d" % n),
        lambda n: get(b"/missing/%d" % n),
        lambda n: get(b"/empty"),
        lambda n: get(b"/away", b"User-Agent:"),
        lambda n: get(b"/broken?n=%d" % n, method=b"PUT", body=b"y" * 3000),
        lambda n: get(b"/head", method=b"HEAD"),
        lambda n: get(b"/evil%0Atime:forged%09%1B%7F%0d"),
        lambda n: get(b"/%E3%81%82/%C3%28/" + "東京".encode() + b"/\xff\xfe"),
        lambda n: get(b"/long/" + b"a%20" * 1000 + b"?" + b"b" * 3000),
        lambda n: get(b"/ua", b'User-Agent: "quoted" \\back\\slash\\n '
                      + "日本語".encode() + b" \x7f\xff {status} \t end"),
        lambda n: get(b"/cookie", b"Cookie: sid=%d; theme=\"dark\"" % n,
                      b"X-Forwarded-For: 10.0.0.1, 10.0.0.2"),
        lambda n: get(b"/{uri}/$1/%24/%7Btime%7D"),
        lambda n: Request(b"GET /old HTTP/1.0\r\n\r\n", closes=True),
        lambda n: Request(b"NOT A REQUEST\r\n\r\n", closes=True),
        lambda n: Request(b"GET / HTTP/1.1\r\n\r\n", closes=True),
        lambda n: Request(b"GET /nul%00byte HTTP/1.1\r\nHost: a\r\n\r\n",
                          closes=True),
        lambda n: Request(b"GET /" + b"z" * 9000 + b" HTTP/1.1\r\n\r\n",
                          closes=True),
    ]
    weights = [300] + [40] * 13 + [5] * 5
    requests = [kind(n) for n, kind in enumerate(kinds)]
    requests += [kind(n) for n, kind in enumerate(
        rng.choices(kinds, weights, k=count - len(kinds)))]
    rng.shuffle(requests)
    return requests


def adapt(room, parsers):
    """Copy the published files with paths and a port for this test."""
    def copy(name, to, *changes):
        text = (PUBLISHED / name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, str(new))
        room.write(to, text)
    copy("fluent-bit.conf", "fluent-bit.conf",
         ("/tmp/sidecar-nginx", room.path), ("/log/output/path", room.out),
         ("HTTP_PORT           2020", "HTTP_PORT           0"),
         ("@FIELDS@", TEMPLATE))
    copy(parsers, "parsers.conf")
    copy("create-log-file-path.lua", "create-log-file-path.lua")
    return room.path / "fluent-bit.conf"


def expected_line(entry):
    """The line for an entry of nginx's own log.  TZ is unset, so nginx's local
    time is UTC."""
    fields = read_json(entry)
    fields["time"] = fields["msec"].split(".")[0] + ".000000"
    fields["pri"] = "190"
    fields["ident"] = socket.gethostname().lower()
    return template_line(TEMPLATE, fields)


def send_in_rounds(nginx, daemon, requests):
    """nginx does not wait until the socket has room, so the test does.  The
    lines of a round fit into the queue, and into the send buffer of a single
    worker (212,992 bytes), even if all of them are long."""
    size = 12 if namespace.queue_length() >= 512 else 8
    statuses = []
    for start in range(0, len(requests), size):
        statuses += send_requests(nginx.port, requests[start:start + size])
        wait_until(lambda: daemon.metrics().received >= len(statuses),
                   "a round of requests to be received")
    return statuses


def test_symbolic_links_lead_no_line_out_of_the_published_directory(
        room, out, start):
    """Somebody else replaces the directory of the lines by a link.  The links
    for the day before and after are for a test at midnight."""
    victim = room.disk / "victim"
    victim.mkdir()
    room.out.mkdir()
    days = [room.out / time.strftime("%Y-%m%d", time.gmtime(
        time.time() + 86400 * n)) for n in (-1, 0, 1)]
    for day in days:
        day.symlink_to("../victim")
    daemon = start(adapt(room, "parsers.conf"), cwd=room.path)
    with Sender(room.path / "sys-log.sock") as sender:
        sender.send(datagram({"vhost": "a.example"}))
    wait_until(lambda: "a symbolic link leads out of" in daemon.log(),
               "the refusal")
    assert list(victim.iterdir()) == []
    for day in days:
        day.unlink()
    daemon.wait_for_messages(1)
    assert [Path(name).name for name in out.files()] == [ACCESS_LOG]
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("parsers", ["parsers.conf", "parsers-shipped.conf"])
def test_ten_thousand_requests_become_ten_thousand_lines(
        room, out, start, start_nginx, parsers):
    daemon = start(adapt(room, parsers))
    nginx = start_nginx(http=HTTP.replace("ROOM", str(room.path)),
                        server=SERVER)
    if os.geteuid() == 0:
        wait_until(nginx.has_two_workers_that_are_not_root, "nginx's workers")

    first_day = time.strftime("%Y-%m%d", time.gmtime())
    statuses = send_in_rounds(nginx, daemon, mixed_requests(REQUESTS))
    last_day = time.strftime("%Y-%m%d", time.gmtime())
    assert len(statuses) == REQUESTS
    assert set(statuses) - {0} == {200, 204, 302, 400, 404, 414, 503}

    entries = room.path / "access.json"
    wait_until(lambda: entries.read_bytes().count(b"\n") == REQUESTS,
               "nginx's own log")
    counts = daemon.wait_for_messages(REQUESTS)

    expected = Counter(map(expected_line,
                           entries.read_bytes().split(b"\n")[:-1]))
    assert sum(expected.values()) == REQUESTS
    lines = Counter(out.lines(f"*/{ACCESS_LOG}"))
    assert not lines - expected, list(lines - expected)[:3]
    assert not expected - lines, list(expected - lines)[:3]
    assert out.files() == [f"{day}/{ACCESS_LOG}"
                           for day in sorted({first_day, last_day})]
    workers = {line.split(b"worker:")[1].split(b"\t")[0] for line in lines}
    assert len(workers) == 2

    # KEEP true and Match *: each line is also in the file named like the old
    # tag.
    kept = Counter((room.path / "kube.*").read_bytes().split(b"\n")[:-1])
    assert kept == expected

    assert counts.received == counts.written == REQUESTS
    assert counts.dropped() == counts.failures() == 0
    assert counts.sum("sluiced_output_lines_written_total",
                      output="file.0") == 2 * REQUESTS
    assert nginx.refused() == 0


def test_the_built_in_parser_reads_nginx_with_and_without_a_host_name(
        room, out, start, start_nginx):
    """With `nohostname`, nginx's header has one word less."""
    daemon = start(service() + syslog_input(room) + json_filter()
                   + template("{pri} {host} {ident} {uri}", room))
    syslog = f"access_log syslog:server=unix:{room.socket}"
    other = "nohostname,tag=edge,facility=user,severity=warn"
    nginx = start_nginx(http=LOG_FORMAT + "access_log off;", server=f"""
        location / {{
            {syslog} json_access_format;
            return 200;
        }}
        location /other {{
            {syslog},{other} json_access_format;
            return 200;
        }}
    """)
    send_requests(nginx.port, [get(b"/one"), get(b"/other")], connections=1)
    daemon.wait_for_messages(2)
    host = socket.gethostname().lower()
    assert out.lines() == [f"190 {host} nginx /one".encode(),
                           b"12 {host} edge /other"]
