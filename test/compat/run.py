#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run the cases in cases/*.yaml, which show that sluiced does what Fluent Bit
does.

    SLUICED=build/sluiced test/compat/run.py          all cases with sluiced
    FLUENT_BIT=fluent-bit test/compat/run.py          with the real program
    run.py csv "lua: a hook"                          cases with this in the name
    run.py --show csv                                 print the results
    run.py --rows                                     check conf/compat.md
    run.py --unconfirmed                              list unconfirmed cases
    FLUENT_BIT=... run.py --confirm                   add the version to
                                                      `confirmed` of each case
                                                      that it passes

Each file is one topic and holds a list of cases.  A case:

    - name: csv quotes a delimiter  # a sentence, unique in the file
      confirmed: [1.8.13, 5.1.1]    # the versions that did exactly this
      env: {TZ: UTC}                # added to PATH and HOME
      time: "2026-11-21 02:50:00"   # UTC: the clock of the program starts here
      conf: |                       # written to @DIR@/fluent-bit.conf
        ...
      main: fluent-bit.yaml         # another name of that file
      extra: {hook.lua: "...", link.conf: {link: ../other}}  # more files
             # {data: hooks/x.lua} copies a file of test/data
      args: ["-D"]                  # after -c CONF; without conf, all arguments
      cwd: out                      # the working directory below @DIR@
      send: ["<190>...", ...]       # in this order, one datagram each
      http: [{path: /, json: {}}]   # requested after the messages were received
      perm: "0644"                  # the mode of the socket at @SOCKET@
      files: {out/name: "text"}     # all files below @DIR@/out at the end
      stdout: text                  # must be in the output; a list: all of them
      stderr: text                  # the same; checked only with sluiced
      exit: 78                      # if not 0: the program does not start or,
                                    # if messages are sent, dies of them (-11)
      differs:                      # replaces the above for one program
        "5.1.1": {files: {...}}
        sluiced: {files: {...}, row: name of the row in conf/compat.md}

conf may be a list of texts, which are joined.  An item {parts: ...} instead of
a case holds texts that the cases use through YAML anchors; the parts in
common.yaml can be used by every file.

`differs: {sluiced: {as: 5.1.1, row: ...}}` means that sluiced does what that
version does.

In all texts, @DIR@ is the directory of the case, @SOCKET@ and @SOCKET2@ are two
socket paths, @TCP@, @UDP@ and @PORT@ (HTTP) are ports, @PARSERS@ is the path of
conf/parsers.conf, and @x*400@ is 400 times x.  The runner waits for the sockets
and ports that the configuration names.

An item of `send` is a text, {text: ...} or {base64: ...}.  It goes to @SOCKET@
as a Unix datagram, or elsewhere with {via: unix_tcp, to: "@SOCKET2@"}, where
via is udp, tcp or unix_tcp.  A stream is one connection, closed at the end.
{signal: HUP} sends a signal, and {wait: 2} waits up to two seconds for the
program to end.

A file is a text, {base64: ...}, {re: ...} for a regular expression that matches
all of it, or {any_order: text}, which compares the lines with the keys of their
JSON in any order.

