# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the end-to-end tests.

The fixtures that start a process also stop it, and its end is a test in itself:
see harness/daemon.py, which checks the accounting equation each time."""
import glob
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import cgroup, mount, namespace
from harness.daemon import SLUICED, Daemon
from harness.nginx import Nginx
from harness.room import OutDir, Room
from harness.scale import SEED
from harness.slow_backend import SlowBackend
from harness.stream import Stream

MAY_MOUNT = pytest.StashKey[bool]()


def pytest_sessionstart(session):
    namespace.enter_new()
    session.config.stash[MAY_MOUNT] = mount.enter_new()
    if session.config.stash[MAY_MOUNT]:
        Room.parent = tempfile.mkdtemp(prefix="sluiced-", dir="/tmp")
        mount.SmallDisk(Path(Room.parent), 4 << 30)
        os.chmod(Room.parent, 0o755)


def pytest_sessionfinish(session):
    if Room.parent != "/tmp":
        mount.unmount(Room.parent)
        os.rmdir(Room.parent)


def pytest_collection_modifyitems(items):
    if not os.access(SLUICED, os.X_OK) and items:
        pytest.exit(f"{SLUICED} does not exist: run `make` first", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, f"{report.when}_failed", report.failed)
    if report.failed:
        report.sections.append(("random choices", f"SEED={SEED}"))


@pytest.fixture
def room(request):
    room = Room()
    yield room
    if getattr(request.node, "call_failed", False):
        for name in sorted(glob.glob(f"{room.path}/**/*.log", recursive=True)):
            log = Path(name)
            if log.name.startswith("sluiced") or log.name == "error.log":
                print(f"--- {log}\n{log.read_text(errors='replace')[-4000:]}")
        print(f"the files of this test are in {room.keep()}")
    else:
        room.remove()


@pytest.fixture
def out(room):
    return OutDir(room.out)


@pytest.fixture
def start(room):
    """Start daemons.  When the test is over, each of them is stopped and
    checked: exit code, log, open descriptors, accounting equation."""
    daemons = []

    def start_one(config, **more):
        daemons.append(Daemon(room, config, **more))
        return daemons[-1]
    yield start_one
    for strace in room.straces:
        strace.end()
    try:
        for daemon in daemons:
            daemon.stop()
    finally:
        for daemon in daemons:
            daemon.kill()


@pytest.fixture
def start_nginx(room):
    servers = []

    def start_one(*args, **more):
        servers.append(Nginx(room, *args, **more))
        return servers[-1]
    yield start_one
    for server in servers:
        server.stop()


@pytest.fixture
def slow_backend(start_nginx):
    """When a test has failed, nginx stops only if its requests are answered."""
    backend = SlowBackend()
    yield backend
    backend.answer_all()


@pytest.fixture
def own_network():
    """A new network namespace, as a pod has: its queue length is 10."""
    before = namespace.here()
    if not namespace.enter_new():
        os.close(before)
        pytest.skip("needs root to make a network namespace")
    yield
    namespace.enter(before)
    os.close(before)


@pytest.fixture
def stream(room):
    """Start streams of numbered lines."""
    streams = []

    def start_one(*args, **more):
        streams.append(Stream(room, *args, **more))
        return streams[-1]
    yield start_one
    for one in streams:
        one.kill()


@pytest.fixture
def held_socket(room):
    """A socket that the test has bound and holds, as systemd may do.  The
    datagrams in it outlive every process of the daemon."""
    if namespace.may_set_queue_length():
        namespace.set_queue_length(4096)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        held.bind(str(room.socket))
        room.socket.chmod(0o666)
        yield held


@pytest.fixture
def mount_disk(request):
    """Mount file systems of a given size."""
    if not request.config.stash[MAY_MOUNT]:
        pytest.skip("needs root to mount a file system")
    disks = []

    def mount_one(path, size_bytes, **more):
        disks.append(mount.SmallDisk(path, size_bytes, **more))
        return disks[-1]
    yield mount_one
    for disk in reversed(disks):
        disk.unmount()


@pytest.fixture
def ext4_disk(request, room):
    """At the directory of the output files."""
    if not request.config.stash[MAY_MOUNT]:
        pytest.skip("needs root to mount a file system")
    try:
        disk = mount.Ext4Disk(room.path / "image", room.out, 32 << 20)
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"cannot make and mount an ext4 image: {e}")
    yield disk
    disk.unmount()


@pytest.fixture
def small_disk(mount_disk, room):
    return mount_disk(room.out, 2 << 20)


@pytest.fixture
def hanging_disk(request, room):
    """At the directory of the output files.  Request it before `start`: it is
    unmounted when the daemons have ended."""
    if not request.config.stash[MAY_MOUNT]:
        pytest.skip("needs root to mount a file system")
    try:
        disk = mount.HangingDisk(room.disk, room.out, 256 << 20)
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"cannot make and mount ext4 images: {e}")
    yield disk
    disk.unmount()


@pytest.fixture
def limited(request):
    """A control group with a memory limit: that of the manifest, unless the
    test gives another one as the parameter of the fixture."""
    limit_bytes = getattr(request, "param", cgroup.LIMIT_BYTES)
    try:
        group = cgroup.MemoryGroup(limit_bytes)
    except OSError:
        pytest.skip("needs root to make a control group")
    yield group
    group.remove()
