# SPDX-License-Identifier: Apache-2.0
"""A random configuration and random datagrams, within the features that sluiced
supports.  Both are lists, from which parts can be removed.

Features with a row in conf/compat.md are not generated, because they are known
to differ."""
import copy
import json

TIME = "2026-11-21 00:00:00"
WORDS = ["", "a", "nginx", "GET", "/index.html", "two words", "200", "12abc",
         "-1.5", "true", "0x1F", "é", "日本語", "a\"b", "back\\slash", "x=y",
         "k:v", "<b>", "100%", "a,b", "tab\there", "-", "null", "[1]", "{}"]
KEYS = ["vhost", "status", "uri", "agent", "ident", "host", "message", "time",
        "nested", "list", "size", "Status", "x-id", "a.b", "pre_one",
        "pre_two"]
PLAIN_KEYS = ["vhost", "status", "uri", "agent", "ident", "message", "nested"]
NUMBERS = [0, 1, -1, 5, 200, 1795219198, 2**31, -2**40]
FLOATS = [0.0, 1.0, -1.0, 1.5, 0.1, 0.001, 3.14159265358979, 1234567.125,
          99999999.5, 0.30000000000000004]
REGEXES = ["^(.*)$", "^$", "a", "^[a-z]+$", "(\\d+)", "^(?<x>.)(.*)$", "^/",
           "\\h+", "^\\S+ \\S+$", "b|n", "^(?i:GET)$", "[[:alpha:]]", "é"]

SYSLOG = (r"^\<(?<pri>[0-9]+)\>(?<time>[^ ]* {1,2}[^ ]* [^ ]*) "
          r"(?<ident>[a-zA-Z0-9_\/\.\-]*)(?:\[(?<pid>[0-9]+)\])?"
          r"(?:[^\:]*\:)? *(?<message>.*)$")
PARSERS = {
    "seed": ["Format regex", f"Regex {SYSLOG}", "Time_Key time",
             "Time_Format %b %d %H:%M:%S", "Time_Keep On"],
    "untimed": ["Format regex", f"Regex {SYSLOG}"],
    "timed": ["Format regex", f"Regex {SYSLOG}", "Time_Key time",
              "Time_Format %b %d %H:%M:%S", "Types pri:integer pid:integer"],
    "json": ["Format json"],
    "jsontime": ["Format json", "Time_Key time",
                 "Time_Format %Y-%m-%dT%H:%M:%S.%L%z", "Time_Keep On"],
    "ltsv": ["Format ltsv"],
    "ltsvtyped": ["Format ltsv", "Types status:integer size:float ok:bool"],
    "logfmt": ["Format logfmt"],
    "logfmttyped": ["Format logfmt",
                    "Types status:integer size:float ok:bool"],
    "combined": [
        "Format regex",
        r'Regex ^(?<host>[^ ]*) [^ ]* (?<user>[^ ]*) \[(?<time>[^\]]*)\] '
        r'"(?<method>\S+)(?: +(?<path>[^\"]*?)(?: +\S*)?)?" (?<code>[^ ]*) '
        r'(?<size>[^ ]*)(?: "(?<referer>[^\"]*)" "(?<agent>[^\"]*)")?$',
        "Time_Key time", "Time_Format %d/%b/%Y:%H:%M:%S %z",
        "Types code:integer size:integer"],
    "words": ["Format regex", r"Regex (?<first>\S+) +(?<second>\S+)",
              "Types first:integer second:float"],
}
HOOKS = [
    "record.added = 'x' return 1, ts, record",
    "record.vhost = nil return 1, ts, record",
    "record.n = (record.n or 0) + 1.5 return 1, ts, record",
    "return 0, 0, 0",
    "if record.status == nil then return -1, 0, 0 end return 0, 0, 0",
    "record.day = os.date('!%Y-%m%d %H:%M', ts) return 2, 0, record",
    "return 1, ts + 0.5, record",
    "record.t = type(record.status) return 2, 0, record",
    "record.text = tostring(record.status) return 2, 0, record",
    "record.len = #tostring(record.message or '') return 2, 0, record",
    "record.sub = string.sub(record.message or '', 2, 5) return 2, 0, record",
    "local c = 0 for k, v in pairs(record) do c = c + 1 end "
    "record.count = c return 2, 0, record",
    "record.tag = tag record.list = {1, 2, 'x'} return 2, 0, record",
    "record.map = {k = {1, 2}, e = 1.25} return 2, 0, record",
    "record.up = string.upper(record.uri or 'none') return 2, 0, record",
    "record.r = string.gsub(record.message or '', '%d', '#') "
    "return 2, 0, record",
    "record.j = (record.vhost or '') .. '/' .. (record.status or 0) "
    "return 2, 0, record",
    "return 2, 0, {{a = 1}, {b = tag}}",
    "record.q = 7 / 2 record.z = 10 / 5 record.m = 7 % 3 return 2, 0, record",
    "record.f = string.format('%d %5.2f %s', 3, 1.5, 'x') "
    "return 2, 0, record",
    "record.day = os.date('%Y-%m%d', ts) return 2, 0, record",
]
NEEDED = {"Name", "Path", "Parsers_File", "Flush", "Mode", "Match", "Tag",
          "Key_Name", "script", "call", "Operation"}


