# SPDX-License-Identifier: Apache-2.0
"""Makes access logs as nginx, Envoy and pods write them, one datagram per line.

The same kind, count and seed give the same lines.  The lines avoid everything
that conf/compat.md lists as different (control characters, quotes in csv,
invalid UTF-8, maps with several keys that pass through a hook); the cases show
these differences.
"""
import json
import random
import time
from calendar import timegm

# The programs' current time, and the times of the first and last line.
NOW = "2026-11-21 02:50:00"
START_S = timegm((2026, 11, 18, 22, 0, 0))
END_S = timegm((2026, 11, 21, 2, 49, 0))
DAYS = [time.strftime("%Y-%m%d", time.gmtime(day))
        for day in range(START_S, END_S + 86400, 86400)]

HOSTS = ["www.example.com", "shop.example.com", "api.example.com",
         "api.example.com:8443", "xn--r8jz45g.jp", "static.example.net",
         "10.0.3.17", "[2001:db8::1]:8080", "Shop.Example.com", "_", ""]
PATHS = ["/", "/index.html", "/static/app.%d.js", "/assets/img/logo@2x.png",
         "/api/v1/items/%d", "/api/v1/items/%d/reviews?page=3&sort=-date",
         "/search?q=%%E6%%9D%%B1%%E4%%BA%%AC&n=%d", "/login", "/cart/%d",
         "/wp-login.php", "/cgi-bin/test.cgi?x={status}", "/healthz", "/ready",
         "/healthz/db?full=1", "/metrics", "/a b/%d", "/%%00%%0a/..%%2f..%%2f",
         "//double//slash", "/~user/;v=1/$1/{time}", "/日本語/%d", "*",
         "/q?email=kim%d@example.com&token=abc%d", "/[x]/(y)/\\z", "/'it''s'"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
          "Firefox/128.0",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) "
          "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
          "Mobile/15E148 Safari/604.1",
          "Mozilla/5.0 (compatible; Googlebot/2.1; "
          "+http://www.google.com/bot.html)",
          "curl/7.88.1", "python-requests/2.32.3", "Go-http-client/2.0",
          "kube-probe/1.31", "GoogleHC/1.0", "okhttp/4.12.0 été 東京 🗼",
          "-", "", " ", "x", "{time} ${HOME} %s \\ C:\\n\\t\\u0041 'q' <a&b>"]
QUOTED = ['Mozilla/4.0 "compatible"', '"', 'a\\"b', '"><script>x</script>']
REFERERS = ["-", "", "https://www.example.com/", "http://a.example/?q=1&r=%22",
            "https://検索.example/結果?q=東京タワー", "android-app://com.app/"]
METHODS = ["GET"] * 12 + ["POST"] * 4 + ["HEAD", "PUT", "DELETE", "OPTIONS",
                                         "PROPFIND"]
STATUSES = ([200] * 30 + [304] * 4 + [404] * 4
            + [201, 204, 206, 301, 302, 400, 401, 403, 405, 413, 429, 499,
               500, 502, 503, 504])
FLAGS = ["-"] * 20 + ["UH", "UF,URX", "NR", "DC", "UC", "UT", "RL", "UAEX"]
POD_HOSTS = ["edge-1", "edge-2", "node-10-0-3-17", "ip-10-0-1-9.ec2.internal"]


class Dice:
    """Chooses the random parts of a request."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, choices):
        return choices[self.random.randrange(len(choices))]

    def is_in(self, n):
        """True with a probability of 1/n."""
        return self.random.randrange(n) == 0

    def upto(self, n):
        return self.random.randrange(n)

    def count(self):
        """A number that is usually small and sometimes exceeds 32 bits."""
        return self.upto(10 ** self.one([1, 3, 3, 4, 4, 5, 6, 7, 10, 15]))

    def hex(self, digits):
        return f"{self.upto(16 ** digits):0{digits}x}"

    def uuid(self):
        return "-".join(map(self.hex, (8, 4, 4, 4, 12)))

    def seconds(self):
        return f"{self.upto(10 ** self.one([2, 3, 4, 5])) / 1000:.3f}"

    def address(self):
        if self.is_in(8):
            return f"2001:db8:{self.hex(4)}::{self.hex(2)}"
        return ".".join(str(1 + self.upto(254)) for _ in range(4))

    def server(self):
        return f"10.{self.upto(4)}.{self.upto(9)}.{self.upto(250)}:8080"

    def path(self):
        path = self.one(PATHS)
        path = path % ((self.upto(100000),) * path.replace(
            "%%", "").count("%d")) if "%" in path else path
        if self.is_in(400):
            path += "/" + self.one(["a", "%20", "é"]) * self.upto(3000)
        return path

    def agent(self, may_quote):
        if may_quote and self.is_in(25):
            return self.one(QUOTED)
        agent = self.one(AGENTS)
        return agent * self.upto(60) if self.is_in(300) else agent

    def forwarded(self):
        return ", ".join(self.address() for _ in range(
            self.one([0, 0, 1, 1, 1, 2, 3]))) or "-"

    def moment(self, share):
        """The time of a line, as seconds and milliseconds.  `share`, 0 to 1,
        is its place in the traffic; lines are almost in order."""
        at = START_S + int(share * (END_S - START_S)) - self.one([0, 0, 0, 1])
        return at, self.upto(1000)


def stamp(at_s, form):
    return time.strftime(form, time.gmtime(at_s))


def syslog(at_s, words, text, pri=190):
    t = time.gmtime(at_s)
    return (f"<{pri}>{time.strftime('%b', t)} {t.tm_mday:2d} "
            f"{time.strftime('%H:%M:%S', t)} {words}: {text}").encode()


def nginx_escaped(text):
    """The text as nginx writes a variable without escape=json."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else
                   f"\\x{b:02X}" for b in text.encode()) or "-"


