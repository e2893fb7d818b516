"""Gold documents of samples: by their ids, or by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bakeoff.core.words import Sample
from bakeoff.tasks.readers import READERS

_ENDINGS = frozenset(READERS) - {""}
_BETWEEN = re.compile(r"[;|\n]")
"""The separators between several names in one cell of a table."""


def with_ids(samples: Iterable[Sample], known: Collection[str]) -> list[Sample]:
    """The samples with gold by the ids of documents, where it has names of their files.

    What names no document stays as it is.
    """
    return [
        replace(sample, gold=tuple(name for text in sample.gold for name in ids(text, known)))
        if any(name not in known for name in sample.gold)
        else sample
        for sample in samples
    ]


def ids(text: str, known: Collection[str]) -> list[str]:
    """The ids that a text means: its own, a file's, or several between `;` or `|`; else the text.

    >>> ids("faq/policy.md; returns", ["policy", "returns"])
    ['policy', 'returns']
    """
    if whole := _id(text, known):
        return [whole]
    parts = [_id(part, known) for part in _BETWEEN.split(text) if part.strip()]
    several = [part for part in parts if part]
    return list(dict.fromkeys(several)) if several and len(several) == len(parts) else [text]


def _id(text: str, known: Collection[str]) -> str:
    """The document that a text is the id of, or the file name or path; empty if it is none."""
    name = text.strip()
    if name in known:
        return name
    path = PurePosixPath(name.replace("\\", "/"))
    if path.suffix.lower() not in _ENDINGS:
        return ""
    below = path.with_suffix("").parts
    # The longest path first: of two files of one name, the id is their path.
    tails = ("/".join(below[start:]) for start in range(len(below)))
    return next((tail for tail in tails if tail in known), "")


def unknown_gold(
    path: Path, split: str, samples: Sequence[Sample], known: Collection[str]
) -> Iterator[str]:
    """Gold that no document is; without any documents it is of the user's own."""
    for sample in samples if known else ():
        for gold in sample.gold:
            if gold not in known:
                place = f"{path}: {split} row '{sample.id}'"
                yield f"{place}: gold: no document '{gold}'{_hint(gold, known)}"


def _hint(gold: str, known: Collection[str]) -> str:
    """The documents that it may mean: of several files of that name, or such as there are."""
    stem = PurePosixPath(gold).stem
    if same := sorted(name for name in known if PurePosixPath(name).stem == stem)[:3]:
        return f"; that file is in several folders, its ids are {', '.join(same)}"
    return f"; ids are such as {', '.join(sorted(known)[:3])}"
