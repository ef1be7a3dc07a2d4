# SPDX-License-Identifier: Apache-2.0
"""A message that kills its worker is processed a second time.  Then it is set
aside, and the messages after it are written."""
import json
import os
import re
import signal
from pathlib import Path

import pytest

from harness import cgroup
from harness.config import (json_filter, lua_filter, service, syslog_input,
                            template)
from harness.gate import Gate
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until
from test_supervisor import exchange

# Lua that kills the hook's worker, which is the parent of the shell, and waits
# for the signal to arrive.  A sanitizer would catch SIGSEGV.
CAUSES = {cause: f"os.execute('kill -{name} $PPID') while true do end"
          for cause, name in (("crash", "ILL" if SAN else "SEGV"),
                              ("abort", "ABRT"))}
OOM = "local text = ''\nfor n = 1, 200 do text = text .. ('x'):rep(1e5) end"
MEMORY = Path("/sys/fs/cgroup/memory")
UNIFIED = Path("/sys/fs/cgroup")
LIMIT_BYTES = 16 << 20


def config(room, deed, *lines, flush="0.1", grace="5"):
    """The hook runs `deed` for the message with the number 5."""
    return (service(*lines, flush=flush, grace=grace) + syslog_input(room)
            + json_filter()
            + lua_filter(room, f"""
                function hook(tag, timestamp, record)
                    if record["n"] == 5 then {deed} end
                    return 0, timestamp, record
                end""")
            + template("{n}", room))


def deaths(daemon):
    return daemon.log().count('err="the worker died"')


def send(room, numbers):
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in numbers))


def numbers(out):
    return [int(line) for line in out.lines("lines.log")]


