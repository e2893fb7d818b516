"""The MLflow UI on this machine, served as long as it is looked at. Imports no mlflow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from bakeoff.core.words import BakeoffError

STARTS_WITHIN_S = 120.0
SAID = 20
"""Lines shown of what a server said that did not start; of one that runs, none."""
_QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Without the jobs it starts three times as fast, in a fifth of the memory."""


@contextmanager
def serving(
    uri: str, host: str, port: int, artifacts: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(address, server) of the UI of the store at `uri`; the server ends with the block.

    Files that come through the server go to `artifacts`. Raises
    `BakeoffError` when the port is taken or the server does not start.
    """
    _free(host, port)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(artifacts)]
    # A line for each request would push the links off the screen.
    command += ["--uvicorn-opts", "--log-level warning"]
    with tempfile.TemporaryFile() as said:
        # A session of its own: the server has children, and all of them are to end.
        server = subprocess.Popen(
            command,
            env={**os.environ, **_QUIET},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # SIGHUP: its terminal was closed.
        ends = (signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, lambda *_: sys.exit(0)) for s in ends}
        try:
            address = f"http://{host}:{port}"
            _wait(server, address, said)
            yield address, server
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            _end(server)


def _free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BakeoffError(
                f"{host}:{port}: {error.strerror}: name another with --port"
            ) from error


def _wait(server: subprocess.Popen[bytes], address: str, said: IO[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urlopen(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()[-SAID:]
    raise BakeoffError("\n".join([f"{address}: the MLflow server did not start:", *lines]))


def _end(server: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
            server.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return
