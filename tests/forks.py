"""Runs of the program in forks of a warm process, each disturbed at a file event of one's choice.

`Forks` starts a process that has imported the program's modules; every call runs in a fork of it,
which takes a tenth of the time of a fresh interpreter. File events are what changes files: opening
one for writing, writing to a journal, fsync, rename, link, unlink, mkdir, truncate.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from warm import called

CHANGES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Disturbed:
    """What happens to a call."""

    kill_at: int = 0
    """It is killed right before its event of this number, counted from 1."""
    refuse: Mapping[str, int] = field(default_factory=dict)
    """Audit event -> errno that the system gives for it. `open:PART` is opening files whose path
    has that part, `write:PART` opening them for writing."""
    full_at: int = 0
    """From its event of this number on, the disk is full."""
    signal_at: int = 0
    """It gets `signal` right before its event of this number."""
    signal: int = signal.SIGTERM
    file_limit: int = 0
    """Bytes that a file may have."""


@dataclass(frozen=True)
class Done:
    """What came of a call."""

    code: int
    """Exit code; minus the number of the signal that ended it."""
    said: str
    """What it printed, errors included."""
    events: int
    """File events inside its folder."""


class Forks:
    """The warm process. To be used as a context manager."""

    def __enter__(self) -> Self:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process: subprocess.Popen[str] = subprocess.Popen([sys.executable, __file__], **pipes)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.communicate()

    def __call__(
        self, cwd: Path, *arguments: str | Path, how: Disturbed = Disturbed(), **env: str
    ) -> Done:
        """Run `bakeoff ARGUMENTS` in a folder; `env` is added to the environment."""
        wanted = [str(cwd), [*map(str, arguments)], asdict(how), env]
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return Done(**json.loads(self.process.stdout.readline()))


def _serve() -> None:
    from bakeoff.cli import main
    from bakeoff.outputs.page import html
    from bakeoff.running import nightly

    _ = nightly, main
    html.template()
    for line in sys.stdin:
        cwd, arguments, how, env = json.loads(line)
        print(json.dumps(asdict(_forked(Path(cwd), arguments, Disturbed(**how), env))), flush=True)


def _forked(cwd: Path, arguments: list[str], how: Disturbed, env: Mapping[str, str]) -> Done:
    out, count = os.memfd_create("out"), os.memfd_create("count")
    child = os.fork()
    if child == 0:
        for number in (1, 2):
            os.dup2(out, number)
        os._exit(_run(cwd, arguments, how, env, count))
    _, status = os.waitpid(child, 0)
    said = os.pread(out, 1 << 20, 0).decode(errors="replace")
    events = len(os.pread(count, 1 << 20, 0))
    os.close(out)
    os.close(count)
    return Done(os.waitstatus_to_exitcode(status), said, events)


def _run(
    cwd: Path, arguments: list[str], how: Disturbed, env: Mapping[str, str], count: int
) -> int:
    os.chdir(cwd)
    # Who starts the tests in the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update({"BAKEOFF_CACHE": str(cwd / "cache"), **env})
    if how.file_limit:
        # Python keeps compiled modules that the limit has cut.
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (how.file_limit, how.file_limit))
    _watch(cwd, how, count)
    sys.argv = ["bakeoff", *arguments]
    code = called()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _watch(cwd: Path, how: Disturbed, count: int) -> None:
    """Count what changes files below `cwd`, and disturb it."""
    numbers = itertools.count(1)  # of two threads none gets the other's, and none is skipped

    def change(path: object = None) -> None:
        event = next(numbers)
        os.write(count, b".")
        if event == how.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if event == how.signal_at:
            os.kill(os.getpid(), how.signal)
        if how.full_at and event >= how.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event in how.refuse:
            number = how.refuse[event]
            raise OSError(number, os.strerror(number))
        path = values[0] if values else None
        if event == "open" and isinstance(path, str | bytes | os.PathLike):
            _, mode, flags = values
            name = os.fsdecode(path)
            writes = set(mode) & set("wax+") if isinstance(mode, str) else flags & WRITES
            for wanted, number in how.refuse.items():
                kind, _, part = wanted.partition(":")
                if part and part in name and (kind == "open" or writes):
                    raise OSError(number, os.strerror(number), name)
            if writes and Path(name).absolute().is_relative_to(cwd):
                change(name)
        # What removes and cuts makes room, and is never refused for want of it.
        elif event in CHANGES and not (how.full_at and event in ("os.remove", "os.truncate")):
            change(path if isinstance(path, str) else None)

    _wrap("pwrite", change)
    _wrap("fsync", change)
    sys.addaudithook(hook)


def _wrap(name: str, change: Callable[[], None]) -> None:
    """Have a function of `os` that raises no audit event count as one."""
    plain = getattr(os, name)

    def wrapped(*values: Any) -> Any:
        change()
        return plain(*values)

    setattr(os, name, wrapped)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    _serve()
