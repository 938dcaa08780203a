"""A lock that keeps other processes out of a folder while one uses it."""

import contextlib
import dataclasses
import os
import socket
import warnings
import weakref

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

_NAME = "lock"
_held = {}  # from path to `_Held`


class FolderLock:
    """This process's lock on a folder: it refuses other processes, not further locks of its own.

    The operating system releases it when the process ends, however it ends; this object releases
    it when it is no longer used.

    Args:
        folder: the folder, which must exist.

    Raises:
        ValueError: if another process holds the lock.
    """

    def __init__(self, folder):
        path = os.path.join(os.path.realpath(folder), _NAME)
        held = _held.get(path)
        if not (held and held.process == os.getpid() and _is_file(held.descriptor, path)):
            held = _held[path] = _Held(os.getpid(), _acquire(path, folder))
        held.locks += 1
        self.release = weakref.finalize(self, _release, path, held)


@dataclasses.dataclass(eq=False)
class _Held:
    process: int
    descriptor: int
    locks: int = 0


def _acquire(path, folder):
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            owner = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            raise ValueError(
                "`path` must be a folder that no other process backs up to. Received: "
                f"path={os.fspath(folder)!r}, which is in use by {owner or 'another process'}"
            ) from None
        except OSError as error:  # A network file system may have no locks.
            warnings.warn(
                f"{folder} cannot be locked against other processes: {error}", stacklevel=2
            )
            return descriptor
        if _is_file(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            return descriptor
        os.close(descriptor)  # Its owner has just removed it.


def _lock(descriptor):
    if fcntl is not None:
        # Unlike `flock`, not passed on to a forked process, which may outlive this one.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(descriptor, 4096, os.SEEK_SET)  # Behind the bytes that other processes read.
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)


def _is_file(descriptor, path):
    """Whether the path still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _release(path, held):
    held.locks -= 1
    if held.locks or held.process != os.getpid():
        return
    if _held.get(path) is held:
        del _held[path]
    is_ours = _is_file(held.descriptor, path)
    if fcntl is None:  # Windows removes no file that is open.
        os.close(held.descriptor)
    if is_ours:
        with contextlib.suppress(OSError):
            os.unlink(path)
    if fcntl is not None:
        os.close(held.descriptor)
