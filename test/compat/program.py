# SPDX-License-Identifier: Apache-2.0
"""The programs that run a case, and a run of one of them."""
import array
import contextlib
import fcntl
import glob
import http.client
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time
from calendar import timegm
from collections import namedtuple
from functools import lru_cache
from pathlib import Path

from case import bytes_of, filled
from expect import http_problem

HERE = Path(__file__).resolve().parent
SAN = os.environ.get("SAN", "")
# Ends a run that hangs.
TIMEOUT_S = 240
LISTEN = "0A"
QUEUE_LENGTH = 10  # how many datagrams a new network namespace queues
PORTS = set()
# Limits how many programs start and receive at once.  More of them may be
# shutting down.
AT_WORK = threading.BoundedSemaphore(8)

Result = namedtuple("Result", "exit files stdout stderr http perm")
Answer = namedtuple("Answer", "status body")


class Stuck(Exception):
    """An awaited event did not happen."""


class Sluiced:
    name = "sluiced"
    # After SIGTERM, sluiced writes all messages that it has accepted.
    quiet_s = 0
    # How long the program may take to exit, if the case expects that, and to
    # give the expected HTTP answer.
    end_s = answer_s = TIMEOUT_S

    def __init__(self, path):
        self.path = os.path.abspath(path)


class FluentBit:
    # Fluent Bit continues in some cases in which sluiced exits.
    end_s, answer_s = 5, 7

    def __init__(self, path):
        self.path = os.path.abspath(path)
        said = subprocess.run([self.path, "-V"], capture_output=True,
                              text=True).stdout
        found = re.match(r"Fluent Bit v(\S+)", said)
        if not found:
            raise SystemExit(f"{path} is not Fluent Bit: {said!r}")
        self.name = found[1]
        # It flushes once per second; 5.x writes copies one flush later.
        self.quiet_s = 1.3 if self.name.startswith("1.") else 2.3


@lru_cache
def _built():
    return tempfile.TemporaryDirectory(prefix="compat-built.")


@lru_cache
def moved_clock():
    """The library that gives a process another time of day."""
    library = Path(_built().name) / "clock.so"
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-O2",
                    "-shared", "-fPIC", "-o", library, HERE / "clock.c"],
                   check=True)
    return str(library)