An item of `http` has path, method and status (200), and for the body: is (all
of it), has (a list of texts), re (matches all of it) or json (equal).  The
request is repeated until the answer is as expected.
"""
import argparse
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import case as cases  # noqa: E402
import table  # noqa: E402
from expect import problems  # noqa: E402
from program import (FluentBit, Run, Sluiced,  # noqa: E402
                     Stuck, moved_clock)

HERE = Path(__file__).resolve().parent
DEFAULT = HERE.parent.parent / "build/sluiced"


def the_program():
    if "FLUENT_BIT" in os.environ:
        return FluentBit(os.environ["FLUENT_BIT"])
    return Sluiced(os.environ.get("SLUICED", DEFAULT))


def outcome(program, case):
    """The problems, as sentences, and the Result, or None if the run got
    stuck."""
    run = Run(program, case)
    try:
        result = run.result()
    except (Stuck, OSError) as e:
        return [str(e)], None
    return problems(run, result), result


def outcomes(program, some, jobs):
    """Yield (case, problems, Result) for each case, in the order of `some`."""
    moved_clock()
    with ThreadPoolExecutor(jobs) as pool:
        todo = [pool.submit(outcome, program, case) for case in some]
        for case, one in zip(some, todo):
            yield case, *one.result()


def show(case, result):
    print(f"=== {case.name}")
    if result is None:
        return
    print(f"exit: {result.exit}")
    for name, data in result.files.items():
        print(f"--- {name}\n{data.decode(errors='backslashreplace')}")
    for answer in result.http:
        print(f"--- http {answer.status}\n{answer.body}")
    for stream in ("stdout", "stderr"):
        print(f"--- {stream}\n{getattr(result, stream)}")


def confirm(case, version):
    """Write the version into the case, leaving the rest as it stands."""
    text = case.path.read_text()
    start = re.search(r"^(\s*)- name: *[\"']?" + re.escape(case.title)
                      + r"[\"']?\s*$", text, re.M)
    if not start:
        print(f"{case.name}: `- name:` is not found, confirm it by hand")
        return
    end = re.compile(r"^\s*- name:", re.M).search(text, start.end())
    end = end.start() if end else len(text)
    body = text[start.end():end]
    said = re.search(r"^\s*confirmed: *\[(.*)\] *$", body, re.M)
    if said:
        body = (body[:said.start(1)] + said[1]
                + (", " if said[1].strip() else "") + version
                + body[said.end(1):])
    elif re.search(r"^\s*confirmed:", body, re.M):
        print(f"{case.name}: confirm it by hand")
        return
    else:
        body = f"\n{start[1]}  confirmed: [{version}]" + body
    case.path.write_text(text[:start.end()] + body + text[end:])


def check_sluiced(program, some, jobs):
    failed = 0
    for case, wrong, _ in outcomes(program, some, jobs):
        if wrong:
            failed += 1
            print(f"FAIL {case.name}\n  " + "\n  ".join(wrong))
    return failed


def check_fluent_bit(program, some, jobs, write):
    """A case fails if `confirmed` names this version and the version behaves
    differently."""
    failed = 0
    for case, wrong, _ in outcomes(program, some, jobs):
        says = program.name in case.confirmed
        if wrong:
            failed += says
            print(f"{'FAIL' if says else 'not confirmed'} {case.name}\n  "
                  + "\n  ".join(wrong))
        elif not says and write:
            confirm(case, program.name)
        elif not says:
            print(f"could be confirmed: {case.name}")
    return failed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of names of cases")
    parser.add_argument("-j", "--jobs", type=int, default=16)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--unconfirmed", action="store_true")
    parser.add_argument("--confirm", action="store_true")
    args = parser.parse_args()
    some = [case for case in cases.load(HERE / "cases") if not args.names
            or any(name in case.name for name in args.names)]
    if args.rows:
        found = table.problems(some)
        print("\n".join(found))
        return 1 if found else 0
    if args.unconfirmed:
        for case in some:
            if not case.confirmed:
                print(case.name)
        return 0
    program = the_program()
    start = time.monotonic()
    if args.show:
        for case, wrong, result in outcomes(program, some, args.jobs):
            show(case, result)
            print("\n".join(["--- wrong", *wrong] if wrong else ["--- good"]))
        return 0
    if program.name == "sluiced":
        failed = check_sluiced(program, some, args.jobs)
    else:
        failed = check_fluent_bit(program, some, args.jobs, args.confirm)
    print(f"{program.name}: {len(some)} cases, {failed} failed, "
          f"{time.monotonic() - start:.1f} s")
    return 1 if failed or not some else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except cases.Wrong as e:
        sys.exit(str(e))
