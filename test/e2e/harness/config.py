# SPDX-License-Identifier: Apache-2.0
"""Composes configurations from lines as a person would write them."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CONF = ROOT / "conf"
LUA = ROOT / "lua"
DEPLOY = ROOT / "deploy"


def section(name, *lines):
    return f"[{name}]\n" + "".join(f"    {line}\n" for line in lines) + "\n"


def service(*lines, flush="0.1", grace="60"):
    """A service that writes quickly.  It also ends quickly, unless a sender is
    still connected or a line cannot be written: then Grace must be short.  The
    kernel chooses the HTTP port."""
    return section("SERVICE", f"Flush {flush}", f"Grace {grace}",
                   "HTTP_Server On", "HTTP_Listen 127.0.0.1", "HTTP_Port 0",
                   *lines)


def syslog_input(room, *lines, tag="in"):
    return section("INPUT", "Name syslog", f"Tag {tag}",
                   f"Path {room.socket}", *lines)


def json_filter():
    return section("FILTER", "Name parser", "Match in",
                   "Key_Name message", "Preserve_Key On", "Reserve_Data On",
                   "Parser json")


def lua_filter(room, source):
    """`source` defines the global function hook(tag, timestamp, record)."""
    room.write("hook.lua", source)
    return section("FILTER", "Name lua", "Match in", "script hook.lua",
                   "call hook")


def file_output(room, *lines, match="*", file="lines.log"):
    return section("OUTPUT", "Name file", f"Match {match}",
                   f"Path {room.out}", f"File {file}", *lines)


def template(text, room, **where):
    return file_output(room, "Format template", f"Template {text}", **where)
