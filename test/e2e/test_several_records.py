# SPDX-License-Identifier: Apache-2.0
"""A message that becomes several records: if one of them cannot become a line,
the message is dropped or dead-lettered, whatever happens to the others."""
import base64
import json

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.sender import Sender, datagram

COPY = section("FILTER", "Name rewrite_tag", "Match in",
               "Rule $n . copy true")
COPY_TO_PATH = section("FILTER", "Name rewrite_tag", "Match in",
                       "Rule $to ^(.*)$ path/$1.log true")
FAIL = """
    function hook(tag, timestamp, record)
        if record["n"] == "1" then error("as asked") end
        return 1, timestamp, record
    end"""
SPLIT = """
    function hook(tag, timestamp, record)
        local parts = {}
        for n = 1, record["count"] do parts[n] = {n = n, to = "x"} end
        return 2, timestamp, parts
    end"""
SPLIT_PADDED = """
    function hook(tag, timestamp, record)
        local parts = {}
        for n = 1, record["count"] do parts[n] = {pad = record["pad"]} end
        return 2, timestamp, parts
    end"""
FAIL_FOR_2 = section("FILTER", "Name lua", "Match in", "call fail",
                     "code function fail(tag, timestamp, record) "
                     "if record.n == 2 then error('as asked') end "
                     "return 0 end")


@pytest.fixture
def letters(room):
    return room.path / "letters.jsonl"


@pytest.fixture(params=[True, False], ids=["dead_letter", "no_dead_letter"])
def run(request, room, start, letters):
    """Send messages through a configuration.  Returns the metrics, whether
    Dead_Letter is set, and its letters as (reason, bytes)."""
    def run_one(config, *messages):
        keys = [f"Dead_Letter {letters}"] if request.param else []
        daemon = start(service(*keys, flush="0.02") + syslog_input(room)
                       + json_filter() + config)
        with Sender(room.socket) as sender:
            sender.send(*messages)
        counts = daemon.wait_for_messages(len(messages))
        counts.check_accounting_equation()
        text = letters.read_text() if letters.exists() else ""
        kept = [json.loads(line) for line in text.splitlines()]
        return counts, request.param, [
            (letter["reason"], bytes_of(letter)) for letter in kept]
    return run_one


def bytes_of(letter):
    return (letter["raw"].encode() if "raw" in letter
            else base64.b64decode(letter["raw_base64"]))


def check_loss(result, bad, reason):
    """All messages but `bad` were written."""
    counts, has_dead_letter, kept = result
    assert kept == ([(reason, bad)] if has_dead_letter else [])
    assert counts.dead_lettered == has_dead_letter
    assert counts.dropped() == counts.dropped(reason) == (not has_dead_letter)
    assert counts.written == counts.received - 1


def test_a_failed_hook_is_not_hidden_by_a_copy_that_was_written(
        room, out, run):
    """Without Dead_Letter, the record passes the failing hook unchanged."""
    sent = [datagram({"n": str(n)}) for n in range(3)]
    result = run(COPY + lua_filter(room, FAIL) + template("{n}", room), *sent)
    counts, has_dead_letter, _ = result
    if has_dead_letter:
        check_loss(result, sent[1], "undecided")
        assert sorted(out.lines()) == [b"0", b"0", b"1", b"2", b"2"]
    else:
        assert counts.written == 3
        assert sorted(out.lines()) == [b"0", b"0", b"1", b"1", b"2", b"2"]


def test_a_failed_hook_is_not_hidden_by_the_other_parts_of_a_split(
        room, out, run):
    sent = [datagram({"count": count}) for count in (1, 3)]
    result = run(lua_filter(room, SPLIT) + FAIL_FOR_2
                 + template("{n}", room), *sent)
    counts, has_dead_letter, _ = result
    if has_dead_letter:
        check_loss(result, sent[1], "undecided")
        assert out.lines() == [b"1", b"1", b"3"]
    else:
        assert counts.written == 2
        assert out.lines() == [b"1", b"1", b"2", b"3"]


ORIGINALS = {
    "unrouted": "",
    "filtered": section("FILTER", "Name grep", "Match in", "Exclude n ."),
    "null": section("OUTPUT", "Name null", "Match in"),
    "stdout": section("OUTPUT", "Name stdout", "Match in"),
}


@pytest.mark.parametrize("original", ORIGINALS)
def test_a_refused_path_is_not_hidden_by_the_original_record(
        room, out, run, original):
    good, bad = (datagram({"to": to, "n": "1"}) for to in ("x", "../x"))
    result = run(COPY_TO_PATH + ORIGINALS[original]
                 + section("OUTPUT", "Name file", "Match path/*",
                           f"Path {room.out}", "Format template",
                           "Template {n}"), good, bad)
    check_loss(result, bad, "path_refused")
    assert out.lines("path/x.log") == [b"1"]


