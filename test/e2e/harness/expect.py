# SPDX-License-Identifier: Apache-2.0
"""Computes from nginx's JSON, independently of sluiced, which line a template
must give."""
import json
import re

SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\b": r"\b", "\f": r"\f"}


def escaped(text):
    """Escape control characters, so that they cannot forge a line or a
    field, and bytes that are not UTF-8.  Each character stands for a byte."""
    text = text.encode("latin-1").decode("utf-8", "backslashreplace")
    text = re.sub("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e"
                  "\u2066-\u2069]", lambda m: SHORT.get(
                      m[0], f"\\u{ord(m[0]):04x}"), text)
    return text.encode().decode("latin-1")


def read_json(line):
    """Read one line of nginx's escape=json.  It passes every byte above 0x1f
    unchanged, so each byte becomes one character here."""
    return json.loads(line.decode("latin-1"))


def template_line(template, fields):
    """Replace {key} by the field of that name; {time} is one of the fields.
    A key that is no field stays as it is."""
    text = re.sub(r"\{([a-z_]+)\}",
                  lambda m: escaped(fields[m[1]]) if m[1] in fields else m[0],
                  template)
    return text.encode("latin-1")
