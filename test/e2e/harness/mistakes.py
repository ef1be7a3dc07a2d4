# SPDX-License-Identifier: Apache-2.0
"""A good configuration, and ways to put a mistake into it.  "@/" stands for the
directory of the test."""
from harness.config import section

GOOD = """\
[SERVICE]
    Flush 1
[INPUT]
    Name syslog
    Path @/log.sock
[FILTER]
    Name parser
    Match *
    Key_Name message
    Parser json
[OUTPUT]
    Name file
    Match *
    Path @/out
"""


def changed(*pairs):
    text = GOOD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def with_filter(*lines):
    return changed(("[OUTPUT]", section("FILTER", *lines).rstrip()
                    + "\n[OUTPUT]"))


def with_parser(*lines):
    return {"parsers.conf": section("PARSER", *lines),
            "sluiced.conf": changed(("Flush 1",
                                     "Flush 1\n    Parsers_File parsers.conf"))}


def with_hook(source, *lines):
    lines = lines or ("call hook",)
    return {"hook.lua": source,
            "sluiced.conf": with_filter("Name lua", "Match *",
                                        "script hook.lua", *lines)}


def with_output(*lines):
    return changed(("Path @/out", "\n    ".join(lines)))


def with_input(*lines):
    return changed(("Path @/log.sock", "\n    ".join(lines)))


def lay_out(room, files):
    if isinstance(files, str):
        files = {"sluiced.conf": files}
    for name, text in files.items():
        room.write(name, text.replace("@/", f"{room.path}/"))
    return room.path / "sluiced.conf"
