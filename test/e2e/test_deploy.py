# SPDX-License-Identifier: Apache-2.0
"""The files of deploy/, conf/ and lua/ must name the same paths, ports and
times.  No compiler compares them, so these tests do."""
import datetime
import fnmatch
import os
import re
import shlex
import socket
import subprocess
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from harness.config import CONF, DEPLOY, LUA, ROOT
from harness.daemon import SLUICED, run
from harness.load import get, send_requests
from harness.namespace import free_port
from harness.nginx import shipped_config
from harness.room import OutDir
from harness.wait import HANG_S, SAN, wait_until

# --- what the files contain


def default_of(name):
    """The default of ${NAME:-value}, which must be the same everywhere in
    sluiced.conf."""
    values = set(re.findall(r"\$\{%s:-([^}]*)\}" % name,
                            (CONF / "sluiced.conf").read_text()))
    assert len(values) == 1, (name, values)
    return values.pop()


def key_of(key):
    value = re.search(rf"^\s+{key}\s+(.*)$",
                      (CONF / "sluiced.conf").read_text(), re.M)
    return value[1].strip()


SOCKET = default_of("SLUICED_SOCKET")
OUT = default_of("SLUICED_OUT")
PORT = int(default_of("SLUICED_HTTP_PORT"))
HOOK = default_of("SLUICED_HOOK")


class Overlay:
    """The parts of the Deployment in deploy/istio-operator.yaml, by name."""

    def __init__(self):
        text = (DEPLOY / "istio-operator.yaml").read_text()
        gateway, = (yaml.safe_load(text)["spec"]["components"]
                    ["ingressGateways"])
        overlay, = gateway["k8s"]["overlays"]
        assert overlay["name"] == gateway["name"]
        self.patches, self.appended = {}, {}
        for patch in overlay["patches"]:
            path = patch["path"].removeprefix("spec.template.spec.")
            if path.endswith("]"):
                self.appended.setdefault(path, []).append(patch["value"])
            else:
                self.patches[path] = patch["value"]

    def named(self, kind):
        """The items that the overlay appends to a list, by name.  Their index,
        1000, is beyond the end of the list."""
        values = self.appended[kind + "[1000]"]
        return {value["name"]: value for value in values}

    @property
    def nginx(self):
        return self.named("containers")["sidecar-nginx"]

    @property
    def sluiced(self):
        return self.named("containers")["sidecar-sluiced"]

    def mounts(self, container):
        """mountPath -> volume"""
        return {mount["mountPath"]: self.named("volumes")[mount["name"]]
                for mount in container["volumeMounts"]}


@pytest.fixture
def overlay():
    return Overlay()


@pytest.fixture
def configmaps():
    maps = yaml.safe_load_all((DEPLOY / "configmap.yaml").read_text())
    return {m["metadata"]["name"]: m for m in maps}


def env_of(container):
    return {e["name"]: e["value"] for e in container.get("env", [])}


def ports_of(container):
    return [port["containerPort"] for port in container["ports"]]


def dockerfile_packages(stage):
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    stages = re.split(r"^FROM ", text, flags=re.M)[1:]
    command = re.search(r"--no-install-recommends(.*?)&&", stages[stage])[1]
    return set(command.split())


def makefile_words(variable):
    database = subprocess.run(
        ["make", "-pn", "-C", str(ROOT), "help"], capture_output=True,
        text=True, env={"PATH": os.environ["PATH"]}).stdout
    return set(re.search(rf"^{variable} :?= (.*)$", database, re.M)[1].split())


# --- comparing the files


def test_both_containers_use_the_same_socket_in_a_shared_directory(overlay):
    nginx_conf = (CONF / "nginx.conf").read_text()
    assert re.findall(r"server=unix:([^ ,;]+)", nginx_conf) == [SOCKET]
    directory = os.path.dirname(SOCKET)
    volumes = [overlay.mounts(container)[directory]
               for container in (overlay.nginx, overlay.sluiced)]
    assert volumes[0] == volumes[1]
    assert volumes[0]["emptyDir"]["medium"] == "Memory"


