"""One of the processes of a training: `python -m bakeoff.setups.tuning.process SOCKET`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
import transformers

from bakeoff.core import child
from bakeoff.core.progress import Telling
from bakeoff.core.words import BakeoffError
from bakeoff.models.device import limit_threads, pick_device
from bakeoff.runs.opened import Training
from bakeoff.setups.tuning.processes import Start, Wrong
from bakeoff.setups.tuning.ranks import RankLost, joined
from bakeoff.setups.tuning.trainer import train


def _train(start: Start, say: Callable[[object], None]) -> Training | None:
    """Train with the others; what the first one made, in that one."""
    ranks, device = start.ranks, pick_device()
    torch.set_num_threads(max(1, limit_threads() // ranks.size))
    progress = Telling(say if ranks.first else lambda _: None)
    with joined(ranks, start.meeting, device):
        made = train(start.given, start.folder, progress, ranks)
    return made if ranks.first else None


def main() -> None:
    link = child.parent()
    transformers.utils.logging.set_verbosity_error()

    def say(message: object) -> None:
        with _parent():
            link.send(message)

    with suppress(ParentGone):
        with _parent():
            start = link.recv()
        assert isinstance(start, Start)
        try:
            say(_train(start, say))
        except BakeoffError as error:
            say(Wrong(str(error)))
        except RankLost:
            # The other one is to be named, not this one: wait to be ended.
            with _parent():
                link.recv()


class ParentGone(Exception):
    """There is nobody to train for."""


@contextmanager
def _parent() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise ParentGone from error


if __name__ == "__main__":
    main()
