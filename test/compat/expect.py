# SPDX-License-Identifier: Apache-2.0
"""Compares the result of a run with what the case expects."""
import json
import re
from difflib import unified_diff

from case import bytes_of

DECODER = json.JSONDecoder(parse_float=lambda text: ("float", text),
                           parse_int=lambda text: ("int", text))
# The start of a record in out_file's format, after the tag.
RECORD = re.compile(r": \[[0-9]+\.[0-9]+, (?={)")


def without_order(data):
    """Each line as (text before the JSON, JSON, text after it)."""
    lines = []
    for line in data.decode(errors="surrogateescape").splitlines(True):
        record = RECORD.search(line)
        at = record.end() if record else line.find("{")
        try:
            value, end = DECODER.raw_decode(line, at)
            lines.append((line[:at], json.dumps(value, sort_keys=True),
                          line[end:]))
        except (ValueError, IndexError):
            lines.append((line, "", ""))
    return lines


def _is_same(expected, got):
    if isinstance(expected, dict) and "re" in expected:
        return re.fullmatch(expected["re"],
                            got.decode(errors="surrogateescape"))
    if isinstance(expected, dict) and "any_order" in expected:
        return (without_order(expected["any_order"].encode())
                == without_order(got))
    return bytes_of(expected) == got


def _shown(value):
    """The lines of a value, with a mark if the last newline is missing."""
    if isinstance(value, dict):
        kind, = value
        text = value[kind]
        if kind == "base64":
            text = bytes_of(value).decode(errors="backslashreplace")
    elif isinstance(value, bytes):
        text = value.decode(errors="backslashreplace")
    else:
        text = value
    lines = text.split("\n")
    return lines[:-1] + ([lines[-1] + "\\ no newline"] if lines[-1] else [])


def _file_problems(expected, got):
    for name in sorted(set(expected) | set(got)):
        if name not in got:
            yield f"{name}: missing"
        elif name not in expected:
            yield f"{name}: not expected: {got[name][:2000]!r}"
        elif not _is_same(expected[name], got[name]):
            diff = unified_diff(_shown(expected[name]), _shown(got[name]),
                                "expected", "got", lineterm="", n=1)
            yield "\n    ".join([f"{name}:", *(d[:1000] for d in diff)])


def http_problem(question, answer):
    if answer.status != question.get("status", 200):
        return f"status {answer.status}: {answer.body[:1000]}"
    body = answer.body
    if "is" in question and body != question["is"]:
        return f"body {body[:3000]!r}"
    for text in question.get("has", []):
        if text not in body:
            return f"without {text!r}: {body[:3000]!r}"
    if "re" in question and not re.fullmatch(question["re"], body):
        return f"does not match: {body[:3000]!r}"
    if "json" in question:
        try:
            if json.loads(body) != question["json"]:
                return f"body {body[:3000]!r}"
        except ValueError:
            return f"not JSON: {body[:3000]!r}"
    return None


def _texts(value):
    return value if isinstance(value, list) else [value]


def last_messages(stderr):
    """The last lines of the log, without those of a normal start."""
    return [line[:300] for line in stderr.splitlines()
            if re.match(r"sluiced|[\[2]", line) and "[1mFluent" not in line
            and "info" not in line][-8:]


def problems(run, result):
    """One sentence for each difference; none if the result is as expected."""
    case = run.case
    found = []
    if result.exit != case.get("exit", 0):
        found.append(f"exit {result.exit}, not {case.get('exit', 0)}")
    if "perm" in case and result.perm != int(str(case["perm"]), 8):
        found.append(f"the socket has mode {result.perm or 0:04o}")
    found += _file_problems(case.get("files", {}), result.files)
    for text in _texts(case.get("stdout", [])):
        if text not in result.stdout:
            found.append(f"stdout without {text!r}: {result.stdout[-2000:]}")
    if run.program.name == "sluiced":
        for text in _texts(case.get("stderr", [])):
            if text not in result.stderr:
                found.append(f"stderr without {text!r}")
    for question, answer in zip(case.get("http", []), result.http):
        problem = http_problem(question, answer)
        if problem:
            found.append(f"{question['path']}: {problem}")
    if len(result.http) < len(case.get("http", [])):
        found.append("no HTTP request: the program had exited")
    if found:
        found.append("\n    ".join(["stderr:", *last_messages(result.stderr)]))
    return found