def test_nginx_cannot_write_where_the_journal_is(overlay):
    directory = os.path.dirname(SOCKET)
    read_only = [mount.get("readOnly", False)
                 for container in (overlay.nginx, overlay.sluiced)
                 for mount in container["volumeMounts"]
                 if mount["mountPath"] == directory]
    assert read_only == [True, False]
    # So nginx must not write there, either.
    text = (CONF / "nginx.conf").read_text()
    written = re.findall(r"^\s*(?:pid|\w+_temp_path)\s+(\S+);", text, re.M)
    writable = [mount["mountPath"] for mount in overlay.nginx["volumeMounts"]
                if not mount.get("readOnly")]
    assert len(written) == 6
    for path in written:
        assert any(path.startswith(parent + "/") for parent in writable)
    assert re.findall(r"error_log\s+(\S+)", text) == ["stderr"]


def test_fluentd_tails_the_files_that_the_hook_names(overlay):
    volume = overlay.mounts(overlay.sluiced)[OUT]
    assert volume["hostPath"]["path"] == OUT
    source = (DEPLOY / "fluentd-source.conf").read_text()
    path = re.search(r"^\s+path (.*)$", source, re.M)[1]
    hook = (LUA / HOOK).read_text()
    day = re.search(r'os\.date\("([^"]+)"', hook)[1]
    name = re.search(r"'?\"(/[^\"]+\.log)\"", hook)[1]
    assert re.fullmatch(r"%[Y%md-]+", day)
    assert path == f"{OUT}/*{name}"
    # With a limit of less than a day, lines after midnight would be lost.
    assert re.search(r"^\s+limit_recently_modified 2d$", source, re.M)
    # fluentd does not read the file of lines that could not be parsed.
    assert not fnmatch.fnmatch(f"{OUT}/{key_of('File')}", path)


def test_all_containers_use_the_same_time_zone(overlay):
    zone = env_of(overlay.nginx)["TZ"]
    assert env_of(overlay.sluiced)["TZ"] == zone


def test_fluentd_can_read_the_lines_of_the_template():
    source = (DEPLOY / "fluentd-source.conf").read_text()
    template = key_of("Template")
    labels = [field.split(":")[0] for field in template.split("\t")]
    assert "@type ltsv" in source and len(labels) == len(set(labels)) >= 12
    assert re.search(r"\stime_key (\w+)", source)[1] in labels


def test_nginx_sends_every_field_of_the_template():
    log_format = re.search(r"log_format json_access_format (.*?);",
                           (CONF / "nginx.conf").read_text(), re.S)[1]
    sent = re.findall(r'"([a-z_]+)":"\$[a-z_]+"', log_format)
    assert len(sent) == len(set(sent)) >= 20
    asked = re.findall(r"\{([a-z_]+)\}", key_of("Template"))
    assert set(asked) <= set(sent)
    assert key_of("Rule").split()[0] in sent


def test_all_files_name_the_same_ports(overlay):
    assert ports_of(overlay.sluiced) == [PORT]
    for probe in ("readinessProbe", "livenessProbe"):
        assert overlay.sluiced[probe]["httpGet"]["port"] == PORT
    assert (overlay.sluiced["readinessProbe"]["httpGet"]["path"]
            == "/api/v1/metrics/prometheus")
    assert overlay.sluiced["livenessProbe"]["httpGet"]["path"] == "/"
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^EXPOSE (\d+)", dockerfile, re.M) == [str(PORT)]
    listen = re.findall(r"listen\s+(\d+);", (CONF / "nginx.conf").read_text())
    assert [int(port) for port in listen] == ports_of(overlay.nginx)


