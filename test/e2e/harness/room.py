# SPDX-License-Identifier: Apache-2.0
"""Directories for one test, which nginx's workers may enter."""
import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def _new_dir(parent):
    path = Path(tempfile.mkdtemp(prefix="sluiced-", dir=parent))
    path.chmod(0o755)
    return path


class Room:
    """The directories of a test.  As in a pod, the socket and the journal are
    on a tmpfs (if the test may mount one), and the output is on a disk.

    pytest's own tmp_path is closed to other users, and its long names do not
    fit into a socket's address (108 bytes)."""

    parent = "/tmp"

    def __init__(self):
        self.path = _new_dir(self.parent)
        self.disk = _new_dir("/tmp")
        self.socket = self.path / "log.sock"
        self.out = self.disk / "out"
        self.faults = None  # of the disk, if a test wants some
        self.straces = []  # a process ends only when its strace has ended

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def new_file(self, stem, suffix):
        """A path that does not exist yet: stem.log, stem-2.log ..."""
        path, n = self.path / (stem + suffix), 1
        while path.exists():
            n += 1
            path = self.path / f"{stem}-{n}{suffix}"
        return path

    def keep(self):
        """Copy the tmpfs, which ends with the tests, to the disk."""
        subprocess.run(["cp", "-a", "--sparse=always", self.path,
                        self.disk / "room"], check=False)
        return self.disk

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)


class OutDir:
    """The files below a directory, except the locks of sluiced."""

    OWN = ".sluiced"  # how the names of sluiced's own files begin

    def __init__(self, path):
        self.path = Path(path)

    def files(self):
        """The names of the files, relative to the directory.  Path.rglob would
        fail if a directory vanishes meanwhile."""
        return sorted(str((Path(folder) / name).relative_to(self.path))
                      for folder, _, names in os.walk(self.path)
                      for name in names if Path(folder).name != ".sluiced")

    def bytes(self, pattern="**/*"):
        """The content of all files that the pattern matches, in the order of
        their names.  The file that a worker writes to try the directory does
        not count.  Any file may vanish meanwhile."""
        content = []
        for name in sorted(glob.glob(pattern, root_dir=self.path,
                                     recursive=True, include_hidden=True)):
            if any(part.startswith(self.OWN) for part in Path(name).parts):
                continue
            path = self.path / name
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    content.append(path.read_bytes())
        return b"".join(content)

    def lines(self, pattern="**/*"):
        """The lines of all files that the pattern matches.  Fails if one ends
        in the middle of a line."""
        data = self.bytes(pattern)
        assert data == b"" or data.endswith(b"\n"), data[-200:]
        return data.split(b"\n")[:-1]

    def has(self, count, pattern="**/*"):
        """Whether there are at least `count` lines; for wait_until."""
        return self.bytes(pattern).count(b"\n") >= count
