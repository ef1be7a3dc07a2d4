# SPDX-License-Identifier: Apache-2.0
"""Dead letters: a message that cannot become a line is kept byte by byte, with
the reason, and `sluiced replay` can send it again."""
import base64
import json
import re

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.daemon import run
from harness.sender import Sender, datagram
from harness.wait import wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
JUNK = [b"not syslog at all", "ｎｏｔ syslog".encode(),
        b"tab\tquote\" backslash\\ newline\n", b"\xff\xfe not UTF-8",
        b"a NUL \0 in it", b"an escape \x1b[31m", b"cut in a letter \xe3\x81"]


@pytest.fixture
def letters(room):
    return room.path / "kept" / "letters.jsonl"


def read(letters):
    """The dead letters, each with its bytes."""
    found = []
    for line in letters.read_text("utf-8").splitlines():
        letter = json.loads(line)
        assert TIME.fullmatch(letter["time"])
        if "raw" in letter:
            assert "raw_base64" not in letter
            letter["bytes"] = letter["raw"].encode()
        else:
            letter["bytes"] = base64.b64decode(letter["raw_base64"],
                                               validate=True)
        found.append(letter)
    return found


def with_parser(room, *service_lines):
    """The parser syslog-rfc3164-local rejects all that is not syslog."""
    return (service(*service_lines, flush="0.02")
            + syslog_input(room, "Parser syslog-rfc3164-local")
            + json_filter() + template("{n}", room))


def test_a_message_that_no_parser_accepts_is_kept_byte_by_byte(
        room, out, start, letters):
    daemon = start(with_parser(room, f"Dead_Letter {letters}"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}), *JUNK, datagram({"n": 1}))
    counts = daemon.wait_for_messages(len(JUNK) + 2)
    assert counts.dead_lettered == len(JUNK)
    assert counts.written == 2 and counts.dropped() == 0
    kept = read(letters)
    assert [letter["bytes"] for letter in kept] == JUNK
    assert {letter["reason"] for letter in kept} == {"unparsed"}
    assert {letter["input"] for letter in kept} == {"syslog.0"}
    assert out.lines() == [b"0", b"1"]
    assert "not syslog" not in daemon.log(), "the log reveals a message"


def test_without_the_key_dead_letter_such_a_message_is_dropped(
        room, out, start):
    daemon = start(with_parser(room))
    with Sender(room.socket) as sender:
        sender.send(*JUNK)
    counts = daemon.wait_for_messages(len(JUNK))
    assert counts.dropped("unparsed") == counts.dropped() == len(JUNK)
    assert counts.dead_lettered == 0


def test_a_line_whose_path_is_refused_is_kept(room, out, start, letters):
    daemon = start(
        service(f"Dead_Letter {letters}", flush="0.02") + syslog_input(room)
        + json_filter()
        + section("FILTER", "Name rewrite_tag", "Match in",
                  "Rule $to ^(.*)$ $1.log false")
        + section("OUTPUT", "Name file", "Match *", f"Path {room.out}",
                  "Format template", "Template {n}"))
    bad = datagram({"to": "../../etc/passwd", "n": 1})
    with Sender(room.socket) as sender:
        sender.send(datagram({"to": "good", "n": 0}), bad)
    counts = daemon.wait_for_messages(2)
    assert (counts.written, counts.dead_lettered) == (1, 1)
    assert [(letter["reason"], letter["bytes"])
            for letter in read(letters)] == [("path_refused", bad)]


HOOK = """
    function hook(tag, timestamp, record)
        if record["n"] == "1" then error("undecided") end
        return 1, timestamp, record
    end"""


def test_a_message_for_which_the_hook_fails_is_kept(room, out, start, letters):
    daemon = start(
        service(f"Dead_Letter {letters}", flush="0.02") + syslog_input(room)
        + json_filter() + lua_filter(room, HOOK) + template("{n}", room))
    sent = [datagram({"n": str(n)}) for n in range(3)]
    with Sender(room.socket) as sender:
        sender.send(*sent)
    counts = daemon.wait_for_messages(3)
    assert (counts.written, counts.dead_lettered) == (2, 1)
    assert [(letter["reason"], letter["bytes"])
            for letter in read(letters)] == [("undecided", sent[1])]
    assert out.lines() == [b"0", b"2"]


