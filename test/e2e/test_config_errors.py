# SPDX-License-Identifier: Apache-2.0
"""sluiced reports a mistake in the configuration with file, line, key and the
correct form, and changes nothing.  Each kind of mistake has its exit code."""
import os
import socket
import subprocess

import pytest

from harness.config import file_output, section, service, syslog_input
from harness.daemon import SLUICED, environment, run
from harness.mistakes import (GOOD, changed, lay_out, with_filter, with_hook,
                              with_parser)
from harness.room import OutDir
from harness.sender import Sender, datagram
from harness.wait import HANG_S, SAN, wait_until

USAGE, CONFIG, SYSTEM = 64, 78, 71

# name: the configuration (or files), and what the message must contain
MISTAKES = {
    "an unknown section": (
        changed(("[FILTER]", "[FLITER]")),
        "sluiced.conf:6:", "FLITER", "FILTER"),
    "an unknown input": (
        changed(("Name syslog", "Name sylog")), "sluiced.conf:4:", "syslog"),
    "an unknown filter": (
        changed(("Name parser", "Name prser")), "sluiced.conf:7:", "parser"),
    "an unknown output": (
        changed(("Name file", "Name flie")), "sluiced.conf:12:", "file"),
    "a plugin that only Fluent Bit has": (
        changed(("Name file", "Name kafka")),
        "sluiced.conf:12:", "kafka", "Fluent Bit", "file"),
    "an unknown key of INPUT": (
        changed(("Path @", "Unix_Prm 0666\n    Path @")),
        "sluiced.conf:5:", "Unix_Prm", "Unix_Perm"),
    "an unknown key of FILTER": (
        changed(("Parser json", "Parser json\n    Reserve_Dta on")),
        "sluiced.conf:11:", "Reserve_Dta", "Reserve_Data"),
    "a misspelt key that is needed": (
        changed(("Key_Name", "KeyName")),
        "sluiced.conf:9:", "KeyName", "Key_Name"),
    "an unknown key of OUTPUT": (
        changed(("Path @/out", "Path @/out\n    Formt plain")),
        "sluiced.conf:15:", "Formt", "Format"),
    "an unknown format": (
        changed(("Path @/out", "Path @/out\n    Format plan")),
        "sluiced.conf:15:", "Format", "plain"),
    "a bad number": (
        changed(("Flush 1", "Flush soon")), "sluiced.conf:2:", "Flush"),
    "a flush of zero": (
        changed(("Flush 1", "Flush 0")), "sluiced.conf:2:", "Flush"),
    "a bad boolean": (
        changed(("Flush 1", "HTTP_Server maybe")),
        "sluiced.conf:2:", "HTTP_Server", "maybe"),
    "a bad port": (
        changed(("Flush 1", "HTTP_Port 70000")),
        "sluiced.conf:2:", "HTTP_Port", "65535"),
    "a bad level": (
        changed(("Flush 1", "Log_Level inof")),
        "sluiced.conf:2:", "Log_Level", "info"),
    "a Unix_Perm that is not octal": (
        changed(("Path @/log", "Unix_Perm 0999\n    Path @/log")),
        "sluiced.conf:5:", "Unix_Perm"),
    "an unknown mode": (
        changed(("Path @/log", "Mode unix_upd\n    Path @/log")),
        "sluiced.conf:5:", "Mode", "unix_udp"),
    "a bad size": (
        changed(("Path @/log", "Buffer_Chunk_Size 1kX\n    Path @/log")),
        "sluiced.conf:5:", "Buffer_Chunk_Size"),
    "no path": (
        changed(("    Path @/log.sock\n", "")), "sluiced.conf:3:", "Path"),
    "a key twice": (
        changed(("Path @/out", "Path @/out\n    Path @/other")),
        "sluiced.conf:", "Path"),
    "no input": (
        "[OUTPUT]\n    Name file\n    Match *\n", "sluiced.conf", "[INPUT]"),
    "no output": (
        GOOD[:GOOD.index("[OUTPUT]")].replace("@", "/tmp"),
        "sluiced.conf", "[OUTPUT]"),
    "an unknown parser of the input": (
        changed(("Path @/log", "Parser syslog-rfc3146\n    Path @/log")),
        "sluiced.conf:5:", "syslog-rfc3146", "syslog-rfc3164"),
    "an unknown parser of the filter": (
        changed(("Parser json", "Parser jsn")),
        "sluiced.conf:10:", "jsn", "json"),
    "a key without a value": (
        changed(("Flush 1", "Flush")), "sluiced.conf:2:", "Flush"),
    "a key outside any section": ("Flush 1\n", "sluiced.conf:1:"),
    "a wrong indentation": (
        changed(("    Flush 1", "    Flush 1\n  Grace 1")), "sluiced.conf:3:"),
    "a missing include": (
        "@INCLUDE nowhere.conf\n" + GOOD, "sluiced.conf:1:", "nowhere.conf"),
    "a missing parsers file": (
        changed(("Flush 1", "Parsers_File nowhere.conf")),
        "sluiced.conf:2:", "nowhere.conf"),
    "a bad expression": (
        with_parser("Name p", "Format regex", "Regex ^(?<a>x"),
        "parsers.conf:", "Regex"),
    "a parser without a format": (
        with_parser("Name p", "Regex ^(?<a>x)"), "parsers.conf:1:", "Format"),
    "a bad time format": (
        with_parser("Name p", "Format regex", "Regex ^(?<time>x)",
                    "Time_Format %Q"), "parsers.conf:", "%Q"),
    "a bad offset": (
        with_parser("Name p", "Format json", "Time_Offset nine"),
        "parsers.conf:4:", "Time_Offset", "+0900"),
    "a rule with three words": (
        with_filter("Name rewrite_tag", "Match *", "Rule $a ^x$ new"),
        "sluiced.conf:14:", "Rule"),
    "a rule with a bad expression": (
        with_filter("Name rewrite_tag", "Match *", "Rule $a ( new false"),
        "sluiced.conf:14:", "Rule"),
    "no rule": (
        with_filter("Name rewrite_tag", "Match *"),
        "sluiced.conf:11:", "Rule"),
    "a missing script": (
        with_filter("Name lua", "Match *", "script nowhere.lua", "call hook"),
        "sluiced.conf:14:", "nowhere.lua"),
    "a script that is not Lua": (
        with_hook("function hook(\n"), "sluiced.conf:", "hook.lua"),
    "a script that fails": (
        with_hook("error('at once')\nfunction hook() end\n"),
        "sluiced.conf:", "at once"),
    "a script that never ends": (
        with_hook("while true do end\nfunction hook() end\n"),
        "sluiced.conf:", "hook.lua:1: stopped after more than 3000 ms of CPU"),
    "a hook that the script lacks": (
        with_hook("function hook() end\n", "call hok"),
        "sluiced.conf:15:", "hok"),
}


