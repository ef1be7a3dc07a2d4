# SPDX-License-Identifier: Apache-2.0
"""Runs sluiced as a process of its own.

A test also stops every daemon that it starts, and stopping is a test in
itself: the exit code, the log, the open descriptors, and the accounting
equation (received = written + dropped + dead-lettered + queued) of the metrics
and of the last log line are checked each time."""
import contextlib
import http.client
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from .config import ROOT
from .metrics import Metrics
from .wait import HANG_S, wait_until

SLUICED = os.path.abspath(os.environ.get("SLUICED", ROOT / "build/sluiced"))
SANITIZER = re.compile(
    r"AddressSanitizer|UndefinedBehavior|ThreadSanitizer|LeakSanitizer"
    r"|runtime error")
LISTENING = re.compile(r"mod=http listening=([0-9.]+):([0-9]+)")
READY = "level=info mod=worker state=ready"
OUTPUTS_TRIED = "mod=output_probe "
FINAL_COUNTS = re.compile(
    r"mod=worker state=stopped received=(\d+) written=(\d+) dropped=(\d+)"
    r" dead_lettered=(\d+) queued=(\d+)")
# systemd passes a socket that it has bound as descriptor 3.
AS_SYSTEMD = """
import os, sys
fd, *argv = sys.argv[1:]
os.dup2(int(fd), 3)
os.execve(argv[0], argv, {**os.environ, "LISTEN_FDS": "1",
                          "LISTEN_PID": str(os.getpid())})
"""

Response = namedtuple("Response", "status headers body")
Result = namedtuple("Result", "code out err")


def environment(extra=None):
    """The variables of the caller's environment that a program needs, and
    those in `extra`.  TZ is not kept."""
    kept = {k: v for k, v in os.environ.items()
            if k in ("PATH", "HOME", "LD_LIBRARY_PATH")
            or k.endswith("SAN_OPTIONS")}
    return {**kept, **(extra or {})}


def run(*args, cwd=None, env=None, wrapper=()):
    """Run sluiced as a command that ends by itself."""
    done = subprocess.run([*wrapper, SLUICED, *map(str, args)], cwd=cwd,
                          env=environment(env), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=HANG_S)
    err = done.stderr.decode(errors="replace")
    assert not SANITIZER.search(err), err
    return Result(done.returncode, done.stdout.decode(errors="replace"), err)


def _states(pid):
    """The states of the process's threads, as letters.  Threads may end
    meanwhile."""
    states = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stat = Path(f"/proc/{pid}/task/{tid}/stat").read_text()
                states.append(stat.rpartition(")")[2].split()[0])
    return states


def is_alive(pid):
    """Whether any thread lives; the first thread may end before the others."""
    return any(state not in "ZX" for state in _states(pid))


def suspend(pid):
    """Stop the process, and wait until all its threads have stopped."""
    os.kill(pid, SIGSTOP)
    wait_until(lambda: set(_states(pid)) == {"T"}, "the process to stop")


@contextlib.contextmanager
def stopped(pid):
    """All threads of the process are stopped meanwhile."""
    suspend(pid)
    try:
        yield
    finally:
        os.kill(pid, SIGCONT)


def _links_of(pid):
    """What the open descriptors refer to.  The process may end or close some of
    them meanwhile."""
    links = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