def test_nginx_and_envoy_use_different_ports(overlay):
    """8080 is the targetPort of port 80 in Istio's Service.  If no Service has
    the Gateway's port, Envoy listens on that port itself."""
    assert ports_of(overlay.nginx) == [8080]
    upstream = re.findall(r"^\s+server\s+127\.0\.0\.1:(\d+);",
                          (CONF / "nginx.conf").read_text(), re.M)
    gateway = re.findall(r"^#\s+- port: {number: (\d+),",
                         (DEPLOY / "istio-operator.yaml").read_text(), re.M)
    assert upstream == gateway and int(gateway[0]) not in (
        80, 443, 8080, 8443, 15021)


def test_the_limits_equal_those_of_the_replaced_fluent_bit(overlay):
    wanted = {"cpu": "150m", "memory": "128Mi"}
    assert overlay.sluiced["resources"] == {"requests": wanted,
                                            "limits": wanted}


def mib_of(quantity):
    return int(re.fullmatch(r"(\d+)Mi", quantity)[1]) * 1024 * 1024


def test_a_full_journal_and_full_spills_fit_into_the_volume(overlay, room,
                                                            start):
    """Journal and spills are in memory, so the process has only the rest of
    its limit."""
    daemon = start(CONF / "sluiced.conf", env={
        "SLUICED_SOCKET": str(room.socket), "SLUICED_OUT": str(room.out),
        "SLUICED_HOOK": str(LUA / HOOK), "SLUICED_HTTP_LISTEN": "127.0.0.1",
        "SLUICED_HTTP_PORT": "0"})
    journal = (room.socket.parent / ".sluiced.journal").stat().st_size
    daemon.stop()
    outputs = (CONF / "sluiced.conf").read_text().count("[OUTPUT]")
    spill = 16_000_000 + 3_670_016  # storage.spill_size and one batch
    process = 8 * 1024 * 1024
    volume = overlay.mounts(overlay.sluiced)[os.path.dirname(SOCKET)]
    size_limit = mib_of(volume["emptyDir"]["sizeLimit"])
    assert journal + outputs * spill <= size_limit
    limit = mib_of(overlay.sluiced["resources"]["limits"]["memory"])
    assert size_limit + process <= limit


def test_kubernetes_waits_longer_than_grace(overlay):
    assert overlay.patches["terminationGracePeriodSeconds"] > int(
        key_of("Grace"))


def test_the_queue_length_is_raised_and_istio_s_own_sysctl_is_kept(overlay):
    sysctls = {s["name"]: s["value"]
               for s in overlay.patches["securityContext.sysctls"]}
    assert sysctls == {"net.ipv4.ip_unprivileged_port_start": "0",
                       "net.unix.max_dgram_qlen": key_of("Queue_Length")}


