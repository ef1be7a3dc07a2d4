# SPDX-License-Identifier: Apache-2.0
"""sluiced as a process of its own, whose end is itself a test."""
import http.client
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from signal import SIGKILL, SIGTERM

from .config import ROOT
from .metrics import Metrics
from .wait import SLOWNESS, wait_until

SLUICED = os.path.abspath(os.environ.get("SLUICED", ROOT / "build/sluiced"))
SANITIZER = re.compile(
    r"AddressSanitizer|UndefinedBehavior|ThreadSanitizer|LeakSanitizer"
    r"|runtime error")
LISTENING = re.compile(r"mod=http listening=([0-9.]+):([0-9]+)")
READY = "level=info mod=worker ready"
LAST_WORD = re.compile(
    r"mod=worker stopped received=(\d+) written=(\d+) dropped=(\d+)"
    r" dead_lettered=(\d+) queued=(\d+)")
# As systemd starts a service whose socket it has bound: descriptor 3.
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
    """Nothing of the caller's but what a program needs; TZ is not set."""
    kept = {k: v for k, v in os.environ.items()
            if k in ("PATH", "HOME", "LD_LIBRARY_PATH")
            or k.endswith("SAN_OPTIONS")}
    return {**kept, **(extra or {})}


def run(*args, cwd=None, env=None, timeout_s=60):
    """sluiced as a command that ends by itself."""
    done = subprocess.run([SLUICED, *map(str, args)], cwd=cwd,
                          env=environment(env), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=timeout_s * SLOWNESS)
    err = done.stderr.decode(errors="replace")
    assert not SANITIZER.search(err), err
    return Result(done.returncode, done.stdout.decode(errors="replace"), err)


def _is_alive(pid):
    """The first thread may be gone before the others."""
    def state(tid):
        try:
            stat = Path(f"/proc/{pid}/task/{tid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return "X"
        return stat.rpartition(")")[2].split()[0]
    try:
        tids = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(state(tid) not in "ZX" for tid in tids)


class Daemon:
    """The supervisor and its worker; `listen` is a socket to pass as systemd
    does, `wrapper` a command that starts it."""

    def __init__(self, room, config, args=(), env=None, listen=None,
                 wrapper=(), cwd=None):
        self.room = room
        self.args = args
        argv = [*wrapper]
        if listen:
            argv += [sys.executable, "-I", "-S", "-c", AS_SYSTEMD,
                    str(listen.fileno())]
        if isinstance(config, str):
            config = room.write("sluiced.conf", config)
        self.log_path = room.new_file("sluiced", ".log")
        self.has_ended = False
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*argv, SLUICED, "-c", str(config), *args], cwd=cwd or room.path,
                env=environment(env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
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
            f"ended with {self.process.returncode}:\n{self.log()}")
        return READY in self.log()

    def workers(self):
        """The supervisor's living children: two of them during a reload."""
        pid = self.process.pid
        if "--no-supervisor" in self.args:
            return [pid]
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()
                    if _is_alive(child)]

    def worker(self):
        """The process that collects."""
        return wait_until(lambda: len(w := self.workers()) == 1 and w[0],
                          lambda: f"one worker, not {self.workers()}")

    def ready_count(self):
        return self.log().count(READY)

    def kill_worker(self, number=SIGKILL):
        """As soon as there is one, and see that it is dead; the supervisor
        starts the next.  Which one it was: a thread of it that ends may be
        seen for a moment longer."""
        worker = self.worker()
        os.kill(worker, number)
        wait_until(lambda: not _is_alive(worker), "its death")
        return worker

    def kill_tree(self):
        """Supervisor and worker in one stroke, and see that they are dead."""
        self.has_ended = True
        workers = self.workers()
        os.killpg(self.process.pid, SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(map(_is_alive, workers)), "their end")

    def wait_for_worker(self, ready_before):
        """Wait until one more than so many workers have become ready."""
        def is_ready():
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode}:\n"
                f"{self.log()[-4000:]}")
            return self.ready_count() > ready_before
        wait_until(is_ready, lambda: f"a new worker:\n{self.log()[-4000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def get(self, path, method="GET"):
        host, port = self.address
        if host == "0.0.0.0":
            host = "127.0.0.1"
        connection = http.client.HTTPConnection(host, port,
                                                timeout=10 * SLOWNESS)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.getheaders()),
                            answer.read())
        finally:
            connection.close()

    def metrics(self):
        answer = self.get("/metrics")
        assert answer.status == 200
        return Metrics(answer.body.decode())

    def settled(self, received, timeout_s=20):
        """Wait until so many messages came in and none is under way."""
        last = []

        def is_settled():
            last[:] = [self.metrics()]
            return last[0].received >= received and last[0].queued == 0
        wait_until(is_settled, lambda: (
            f"{received} messages, none queued; received {last[0].received}, "
            f"written {last[0].written}, dropped {last[0].dropped()}, "
            f"dead-lettered {last[0].dead_lettered}, "
            f"queued {last[0].queued}"), timeout_s)
        return last[0]

    def signal(self, number):
        self.process.send_signal(number)

    def is_stopped(self):
        """By SIGSTOP: all its threads."""
        tasks = f"/proc/{self.process.pid}/task"
        states = []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat") as f:
                states.append(f.read().rpartition(")")[2].split()[0])
        return set(states) == {"T"}

    def wait(self, timeout_s=10):
        return self.process.wait(timeout_s * SLOWNESS)

    def stop(self, number=SIGTERM, timeout_s=10, queued=0):
        """End it as Kubernetes does, and check all that must always hold;
        `queued` messages may be left in the journal."""
        if self.has_ended:
            return
        try:
            assert self.process.poll() is None, (
                f"ended by itself:\n{self.log()[-4000:]}")
            if self.address:
                self.metrics().check_laws()
            self._check_fds()
            self.signal(number)
            self.check_end(timeout_s, queued)
        finally:
            self.kill()

    def check_end(self, timeout_s=10, queued=0):
        """It has got its signal: exit 0 and a clean log."""
        code = self.wait(timeout_s)
        self.has_ended = True
        log = self.log()
        assert code == 0, f"exit {code}:\n{log[-4000:]}"
        assert "check=" not in log, log
        assert not SANITIZER.search(log), log
        self._check_last_word(log, queued)

    def last_word(self):
        """received, written, dropped, dead-lettered, queued"""
        return tuple(map(int, LAST_WORD.findall(self.log())[-1]))

    def _check_last_word(self, log, left):
        """The law, as of the very end: only what may is left over."""
        received, written, dropped, dead_lettered, queued = self.last_word()
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
        """Open descriptors, but for files that it writes."""
        return {pid: self._fds_of(pid)
                for pid in {self.process.pid, self.worker()}}

    def _fds_of(self, pid):
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return [link for link in links if link != "/dev/full"
                and not link.startswith((str(self.room.path),
                                         str(self.room.disk)))]

    def _check_fds(self):
        """A new worker's do not say anything; the supervisor's always do."""
        # A connection just answered may still be about to be closed.
        def has_no_more():
            now = self._fds()
            return all(len(now[pid]) <= len(fds) for pid, fds in
                       self.fds_at_ready.items() if pid in now)
        wait_until(has_no_more,
                   lambda: f"descriptors to be closed: {self._fds()}, "
                           f"at the start: {self.fds_at_ready}")
