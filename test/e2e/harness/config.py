# SPDX-License-Identifier: Apache-2.0
"""Configurations, composed from lines as a person would write them."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CONF = ROOT / "conf"
LUA = ROOT / "lua"
DEPLOY = ROOT / "deploy"

TAB = "\t"


def section(name, *lines):
    return f"[{name}]\n" + "".join(f"    {line}\n" for line in lines) + "\n"


def service(*lines, flush="0.1", grace="0"):
    """Quick to write and quick to end; the kernel chooses the HTTP port."""
    return section("SERVICE", f"Flush {flush}", f"Grace {grace}",
                   "HTTP_Server On", "HTTP_Listen 127.0.0.1", "HTTP_Port 0",
                   *lines)


def syslog_input(room, *lines, tag="in"):
    return section("INPUT", "Name syslog", f"Tag {tag}",
                   f"Path {room.socket}", *lines)


def json_filter(match="in"):
    return section("FILTER", "Name parser", f"Match {match}",
                   "Key_Name message", "Preserve_Key On", "Reserve_Data On",
                   "Parser json")


def lua_filter(room, source, match="in", call="hook", name="hook.lua",
               more=()):
    room.write(name, source)
    return section("FILTER", "Name lua", f"Match {match}",
                   f"script {name}", f"call {call}", *more)


def file_output(room, *lines, match="*", file="lines.log"):
    return section("OUTPUT", "Name file", f"Match {match}",
                   f"Path {room.out}", f"File {file}", *lines)


def template(text, room, **where):
    return file_output(room, "Format template", f"Template {text}", **where)