def test_no_container_runs_as_root(overlay):
    for container in (overlay.nginx, overlay.sluiced):
        context = container["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] > 0
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"]["drop"] == ["ALL"]
    user = re.search(r"^USER (\d+):(\d+)$",
                     (DEPLOY / "Dockerfile").read_text(), re.M)
    context = overlay.sluiced["securityContext"]
    assert (int(user[1]), int(user[2])) == (context["runAsUser"],
                                            context["runAsGroup"])
    # The hint about the host's directory names the same group.
    hint = re.search(r"install -d -m 2770 -g (\d+) (\S+)",
                     (DEPLOY / "istio-operator.yaml").read_text())
    assert (int(hint[1]), hint[2]) == (context["runAsGroup"], OUT)


def test_every_mounted_file_is_in_its_configmap(overlay, configmaps):
    mounted = 0
    for volume in overlay.named("volumes").values():
        if "configMap" not in volume:
            continue
        data = configmaps[volume["configMap"]["name"]]["data"]
        items = [item["key"] for item in volume["configMap"]["items"]]
        assert sorted(items) == sorted(data)
        mounted += 1
    assert mounted == len(configmaps) == 2


def test_every_volume_is_mounted_and_nothing_of_istio_s_is_replaced(overlay):
    mounted = {mount["name"] for container in (overlay.nginx, overlay.sluiced)
               for mount in container["volumeMounts"]}
    assert mounted == set(overlay.named("volumes"))
    assert set(overlay.appended) == {"containers[1000]", "volumes[1000]"}


def test_the_committed_configmap_matches_conf_and_lua(configmaps):
    made = subprocess.run([DEPLOY / "make-configmap.sh"], check=True,
                          capture_output=True, text=True).stdout
    assert made == (DEPLOY / "configmap.yaml").read_text(), (
        "run deploy/make-configmap.sh >deploy/configmap.yaml")
    for configmap in configmaps.values():
        for name, text in configmap["data"].items():
            source = LUA / name if name.endswith(".lua") else CONF / name
            assert text == source.read_text()


def test_the_command_lines_name_files_that_are_mounted(overlay):
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    wanted = ["-c", "/etc/sluiced/sluiced.conf"]
    assert yaml.safe_load(re.search(r"^CMD (.*)$", dockerfile, re.M)[1]
                          ) == wanted
    health = yaml.safe_load(re.search(r"^HEALTHCHECK CMD (.*)$", dockerfile,
                                      re.M)[1])
    assert health == ["/usr/local/bin/sluiced", "healthcheck", *wanted]
    assert overlay.sluiced["args"] == wanted
    assert "/etc/sluiced" in overlay.mounts(overlay.sluiced)
    copied = shlex.split(re.search(r"^COPY (.* /etc/sluiced/)$", dockerfile,
                                   re.M)[1])[:-1]
    for path in copied:
        assert (ROOT / path).is_file(), path
    assert sorted(Path(path).name for path in copied) == sorted(
        ["sluiced.conf", HOOK])


def test_the_image_is_built_with_the_packages_of_the_makefile():
    assert dockerfile_packages(0) == makefile_words("DEPS_BUILD") | {"make"}


@pytest.mark.skipif(SAN != "", reason="a sanitizer build needs other libraries")
def test_the_image_has_exactly_the_packages_that_the_binary_needs():
    dynamic = subprocess.run(["readelf", "-d", SLUICED], check=True,
                             capture_output=True, text=True).stdout
    needed = set()
    for library in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        owner = subprocess.run(["dpkg-query", "-S", f"*-linux-gnu*/{library}"],
                               check=True, capture_output=True, text=True)
        needed.add(owner.stdout.split(":")[0])
    assert dockerfile_packages(1) == (needed - {"libc6"}) | {"tzdata"}


# --- running them


def test_the_configmap_is_accepted_as_kubelet_lays_it_out(room, configmaps):
    """Each file is a symlink into ..data, which is a symlink to a dated
    folder."""
    dated = room.path / "etc" / "..2026_11_21_02_50_00.1"
    dated.mkdir(parents=True)
    (room.path / "etc" / "..data").symlink_to(dated.name)
    for name, text in configmaps["sidecar-sluiced"]["data"].items():
        (dated / name).write_text(text)
        (room.path / "etc" / name).symlink_to(f"..data/{name}")
    elsewhere = room.path / "cwd"
    elsewhere.mkdir()
    result = run("-c", room.path / "etc" / "sluiced.conf", "--dry-run",
                 cwd=elsewhere, env={"SLUICED_OUT": str(room.out),
                                     "SLUICED_SOCKET": str(room.socket)})
    assert result.code == 0, result.err
    assert "level=warn" not in result.err


def start_shipped_nginx(room, start_nginx, gateway_port):
    port = free_port()
    return start_nginx(config=shipped_config(room.path, room.socket, port,
                                             gateway_port),
                       port=port, env={"TZ": "Asia/Tokyo"})


class Upstream:
    """Takes one request on each connection and answers with what it got: the
    length of the body, and the headers of an upgrade."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                connection = self.listener.accept()[0]
                with connection, connection.makefile("rb") as file:
                    self._answer(connection, file)
        except OSError:
            pass

    def _answer(self, connection, file):
        if not file.readline():
            return
        headers = {}
        while (line := file.readline().strip()):
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        if "upgrade" in headers:
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\n"
                b"Connection: %s\r\n\r\n" % (headers["upgrade"].encode(),
                                             headers["connection"].encode()))
            connection.sendall(file.readline().upper())
            return
        body = file.read(int(headers.get("content-length", 0)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d"
                           % (len(str(len(body))), len(body)))


def test_nginx_passes_on_large_bodies_and_websockets(room, start_nginx):
    upstream = Upstream()
    nginx = start_shipped_nginx(room, start_nginx, upstream.port)
    with socket.create_connection(("127.0.0.1", nginx.port)) as client:
        client.settimeout(HANG_S)
        size = 5 << 20
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                       b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"%d" % size)
    with socket.create_connection(("127.0.0.1", nginx.port)) as client:
        client.settimeout(HANG_S)
        client.sendall(b"GET /chat HTTP/1.1\r\nHost: a\r\n"
                       b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        file = client.makefile("rb")
        assert file.readline().startswith(b"HTTP/1.1 101 ")
        while file.readline().strip():
            pass
        client.sendall(b"over the new protocol\n")
        assert file.readline() == b"OVER THE NEW PROTOCOL\n"
    upstream.listener.close()


def test_conf_and_lua_work_together_with_nginx(room, start, start_nginx):
    """Uses conf/sluiced.conf, conf/nginx.conf and the hook unchanged, except
    for paths and ports."""
    daemon = start(CONF / "sluiced.conf", env={
        "SLUICED_SOCKET": str(room.socket), "SLUICED_OUT": str(room.out),
        "SLUICED_HOOK": str(LUA / HOOK), "SLUICED_HTTP_LISTEN": "127.0.0.1",
        "SLUICED_HTTP_PORT": "0", "TZ": "Asia/Tokyo"})
    gateway = start_nginx(name="gateway", http="access_log off;",
                          server='location / { return 200 "ok"; }')
    nginx = start_shipped_nginx(room, start_nginx, gateway.port)
    send_requests(nginx.port, [
        get(b"/one?a=b", b'User-Agent: say "hi"'), get(b"/two%0Aforged:x")],
        connections=1)
    out = OutDir(room.out)
    wait_until(lambda: out.has(2), "the lines")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"<190>Nov 21 02:08:26 h nginx: {not json", str(room.socket))
        s.sendto(b"not syslog either", str(room.socket))
    counts = daemon.wait_for_messages(4)
    assert counts.written == 4

    today = datetime.datetime.now(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m%d")
    name = f"{today}/istio-ingressgateway-access.log"
    assert out.files() == sorted([name, "unparsed.log"])
    one, two = (dict(field.split(b":", 1) for field in line.split(b"\t"))
                for line in out.lines(name))
    assert one[b"method"] == b"GET" and one[b"vhost"] == b"shop.example"
    assert one[b"uri"] == b"/one" and one[b"query"] == b"a=b"
    assert one[b"status"] == b"200" and one[b"ua"] == b'say "hi"'
    assert one[b"host"] == b"127.0.0.1" and one[b"time"].endswith(b"+09:00")
    assert two[b"uri"] == b"/two\\nforged:x" and two[b"forwardedfor"] == b""
    unparsed = out.lines("unparsed.log")
    assert len(unparsed) == 2
    assert b"{not json" in unparsed[0] and b"not syslog either" in unparsed[1]
    assert nginx.refused() == 0


def test_the_demo_succeeds(room):
    done = subprocess.run([ROOT / "test" / "demo.sh", SLUICED],
                          capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "301 requests, 301 lines" in done.stdout
