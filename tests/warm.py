"""The program, forked from a process that has imported its libraries already.

`start` makes that process once for a session of tests; `call` runs the program in a fork of it: a
process of its own, as in a shell, without the many seconds that Python takes to import torch, peft
and sentence-transformers. The warm process imports and does nothing else: no thread, no model.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

# In the order of their use: whoever calls waits for the import of the moment, and no longer.
LIBRARIES = (
    "bakeoff.cli",
    "bakeoff.running.confirm",
    "bakeoff.outputs.page.html",
    "bakeoff.outputs.page.plots",
    "bakeoff.running.nightly",
)
LIBRARIES += ("sklearn", "torch", "transformers", "sentence_transformers", "faiss", "peft")
LIBRARIES += (
    "bakeoff.setups.local",
    "bakeoff.setups.tuning.process",
    "bakeoff.running.fleet.worker",
    "bakeoff.models.embedders",
    "bakeoff.outputs.mlflow.connection",
    "mlflow",
)


def start(path: Path) -> subprocess.Popen[bytes]:
    """The warm process: it listens at `path` from now on, and ends when its stdin is closed."""
    # A numeric library takes as many threads as it finds cores at import; a call may have one core.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        return subprocess.Popen(
            [sys.executable, __file__, str(listener.fileno())],
            env={**os.environ, **threads},
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )


@dataclass(frozen=True)
class Forked:
    """A process that was forked for this one: as much of a `Popen` as is asked of one here."""

    pid: int
    told: socket.socket
    """Its exit code comes here."""

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def poll(self) -> int | None:
        """Its exit code; minus the number of the signal that ended it."""
        ready, _, _ = select.select([self.told], [], [], 0)
        return self.wait() if ready else None

    def wait(self, timeout: float | None = None) -> int:
        if not select.select([self.told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        # Looked at and left there: it may be asked again.
        return int(self.told.recv(64, socket.MSG_PEEK))


def fork(
    path: Path,
    arguments: Sequence[str],
    env: Mapping[str, str],
    files: Sequence[int],
    cwd: Path | None = None,
    module: str = "",
) -> Forked:
    """`bakeoff ARGUMENTS`, or a module of bakeoff, in a fork of the process that listens at `path`.

    `files` become its standard output, its errors and further ones, whose numbers are added to its
    arguments.
    """
    cores = sorted(os.sched_getaffinity(0))
    wanted = [list(arguments), str(cwd or Path.cwd()), dict(env), cores, module]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    socket.send_fds(connection, [b"."], list(files))
    connection.sendall(json.dumps(wanted).encode())
    connection.shutdown(socket.SHUT_WR)
    said = b""
    while not said.endswith(b"\n"):
        if not (more := connection.recv(1)):
            raise ChildProcessError("the warm process made no fork")
        said += more
    return Forked(int(said), connection)


def call(
    path: Path, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], said: Path
) -> int:
    """The exit code of `bakeoff ARGUMENTS`, which writes to the files `out` and `err` in `said`."""
    with (said / "out").open("wb") as out, (said / "err").open("wb") as err:
        forked = fork(path, arguments, env, [out.fileno(), err.fileno()], cwd)
    with forked.told:
        return forked.wait()


def serve(listener: socket.socket) -> None:
    """Import one library after the other, and fork whenever somebody calls."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the forks are nobody's zombies
    given, libraries = dict(os.environ), list(LIBRARIES)
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [], 0 if libraries else None)
        if sys.stdin in ready:
            return
        if listener in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                # What importing set, such as a library's switches, is set for the program as well.
                _answer(connection, {k: v for k, v in os.environ.items() if k not in given})
                return
            connection.close()
        elif libraries:
            import_module(libraries.pop(0))
            gc.freeze()  # forks need not look through what they share


def _answer(connection: socket.socket, imported: Mapping[str, str]) -> None:
    """Run what is asked for in a fork; tell its number, and then its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, 1, 8)
    with connection.makefile("rb") as asked:
        arguments, cwd, env, cores, module = json.loads(asked.read())
    program = os.fork()
    if program:
        for number in files:
            os.close(number)
        connection.sendall(f"{program}\n".encode())
        _, status = os.waitpid(program, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    os.sched_setaffinity(0, cores)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update({**imported, **env})
    out, err, *more = files
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(file, number)
    sys.argv = [module or "bakeoff", *arguments, *map(str, more)]
    os._exit(_code(module))


def called(module: str = "") -> int:
    """The exit code of the program, or of a module of it, called with `sys.argv`."""
    try:
        import_module(module or "bakeoff.cli").main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _code(module: str) -> int:
    """Run it to its exit code; what was imported is not taken apart, which is slow."""
    code = called(module)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    serve(socket.socket(fileno=int(sys.argv[1])))
