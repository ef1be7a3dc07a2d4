# SPDX-License-Identifier: Apache-2.0
"""Reloading the configuration loses no line.  The old worker leaves only when
the new one is ready, and stays if that never happens."""
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from harness.config import (lua_filter, section, service, syslog_input,
                            template)
from harness.daemon import suspend
from harness.faults import empty_disk, fill_disk
from harness.gate import Gate
from harness.reload import (begin_to_stop, reload_over_http, reloads,
                            wait_for_reload)
from harness.scale import scaled
from harness.sender import Sender, datagram
from harness.strace import Strace, why_not
from harness.stream import check_numbers, numbered, numbers_in
from harness.wait import HANG_S, SAN, wait_until

RATE = 1000 if SAN else 10000
RELOADS = scaled("RELOADS", 20)
BROKEN = {"an unknown key": "[OUTPUT]\n    Name null\n    Mtch *\n",
          "no section at all": "Flush 1\n",
          "a hook that does not exist":
              "[FILTER]\n    Name lua\n    Match *\n    script no.lua\n"
              "    call hook\n"}


def test_reloads_under_load_lose_no_line(room, out, start, stream):
    """Every second configuration is broken.  The sender fails if at any moment
    no process has the socket."""
    daemon = start(numbered(room))
    config = room.path / "sluiced.conf"
    good = config.read_text()
    lines = stream(RATE, "-w")
    broken = list(BROKEN.values())
    for turn in range(1, RELOADS // 2 + 1):
        received = daemon.metrics().received
        worker = daemon.worker()
        config.write_text(good + broken[turn % len(broken)])
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "failed", turn)
        assert daemon.worker() == worker
        config.write_text(good)
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", turn)
        assert daemon.worker() != worker
        wait_until(lambda: daemon.metrics().received > received,
                   "new lines")
    lines.stop()
    counts = daemon.wait_for_messages(lines.sent)
    assert lines.refused == lines.gone == 0
    assert counts.received == counts.written == lines.sent
    assert counts.sum("sluiced_worker_deaths_total") == 0
    check_numbers(numbers_in(out.bytes()), lines.accepted())


def test_a_changed_template_takes_effect(room, out, start):
    daemon = start(numbered(room, template="{n} before"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
        numbered_after = numbered(room, template="{n} after")
        room.write("sluiced.conf", numbered_after)
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", 1)
        sender.send(datagram({"n": 2}))
        counts = daemon.wait_for_messages(2)
    assert out.lines() == [b"1 before", b"2 after"]
    assert counts.received == counts.written == 2


def test_a_reload_reads_a_relative_parsers_file_again(room, out, start):
    room.write("mine.conf", section("PARSER", "Name mine", "Format regex",
                                    "Regex ^(?<v>.*)$"))
    daemon = start(service("Parsers_File mine.conf")
                   + syslog_input(room, "Parser mine") + template("{v}", room))
    room.write("mine.conf", section("PARSER", "Name mine", "Format regex",
                                    "Regex ^(?<v>.)"))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    with Sender(room.socket) as sender:
        sender.send(b"text")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"t"]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_configuration_is_reported_and_the_old_one_stays(
        room, out, start, broken):
    daemon = start(numbered(room, template="{n}"))
    config = room.path / "sluiced.conf"
    config.write_text(config.read_text() + BROKEN[broken])
    worker = daemon.worker()
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    assert daemon.worker() == worker
    # The next worker reads the file again, so it must be corrected soon.
    assert ('action="the old configuration stays in force; correct the '
            'configuration, because if this worker dies or sluiced is '
            'restarted, the next worker reads it and fails"' in daemon.log())
    assert "sluiced.conf:" in daemon.log(), "the log does not say where"
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]


def test_a_file_that_is_corrected_after_a_failed_reload_is_read_next(
        room, out, start):
    daemon = start(numbered(room, template="{n}"))
    config = room.path / "sluiced.conf"
    good = config.read_text()
    config.write_text(good + BROKEN[next(iter(BROKEN))])
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    config.write_text(good)
    os.kill(daemon.worker(), signal.SIGKILL)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]


def ask(daemon, method="POST"):
    """Repeated while it is too soon."""
    answer = reload_over_http(daemon, method)
    return answer.status, json.loads(answer.body)


