"""A server process on this machine: started on a free port, waited for, watched, stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bakeoff.core.words import BakeoffError
from bakeoff.models import guard

TAIL_LINES = 15
"""Of the server's log, in messages."""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is never asked through a proxy."""


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that serves HTTP on `port`. Close it after use; it ends with this process too."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, env: Mapping[str, str]
    ) -> None:
        self.port, self.log = port, log
        log.parent.mkdir(parents=True, exist_ok=True)
        guarded = [sys.executable, "-I", str(Path(guard.__file__)), *command]
        self._stream: IO[bytes] = log.open("wb")
        # A session of its own: Ctrl-C is for bakeoff, which then stops the server.
        self._guard = subprocess.Popen(
            guarded,
            stdin=subprocess.PIPE,
            stdout=self._stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._guard.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tail(self) -> str:
        """The last lines of its log."""
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join(f"  {line[:300]}" for line in lines[-TAIL_LINES:])
        return ""

    def wait(self, path: str, seconds: float, what: str) -> None:
        """Until `path` answers with status 200.

        Raises `BakeoffError` with the end of its log when it ends before, or takes longer.
        """
        until = time.monotonic() + seconds
        while not self._healthy(path):
            if not self.alive:
                code = self._guard.returncode
                raise BakeoffError(f"{what}: ended with exit code {code}: {self._log()}")
            if time.monotonic() > until:
                self.close()
                raise BakeoffError(
                    f"{what}: {path} did not answer with status 200 in {seconds:g} s "
                    f"(engine.start_s): {self._log()}"
                )
            time.sleep(0.1)

    def _log(self) -> str:
        return f"the end of {self.log}:\n{self.tail()}" if self.tail() else "it printed nothing"

    def _healthy(self, path: str) -> bool:
        try:
            with _OPENER.open(f"{self.url}{path}", timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, ValueError):
            return False

    def post(self, path: str, body: Mapping[str, object], timeout_s: float) -> Any:
        """The JSON value, or the text, that a request gives. Raises `BakeoffError`."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with _OPENER.open(request, timeout=timeout_s) as reply:
                text = reply.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            raise BakeoffError(
                f"{path}: status {error.code}: {error.read(2000).decode('utf-8', 'replace')}"
            ) from error
        except (OSError, ValueError) as error:
            raise BakeoffError(f"{path}: {error}") from error
        try:
            return json.loads(text)
        except ValueError:
            return text

    def close(self) -> None:
        """Stop it, and wait until it has ended."""
        if self._guard.stdin:
            with suppress(OSError):
                self._guard.stdin.close()
        try:
            self._guard.wait(guard.GRACE_S + 5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
        self._stream.close()
