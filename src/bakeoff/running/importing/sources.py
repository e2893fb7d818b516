"""A file of another tool on its way in: what is read of it, what is left out and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from bakeoff.core.words import Score, digest
from bakeoff.running.importing.cells import text_of
from bakeoff.running.importing.fields import find

UNASKED = "rows that --where leaves out"
MONEY = "usd"
"""The score that is what an answer cost: no rate, however small its values are."""

PASSAGES = (
    *("retrieved_contexts", "contexts", "retrieval_context", "retrievalContext"),
    *("passages", "context"),
)
"""What tools call the passages that an answer was made from, the likeliest first."""


class OwnRow(TypedDict, total=False):
    """A row in bakeoff's own words; what it does not hold, or holds as `None`, is not known.

    A part is checked when the row is taken (`cells`). The last five are no part of a run: they can
    be asked for by `--tag` and `--column`, as can keys of other names.
    """

    id: Any
    """A text or a whole number."""
    task: str
    setup: str
    version: str
    """Of the task."""
    repeat: Any
    same: Any
    """What is equal in all rows of a sample, where they may ask it in other words."""
    question: Any
    fields: Mapping[str, object]
    """Other parts of the question."""
    targets: Any
    """A text, or a list of those that are accepted."""
    gold: Any
    cluster: str
    answer: Any
    """`None`: there is none, and the row is a failure."""
    passages: Any
    """Texts, or objects with `text`, and `document` and `score` where known."""
    confidence: float | None
    error: Any
    finish_reason: str | None
    """In any vendor's words."""
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds: float | None
    cached: Any
    """The answer came from a cache: its seconds say nothing."""
    scores: Mapping[str, float | Score | None]
    metadata: Any
    tags: Any
    doc: Any
    description: Any
    file: str


Row = tuple[str, Mapping[str, object] | str]
"""Where a row stands, and an `OwnRow` (other keys may stand beside), or what is wrong with it."""


@dataclass
class Source:
    """A file, and what an importer says of it beside its rows."""

    file: Path
    where: Mapping[str, str] = field(default_factory=dict)
    """Only rows that hold these texts in these places are taken."""
    left: Counter[str] = field(default_factory=Counter)
    """What was left out -> how many of it."""
    lower: set[str] = field(default_factory=set)
    """Scores of which less is better."""
    notes: list[str] = field(default_factory=list)

    def wants(self, row: Mapping[str, object]) -> bool:
        """Whether a row of the file, as it stands there, is asked for; counts it when not."""
        wanted = all(text_of(find(row, path)) == text for path, text in self.where.items())
        if not wanted:
            self.left[UNASKED] += 1
        return wanted


@dataclass(frozen=True)
class Importer:
    """How the files of a tool are recognized and read.

    Its rows are in bakeoff's own words: each is an `OwnRow`.
    """

    about: str
    """What the files are, in a few words for users."""
    recognizes: Callable[[Path], bool]
    """Whether a file is one, by its name and its beginning; raises nothing."""
    rows: Callable[[Source], Iterator[Row]]
    """(place, row or what is wrong with it); raises `BakeoffError` for a file that is none."""


def slug(name: str) -> str:
    """A name of another tool as one that metrics and tasks can have."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"_{plain}" if not plain or plain[0].isdigit() else plain


def made_id(question: str, met: Counter[str]) -> str:
    """An id for a row that has none: the same question has the same one in every file.

    `met` counts the questions of a file: the second row of one question is another sample.
    """
    key = digest(question)[:12]
    met[key] += 1
    return key if met[key] == 1 else f"{key}-{met[key]}"
