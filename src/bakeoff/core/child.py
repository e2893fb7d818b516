"""Processes of bakeoff that this one starts, each with a socket between the two."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

PATIENCE_S = 5.0
"""How long a process that has hung up may take to end."""
OWN = str(Path(__file__).parents[2])
"""Where bakeoff itself is."""


@dataclass(eq=False)
class Child:
    """A process that this one started, and the socket to it. Close it after use."""

    process: subprocess.Popen[bytes]
    connection: Connection

    def send(self, message: object) -> None:
        """What is sent to a process that has ended is lost; the socket's end tells of that."""
        with suppress(OSError):
            self.connection.send(message)

    def close(self) -> None:
        """End it, whatever it is doing."""
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


def start(module: str, environment: Mapping[str, str], output: IO[bytes] | None = None) -> Child:
    """Run a module of bakeoff, which calls `parent`; what it prints goes to `output`, or here.

    Raises `OSError` where the system starts no more processes.
    """
    ours, theirs = socket.socketpair()
    path = os.pathsep.join([OWN, *filter(None, [environment.get("PYTHONPATH")])])
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[theirs.fileno()],
            env={**environment, "PYTHONPATH": path},
            # Ctrl-C is for this process, which ends the others.
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Child(process, Connection(ours.detach()))


def parent() -> Connection:
    """In a process of `start`: the way to the one that started it, with which it ends."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    return Connection(int(sys.argv[1]))


def _end_with(parent: int) -> None:
    """End this process once its parent is gone, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
