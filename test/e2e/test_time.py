# SPDX-License-Identifier: Apache-2.0
"""Whose time a line has: nginx's, which tells neither year nor zone."""
import calendar
import time

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.sender import Sender, datagram, syslog_time
from harness.wait import wait_until

DAY = 86400
HOOK = """
    function hook(tag, timestamp, record)
        record.day = os.date("%Y-%m%d", timestamp)
        return 2, timestamp, record
    end"""


def times(room, out, start, *messages, env=None, parser=()):
    daemon = start(service() + syslog_input(room, *parser) + json_filter()
                   + lua_filter(room, HOOK) + template("{time} {day}", room),
                   env=env)
    with Sender(room.socket) as sender:
        sender.send(*messages)
    daemon.settled(len(messages))
    return [(int(float(at)), day.decode()) for at, day in
            (line.split(b" ") for line in out.lines())]


def nearest(text, now):
    """The year in which the text lies nearest to now, by trying three."""
    candidates = []
    for year in (-1, 0, 1):
        year += time.gmtime(now).tm_year
        try:
            at = time.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S")
        except ValueError:  # 29 February
            continue
        candidates.append(calendar.timegm(at))
    return min(candidates, key=lambda at: abs(at - now))


@pytest.mark.parametrize("parser", [[], ["Parser syslog-rfc3164-local"]],
                         ids=["built-in", "regex"])
def test_the_year_is_the_nearest(room, out, start, parser):
    """Some of these are of another year, whatever day it is today."""
    now = int(time.time())
    texts = [syslog_time(now + days * DAY)
             for days in (-170, -90, -30, -1, 0, 1, 30, 90, 170)]
    got = times(room, out, start, parser=parser, *(
        f"<190>{text} gw-1 nginx: {{}}".encode() for text in texts))
    wanted = [nearest(text, now) for text in texts]
    assert [at for at, _ in got] == wanted
    assert {time.gmtime(at).tm_year for at in wanted} != {
        time.gmtime(now).tm_year}
    assert [day for _, day in got] == [
        time.strftime("%Y-%m%d", time.gmtime(at)) for at in wanted]


@pytest.mark.parametrize("parser", [[], ["Parser syslog-rfc3164-local"]],
                         ids=["built-in", "regex"])
@pytest.mark.parametrize("zone, offset_h", [
    (None, 0), ("", 0), ("UTC", 0), ("Asia/Tokyo", 9), ("JST-9", 9)])
def test_a_time_without_a_zone_is_of_the_process_s_zone(
        room, out, start, zone, offset_h, parser):
    """The file's date is nginx's in any case; {time} is right when the two
    have the same TZ."""
    now = int(time.time()) - 3 * DAY
    midnight = now - now % DAY
    texts = [syslog_time(midnight), syslog_time(midnight + DAY - 1)]
    got = times(room, out, start, parser=parser, *(
        f"<190>{text} gw-1 nginx: {{}}".encode() for text in texts),
        env=None if zone is None else {"TZ": zone})
    day = time.strftime("%Y-%m%d", time.gmtime(midnight))
    assert got == [(midnight - offset_h * 3600, day),
                   (midnight + DAY - 1 - offset_h * 3600, day)]


def test_a_zone_in_the_text_wins(room, out, start):
    got = times(room, out, start,
                b"<165>1 2026-01-02T03:04:05+09:00 h nginx - - - {}",
                b"<165>1 2026-01-02T03:04:05Z h nginx - - - {}",
                b"<165>1 2026-01-02T03:04:05-03:30 h nginx - - - {}",
                env={"TZ": "America/New_York"})
    assert [at for at, _ in got] == [1767290645, 1767323045, 1767335645]


def test_a_format_an_offset_and_a_kept_time(room, out, start):
    room.write("parsers.conf", section(
        "PARSER", "Name mine", "Format regex",
        r"Regex ^(?<at>[^ ]+) (?<word>\w+)", "Time_Key at",
        "Time_Format %Y-%m-%dT%H:%M:%S.%L", "Time_Offset +0900",
        "Time_Keep On"))
    daemon = start(service("Parsers_File parsers.conf")
                   + syslog_input(room, "Parser mine", tag="mine")
                   + template("{time} {at} {word}", room))
    with Sender(room.socket) as sender:
        sender.send(b"2026-01-02T03:04:05.25 hello")
    daemon.settled(1)
    assert out.lines() == [
        b"1767290645.250000 2026-01-02T03:04:05.25 hello"]


def test_nginx_s_time_local_in_json_is_the_time(room, out, start):
    """The stock json parser takes it over, and out of the record."""
    daemon = start(service() + syslog_input(room) + json_filter()
                   + template("{time}", room))
    with Sender(room.socket) as sender:
        sender.send(datagram({"time": "02/Jan/2026:03:04:05 +0900",
                              "uri": "/"}))
    daemon.settled(1)
    assert out.lines() == [b"1767290645.000000"]


def test_a_line_is_on_disk_within_flush_seconds(room, out, start):
    daemon = start(service(flush="0.5") + syslog_input(room)
                   + template("{message}", room))
    late = []
    with Sender(room.socket) as sender:
        for n in range(1, 4):
            sent = time.monotonic()
            sender.send(datagram(f"{n}"))
            wait_until(lambda: out.has(n), "the line")
            late.append(time.monotonic() - sent)
    assert sorted(late)[1] < 0.6, late
    assert daemon.process.poll() is None
