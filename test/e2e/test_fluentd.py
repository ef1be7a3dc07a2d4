# SPDX-License-Identifier: Apache-2.0
"""A real fluentd reads the lines of the shipped configuration while the date
changes and everything restarts.  Pods follow each other as in a rolling
update: the next one starts while nginx of the last one still has requests.

By default, the date changes when a pod in another time zone takes over.  With
MIDNIGHT_S=N, all processes are in one zone, in which midnight comes N to N + 60
seconds after the start.  Pods follow each other until midnight has passed."""
import os
import re
import signal
import socket
import time
from collections import Counter

import pytest

from harness.config import CONF, LUA
from harness.fluentd import Fluentd
from harness.load import get, send_requests
from harness.namespace import free_port
from harness.nginx import shipped_config
from harness.room import OutDir
from harness.wait import wait_until

FLUENTD = os.environ.get("FLUENTD")
MIDNIGHT_S = int(os.environ.get("MIDNIGHT_S", 0))
ACCESS_LOG = "*/istio-ingressgateway-access.log"
# As many lines as fit into the send buffer of one worker of nginx.
BURST = 100
SLOW = 20


def zone(east_min):
    """A zone as POSIX writes it, where the sign is that of west."""
    hours, minutes = divmod(abs(east_min), 60)
    return f"ZON{'-' if east_min > 0 else '+'}{hours:02}:{minutes:02}"


def two_zones():
    """Two zones a day apart, in which the next midnight is more than an hour
    away."""
    west_h = 10 if time.gmtime().tm_hour == 11 else 12
    return zone(-60 * west_h), zone(60 * (24 - west_h))


