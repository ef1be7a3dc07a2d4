# SPDX-License-Identifier: Apache-2.0
"""Bad input never crashes sluiced and never passes silently, and the next line
is written.  Each case names the counter that grows and the line that is
written."""
import json
import re
import socket
import time

import pytest

from harness.config import (json_filter, lua_filter, service, section,
                            syslog_input, template)
from harness.daemon import Daemon
from harness.room import OutDir, Room
from harness.sender import LARGEST, Sender, datagram, header
from harness.wait import wait_until

# As in the published configuration, a message that was parsed has a uri.  A
# message that could not be parsed is written, too, with {uri} unchanged.
TEMPLATE = "uri={uri} message={message}"


def config(room, *input_lines):
    return (service(flush="0.02") + syslog_input(room, *input_lines)
            + json_filter() + template(TEMPLATE, room))


@pytest.fixture(scope="module", params=["built-in", "regex"])
def world(request):
    """One daemon for all cases, once with the built-in syslog parser and once
    with a Parser."""
    room = Room()
    lines = [] if request.param == "built-in" else [
        "Parser syslog-rfc3164-local"]
    daemon = Daemon(room, config(room, *lines))
    daemon.parser = request.param
    yield room, daemon
    try:
        daemon.stop()
    finally:
        daemon.kill()
        room.remove()


def nested(depth, inner=b"1"):
    return b'{"a":' * depth + inner + b"}" * depth


def json_with(text):
    return b'{"uri":"/u","x":' + text + b"}"


# name: the message after a good header, and the parser filter's failure
MESSAGES = {
    "not JSON": (b"hello", "json_broken"),
    "no message": (b"", "key_missing"),
    "cut JSON": (b'{"uri":"/cut","ua":"Mozi', "json_cut"),
    "a cut escape": (b'{"uri":"/cut\\u00', "json_cut"),
    "a variable without value": (b'{"uri":"/","urt":,"b":1}', "json_broken"),
    "escape=default": (b'{"uri":"/\\xE3\\x81"}', "json_broken"),
    "half a number": (b'{"uri":"/","t":0.}', "json_broken"),
    "an array": (b'[{"uri":"/"}]', "json_no_object"),
    "a string": (b'"uri"', "json_no_object"),
    "two objects": (b'{"uri":"/1"} {"uri":"/2"}', "json_no_object"),
    "a thousand levels": (nested(1000), "json_too_deep"),
    "a thousand open brackets": (b'{"a":' + b"[" * 1000, "json_too_deep"),
    "an open array": (b"[" * 10, "json_no_object"),
}


def check(world, bad, *, line, reason=None, failure=None):
    """Send the bad datagram and then a good one, and check what changed."""
    room, daemon = world
    out = OutDir(room.out)
    lines_before = len(out.lines())
    before = daemon.metrics()
    with Sender(room.socket) as sender:
        sender.send(bad, datagram({"uri": "/good"}))
    after = daemon.wait_for_messages(before.received + 2)
    after.check_accounting_equation()
    wanted_lines = ([line] if line is not None else []) + [
        b'uri=/good message={"uri":"/good"}']
    assert out.lines()[lines_before:] == wanted_lines

    def change(name, **labels):
        return after.sum(name, **labels) - before.sum(name, **labels)
    assert change("sluiced_messages_received_total") == 2
    assert change("sluiced_messages_dropped_total") == (1 if reason else 0)
    if reason:
        assert change("sluiced_messages_dropped_total", reason=reason) == 1
    assert change("sluiced_filter_failures_total") == (1 if failure else 0)
    if failure:
        assert change("sluiced_filter_failures_total", filter="parser.0",
                      reason=failure) == 1


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_is_not_a_json_object_is_kept_and_counted(world, name):
    message, failure = MESSAGES[name]
    shown = message.replace(b"\x01", b"\\u0001") or b"{message}"
    check(world, datagram(message), failure=failure,
          line=b"uri={uri} message=" + shown)


def test_an_empty_datagram_is_counted(world):
    check(world, b"", reason="empty", line=None)


