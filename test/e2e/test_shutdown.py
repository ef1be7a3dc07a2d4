# SPDX-License-Identifier: Apache-2.0
"""A gateway drains for minutes, and a request is logged when it ends.  After
SIGTERM, sluiced continues to receive until no sender is connected or Grace is
over.  Senders over UDP cannot be seen: there it continues until no line has
arrived for a second."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.daemon import SLUICED, is_alive, stopped, suspend
from harness.faults import Faults, fill_disk
from harness.gate import Gate
from harness.grace import pass_grace
from harness.load import get, send_requests
from harness.namespace import free_port
from harness.sender import Sender, datagram
from harness.strace import Strace, why_not
from harness.stream import Stream
from harness.wait import HANG_S, SAN, wait_until


def numbered(room, *service_lines, **how):
    return (service(*service_lines, **how) + syslog_input(room) + json_filter()
            + template("{n}", room))


def numbers(out):
    return [int(line) for line in out.lines()]


def test_lines_that_arrive_after_sigterm_are_written(
        room, out, start, start_nginx):
    """nginx serves 400 requests before SIGTERM and 400 after it.  A second
    sender, a process of its own, sends ten lines in each second, so that the
    socket is not silent even if the machine is busy with other things."""
    daemon = start(service(flush="1", grace="600") + syslog_input(room)
                   + json_filter() + template("{uri}{n}", room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"uri":"$request_uri"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    steady = Stream(room, 10, "-w", "-s", "1")
    sent = []

    def send_some():
        """The lines must fit into the queue and into nginx's send buffer, so
        wait until they are received."""
        received = daemon.metrics().received
        group = [get(b"/%d" % (len(sent) + n)) for n in range(8)]
        sent.extend(send_requests(nginx.port, group, connections=1,
                                  pipeline=8))
        wait_until(lambda: daemon.metrics().received >= received + 8,
                   "the lines of the requests")
    while len(sent) < 400:
        send_some()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in daemon.log(), "sluiced to drain")
    while len(sent) < 800:
        send_some()
    assert daemon.process.poll() is None
    steady.stop()
    nginx.stop()
    daemon.check_end()
    assert (steady.refused, steady.gone) == (0, 0)
    assert nginx.refused() == 0
    of_nginx = [line for line in out.lines() if b"/" in line]
    assert len(out.lines()) == len(of_nginx) + steady.sent
    assert sorted(of_nginx) == sorted(b"/%d{n}" % n for n in range(len(sent)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_lines_that_wait_for_their_flush_are_written_before_the_end(
        room, out, start, number):
    """Flush is an hour, so only the shutdown can have written them."""
    daemon = start(numbered(room, flush="3600", grace="30"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: daemon.metrics().received == 100,
               "all lines to be received")
    assert out.files() == []
    daemon.stop(number)
    assert numbers(out) == list(range(100))


def test_lines_in_the_kernel_s_queue_are_written_before_the_end(
        room, out, start):
    daemon = start(numbered(room))
    if daemon.metrics().sum("sluiced_input_queue_length") < 100:
        pytest.skip("needs a queue longer than 100")
    with stopped(daemon.worker()):
        with Sender(room.socket) as sender:
            sender.send(*(datagram({"n": n}) for n in range(90)))
        daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert numbers(out) == list(range(90))


def drain_silently(daemon):
    """Send SIGTERM, and wait until a draining worker that receives nothing has
    drained for much longer than a second.  The intake thread wakes only to
    look for senders, so twelve wakeups take longer."""
    pid = daemon.worker()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in daemon.log(), "sluiced to drain")

    def wakeups():
        with open(f"/proc/{pid}/task/{pid}/status") as status:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                                 status.read(), re.M)[1])
    before = wakeups()
    wait_until(lambda: wakeups() >= before + 12, "twelve looks")
    assert daemon.process.poll() is None, daemon.log()


def test_the_lines_of_requests_in_flight_are_written(
        room, out, start, start_nginx, slow_backend):
    """nginx gets 40 requests.  Then nginx gets SIGQUIT and sluiced SIGTERM, as
    when a pod ends, and for a long time no line is logged.  sluiced ends after
    nginx."""
    daemon = start(service(flush="1", grace="600") + syslog_input(room)
                   + json_filter() + template("{uri}", room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"uri":"$request_uri"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server=f"""
        location /fast {{ return 204; }}
        location / {{ proxy_pass http://127.0.0.1:{slow_backend.port}; }}
    """)

    def workers_are_connected():
        """A worker of nginx connects with its first line."""
        send_requests(nginx.port, [get(b"/fast")] * 8, connections=8)
        return daemon.sender_count() == 2
    wait_until(workers_are_connected, "both workers to connect")
    clients = [socket.create_connection(("127.0.0.1", nginx.port))
               for _ in range(40)]
    for n, client in enumerate(clients):
        client.sendall(get(b"/slow/%d" % n).raw)
    wait_until(lambda: len(slow_backend.waiting) == 40,
               "all requests in flight")
    nginx.process.send_signal(signal.SIGQUIT)
    drain_silently(daemon)
    slow_backend.answer_all()
    for client in clients:
        assert client.recv(64).startswith(b"HTTP/1.1 204")
        client.close()
    daemon.check_end()
    nginx.stop()
    assert nginx.refused() == 0
    slow = sorted(line for line in out.lines() if b"slow" in line)
    assert slow == sorted(b"/slow/%d" % n for n in range(40))


# A kernel without unix_diag has only the second one.
SOURCE = "(netlink and )?/proc/net/unix"


@pytest.mark.parametrize("mode, kind", [
    ("unix_udp", socket.SOCK_DGRAM), ("unix_tcp", socket.SOCK_STREAM)])
def test_a_connected_sender_is_waited_for_however_silent_it_is(
        room, out, start, mode, kind):
    daemon = start(service(flush="0.02", grace="600")
                   + syslog_input(room, f"Mode {mode}") + json_filter()
                   + template("{n}", room))
    with socket.socket(socket.AF_UNIX, kind) as sender:
        sender.connect(str(room.socket))
        end = b"\n" if kind == socket.SOCK_STREAM else b""
        sender.send(datagram({"n": 1}) + end)
        daemon.wait_for_messages(1)
        drain_silently(daemon)
        sender.send(datagram({"n": 2}) + end)
    daemon.check_end()
    source = SOURCE if kind == socket.SOCK_DGRAM else "connections"
    assert re.search(f'senders=1 source="{source}" until="no sender is '
                     'connected"', daemon.log())
    assert numbers(out) == [1, 2]


def test_without_a_sender_sluiced_does_not_wait(room, start):
    daemon = start(numbered(room, grace="600"))
    daemon.stop()
    assert re.search(f'senders=0 source="{SOURCE}" until="no sender is '
                     'connected"', daemon.log())


def test_over_udp_sluiced_waits_for_silence(room, out, start):
    daemon = start(service(flush="0.02", grace="600")
                   + section("INPUT", "Name syslog", "Tag in", "Mode udp",
                             "Listen 127.0.0.1",
                             f"Port {free_port(socket.SOCK_DGRAM)}")
                   + json_filter() + template("{n}", room))
    port = int(re.search(r"udp://127\.0\.0\.1:(\d+)", daemon.log())[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
        with stopped(daemon.worker()):
            sender.send(datagram({"n": 2}))
            daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert numbers(out) == [1, 2]
    assert "and no datagram came for about 1.5 s" in daemon.log()


@pytest.mark.skipif(why_not() != "", reason=why_not())
def test_if_the_kernel_does_not_tell_who_is_connected_there_is_a_warning(
        room, out, start):
    daemon = start(numbered(room, grace="600"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
        strace = Strace(room, daemon.worker(),
                        "inject=openat,socket:error=EACCES")
        daemon.signal(signal.SIGTERM)
        daemon.check_end()
        strace.end()
    assert ("err=\"the kernel does not report which senders are connected "
            "to the socket\" "
            "action=\"ending after about 1.5 s without a datagram") in daemon.log()
    assert 'senders=0 source="none" ' in daemon.log()
    assert numbers(out) == [1]


@pytest.mark.parametrize("grace", [0, 1])
def test_grace_ends_sluiced_although_a_sender_never_stops(
        room, out, start, grace):
    """The sender stops only when its socket is gone."""
    daemon = start(numbered(room, grace=str(grace)))
    accepted = []

    def send_forever():
        with Sender(room.socket) as sender:
            try:
                while True:
                    sender.send(datagram({"n": len(accepted)}))
                    accepted.append(1)
                    time.sleep(0.001)  # a steady sender, not a flood
            except OSError:  # the socket is gone
                pass
    thread = threading.Thread(target=send_forever, daemon=True)
    thread.start()
    wait_until(lambda: out.has(50), "the first lines")
    asked = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert time.monotonic() - asked >= grace
    thread.join()
    # sluiced wrote all lines that the kernel accepted, in order.  For
    # all other lines, send() returned an error to the sender.
    written = numbers(out)
    assert written == list(range(len(written)))
    assert len(accepted) == len(written)


@pytest.mark.parametrize("where", ["filesystem", "memory"])
def test_lines_that_cannot_be_written_when_grace_ends_are_counted(
        room, out, start, where):
    """The path of the file is a directory.  The lines stay in the journal if
    the journal has a file."""
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
    assert daemon.final_counts() == (10, 0, 10 - stays, 0, stays)


def test_a_full_disk_does_not_delay_the_end_beyond_grace(room, start):
    fill_disk(room)
    daemon = start(numbered(room, grace="1"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the disk to be full")
    with Sender(room.socket) as sender:  # these lines stay in the journal
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 20,
               "all lines to be received")
    counts = daemon.metrics()
    assert (counts.dropped(), counts.written, counts.queued) == (0, 0, 20)
    asked = time.monotonic()
    daemon.stop(queued=20)
    assert time.monotonic() - asked >= 1
    assert daemon.final_counts() == (20, 0, 0, 0, 20)


def file_for_each_line(room):
    return (service(grace="0") + syslog_input(room) + json_filter() + section(
        "FILTER", "Name rewrite_tag", "Match in", "Rule $n ^ file.$n false")
            + section("OUTPUT", "Name file", "Match file.*",
                      f"Path {room.out}", "Format template", "Template {n}"))


def hang_beyond_grace(room, daemon, faults):
    """Let the first of 100 writes hang while sluiced stops.  Returns what
    pass_grace() returns."""
    faults.order(hold=True)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": str(n)}) for n in range(100)))
    wait_until(lambda: daemon.metrics().received == 100, "the messages")
    wait_until(lambda: faults.held, "a write")
    return pass_grace(daemon, faults, hold=True)


def test_a_slow_disk_does_not_delay_the_end_beyond_grace(room, out, start):
    """The next process finds in the journal which files have their line."""
    faults = Faults(room, room.out)
    config = file_for_each_line(room)
    daemon = start(config, env=faults.env)
    stopped_ms = hang_beyond_grace(room, daemon, faults)
    faults.order(clock_ms=stopped_ms + 2000)
    assert daemon.wait() == 0
    daemon.has_ended = True
    assert daemon.final_counts()[4] > 0
    faults.end()
    start(config, env=faults.env).wait_for_messages(100)
    assert sorted(numbers(out)) == list(range(100))


def test_a_pipeline_that_has_ended_before_the_deadline_does_not_miss_it(
        room, start):
    """The worker closes its HTTP server at the deadline.  It waits 50 ms for a
    client that has sent nothing."""
    faults = Faults(room, room.out)
    daemon = start(file_for_each_line(room), env=faults.env)
    stopped_ms = hang_beyond_grace(room, daemon, faults)
    with socket.create_connection(daemon.address):
        daemon.metrics()  # the worker has accepted the connection above
        faults.order(clock_ms=stopped_ms + 3990)
        wait_until(lambda: "state=stopped" in daemon.log(), "the last counts")
        faults.order(clock_ms=stopped_ms + 4100)
        assert daemon.wait() == 0
    daemon.has_ended = True
    assert "the pipeline does not end" not in daemon.log()


def test_the_last_log_line_contains_the_accounting_equation(room, out, start):
    daemon = start(numbered(room))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)), b"")
    daemon.wait_for_messages(11)
    daemon.stop()
    assert ("mod=worker state=stopped received=11 written=10 dropped=1"
            " dead_lettered=0 queued=0" in daemon.log())


def test_sluiced_removes_its_socket_when_it_ends(room, start):
    daemon = start(numbered(room))
    assert os.stat(room.socket).st_mode & 0o777 == 0o666
    daemon.stop()
    assert not room.socket.exists()
    assert [p.name for p in room.path.iterdir() if "sock" in p.name] == []


def test_nginx_reconnects_after_a_restart(room, out, start, start_nginx):
    """nginx connects again when a send has failed, so each of its two workers
    loses one line."""
    first = start(numbered(room, grace="0"))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"n":"$arg_n"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    send_requests(nginx.port, [get(b"/?n=1")], connections=1)
    first.wait_for_messages(1)
    first.stop()
    second = start(numbered(room))
    asked = 0

    def received():
        return second.metrics().received - 1

    def lost():
        return nginx.refused()
    while not received():
        send_requests(nginx.port, [get(b"/?n=2")], connections=1)
        asked += 1
        wait_until(lambda: received() + lost() >= asked,
                   "the line, or nginx's report that it is lost")
    assert lost() <= 2
    second.wait_for_messages(1 + received())
    assert set(numbers(out)) == {1, 2}


def test_a_hook_that_cannot_be_stopped_does_not_prevent_the_end(room, start):
    """A pipe that nobody writes to cannot be interrupted from within Lua."""
    os.mkfifo(room.path / "pipe")
    faults = Faults(room, room.out)
    daemon = start(service(grace="0") + syslog_input(room) + json_filter()
                   + lua_filter(room, f"""
                       function hook(tag, timestamp, record)
                           io.open("{room.path}/pipe"):read("a")
                           return 0, timestamp, record
                       end""")
                   + template("{n}", room), env=faults.env)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    wait_until(lambda: daemon.metrics().received == 1,
               "the line to be received")
    faults.order(clock_ms=pass_grace(daemon, faults) + 4000)
    assert daemon.wait() == 71
    daemon.has_ended = True
    assert "the pipeline does not end" in daemon.log()
    assert daemon.final_counts() == (1, 0, 0, 0, 1)


def hook(room, body):
    return (syslog_input(room) + json_filter() + lua_filter(room, f"""
        function hook(tag, timestamp, record)
            {body}
            return 0, timestamp, record
        end""") + template("{n}", room))


@pytest.mark.skipif("address" in SAN, reason="with a leak checker the worker "
                    "frees everything at its end")
def test_a_script_whose_end_hangs_does_not_delay_the_end(room, out, start):
    """Closing the script's pipe would wait for its process, which waits for
    somebody who opens the other end of the gate."""
    gate = room.path / "gate"
    os.mkfifo(gate)
    daemon = start(service(grace="600") + hook(room, f"""
        keep = keep or io.popen("exec cat {gate}")"""))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.wait_for_messages(10)
    daemon.fds_at_ready = {}  # the hook still has the pipe
    daemon.stop()
    assert numbers(out) == list(range(10))
    os.close(os.open(gate, os.O_RDWR))  # the process ends if it still runs


KILLED = re.compile(r"mod=supervisor state=killed .* queued=(\d+)"
                    r' action="queued messages stay in the journal"')


def check_killed(daemon):
    """Returns how many messages stayed in the journal."""
    assert daemon.wait() == 71
    daemon.has_ended = True
    return int(KILLED.search(daemon.log().splitlines()[-1])[1])


def test_a_worker_that_cannot_act_is_killed_after_grace(room, out, start):
    text = numbered(room, flush="3600", grace="1")
    daemon = start(text)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 10, "the messages")
    worker = daemon.worker()
    suspend(worker)
    asked = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert check_killed(daemon) == 10
    assert time.monotonic() - asked >= 1
    # The supervisor waits only a quarter of a second for the killed worker.
    wait_until(lambda: not is_alive(worker), "the worker's death")
    start(text.replace("Flush 3600", "Flush 0.1")).wait_for_messages(10)
    assert numbers(out) == list(range(10))


def test_workers_that_die_again_and_again_end_after_grace(room, start):
    """Each message kills two workers, and the back-off grows.  The first worker
    waits until all messages are in the journal."""
    gate = Gate(room)
    daemon = start(service("Hook_Timeout 0", grace="1") + hook(room, f"""
        local gate = io.open('{gate.path}')
        if gate then gate:read('a') end
        os.execute('kill -ABRT $PPID') while true do end"""))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    gate.wait()
    wait_until(lambda: daemon.metrics().received == 100, "the messages")
    gate.path.unlink()
    gate.open()
    wait_until(lambda: "the worker died" in daemon.log(), "the first death")
    daemon.signal(signal.SIGTERM)
    assert 90 < check_killed(daemon) <= 100


def test_a_first_configuration_that_never_loads_does_not_prevent_the_end(
        room):
    """There is no configuration yet, so the default Grace applies."""
    gate = Gate(room)
    room.write("hook.lua", gate.lua)
    config = room.write("sluiced.conf", service() + syslog_input(room)
                        + template("{n}", room) + section(
        "FILTER", "Name lua", "Match *", "script hook.lua", "call hook"))
    process = subprocess.Popen([SLUICED, "-c", config], cwd=room.path,
                               stderr=subprocess.PIPE, text=True)
    gate.wait()
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANG_S) == 71
    gate.open()
    assert "state=killed" in process.stderr.read()
