# SPDX-License-Identifier: Apache-2.0
"""Sends a stream of numbered lines, and checks what has become of it."""
import re
import signal
import subprocess

from .compile import compiled
from .config import section, service, syslog_input, json_filter, file_output
from .wait import HANG_S, wait_until

# The line that TEMPLATE gives for a datagram of sender.c matches WHOLE.  Torn,
# mixed or doubled bytes cannot match it.
TEMPLATE = "{n} {pad} {n}"
WHOLE = re.compile(rb"(\d+) x{640} \1")


class Stream:
    """Runs sender.c until it is stopped or has sent `count` lines."""

    def __init__(self, room, rate, *options, count=10**12):
        self.lost_path = room.new_file("lost", ".txt")
        self.process = subprocess.Popen(
            [compiled("sender.c"), *options, "-l", self.lost_path,
             room.socket, str(count), str(rate)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def wait(self):
        """Wait until the sender has ended, and read its figures."""
        report, _ = self.process.communicate(timeout=HANG_S)
        assert self.process.returncode == 0, "the sender failed"
        self.sent, self.refused, self.gone = map(int, re.match(
            r"sent (\d+) refused (\d+) gone (\d+) ", report).groups())
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def accepted(self):
        """The numbers of the lines that the kernel accepted, in order."""
        total = self.sent + self.refused + self.gone
        lost = set(map(int, self.lost_path.read_text().split()))
        return [n for n in range(total) if n not in lost]

    def kill(self):
        self.process.kill()
        self.process.wait()


def numbered(room, *service_lines, template=TEMPLATE, flush="0.02", **more):
    """A configuration that writes one line for each number."""
    return (service(*service_lines, flush=flush, **more)
            + syslog_input(room) + json_filter()
            + file_output(room, "Format template", f"Template {template}"))


def numbered_in_files(room, *service_lines, flush="0.02", **more):
    """The same, but the field "to" names the file."""
    return (service(*service_lines, flush=flush, **more)
            + syslog_input(room) + json_filter()
            + section("FILTER", "Name rewrite_tag", "Match in",
                      "Rule $to ^(.*)$ $1.log false")
            + section("OUTPUT", "Name file", "Match *", f"Path {room.out}",
                      "Format template", f"Template {TEMPLATE}"))


def numbers_in(data, whole=WHOLE):
    """The numbers in a file's bytes.  Fails if a line is not whole."""
    assert data == b"" or data.endswith(b"\n"), (
        f"the last line is torn: {data[-200:]}")
    numbers = []
    for line in data.split(b"\n")[:-1]:
        match = whole.fullmatch(line)
        assert match, f"this line is torn: {line[:60]} ... {line[-60:]}"
        numbers.append(int(match[1]))
    return numbers


def check_numbers(numbers, accepted, in_order=True):
    """Each accepted number occurs exactly once and, unless in_order is false,
    in order."""
    if numbers == accepted:
        return
    seen, wanted = set(numbers), set(accepted)
    missing, invented = sorted(wanted - seen), sorted(seen - wanted)
    twice = len(numbers) - len(seen)
    assert not (missing or invented or twice), (
        f"{len(accepted)} accepted: {len(missing)} missing {missing[:5]}, "
        f"{twice} too often {repeated(numbers)[:5]}, "
        f"{len(invented)} never accepted {invented[:5]}")
    assert not in_order, "the numbers are not in order"


def repeated(numbers):
    seen, again = set(), []
    for n in numbers:
        if n in seen:
            again.append(n)
        seen.add(n)
    return again


def check_files(room, accepted, kinds, in_order=True):
    """Each file of numbered_in_files has its own numbers; see
    check_numbers."""
    for kind in range(kinds):
        path = room.out / f"f{kind}.log"
        check_numbers(numbers_in(path.read_bytes()),
                      [n for n in accepted if n % kinds == kind], in_order)


def wait_for_lines(out, count, pattern="**/*"):
    wait_until(lambda: out.has(count, pattern), f"{count} lines")
