"""The run directory as one run holds it: nobody else writes into it meanwhile, and a disk's troubles come with a remedy.

The lock is the system's: it goes with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moco.core.errors import DataError

LOCK = ".running"
ANOTHER = "name another folder with -o"
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)
"""Numbers of errors that say the disk is full or cannot be written, whatever is written to it."""
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """``folder``, made where it is not there, for this run alone.

    Raises DataError where another run is in it, and where it cannot be written: now, or at any moment until the end.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            yield
    except OSError as error:
        trouble = of_the_disk(error, folder)
        if trouble is None:
            raise
        raise trouble from error


def of_the_disk(error: OSError, folder: Path) -> DataError | None:
    """``error`` as a fault of the disk that holds ``folder``, or of its rights; None if it is about something else."""
    inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(folder)
    if not inside and error.errno not in OF_THE_DISK:
        return None
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return DataError("cannot write the run: a file is in the place of a folder", where=str(error.filename), remedy=ANOTHER)
    cure = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"make the folder writable, or {ANOTHER}"
    remedy = f"{cure}; the same command continues, what was finished is kept"
    return DataError(f"cannot write the run: {error.strerror or error}", where=str(folder), remedy=remedy)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The lock file of ``folder``; without one where the system or the file system knows no locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = folder / LOCK
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            raise DataError(
                "another run is writing into this folder",
                where=str(folder),
                why=who or "its lock is held",
                remedy=f"wait until it ends, or {ANOTHER}",
            ) from None
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                os.close(fd)
                raise
        if _is(fd, path):
            break
        os.close(fd)  # whoever held it removed it between our opening and our locking
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        os.close(fd)


def _is(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
