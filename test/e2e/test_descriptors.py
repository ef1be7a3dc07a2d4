# SPDX-License-Identifier: Apache-2.0
"""Few file descriptors: connections never take those of the output files."""
import errno
import os
from contextlib import ExitStack

import pytest

from harness.config import file_output, lua_filter, section
from harness.daemon import run
from harness.inputs import config, connected, unix_input
from harness.sender import Sender
from harness.wait import wait_until

LEAST = 34  # with one input
EMFILE = os.strerror(errno.EMFILE)


def tag_is_file(room):
    """The first word of each line is the name of its file."""
    return (section("FILTER", "Name rewrite_tag", "Match in",
                    f"Rule $message ^(\\S*) {room.out}/$1 false")
            + section("OUTPUT", "Name file", "Match /*", "Format template",
                      "Template {message}"))


@pytest.mark.parametrize("clients", ["stream", "http"])
def test_clients_leave_descriptors_for_output_files(
        room, out, start, clients):
    """There are more clients and more files than descriptors."""
    text = config(room, unix_input(room)).replace(
        file_output(room, "Format template", "Template {message}"),
        tag_is_file(room))
    daemon = start(text, wrapper=("prlimit", f"--nofile={LEAST}"))
    with ExitStack() as stack:
        for n in range(LEAST + 8):
            if clients == "stream":
                s = stack.enter_context(connected(room.socket))
                s.sendall(b"file%d\n" % n)
            else:
                stack.enter_context(connected(daemon.address))
        with connected(room.socket) as s:
            s.sendall(b"".join(b"last%d\n" % n for n in range(LEAST)))
        sent = LEAST + (LEAST + 8 if clients == "stream" else 0)
        counts = daemon.wait_for_messages(sent)
        assert counts.written == sent
        assert counts.sum("sluiced_output_errors_total") == 0
    assert len(list(room.out.glob("last*"))) == LEAST


def start_with_files(room, start):
    text = config(room, unix_input(room)).replace(
        file_output(room, "Format template", "Template {message}"),
        tag_is_file(room))
    return start(text, wrapper=("prlimit", f"--nofile={LEAST}"))


def test_files_that_are_busy_keep_no_descriptors(room, out, start):
    """Another process has not completed its lines in more files than sluiced
    has descriptors."""
    room.out.mkdir()
    files = [room.out / f"busy{n}" for n in range(2 * LEAST)]
    for file in files:
        file.write_bytes(b"its ")
    daemon = start_with_files(room, start)
    with connected(room.socket) as s:
        s.sendall(b"".join(file.name.encode() + b"\n" for file in files))
        s.sendall(b"last\n")
    wait_until((room.out / "last").exists, "the file that is not busy")
    for file in files:
        with open(file, "ab") as other:
            other.write(b"line\n")
    counts = daemon.wait_for_messages(2 * LEAST + 1)
    assert EMFILE not in daemon.log()
    assert counts.sum("sluiced_output_errors_total") == 0
    for file in files:
        assert file.read_bytes() == b"its line\n%s\n" % file.name.encode()


def test_torn_lines_keep_only_the_descriptors_of_output_files(
        room, small_disk, start):
    """On a full disk, a line is torn in more files than sluiced has
    descriptors.  They are completed."""
    page = b"x" * 4000 + b"\n"
    files = [room.out / f"file{n}" for n in range(2 * LEAST)]
    for file in files:
        file.write_bytes(page)
    daemon = start_with_files(room, start)
    small_disk.fill(0)
    texts = [b"%s %s\n" % (file.name.encode(), b"y" * 500) for file in files]
    with connected(room.socket) as s:
        s.sendall(b"".join(texts))
    wait_until(lambda: all(file.stat().st_size == 4096 for file in files),
               "torn lines")
    open_files = wait_until(
        lambda: daemon.metrics().sum("sluiced_output_files_open"), "the files")
    assert open_files < LEAST / 4
    small_disk.empty()
    daemon.wait_for_messages(len(files))
    assert EMFILE not in daemon.log()
    assert [file.read_bytes() for file in files] == [
        page + text for text in texts]


