"""Workers that are processes of this machine; where it has GPUs, each has one for itself."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bakeoff.core.words import BakeoffError
from bakeoff.running.fleet.messages import Link, Lost

PATIENCE_S = 5.0
"""How long a worker that has hung up may take to end."""
OWN = str(Path(__file__).parents[3])
"""Where bakeoff itself is."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(eq=False)
class Process:
    """A worker in a process of its own, and the socket to it."""

    process: subprocess.Popen[bytes]
    connection: Connection

    def send(self, message: object) -> None:
        with suppress(OSError):  # it has ended, which `wait` tells
            self.connection.send(message)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()

    @property
    def ending(self) -> str:
        """How it ended."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            return "it hung up"
        if code >= 0:
            return f"it ended with exit code {code}"
        return f"it was ended by {signal.Signals(-code).name}"


@dataclass(frozen=True)
class Processes:
    """So many workers on this machine."""

    size: int
    apart: bool = False

    def start(self, place: int) -> Process:
        """Raises `BakeoffError` where the system starts no more processes."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "bakeoff.running.fleet.worker", str(theirs.fileno())]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(place, os.environ),
                # Ctrl-C is for the driver, which ends its workers.
                start_new_session=True,
            )
        except OSError as error:
            raise BakeoffError(f"--on processes:{self.size}: {error.strerror or error}") from error
        finally:
            theirs.close()
        return Process(process, Connection(ours.detach()))

    def wait(self, links: Collection[Link], seconds: float) -> list[tuple[Link, object]]:
        by_connection = {link.connection: link for link in links if isinstance(link, Process)}
        heard: list[tuple[Link, object]] = []
        for connection in wait(list(by_connection), seconds):
            assert isinstance(connection, Connection)
            link = by_connection[connection]
            try:
                heard.append((link, connection.recv()))
            except (EOFError, OSError):
                heard.append((link, Lost(link.ending)))
        return heard

    def close(self) -> None:
        """Nothing is shared by the workers."""


def _environment(place: int, known: Mapping[str, str]) -> dict[str, str]:
    """This program's, with one GPU where there are any, and its own modules to be found."""
    path = os.pathsep.join([OWN, *filter(None, [known.get("PYTHONPATH")])])
    gpus = _gpus(known)
    return {**known, "PYTHONPATH": path, **({VISIBLE: gpus[place % len(gpus)]} if gpus else {})}


def _gpus(known: Mapping[str, str]) -> list[str]:
    """The NVIDIA GPUs that may be used; asking torch would take seconds and memory of a GPU."""
    if VISIBLE in known:
        return [name.strip() for name in known[VISIBLE].split(",") if name.strip()]
    names = [path.name for path in Path("/dev").glob("nvidia*")]
    return sorted((m[1] for n in names if (m := re.fullmatch(r"nvidia(\d+)", n))), key=int)
