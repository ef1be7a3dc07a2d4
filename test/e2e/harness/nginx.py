# SPDX-License-Identifier: Apache-2.0
"""Runs a real nginx with two workers, which are not root."""
import contextlib
import os
import re
import shutil
import socket
import subprocess

from .config import CONF
from .namespace import free_port
from .wait import HANG_S, wait_until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIG = """\
daemon off;
worker_processes 2;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {dir}/client_temp;
    proxy_temp_path {dir}/proxy_temp;
    fastcgi_temp_path {dir}/fastcgi_temp;
    uwsgi_temp_path {dir}/uwsgi_temp;
    scgi_temp_path {dir}/scgi_temp;
    keepalive_requests 1000000;
{http}
    server {{
        listen 127.0.0.1:{port} reuseport;
{server}
    }}
}}
"""


def shipped_config(directory, log_socket, port, gateway_port):
    """conf/nginx.conf unchanged, except for paths and ports."""
    config = (CONF / "nginx.conf").read_text()
    for old, new in (("/tmp/sidecar-nginx/sys-log.sock", log_socket),
                     ("/var/run", directory), ("/var/cache/nginx", directory),
                     ("listen  8080", f"listen  127.0.0.1:{port}"),
                     ("127.0.0.1:8081;", f"127.0.0.1:{gateway_port};")):
        assert old in config
        config = config.replace(old, str(new))
    return "daemon off;\n" + config


class Nginx:
    """An nginx configured by the texts inside http and server, or by a whole
    file."""

    def __init__(self, room, http="", server="", config=None, port=None,
                 env=None, name="nginx"):
        self.dir = room.path / name
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.port = port or free_port()
        if config is None:
            config = CONFIG.format(dir=self.dir, port=self.port, http=http,
                                   server=server)
        path = self.dir / "nginx.conf"
        path.write_text(config)
        self.stderr = open(self.dir / "stderr.log", "wb")
        self.process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-p", str(self.dir), "-c", str(path)],
            env={"PATH": os.environ["PATH"], **(env or {})},
            stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr)
        try:
            wait_until(self._answers, lambda: f"nginx:\n{self.errors()}")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self.process.poll() is None, self.errors()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def errors(self):
        return "".join(p.read_text(errors="replace") for p in
                       (self.dir / "error.log", self.dir / "stderr.log")
                       if p.exists())

    def refused(self):
        """How many lines nginx could not send: it logs each at level warn."""
        return len(re.findall(r"send\(\) to syslog|send\(\) failed.*syslog"
                              r"|while logging to syslog", self.errors()))

    def has_two_workers_that_are_not_root(self):
        """The workers are root until they have started."""
        pid = self.process.pid
        uids = []
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            for child in children.read().split():
                with contextlib.suppress(FileNotFoundError):  # it has ended
                    uids.append(os.stat(f"/proc/{child}").st_uid)
        return len(uids) == 2 and 0 not in uids

    def stop(self):
        """Let the workers finish their requests, then end nginx."""
        if self.process.poll() is None:
            self.process.send_signal(3)
            try:
                self.process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.stderr.close()
