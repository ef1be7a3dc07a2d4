# SPDX-License-Identifier: Apache-2.0
"""The collectors, configured to do the same work: parse the header and the JSON
of a line, derive its path from its date, and write the same fields."""
import subprocess
from pathlib import Path

import peers

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf"


class Collector:
    """A program and how to run it.  `name` is its name in the tables.
    `written` is the number of fields that it writes per line; 0 means that it
    writes the datagram unchanged."""

    name = "?"
    written = 12
    files = "date"
    makes_directories = True
    # The rate for a collector that loses lines at saturation.
    highest_rate = None

    def start_command(self, room):
        """(argv, environment)."""
        raise NotImplementedError

    def _field(self, name):
        return "{" + name + "}"

    def configure(self, room, source, **more):
        names = room.field_names()
        values = {
            "SOCKET": room.socket, "OUT": room.out, "ROOM": room.path,
            "CONF": CONF, "QUEUE": room.queue,
            "TEMPLATE": self.separator.join(
                f"{name}:{self._field(name)}" for name in names), **more}
        text = (CONF / source).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = room.path / source
        path.write_text(text)
        return path

    separator = "\t"


class Floor(Collector):
    """The floor program, which only receives and writes."""

    name = "floor"
    written = 0
    files = "one"

    def __init__(self, programs):
        self.program = programs["floor"]

    def start_command(self, room):
        return [self.program, room.socket, room.out / "all"], {}


class Sluiced(Collector):
    name = "sluiced"

    def __init__(self, program, hooks=1, files="date"):
        self.program = program
        self.hooks = hooks
        self.files = files

    def start_command(self, room):
        more = "\n".join(
            "[FILTER]\n    Name            lua\n    Match           access\n"
            f"    script          {CONF}/one-field.lua\n"
            "    call            one_field\n" for _ in range(self.hooks - 1))
        path = self.configure(room, "sluiced.conf", MORE=more,
                              HOOK=f"by-{self.files}.lua")
        return [self.program, "-c", path], {}


class FluentBit(Collector):
    name = "Fluent Bit"
    makes_directories = False
    highest_rate = 4000

    def __init__(self, program):
        self.program = program
        said = subprocess.run([program, "--version"], capture_output=True,
                              text=True, check=True).stdout
        self.name = "Fluent Bit " + said.split()[2].lstrip("v")

    def start_command(self, room):
        path = self.configure(room, "fluent-bit.conf", HOOK="by-date.lua")
        return [self.program, "-c", path], {}


class Rsyslog(Collector):
    name = "rsyslog"
    separator = r"\t"

    def __init__(self, root, version):
        self.root = root
        self.name = f"rsyslog {version}"

    def _field(self, name):
        return f"%$!{name}%"

    def start_command(self, room):
        path = self.configure(room, "rsyslog.conf")
        modules = next(self.root.glob("usr/lib/*/rsyslog"))
        return [self.root / "usr/sbin/rsyslogd", "-n", "-f", path,
                "-i", room.path / "rsyslogd.pid", "-M", modules], {}


class SyslogNg(Collector):
    name = "syslog-ng"
    separator = r"\t"

    def __init__(self, root, version):
        self.root = root
        self.name = f"syslog-ng {version}"

    def _field(self, name):
        return "${j." + name + "}"

    def start_command(self, room):
        path = self.configure(room, "syslog-ng.conf")
        libraries = self.root / "usr/lib/syslog-ng"
        return [self.root / "usr/sbin/syslog-ng", "-F", "--no-caps",
                "-f", path, "-p", room.path / "pid", "-c", room.path / "ctl",
                "-R", room.path / "persist",
                f"--module-path={next(libraries.glob('[0-9]*'))}"], {
                    "LD_LIBRARY_PATH": str(libraries)}


def all_of(programs, sluiced, build, fluent_bit):
    """The installed collectors by name, including floor and sluiced."""
    root = peers.unpack(build)
    found = {"floor": Floor(programs), "sluiced": Sluiced(sluiced)}
    if peers.version(root, "rsyslog"):
        found["rsyslog"] = Rsyslog(root, peers.version(root, "rsyslog"))
    if peers.version(root, "syslog-ng-core"):
        found["syslog-ng"] = SyslogNg(
            root, peers.version(root, "syslog-ng-core"))
    if fluent_bit:
        found["Fluent Bit"] = FluentBit(fluent_bit)
    return found
