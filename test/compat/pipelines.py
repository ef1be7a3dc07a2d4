#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs whole pipelines, as people publish them, on many lines.  Each file must
be byte for byte the one that Fluent Bit writes.

    SLUICED=build/sluiced pipelines.py           compare with recorded.yaml
    FLUENT_BIT=... pipelines.py --lines 100000   compare with the real program
    FLUENT_BIT=... pipelines.py --record         write recorded.yaml again
    pipelines.py kube --keep DIR                 one pipeline; keep its files

A pipeline is a directory of pipelines/: a configuration with @SOCKET@, @DIR@
and @PORT@ as in the cases (run.py), and recorded.yaml.  recorded.yaml has the
seed and the number of the lines that traffic.py made, and the digests of the
files that Fluent Bit wrote for them.  `seed` is the configuration of
test/e2e/published.

Fluent Bit loses lines that arrive too quickly.  So pipelines.py sends them at
--rate, and checks Fluent Bit's own count of records.  Each file gets the lines
of one tag only, because Fluent Bit does not keep the order of several tags.
"""
import argparse
import hashlib
import json
import os
import sys
import time
from collections import namedtuple
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
import traffic  # noqa: E402
from case import Case  # noqa: E402
from program import (FluentBit, Peer, Run, Sluiced,  # noqa: E402
                     Stuck, moved_clock, until)

HERE = Path(__file__).resolve().parent
PUBLISHED = HERE.parent / "e2e/published"
DEFAULT = HERE.parent.parent / "build/sluiced"
NAMES = sorted(path.name for path in (HERE / "pipelines").iterdir()
               if path.is_dir())
SEED = "1"
FIELDS = ("method", "uri", "request_uri", "args", "vhost", "status",
          "body_bytes_sent", "request_time", "referer", "user_agent",
          "x_forwarded_for", "cookie", "upstream_status", "worker", "pri",
          "ident", "msec", "log_file_path", "nothing_of_that_name")
TEMPLATE = "time:{time}\t" + "\t".join(f"{f}:{{{f}}}" for f in FIELDS)
# Fluent Bit does not create directories.
DIRECTORIES = ["vhosts", "errors", "failed",
               *(f"log/{day}" for day in traffic.DAYS)]

Outcome = namedtuple("Outcome", "exit files stderr")


def published():
    """The published configuration, with the paths of this run and with its
    template completed."""
    texts = {name: (PUBLISHED / name).read_text() for name in
             ("fluent-bit.conf", "parsers.conf", "create-log-file-path.lua")}
    for old, new in (("/tmp/sidecar-nginx/sys-log.sock", "@SOCKET@"),
                     ("/log/output/path", "@DIR@/out/log"),
                     ("HTTP_PORT           2020", "HTTP_PORT  @PORT@"),
                     ("@FIELDS@", TEMPLATE)):
        assert old in texts["fluent-bit.conf"]
        texts["fluent-bit.conf"] = texts["fluent-bit.conf"].replace(old, new)
    return texts


def texts_of(name):
    if name == "seed":
        return published()
    return {path.name: path.read_text()
            for path in sorted((HERE / "pipelines" / name).iterdir())
            if path.suffix in (".conf", ".lua")}


class Piped(Run):
    """A run whose lines are sent no faster than a rate."""

    def __init__(self, program, name, lines, rate):
        texts = texts_of(name)
        super().__init__(program, Case(HERE / "pipelines" / name, {
            "name": name, "time": traffic.NOW,
            "env": {"HOSTNAME": "edge-1.example.net", "CLUSTER": "prod-eu"},
            "conf": texts.pop("fluent-bit.conf"), "extra": texts}))
        self.lines = lines
        self.rate = rate

    def _lay_out(self):
        super()._lay_out()
        for directory in DIRECTORIES:
            (self.dir / "out" / directory).mkdir(parents=True)

    def _go(self):
        until(lambda: self._is_ended() or self._is_listening(),
              lambda: f"the program to start:\n{self._read('stderr')}")
        if self._is_ended():
            raise Stuck(f"the program ended at once:\n{self._read('stderr')}")
        peer = self.peers["unix_udp"] = Peer(
            "unix_udp", self.places["@SOCKET@"])
        start = time.monotonic()
        for n, line in enumerate(self.lines):
            if n % 50 == 0:
                time.sleep(max(0, start + n / self.rate - time.monotonic()))
            peer.send(line)
        until(lambda: (self._is_ended()
                       or self._received() >= len(self.lines)),
              lambda: f"{len(self.lines)} lines, not {self._received()}")
        self._quiet(self.program.quiet_s)

    def _received(self):
        answer = self._ask({"path": "/api/v1/metrics"})
        if answer.status != 200:
            return 0
        return json.loads(answer.body)["input"]["syslog.0"]["records"]


def run(program, name, lines, rate=float("inf")):
    result = Piped(program, name, lines, rate).result()
    files = {path.removeprefix("out/"): data
             for path, data in result.files.items()}
    return Outcome(result.exit, files, result.stderr)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def digest_of_lines(lines):
    return digest(b"\n".join(lines))


def digests(files):
    return {name: digest(data) for name, data in sorted(files.items())}


def recorded_file(name):
    return HERE / "pipelines" / name / "recorded.yaml"


def record(program, name, lines, outcome):
    recorded_file(name).write_text(yaml.safe_dump({
        "fluent_bit": program.name, "lines": len(lines), "seed": SEED,
        "sent": digest_of_lines(lines), "files": digests(outcome.files),
    }, sort_keys=False, width=200))


def problems_with_record(program, name):
    """The differences from the recorded results of Fluent Bit."""
    said = yaml.safe_load(recorded_file(name).read_text())
    lines = traffic.lines(name, said["lines"], said["seed"])
    if digest_of_lines(lines) != said["sent"]:
        return ["traffic.py makes other lines than recorded: run --record"]
    try:
        outcome = run(program, name, lines)
    except (Stuck, OSError) as e:
        return [str(e)]
    got = digests(outcome.files)
    found = [f"{file}: {got.get(file, 'missing')}, Fluent Bit "
             f"{said['fluent_bit']} gave {said['files'].get(file, 'none')}"
             for file in sorted(got.keys() | said["files"])
             if got.get(file) != said["files"].get(file)]
    if outcome.exit != 0:
        found.append(f"exit {outcome.exit}: {outcome.stderr[-2000:]}")
    return found


def unequal_lines(file, ours, theirs, most=3):
    ours, theirs = ours.split(b"\n"), theirs.split(b"\n")
    pairs = [(n, a, b) for n, (a, b) in enumerate(zip(ours, theirs), 1)
             if a != b]
    yield (f"{file}: {len(ours) - 1} lines, Fluent Bit {len(theirs) - 1}, "
           f"{len(pairs)} differ")
    for n, a, b in pairs[:most]:
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
                  min(len(a), len(b)))
        start = max(0, at - 60)
        yield f"  line {n} from byte {start}: {a[start:at + 100]!r}"
        yield f"      Fluent Bit: {b[start:at + 100]!r}"


def differences(ours, theirs):
    for file in sorted(ours.files.keys() | theirs.files):
        if file not in theirs.files:
            yield f"{file}: only sluiced writes it"
        elif file not in ours.files:
            yield f"{file}: only Fluent Bit writes it"
        elif ours.files[file] != theirs.files[file]:
            yield from unequal_lines(file, ours.files[file],
                                     theirs.files[file])
    for who, outcome in (("sluiced", ours), ("Fluent Bit", theirs)):
        if outcome.exit != 0:
            yield f"{who}: exit {outcome.exit}: {outcome.stderr[-2000:]}"


def keep(folder, who, name, files):
    for file, data in files.items():
        path = Path(folder, name, who, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def compare(sluiced, fluent_bit, name, args):
    sent = traffic.lines(name, args.lines, args.seed)
    theirs = run(fluent_bit, name, sent, args.rate)
    ours = run(sluiced, name, sent, args.rate)
    if args.keep:
        keep(args.keep, "sluiced", name, ours.files)
        keep(args.keep, fluent_bit.name, name, theirs.files)
    if args.record:
        record(fluent_bit, name, sent, theirs)
    lines = sum(data.count(b"\n") for data in theirs.files.values())
    size = sum(map(len, theirs.files.values()))
    print(f"{name}: {args.lines} lines, {fluent_bit.name}: "
          f"{len(theirs.files)} files, {lines} lines, {size} bytes")
    return list(differences(ours, theirs))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(NAMES))
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--rate", type=float, default=5000,
                        help="lines per second, if Fluent Bit runs (5000)")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--keep", metavar="DIR")
    args = parser.parse_args()
    if args.record and args.seed != SEED:
        parser.error(f"--record needs --seed {SEED}")
    moved_clock()
    sluiced = Sluiced(os.environ.get("SLUICED", DEFAULT))
    failed = 0
    for name in args.names or NAMES:
        if "FLUENT_BIT" in os.environ:
            found = compare(sluiced, FluentBit(os.environ["FLUENT_BIT"]),
                            name, args)
        else:
            found = problems_with_record(sluiced, name)
        failed += bool(found)
        print(f"{'FAIL' if found else 'same'} {name}",
              *found, sep="\n  ", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
