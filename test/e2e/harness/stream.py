# SPDX-License-Identifier: Apache-2.0
"""A stream of numbered lines, and what must have become of it."""
import re
import signal
import subprocess

from .compile import compiled
from .config import section, service, syslog_input, json_filter, file_output
from .wait import wait_until

# What `TEMPLATE` makes of a datagram of sender.c: torn, mixed or doubled
# bytes cannot look like it.
TEMPLATE = "{n} {pad} {n}"
WHOLE = re.compile(rb"(\d+) x{640} \1")


class Stream:
    """sender.c at work until it is stopped, or has sent `count`."""

    def __init__(self, room, rate, *options, count=10**12):
        self.lost_path = room.new_file("lost", ".txt")
        self.process = subprocess.Popen(
            [compiled("sender.c"), *options, "-l", self.lost_path,
             room.socket, str(count), str(rate)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def wait(self, timeout_s=120):
        """Its end; then the figures below are there."""
        report, _ = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0
        self.sent, self.refused, self.gone = map(int, re.match(
            r"sent (\d+) refused (\d+) gone (\d+) ", report).groups())
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def accepted(self):
        """The numbers that send() took, in order."""
        total = self.sent + self.refused + self.gone
        lost = set(map(int, self.lost_path.read_text().split()))
        return [n for n in range(total) if n not in lost]

    def kill(self):
        self.process.kill()
        self.process.wait()


def numbered(room, *service_lines, template=TEMPLATE, flush="0.02", **more):
    """A configuration whose file has a line for each."""
    return (service(*service_lines, flush=flush, **more)
            + syslog_input(room) + json_filter()
            + file_output(room, "Format template", f"Template {template}"))


def numbered_in_files(room, *service_lines, flush="0.02", **more):
    """The same; the field "to" names the file."""
    return (service(*service_lines, flush=flush, **more)
            + syslog_input(room) + json_filter()
            + section("FILTER", "Name rewrite_tag", "Match in",
                      "Rule $to ^(.*)$ $1.log false")
            + section("OUTPUT", "Name file", "Match *", f"Path {room.out}",
                      "Format template", f"Template {TEMPLATE}"))


def numbers_in(data, whole=WHOLE):
    """Of a file's bytes; every line is whole."""
    assert data == b"" or data.endswith(b"\n"), f"torn end: {data[-200:]}"
    numbers = []
    for line in data.split(b"\n")[:-1]:
        match = whole.fullmatch(line)
        assert match, f"a torn line: {line[:60]} ... {line[-60:]}"
        numbers.append(int(match[1]))
    return numbers


def check_numbers(numbers, accepted):
    """Each exactly once, and in order."""
    if numbers == accepted:
        return
    seen, wanted = set(numbers), set(accepted)
    missing, invented = sorted(wanted - seen), sorted(seen - wanted)
    twice = len(numbers) - len(seen)
    assert not (missing or invented or twice), (
        f"{len(accepted)} accepted: {len(missing)} missing {missing[:5]}, "
        f"{twice} too often {repeated(numbers)[:5]}, "
        f"{len(invented)} never accepted {invented[:5]}")
    assert numbers == accepted, "not in order"


def repeated(numbers):
    seen, again = set(), []
    for n in numbers:
        if n in seen:
            again.append(n)
        seen.add(n)
    return again


def check_files(room, accepted, kinds):
    """The files of numbered_in_files, each with its own, in order."""
    for kind in range(kinds):
        path = room.out / f"f{kind}.log"
        check_numbers(numbers_in(path.read_bytes()),
                      [n for n in accepted if n % kinds == kind])


def wait_for_lines(out, count, pattern="**/*", timeout_s=30):
    wait_until(lambda: out.has(count, pattern), f"{count} lines", timeout_s)