def nginx_json(values):
    """JSON as a log_format makes it: written by hand, without spaces."""
    return "{" + ",".join(f'"{k}":{v}' for k, v in values.items()) + "}"


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def nginx_error(dice, at_s):
    level = dice.one(["error"] * 6 + ["warn", "warn", "crit", "notice"])
    what = dice.one([
        'open() "/usr/share/nginx/html/favicon.ico" failed (2: No such file '
        'or directory)',
        "upstream timed out (110: Connection timed out) while reading "
        "response header from upstream",
        "limiting requests, excess: 20.990 by zone \"one\"",
        "signal process started", "client intended to send too large body: "
        f"{dice.count()} bytes"])
    text = (f"{stamp(at_s, '%Y/%m/%d %H:%M:%S')} [{level}] {dice.upto(99)}#"
            f"{dice.upto(99)}: *{dice.count()} {what}")
    if not dice.is_in(5):
        text += f", client: {dice.address()}, server: {dice.one(HOSTS)}"
        text += f', request: "GET {nginx_escaped(dice.path())} HTTP/1.1"'
        if dice.is_in(2):
            text += f', upstream: "http://{dice.server()}/"'
        text += f', host: "{dice.one(HOSTS)}"'
    return syslog(at_s, "nginx", text, pri=187)


def nginx_combined(dice, share):
    at_s, _ = dice.moment(share)
    if dice.is_in(20):
        return nginx_error(dice, at_s)
    version = dice.one(["1.1"] * 9 + ["1.0", "2.0"])
    request = f"{dice.one(METHODS)} {dice.path()} HTTP/{version}"
    if dice.is_in(60):
        request = dice.one(["", "\x16\x03\x01\x02", "GET /", "-", "quit"])
    zone, ahead = dice.one([("+0000", 0), ("+0900", 9), ("-0330", -3.5)])
    user = "-" if not dice.is_in(10) else dice.one(["kim", "o'neil", "søren"])
    text = (f"{dice.address()} - {nginx_escaped(user)} "
            f"[{stamp(at_s + ahead * 3600, '%d/%b/%Y:%H:%M:%S')} {zone}] "
            f'"{nginx_escaped(request)}" {dice.one(STATUSES)} {dice.count()} '
            f'"{nginx_escaped(dice.one(REFERERS))}" '
            f'"{nginx_escaped(dice.agent(True))}"')
    return syslog(at_s, dice.one(["nginx", "nginx", "edge_proxy[12]"]), text)


def nginx_document(dice, share):
    at_s, _ = dice.moment(share)
    words = f"{dice.one(POD_HOSTS)} nginx"
    if dice.is_in(100):
        return syslog(at_s, words, dice.one(
            ["no JSON", '{"vhost":"cut.example.com","status":2', '[1,2]',
             '"text"', "{}", '{"vhost":"www.example.com"}']))
    tries = dice.one([0, 1, 1, 1, 1, 1, 2, 3])
    values = {
        "time_iso8601": quoted(stamp(at_s, "%Y-%m-%dT%H:%M:%S+00:00")),
        "msec": f"{at_s}.{dice.upto(1000):03d}",
        "vhost": quoted(dice.one(HOSTS)),
        "remote_addr": quoted(dice.address()),
        "x_forwarded_for": quoted(dice.forwarded()),
        "request": quoted(f"{dice.one(METHODS)} {dice.path()} HTTP/1.1"),
        "status": dice.one(STATUSES),
        "bytes": dice.count(),
        "request_time": dice.seconds(),
        "upstream_addr": quoted(", ".join(
            dice.server() for _ in range(tries))),
        "upstream_response_time": quoted(dice.one([", ", " : "]).join(
            dice.one([dice.seconds(), dice.seconds(), "-"])
            for _ in range(tries))),
        "cache": quoted(dice.one(["HIT", "MISS", "BYPASS", "", ""])),
        "referer": quoted(dice.one(REFERERS)),
        "agent": quoted(dice.agent(True)),
        "tls": dice.one(['"TLSv1.3"', '"TLSv1.2"', '""']),
    }
    for name in ("referer", "cache", "vhost", "agent", "time_iso8601"):
        if dice.is_in(50):
            del values[name]
    if dice.is_in(40):
        values["status"] = quoted(str(values["status"]))
    if dice.is_in(60):
        values["status"] = "null"
    return syslog(at_s, words, nginx_json(values))