@pytest.mark.parametrize("bad", [
    b"hello", b"190>Nov  1 01:02:03 h nginx: x", b"<>x", b"\x00",
    bytes(range(256)), b"\xff" * 1000, b"<190>", b"\n\n\n", b"{}"], ids=repr)
def test_a_datagram_that_is_not_syslog_is_counted(world, bad):
    room, daemon = world
    if daemon.parser == "regex":
        check(world, bad, reason="unparsed", line=None)
        return
    # The built-in parser makes the whole datagram the message.
    before = daemon.metrics()
    lines = len(OutDir(room.out).lines())
    with Sender(room.socket) as sender:
        sender.send(bad, datagram({"uri": "/good"}))
    after = daemon.wait_for_messages(before.received + 2)
    after.check_accounting_equation()
    assert after.dropped() == before.dropped()
    assert after.written == before.written + 2
    assert len(OutDir(room.out).lines()) == lines + 2


def test_json_with_a_hundred_levels_is_parsed(world):
    message = b'{"uri":"/deep","x":' + nested(99) + b"}"
    check(world, datagram(message), line=b"uri=/deep message=" + message)


def test_the_template_shows_the_first_of_two_equal_keys(world):
    message = b'{"uri":"/1","uri":"/2"}'
    check(world, datagram(message), line=b"uri=/1 message=" + message)


@pytest.mark.parametrize("raw", [
    b"\xff", b"\xc3(", b"\xe3\x81", b"\xed\xa0\x80", b"\xf0\x9f\x98",
    b"\x80", b"\xfe\xff"], ids=repr)
def test_each_byte_that_is_not_utf8_is_escaped(world, raw):
    """nginx's escape=json passes invalid UTF-8 unchanged.  A reader may lose
    all lines that it reads together with such a byte."""
    message = b'{"uri":"/a' + raw + b'","z":"' + raw + b'"}'
    escaped = raw.decode("utf-8", "backslashreplace").encode()
    check(world, datagram(message), line=b"uri=/a" + escaped + b" message="
          + message.replace(raw, escaped))


def test_a_message_cannot_forge_a_line(world):
    message = b'{"uri":"/x\\nuri=/forged\\r\\t\\u001b[2K\\u0000\\u007f"}'
    check(world, datagram(message),
          line=b"uri=/x\\nuri=/forged\\r\\t\\u001b[2K\\u0000\\u007f message="
          + message)


@pytest.mark.parametrize("size", [32768, 65536, 200_000, LARGEST])
def test_a_large_datagram_is_written_whole(world, size):
    head = header()
    start, end = b'{"uri":"/large","x":"', b'"}'
    message = start + b"y" * (size - len(head + start + end)) + end
    assert len(head + message) == size
    check(world, head + message, line=b"uri=/large message=" + message)


def test_a_datagram_above_the_limit_is_truncated_and_counted(world):
    """Only root can send such a datagram, by SO_SNDBUFFORCE."""
    room, daemon = world
    before = daemon.metrics()
    lines = len(OutDir(room.out).lines())
    with Sender(room.socket) as sender:
        try:
            sender.socket.setsockopt(socket.SOL_SOCKET, 32, 2_000_000)
        except PermissionError:
            pytest.skip("needs root")
        sender.send(datagram(b'{"uri":"' + b"y" * 500_000 + b'"}'),
                    datagram({"uri": "/good"}))
    after = daemon.wait_for_messages(before.received + 2)
    assert (after.sum("sluiced_journal_truncated_total")
            == before.sum("sluiced_journal_truncated_total") + 1)
    assert after.failures("json_cut") == before.failures("json_cut") + 1
    assert len(OutDir(room.out).lines()) == lines + 2


def test_an_impossible_time_is_replaced_by_the_time_of_arrival(
        room, out, start):
    daemon = start(service() + syslog_input(room)
                   + template("{time} {message}", room))
    before = time.time()
    with Sender(room.socket) as sender:
        sender.send(b"<190>Bad 99 01:02:03 gw-1 nginx: odd",
                    b"<190>Nov 21 25:61:61 gw-1 nginx: odd")
    counts = daemon.wait_for_messages(2)
    assert counts.written == 2
    assert counts.sum("sluiced_input_bad_time_total", input="syslog.0") == 2
    for line in out.lines():
        at, _, text = line.partition(b" ")
        # The kernel's coarse clock may be a moment late.
        assert before - 1 <= float(at) <= time.time() and b"odd" in text


