# SPDX-License-Identifier: Apache-2.0
"""Unpacks the peers from Debian's packages without installing them.  Installed
packages would exclude each other and replace the machine's own syslog."""
import subprocess
import sys
from pathlib import Path

PACKAGES = ("rsyslog", "syslog-ng-core")


def unpack(below):
    """Unpack the packages; returns the directory that holds their files."""
    root = Path(below).resolve() / "peers"
    packages = root.parent / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if (root / f"{name}.version").exists():
            continue
        done = subprocess.run(
            ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root",
             name],
            cwd=packages, capture_output=True, text=True)
        found = sorted(packages.glob(f"{name}_*.deb"))
        if done.returncode != 0 or not found:
            print(f"bench: without {name}: {done.stderr.strip()[-200:]}",
                  file=sys.stderr)
            continue
        subprocess.run(["dpkg", "-x", found[-1], root], check=True)
        (root / f"{name}.version").write_text(found[-1].name.split("_")[1])
    return root


def version(root, name):
    """The upstream version of an unpacked package; None if it is missing."""
    try:
        return (root / f"{name}.version").read_text().rpartition("-")[0]
    except FileNotFoundError:
        return None
