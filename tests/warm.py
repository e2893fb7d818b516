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


def call(
    path: Path, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], said: Path
) -> int:
    """The exit code of `bakeoff ARGUMENTS`, which writes to the files `out` and `err` in `said`."""
    wanted = [list(arguments), str(cwd), dict(env), str(said), sorted(os.sched_getaffinity(0))]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps(wanted).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as reply:
            return int(reply.read())


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
    """Run the program in a fork, and tell its exit code to who asked."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rb") as asked:
        arguments, cwd, env, said, cores = json.loads(asked.read())
    program = os.fork()
    if program:
        _, status = os.waitpid(program, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    os.sched_setaffinity(0, cores)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update({**imported, **env})
    for number, name, mode in ((0, os.devnull, "rb"), (1, "out", "wb"), (2, "err", "wb")):
        with (Path(said) / name).open(mode) as stream:
            os.dup2(stream.fileno(), number)
    sys.argv = ["bakeoff", *arguments]
    os._exit(_code())


def called() -> int:
    """The exit code of the program, called with `sys.argv`."""
    from bakeoff.cli import main

    try:
        main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _code() -> int:
    """Run the program to its exit code; what was imported is not taken apart, which is slow."""
    code = called()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    serve(socket.socket(fileno=int(sys.argv[1])))