# With 1,024 descriptors, a hook may have 32 files open.
HOOKS = {
    "are kept": """kept = {}
        function hook(tag, ts, r)
          local f, why = io.open("/dev/null")
          kept[#kept + 1] = f
          r.why = why or "opened"
          return 2, ts, r
        end""",
    "are forgotten": """function hook(tag, ts, r)
          local f, why = io.open("/dev/null")
          r.why = why or "opened"
          return 2, ts, r
        end""",
    "are named": """kept = {}
        function hook(tag, ts, r)
          local ok, why = pcall(function()
            kept[#kept + 1] = io.lines("/dev/null")
            kept[#kept + 1] = io.popen("true")
            kept[#kept + 1] = io.tmpfile()
          end)
          r.why = why or "opened"
          return 2, ts, r
        end""",
}
REFUSED = b"/dev/null: Too many open files"


@pytest.mark.parametrize("files", HOOKS)
def test_hooks_leave_descriptors_for_output_files(room, out, start, files):
    """A hook opens more files than the process has descriptors, and closes
    none.  Those that it forgets are closed by the garbage collector."""
    daemon = start(config(room, unix_input(room)).replace(
        file_output(room, "Format template", "Template {message}"),
        lua_filter(room, HOOKS[files]) + tag_is_file(room).replace(
            "{message}", "{why}")),
        wrapper=("prlimit", "--nofile=1024"))
    with connected(room.socket) as s:
        s.sendall(b"".join(b"file%d\n" % n for n in range(1500)))
    counts = daemon.wait_for_messages(1500)
    daemon.fds_at_ready = {}  # the hook still has files open
    assert counts.written == 1500
    assert counts.sum("sluiced_output_errors_total") == 0
    lines = b"".join(path.read_bytes() for path in room.out.glob("file*"))
    opened = lines.count(b"opened")
    if files == "are kept":
        assert (opened, lines.count(REFUSED)) == (32, 1500 - 32)
    elif files == "are named":
        assert 10 < opened < 32
    else:
        assert opened == 1500


def test_a_datagram_input_works_with_the_fewest_descriptors(room, out, start):
    daemon = start(config(room, unix_input(room)).replace("unix_tcp",
                                                          "unix_udp"),
                   wrapper=("prlimit", f"--nofile={LEAST}"))
    with Sender(room.socket) as sender:
        sender.send(b"one")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"one"]


@pytest.mark.parametrize("limit", [LEAST - 1, 20, 16, 12])
def test_too_few_descriptors_are_a_system_error(room, limit):
    path = room.write("sluiced.conf", config(room, unix_input(room)))
    done = run("-c", path, wrapper=("prlimit", f"--nofile={limit}"))
    assert done.code == 71
    assert (f"sluiced: this process may have {limit} open files, but with 1 "
            f"inputs it needs {LEAST}; raise the limit" in done.err)


def test_a_closed_standard_output_is_no_descriptor_of_sluiced(
        room, out, start):
    """An output `stdout` would write into a socket between the workers."""
    text = config(room, unix_input(room)) + section(
        "OUTPUT", "Name stdout", "Match *")
    daemon = start(text, wrapper=("sh", "-c", 'exec "$@" <&- >&-', "sh"))
    with connected(room.socket) as s:
        s.sendall(b"".join(b"line %d\n" % n for n in range(5000)))
    counts = daemon.wait_for_messages(5000)
    assert counts.written == 5000
    assert counts.sum("sluiced_output_lines_dropped_total") == 5000
    for process in (daemon.process.pid, daemon.worker()):
        for number in (0, 1):
            target = os.readlink(f"/proc/{process}/fd/{number}")
            assert target == "/dev/null"