def reload_count(daemon):
    """The old worker of a reload may leave before it has read the request."""
    answer = daemon.get_from_any("/api/v2/reload")
    return json.loads(answer.body)["hot_reload_count"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_hot_reload_allows_a_reload_over_http(room, start, method):
    """The answer comes after the new configuration was loaded and
    counted."""
    daemon = start(numbered(room, "Hot_Reload On"))
    for turn in range(1, 4):
        worker = daemon.worker()
        assert ask(daemon, method) == (200, {"reload": "done", "status": 0})
        assert reload_count(daemon) == turn
        wait_for_reload(daemon, "done", turn)
        assert daemon.worker() != worker
    assert reloads(daemon, "done") == 3


@pytest.mark.parametrize("broken", BROKEN)
def test_a_reload_over_http_answers_that_it_failed(room, start, broken):
    daemon = start(numbered(room, "Hot_Reload On"))
    config = room.path / "sluiced.conf"
    good = config.read_text()
    worker = daemon.worker()
    config.write_text(good + BROKEN[broken])
    for turn in range(1, 3):
        assert ask(daemon) == (500, {"reload": "failed", "status": -3})
        assert reloads(daemon, "failed") == turn
        assert reload_count(daemon) == 0
    assert daemon.worker() == worker
    config.write_text(good)
    assert ask(daemon) == (200, {"reload": "done", "status": 0})
    assert reload_count(daemon) == 1


@pytest.mark.parametrize("first", ["HTTP", "SIGHUP"])
def test_only_one_reload_at_a_time_is_possible_over_http(room, start, first):
    daemon = start(numbered(room, "Hot_Reload On") + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    answers = []
    asker = threading.Thread(target=lambda: answers.append(ask(daemon)))
    if first == "HTTP":
        asker.start()
    else:
        daemon.signal(signal.SIGHUP)
    gate.wait()
    assert ask(daemon) == (400, {"reload": "in progress", "status": -2})
    assert answers == []
    gate.open()
    if first == "HTTP":
        asker.join()
        assert answers == [(200, {"reload": "done", "status": 0})]
    wait_for_reload(daemon, "done", 1)


def test_many_refused_reloads_kill_no_worker_and_fill_no_log(room, start):
    """The supervisor refuses a request while a reload is under way.  Other
    requests arrive before the client of a refused one got its answer."""
    daemon = start(numbered(room, "Hot_Reload On", "Reload_Timeout 600")
                   + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    daemon.signal(signal.SIGHUP)
    gate.wait()
    answers = []
    begin = time.monotonic()

    def ask_often():
        for _ in range(50):
            answers.append(ask(daemon))
    askers = [threading.Thread(target=ask_often) for _ in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert answers == 300 * [(400, {"reload": "in progress", "status": -2})]
    # The supervisor logs at most one line in ten seconds.
    lines = daemon.log().count("reload=refused")
    assert 1 <= lines <= 1 + (time.monotonic() - begin) / 10
    gate.open()
    wait_for_reload(daemon, "done", 1)


def test_pipelined_requests_to_reload_kill_no_worker(room, start):
    """The first request waits for the outcome.  The old worker reads the others
    while it leaves."""
    daemon = start(numbered(room, "Hot_Reload On") + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    with socket.create_connection(daemon.address, timeout=HANG_S) as client:
        client.sendall(100 * (b"PUT /api/v2/reload HTTP/1.1\r\nHost: a\r\n"
                              b"Content-Length: 0\r\n\r\n"))
        gate.wait()
        (room.path / "hook.lua").write_text(HOOK)
        gate.open()
        got = b""
        try:
            while data := client.recv(65536):
                got += data
        except ConnectionResetError:  # some requests were not read
            pass
    statuses = re.findall(rb"HTTP/1.1 (\d+)", got)
    assert statuses[0] == b"200" and set(statuses[1:]) <= {b"400"}, got
    wait_for_reload(daemon, "done", 1)
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 0
    assert "the worker died" not in daemon.log()


def test_a_client_that_does_not_wait_for_the_outcome_is_forgotten(
        room, start):
    daemon = start(numbered(room, "Hot_Reload On") + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    with socket.create_connection(daemon.address) as client:
        client.sendall(b"POST /api/v2/reload HTTP/1.1\r\nHost: a\r\n\r\n")
        gate.wait()
    (room.path / "hook.lua").write_text("nonsense")
    gate.open()
    wait_for_reload(daemon, "done", 1)
    assert ask(daemon) == (500, {"reload": "failed", "status": -3})


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_without_hot_reload_a_reload_over_http_is_refused(room, start, method):
    daemon = start(numbered(room))
    worker = daemon.worker()
    answer = daemon.get("/api/v2/reload", method)
    assert json.loads(answer.body) == {"reload": "not enabled", "status": -1}
    assert daemon.worker() == worker
    assert reloads(daemon, "done") == reloads(daemon, "failed") == 0


def test_a_reload_can_replace_one_output_by_another(room, out, start):
    """The accounting equation keeps the counters of the removed output."""
    daemon = start(numbered(room, template="{n} first"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
        daemon.wait_for_messages(10)
        room.write("sluiced.conf", numbered(room, template="{n} second")
                   .replace("File lines.log", "File other.log\n"
                            "    Alias second"))
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", 1)
        sender.send(*(datagram({"n": n}) for n in range(10)))
        counts = daemon.wait_for_messages(20)
    counts.check_accounting_equation()
    assert counts.written == 20
    assert counts.labels("sluiced_output_lines_total", "output") == ["second"]
    assert out.lines("lines.log") == [b"%d first" % n for n in range(10)]
    assert out.lines("other.log") == [b"%d second" % n for n in range(10)]


def test_a_reload_can_replace_the_socket(room, out, start):
    daemon = start(numbered(room, template="{n}"))
    other = room.path / "other.sock"
    config = room.path / "sluiced.conf"
    journal = next(room.path.glob(".*.journal"))
    config.write_text(config.read_text()
                      .replace(str(room.socket), str(other))
                      .replace("[SERVICE]\n", "[SERVICE]\n"
                               f"    storage.path {journal}\n"))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert not room.socket.exists()
    with Sender(other) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]


HOOK = """
function hook(tag, timestamp, record)
    return 0, timestamp, record
end
"""


def hook_that_waits(room):
    """Write a script that waits at its top level.  Returns the gate."""
    gate = Gate(room)
    room.write("hook.lua", f"{gate.lua}\n{HOOK}")
    return gate


def test_a_worker_that_starts_late_does_not_undo_a_reload(room, out, start):
    """The supervisor started it to replace a dead worker, and it read the
    configuration before the reload."""
    daemon = start(numbered(room, template="{n}") + lua_filter(room, HOOK))
    other = room.path / "other.sock"
    config = room.path / "sluiced.conf"
    before = daemon.ready_count()
    gate = hook_that_waits(room)
    killed = daemon.kill_worker()
    late = wait_until(lambda: (w := daemon.worker()) != killed and w,
                      "the worker that replaces it")
    gate.wait()
    (room.path / "hook.lua").write_text(HOOK)
    config.write_text(config.read_text().replace(str(room.socket), str(other)))
    daemon.signal(signal.SIGHUP)
    wait_until(other.exists, "the next worker to be ready")
    assert late in daemon.workers()
    gate.open()
    daemon.wait_for_worker(before)
    with Sender(other) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]


def test_a_configuration_that_never_loads_fails_after_reload_timeout(
        room, out, start):
    daemon = start(numbered(room, "Reload_Timeout 0.5", template="{n}")
                   + lua_filter(room, HOOK))
    worker = daemon.worker()
    hook_that_waits(room)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    assert daemon.worker() == worker
    assert 'reload=failed err="Reload_Timeout is over"' in daemon.log()
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]
    # The next reload is not refused.  Repeat it, because a slow machine may
    # need longer than Reload_Timeout.
    (room.path / "hook.lua").write_text(HOOK)
    before = daemon.ready_count()

    def is_reloaded():
        daemon.signal(signal.SIGHUP)
        return daemon.ready_count() > before
    wait_until(is_reloaded, "a good reload")


def test_a_reload_while_the_disk_rejects_writes_loses_no_line(
        room, out, start):
    """The old worker leaves its batch in the journal."""
    fill_disk(room)
    daemon = start(numbered(room, template="{n}"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the disk to be full")
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert daemon.metrics().queued == 100
    empty_disk(room)
    daemon.wait_for_messages(100)
    assert out.lines() == [b"%d" % n for n in range(100)]


def two_inputs(room, *order):
    """Inputs with different parsers; each line begins with its tag."""
    inputs = {
        name: section("INPUT", "Name syslog", f"Tag {name}",
                      f"Parser {parser}", f"Path {room.path / name}.sock")
        for name, parser in (("json", "json"), ("ltsv", "ltsv"),
                             ("more", "json"))}
    parsers = "".join(section("PARSER", f"Name {name}", f"Format {name}")
                      for name in ("json", "ltsv"))
    tags = "".join(section("FILTER", "Name record_modifier", f"Match {tag}",
                           f"Record from {tag}")
                   for tag in inputs)
    return (service() + parsers + "".join(inputs[name] for name in order)
            + tags + template("{from} {n}", room))


@pytest.mark.parametrize("how", ["reload", "kill"])
@pytest.mark.parametrize("order", [("ltsv", "json"), ("more", "ltsv", "json"),
                                   ("ltsv",), ("more",)],
                         ids=["reordered", "added", "removed", "replaced"])
def test_waiting_messages_are_decoded_as_their_own_inputs(
        room, out, start, order, how):
    """Messages of a removed input keep its tag and its parser."""
    fill_disk(room)
    daemon = start(two_inputs(room, "json", "ltsv"))
    with Sender(room.path / "json.sock") as json_sender, \
            Sender(room.path / "ltsv.sock") as ltsv_sender:
        for n in range(20):
            json_sender.send(b'{"n":"%d"}' % n)
            ltsv_sender.send(b"n:%d" % n)
    wait_until(lambda: (m := daemon.metrics()).received == 40
               and m.sum("sluiced_pipeline_blocked"), "the messages to wait")
    config = two_inputs(room, *order)
    if how == "reload":
        room.write("sluiced.conf", config)
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", 1)
        empty_disk(room)
        daemon.fds_at_ready = {}  # there may be more inputs now
    else:
        daemon.kill_tree()
        empty_disk(room)
        daemon = start(config)
    counts = daemon.wait_for_messages(40)
    assert counts.written == 40
    assert sorted(out.lines()) == sorted(
        b"%s %d" % (tag, n) for tag in (b"json", b"ltsv") for n in range(20))


def begin_to_leave(daemon, turn):
    """Begin reload number `turn` while the old worker is stopped by SIGSTOP,
    and wait until the next one is ready.  Returns the old worker."""
    old = daemon.worker()
    suspend(old)
    daemon.signal(signal.SIGHUP)

    def is_next_ready():
        started = daemon.log().count("state=started")
        return started == turn + 1
    wait_until(is_next_ready, lambda: f"the next worker:\n{daemon.log()}")
    return old


def test_the_death_of_a_leaving_worker_delays_no_later_start(room, start):
    """The next worker is ready, so nothing has to be started.  The deaths count
    in the metric only."""
    daemon = start(numbered(room))
    for turn in range(1, 4):
        old = begin_to_leave(daemon, turn)
        os.kill(old, signal.SIGABRT)
        os.kill(old, signal.SIGCONT)
        wait_for_reload(daemon, "done", turn)
    ready = daemon.ready_count()
    daemon.kill_worker(signal.SIGABRT)
    daemon.wait_for_worker(ready)
    assert re.findall(r"restart_ms=(\d+)", daemon.log()) == ["100"]
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 4


def test_the_old_worker_of_a_reload_drains_if_sigterm_comes_before_it_leaves(
        room, out, start):
    """It learns of both at the same time."""
    daemon = start(numbered(room, template="{n}", grace="600"))
    old = begin_to_leave(daemon, 1)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        begin_to_stop(daemon)
        os.kill(old, signal.SIGCONT)
        wait_until(lambda: "state=draining" in daemon.log(), "draining")
        assert old in daemon.workers()
        sender.send(datagram({"n": 2}))
    daemon.check_end()
    assert out.lines() == [b"1", b"2"]
    log = daemon.log()
    assert "reload=failed err=\"sluiced is stopping\"" in log, log
    assert daemon.ready_count() == 1


def test_sigterm_does_not_kill_a_worker_that_loads_its_configuration(
        room, out, start):
    """It replaces a dead one."""
    daemon = start(numbered(room, template="{n}", grace="600")
                   + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    with Sender(room.socket) as sender:
        daemon.kill_worker()
        sender.send(datagram({"n": 1}))
        gate.wait()
        loading = daemon.worker()
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "action=stopping" in daemon.log(), "the stop")
        (room.path / "hook.lua").write_text(HOOK)
        gate.open()
    daemon.check_end()
    assert f"worker={loading} state=started" in daemon.log()
    assert "mod=worker signal=15" not in daemon.log()
    assert out.lines() == [b"1"]


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_sigterm_does_not_kill_a_worker_that_exits(room, start):
    """The signal comes when the worker has restored the default action of the
    first signal."""
    daemon = start(numbered(room))
    strace = Strace(room, daemon.worker(), "inject=rt_sigaction:signal=TERM")
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert any("SIGTERM" in call for call in strace.calls())
    strace.end()
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 0
    assert "the worker died" not in daemon.log()


def test_sigterm_in_the_middle_of_a_reload_loses_no_line(room, out, start):
    daemon = start(numbered(room, template="{n}"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(100)]
