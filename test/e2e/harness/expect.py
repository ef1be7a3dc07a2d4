# SPDX-License-Identifier: Apache-2.0
"""What a line has to be, computed from nginx's JSON by other means."""
import json
import re

SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\b": r"\b", "\f": r"\f"}


def escaped(text):
    """Control characters cannot forge a line or a field."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda m: SHORT.get(
        m[0], f"\\u{ord(m[0]):04x}"), text)


def read_json(line):
    """nginx's escape=json lets any byte above 0x1f through: a byte each."""
    return json.loads(line.decode("latin-1"))


def template_line(template, fields):
    """{key} is the field, {time} is among them; a missing one stays."""
    text = re.sub(r"\{([a-z_]+)\}",
                  lambda m: escaped(fields[m[1]]) if m[1] in fields else m[0],
                  template)
    return text.encode("latin-1")
