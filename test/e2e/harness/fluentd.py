# SPDX-License-Identifier: Apache-2.0
"""Runs a real fluentd with the source of deploy/."""
import json
import os
import subprocess
from signal import SIGKILL, SIGTERM

from .config import DEPLOY
from .daemon import environment
from .wait import HANG_S, wait_until

OUTPUT = """
<match istio.**>
  @type file
  path {dir}/records
  append true
  <format>
    @type json
  </format>
  <buffer []>
    path {dir}/buffer
    flush_mode immediate
  </buffer>
</match>
"""


class Fluentd:
    """Reads the files below `room.out` and appends each record, as a line of
    JSON, to one file.  It can be stopped and started again."""

    def __init__(self, room, binary, zone):
        self.room = room
        self.binary = binary
        self.zone = zone
        self.dir = room.disk / "fluentd"
        self.dir.mkdir()
        self.starts = 0
        source = (DEPLOY / "fluentd-source.conf").read_text()
        for old, new in (("/log/output/path", room.out),
                         ("/var/log/fluentd", self.dir)):
            assert old in source
            source = source.replace(old, str(new))
        self.config = self.dir / "fluent.conf"
        self.config.write_text(source + OUTPUT.format(dir=self.dir))
        self.process = None
        self.start()

    def start(self):
        self.starts += 1
        self.log_path = self.room.new_file("fluentd", ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "-c", self.config],
                env=environment({"TZ": self.zone}), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)

        def is_running():
            assert self.process.poll() is None, self.log()
            return "fluentd worker is now running" in self.log()
        wait_until(is_running, lambda: f"fluentd:\n{self.log()}")

    def begin_stop(self):
        """After SIGTERM, fluentd writes its buffers and its positions."""
        self.process.send_signal(SIGTERM)

    def end_stop(self):
        assert self.process.wait(HANG_S) == 0, self.log()
        for level in ("[error]", "[fatal]"):
            assert level not in self.log(), self.log()

    def kill(self):
        try:
            os.killpg(self.process.pid, SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def records(self):
        path = self.dir / "records.log"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def has(self, count):
        path = self.dir / "records.log"
        return path.exists() and path.read_bytes().count(b"\n") >= count