def check_set_aside(daemon, room, out, letters):
    """Nine of ten messages are written; number 5 is a dead letter."""
    counts = daemon.wait_for_messages(10)
    assert (counts.written, counts.dead_lettered, counts.dropped()) == (9, 1, 0)
    assert sorted(numbers(out)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    [letter] = map(json.loads, letters.read_text().splitlines())
    assert letter["reason"] == "killed_worker"
    assert '"n":5' in letter["raw"].replace(" ", "")
    assert "reason=killed_worker" in daemon.log()
    assert deaths(daemon) == 2


@pytest.mark.parametrize("cause", CAUSES)
def test_a_message_that_kills_two_workers_becomes_a_dead_letter(
        room, out, start, cause):
    letters = room.path / "letters"
    daemon = start(config(room, CAUSES[cause], f"Dead_Letter {letters}"))
    send(room, range(10))
    check_set_aside(daemon, room, out, letters)


def test_without_dead_letter_the_message_is_dropped_as_killed_worker(
        room, out, start):
    daemon = start(config(room, CAUSES["crash"]))
    send(room, range(10))
    counts = daemon.wait_for_messages(10)
    assert (counts.written, counts.dropped("killed_worker")) == (9, 1)
    assert sorted(numbers(out)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_messages_in_a_row_that_kill_workers_are_all_set_aside(
        room, out, start):
    """Each of them kills exactly two workers."""
    letters = room.path / "letters"
    daemon = start(config(room, CAUSES["crash"], f"Dead_Letter {letters}"))
    send(room, [0, 5, 5, 1, 5, 2])
    counts = daemon.wait_for_messages(6)
    assert (counts.written, counts.dead_lettered) == (3, 3)
    assert sorted(numbers(out)) == [0, 1, 2]
    assert deaths(daemon) == 6


def test_messages_that_kill_workers_while_sluiced_stops_are_set_aside(
        room, out, start):
    """Each kills two workers.  However soon the workers die, the supervisor
    starts the next one, at most a second later."""
    daemon = start(config(room, CAUSES["abort"], flush="3600", grace="600"))
    send(room, [0, 5, 5, 5, 1, 5, 5, 5, 2])
    wait_until(lambda: daemon.metrics().received == 9, "the messages")
    daemon.stop()
    assert sorted(numbers(out)) == [0, 1, 2]
    assert daemon.final_counts() == (9, 3, 6, 0, 0)
    assert deaths(daemon) == 12
    delays = [int(ms) for ms in re.findall(r"restart_ms=(\d+)", daemon.log())]
    assert delays == [100, 200, 400, 800] + 7 * [1000]


def test_a_message_is_not_set_aside_if_kill_9_ends_its_workers(
        room, out, start):
    """Three workers are killed from outside while they work on one message.
    The fourth writes it."""
    gate = Gate(room)
    daemon = start(config(room, gate.lua, "Hook_Timeout 0"))
    send(room, range(10))
    for _ in range(3):
        gate.wait()
        gate.renew()
        daemon.kill_worker()
        gate.open()
    gate.wait()
    gate.open()
    counts = daemon.wait_for_messages(10)
    assert counts.written == 10
    assert sorted(numbers(out)) == list(range(10))


def test_a_new_supervisor_knows_of_the_deaths_before_it(room, out, start):
    """The journal holds them.  A death of both processes counts half, because
    a message kills the worker only."""
    letters = room.path / "letters"
    gate = Gate(room)
    text = config(room, gate.lua, f"Dead_Letter {letters}", "Hook_Timeout 0")
    daemon = start(text)
    send(room, range(10))
    for _ in range(4):
        gate.wait()
        gate.renew()
        daemon.kill_tree()
        gate.open()
        daemon = start(text)
    counts = daemon.wait_for_messages(10)
    assert (counts.written, counts.dead_lettered) == (9, 1)


# --- memory

class Group:
    """A control group with a limit of memory, of version 1 or 2."""

    def __init__(self):
        top, limit, self.stat = (
            (MEMORY, "memory.limit_in_bytes", "memory.oom_control")
            if MEMORY.is_dir() else (UNIFIED, "memory.max", "memory.events"))
        self.path = top / f"sluiced-test-oom-{os.getpid()}"
        self.path.mkdir()
        (self.path / limit).write_text(str(LIMIT_BYTES))

    def take(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))

    def kills(self):
        stat = (self.path / self.stat).read_text().splitlines()
        return int(dict(line.split() for line in stat)["oom_kill"])

    def remove(self):
        cgroup.remove(self.path)


@pytest.fixture
def group():
    try:
        group = Group()
    except OSError as why:
        pytest.skip(f"needs root and a memory controller: {why}")
    yield group
    group.remove()


@pytest.mark.skipif(SAN != "", reason="a sanitizer needs more memory")
def test_a_message_that_exceeds_the_memory_limit_becomes_a_dead_letter(
        group, room, out, start):
    letters = room.path / "letters"
    daemon = start(config(room, OOM, f"Dead_Letter {letters}"))
    group.take(daemon.process.pid)
    before = daemon.ready_count()
    daemon.signal(signal.SIGHUP)  # the next worker is in the group
    daemon.wait_for_worker(before)
    send(room, range(10))
    check_set_aside(daemon, room, out, letters)
    assert group.kills() == 2


def test_a_worker_that_has_not_opened_the_journal_is_no_cause_of_death(
        room, out, start):
    """Somebody kills two workers while they process a message, and each time
    the next one cannot open the journal.  That makes one death of the message,
    not two."""
    gate = Gate(room)
    deed = f"local text = {gate.lua}"
    daemon = start(config(room, deed, "Hook_Timeout 0"))
    journal, blocker = room.path / ".sluiced.journal", room.path / "blocker"
    blocker.mkdir()
    send(room, range(10))
    for _ in range(2):
        gate.wait()
        gate.renew()
        exchange(journal, blocker)
        failures = daemon.log().count("exit_code=71")
        daemon.kill_worker()
        wait_until(lambda before=failures:
                   daemon.log().count("exit_code=71") > before, "the failure")
        exchange(journal, blocker)
    gate.wait()
    gate.open()
    counts = daemon.wait_for_messages(10)
    assert (counts.written, counts.dropped()) == (10, 0)
