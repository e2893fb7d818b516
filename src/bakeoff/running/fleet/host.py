"""What runs on a node of a cluster that has the packages that bakeoff needs, and not bakeoff.

It is sent there by value: nothing of bakeoff is imported until its code has been unpacked.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any


class Host:
    """A node's worker: a process as on the driver's machine, and the way to it."""

    def __init__(self, code: bytes, digest: str) -> None:
        home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "bakeoff"
        cache = Path(os.environ.get("BAKEOFF_CACHE", home)).expanduser()
        sys.path.insert(0, str(_unpacked(code, cache / "sent" / f"bakeoff-{digest}")))
        from bakeoff.running.fleet.processes import Processes

        self._process: Any = Processes(1).start(0)

    def send(self, message: bytes) -> None:
        """What is sent to a worker that has ended is lost; `receive` says that it has."""
        try:
            self._process.connection.send_bytes(message)
        except OSError:
            return

    def receive(self) -> bytes | str:
        """The next message of the worker, or how it ended."""
        try:
            message: bytes = self._process.connection.recv_bytes()
        except (EOFError, OSError):
            return str(self._process.ending)
        return message


def _unpacked(code: bytes, folder: Path) -> Path:
    """The folder that a zip archive is unpacked to, once a node."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            archive.extractall(scratch)
        try:
            scratch.rename(folder)
        except OSError:  # another worker was first
            shutil.rmtree(scratch)
    return folder
