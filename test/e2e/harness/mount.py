# SPDX-License-Identifier: Apache-2.0
"""File systems for the tests, in a mount namespace that ends with them."""
import contextlib
import ctypes
import fcntl
import os
import subprocess

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT, MS_REC, MS_PRIVATE = 1, 32, 16384, 1 << 18
MNT_DETACH = 2
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878

libc = ctypes.CDLL(None, use_errno=True)


def _mount(source, target, kind, flags, data):
    encode = os.fsencode
    if libc.mount(encode(source), encode(target), encode(kind),
                  ctypes.c_ulong(flags), encode(data)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")


def enter_new():
    """Move this process, and all that it starts later, into a new mount
    namespace.  False if that is not permitted or not possible."""
    if libc.unshare(CLONE_NEWNS) != 0:
        return False
    try:
        _mount("none", "/", "none", MS_REC | MS_PRIVATE, "")
    except OSError:  # in a chroot, our mounts would be visible outside
        return False
    return True


def unmount(path):
    libc.umount2(os.fsencode(path), MNT_DETACH)


class SmallDisk:
    """A tmpfs of `size_bytes`, mounted at a directory.  `inodes` limits how
    many files it holds."""

    def __init__(self, path, size_bytes, inodes=None, is_read_only=False):
        self.path = path
        self.size = f"size={size_bytes}"
        if inodes is not None:
            self.size += f",nr_inodes={inodes}"
        path.mkdir(exist_ok=True)
        _mount("tmpfs", path, "tmpfs", MS_RDONLY if is_read_only else 0,
               self.size)

    def read_only(self, is_it):
        """Fails with EBUSY while a file is open for writing, as on any file
        system."""
        flags = MS_REMOUNT | (MS_RDONLY if is_it else 0)
        _mount("tmpfs", self.path, "tmpfs", flags, self.size)

    def grow(self, size_bytes):
        self.size = f"size={size_bytes}"
        self.read_only(False)

    def allow_inodes(self, inodes):
        self.size = self.size.split(",")[0] + f",nr_inodes={inodes}"
        self.read_only(False)

    def free_bytes(self):
        return os.statvfs(self.path).f_bfree * os.statvfs(self.path).f_bsize

    def fill(self, left_bytes):
        """Leave about that much room, until empty() removes the ballast."""
        with open(self.path / "ballast", "wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(1 << 16))
                except OSError:
                    break
            file.truncate(max(file.tell() - left_bytes, 0))

    def empty(self):
        (self.path / "ballast").unlink()

    def unmount(self):
        unmount(self.path)


class Ext4Disk:
    """An ext4 of `size_bytes` in the file `image`, mounted at a directory.  It
    rejects a write that does not fit as a whole.  The constructor raises
    OSError or CalledProcessError where such a disk is not possible."""

    def __init__(self, image, path, size_bytes):
        self.path = path
        path.mkdir(exist_ok=True)
        with open(image, "wb") as file:
            file.truncate(size_bytes)
        for command in (["mkfs.ext4", "-q", "-F", "-m", "0", image],
                        ["mount", "-o", "loop", image, path]):
            subprocess.run(command, check=True, capture_output=True)

    def fill(self):
        """Write pieces of 64 KiB until one does not fit."""
        with open(self.path / "ballast", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass

    def empty(self):
        (self.path / "ballast").unlink()

    def unmount(self):
        unmount(self.path)


class HangingDisk(Ext4Disk):
    """An ext4 whose image is on another ext4, which can be frozen.  Meanwhile,
    written bytes stay in the page cache: the disk does not complete any
    write."""

    def __init__(self, room, path, size_bytes):
        self.below = Ext4Disk(room / "below.image", room / "below",
                              size_bytes + (64 << 20))
        super().__init__(self.below.path / "image", path, size_bytes)

    def _order(self, request):
        fd = os.open(self.below.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, request, 0)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def hangs(self):
        """Meanwhile, the disk hangs."""
        self._order(FIFREEZE)
        try:
            yield
        finally:
            self._order(FITHAW)

    def unmount(self):
        super().unmount()
        self.below.unmount()