class Model:
    """sections: [(name, lines), ...]; messages: [(header, body), ...]."""

    def __init__(self, rng):
        self.has_hook = False
        self.hooks = []
        self.sections = [
            ("SERVICE", ["Flush 1", "Parsers_File parsers.conf"]),
            ("INPUT", ["Name syslog", "Mode unix_udp", "Path @SOCKET@",
                       f"Tag {rng.choice(['t', 't.one', 'kube.x.y'])}",
                       f"Parser {rng.choice(['seed', 'untimed', 'timed'])}"])]
        kinds = [parser, lua, rewrite_tag, grep, modify, record_modifier,
                 nest]
        if rng.random() < 0.8:
            self.sections.append(("FILTER", parser(self, rng)))
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            self.sections.append(("FILTER", rng.choice(kinds)(self, rng)))
        # A tag with a slash would need a directory.
        is_named = any("Name rewrite_tag" in lines
                       for _, lines in self.sections)
        count = rng.choice([1, 1, 2])
        for number in range(count):
            self.sections.append(
                ("OUTPUT", output(rng, number, is_named or count > 1)))
        # The programs differ about a logfmt key without a value.
        is_logfmt = "Parser logfmt" in self.conf()
        if is_logfmt:
            self.sections = self.sections[:3] + [
                one for one in self.sections[3:] if one[0] == "OUTPUT"]
        kind = logfmt if is_logfmt else body
        self.messages = [(header(rng), kind(rng))
                         for _ in range(rng.randint(4, 16))]

    def conf(self):
        return "".join(f"[{name}]\n" + "".join(f"    {l}\n" for l in lines)
                       for name, lines in self.sections)

    def has_several_writers(self):
        """Whether the order of lines is undefined: Fluent Bit writes the lines
        of each tag and of each output separately."""
        return (sum(name == "OUTPUT" for name, _ in self.sections) > 1
                or any("Name rewrite_tag" in lines
                       for _, lines in self.sections))

    def has_quotes(self):
        """Whether values are quoted.  sluiced escapes quotes and tabs in them;
        Fluent Bit does not."""
        return any("Format csv" in lines or "Format ltsv" in lines
                   for _, lines in self.sections)

    def case(self):
        """The model as a case, in the form that cases/*.yaml use."""
        parsers = "".join(
            f"[PARSER]\n    Name {name}\n"
            + "".join(f"    {line}\n" for line in lines)
            for name, lines in PARSERS.items()
            if f"Parser {name}\n" in self.conf())
        extra = {"parsers.conf": parsers}
        for number, body in enumerate(self.hooks):
            if f"hook{number}.lua" in self.conf():
                extra[f"hook{number}.lua"] = (
                    f"function hook(tag, ts, record)\n    {body}\nend\n")
        return {"time": TIME, "conf": self.conf(), "extra": extra,
                "send": [header + text_of(body)
                         for header, body in self.messages]}

    def smaller(self):
        """Yield models that lack one part, the largest parts first."""
        half = len(self.messages) // 2
        if half:
            for some in (self.messages[:half], self.messages[half:]):
                yield self._with(messages=some)
        for i, (name, _) in enumerate(self.sections):
            if (name == "FILTER" or name == "OUTPUT" and
                    sum(n == "OUTPUT" for n, _ in self.sections) > 1):
                yield self._with(sections=(self.sections[:i]
                                           + self.sections[i + 1:]))
        for i in range(len(self.messages) if len(self.messages) < 9 else 0):
            if len(self.messages) > 1:
                yield self._with(messages=(self.messages[:i]
                                           + self.messages[i + 1:]))
        for i, (name, lines) in enumerate(self.sections):
            for j, line in enumerate(lines):
                if (line.split()[0] not in NEEDED
                        and (name, line.split()[0]) != ("INPUT", "Parser")):
                    yield self._with(sections=(
                        self.sections[:i]
                        + [(name, lines[:j] + lines[j + 1:])]
                        + self.sections[i + 1:]))
        for i, (header, body) in enumerate(self.messages):
            for less in less_of(body):
                yield self._with(messages=(self.messages[:i]
                                           + [(header, less)]
                                           + self.messages[i + 1:]))

    def _with(self, **changed):
        other = copy.copy(self)
        for name, value in changed.items():
            setattr(other, name, value)
        return other


