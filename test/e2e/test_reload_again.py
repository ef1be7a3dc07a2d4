# SPDX-License-Identifier: Apache-2.0
"""A reload soon after another one.  SIGHUP is obeyed in any case, also if it
comes while a reload is under way.  A client of the HTTP port cannot use up the
CPU with reloads."""
import json
import os
import signal
import time

import pytest

from harness.config import lua_filter
from harness.daemon import suspend
from harness.gate import Gate
from harness.reload import (ask_to_reload, reload_over_http, reloads,
                            wait_for_reload)
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import wait_until

HOOK = "function hook(tag, timestamp, record) return 0, timestamp, record end"
HELD = 'reload=held until="the reload under way ends"'


def write_version(room, name, hot_reload="Off"):
    """Each line that is written names the version of the configuration."""
    text = (numbered(room, f"Hot_Reload {hot_reload}",
                     template=name + " {n}")
            + lua_filter(room, HOOK))
    room.write("hook.lua", HOOK)
    room.write("sluiced.conf", text)
    return text


def begin_reload(room, daemon, hook=HOOK):
    """Begin a reload to version "second", whose new worker waits at the gate.
    When it is opened, it loads the hook.  Returns the gate."""
    gate = Gate(room)
    write_version(room, "second")
    room.write("hook.lua", f"{gate.lua}\n{hook}")
    daemon.signal(signal.SIGHUP)
    gate.wait()
    return gate


def change_again(room, daemon):
    """Change the files once more, and send SIGHUP."""
    write_version(room, "third")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: HELD in daemon.log(), "the signal")


def check_version(room, daemon, out, name):
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"%s 1" % name]


# --- SIGHUP

@pytest.mark.parametrize("hook, result", [(HOOK, "done"),
                                          ("error('broken')", "failed")],
                         ids=["done", "failed"])
def test_sighup_during_a_reload_reloads_again_when_it_ends(
        room, out, start, hook, result):
    daemon = start(write_version(room, "first"))
    gate = begin_reload(room, daemon, hook)
    change_again(room, daemon)
    gate.open()
    wait_for_reload(daemon, "done", 2 if result == "done" else 1)
    assert reloads(daemon, "failed") == (result == "failed")
    check_version(room, daemon, out, b"third")


def test_sighup_while_the_old_worker_leaves_reloads_again(room, out, start):
    daemon = start(write_version(room, "first"))
    old = daemon.worker()
    suspend(old)
    write_version(room, "second")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("state=started") == 2,
               "the next worker to be ready")
    change_again(room, daemon)
    os.kill(old, signal.SIGCONT)
    wait_for_reload(daemon, "done", 2)
    check_version(room, daemon, out, b"third")


def test_sighup_is_not_forgotten_if_the_old_worker_dies(room, out, start):
    """The worker that replaces the dead one reads the last version.  But the
    one of the reload has read an older version, and takes over from it."""
    daemon = start(write_version(room, "first"))
    old = daemon.worker()
    gate = begin_reload(room, daemon)
    change_again(room, daemon)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: daemon.log().count("state=started") == 2,
               "the worker that replaces it")
    gate.open()
    wait_for_reload(daemon, "done", 2)
    check_version(room, daemon, out, b"third")


def test_many_sighups_during_a_reload_cause_one_more(room, out, start):
    """The worker passes some of them on."""
    daemon = start(write_version(room, "first"))
    old = daemon.worker()
    gate = begin_reload(room, daemon)
    change_again(room, daemon)
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
        os.kill(old, signal.SIGHUP)
    wait_until(lambda: "signal=1 " in daemon.log(), "a signal to the worker")
    gate.open()
    wait_for_reload(daemon, "done", 2)
    assert daemon.log().count("reload=held") == 1
    check_version(room, daemon, out, b"third")


def test_a_stop_cancels_a_reload_that_has_not_begun(room, start):
    daemon = start(write_version(room, "first"))
    gate = begin_reload(room, daemon)
    change_again(room, daemon)
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    gate.open()
    assert daemon.log().count("reload=started") == 1


# --- over HTTP

def ask_until(daemon, status):
    return wait_until(lambda: (a := ask_to_reload(daemon)).status == status
                      and a, f"the answer {status}")


def test_a_reload_over_http_soon_after_another_is_refused(room, start):
    """A slow machine may need so long for an answer that the pause after the
    last reload has passed.  Then the question is repeated."""
    daemon = start(write_version(room, "first", hot_reload="On"))
    ask_until(daemon, 200)
    answer = ask_until(daemon, 429)
    assert json.loads(answer.body) == {"reload": "too soon", "status": -4}
    assert int(answer.headers["Retry-After"]) >= 1
    assert ('reload=refused err="too soon after the last one over HTTP"'
            in daemon.log())
    assert reload_over_http(daemon).status == 200


def test_a_failed_reload_over_http_counts_too(room, start):
    daemon = start(write_version(room, "first", hot_reload="On"))
    room.write("hook.lua", "nonsense")
    ask_until(daemon, 500)
    ask_until(daemon, 429)
    assert reload_over_http(daemon).status == 500


def test_a_loop_of_requests_reloads_at_most_once_a_second(room, start):
    """All refused requests are counted, also when workers are replaced."""
    daemon = start(write_version(room, "first", hot_reload="On"))
    refused = 0
    begin = time.monotonic()
    while reloads(daemon, "done") < 3:
        status = ask_to_reload(daemon).status
        assert status in (200, 400, 429)
        refused += status == 429
    assert time.monotonic() - begin >= 2
    assert refused > 0
    assert reloads(daemon, "too_soon") == refused
    lines = daemon.log().count("reload=refused err=\"too soon")
    assert 1 <= lines <= 3 + (time.monotonic() - begin) / 10


def test_sighup_reloads_soon_after_a_reload_over_http(room, start):
    daemon = start(write_version(room, "first", hot_reload="On"))
    ask_until(daemon, 200)
    ask_until(daemon, 429)
    done = reloads(daemon, "done")
    for turn in range(1, 4):
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", done + turn)
    refused = reloads(daemon, "too_soon")
    daemon.kill_worker()
    assert reloads(daemon, "too_soon") == refused >= 1
