"""The file system: what it refuses in words, files written whole or not at all, locks, links."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bakeoff.core.words import BakeoffError, Incomplete

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No room: on the disk, in a quota, below the limit of a file's size."""
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_LINKLESS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
SCRATCH = ".*.[0-9]*"
"""What a kill can leave of files that were being written."""
GO_ON = "make room, then run the same command again: finished work is kept"


class DiskFull(Incomplete):
    """There was no room for a file; finished work is kept, and the same command resumes."""


def refused(error: OSError, path: Path | str = "", doing: str = "") -> BakeoffError:
    """What the system refused as a message: the file, the reason, what would work.

    `path` is used where the error names no file; `doing` says what could not be done. A full disk
    is a `DiskFull`.
    """
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(path)
    text = f"{place}: " if place else ""
    text += f"{doing}: " if doing else ""
    text += error.strerror or str(error) or type(error).__name__
    if error.errno in FULL:
        return DiskFull(f"{text}; {GO_ON}")
    if error.errno in _CLOSED:
        text += "; change its permissions, have BAKEOFF_RESULTS and BAKEOFF_CACHE name folders "
        text += "that can be written, or name another place by --output, where the command has it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        text += "; raise the limit (ulimit -n)"
    return BakeoffError(text)


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Have what the system refuses in the block be a `BakeoffError`, of `path` if of no file."""
    try:
        yield
    except OSError as error:
        raise refused(error, path) from error


def replace(path: Path, parts: Iterable[str | bytes], *, synced: bool = False) -> None:
    """Write a file in full beside the old one, then put it in its place; texts as UTF-8.

    `synced` files are there after a power cut, too. Raises `BakeoffError`, with the old file as it
    was.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Of the name there may be a link, left or laid: never written through.
        scratch.unlink(missing_ok=True)
        with scratch.open("xb") as stream:
            stream.writelines(p.encode() if isinstance(p, str) else p for p in parts)
            if synced:
                stream.flush()
                os.fsync(stream.fileno())
        scratch.replace(path)
        if synced:
            sync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)  # not that of the moment
        raise refused(error, doing="cannot be written") from error
    finally:
        with suppress(OSError):  # it is gone where all went well
            scratch.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def lock(file: int, place: Path, *, wait: bool = False) -> bool:
    """Keep other processes from locking an open file until it is closed; whether that was free.

    Raises `BakeoffError` where the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise BakeoffError(
            f"{place}: this file system has no file locks ({error.strerror}), without which two "
            "processes could write one file; have BAKEOFF_RESULTS and BAKEOFF_CACHE name folders "
            "on another one"
        ) from error
    return True


def link(file: Path, name: Path) -> bool:
    """Make `name` one more name of a file; False where the file system has no hard links.

    Raises `FileExistsError` where the name is taken.
    """
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno in _LINKLESS:
            return False
        raise
    return True