def until(question, what, timeout_s=TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while not (answer := question()):
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise Stuck(f"waited {timeout_s} s for {text}")
        time.sleep(0.005)
    return answer


def free_port():
    """A port that no other run of this process uses.  It is below 32768, where
    the kernel begins to choose ports for connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as tcp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            if port not in PORTS:
                PORTS.add(port)
                return port


def bound(proto, port):
    """The lines of /proc/net about the sockets of a port, as lists of
    fields."""
    text = Path(f"/proc/thread-self/net/{proto}").read_text()
    lines = [line.split() for line in text.splitlines()[1:]]
    return [fields for fields in lines
            if int(fields[1].split(":")[1], 16) == port]


class Peer:
    """A sender with one socket for one address."""

    def __init__(self, via, to):
        family = socket.AF_UNIX if via.startswith("unix") else socket.AF_INET
        is_stream = via.endswith("tcp")
        self.to = to if via.startswith("unix") else ("127.0.0.1", int(to))
        self.socket = socket.socket(
            family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM)
        self.socket.settimeout(TIMEOUT_S)
        if is_stream:
            # The socket exists a moment before the program listens.
            until(self._is_connected, f"{via} {to} to listen")
        self.is_stream = is_stream

    def _is_connected(self):
        try:
            self.socket.connect(self.to)
        except ConnectionRefusedError:
            return False
        return True

    def send(self, data):
        if self.is_stream:
            try:
                self.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a program may end a connection
        else:
            self.socket.sendto(data, self.to)

    def is_drained(self):
        """Whether the program has read all data from the kernel's queue, or has
        closed the connection."""
        if self.is_stream:
            poll = select.poll()
            poll.register(self.socket, 0)
            if poll.poll(0):
                return True
        left = array.array("i", [0])
        fcntl.ioctl(self.socket, termios.TIOCOUTQ, left)
        return left[0] == 0


class Run:
    """One case with one program, in its own directory."""

    def __init__(self, program, case):
        self.program = program
        self.dir = Path(tempfile.mkdtemp(prefix="compat."))
        self.places = {
            "@DIR@": str(self.dir),
            "@SOCKET@": str(self.dir / "in.sock"),
            "@SOCKET2@": str(self.dir / "in2.sock"),
            "@PARSERS@": str(HERE.parents[1] / "conf/parsers.conf"),
        }
        self.case = case.as_for(program.name)
        for port in ("@PORT@", "@TCP@", "@UDP@"):
            if self._mentions(port):
                self.places[port] = str(free_port())
        self.case = filled(self.case, self.places)
        self.process = None
        self.peers = {}
        self.is_told_to_end = False
        self.http = []
        self.perm = None

    def _mentions(self, place):
        return any(place in str(self.case.get(key, ""))
                   for key in ("conf", "extra", "env", "args"))

    def result(self):
        try:
            try:
                with AT_WORK:
                    self._lay_out()
                    self._start()
                    self._go()
                code = self._end()
            finally:
                self._kill()
            return Result(code, self._files(), self._read("stdout"),
                          self._read("stderr"), self.http, self.perm)
        finally:
            for peer in self.peers.values():
                peer.socket.close()
            shutil.rmtree(self.dir, ignore_errors=True)

    def _lay_out(self):
        (self.dir / "out").mkdir()
        texts = dict(self.case.get("extra", {}))
        self.main = self.case.get("main", "fluent-bit.conf")
        if "conf" in self.case:
            texts.setdefault(self.main, self.case["conf"])
        for name, text in texts.items():
            path = self.dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, dict) and "link" in text:
                path.symlink_to(text["link"])
            elif isinstance(text, dict) and "data" in text:
                shutil.copy(HERE.parent / "data" / text["data"], path)
            else:
                path.write_bytes(bytes_of(text))

    def _environment(self):
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "HOME") or k.endswith("SAN_OPTIONS")}
        if "time" in self.case:
            at = timegm(time.strptime(str(self.case["time"]),
                                      "%Y-%m-%d %H:%M:%S"))
            env |= {"LD_PRELOAD": moved_clock(),
                    "CLOCK_AHEAD_NS": str(at * 10**9 - time.time_ns())}
            if "address" in SAN:
                env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        return env | {k: str(v) for k, v in self.case.get("env", {}).items()}

    def _start(self):
        argv = [self.program.path]
        if "conf" in self.case:
            argv += ["-c", str(self.dir / self.main)]
        argv += map(str, self.case.get("args", []))
        with (open(self.dir / "stdout", "wb") as out,
              open(self.dir / "stderr", "wb") as err):
            self.process = subprocess.Popen(
                argv, cwd=self.dir / self.case.get("cwd", "out"),
                env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True)

    def _is_ended(self):
        return self.process.poll() is not None

    def _is_listening(self):
        for place, value in self.places.items():
            if not self._mentions(value):
                continue
            if (place.startswith("@SOCKET")
                    and not Path(value).is_socket()):
                return False
            if place == "@UDP@" and not bound("udp", int(value)):
                return False
            if (place in ("@TCP@", "@PORT@")
                    and not any(fields[3] == LISTEN for fields in
                                bound("tcp", int(value)))):
                return False
        return True

    def _go(self):
        until(lambda: self._is_ended() or self._is_listening(),
              lambda: f"the program to start:\n{self._read('stderr')}")
        if self._is_to_end() and not self.case.get("send"):
            self._pause(self.program.end_s)
            return
        if "perm" in self.case and not self._is_ended():
            self.perm = Path(self.places["@SOCKET@"]).stat().st_mode & 0o777
        with self._stopped_if_grouped():
            for item in self.case.get("send", []):
                self._send(item if isinstance(item, dict) else {"text": item})
        until(lambda: self._is_ended() or all(
            peer.is_drained() for peer in self.peers.values()),
            "the program to receive all")
        for peer in self.peers.values():
            if peer.is_stream:
                peer.socket.close()
        self.peers = {}
        for question in self.case.get("http", []):
            self.http.append(self._asked(question))
        self._quiet(self.program.quiet_s)
        if self._is_to_end():
            self._pause(self.program.end_s)

    @contextlib.contextmanager
    def _stopped_if_grouped(self):
        """The text on stdout depends on which messages the program receives
        together.  Stop the program while they are sent, so that it always
        receives all of them together, however busy the machine is."""
        items = self.case.get("send", [])
        is_grouped = ("stdout" in self.case and len(items) <= QUEUE_LENGTH
                      and all(isinstance(item, str) for item in items)
                      and not self._is_ended())
        if is_grouped:
            os.killpg(self.process.pid, signal.SIGSTOP)
            until(lambda: self._is_ended() or self._are_all_stopped(),
                  "all threads to stop")
        try:
            yield
        finally:
            if is_grouped:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGCONT)

    def _are_all_stopped(self):
        states = set()
        # Path.glob would fail if a process ends meanwhile.
        for stat in glob.glob("/proc/[0-9]*/task/*/stat"):
            with contextlib.suppress(OSError):
                text = Path(stat).read_text()
                state, _, group = text.rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid:
                    states.add(state)
        return states <= {"T", "Z"}

    def _is_to_end(self):
        return self.case.get("exit", 0) != 0 or "conf" not in self.case

    def _send(self, item):
        if "signal" in item:
            self.is_told_to_end |= item["signal"] == "TERM"
            self.process.send_signal(
                getattr(signal, f"SIG{item['signal']}"))
            return
        if "wait" in item:
            self._pause(item["wait"])
            return
        via = item.get("via", "unix_udp")
        to = item.get("to", self.places["@SOCKET@"])
        try:
            if (via, to) not in self.peers:
                self.peers[via, to] = Peer(via, to)
            self.peers[via, to].send(bytes_of(item))
        except OSError:
            # Only a program that has exited may refuse data.
            if not self.is_told_to_end and not self._is_to_end():
                until(self._is_ended, f"the program to exit, because it "
                      f"refused data over {via}")

    def _pause(self, seconds):
        deadline = time.monotonic() + seconds
        while not self._is_ended() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _asked(self, question):
        """Ask until the answer is the expected one, and return the last
        answer."""
        deadline = time.monotonic() + self.program.answer_s
        while True:
            answer = self._ask(question)
            if (http_problem(question, answer) is None
                    or time.monotonic() > deadline or self._is_ended()):
                return answer
            time.sleep(0.05)

    def _ask(self, question):
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(self.places["@PORT@"]), timeout=TIMEOUT_S)
        try:
            connection.request(question.get("method", "GET"),
                               question["path"])
            answer = connection.getresponse()
            return Answer(answer.status,
                          answer.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as e:
            return Answer(0, str(e))
        finally:
            connection.close()

    def _outputs(self):
        """The files in the output directory, except the probe file that sluiced
        creates for a moment to find out whether the output is writable.
        Path.rglob would fail if a directory vanishes meanwhile."""
        return sorted(Path(folder) / name
                      for folder, _, names in os.walk(self.dir / "out")
                      for name in names
                      if not name.startswith(".sluiced-probe"))

    def _quiet(self, seconds):
        """Wait until the outputs have not grown for `seconds`."""
        def sizes():
            found = {}
            for path in [*self._outputs(), self.dir / "stdout"]:
                with contextlib.suppress(FileNotFoundError):
                    found[path] = path.stat().st_size
            return found
        before, since = None, 0
        while not self._is_ended():
            now = sizes()
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since >= seconds:
                return
            time.sleep(0.02)

    def _end(self):
        if not self._is_ended() and not self.is_told_to_end:
            self.process.send_signal(signal.SIGTERM)
        until(self._is_ended,
              lambda: f"the program to end:\n{self._read('stderr')}")
        return self.process.returncode

    def _kill(self):
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def _files(self):
        return {str(p.relative_to(self.dir)): p.read_bytes()
                for p in self._outputs()
                if p.is_file() and p.parent.name != ".sluiced"}

    def _read(self, name):
        return (self.dir / name).read_bytes().decode(errors="replace")
