# SPDX-License-Identifier: Apache-2.0
"""A key that the section's Mode, Format or Operation does not use is reported:
a warning for a key that Fluent Bit ignores there, an error for a key that only
sluiced has."""
import pytest

from harness.config import CONF
from harness.daemon import run
from harness.mistakes import (GOOD, changed, lay_out, with_filter, with_hook,
                              with_input, with_output, with_parser)

CONFIG = 78


def unused(config, line, key, user):
    """Fluent Bit ignores the key silently."""
    return (config, [], f"{line} ", f"key={key} ", f"{user} does not use this "
            "key: ", 'action="ignoring it"')


# name: the configuration (or files), options, and what the warnings contain
IGNORED = {
    "Listen of a Unix socket": unused(
        with_input("Path @/s", "Listen 127.0.0.1"),
        "sluiced.conf:6", "Listen", "Mode unix_udp"),
    "Port of a Unix stream": unused(
        with_input("Path @/s", "Mode unix_tcp", "Port 514"),
        "sluiced.conf:7", "Port", "Mode unix_tcp"),
    "Receive_Buffer_Size of a Unix socket": unused(
        with_input("Path @/s", "Receive_Buffer_Size 1M"),
        "sluiced.conf:6", "Receive_Buffer_Size", "Mode unix_udp"),
    "Path of a network socket": unused(
        with_input("Path @/s", "Mode udp"), "sluiced.conf:5", "Path",
        "Mode udp"),
    "Unix_Perm of a network socket": unused(
        with_input("Unix_Perm 0600", "Mode tcp"),
        "sluiced.conf:5", "Unix_Perm", "Mode tcp"),
    "Buffer_Max_Size of datagrams": unused(
        with_input("Path @/s", "Buffer_Max_Size 1M"),
        "sluiced.conf:6", "Buffer_Max_Size", "Mode unix_udp"),
    "Format of datagrams": unused(
        with_input("Mode udp", "Format octet_counting"),
        "sluiced.conf:6", "Format", "Mode udp"),
    "Template without Format": unused(
        with_output("Path @/out", "Template {a}"),
        "sluiced.conf:15", "Template", "Format out_file"),
    "Delimiter of a template": unused(
        with_output("Path @/out", "Format template", "Delimiter tab"),
        "sluiced.conf:16", "Delimiter", "Format template"),
    "Label_Delimiter of csv": unused(
        with_output("Path @/out", "Format csv", "Label_Delimiter ;"),
        "sluiced.conf:16", "Label_Delimiter", "Format csv"),
    "csv_column_names of ltsv": unused(
        with_output("Path @/out", "Format ltsv", "csv_column_names on"),
        "sluiced.conf:16", "csv_column_names", "Format ltsv"),
    "json_date_key of msgpack": unused(
        changed(("Name file", "Name stdout\n    json_date_key x"),
                ("    Path @/out\n", "")),
        "sluiced.conf:13", "json_date_key", "Format msgpack"),
    "json_date_format of msgpack": unused(
        changed(("Name file", "Name stdout\n    Json_Date_Format epoch"),
                ("    Path @/out\n", "")),
        "sluiced.conf:13", "Json_Date_Format", "Format msgpack"),
    "Regex of a JSON parser": unused(
        with_parser("Name p", "Format json", "Regex ^(?<a>.)"),
        "parsers.conf:4", "Regex", "Format json"),
    "Skip_Empty_Values of an LTSV parser": unused(
        with_parser("Name p", "Format ltsv", "Skip_Empty_Values off"),
        "parsers.conf:4", "Skip_Empty_Values", "Format ltsv"),
    "Logfmt_No_Bare_Keys of a regex": unused(
        with_parser("Name p", "Format regex", "Regex ^(?<a>.)",
                    "Logfmt_No_Bare_Keys on"),
        "parsers.conf:5", "Logfmt_No_Bare_Keys", "Format regex"),
    "Logfmt_No_Bare_Keys of a JSON parser": unused(
        with_parser("Name p", "Format json", "Logfmt_No_Bare_Keys on"),
        "parsers.conf:4", "Logfmt_No_Bare_Keys", "Format json"),
    "Nested_under with nest": unused(
        with_filter("Name nest", "Match *", "Operation nest", "Wildcard a*",
                    "Nest_under b", "Nested_under c"),
        "sluiced.conf:17", "Nested_under", "Operation nest"),
    "Wildcard with lift": unused(
        with_filter("Name nest", "Match *", "Operation lift", "Wildcard a*",
                    "Nested_under c"),
        "sluiced.conf:15", "Wildcard", "Operation lift"),
    "Nest_under with lift": unused(
        with_filter("Name nest", "Match *", "Operation lift", "Nest_under a",
                    "Nested_under c"),
        "sluiced.conf:15", "Nest_under", "Operation lift"),
    "Script with Code": (
        with_hook("function hook() end\n",
                  "Code function hook() return 0 end", "call hook"), [],
        "sluiced.conf:14 ", "key=script ", "Code is set"),
    "Time_Offset with Time_System_Timezone": (
        with_parser("Name p", "Format json", "Time_Format %s",
                    "Time_Offset +0900", "Time_System_Timezone on"), [],
        "parsers.conf:5 ", "key=Time_Offset ", "Time_System_Timezone is on"),
    "a key that only sluiced has, with unknown keys allowed": (
        with_input("Path @/s", "Idle_Timeout 5"), ["--allow-unknown"],
        "sluiced.conf:6 ", "key=Idle_Timeout ", "Mode unix_udp"),
}


