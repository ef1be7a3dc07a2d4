# SPDX-License-Identifier: Apache-2.0
"""--dry-run refuses what a start would refuse because of the configuration,
with the same text and exit code."""
import os

import pytest

from harness.config import file_output, section, service, syslog_input
from harness.daemon import run

CONFIG, SYSTEM = 78, 71


def syslog(path, *lines):
    return section("INPUT", "Name syslog", f"Path {path}", *lines)


def tcp(*lines):
    return section("INPUT", "Name syslog", "Mode tcp", *lines)


def output(*lines):
    return section("OUTPUT", "Name file", "Match *", *lines)


NULL = section("OUTPUT", "Name null", "Match *")
STORE = section("SERVICE", "storage.path @/journal")
LONG = "x" * 200

# name: the configuration, and what the message must contain
REFUSED = {
    "too many inputs": (
        "".join(syslog(f"@/s{n}") for n in range(17)) + NULL,
        "sluiced.conf:65: [INPUT]", "at most 16 inputs"),
    "one socket with a doubled slash": (
        syslog("@/s") + syslog("@//s") + NULL,
        "sluiced.conf:7: [INPUT]", "syslog.0 and syslog.1", "same Path"),
    "one socket with a dot": (
        syslog("@/s") + syslog("@/./s", "Mode unix_tcp") + NULL,
        "sluiced.conf:7: [INPUT]", "same Path"),
    "one socket with and without directory": (
        syslog("@/s") + syslog("s") + NULL,
        "sluiced.conf:7: [INPUT]", "same Path"),
    "one socket through a symbolic link": (
        syslog("@/s") + syslog("@/link/s") + NULL,
        "sluiced.conf:7: [INPUT]", "same Path"),
    "one socket through its parent": (
        syslog("@/s") + syslog("@/dir/../s") + NULL,
        "sluiced.conf:7: [INPUT]", "same Path"),
    "one port at all addresses and at one": (
        STORE + tcp("Port 5141") + tcp("Listen 127.0.0.1", "Port 5141") + NULL,
        "sluiced.conf:13: [INPUT]", "same Port"),
    "one address in two spellings": (
        STORE + tcp("Listen ::1", "Port 5141")
        + tcp("Listen 0:0:0:0:0:0:0:1", "Port 5141") + NULL,
        "sluiced.conf:14: [INPUT]", "same Port"),
    "an input at the port of HTTP": (
        section("SERVICE", "storage.path @/journal", "HTTP_Server on",
                "HTTP_Port 5141")
        + tcp("Listen 127.0.0.1", "Port 5141") + NULL,
        "sluiced.conf:10: [INPUT]", "HTTP_Port"),
    "the journal at the socket": (
        section("SERVICE", "storage.path @/s") + syslog("@/./s") + NULL,
        "sluiced.conf:2: [SERVICE]", "storage.path", "the socket"),
    "the journal at a file that sluiced did not make": (
        section("SERVICE", "Flush 1", "storage.path @/text") + syslog("@/s")
        + NULL,
        "sluiced.conf:3: [SERVICE] storage.path: ",
        "text exists and is not a journal of sluiced; move it away"),
    "the journal at the configuration": (
        section("SERVICE", "storage.path @/sluiced.conf") + syslog("@/s")
        + NULL,
        "sluiced.conf:2: [SERVICE] storage.path: ", "is not a journal"),
    "a new journal at an output": (
        STORE + syslog("@/s") + output("Path @", "File journal.new"),
        "sluiced.conf:12: [OUTPUT]", "File", "the journal's new file"),
    "the journal at an output": (
        STORE + syslog("@/s") + output("Path @", "File journal"),
        "sluiced.conf:12: [OUTPUT]", "File", "the journal"),
    "the journal at Log_File": (
        section("SERVICE", "storage.path @/a.log", "Log_File @/./a.log")
        + syslog("@/s") + NULL,
        "sluiced.conf:3: [SERVICE]", "Log_File", "the journal"),
    "dead letters at an output": (
        section("SERVICE", "Dead_Letter @/a.log") + syslog("@/s")
        + output("File @//a.log"),
        "sluiced.conf:11: [OUTPUT]", "File", "Dead_Letter"),
    "an output at the socket": (
        syslog("@/s") + output("Path @/", "File s"),
        "sluiced.conf:9: [OUTPUT]", "File", "the socket"),
    "a long Log_File": (
        section("SERVICE", f"Log_File @/{LONG}") + syslog("@/s") + NULL,
        "Log_File", "is longer than"),
    "messages longer than the journal": (
        section("SERVICE", "storage.max_size 1M")
        + syslog("@/s", "Buffer_Chunk_Size 4M") + NULL,
        "storage: journal: ", "too few"),
}