def seed(dice, share):
    """A line for the pipeline `seed`, with all fields of its template."""
    at_s, ms = dice.moment(share)
    if dice.is_in(100):
        return syslog(at_s, "host nginx", dice.one(
            ["no JSON", "", '{"vhost":', "[]", '{"vhost":null,"status":1}',
             '{"uri":"/without/host"}', '{"vhost":7}']))
    method, path = dice.one(METHODS), dice.path()
    values = {
        "time": quoted(stamp(at_s, "%Y-%m-%dT%H:%M:%S+09:00")),
        "msec": f"{at_s}.{ms:03d}",
        "vhost": quoted(dice.one(HOSTS)),
        "remote_addr": quoted(dice.address()),
        "x_forwarded_for": quoted(dice.forwarded()),
        "method": quoted(method),
        "uri": quoted(path.split("?")[0]),
        "args": quoted(path.partition("?")[2]),
        "request_uri": quoted(path),
        "status": dice.one([str(dice.one(STATUSES)),
                            quoted(str(dice.one(STATUSES)))]),
        "body_bytes_sent": dice.count(),
        "request_time": dice.one([dice.seconds(), quoted(dice.seconds())]),
        "referer": quoted(dice.one(REFERERS)),
        "user_agent": quoted(dice.agent(True)),
        "cookie": quoted(f"sid={dice.hex(16)}; theme=\"dark\""),
        "upstream_status": quoted(dice.one(["200", "502, 200", "-", ""])),
        "worker": 7 + dice.upto(2),
    }
    for name in ("referer", "cookie", "args"):
        if dice.is_in(30):
            values[name] = dice.one(["null", "true", "[1,\"x\",{\"a\":null}]",
                                     "{\"n\":[1,2.5]}", "{}"])
    if dice.is_in(50):
        del values[dice.one(sorted(values))]
    return syslog(at_s, f"{dice.one(POD_HOSTS)} nginx", nginx_json(values))


def envoy_text(dice, share):
    at_s, ms = dice.moment(share)
    start = f"[{stamp(at_s, '%Y-%m-%dT%H:%M:%S')}.{ms:03d}Z]"
    flags = dice.one(FLAGS)
    took = dice.upto(10 ** dice.one([1, 2, 3, 5]))
    host = dice.server() if flags == "-" else "-"
    request = (f"{dice.one(METHODS)} {dice.path()} "
               f"{dice.one(['HTTP/1.1', 'HTTP/2', 'HTTP/2', 'HTTP/3'])}")
    if dice.is_in(40):
        request = "- - -"
    details = ("via_upstream" if flags == "-" else dice.one(
        ["no_healthy_upstream", "route_not_found", "upstream_reset_before_"
         "response_started{connection_termination}", "rbac_access_denied_"
         "matched_policy[none]"]))
    reason = dice.one(["-"] * 9 + ["delayed connect error: 111"])
    text = (f'{start} "{request}" {dice.one(STATUSES + [0])} {flags} {details}'
            f' - "{reason}" {dice.count()} {dice.count()} {took} '
            f'{dice.one([took, took, "-"])} "{dice.forwarded()}" '
            f'"{dice.agent(True)}" "{dice.uuid()}" "{dice.one(HOSTS) or "-"}" '
            f'"{host}" outbound|80||{dice.one(["web", "api"])}.shop.svc.'
            f'cluster.local {dice.one([dice.server(), "-"])} {dice.server()} '
            f'{dice.address()}:{dice.upto(65536)} '
            f'{dice.one(["-", "api.example.com"])} '
            f'{dice.one(["default", "-", "canary-10"])}')
    if dice.is_in(100):
        text = dice.one([text[:dice.upto(200)], "warning envoy main: closing",
                         text + " more", "[] \"\" 200"])
    return syslog(at_s, "edge istio-proxy", text)


