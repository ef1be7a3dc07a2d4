# SPDX-License-Identifier: Apache-2.0
"""The time of a line is nginx's, which contains neither year nor time zone."""
import calendar
import time

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.daemon import run
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
    daemon.wait_for_messages(len(messages))
    return [(int(float(at)), day.decode()) for at, day in
            (line.split(b" ") for line in out.lines())]


def at_most_a_day_ahead(text, now):
    """The time in the latest year that puts it at most a day after now."""
    candidates = []
    for year in (-1, 0, 1):
        year += time.gmtime(now).tm_year
        try:
            at = time.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S")
        except ValueError:  # 29 February
            continue
        candidates.append(calendar.timegm(at))
    return max(at for at in candidates if at <= now + DAY)


@pytest.mark.parametrize("parser", [[], ["Parser syslog-rfc3164-local"]],
                         ids=["built-in", "regex"])
def test_the_year_is_the_latest_that_puts_the_time_at_most_a_day_ahead(
        room, out, start, parser):
    """On any day of the year, some of these times are in another year."""
    now = int(time.time())
    texts = [syslog_time(now + days * DAY)
             for days in (-340, -170, -90, -30, -1, 0, 1, 30, 90, 170)]
    got = times(room, out, start, parser=parser, *(
        f"<190>{text} gw-1 nginx: {{}}".encode() for text in texts))
    wanted = [at_most_a_day_ahead(text, now) for text in texts]
    assert [at for at, _ in got] == wanted
    assert {time.gmtime(at).tm_year for at in wanted} != {
        time.gmtime(now).tm_year}
    assert [day for _, day in got] == [
        time.strftime("%Y-%m%d", time.gmtime(at)) for at in wanted]


@pytest.mark.parametrize("parser", [[], ["Parser syslog-rfc3164-local"]],
                         ids=["built-in", "regex"])
@pytest.mark.parametrize("zone, offset_h", [
    (None, 0), ("", 0), ("UTC", 0), ("Asia/Tokyo", 9), ("JST-9", 9)])
def test_a_time_without_a_zone_is_in_the_zone_of_the_process(
        room, out, start, zone, offset_h, parser):
    """The date of the file is always nginx's; {time} is right if both have the
    same TZ."""
    now = int(time.time()) - 3 * DAY
    midnight = now - now % DAY
    texts = [syslog_time(midnight), syslog_time(midnight + DAY - 1)]
    got = times(room, out, start, parser=parser, *(
        f"<190>{text} gw-1 nginx: {{}}".encode() for text in texts),
        env=None if zone is None else {"TZ": zone})
    day = time.strftime("%Y-%m%d", time.gmtime(midnight))
    assert got == [(midnight - offset_h * 3600, day),
                   (midnight + DAY - 1 - offset_h * 3600, day)]


def test_a_zone_in_the_text_takes_precedence(room, out, start):
    got = times(room, out, start,
                b"<165>1 2026-01-02T03:04:05+09:00 h nginx - - - {}",
                b"<165>1 2026-01-02T03:04:05Z h nginx - - - {}",
                b"<165>1 2026-01-02T03:04:05-03:30 h nginx - - - {}",
                env={"TZ": "America/New_York"})
    assert [at for at, _ in got] == [1767290645, 1767323045, 1767335645]


def test_time_format_time_offset_and_time_keep_work_together(room, out, start):
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
    daemon.wait_for_messages(1)
    assert out.lines() == [
        b"1767290645.250000 2026-01-02T03:04:05.25 hello"]


def test_the_stock_json_parser_reads_nginx_s_time_local(room, out, start):
    """The parser removes the field from the record."""
    daemon = start(service() + syslog_input(room) + json_filter()
                   + template("{time}", room))
    with Sender(room.socket) as sender:
        sender.send(datagram({"time": "02/Jan/2026:03:04:05 +0900",
                              "uri": "/"}))
    daemon.wait_for_messages(1)
    assert out.lines() == [b"1767290645.000000"]


def test_a_line_is_written_when_flush_is_over_without_another_event(
        room, out, start):
    """Neither a signal nor a later line is needed."""
    start(service(flush="0.5") + syslog_input(room)
          + template("{message}", room))
    with Sender(room.socket) as sender:
        for n in range(1, 4):
            sender.send(datagram(f"{n}"))
            wait_until(lambda: out.has(n), "the line")
    assert out.lines() == [b"1", b"2", b"3"]


@pytest.mark.parametrize("parser, what", [
    ([], 'parser=built-in err="the time does not fit its format" '
         'format="RFC 3164 or RFC 5424" text="<190>Foo 28 10:00:00 '),
    (["Parser odd"], 'parser=odd err="the time does not fit its format" '
                     'format="%H" text="Foo 28 10:00:00"')])
def test_a_time_that_does_not_fit_is_logged_with_parser_format_and_text(
        room, out, start, parser, what):
    room.write("odd.conf", section(
        "PARSER", "Name odd", "Format regex", "Time_Key time", "Time_Format %H",
        r"Regex ^<\d+>(?<time>.{15}) (?<message>.*)"))
    daemon = start(service("Parsers_File odd.conf")
                   + syslog_input(room, *parser)
                   + template("{message}", room))
    with Sender(room.socket) as sender:
        sender.send(b"<190>Foo 28 10:00:00 gw-1 nginx: {}")
    daemon.wait_for_messages(1)
    assert what in daemon.log()
    assert daemon.metrics().sum("sluiced_input_bad_time_total") == 1


def test_a_line_whose_time_the_stock_parser_cannot_read_is_kept(
        room, out, start):
    """The format of syslog-rfc5424 asks for a fraction."""
    daemon = start(service() + syslog_input(room, "Parser syslog-rfc5424")
                   + template("{time} {message}", room))
    before = int(time.time()) - 1
    with Sender(room.socket) as sender:
        sender.send(b"<14>1 2026-01-02T03:04:05+00:00 host app 1 ID - text")
    counts = daemon.wait_for_messages(1)
    at, text = out.lines()[0].split()
    assert before <= float(at) <= time.time() + 1 and text == b"text"
    assert counts.sum("sluiced_input_bad_time_total") == 1


@pytest.mark.parametrize("zone, is_known", [
    ("Asia/Tokyo", True), ("JST-9", True), ("UTC", True), ("", True),
    ("Asia/Tokio", False), ("zone.tab", False), ("JST", False)])
def test_an_unknown_tz_is_a_warning(room, zone, is_known):
    """The C library takes an unknown zone for UTC and reports nothing."""
    config = room.write("sluiced.conf",
                        service() + syslog_input(room) + template("x", room))
    result = run("-c", config, "--dry-run", env={"TZ": zone})
    assert result.code == 0, result.err
    warning = (f'level=warn mod=assemble tz="{zone}" err="the time zone in the '
               'environment variable TZ is unknown" action="using UTC ')
    assert (warning in result.err) == (not is_known), result.err
    assert ("level=warn" in result.err) == (not is_known), result.err
