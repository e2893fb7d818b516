"""A training by several processes of this machine: started, followed, ended together.

On GPUs each has one of its own; without any, a share of the processors.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bakeoff.core import child, gpus
from bakeoff.core.child import Child
from bakeoff.core.counts import quantity
from bakeoff.core.progress import Progress, Told
from bakeoff.core.words import BakeoffError, Incomplete
from bakeoff.models.device import too_few_devices
from bakeoff.runs.opened import Training
from bakeoff.setups.tuning.job import Inputs
from bakeoff.setups.tuning.ranks import Ranks

TAIL_LINES = 15
"""Of what a process printed, in messages."""


@dataclass(frozen=True)
class Start:
    """What a process is told first."""

    given: Inputs
    folder: Path
    ranks: Ranks
    meeting: Path


@dataclass(frozen=True)
class Wrong:
    """What the user can mend, in words."""

    text: str


def together(given: Inputs, folder: Path, progress: Progress) -> Training:
    """Train as `trainer.train` does, by as many processes as the recipe says.

    Raises `BakeoffError` where there are too few devices or rows, `Incomplete` when one of the
    processes ended: all others are ended, and the next call goes on at the last checkpoint.
    """
    size = given.recipe.processes
    if problem := too_few_devices(size, os.environ) or _too_few_rows(size, len(given.rows)):
        raise BakeoffError(f"{given.name}: tune.processes: {problem}")
    folder.mkdir(parents=True, exist_ok=True)
    logs = [folder / f"process-{rank + 1}.log" for rank in range(size)]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        children: list[Child] = []
        for rank, log in enumerate(logs):
            environment = gpus.given(gpus.of_machine(os.environ), rank)
            output = opened.enter_context(log.open("wb"))
            children.append(child.start("bakeoff.setups.tuning.process", environment, output))
            opened.callback(children[-1].close)
        for rank, started in enumerate(children):
            meeting = Path(scratch) / "meeting"
            started.send(Start(given, folder, Ranks(rank, size), meeting))
        with _shown(progress) as tell:
            return _followed(given.name, children, logs, tell)


def _too_few_rows(size: int, rows: int) -> str:
    return f"{size} is more than the {quantity(rows, 'row')} to train on" if size > rows else ""


@contextmanager
def _shown(progress: Progress) -> Iterator[Callable[[Told], None]]:
    """Shows what is told; a unit of work that a lost process had open is ended."""
    is_open = False

    def tell(message: Told) -> None:
        nonlocal is_open
        is_open = message.name == "start" or (is_open and message.name != "finish")
        message.on(progress)

    try:
        yield tell
    finally:
        if is_open:
            progress.finish()


def _followed(
    name: str, children: Sequence[Child], logs: Sequence[Path], tell: Callable[[Told], None]
) -> Training:
    """What the first process made, once all have ended well."""
    made: Training | None = None
    at_work = {started.connection: rank for rank, started in enumerate(children)}
    while at_work:
        for connection in wait(list(at_work)):
            assert isinstance(connection, Connection)
            rank = at_work[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError):
                raise _lost(name, rank, children, logs) from None
            if isinstance(message, Told):
                tell(message)
            elif isinstance(message, Wrong):
                raise BakeoffError(message.text)
            else:
                made = message or made
                del at_work[connection]
    assert made
    return made


def _lost(name: str, rank: int, children: Sequence[Child], logs: Sequence[Path]) -> Incomplete:
    lines = logs[rank].read_text(encoding="utf-8", errors="replace").splitlines()
    tail = "".join(f"\n  {line[:300]}" for line in lines[-TAIL_LINES:])
    printed = f". What it printed last:{tail}" if tail else ""
    return Incomplete(
        f"{name}: process {rank + 1} of {len(children)}: {children[rank].ending}; the others were "
        f"ended, and the same command goes on at the last checkpoint{printed}"
    )