@pytest.mark.skipif(SAN == "thread", reason="one thread reads the file")
@pytest.mark.parametrize("name", MISTAKES)
def test_the_error_names_the_place_and_the_correction(room, name):
    files, *words = MISTAKES[name]
    config = lay_out(room, files)
    before = sorted(os.listdir(room.path))
    # On a busy machine, 3 s of CPU may take longer than the supervisor waits.
    start = ["-n"] if name == "a script that never ends" else []
    for option in (["--dry-run"], start):
        result = run("-c", config, *option, cwd=room.path)
        assert result.code == CONFIG, result.err
        for word in words:
            assert word in result.err, result.err
        # The error is one line, and is logged once.
        assert len([line for line in result.err.splitlines()
                    if "level=error" in line or "sluiced.conf:" in line
                    or "parsers.conf:" in line]) == 1, result.err
        assert not room.socket.exists()
        assert option == start or sorted(os.listdir(room.path)) == before


def test_a_dry_run_reports_success_and_leaves_no_file(room):
    config = lay_out(room, GOOD)
    result = run("-c", config, "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    assert "configuration" in (result.out + result.err)
    assert os.listdir(room.path) == ["sluiced.conf"]


# Mistakes that Fluent Bit accepts silently, and the texts that the warning must
# contain.
WARNINGS = {
    "an unknown key of SERVICE": (
        changed(("Flush 1", "Flsh 1")), [], "sluiced.conf:2 ", "Flsh", "Flush"),
    "a second SERVICE": (
        GOOD + "[SERVICE]\n    Flush 1\n", [], "sluiced.conf:15 ", "before"),
    "a filter without Match": (
        changed(("    Match *\n", "")), [], "sluiced.conf:6 ", "Match"),
    "a Match that matches no tag": (
        changed(("Match *\n", "Match nginx\n")), [],
        "sluiced.conf:8 ", "nginx", "syslog.0"),
    "a comment after a value": (
        changed(("Match *\n", "Match * # all\n")), [],
        "sluiced.conf:8 ", "comment"),
    "a bad type": (
        with_parser("Name x", "Format regex", "Regex ^(?<a>.)",
                    "Types a:int"), [], "parsers.conf:5 ", "a:int"),
    "an unknown key that is allowed": (
        changed(("Path @/log", "Paht x\n    Path @/log")),
        ["--allow-unknown"], "sluiced.conf:5 ", "Paht", "Path"),
    "tags that a client can lead anywhere": (
        with_filter("Name rewrite_tag", "Match *", "Rule $p ^(.*)$ $p false")
        .replace("    Path @/out\n", ""), [], "sluiced.conf:16 ",
        "symbolic link", "set Path"),
    "an unknown section that is allowed": (
        GOOD + "[FLITER]\n    Name x\n", ["-u"], "sluiced.conf:15 ", "FLITER"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_sluiced_warns_where_fluent_bit_is_silent(room, name):
    files, options, *words = WARNINGS[name]
    result = run("-c", lay_out(room, files), "--dry-run", *options,
                 cwd=room.path)
    assert result.code == 0, result.err
    warned = "".join(line for line in result.err.splitlines(True)
                     if "level=warn" in line and "mod=conf" in line)
    for word in words:
        assert word in warned, result.err


TAG = ("$TAG stands for the tag only in a new tag",
       "looking for a field named TAG")
REST = ("there is text after the field",
        "using only $a; write a subscript as $a['b']")


# The second of two lines is the one with the mistake.
@pytest.mark.parametrize("lines, key, says", [
    (("Name rewrite_tag", "Rule $b x y true", "Rule $TAG x y true"),
     "Rule", TAG),
    (("Name rewrite_tag", "Rule $b x y true", "Rule $a.c x y true"),
     "Rule", REST),
    (("Name grep", "Regex b x", "Regex TAG x"), "Regex", TAG),
    (("Name grep", "Exclude b x", "Exclude a.c x"), "Exclude", REST),
    (("Name modify", "Condition Key_exists b", "Condition Key_exists $TAG",
      "Set k v"), "Condition", TAG),
    (("Name parser", "Parser json", "Key_Name $a.c"), "Key_Name", REST),
], ids=str)
def test_a_mistake_in_an_accessor_is_a_warning_with_its_place(
        room, lines, key, says):
    """Fluent Bit accepts these accessors silently."""
    text = with_filter("Match *", *lines)
    result = run("-c", lay_out(room, text), "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    warned = [line for line in result.err.splitlines() if "level=warn" in line]
    assert len(warned) == 1, result.err
    assert warned[0].endswith(
        f'sluiced.conf:15 section=FILTER key={key} err="{says[0]}" '
        f'action="{says[1]}"'), result.err


@pytest.mark.parametrize("word, is_warned", [
    ("off", True), ("No", True), ("flase", True), ("false", False),
    ("0", False), ("on", False), ("Yes", False), ("1", False),
    ("true", False)])
def test_active_that_leaves_a_filter_on_is_a_warning(room, word, is_warned):
    """Fluent Bit takes only false and 0 as off, and says nothing."""
    text = with_filter("Name nest", "Match *", f"Active {word}",
                       "Operation lift", "Nested_under a")
    result = run("-c", lay_out(room, text), "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    warned = [line for line in result.err.splitlines() if "level=warn" in line]
    assert len(warned) == is_warned, result.err
    assert not is_warned or (
        "sluiced.conf:14 section=FILTER key=Active err=\"as in Fluent Bit, "
        f"`Active {word}` leaves the filter on\"" in warned[0]
        and "set `Active false`" in warned[0])


def test_a_socket_directory_that_is_missing_is_a_warning_with_its_place(room):
    text = changed(("Path @/log.sock", "Path @/nowhere/s"))
    result = run("-c", lay_out(room, text), "--dry-run", cwd=room.path)
    assert result.code == 0, result.err
    assert "sluiced.conf:5 section=INPUT key=Path err=\"socket " in result.err
    assert "may exist in the pod" in result.err


@pytest.mark.parametrize("args", [
    ["-d"], ["-i", "tail"], ["-o", "stdout"], ["-F", "grep"], ["-m", "*"],
    ["-p", "a=b"], ["-t", "x"], ["-e", "x.so"], ["-S"], ["-J"], ["-T", "x"],
    ["-C", "x"], ["-r", "x"], ["-Z"], ["--trace-input=x"], ["--enable-fips"],
    ["--daemon"], ["--plugin", "x.so"]], ids=str)
def test_an_option_of_fluent_bit_that_is_not_supported_is_an_error(room, args):
    result = run("-c", lay_out(room, GOOD), *args, cwd=room.path)
    assert result.code == USAGE
    assert "is not supported: " in result.err and "usage" not in result.err


@pytest.mark.parametrize("args", [
    ["-f", "0.2"], ["--flush=2"], ["-l", "own.log"], ["-b", "store"], ["-H"],
    ["-P", "2021"], ["-L", "127.0.0.1"], ["-Y"], ["-W"], ["-s", "24576"],
    ["--supervisor"], ["--http", "--port", "0"], ["-f", "1", "-f", "2"]],
    ids=str)
def test_an_option_of_fluent_bit_is_accepted(room, args):
    result = run("-c", lay_out(room, GOOD), "-D", *args, cwd=room.path)
    assert result.code == 0, result.err
    assert "level=warn" not in result.err
    # sluiced logs that an option has no effect.
    for option, key in (("-W", "Ensure_Thread_Safety"),
                        ("-s", "Coro_Stack_Size")):
        assert (key in result.err) == (option in args), result.err


def test_the_options_h_l_and_p_start_the_http_server(room, start):
    daemon = start(section("SERVICE", "Flush 0.1", "Grace 0")
                   + syslog_input(room) + file_output(room),
                   args=["-H", "-L", "127.0.0.1", "-P", "0"])
    assert daemon.address[0] == "127.0.0.1"
    assert daemon.get("/").status == 200


def test_the_option_l_sets_the_log_file(room):
    own = room.path / "own.log"
    assert log_of_a_run(room, "-l", own) == ""
    assert "mod=worker state=ready" in own.read_text()


def test_a_wrong_value_of_an_option_is_an_error(room):
    result = run("-c", lay_out(room, GOOD), "-D", "-P", "65536", cwd=room.path)
    assert result.code == CONFIG
    assert "command line: [SERVICE] HTTP_Port" in result.err


@pytest.mark.parametrize("in_file, option, place", [
    ("Flush 1", "nowhere/own.log", "command line: "),
    ("Log_File nowhere/own.log", "own.log", "sluiced.conf:2: "),
    (None, "nowhere/own.log", "command line: ")], ids=str)
def test_a_log_file_that_cannot_be_opened_is_reported_where_it_was_set(
        room, in_file, option, place):
    config = changed(("[SERVICE]\n    Flush 1\n", ""))
    if in_file is not None:
        config = section("SERVICE", in_file) + config
    lay_out(room, config)
    result = run("-c", "sluiced.conf", "-D", "-l", option, cwd=room.path)
    assert result.code == SYSTEM, result.err
    assert f"sluiced: {place}[SERVICE] Log_File: open nowhere/own.log" \
        in result.err


def test_the_file_overrides_the_option_l(room):
    result = run("-c", lay_out(room, changed(("Flush 1", "Log_File own.log"))),
                 "-D", "-l", "nowhere/other.log", cwd=room.path)
    assert result.code == 0, result.err


def test_the_option_w_sets_the_working_directory(room):
    lay_out(room, GOOD)
    assert run("-w", room.path, "-c", "sluiced.conf", "-D",
               cwd="/").code == 0
    assert run("-w", room.path / "nowhere", "-c", "sluiced.conf", "-D",
               cwd="/").code == SYSTEM


def test_a_dry_run_works_beside_a_running_daemon(room, start):
    start(service() + syslog_input(room) + file_output(room))
    result = run("-c", room.path / "sluiced.conf", "--dry-run", cwd=room.path)
    assert result.code == 0, result.err


def test_a_dry_run_reports_a_directory_that_cannot_be_created(room):
    (room.path / "out").write_text("a file, not a directory")
    result = run("-c", lay_out(room, GOOD), "--dry-run", cwd=room.path)
    assert result.code == CONFIG
    assert f"{room.path}/out" in result.err


def test_each_key_without_meaning_is_logged_once(room, start):
    daemon = start(service("Daemon off", "storage.sync normal",
                           "storage.checksum off")
                   + syslog_input(room, "Mem_Buf_Limit 5M")
                   + file_output(room, "Workers 2"))
    log = daemon.log()
    for key in ("Daemon", "storage.sync", "Mem_Buf_Limit", "Workers"):
        found = [line for line in log.splitlines() if key in line]
        assert len(found) == 1, (key, found)


@pytest.mark.parametrize("args, words", [
    (["--no-such-option"], 'unknown option "--no-such-option"'),
    ([], "-c FILE is missing"),
    (["-c"], "-c (--config) needs a value; write --config=FILE"),
    (["-c", "a.conf", "extra"], 'unknown command "extra"; known: '),
    (["-Q"], 'unknown option "-Q"'),
    (["-i"], "-i (--input) is not supported: "),
    (["keys", "--rate", "many"], '--rate "many" is not a number'),
    (["healthcheck", "--nonsense"], 'unknown option "--nonsense"')],
    ids=str)
def test_a_usage_error_is_one_line_that_names_the_mistake(room, args, words):
    result = run(*args, cwd=room.path)
    assert result.code == USAGE, result.err
    line, = result.err.splitlines()
    assert line.startswith(f"sluiced: {words}")
    assert line.endswith(" (see sluiced --help)")


def test_a_missing_configuration_is_an_error(room):
    result = run("-c", "nowhere.conf", cwd=room.path)
    assert result.code == CONFIG
    assert "nowhere.conf" in result.err


NOT_REGULAR = {  # the line that names the pipe, and the configuration
    "the configuration": ("", ""),
    "an include": ("", "@INCLUDE pipe\n" + GOOD),
    "parsers": ("Parsers_File", changed(
        ("Flush 1", "Flush 1\n    Parsers_File pipe"))),
    "a script": ("Script", with_filter("Name lua", "Match *", "script pipe",
                                       "call hook"))}


@pytest.mark.parametrize("what", NOT_REGULAR)
def test_a_pipe_is_no_configuration(room, what):
    """Nobody writes to the pipe, so reading it would never end."""
    key, text = NOT_REGULAR[what]
    os.mkfifo(room.path / "pipe")
    config = room.path / "pipe"
    if text:
        config = room.write("sluiced.conf", text.replace("@/", f"{room.path}/"))
    done = run("-c", config, cwd=room.path)
    assert done.code == CONFIG
    assert "pipe: not a regular file" in done.err and key in done.err


def test_version_and_help_are_printed(room):
    version = run("--version")
    assert version.code == 0 and version.out.startswith("sluiced ")
    usage = run("--help")
    assert usage.code == 0
    for option in ("-c", "-R", "-q", "-v", "--dry-run", "--version", "--rate",
                   "--again", "--plain", "-s", "-W", "--supervisor"):
        assert option in usage.out
    assert max(map(len, usage.out.splitlines())) <= 80


def test_the_option_r_adds_parsers(room, out, start):
    room.write("mine.conf", section(
        "PARSER", "Name mine", "Format regex", "Regex ^(?<word>[a-z]+)"))
    daemon = start(service() + syslog_input(room, "Parser mine")
                   + file_output(room, "Format template", "Template {word}"),
                   args=["-R", "mine.conf"])
    with Sender(room.socket) as sender:
        sender.send(b"hello there")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"hello"]


def log_of_a_run(room, *args, log_lines=()):
    """The text that sluiced writes to standard error while it receives two
    messages, one that its parser rejects and one that its parser accepts."""
    config = room.write("sluiced.conf", section(
        "SERVICE", "Flush 0.1", "Grace 0", *log_lines)
        + syslog_input(room, "Parser syslog-rfc3164") + file_output(room))
    process = subprocess.Popen([SLUICED, "-c", config, *args],
                               env=environment(), stderr=subprocess.PIPE)
    try:
        wait_until(room.socket.exists, "the socket")
        with Sender(room.socket) as sender:
            sender.send(b"secret", datagram("x"))
        wait_until(lambda: OutDir(room.out).has(1), "the line")
        process.terminate()
        log = process.communicate(timeout=HANG_S)[1].decode()
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    return log


def levels(log):
    return {level for level in ("debug", "info", "warn", "error")
            if f"level={level}" in log}


@pytest.mark.parametrize("args, log_lines, wanted", [
    ([], [], {"info", "warn"}),
    (["-q"], [], set()),
    (["-v"], [], {"debug", "info", "warn"}),
    (["-q"], ["Log_Level warn"], {"warn"}),
    (["-v"], ["Log_Level error"], set()),
    ([], ["Log_Level off"], set())], ids=str)
def test_options_and_log_level_decide_what_is_logged(
        room, args, log_lines, wanted):
    log = log_of_a_run(room, *args, log_lines=log_lines)
    assert levels(log) == wanted
    assert ("secret" in log) == ("debug" in wanted)


def test_the_whole_log_is_appended_to_log_file(room):
    own = room.path / "own.log"
    own.write_text("before\n")
    assert log_of_a_run(room, log_lines=[f"Log_File {own}"]) == ""
    log = own.read_text()
    assert log.startswith("before\n") and levels(log) == {"info", "warn"}
    assert "mod=worker state=ready" in log and "mod=worker state=stopped" in log


def test_a_log_file_that_cannot_be_opened_is_an_error(room):
    result = run("-c", lay_out(room, changed(
        ("Flush 1", "Log_File @/nowhere/own.log"))), cwd=room.path)
    assert result.code == SYSTEM
    assert "nowhere/own.log" in result.err


def test_the_option_q_does_not_hide_a_fatal_error(room):
    result = run("-c", lay_out(room, changed(("file", "flie"))), "-q",
                 cwd=room.path)
    assert result.code == CONFIG and "flie" in result.err


def test_a_socket_in_use_stays_with_its_owner(room, out, start):
    config = service() + syslog_input(room) + file_output(room)
    daemon = start(config)
    second = run("-c", room.path / "sluiced.conf", cwd=room.path)
    assert second.code == SYSTEM
    assert str(room.socket) in second.err
    with Sender(room.socket) as sender:
        sender.send(datagram("still here"))
    daemon.wait_for_messages(1)
    assert b"still here" in out.bytes()


def test_a_socket_of_a_dead_process_is_replaced(room, start):
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    stale.bind(str(room.socket))
    stale.close()
    daemon = start(service() + syslog_input(room) + file_output(room))
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    assert daemon.wait_for_messages(1).written == 1


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_path_that_is_not_a_socket_is_not_touched(room, kind):
    if kind == "file":
        room.socket.write_text("precious")
    else:
        room.socket.mkdir()
    result = run("-c", lay_out(room, GOOD), cwd=room.path)
    assert result.code == CONFIG
    assert str(room.socket) in result.err
    assert room.socket.is_dir() or room.socket.read_text() == "precious"


def test_a_missing_directory_for_the_socket_is_an_error(room):
    result = run("-c", lay_out(room, GOOD.replace("@/log", "@/nowhere/log")),
                 cwd=room.path)
    assert result.code == SYSTEM
    assert "nowhere" in result.err


@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_the_socket_has_its_mode_whatever_the_umask(room, start, mode):
    before = os.umask(0o077)
    try:
        start(service() + syslog_input(room, f"Unix_Perm {mode}")
              + file_output(room))
    finally:
        os.umask(before)
    assert os.stat(room.socket).st_mode & 0o777 == int(mode, 8)


def test_includes_sets_and_variables_work(room, out, start):
    room.write("parts/output.conf", file_output(
        room, "Format template", "Template ${WORD} ${UNSET:-else} {message}"))
    daemon = start("@SET WORD=set\n" + service(flush="${FLUSH}")
                   + syslog_input(room).replace("Name", "NAME")
                   + "@INCLUDE parts/*.conf\n", env={"FLUSH": "0.1"})
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    daemon.wait_for_messages(1)
    assert out.lines() == [b"set else x"]


def test_healthcheck_succeeds_only_while_sluiced_runs(room, start):
    daemon = start(service() + syslog_input(room) + file_output(room))
    port = daemon.address[1]
    room.write("fixed.conf", (room.path / "sluiced.conf").read_text().replace(
        "HTTP_Port 0", f"HTTP_Port {port}"))
    # The command waits at most three seconds for the answer.
    wait_until(lambda: run("healthcheck", "-c",
                           room.path / "fixed.conf").code == 0, "success")
    daemon.stop()
    assert run("healthcheck", "-c", room.path / "fixed.conf").code == SYSTEM


def test_two_inputs_and_two_outputs_work_together(room, out, start):
    other = room.path / "other.sock"
    daemon = start(
        service() + syslog_input(room, tag="one")
        + section("INPUT", "Name syslog", "Tag two", f"Path {other}")
        + file_output(room, "Format template", "Template {message}",
                      match="one", file="one.log")
        + file_output(room, "Format template", "Template {message}",
                      match="t*", file="two.log"))
    with Sender(room.socket) as sender:
        sender.send(datagram("to one"))
    with Sender(other) as sender:
        sender.send(datagram("to two"))
    daemon.wait_for_messages(2)
    assert out.lines("one.log") == [b"to one"]
    assert out.lines("two.log") == [b"to two"]
