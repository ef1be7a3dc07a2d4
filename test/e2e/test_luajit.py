# SPDX-License-Identifier: Apache-2.0
"""Hooks are written for LuaJIT.  These tests run generated calls of Lua's
library, generated programs full of `..`, generated scripts about the language
and generated hooks in LuaJIT and in sluiced.

CALLS, PROGRAMS, SCRIPTS and HOOKS set how many of them are generated.  The
defaults suit every run of the tests; `CALLS=20000 PROGRAMS=5000 SCRIPTS=10000
HOOKS=500` is a thorough run.
Every run generates the same ones, unless LUAJIT_SEED=N sets another seed."""
import os
import random
import re
import shutil
import subprocess

import pytest

from harness.config import (file_output, json_filter, lua_filter, service,
                            syslog_input)
from harness.daemon import ROOT
from harness.lua_calls import Maker, call
from harness.lua_differences import missing_rows, row_of
from harness.lua_hooks import HookMaker, as_lua
from harness.lua_programs import ProgramMaker
from harness.lua_scripts import ScriptMaker
from harness.scale import scaled
from harness.sender import Sender, datagram

CASES = ROOT / "test/data/luajit/cases.lua"
# "table: 0x7f17a6b7cd28", perhaps cut off or in capitals.
ADDRESS = re.compile(r"(table|function): (0x[0-9a-f]{0,12}|b[uiltn]*#?\d*)|"
                     r"0x[0-9a-f]{6,12}", re.IGNORECASE)
# One call of the hook runs so many within its time limit.
CALLS_PER_FILE = 100
PROGRAMS_PER_FILE = 20


def made(*purpose):
    seed = os.environ.get("LUAJIT_SEED", "1")
    print(f"LUAJIT_SEED={seed}")
    return random.Random(" ".join(map(str, (seed, *purpose))))


@pytest.fixture
def luajit():
    found = shutil.which("luajit")
    if found is None:
        pytest.skip("luajit is not installed")
    return found


def lines_by_number(path):
    """The lines of the cases that finished."""
    found = {}
    for line in path.read_bytes().decode("latin-1").splitlines():
        number, _, rest = line.partition(" ")
        found[int(number)] = ADDRESS.sub("ADDRESS", rest)
    return found


def in_luajit(luajit, room, files):
    """The lines of LuaJIT.  Its compiler sometimes crashes, which is no
    difference: the file then runs again without the compiler.  If that crashes
    too, the cases of the file are not compared."""
    found = {}
    for file in files:
        for options in ([], ["-joff"]):
            out = room.path / f"{file.name}{''.join(options)}.luajit"
            status = subprocess.run([luajit, *options, CASES, file, out],
                                    timeout=240).returncode
            if status == 0:
                found |= lines_by_number(out)
                break
            assert status < 0, f"luajit ends with {status} for {file}"
            print(f"luajit {options} crashed: signal {-status}, {file.name}")
    return found


def unnamed(cases, wanted, got):
    """The differences without a row, as texts.  Each case is a name and the
    text of Lua."""
    assert missing_rows() == []
    assert len(wanted) > len(cases) / 2
    return [f"{cases[n][1]}\n  LuaJIT:  {line}\n  sluiced: {got.get(n)}"
            for n, line in sorted(wanted.items())
            if line != got.get(n)
            and row_of(*cases[n], line, got.get(n)) is None]


def test_a_crash_of_luajit_is_no_difference(room):
    file = room.write("cases.lua", "")
    luajit = room.write("luajit", """#!/bin/sh
        [ "$1" = -joff ] || kill -SEGV $$
        echo "7 ok" >"$4"
        """)
    luajit.chmod(0o755)
    assert in_luajit(luajit, room, [file]) == {7: "ok"}
    luajit.write_text("#!/bin/sh\nkill -SEGV $$\n")
    assert in_luajit(luajit, room, [file]) == {}


def start_hook(room, start, script):
    return start(service(flush="0.02") + syslog_input(room) + json_filter()
                 + lua_filter(room, CASES.read_text() + script)
                 + file_output(room))


def compare_cases(room, start, luajit, cases, per_file):
    """Run the texts of these cases in both, and fail if a result differs."""
    files = []
    for first in range(0, len(cases), per_file):
        files.append(room.path / f"cases-{first}.lua")
        files[-1].write_text("".join(
            f"C({first + i}, function() return {text} end)\n"
            for i, (_, text) in enumerate(cases[first:first + per_file])),
            newline="")
    wanted = in_luajit(luajit, room, files)
    out = room.path / "sluiced.out"
    daemon = start_hook(room, start, """
        function hook(tag, timestamp, record)
            run(record.file, record.out)
            return 0, timestamp, record
        end""")
    with Sender(room.socket) as sender:
        for file in files:
            sender.send(datagram({"file": str(file), "out": str(out)}))
    counts = daemon.wait_for_messages(len(files))
    assert counts.failures() == 0, daemon.log()
    found = unnamed(cases, wanted, lines_by_number(out))
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


def test_generated_calls_of_the_library_give_the_results_of_luajit(
        room, start, luajit):
    rng = made("calls of Lua")
    compare_cases(room, start, luajit, [
        call(Maker(rng)) for _ in range(scaled("CALLS", 2500))],
        CALLS_PER_FILE)


def test_generated_programs_give_the_results_of_luajit(room, start, luajit):
    maker = ProgramMaker(made("programs of Lua"))
    compare_cases(room, start, luajit, [
        ("program", maker.program()) for _ in range(scaled("PROGRAMS", 300))],
        PROGRAMS_PER_FILE)


def test_generated_scripts_give_the_results_of_luajit(room, start, luajit):
    maker = ScriptMaker(Maker(made("scripts of Lua")))
    compare_cases(room, start, luajit, [
        ("script", maker.script()) for _ in range(scaled("SCRIPTS", 500))],
        CALLS_PER_FILE)


def test_generated_hooks_give_the_results_of_luajit(room, start, luajit):
    maker = HookMaker(made("hooks of Lua"))
    hooks = [("hook", maker.hook()) for _ in range(scaled("HOOKS", 100))]
    records = [maker.record() for _ in hooks]
    source = "hooks = {}\n" + "".join(
        f"hooks[{n}] = {text}\n" for n, (_, text) in enumerate(hooks))
    wanted = in_luajit(luajit, room, [room.write(
        "hooks.lua", source + "".join(
            f"H({n}, hooks[{n}], {as_lua(record)})\n"
            for n, record in enumerate(records)))])
    out = room.path / "sluiced.out"
    daemon = start_hook(room, start, source + f"""
        function hook(tag, timestamp, record)
            local n = record.case
            for _, name in ipairs({{"case", "pri", "time", "host", "ident",
                                  "message"}}) do
                record[name] = nil -- of the datagram and its header
            end
            open_out("{out}")
            H(n, hooks[n], record)
            close_out()
            return 0, timestamp, record
        end""")
    with Sender(room.socket) as sender:
        for n, record in enumerate(records):
            sender.send(datagram({"case": n, **record}))
    counts = daemon.wait_for_messages(len(records))
    assert counts.failures() == 0, daemon.log()
    found = unnamed(hooks, wanted, lines_by_number(out))
    assert not found, f"{len(found)} differences\n" + "\n".join(found)
