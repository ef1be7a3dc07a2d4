# SPDX-License-Identifier: Apache-2.0
"""The surroundings of a collector: a cgroup, which counts and limits its
resources, and a network namespace with its own datagram queue length."""
import ctypes
import os
import re
import subprocess
import time
from collections import Counter, namedtuple
from pathlib import Path
from signal import SIGKILL, SIGTERM

CLONE_NEWNET = 0x40000000
QUEUE_LENGTH = "/proc/sys/net/unix/max_dgram_qlen"
CGROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 100000

# periods: the periods of the CPU limit in which the collector ran; throttled:
# the periods in which the kernel stopped it; waited_ns: how long the main
# threads, which receive, waited for a processor for any reason.
Counters = namedtuple("Counters", "cpu_ns waited_ns periods throttled")

libc = ctypes.CDLL(None, use_errno=True)


class Unfit(Exception):
    """This machine cannot run the benchmark; the text gives the reason."""


def wait_until(question, what, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}")
        time.sleep(0.005)
    return answer


class Cgroup:
    """A cgroup of version 1.  It counts the CPU of its processes in
    nanoseconds, and optionally has the limits of a pod."""

    KINDS = ("cpu", "cpuacct", "memory")
    made = 0

    def __init__(self, cpu_millicores=None, memory_bytes=None):
        Cgroup.made += 1
        name = f"sluiced-bench-{os.getpid()}-{Cgroup.made}"
        self.paths = {kind: CGROUPS / kind / name for kind in self.KINDS}
        for path in self.paths.values():
            try:
                path.mkdir()
            except OSError as error:
                raise Unfit(f"needs cgroups of version 1, as root: {error}")
        if cpu_millicores:
            self._write("cpu", "cpu.cfs_period_us", PERIOD_US)
            self._write("cpu", "cpu.cfs_quota_us",
                        cpu_millicores * PERIOD_US // 1000)
        if memory_bytes:
            self._write("memory", "memory.limit_in_bytes", memory_bytes)

    def _write(self, kind, name, value):
        (self.paths[kind] / name).write_text(str(value))

    def enter(self):
        """Move the calling process into the cgroup, with all processes that it
        starts later."""
        for kind in self.KINDS:
            self._write(kind, "cgroup.procs", os.getpid())

    def cpu_ns(self):
        return int((self.paths["cpuacct"] / "cpuacct.usage").read_text())

    def kernel_share(self):
        """The share of CPU spent in the kernel, 0 to 1.  It is counted in clock
        ticks, so it is inexact for short runs."""
        user, kernel = (
            int((self.paths["cpuacct"] / f"cpuacct.{name}").read_text())
            for name in ("usage_user", "usage_sys"))
        return kernel / max(1, user + kernel)

    def counters(self):
        stat = (self.paths["cpu"] / "cpu.stat").read_text()
        return Counters(
            self.cpu_ns(),
            sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
                for pid in self.pids()),
            *(int(re.search(rf"{name} (\d+)", stat)[1])
              for name in ("nr_periods", "nr_throttled")))

    def pids(self):
        return [int(pid) for pid in
                (self.paths["cpuacct"] / "cgroup.procs").read_text().split()]

    def close(self):
        for pid in self.pids():
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self.pids(), "an empty cgroup")
        for path in self.paths.values():
            wait_until(lambda path=path: self._remove(path), f"rmdir {path}")

    @staticmethod
    def _remove(path):
        try:
            path.rmdir()
        except OSError:
            return False
        return True


def _enter(cgroup, queue):
    """Called in the child before the program starts: enter the cgroup and a
    new network namespace."""
    cgroup.enter()
    if libc.unshare(CLONE_NEWNET) != 0:
        os._exit(71)
    with open(QUEUE_LENGTH, "w") as file:
        file.write(str(queue))


def check_fitness():
    """Raise Unfit with one sentence if this machine lacks something."""
    if os.geteuid() != 0:
        raise Unfit("needs root, for cgroups and network namespaces")
    Cgroup().close()
    probe = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"echo 512 > {QUEUE_LENGTH}"],
        capture_output=True, text=True)
    if probe.returncode != 0:
        raise Unfit(f"needs network namespaces: {probe.stderr.strip()}")


class Process:
    """A program in its own cgroup and network namespace."""

    def __init__(self, argv, queue, log, cwd, env=None, cpu_millicores=None,
                 memory_bytes=None):
        self.cgroup = Cgroup(cpu_millicores, memory_bytes)
        self.log = Path(log)
        self.has_ended = False
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                [str(arg) for arg in argv], cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
                env={"PATH": os.environ["PATH"], "TZ": "UTC", **(env or {})},
                preexec_fn=lambda: _enter(self.cgroup, queue))

    def check_alive(self):
        code = self.popen.poll()
        assert code is None, (
            f"ended with {code}:\n{self.log.read_text()[-2000:]}")
        return True

    def peak_kb(self):
        """The peak resident memory, summed over all processes."""
        return sum(_peak_kb(pid) for pid in self.cgroup.pids())

    def maps_kb(self):
        return maps_kb(self.cgroup.pids())

    def resident_kb(self):
        """The resident memory now: (without the journal's pages, the journal's
        pages)."""
        maps = self.maps_kb()
        journal = sum(kb for name, kb in maps.items()
                      if ".sluiced.journal" in name)
        return maps.total() - journal, journal

    def stop(self):
        """Stop the program as Kubernetes does.  A second call does nothing."""
        if self.has_ended:
            return
        self.popen.send_signal(SIGTERM)
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            pass
        self.close()

    def close(self):
        self.has_ended = True
        self.cgroup.close()
        self.popen.wait()


def _peak_kb(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0


def maps_kb(pids):
    """{name: kB}: the resident memory of the processes by mapping.  A shared
    page counts once."""
    once, found = {}, Counter()
    for pid in pids:
        for name, is_file, key, fields in _maps(pid):
            if is_file:
                once[key] = (name, max(fields["Rss"],
                                       once.get(key, (name, 0))[1]))
            else:
                found[name or "anonymous"] += fields["Pss"]
    for name, kb in once.values():
        found[name] += kb
    return found


def _maps(pid):
    """The mappings in /proc/PID/smaps: the name, whether it is a file, which
    part of which file, and the sizes in kB."""
    head = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S+) (\S+) (\S+) (\d+) *(.*)$")
    found, fields = None, {}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        start = head.match(line)
        if start:
            if found:
                yield (*found, fields)
            perms, offset, device, inode, name = start.groups()
            # A private page of a file that was written to is not shared.
            is_file = "s" in perms or (inode != "0" and "w" not in perms)
            found = (name, is_file, (device, inode, offset, perms))
            fields = {}
            continue
        key, _, value = line.partition(":")
        if value.endswith(" kB"):
            fields[key] = int(value.split()[0])
    if found:
        yield (*found, fields)