def reasons(result):
    return [line for line in result.err.splitlines()
            if line.startswith("sluiced: ")]


@pytest.mark.parametrize("name", REFUSED)
def test_a_dry_run_refuses_what_a_start_refuses(room, name):
    text, *words = REFUSED[name]
    (room.path / "text").write_text("text")
    (room.path / "link").symlink_to(".")
    (room.path / "dir").mkdir()
    config = room.write("sluiced.conf", text.replace("@", str(room.path)))
    dry = run("-c", config, "--dry-run", cwd=room.path)
    assert dry.code == CONFIG, dry.err
    for word in words:
        assert word in reasons(dry)[0], dry.err
    # Only a supervisor limits the length of Log_File.
    starts = [[]] if "is longer than" in words else [[], ["--no-supervisor"]]
    for option in starts:
        real = run("-c", config, *option, cwd=room.path)
        assert (real.code, reasons(real)) == (CONFIG, reasons(dry)), real.err


# name: keys of [SERVICE], the key that is wrong, and words of the message
NO_JOURNAL = {
    "a missing directory": (
        ("storage.path @/missing/journal",), "storage.path",
        "@/missing: No such file or directory; create this directory"),
    "a missing directory with a slash at its end": (
        ("storage.path @/missing/",), "storage.path",
        "@/missing: No such file or directory"),
    "a FIFO": (
        ("storage.path @/fifo",), "storage.path",
        "@/fifo is not a regular file"),
    "a dangling link": (
        ("storage.path @/dangling",), "storage.path",
        "@/dangling is a symbolic link"),
    "a long name": (
        (f"storage.path @/{'x' * 300}",), "storage.path",
        "the journal's name is too long"),
    "a name that is too long with a suffix": (
        (f"storage.path @/{'x' * 250}",), "storage.path",
        "the journal's name is too long"),
    "a file system of the kernel": (
        ("storage.path /proc/journal",), "storage.path",
        "cannot be created in /proc: "),
    "a file as a directory": (
        ("storage.path @/file/journal",), "storage.path",
        "@/file: Not a directory"),
    "more than the address space": (
        ("storage.type memory", "storage.max_size 999999G"),
        "storage.max_size", "in memory: Cannot allocate memory"),
    "more than a file can have": (
        ("storage.path @", "storage.max_size 4000000G"),
        "storage.max_size", "in @: "),
}


@pytest.mark.parametrize("name", NO_JOURNAL)
def test_a_dry_run_refuses_a_journal_that_a_start_cannot_create(room, name):
    """A start exits with 71 instead, because a directory may appear later, but
    not with a FIFO.  A name that is too long only with a suffix is found when
    the suffix is needed."""
    keys, key, words = NO_JOURNAL[name]
    here = str(room.path)
    (room.path / "file").touch()
    os.mkfifo(room.path / "fifo")
    (room.path / "dangling").symlink_to("nothing")
    config = room.write("sluiced.conf", (
        section("SERVICE", *keys) + syslog("@/s") + NULL).replace("@", here))
    before = sorted(room.path.iterdir())
    dry = run("-c", config, "--dry-run", cwd=room.path)
    assert dry.code == CONFIG, dry.err
    line = len(keys) + 1
    assert f"sluiced.conf:{line}: [SERVICE] {key}: " in reasons(dry)[0]
    assert words.replace("@", here) in reasons(dry)[0]
    assert sorted(room.path.iterdir()) == before
    if "suffix" not in name:
        real = run("-c", config, "--no-supervisor", cwd=room.path)
        assert real.code == (CONFIG if name == "a FIFO" else SYSTEM), real.err


def test_a_dry_run_accepts_any_size_for_a_journal_that_exists(room, start):
    """A start continues with the old size."""
    def config(*lines):
        return (service(f"storage.path {room.path}/journal", *lines)
                + syslog_input(room) + file_output(room))
    start(config()).stop()
    large = room.write("large.conf", config("storage.max_size 4000000G"))
    result = run("-c", large, "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    daemon = start(large.read_text())
    assert "continuing with the old sizes" in daemon.log()


def test_places_that_may_be_shared_are_accepted(room):
    """Several outputs may write one file, and UDP and TCP one port."""
    config = room.write("sluiced.conf", (
        STORE + syslog("@/s") + tcp("Port 5141")
        + section("INPUT", "Name syslog", "Mode udp", "Port 5141")
        + tcp("Listen 127.0.0.1", "Port 5142")
        + tcp("Listen 127.0.0.2", "Port 5142")
        + output("Path @", "File a") + output("File @/a")
        + output("File /dev/null")).replace("@", str(room.path)))
    result = run("-c", config, "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
