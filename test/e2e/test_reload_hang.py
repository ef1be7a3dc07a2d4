# SPDX-License-Identifier: Apache-2.0
"""A reload while an output or a hook hangs.  Nobody can end a write to a disk
that hangs, so the old worker receives until it ends or until Reload_Timeout is
over."""
import signal

import pytest

from harness.config import lua_filter
from harness.daemon import is_alive
from harness.faults import Faults, hang_on_second
from harness.gate import Gate
from harness.grace import pass_grace
from harness.reload import reload_until, wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import (check_numbers, numbered, numbers_in,
                            wait_for_lines)
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 2000
WAITS = 'reload=waiting'


@pytest.fixture
def faults(room):
    faults = Faults(room, room.out)
    yield faults
    faults.end()


def hang(daemon, faults):
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    faults.order(hold=True)
    wait_until(lambda: faults.held, "a write to hang")


def check_receiving(daemon, faults):
    received = daemon.metrics().received
    wait_until(lambda: daemon.metrics().received > received + 50,
               "receiving to continue")
    assert faults.held


def reload_and_wait(daemon):
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: WAITS in daemon.log(), "sluiced to report the wait")


def send_numbers(daemon, sender, first):
    """And wait until sluiced has received all numbers up to 199."""
    sender.send(*(datagram({"n": n}) for n in range(first, 200)))
    wait_until(lambda: daemon.metrics().received == 200, "the messages")


def check_lines(lines, out):
    lines.stop()
    wait_for_lines(out, lines.sent)
    assert lines.gone == 0
    check_numbers(numbers_in(out.bytes()), lines.accepted())


def test_a_reload_waits_for_a_write_that_hangs_and_receives(
        room, out, start, stream, faults):
    daemon = start(numbered(room), env=faults.env)
    worker = daemon.worker()
    lines = stream(RATE, "-w")
    hang(daemon, faults)
    reload_and_wait(daemon)
    check_receiving(daemon, faults)
    assert worker in daemon.workers()
    faults.end()
    wait_for_reload(daemon, "done", 1)
    assert daemon.worker() != worker
    check_lines(lines, out)
    assert "killing" not in daemon.log()


def test_the_same_with_a_journal_in_memory(room, out, start, faults):
    """It is almost empty, so nothing but the write delays the reload."""
    daemon = start(numbered(room, "storage.type memory", template="{n}"),
                   env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
        reload_and_wait(daemon)
        send_numbers(daemon, sender, 2)
    faults.end()
    wait_for_reload(daemon, "done", 1)
    assert out.lines() == [b"%d" % n for n in range(200)]


def test_reload_timeout_cancels_a_reload_that_waits_for_a_write(
        room, out, start, stream, faults):
    daemon = start(numbered(room, "Reload_Timeout 1"), env=faults.env)
    worker = daemon.worker()
    lines = stream(RATE, "-w")
    hang(daemon, faults)
    for turn in range(1, 3):
        reload_until(daemon, turn, 'err="an output or a hook hangs, and '
                     'Reload_Timeout is over" action="the old configuration '
                     'stays in force"')
        check_receiving(daemon, faults)
    faults.end()
    written = daemon.metrics().written
    wait_until(lambda: daemon.metrics().written > written, "new lines")
    assert daemon.worker() == worker
    reload_until(daemon, 1, "reload=done")
    assert daemon.worker() != worker
    check_lines(lines, out)


def test_a_cancelled_reload_is_reported_over_http(room, start, faults):
    daemon = start(numbered(room, "Reload_Timeout 1", "Hot_Reload On"),
                   env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
    answer = daemon.get("/api/v2/reload", method="POST")
    assert answer.status == 500 and b'"failed"' in answer.body, answer.body


def test_sigterm_while_a_reload_waits_for_a_write_ends_the_old_worker(
        room, start, stream, faults):
    """It ends itself 4 s after Grace, before the supervisor would kill it."""
    daemon = start(numbered(room, grace="0"), env=faults.env)
    lines = stream(RATE, "-r")
    hang(daemon, faults)
    reload_and_wait(daemon)
    stopped_ms = pass_grace(daemon, faults, hold=True)
    faults.order(hold=True, clock_ms=stopped_ms + 4000)
    assert daemon.wait() == 71
    daemon.has_ended = True
    lines.stop()
    assert 'err="the pipeline does not end' in daemon.log()
    assert daemon.ready_count() == 1


def test_sigterm_after_a_reload_was_cancelled_loses_no_line(
        room, out, start, stream, faults):
    daemon = start(numbered(room, "Reload_Timeout 1"), env=faults.env)
    lines = stream(RATE, "-w")
    hang(daemon, faults)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    lines.stop()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "state=draining" in daemon.log(), "it to drain")
    faults.end()
    daemon.check_end()
    check_numbers(numbers_in(out.bytes()), lines.accepted())


def test_a_reload_waits_for_a_hook_that_hangs_and_receives(room, out, start):
    """Without Hook_Timeout, only the end of the hook ends the wait."""
    gate = Gate(room)
    config = numbered(room, "Hook_Timeout 0", template="{n}") + lua_filter(
        room, f"""
        function hook(tag, timestamp, record)
            if record["n"] == 0 then {gate.lua} end
            return 0, timestamp, record
        end""")
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        gate.wait()
        reload_and_wait(daemon)
        send_numbers(daemon, sender, 1)
    gate.open()
    wait_for_reload(daemon, "done", 1)
    daemon.wait_for_messages(200)
    assert out.lines() == [b"%d" % n for n in range(200)]


def test_a_worker_that_has_left_and_does_not_end_delays_no_other(
        room, out, start, stream, faults):
    """A thread that hangs in a write to Log_File keeps its process from
    ending."""
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, "-w")
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    faults.order(hold_exit=True)
    for turn in range(1, 4):
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", turn)
        wait_until(lambda: faults.exits_held == turn, "the worker to end")
        assert len(daemon.workers()) == turn + 1
        received = daemon.metrics().received
        wait_until(lambda: daemon.metrics().received > received, "new lines")
    faults.end()
    daemon.worker()
    check_lines(lines, out)
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 0


def test_sluiced_ends_although_no_worker_ends(room, start, faults):
    daemon = start(numbered(room, grace="1"), env=faults.env)
    faults.order(hold_exit=True)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    workers = daemon.workers()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 71
    daemon.has_ended = True
    assert 'err="the worker does not end" action=killed' in daemon.log()
    wait_until(lambda: not any(map(is_alive, workers)), "the workers to end")
