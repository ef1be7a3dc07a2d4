# SPDX-License-Identifier: Apache-2.0
"""sluiced as a process of its own, whose end is itself a test."""
import http.client
import os
import re
import subprocess
from collections import namedtuple
from signal import SIGTERM

from .config import ROOT
from .metrics import Metrics
from .wait import SLOWNESS, wait_until

SLUICED = os.path.abspath(os.environ.get("SLUICED", ROOT / "build/sluiced"))
SANITIZER = re.compile(
    r"AddressSanitizer|UndefinedBehavior|ThreadSanitizer|LeakSanitizer"
    r"|runtime error")
LISTENING = re.compile(r"mod=http listening=([0-9.]+):([0-9]+)")
LAST_WORD = re.compile(r"mod=worker stopped received=(\d+) written=(\d+)"
                       r" dropped=(\d+) queued=(\d+)")

Response = namedtuple("Response", "status headers body")
Result = namedtuple("Result", "code out err")


def environment(extra=None):
    """Nothing of the caller's but what a program needs; TZ is not set."""
    kept = {k: v for k, v in os.environ.items()
            if k in ("PATH", "HOME", "LD_LIBRARY_PATH")
            or k.endswith("SAN_OPTIONS")}
    return {**kept, **(extra or {})}


def run(*args, cwd=None, env=None, timeout_s=20):
    """sluiced as a command that ends by itself."""
    done = subprocess.run([SLUICED, *map(str, args)], cwd=cwd,
                          env=environment(env), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=timeout_s * SLOWNESS)
    err = done.stderr.decode(errors="replace")
    assert not SANITIZER.search(err), err
    return Result(done.returncode, done.stdout.decode(errors="replace"), err)


class Daemon:
    def __init__(self, room, config, args=(), env=None):
        self.room = room
        if isinstance(config, str):
            config = room.write("sluiced.conf", config)
        self.log_path = room.new_file("sluiced", ".log")
        self.has_ended = False
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [SLUICED, "-c", str(config), *args], cwd=room.path,
                env=environment(env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
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
        return re.search("level=info mod=worker ready", self.log())

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

    def settled(self, received):
        """Wait until so many messages came in and none is under way."""
        last = []

        def is_settled():
            last[:] = [self.metrics()]
            return last[0].received >= received and last[0].queued == 0
        wait_until(is_settled, lambda: (
            f"{received} messages, none queued; received {last[0].received}, "
            f"written {last[0].written}, dropped {last[0].dropped()}, "
            f"queued {last[0].queued}"), timeout_s=20)
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

    def stop(self, number=SIGTERM, timeout_s=10):
        """End it as Kubernetes does, and check all that must always hold."""
        if self.has_ended:
            return
        try:
            assert self.process.poll() is None, (
                f"ended by itself:\n{self.log()[-4000:]}")
            if self.address:
                self.metrics().check_laws()
            self._check_fds()
            self.signal(number)
            self.check_end(timeout_s)
        finally:
            self.kill()

    def check_end(self, timeout_s=10):
        """It has got its signal: exit 0 and a clean log."""
        code = self.wait(timeout_s)
        self.has_ended = True
        log = self.log()
        assert code == 0, f"exit {code}:\n{log[-4000:]}"
        assert "check=" not in log, log
        assert not SANITIZER.search(log), log
        self._check_last_word(log)

    def _check_last_word(self, log):
        """The law, as of the very end: nothing is left over."""
        received, written, dropped, queued = map(
            int, LAST_WORD.search(log).groups())
        assert received == written + dropped and queued == 0, log

    def kill(self):
        self.has_ended = True
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _fds(self):
        """Open descriptors, but for files that it writes."""
        fds = f"/proc/{self.process.pid}/fd"
        links = []
        for fd in os.listdir(fds):
            try:
                links.append(os.readlink(f"{fds}/{fd}"))
            except FileNotFoundError:
                pass
        return [link for link in links
                if not link.startswith(str(self.room.path))]

    def _check_fds(self):
        # A connection just answered may still be about to be closed.
        wait_until(lambda: len(self._fds()) <= len(self.fds_at_ready),
                   lambda: f"descriptors to be closed: {self._fds()}, "
                           f"at the start: {self.fds_at_ready}")