def envoy_document(dice, share):
    """A line of Envoy's JSON log.  No value contains a quote, because Fluent
    Bit's csv does not escape it."""
    at_s, ms = dice.moment(share)
    flags = dice.one(FLAGS)
    document = {
        "start_time": f"{stamp(at_s, '%Y-%m-%dT%H:%M:%S')}.{ms:03d}Z",
        "request": {"method": dice.one(METHODS), "path": dice.path(),
                    "user_agent": dice.agent(False) or None,
                    "bytes": dice.count()},
        "response": {"code": dice.one(STATUSES + [0]), "flags": flags,
                     "details": dice.one(["via_upstream"] * 4 +
                                         ["route_not_found", None]),
                     "bytes": dice.count()},
        "authority": dice.one(HOSTS) or None,
        "protocol": dice.one(["HTTP/1.1", "HTTP/2", None]),
        "request_id": dice.uuid(),
        "duration": dice.upto(100000),
        "ratio": dice.one([0.5, 0.25, 1.0, 0.001, 12.75, -3.125, 0.1]),
        "sampled": dice.is_in(2),
        "upstream_host": dice.server() if flags == "-" else None,
        "upstream_cluster": "outbound|80||web.shop.svc.cluster.local",
        "upstream_service_time": dice.one([dice.upto(9999), None]),
        "route_name": dice.one(["default", None]),
        "internal_listener": "0.0.0.0_8443",
        "x_b3_traceid": dice.hex(16),
        "labels": dice.one([{}, [], ["canary", 10], {"app": "web", "v": 2},
                            None, "none"]),
        "bytes_sent": dice.one([dice.count(), 2 ** 63 - 1, -2 ** 63,
                                -dice.count()]),
    }
    for name in sorted(document):
        if name != "bytes_sent" and dice.is_in(40):
            del document[name]
    text = compact(document)
    if dice.is_in(10):
        text = text.replace("<", "\\u003c").replace("é", "\\u00e9")
    if dice.is_in(200):
        text = dice.one(["{}", "no JSON", "[1]", '{"request":"flat"}'])
    return syslog(at_s, "edge envoy", text)


def pod_text(dice):
    """A line that the program in a container writes to standard output."""
    kind = dice.upto(12)
    request = {"method": dice.one(METHODS), "path": dice.path(),
               "status": dice.one(STATUSES), "bytes": dice.count()}
    if kind < 6:
        return compact(request | {
            "level": dice.one(["info"] * 5 + ["debug", "warn", "error"]),
            "duration": float(dice.seconds()), "user": dice.one(
                [None, "kim@example.com", "søren.b+x@mail.example.co.uk"]),
            "referer": dice.one(REFERERS),
            "msg": dice.one(["done", "", "said \\\\\"hi\\\\\"", "C:\\\\temp",
                             "card 4111 1111 1111 1111 refused",
                             "password=hunter2&token=abc", "tab\\\\t"])})
    if kind < 9:
        said = dice.one(["took long", "", "retry of kim@x.example"])
        return (f"level={dice.one(['info', 'warn', 'debug'])} "
                f"method={request['method']} path={dice.one(['/', '/a/b'])} "
                f"status={request['status']} bytes={request['bytes']} "
                f"duration={dice.seconds()} "
                f'msg="{said}"')
    if kind < 11:
        return compact({"level": "info", "batch": [
            {"method": dice.one(METHODS), "path": f"/batch/{dice.upto(99)}",
             "status": dice.one(STATUSES)} for _ in range(dice.upto(5))]})
    return dice.one(["plain text of kim@example.com", "panic: nil pointer",
                     "--> token=abc123 <--", "ünïcödé 東京 🗼"])


def pod(dice, share):
    at_s, _ = dice.moment(share)
    namespace = dice.one(["shop", "shop", "edge", "kube-system", "Ops", None])
    meta = {"pod_name": f"web-{dice.hex(6)}", "namespace_name": namespace,
            "host": dice.one(POD_HOSTS), "labels": {
                "app": "web",
                "component": dice.one(["api"] * 9 + ["probe"]),
                "audit": dice.one(["false"] * 3 + ["true", "yes", None])}}
    if namespace is None:
        del meta["namespace_name"]
    end = dice.one(["\n", "\n", ""])
    document = {"log": pod_text(dice) + end,
                "stream": dice.one(["stdout", "stderr"]),
                "time": f"{stamp(at_s, '%Y-%m-%dT%H:%M:%S')}."
                        f"{dice.upto(10 ** 9):09d}Z",
                "kubernetes": meta}
    if dice.is_in(50):
        del document[dice.one(sorted(document))]
    return syslog(at_s, f"{dice.one(POD_HOSTS)} dockerd[{dice.upto(9999)}]",
                  compact(document))


KINDS = {"seed": seed, "nginx-combined": nginx_combined,
         "nginx-json": nginx_document, "envoy-text": envoy_text,
         "envoy-json": envoy_document, "kube": pod}


def lines(kind, count, drawn_from):
    """The datagrams of that kind, in order."""
    dice = Dice(f"{kind}:{drawn_from}")
    return [KINDS[kind](dice, n / count) for n in range(count)]
