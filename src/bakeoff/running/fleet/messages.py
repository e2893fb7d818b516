"""What the driver of a run and its workers say to each other, and what carries it."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bakeoff.core.words import Answer, BakeoffError, Failure, Incomplete, MissingEvidence
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.load import Task


@dataclass(frozen=True)
class Brief:
    """All that a worker must know of a run to answer its samples."""

    suite: Suite
    file: Path
    tasks: Mapping[str, Task]
    cache: Path
    environment: Mapping[str, str] = field(repr=False)
    """Only the secrets that the benchmark's connections name."""
    cached: bool
    paths: Sequence[str]
    """Where the driver imports modules from."""
    packages: Sequence[str]
    """Whose versions must be the driver's."""
    apart: bool = False
    """Whether the worker sees nothing of the driver's disk: `file`, `cache`, `paths` are not there,
    and it asks for what it needs (`Wanted`)."""
    models: Sequence[str] = ()
    """References of the benchmark that are files or folders of the driver."""


@dataclass(frozen=True)
class Chunk:
    """Samples of a task for one setup, by their places in the task."""

    task: str
    setup: str
    indices: tuple[int, ...]
    repeat: int = 0
    whole: bool = False
    """Whether they are asked within the batches of all samples of the task."""
    proven: int | None = None
    """A sample that needs no answer, where the setup has answered before."""
    cached: bool = True
    timed: bool = False
    concurrency: int = 0
    """How many are asked at once in the latency pass under load; 0 elsewhere."""


@dataclass(frozen=True)
class Call:
    """The driver asks: a method of `worker.Worker` and what it is given."""

    name: str
    given: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Go:
    """The driver has noted that requests go out."""


@dataclass(frozen=True)
class Got:
    """A worker's outcomes by place; requests for `sent` wait for `Go` before they go out."""

    outcomes: Sequence[tuple[int, Answer | Failure]]
    sent: Sequence[int] = ()


@dataclass(frozen=True)
class Returned:
    """What a call came to."""

    value: Any = None


@dataclass(frozen=True)
class Raised:
    """What a call raised, in words."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        kind = next((name for name, type_ in _KINDS.items() if isinstance(error, type_)), "")
        return cls(kind, str(error) if kind else "".join(traceback.format_exception(error)))

    @property
    def error(self) -> Exception:
        """To be raised in the driver; what is no `BakeoffError` is a fault of ours."""
        return _KINDS.get(self.kind, RuntimeError)(self.text)


# The narrowest first.
_KINDS: dict[str, type[BakeoffError]] = {
    "incomplete": Incomplete,
    "evidence": MissingEvidence,
    "error": BakeoffError,
}


@dataclass(frozen=True)
class SentFile:
    """A file that can be read piece by piece (`Read`)."""

    path: str
    """From the folder that is sent."""
    size: int
    sha256: str


@dataclass(frozen=True)
class Wanted:
    """A worker asks which files a name stands for. See `depot.Depot`."""

    name: str


@dataclass(frozen=True)
class Listed:
    """The answer; no files where there is no such thing."""

    files: tuple[SentFile, ...]


@dataclass(frozen=True)
class Read:
    """A worker asks for a piece of a file; the answer is `Piece`."""

    name: str
    path: str
    offset: int


@dataclass(frozen=True)
class Piece:
    """Bytes of a file, from some place on."""

    data: bytes


@dataclass(frozen=True)
class Handed:
    """A worker hands over the next bytes of a file that it made."""

    name: str
    path: str
    data: bytes


@dataclass(frozen=True)
class Whole:
    """A worker has handed over all files of a name; these are they."""

    name: str
    files: tuple[SentFile, ...]


@dataclass(frozen=True)
class Lost:
    """A worker has ended before its time."""

    reason: str


class Link(Protocol):
    """The way to one worker. What cannot be sent is no error: `Site.wait` tells of the loss."""

    def send(self, message: object) -> None: ...
    def close(self) -> None:
        """End the worker, whatever it is doing."""
        ...


class Site(Protocol):
    """Where workers are started, and how they are listened to."""

    @property
    def size(self) -> int:
        """How many workers there are to be."""
        ...

    @property
    def apart(self) -> bool:
        """Whether workers see nothing of the driver's disk."""
        ...

    def start(self, place: int) -> Link:
        """Start the worker of a place, from 0; its first message is `Returned`."""
        ...

    def wait(self, links: Collection[Link], seconds: float) -> list[tuple[Link, object]]:
        """Messages that came, `Lost` among them; at most one of each link."""
        ...

    def close(self) -> None: ...