def zones():
    """The zone of each pod."""
    if not MIDNIGHT_S:
        yesterday, today = two_zones()
        yield from [yesterday, today, today]
        return
    midnight_min = -(-(int(time.time()) + MIDNIGHT_S) // 60)
    east_min = -midnight_min % 1440
    one = zone(east_min if east_min <= 720 else east_min - 1440)
    while time.time() < 60 * midnight_min:
        yield one
    yield one
    yield one


class Traffic:
    """Sends numbered requests.  The path of every third one has bytes that are
    not UTF-8."""

    def __init__(self):
        self.sent = []
        self.clients = []

    def _next(self, path):
        self.sent.append(len(self.sent))
        if len(self.sent) % 3 == 0:
            path += b"%ff/\xfe\xe3\x81\x82"
        return get(b"%s?%d" % (path, self.sent[-1]))

    def send(self, pod, count):
        requests = [self._next(b"/fast/") for _ in range(count)]
        statuses = send_requests(pod.nginx.port, requests)
        assert statuses == [200] * count
        pod.sent += count

    def send_slow(self, pod, backend):
        """Leave requests in flight."""
        for _ in range(SLOW):
            client = socket.create_connection(("127.0.0.1", pod.nginx.port))
            client.sendall(self._next(b"/slow/").raw)
            self.clients.append(client)
        wait_until(lambda: len(backend.waiting) == SLOW, "the slow requests")
        pod.sent += SLOW

    def end_slow(self, backend):
        backend.answer_all()
        for client in self.clients:
            assert client.recv(64).startswith(b"HTTP/1.1 204")
            client.close()
        self.clients = []


class Pod:
    """sluiced and nginx with the files of conf/ and lua/, with other paths and
    ports."""

    def __init__(self, room, start, start_nginx, name, zone, gateway_port):
        directory = room.path / name
        directory.mkdir(mode=0o755)
        port = free_port()
        self.start = lambda: start(CONF / "sluiced.conf", env={
            "SLUICED_SOCKET": str(directory / "sys-log.sock"),
            "SLUICED_OUT": str(room.out), "SLUICED_HTTP_LISTEN": "127.0.0.1",
            "SLUICED_HOOK": str(LUA / "create-log-file-path.lua"),
            "SLUICED_HTTP_PORT": "0", "TZ": zone})
        self.sent = 0
        self.daemon = self.start()
        self.nginx = start_nginx(name=f"nginx-{name}", config=shipped_config(
            directory, directory / "sys-log.sock", port, gateway_port),
            port=port, env={"TZ": zone})

    def queue_length(self):
        return self.daemon.metrics().sum("sluiced_input_queue_length")

    def connect_workers(self, traffic):
        """sluiced waits for the workers of nginx that have logged a line."""
        def are_connected():
            traffic.send(self, 8)
            return self.daemon.sender_count() == 2
        wait_until(are_connected, "both workers of nginx to connect")

    def has_received_all(self):
        return self.daemon.metrics().received >= self.sent

    def drain(self, then_kill):
        """Let nginx finish its requests.  sluiced gets SIGTERM now, or is
        killed when they are finished."""
        self.is_to_be_killed = then_kill
        self.nginx.process.send_signal(signal.SIGQUIT)
        if not then_kill:
            self.daemon.signal(signal.SIGTERM)
            wait_until(lambda: "draining" in self.daemon.log(),
                       "sluiced to drain")

    def end(self):
        """Call this when the last request was answered."""
        self.nginx.stop()
        assert self.nginx.refused() == 0
        if self.is_to_be_killed:
            wait_until(lambda: self.daemon.metrics().received >= self.sent,
                       "all lines to be received")
            self.daemon.kill_tree()
            self.daemon = self.start()
            self.daemon.stop()
        else:
            self.daemon.check_end()


@pytest.fixture
def start_fluentd(room):
    if not FLUENTD:
        pytest.skip("set FLUENTD=PATH to run the tests with a real fluentd")
    started = []

    def start_one(zone):
        started.append(Fluentd(room, FLUENTD, zone))
        return started[-1]
    yield start_one
    for fluentd in started:
        fluentd.kill()


def numbers(lines):
    """How often each number was sent, written or read."""
    return Counter(int(re.search(rb"\tquery:(\d+)\t", line)[1])
                   for line in lines)


def check(traffic, out, fluentd, restarts):
    """Each line is in one file, and fluentd has read it once."""
    sent = set(traffic.sent)

    def missing():
        return sent - {int(record["query"]) for record in fluentd.records()}
    wait_until(lambda: fluentd.has(len(sent)) and not missing(),
               lambda: f"fluentd to read {sorted(missing())}")
    fluentd.begin_stop()
    fluentd.end_stop()
    written = numbers(out.lines(ACCESS_LOG))
    records = fluentd.records()
    read = Counter(int(record["query"]) for record in records)
    twice = [n for n, count in read.items() if count > 1]
    print(f"{len(sent)} lines sent on {len(out.files())} dates, {restarts}, "
          f"{fluentd.starts} starts of fluentd; fluentd: "
          f"{len(sent - set(read))} missing, {len(twice)} twice; files: "
          f"{len(sent - set(written))} missing, "
          f"{sum(written.values()) - len(written)} twice")
    assert written == Counter(sent)
    assert read == Counter(sent), twice
    assert len(out.files()) == 2
    for record in records:
        is_invalid = int(record["query"]) % 3 == 2
        assert (r"\xff/\xfeあ" in record["uri"]) == is_invalid, record


def test_fluentd_reads_each_line_once_while_date_and_processes_change(
        own_network, start_fluentd, room, start, start_nginx, slow_backend):
    gateway = start_nginx(name="gateway", http="access_log off;", server=f"""
        location / {{ return 200; }}
        location /slow/ {{
            proxy_pass http://127.0.0.1:{slow_backend.port};
            proxy_read_timeout 1h;
        }}
    """)
    traffic = Traffic()
    out = OutDir(room.out)
    fluentd = last = None
    pods = 0
    for zone in zones():
        pods += 1
        pod = Pod(room, start, start_nginx, f"pod-{pods}", zone, gateway.port)
        if not fluentd:
            if pod.queue_length() < BURST + SLOW:
                pytest.skip("needs permission to make the queue longer")
            fluentd = start_fluentd(zone)
        pod.connect_workers(traffic)
        traffic.send(pod, BURST)
        pod.daemon.kill_worker()
        wait_until(lambda: out.has(len(traffic.sent) - len(traffic.clients),
                                   ACCESS_LOG), "the lines")
        if last:
            # Lines come while fluentd stops.  The late lines of the last pod
            # come while fluentd is not running.
            fluentd.begin_stop()
            traffic.send(pod, BURST)
            fluentd.end_stop()
            traffic.end_slow(slow_backend)
            last.end()
            fluentd.start()
        traffic.send_slow(pod, slow_backend)
        pod.drain(then_kill=pods % 2 == 0)
        last = pod
    traffic.end_slow(slow_backend)
    last.end()
    check(traffic, out, fluentd,
          f"{pods} pods, {pods} + {pods // 2} kills of sluiced")
