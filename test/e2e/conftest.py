# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
from pathlib import Path

import pytest

from harness import namespace
from harness.daemon import SLUICED, Daemon
from harness.nginx import Nginx
from harness.room import OutDir, Room


def pytest_sessionstart(session):
    namespace.enter_new()


def pytest_collection_modifyitems(items):
    if not os.access(SLUICED, os.X_OK) and items:
        pytest.exit(f"there is no {SLUICED}: run `make` first", 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, f"{report.when}_failed", report.failed)


@pytest.fixture
def room(request):
    room = Room()
    yield room
    if getattr(request.node, "call_failed", False):
        for log in sorted(room.path.rglob("*.log")):
            if log.name.startswith("sluiced") or log.name == "error.log":
                print(f"--- {log}\n{log.read_text(errors='replace')[-4000:]}")
        print(f"kept: {room.path}")
    else:
        room.remove()


@pytest.fixture
def out(room):
    return OutDir(room.out)


@pytest.fixture
def start(room):
    """Start daemons; at the end each must have ended as it ought to."""
    daemons = []

    def start_one(config, **more):
        daemons.append(Daemon(room, config, **more))
        return daemons[-1]
    yield start_one
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
def own_network():
    """A network namespace as new as a pod's: queue length 10."""
    before = namespace.here()
    if not namespace.enter_new():
        os.close(before)
        pytest.skip("needs root, for a network namespace of its own")
    yield
    namespace.enter(before)
    os.close(before)


@pytest.fixture(scope="session")
def burst_sender(tmp_path_factory):
    """sender.c, compiled."""
    program = tmp_path_factory.mktemp("sender") / "sender"
    source = Path(__file__).with_name("sender.c")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra",
                    "-o", program, source], check=True)
    return program