def test_plain_text_for_the_built_in_parser_is_counted(room, start):
    daemon = start(service() + syslog_input(room)
                   + template("{message}", room))
    with Sender(room.socket) as sender:
        sender.send(b"hello", b"<190 x", datagram("good"),
                    b"<190>Bad 99 01:02:03 gw-1 nginx: odd")
    counts = daemon.wait_for_messages(4)
    assert counts.written == 4
    unparsed = "sluiced_input_unparsed_total"
    assert counts.sum(unparsed, input="syslog.0", reason="no_pri") == 2
    assert counts.sum(unparsed) == 2
    assert counts.sum("sluiced_input_bad_time_total") == 1


def test_the_built_in_parser_reads_rfc5424_too(room, out, start):
    daemon = start(service() + syslog_input(room) + template(
        "{time}|{host}|{ident}|{pid}|{msgid}|{message}", room))
    with Sender(room.socket) as sender:
        sender.send(b"<165>1 2003-10-11T22:14:15.003Z gw-1 envoy 111 ID47 "
                    b'[a b="c"] text', b"<34>1 2003-10-11T22:14:15+09:00 - "
                    b"envoy - - - a text")
    daemon.wait_for_messages(2)
    assert out.lines() == [
        b"1065910455.003000|gw-1|envoy|111|ID47|text",
        b"1065878055.000000|{host}|envoy|{pid}|{msgid}|a text"]


@pytest.mark.parametrize("path", [
    "../up", "a/../../up", "..", "a/../b", "/etc/../tmp/up", ".", "a/.",
    ".sluiced", ".sluiced/lock", "a/.//.sluiced/lock", "d/" * 32 + "a"])
def test_a_bad_path_is_refused(room, out, start, path):
    """The path of a hook comes from data that a client sent, here the uri."""
    daemon = start(service() + syslog_input(room) + json_filter() + section(
        "FILTER", "Name rewrite_tag", "Match in",
        "Rule $uri ^(.*)$ $1 false") + section(
        "OUTPUT", "Name file", "Match *", f"Path {room.out}", "Format plain"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"uri": path}), datagram({"uri": "good/one.log"}))
    counts = daemon.wait_for_messages(2)
    assert counts.dropped("path_refused") == 1 and counts.written == 1
    assert counts.sum("sluiced_output_lines_dropped_total", output="file.0",
                      reason="path_refused") == 1
    assert out.files() == ["good/one.log"]
    assert not (room.path / "up").exists()


@pytest.mark.parametrize("host", [
    "letters.jsonl", "unparsed.log", "journal.spill", "journal"])
def test_a_host_cannot_take_a_path_that_the_configuration_uses(
        room, out, start, host):
    """Otherwise one request would make a directory of that name, and the file
    could not be written any more."""
    daemon = start(
        service(f"Dead_Letter {room.out}/letters.jsonl",
                f"storage.path {room.out}/journal", flush="0.02")
        + syslog_input(room, "Parser syslog-rfc3164-local") + json_filter()
        + section("FILTER", "Name rewrite_tag", "Match in",
                  "Rule $host ^(.*)$ /$host/a.log false")
        + section("OUTPUT", "Name file", "Match /*", f"Path {room.out}",
                  "Format plain")
        + section("OUTPUT", "Name file", "Match in", f"Path {room.out}",
                  "File unparsed.log", "Format plain"))
    refused = datagram({"host": host})
    with Sender(room.socket) as sender:
        sender.send(refused, datagram({"host": "good"}), b"not syslog",
                    datagram({"n": 1}))
    counts = daemon.wait_for_messages(4)
    assert (counts.written, counts.dead_lettered) == (2, 2)
    letters = (room.out / "letters.jsonl").read_text().splitlines()
    assert [json.loads(letter)["reason"] for letter in letters] == [
        "path_refused", "unparsed"]
    assert (room.out / "unparsed.log").is_file()
    assert (room.out / "good" / "a.log").is_file()