def text_of(body):
    """The text of a body.  A list of pairs becomes a JSON object, in which a
    key may occur twice."""
    if isinstance(body, str):
        return body
    return "{" + ",".join(
        json.dumps(k, ensure_ascii=False) + ":"
        + json.dumps(v, ensure_ascii=False, separators=(",", ":"))
        for k, v in body) + "}"


def less_of(body):
    if isinstance(body, list):
        for i in range(len(body) if len(body) > 1 else 0):
            yield body[:i] + body[i + 1:]
        for i, (key, value) in enumerate(body):
            if isinstance(value, (list, dict)) and len(value) > 1:
                less = (value[1:] if isinstance(value, list)
                        else dict(list(value.items())[1:]))
                yield body[:i] + [(key, less)] + body[i + 1:]
    elif len(words := body.split(" ")) > 1:
        for i in range(len(words)):
            yield " ".join(words[:i] + words[i + 1:])


def value(rng, depth=0):
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(WORDS).replace("\t", " ")
    if kind < 0.65:
        return rng.choice(NUMBERS)
    if kind < 0.75:
        return rng.choice(FLOATS)
    if kind < 0.85 or depth > 2:
        return rng.choice([True, False, None])
    if kind < 0.93:
        # No null and no empty array: a hook cuts an array at its last null,
        # and turns an empty array into a map.
        found = [value(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return [0 if item is None else item for item in found]
    return {rng.choice(KEYS): value(rng, depth + 1)
            for _ in range(rng.randint(0, 3))}


def header(rng):
    pri = rng.choice(["190", "13", "0", "191", "999"])
    day = rng.choice(["Nov 20 23:59:58", "Nov  1 01:02:03", "Nov 21 00:00:00",
                      "Oct 31 12:00:00"])
    ident = rng.choice(["h n: ", "nginx: ", "host-1.a.b nginx[12]: ", "h: ",
                        "h n:", "nginx[123]: "])
    return f"<{pri}>{day} {ident}"


def logfmt(rng):
    return " ".join(
        f"{rng.choice(KEYS)}="
        + (text if text and not set(text) & set(' "=\t') else '"x y"')
        for text in rng.choices(WORDS, k=rng.randint(1, 4)))


def body(rng):
    kind = rng.random()
    if kind < 0.6:
        return [(rng.choice(KEYS), value(rng))
                for _ in range(rng.randint(1, 6))]
    if kind < 0.65:
        return text_of(body_of_json(rng))[:-rng.randint(1, 5)]
    if kind < 0.75:
        return "\t".join(f"{rng.choice(KEYS)}:{rng.choice(WORDS)}"
                         .replace("\t", " ")
                         for _ in range(rng.randint(1, 4)))
    if kind < 0.85:
        return logfmt(rng)
    if kind < 0.92:
        return ('10.0.0.1 - - [20/Nov/2026:12:34:56 +0900] "GET /a b HTTP/1.1"'
                f' {rng.choice(["200", "-", "404"])} '
                f'{rng.choice(["12", "-"])} "-" "curl/7"')
    return " ".join(rng.choice(WORDS).replace("\t", " ")
                    for _ in range(rng.randint(0, 4)))


def body_of_json(rng):
    return [(rng.choice(KEYS), value(rng)) for _ in range(3)]


def some(rng, *lines):
    """Some of the lines, in their order, each with a probability of 1/2."""
    return [line for line in lines if rng.random() < 0.5]


def flag(rng):
    return rng.choice(["On", "Off", "true", "false"])


def parser(model, rng):
    names = rng.sample(["json", "json", "jsontime", "ltsv", "ltsvtyped",
                        "logfmt", "logfmttyped", "combined", "words"],
                       rng.choice([1, 1, 1, 2]))
    return ["Name parser", f"Match {rng.choice(['*', '*', 't*', 'none'])}",
            f"Key_Name {rng.choice(['message'] * 5 + ['vhost'])}",
            *rng.choice([[], [f"Reserve_Data {flag(rng)}"],
                         ["Reserve_Data On", f"Preserve_Key {flag(rng)}"]]),
            *(f"Parser {name}" for name in dict.fromkeys(names))]


def lua(model, rng):
    model.has_hook = True
    model.hooks = model.hooks + [rng.choice(HOOKS)]
    return ["Name lua", "Match *",
            f"script hook{len(model.hooks) - 1}.lua", "call hook",
            *(["type_int_key status n"] if rng.random() < 0.1 else [])]


def rewrite_tag(model, rng):
    """The first filter matches only the input's tags, and later filters only
    the new tags of earlier ones, so that there is no loop."""
    depth = sum("Name rewrite_tag" in lines for _, lines in model.sections)
    match = ["t*", "new0.*", "new1.*"][min(depth, 2)]
    rules = []
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(PLAIN_KEYS)
        rest = rng.choice(["x", "$TAG", "$TAG[0]", "$TAG[1].y", f"${key}",
                           "$0", "$1", "$1.$2", "$nested['status']",
                           "$missing", "$status.z", "$uri"])
        rules.append(f"Rule {rng.choice(['$', '$', ''])}{key} "
                     f"{rng.choice([r for r in REGEXES if ' ' not in r])} "
                     f"new{depth}.{rest} {rng.choice(['true', 'false'])}")
    return ["Name rewrite_tag", f"Match {match}", *rules]


def grep(model, rng):
    return ["Name grep", "Match *", *(
        f"{rng.choice(['Regex', 'Exclude'])} "
        f"{rng.choice(PLAIN_KEYS + ['$nested[' + repr('uri') + ']'])} "
        f"{rng.choice(REGEXES)}" for _ in range(rng.randint(1, 3)))]


def modify(model, rng):
    def rule():
        key, other = rng.choice(PLAIN_KEYS), rng.choice(PLAIN_KEYS + ["new"])
        kind = rng.choice(["Set", "Add", "Remove", "Remove_wildcard",
                           "Remove_regex", "Rename", "Hard_rename", "Copy",
                           "Hard_copy"])
        if kind == "Remove_regex":
            return f"{kind} ^{key[:2]}"
        if kind.startswith("Remove"):
            return f"{kind} {key[:3] if 'wild' in kind else key}"
        return f"{kind} {key} {other}"

    def condition():
        key = rng.choice(PLAIN_KEYS)
        kind = rng.choice(["Key_exists", "Key_does_not_exist",
                           "Key_value_equals", "Key_value_does_not_equal",
                           "Key_value_matches", "A_key_matches",
                           "No_key_matches", "Key_value_does_not_match"])
        if kind in ("Key_exists", "Key_does_not_exist"):
            return f"Condition {kind} {key}"
        if kind in ("A_key_matches", "No_key_matches"):
            return f"Condition {kind} ^{key[:2]}"
        return f"Condition {kind} {key} {rng.choice(['200', 'nginx', 'a'])}"
    return ["Name modify", "Match *",
            *([condition()] if rng.random() < 0.4 else []),
            *(rule() for _ in range(rng.randint(1, 4)))]


def record_modifier(model, rng):
    lines = [f"Record added{i} {rng.choice(['x', 'y1', '5'])}"
             for i in range(rng.randint(0, 2))]
    kind = rng.choice(["Remove_key", "Whitelist_key"])
    lines += [f"{kind} {rng.choice(PLAIN_KEYS + ['time', 'pri'])}"
              for _ in range(rng.randint(0, 3))]
    return ["Name record_modifier", "Match *",
            *(lines or ["Record added x"])]


def nest(model, rng):
    if rng.random() < 0.5:
        return ["Name nest", "Match *", "Operation nest",
                f"Wildcard {rng.choice(['pre_*', 's*', 'vhost', '*'])}",
                f"Nest_under {rng.choice(['under', 'nested'])}",
                *some(rng, "Remove_prefix pre_"),
                *some(rng, "Add_prefix new_")]
    return ["Name nest", "Match *", "Operation lift",
            f"Nested_under {rng.choice(['nested', 'list', 'under'])}",
            *some(rng, "Add_prefix up_"), *some(rng, "Remove_prefix pre_")]


def output(rng, number, is_named):
    lines = ["Name file",
             f"Match {rng.choice(['*', '*', '*', 't*', 'new*'])}",
             "Path @DIR@/out"]
    if is_named or rng.random() < 0.5:
        lines.append(f"File {'xy'[number]}")
    kind = rng.choice(["", "plain", "template", "template", "csv", "ltsv"])
    if kind:
        lines.append(f"Format {kind}")
    if kind == "template":
        parts = [rng.choice(["{%s}" % rng.choice(KEYS), "{time}", "{}", "a:b",
                             "\t", "\\t", "{none}", "{ vhost }", "\"{uri}\"",
                             "[{list}]"]) for _ in range(rng.randint(1, 5))]
        lines.append("Template x" + " ".join(parts))
    if kind in ("csv", "ltsv"):
        lines += some(rng, "Delimiter " + rng.choice(
            ["tab", "\\t", "space", "comma"]))
    if kind == "ltsv":
        lines += some(rng, "Label_Delimiter " + rng.choice(
            ["tab", "space", "comma"]))
    if kind == "csv":
        lines += some(rng, "csv_column_names On")[:0 if is_named else 1]
    return lines
