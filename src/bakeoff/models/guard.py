"""A process between bakeoff and a server, so that the server never outlives bakeoff.

Started as a file, with the server's command: `python guard.py COMMAND...`. Its standard input is a
pipe that bakeoff alone holds; however bakeoff ends, killed too, the pipe ends, and the server is
stopped with everything that it started. Imports nothing of bakeoff.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

GRACE_S = 10.0
"""How long the server may take to end by itself."""


def end(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and its processes: asked first, then killed."""
    until = time.monotonic() + GRACE_S
    _signal(server, "SIGTERM")
    while server.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    _signal(server, "SIGKILL")


def _signal(server: subprocess.Popen[bytes], name: str) -> None:
    if os.name == "posix":
        # The group: what the server started may outlive it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(server.pid, getattr(signal, name))
    elif server.poll() is None:
        server.kill()


def main(command: list[str]) -> int:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        # Not through `sys.stdin`: a thread that reads it keeps the interpreter from ending.
        while os.read(0, 1024):
            pass
        end(server)

    threading.Thread(target=watch, daemon=True).start()

    def stop(*_: object) -> None:
        # In a thread: a handler runs inside `server.wait`, beside which nothing else can wait.
        threading.Thread(target=end, args=(server,), daemon=True).start()

    # What would end the guard alone must end the server as well.
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    code = server.wait()
    _signal(server, "SIGKILL")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
