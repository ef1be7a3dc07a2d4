# SPDX-License-Identifier: Apache-2.0
"""A message on which a hook hangs costs two workers, and health is bad
meanwhile.  The messages after it are written."""
import http.client
import json
import os
import re
import signal

import pytest

from harness.config import (json_filter, lua_filter, service, syslog_input,
                            template)
from harness.daemon import is_alive, stopped
from harness.inputs import connected
from harness.sender import Sender, datagram
from harness.wait import wait_until

STUCK = re.compile(r'mod=watchdog filter=lua\.1 err="a message takes longer'
                   r' than Hook_Timeout" hook_timeout_s=1 action="')


def hang(room):
    """A call that never returns: nobody opens the other end of the pipe.
    Before this call, the hook creates the file `begun`."""
    gate = room.path / "gate"
    os.mkfifo(gate)
    return f"io.open('{room.path / 'begun'}', 'w'):close() io.open('{gate}')"


def config(room, *lines, mode=""):
    """The hook hangs on the message with the number 5."""
    return (service("Hook_Timeout 1", *lines, grace="5")
            + syslog_input(room, *([f"Mode {mode}"] if mode else []))
            + json_filter()
            + lua_filter(room, f"""
                function hook(tag, timestamp, record)
                    if record["n"] == 5 then {hang(room)} end
                    return 0, timestamp, record
                end""")
            + template("{n}", room))


def status_of(daemon, path):
    """0 if the worker was replaced before it answered."""
    try:
        return daemon.get(path).status
    except (OSError, http.client.HTTPException):
        return 0


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v2/health"])
@pytest.mark.parametrize("check", ["On", "Off"])
def test_a_message_that_hangs_is_set_aside_and_health_is_bad_meanwhile(
        room, out, start, path, check):
    letters = room.path / "letters"
    daemon = start(config(room, f"Dead_Letter {letters}",
                          f"Health_Check {check}"))
    assert status_of(daemon, path) == 200
    # A supervisor that is stopped does not replace the worker meanwhile.
    with stopped(daemon.process.pid):
        with Sender(room.socket) as sender:
            sender.send(*(datagram({"n": n}) for n in range(10)))
        wait_until(lambda: status_of(daemon, path) == 500, "bad health")
    wait_until(lambda: letters.exists() and letters.read_text(),
               "the dead letter")
    counts = daemon.wait_for_messages(10)
    assert (counts.written, counts.dead_lettered) == (9, 1)
    assert counts.sum("sluiced_worker_deaths_total") == 2
    assert counts.sum("sluiced_pipeline_stuck") == 0
    assert status_of(daemon, path) == 200
    assert sorted(out.lines("lines.log")) == sorted(
        b"%d" % n for n in range(10) if n != 5)
    [letter] = map(json.loads, letters.read_text().splitlines())
    assert letter["reason"] == "killed_worker"
    assert len(STUCK.findall(daemon.log())) == 2


def test_connections_outlive_a_worker_that_hangs(room, out, start):
    daemon = start(config(room, mode="unix_tcp"))
    with connected(room.socket) as s:
        s.sendall(datagram({"n": 1}) + b"\n" + datagram({"n": 5}) + b"\n"
                  + datagram({"n": 2})[:20])
        wait_until(lambda: daemon.log().count('err="the worker died"') == 2,
                   "two deaths")
        s.sendall(datagram({"n": 2})[20:] + b"\n" + datagram({"n": 3}) + b"\n")
        counts = daemon.wait_for_messages(4)
    assert (counts.written, counts.dropped("killed_worker")) == (3, 1)
    assert out.lines() == [b"1", b"2", b"3"]


def test_without_a_supervisor_sluiced_exits(room, out, start):
    text = config(room)
    daemon = start(text, args=["--no-supervisor"])
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in (5, 1)))
    assert daemon.wait() == 71
    daemon.has_ended = True
    assert STUCK.search(daemon.log())
    daemon = start(text)
    counts = daemon.wait_for_messages(2)
    assert (counts.written, counts.dropped("killed_worker")) == (1, 1)


def test_a_hook_that_hangs_while_sluiced_stops_is_set_aside_too(
        room, out, start):
    """The messages after it are written within Grace."""
    daemon = start(config(room, "Flush 3600").replace("Flush 0.1", "")
                   .replace("Grace 5", "Grace 600"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 10, "the messages")
    daemon.stop()
    assert sorted(out.lines()) == sorted(b"%d" % n for n in range(10)
                                         if n != 5)
    assert daemon.final_counts() == (10, 9, 1, 0, 0)


def test_a_worker_without_supervisor_that_hangs_ends_within_grace(
        room, start):
    """The watchdog is off, so the timer of Grace must end it."""
    daemon = start(config(room).replace("Hook_Timeout 1", "Hook_Timeout 0")
                   .replace("Grace 5", "Grace 1"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 5}))
    wait_until((room.path / "begun").exists, "the hook to hang")
    worker = daemon.worker()
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(worker), "the worker to end")
    assert "the pipeline does not end" in daemon.log()


def test_a_worker_that_hangs_while_loading_ends_with_its_supervisor(
        room, start):
    daemon = start(config(room))
    old = daemon.worker()
    (room.path / "hook.lua").write_text(f"io.open('{room.path / 'gate'}')")
    daemon.signal(signal.SIGHUP)
    new = wait_until(lambda: [w for w in daemon.workers() if w != old],
                     "the next worker")[0]
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(new) and not is_alive(old),
               "both workers to end")