def test_without_dead_letter_a_message_passes_a_failing_hook_unchanged(
        room, out, start):
    """Fluent Bit does the same."""
    daemon = start(
        service(flush="0.02") + syslog_input(room) + json_filter()
        + lua_filter(room, HOOK) + template("{n}", room))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": str(n)}) for n in range(3)))
    assert daemon.wait_for_messages(3).written == 3
    assert out.lines() == [b"0", b"1", b"2"]


def test_each_dead_letter_is_kept_once_although_sluiced_is_killed(
        room, start, held_socket, letters):
    config = with_parser(room, f"Dead_Letter {letters}")
    daemon = start(config, listen=held_socket)
    sent = []
    with Sender(room.socket) as sender:
        for turn in range(10):
            more = [b"junk %d" % n for n in range(100 * turn, 100 * turn + 50)]
            sender.send(*more)
            sent += more
            wait_until(lambda: letters.exists() and
                       letters.stat().st_size > 3000 * turn,
                       "dead letters")
            daemon.kill_tree()
            daemon = start(config, listen=held_socket)
    counts = daemon.wait_for_messages(len(sent))
    assert [letter["bytes"] for letter in read(letters)] == sent
    assert counts.dead_lettered == len(sent)


def test_replay_sends_the_dead_letters_again(room, out, start, letters):
    """With the corrected parser, the lines are written."""
    wrong = with_parser(room, f"Dead_Letter {letters}").replace(
        "Parser syslog-rfc3164-local", "Parser only_n_0")
    parsers = room.write("parsers.conf", section(
        "PARSER", "Name only_n_0", "Format regex",
        r"Regex ^(?<pri><\d+>).*nginx: (?<message>.*\"n\":0.*)$"))
    daemon = start(wrong, args=["-R", str(parsers)])
    sent = [datagram({"n": n}) for n in range(20)]
    with Sender(room.socket) as sender:
        sender.send(*sent)
    counts = daemon.wait_for_messages(20)
    assert counts.dead_lettered == 19
    assert [letter["bytes"] for letter in read(letters)] == sent[1:]
    kept = letters.read_bytes()
    daemon.stop()
    right = room.write("right.conf", with_parser(
        room, f"Dead_Letter {letters}"))
    daemon = start(right)
    received = daemon.metrics().received
    done = run("replay", letters, "-c", right)
    assert done.code == 0, done.err
    assert "19" in done.out + done.err
    daemon.wait_for_messages(received + 19)
    assert [int(line) for line in out.lines()] == list(range(20))
    assert letters.read_bytes() == kept, "replay changed the file"


def test_replay_sends_binary_messages_byte_by_byte(room, start, letters):
    config = room.write("same.conf", with_parser(
        room, f"Dead_Letter {letters}"))
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(*JUNK)
    daemon.wait_for_messages(len(JUNK))
    assert run("replay", letters, "-c", config).code == 0
    daemon.wait_for_messages(2 * len(JUNK))
    assert [letter["bytes"] for letter in read(letters)] == JUNK + JUNK


def test_replay_reports_bad_lines_and_sends_the_rest(
        room, out, start, letters):
    config = room.write("same.conf", with_parser(room))
    daemon = start(config)
    letters.parent.mkdir()
    good = json.dumps({"time": "2026-11-21T02:50:00.123456789Z",
                       "input": "syslog.0", "reason": "unparsed",
                       "raw": datagram({"n": 7}).decode()})
    letters.write_text(f'{{"cut":\n{good}\n{{"no":"raw"}}\n')
    done = run("replay", letters, "-c", config)
    assert done.code != 0
    assert f"{letters}:1" in done.err and f"{letters}:3" in done.err
    daemon.wait_for_messages(1)
    assert out.lines() == [b"7"]
