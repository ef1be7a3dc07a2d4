# SPDX-License-Identifier: Apache-2.0
"""Reads the cases and applies the parts that differ for one program."""
import base64
import re
from collections import Counter
from pathlib import Path

import yaml

KEYS = {"name", "confirmed", "env", "time", "conf", "main", "extra", "args",
        "cwd", "send", "http", "perm", "files", "stdout", "stderr", "exit",
        "differs"}
SENDING = {"text", "base64", "via", "to", "signal", "wait"}
ASKING = {"path", "method", "status", "is", "has", "re", "json"}
TEXT = {"text", "base64", "re", "any_order"}
REPEATED = re.compile(r"@(.)\*(\d+)@")
PLACE = re.compile(r"@[A-Z0-9]+@")


class Wrong(Exception):
    """A case has a mistake."""


def joined(conf):
    """The text of a configuration, which may be a list of texts."""
    return "".join(conf) if isinstance(conf, list) else conf


class Case:
    """One case.  Its name is "area: sentence"."""

    def __init__(self, path, raw):
        self.path = path
        self.area = path.stem
        if not isinstance(raw, dict) or "name" not in raw:
            raise Wrong(f"{path}: a case without name: {raw!r:.60}")
        self.raw = raw
        self.title = raw["name"]
        self.name = f"{self.area}: {self.title}"
        self.confirmed = [str(v) for v in raw.get("confirmed", [])]
        self.differs = {str(k): v for k, v in raw.get("differs", {}).items()}
        self._check()

    def _check(self):
        self._only(self.raw, KEYS)
        for program, other in self.differs.items():
            self._only(other, KEYS - {"name", "confirmed", "differs"}
                       | {"as", "row"})
            if program == "sluiced" and "row" not in other:
                raise Wrong(f"{self.name}: sluiced differs without a row")
        for item in self.raw.get("send", []):
            if isinstance(item, dict):
                self._only(item, SENDING)
        for item in self.raw.get("http", []):
            self._only(item, ASKING)

    def _only(self, given, known):
        if not isinstance(given, dict) or not set(given) <= known:
            raise Wrong(f"{self.name}: {given!r:.60} may have only the keys "
                        f"{', '.join(sorted(known))}")

    @property
    def row(self):
        """The row of conf/compat.md that says why sluiced differs."""
        return self.differs.get("sluiced", {}).get("row")

    def as_for(self, program):
        """The case as it applies to "sluiced" or to a version."""
        other = dict(self.differs.get(program, {}))
        other.pop("row", None)
        base = self.raw
        if "as" in other:
            base = self.as_for(str(other.pop("as")))
        merged = {**base, **other}
        if "conf" in merged:
            merged["conf"] = joined(merged["conf"])
        return merged


def items(path):
    """The items of a file.  It may use the parts of common.yaml."""
    common = path.parent.parent / "common.yaml"
    try:
        return yaml.load(common.read_text() + path.read_text(),
                         Loader=yaml.CSafeLoader)
    except yaml.YAMLError as e:
        raise Wrong(f"{path}: {e}") from None


def parts(path):
    """The named parts of a file, and those of common.yaml that it uses."""
    used = set(re.findall(r"[*](\w+)|^    (\w+):", path.read_text(), re.M))
    used = {name for names in used for name in names}
    return {name: part for item in items(path) if "parts" in item
            for name, part in item["parts"].items() if name in used}


def load(folder):
    """All cases, in the order of files and lines."""
    cases = []
    for path in sorted(Path(folder).glob("*.yaml")):
        cases += [Case(path, raw) for raw in items(path)
                  if set(raw) != {"parts"}]
    twice = [n for n, count in Counter(c.name for c in cases).items()
             if count > 1]
    if twice:
        raise Wrong(f"two cases have this name: {twice}")
    return cases


def filled(value, places):
    """Replace placeholders such as @DIR@, and expand @x*40000@."""
    if isinstance(value, str):
        value = PLACE.sub(lambda m: places.get(m[0], m[0]), value)
        return REPEATED.sub(lambda m: m[1] * int(m[2]), value)
    if isinstance(value, dict):
        return {filled(k, places): filled(v, places)
                for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, places) for v in value]
    return value


def bytes_of(value):
    """The bytes of a text, of {text: ...} or of {base64: ...}."""
    if isinstance(value, dict):
        if "base64" in value:
            return base64.b64decode(value["base64"])
        value = value["text"]
    return value.encode()
