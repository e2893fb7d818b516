"""Processes that bakeoff starts in tests, forked from the warm process: `bakeoff.core.child`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import pytest

import warm
from bakeoff.core import child
from bakeoff.core.child import Child
from sharing import WARM

Started = list[Child]


@contextmanager
def forked() -> Iterator[Started]:
    """What this process starts is forked where there is a warm process, and is in the list.

    Each would import its libraries for many seconds. That bakeoff's processes come up by
    themselves is shown by `test_fleet`.
    """
    found: Started = []
    usual = child.start

    def start(
        module: str, environment: Mapping[str, str], output: IO[bytes] | None = None
    ) -> Child:
        if WARM not in os.environ:
            found.append(usual(module, environment, output))
            return found[-1]
        ours, theirs = socket.socketpair()
        out, err = (output or stream for stream in (sys.__stdout__, sys.__stderr__))
        with theirs:
            files = [out.fileno(), err.fileno(), theirs.fileno()]
            process = warm.fork(Path(os.environ[WARM]), [], environment, files, module=module)
        found.append(Child(process, Connection(ours.detach())))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "start", start)
        yield found


def alive(started: Started) -> list[int]:
    """The numbers of those that still run."""
    return [one.process.pid for one in started if one.process.poll() is None]