class Daemon:
    """The supervisor and its worker.  `listen` is a socket to pass as systemd
    does; `wrapper` is a command that starts sluiced; `binary` is another build
    of sluiced.  With `outputs_hang`, do not wait until sluiced has
    tried its outputs."""

    def __init__(self, room, config, args=(), env=None, listen=None,
                 wrapper=(), cwd=None, binary=SLUICED, stderr=None,
                 outputs_hang=False):
        self.room = room
        self.args = args
        self.outputs_hang = outputs_hang
        argv = [*wrapper]
        if listen:
            argv += [sys.executable, "-I", "-S", "-c", AS_SYSTEMD,
                    str(listen.fileno())]
        if isinstance(config, str):
            config = room.write("sluiced.conf", config)
        self.log_path = room.new_file("sluiced", ".log")
        self.has_ended = False
        if room.faults:
            env = {**room.faults.env, **(env or {})}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*argv, binary, "-c", str(config), *args],
                cwd=cwd or room.path, env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=log, stderr=stderr or log, start_new_session=True,
                pass_fds=[listen.fileno()] if listen else [])
        try:
            wait_until(self._is_ready, lambda: f"ready:\n{self.log()}")
        except BaseException:
            self.kill()
            raise
        listening = LISTENING.search(self.log())
        self.address = listening and (listening[1], int(listening[2]))
        self.fds_at_ready = self._fds()

    def _is_ready(self):
        assert self.process.poll() is None, (
            f"sluiced ended with {self.process.returncode}:\n{self.log()}")
        return READY in self.log() and (self.outputs_hang or
                                        OUTPUTS_TRIED in self.log())

    def workers(self):
        """The living children of the supervisor.  During a reload there are
        two."""
        pid = self.process.pid
        if "--no-supervisor" in self.args:
            return [pid]
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()
                    if is_alive(child)]

    def worker(self):
        """Wait until there is exactly one worker, and return its process id."""
        return wait_until(lambda: len(w := self.workers()) == 1 and w[0],
                          lambda: f"one worker, not {self.workers()}")

    def sender_count(self):
        """How many senders are connected to the datagram socket.  A bound
        socket has two references, and one more for each sender.  Returns 0 if
        the worker ended meanwhile."""
        links = _links_of(self.worker())
        with open("/proc/net/unix") as sockets:
            rows = [line.split() for line in sockets if " 0002 " in line]
        return max((int(row[1], 16) - 2 for row in rows
                    if f"socket:[{row[6]}]" in links), default=0)

    def ready_count(self):
        return self.log().count(READY)

    def kill_worker(self, number=SIGKILL):
        """Kill the worker as soon as there is one, and wait until it is dead.
        The supervisor then starts the next.  Returns the process id."""
        worker = self.worker()
        os.kill(worker, number)
        wait_until(lambda: not is_alive(worker), "the worker's death")
        return worker

    def kill_tree(self):
        """Kill supervisor and worker at once, and wait until they are dead."""
        self.has_ended = True
        workers = self.workers()
        os.killpg(self.process.pid, SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(map(is_alive, workers)),
                   "the workers' death")

    def wait_for_worker(self, ready_before):
        """Wait until more than `ready_before` workers have become ready."""
        def is_ready():
            assert self.process.poll() is None, (
                f"sluiced ended with {self.process.returncode}:\n"
                f"{self.log()[-4000:]}")
            return self.ready_count() > ready_before
        wait_until(is_ready, lambda: f"a new worker:\n{self.log()[-4000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def get(self, path, method="GET"):
        host, port = self.address
        if host == "0.0.0.0":
            host = "127.0.0.1"
        connection = http.client.HTTPConnection(host, port, timeout=HANG_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.getheaders()),
                            answer.read())
        finally:
            connection.close()

    def get_from_any(self, path):
        """As get(), but if the worker dies or leaves before it has answered,
        the next worker is asked."""
        return wait_until(lambda: self._answer_or_none(path),
                          f"an answer to {path}")

    def _answer_or_none(self, path):
        try:
            return self.get(path)
        except (ConnectionError, http.client.HTTPException):
            assert self.process.poll() is None, (
                f"sluiced ended with {self.process.returncode}:\n"
                f"{self.log()[-4000:]}")
            return None

    def metrics(self):
        answer = self.get_from_any("/metrics")
        assert answer.status == 200
        return Metrics(answer.body.decode())

    def wait_for_messages(self, received):
        """Wait until at least `received` messages have arrived and no
        message is queued.  Returns the metrics of that moment."""
        last = [Metrics("")]

        def are_done():
            last[0] = self.metrics()
            return last[0].received >= received and last[0].queued == 0
        wait_until(are_done, lambda: (
            f"{received} messages, none queued; received {last[0].received}, "
            f"written {last[0].written}, dropped {last[0].dropped()}, "
            f"dead-lettered {last[0].dead_lettered}, "
            f"queued {last[0].queued}"))
        return last[0]

    def wait_for_spilled(self, lines):
        """Wait until exactly `lines` lines are spilled, and their messages have
        left the journal.  The counters change just before that.  If the
        process is killed in between, the next one repeats the batch."""
        wait_until(lambda: (m := self.metrics()).sum(
            "sluiced_output_lines_spilled") == lines
            and m.sum("sluiced_journal_pending_bytes") == 0,
            f"{lines} lines to be spilled")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(HANG_S)

    def stop(self, number=SIGTERM, queued=0):
        """End the daemon as Kubernetes does, and check everything that must
        always be true.  `queued` messages must be left in the journal."""
        if self.has_ended:
            return
        try:
            assert self.process.poll() is None, (
                f"sluiced ended by itself:\n{self.log()[-4000:]}")
            if self.address:
                self.metrics().check_accounting_equation()
            self._check_fds()
            self.signal(number)
            self.check_end(queued)
        finally:
            self.kill()

    def check_end(self, queued=0):
        """After the signal: wait for exit code 0, then check the log."""
        code = self.wait()
        self.has_ended = True
        log = self.log()
        assert code == 0, f"exit {code}:\n{log[-4000:]}"
        assert "check=" not in log, log
        assert not SANITIZER.search(log), log
        self._check_final_counts(log, queued)

    def final_counts(self):
        """(received, written, dropped, dead-lettered, queued) as the worker
        logs them when it ends."""
        return tuple(map(int, FINAL_COUNTS.findall(self.log())[-1]))

    def _check_final_counts(self, log, left):
        """The accounting equation holds at the very end, and exactly `left`
        messages are queued."""
        received, written, dropped, dead_lettered, queued = self.final_counts()
        assert queued == left, log
        assert received == written + dropped + dead_lettered + queued, log

    def kill(self):
        self.has_ended = True
        try:
            os.killpg(self.process.pid, SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def _fds(self):
        """The open descriptors, except those of files that sluiced writes.  The
        supervisor gets the journal's after its worker is ready."""
        return {pid: self._fds_of(pid)
                for pid in {self.process.pid, self.worker()}}

    def _fds_of(self, pid):
        return [link for link in _links_of(pid) if link != "/dev/full"
                and ".journal" not in link
                and not link.startswith((str(self.room.path),
                                         str(self.room.disk)))]

    def _check_fds(self):
        """No process has more descriptors than when it became ready.  A new
        worker cannot be compared; the supervisor always can."""
        # A connection that was just answered may not be closed yet.
        def has_no_more():
            now = self._fds()
            return all(len(now[pid]) <= len(fds) for pid, fds in
                       self.fds_at_ready.items() if pid in now)
        wait_until(has_no_more,
                   lambda: f"descriptors to be closed: {self._fds()}, "
                           f"at the start: {self.fds_at_ready}")