@pytest.mark.parametrize("kind", ["null", "stdout"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refused_path_is_not_hidden_by_another_output(
        room, out, run, kind, is_first):
    good, bad = (datagram({"to": to}) for to in ("x", "../x"))
    outputs = [section("OUTPUT", f"Name {kind}", "Match *"),
               section("OUTPUT", "Name file", "Match *", f"Path {room.out}",
                       "Format template", "Template {to}")]
    move = section("FILTER", "Name rewrite_tag", "Match in",
                   "Rule $to ^(.*)$ $1.log false")
    result = run(move + "".join(outputs if is_first else outputs[::-1]),
                 good, bad)
    check_loss(result, bad, "path_refused")
    assert out.lines("x.log") == [b"x"]


def test_a_filtered_or_unrouted_copy_is_no_loss(room, out, run):
    """The configuration says so."""
    counts, _, kept = run(
        COPY + section("FILTER", "Name rewrite_tag", "Match copy",
                       "Rule $n . unrouted true")
        + section("FILTER", "Name grep", "Match copy", "Exclude n .")
        + template("{n}", room, match="in"),
        datagram({"n": "1"}))
    assert counts.written == 1 and kept == []
    assert out.lines() == [b"1"]


def test_each_part_of_a_large_split_gets_its_new_tag(room, out, run):
    count = 3000
    counts, _, kept = run(
        lua_filter(room, SPLIT)
        + section("FILTER", "Name rewrite_tag", "Match in",
                  "Rule $to ^(.*)$ a.$1 false")
        + section("FILTER", "Name rewrite_tag", "Match a.*",
                  "Rule $to ^(.*)$ b.$1 false")
        + template("{n}", room, match="b.*"), datagram({"count": count}))
    assert [int(line) for line in out.lines()] == list(range(1, count + 1))
    assert counts.written == 1 and kept == []
    assert counts.sum("sluiced_filter_refused_total") == 0


def test_a_record_that_loses_its_route_in_a_loop_is_a_loss(room, out, run):
    """The original is written; the copy is retagged back and forth until the
    limit, and no output matches its last tag."""
    sent = datagram({"n": "1"})
    result = run(
        section("FILTER", "Name rewrite_tag", "Match in", "Rule $n . a true")
        + section("FILTER", "Name rewrite_tag", "Match a", "Rule $n . b false")
        + section("FILTER", "Name rewrite_tag", "Match b", "Rule $n . a false")
        + template("{n}", room, match="in"), sent)
    check_loss(result, sent, "rewrite_loop")
    assert out.lines() == [b"1"]


LOOP = {
    "keys": "{name}.$TAG",
    "tags": "$TAG.$pad",
}


@pytest.mark.parametrize("kind", LOOP)
def test_copies_that_exceed_the_limit_of_a_message_are_a_loss(
        room, out, run, kind):
    """Filters that copy each other's copies make 1,024 of a message.  A
    sender who sends many keys or a long value would need 128 MiB for them."""
    good = datagram({"n": "1"})
    bad = datagram({"n": "2"} | (
        {f"{n:x}": "" for n in range(3000)} if kind == "keys"
        else {"pad": "u" * 60_000}))
    loop = "".join(
        section("FILTER", "Name rewrite_tag", "Match *",
                f"Rule $n . {LOOP[kind].format(name=name)} true")
        for name in "abc")
    result = run(loop + template("{n}", room), good, bad)
    check_loss(result, bad, "too_large")
    lines = out.lines()
    assert lines.count(b"1") == 1025
    assert 1 < lines.count(b"2") < 1025
    assert lines.count(b"1") + lines.count(b"2") == len(lines)


def test_lines_that_exceed_the_limit_of_a_message_are_a_loss(
        room, out, run):
    """Each byte of the value becomes six, in each record and each output."""
    limit, value = 24 << 20, b"\x7f" * 100_000
    line_bytes = len(value) * 6 + 1
    fits, bad = (datagram({"count": count, "pad": "@"}).replace(b"@", value)
                 for count in (20, 22))
    files = ("a.log", "b.log")
    result = run(lua_filter(room, SPLIT_PADDED)
                 + "".join(template("{pad}", room, file=file)
                           for file in files), fits, bad)
    check_loss(result, bad, "too_large")
    counts, _, _ = result
    lines = 40 + limit // line_bytes
    assert sum(len(out.lines(file)) for file in files) == lines
    assert {line for file in files for line in out.lines(file)} == {
        b"\\u007f" * len(value)}
    assert counts.sum("sluiced_output_lines_dropped_total") == 84 - lines
