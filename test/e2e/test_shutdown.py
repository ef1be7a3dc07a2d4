# SPDX-License-Identifier: Apache-2.0
"""A gateway drains for minutes and logs all the while: after SIGTERM sluiced
goes on receiving until the socket is idle or Grace is over."""
import os
import signal
import threading
import time

import pytest

from harness import namespace
from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.load import get, send_requests
from harness.sender import Sender, datagram
from harness.wait import SLOWNESS, wait_until


def numbered(room, *service_lines, **how):
    return (service(*service_lines, **how) + syslog_input(room) + json_filter()
            + template("{n}", room))


def numbers(out):
    return [int(line) for line in out.lines()]


def test_requests_that_go_on_for_five_seconds_after_sigterm_are_all_there(
        room, out, start, start_nginx):
    daemon = start(service(flush="1", grace="60") + syslog_input(room)
                   + json_filter() + template("{uri}", room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"uri":"$request_uri"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    deep = namespace.queue_length() >= 512
    sent = []

    def send_some():
        group = [get(b"/%d" % (len(sent) + n)) for n in range(8)]
        sent.extend(send_requests(nginx.port, group, connections=1,
                                  pipeline=8))
        if not deep:
            daemon.settled(len(sent))
    while len(sent) < 200:
        send_some()
    daemon.signal(signal.SIGTERM)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        send_some()
        # A rate, not a wait: the kernel lets an nginx worker have about 100
        # lines in flight, and this machine may be busy with other things.
        time.sleep(0.004)
    assert daemon.process.poll() is None
    daemon.check_end(timeout_s=5)
    assert sorted(out.lines()) == sorted(b"/%d" % n for n in range(len(sent)))
    assert nginx.refused() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_waits_for_its_flush_is_written_before_the_end(
        room, out, start, number):
    """Flush is an hour: only the end can have written them."""
    daemon = start(numbered(room, flush="3600", grace="30"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: daemon.metrics().received == 100, "all received")
    assert out.files() == []
    asked = time.monotonic()
    daemon.stop(number)
    assert numbers(out) == list(range(100))
    assert time.monotonic() - asked < 3 * SLOWNESS


def test_what_the_kernel_still_holds_is_written_before_the_end(
        room, out, start):
    daemon = start(numbered(room))
    if daemon.metrics().sum("sluiced_input_queue_length") < 100:
        pytest.skip("needs a queue longer than 100")
    worker = daemon.worker()
    os.kill(worker, signal.SIGSTOP)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(90)))
    daemon.signal(signal.SIGTERM)
    os.kill(worker, signal.SIGCONT)
    daemon.check_end()
    assert numbers(out) == list(range(90))


def test_a_sender_that_is_never_silent_for_a_second_is_heard_out(
        room, out, start):
    daemon = start(numbered(room, grace="30"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        daemon.settled(1)
        daemon.signal(signal.SIGTERM)
        for n in range(1, 6):
            time.sleep(0.9)  # a rate, not a wait
            sender.send(datagram({"n": n}))
        last = time.monotonic()
    daemon.check_end()
    assert 1 <= time.monotonic() - last < 3 * SLOWNESS
    assert numbers(out) == list(range(6))


@pytest.mark.parametrize("grace", [0, 1])
def test_grace_ends_it_although_a_sender_never_stops(
        room, out, start, grace):
    daemon = start(numbered(room, grace=str(grace)))
    accepted = []
    stop = threading.Event()

    def send_on():
        with Sender(room.socket) as sender:
            sender.socket.settimeout(5)
            try:
                while not stop.is_set():
                    sender.socket.send(datagram({"n": len(accepted)}))
                    accepted.append(1)
                    time.sleep(0.001)  # a rate, not a wait
            except OSError:  # the socket is gone
                pass
    thread = threading.Thread(target=send_on)
    thread.start()
    try:
        wait_until(lambda: out.has(50), "the first lines")
        asked = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.check_end(timeout_s=grace + 5)
        assert time.monotonic() - asked < (grace + 1.5) * SLOWNESS
        if grace:
            assert time.monotonic() - asked >= grace
    finally:
        stop.set()
        thread.join()
    # All that it let in, in order; what came behind was told to the sender.
    written = numbers(out)
    assert written == list(range(len(written)))
    assert len(accepted) == len(written)


@pytest.mark.parametrize("where", ["filesystem", "memory"])
def test_what_cannot_be_written_when_grace_ends_is_counted(
        room, out, start, where):
    """A directory stands where the file should be.  It stays in the journal,
    if that stays."""
    daemon = start(numbered(room, f"storage.type {where}", grace="1"))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().sum("sluiced_output_errors_total") > 0,
               "the output to fail")
    counts = daemon.metrics()
    assert (counts.received, counts.written, counts.queued) == (10, 0, 10)
    stays = 10 if where == "filesystem" else 0
    daemon.stop(queued=stays)
    assert daemon.last_word() == (10, 0, 10 - stays, 0, stays)


def test_a_full_disk_does_not_outlast_grace(room, start):
    daemon = start(service(grace="1") + syslog_input(room)
                   + section("OUTPUT", "Name file", "Match *", "Path /dev",
                             "File full"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the disk to be full")
    with Sender(room.socket) as sender:  # these stay in the journal
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 20, "all received")
    counts = daemon.metrics()
    assert (counts.dropped(), counts.written, counts.queued) == (0, 0, 20)
    asked = time.monotonic()
    daemon.stop(queued=20)
    assert 1 <= time.monotonic() - asked < 4 * SLOWNESS
    assert daemon.last_word() == (20, 0, 0, 0, 20)


def test_the_last_word_tells_the_law(room, out, start):
    daemon = start(numbered(room))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)), b"")
    daemon.settled(11)
    daemon.stop()
    assert ("mod=worker stopped received=11 written=10 dropped=1"
            " dead_lettered=0 queued=0" in daemon.log())


def test_its_socket_goes_with_it(room, start):
    daemon = start(numbered(room))
    assert os.stat(room.socket).st_mode & 0o777 == 0o666
    daemon.stop()
    assert not room.socket.exists()
    assert [p.name for p in room.path.iterdir() if "sock" in p.name] == []


def test_a_restart_takes_over_where_nginx_sends(room, out, start, start_nginx):
    """nginx connects anew when its socket is gone; it loses one line for each
    worker to notice, which is why it is asked twice."""
    first = start(numbered(room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"n":"$arg_n"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    send_requests(nginx.port, [get(b"/?n=1")], connections=1)
    first.settled(1)
    first.stop()
    second = start(numbered(room))
    asked = []

    def arrives():
        asked.append(1)
        send_requests(nginx.port, [get(b"/?n=2")], connections=1)
        return second.metrics().received > 1
    wait_until(arrives, "a line after the restart")
    second.settled(2)
    assert set(numbers(out)) == {1, 2} and len(asked) <= 10


def test_a_hook_that_cannot_be_stopped_does_not_outlast_the_end(room, start):
    """One call of string.match that takes for ever: no hook of Lua comes
    between."""
    daemon = start(service(grace="0") + syslog_input(room) + json_filter()
                   + lua_filter(room, """
                       function hook(tag, timestamp, record)
                           local s = string.rep("a", 40)
                           string.match(s, string.rep("a*", 30) .. "b")
                           return 0, timestamp, record
                       end""")
                   + template("{n}", room))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    wait_until(lambda: daemon.metrics().received == 1, "received")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(timeout_s=20) == 71
    daemon.has_ended = True
    assert "the pipeline does not end" in daemon.log()
    assert daemon.last_word() == (1, 0, 0, 0, 1)