def test_a_message_that_matches_no_output_is_counted(room, out, start):
    daemon = start(service() + syslog_input(room)
                   + template("{message}", room, match="other"))
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    counts = daemon.wait_for_messages(1)
    assert counts.dropped("unrouted") == 1


def test_the_log_does_not_reveal_the_content_of_messages(room, start):
    daemon = start(service() + syslog_input(
        room, "Parser syslog-rfc3164-local") + json_filter()
        + template("{uri}", room))
    with Sender(room.socket) as sender:
        sender.send(b"secret-1", datagram(b"secret-2"),
                    datagram(b'{"uri":"secret-3'))
    daemon.wait_for_messages(3)
    daemon.stop()
    assert not re.search("secret", daemon.log())


SPLIT = """
    function hook(tag, timestamp, record)
        local parts = {}
        for i = 1, record.count do parts[i] = {uri = i, x = record.x} end
        return 2, timestamp, parts
    end"""
DEAR = "x" * 15 + "y"
DEAR_COUNT = 8500
# A message with thousands of expensive searches, and its number of lines.
EXPENSIVE = {
    "keys": (b'{"uri":1' + b',"%s":1' % DEAR.encode() * DEAR_COUNT + b"}",
             "Name modify", "Remove_regex ^(x+x+)+$", 1),
    "records": (b'{"count":%d,"x":"%s"}' % (DEAR_COUNT, DEAR.encode()),
                "Name grep", "Exclude x ^(x+x+)+$", DEAR_COUNT),
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_all_searches_of_one_message_share_a_limit(room, out, start, name):
    """Each search is below its own limit.  The message is written, and the
    searches of the next one are answered."""
    message, kind, rule, count = EXPENSIVE[name]
    split = lua_filter(room, SPLIT) if name == "records" else ""
    daemon = start(
        service() + syslog_input(room) + json_filter() + split
        + section("FILTER", kind, "Match *", "Alias dear", rule)
        + template("{uri}", room))

    def failures():
        return daemon.metrics().sum("sluiced_filter_failures_total",
                                    filter="dear", reason="match_limit")
    with Sender(room.socket) as sender:
        sender.send(datagram(message))
        counts = daemon.wait_for_messages(1)
        assert counts.written == 1
        assert out.lines() == [b"%d" % i for i in range(1, count + 1)]
        before = failures()
        assert 0 < before < DEAR_COUNT
        sender.send(datagram({"count": 1, "x": DEAR}))
        daemon.wait_for_messages(2)
    assert failures() == before


def test_thousands_of_paths_that_cannot_be_written_delay_no_other_file(
        room, start):
    """The client chooses paths below a file, and there is no spill."""
    waiting, sent = 4096, 5000
    daemon = start(
        service("storage.type memory") + syslog_input(room)
        + json_filter()
        + section("FILTER", "Name rewrite_tag", "Match in",
                  "Rule $path ^(.*)$ /$path false")
        + section("OUTPUT", "Name file", "Match /*", f"Path {room.out}",
                  "Format template", "Template {n}"))
    room.out.mkdir(exist_ok=True)
    (room.out / "f").touch()
    with Sender(room.socket) as sender:
        for n in range(sent):
            sender.send(datagram({"path": f"f/{n}", "n": n}))
        sender.send(datagram({"path": "good", "n": 1}))
    good = room.out / "good"
    wait_until(lambda: good.exists() and good.read_text() == "1\n", "the line")

    def counts():
        m = daemon.metrics()
        return (m.sum("sluiced_output_lines_queued"),
                m.sum("sluiced_output_lines_dropped_total"))
    wait_until(lambda: counts() == (waiting, sent - waiting), "the counts")
    (room.out / "f").unlink()  # a stop tries all of them at once
    daemon.stop()
    assert len(list((room.out / "f").iterdir())) == waiting