@pytest.mark.parametrize("name", IGNORED)
def test_a_key_that_fluent_bit_ignores_is_a_warning(room, name):
    files, options, *words = IGNORED[name]
    result = run("-c", lay_out(room, files), "--dry-run", *options,
                 cwd=room.path)
    assert result.code == 0, result.err
    warned = [line for line in result.err.splitlines()
              if "level=warn" in line and all(word in line for word in words)]
    assert len(warned) == 1, result.err


# name: the configuration, and what the error contains
REFUSED = {
    "a key of unix_udp in another mode": (
        changed(("Path @/log", "Mode unix_tcp\n    Queue_Length 9\n"
                 "    Path @/log")),
        "sluiced.conf:6:", "Mode unix_tcp does not use Queue_Length"),
    "a key of unix_udp in a network mode": (
        changed(("Path @/log.sock", "Mode udp\n    Queue_Length 9")),
        "sluiced.conf:6:", "Mode udp does not use Queue_Length"),
    "a key of streams in a mode of datagrams": (
        changed(("Path @/log", "Idle_Timeout 5\n    Path @/log")),
        "sluiced.conf:5:", "Mode unix_udp does not use Idle_Timeout"),
    "a key of tags with File": (
        changed(("Path @/out", "File @/out/x\n    Tag_Path sanitized")),
        "sluiced.conf:15:", "an output with File does not use Tag_Path"),
    "JSON without escapes": (
        changed(("Path @/out", "Path @/out\n    Format plain\n"
                 "    Escape off")),
        "sluiced.conf:16:", "Format plain does not use Escape off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_key_that_only_sluiced_has_is_an_error(room, name):
    text, *words = REFUSED[name]
    result = run("-c", lay_out(room, text), "--dry-run", cwd=room.path)
    assert result.code == CONFIG, result.err
    for word in words:
        assert word in result.err, result.err


@pytest.mark.parametrize("text", [
    with_input("Path @/s", "Mode unix_tcp", "Buffer_Max_Size 1M",
               "Format newline", "Idle_Timeout 5"),
    with_input("Path @/s", "Queue_Length 9", "Unix_Perm 0600"),
    with_output("Path @/out", "Format ltsv", "Delimiter ;",
                "Label_Delimiter :"),
    with_output("Path @/out", "Format csv", "Delimiter ;"),
    (CONF / "parsers.conf").read_text() + GOOD,
], ids=["streams", "datagrams", "ltsv", "csv", "Fluent Bit's parsers"])
def test_a_key_that_is_used_is_no_warning(room, text):
    result = run("-c", lay_out(room, text), "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    assert "level=warn" not in result.err
