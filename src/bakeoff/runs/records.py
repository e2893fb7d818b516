"""Journals read back: whole, or line by line while they are being written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from bakeoff.core.parts import parts_of
from bakeoff.core.words import Answer, Failure, MissingEvidence, Passage, Record, Step
from bakeoff.runs.journal import COMMITTED, Unit, attempts_in, journal_of


def read_records(
    run: Path, unit: Unit, check: Callable[[Record], None] = lambda _: None
) -> Iterator[Record]:
    """The last record of every cell of the unit: a later attempt replaces an earlier failure.

    Streams: memory holds one record at a time, and where each one is. `check` raises
    `ValueError` for a record that cannot be. Raises `MissingEvidence` for that, for a line that is
    no record and for a second answer to one question.
    """
    path = journal_of(run, unit)
    if path is None:
        return
    last: dict[Any, int] = {}
    answered: set[Any] = set()
    for number, line in _lines(path):
        if not line.startswith(_SENT):
            cell, answer = _cell(path, number, line)
            # The latency pass times its samples under load again when it is gone on with.
            if unit.setup and cell in answered:
                raise damaged(path, number, ValueError("answered before, on an earlier line"))
            if answer:
                answered.add(cell)
            last[cell] = number
    wanted = set(last.values())
    for number, line in _lines(path):
        if number in wanted:
            yield _parsed(path, number, line, check)


def follow(
    run: Path, unit: Unit, ended: Callable[[], bool], check: Callable[[Record], None]
) -> Iterator[list[Record]]:
    """The records of a unit while they are appended, those that are new at a time.

    `ended` is asked in between, and may wait: whether nothing more will come. To be used on an
    attempt that was begun with no records in it, so that none is of a cell that had one before.
    Raises as `read_records`.
    """
    path, number, over = journal_of(run, unit), 0, False
    with _opened(path or unit.folder(run) / COMMITTED) as stream:
        path = Path(stream.name)
        while not over:
            over = ended()
            records = []
            while (line := stream.readline()).endswith(b"\n"):
                number += 1
                if not line.startswith(_SENT):
                    records.append(_parsed(path, number, line, check))
            # The writer is in the middle of this one.
            stream.seek(-len(line), os.SEEK_CUR)
            if records:
                yield records


def _opened(attempt: Path) -> BinaryIO:
    try:
        return attempt.open("rb")
    except FileNotFoundError:  # committed meanwhile, where there are no hard links
        return attempt.with_name(COMMITTED).open("rb")


def _parsed(path: Path, number: int, line: bytes, check: Callable[[Record], None]) -> Record:
    try:
        record = _record(_row(path, number, line))
        check(record)
    except DAMAGED as error:
        raise damaged(path, number, error) from error
    return record


DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading a line raises that is not what a run writes."""


def damaged(path: Path, number: int, error: Exception) -> MissingEvidence:
    """The message for a line of a run's file that is not what a run writes."""
    what = f"{error} is missing" if isinstance(error, KeyError) else error
    return MissingEvidence(f"{path}: line {number} is damaged: {what}")


def requests_sent(run: Path, unit: Unit) -> int:
    """Billable requests that went out for the unit, in all its attempts."""
    attempts = attempts_in(unit.folder(run))
    whole = unit.folder(run) / COMMITTED
    if whole.exists() and not any(attempt.samefile(whole) for attempt in attempts):
        # Without hard links it has taken the newest attempt's place, or is a copy of it.
        attempts = [*attempts[:-1], whole]
    return sum(line.startswith(_SENT) for path in attempts for _, line in _lines(path))


_SENT = b'{"sent": '
"""How the note of a request that goes out begins: recognized without parsing."""


def _cell(path: Path, number: int, line: bytes) -> tuple[Any, bool]:
    """What cell a record is of, and whether it is an answer.

    The cell is the beginning of its line, unread; of a strange line, its fields. Inside a text the
    quotes would be escaped, so what is found is the key.
    """
    for key in (b', "answer": {', b', "error": "'):
        head, separator, _ = line.partition(key)
        if separator:
            return head, key.startswith(b', "answer')
    row = _row(path, number, line)
    cell = (row.phase, row.setup, row.sample, row.repeat or 0)
    try:
        hash(cell)
    except TypeError as error:
        raise damaged(path, number, error) from error
    return cell, row.answer is not None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every whole line with its number, from 1."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.endswith(b"\n"):
                    yield number, line
    except OSError as error:
        raise MissingEvidence(f"{path}: cannot be read: {error.strerror or error}") from error


class _Row(NamedTuple):
    """A record as a line holds it."""

    phase: Any = None
    task: Any = None
    setup: Any = None
    sample: Any = None
    repeat: Any = None
    answer: Any = None
    error: Any = None
    """Of a failure, and what comes after it as well."""
    finish_reason: Any = None
    steps: Any = None


class _Answer(NamedTuple):
    """An answer as a line holds it."""

    text: Any = None
    passages: Any = None
    steps: Any = None
    confidence: Any = None
    finish_reason: Any = None


def _row(path: Path, number: int, line: bytes) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise damaged(path, number, error) from error
    if not isinstance(row, dict):
        raise damaged(path, number, ValueError("not an object"))
    return parts_of(_Row, row)


def _record(row: _Row) -> Record:
    head = (row.phase, row.task, row.setup, row.sample)
    failed = row.error is not None
    if not {*map(type, head), type(row.error if failed else "")} <= {str}:
        raise TypeError("phase, task, setup, sample and error are texts")
    if type(repeat := 0 if row.repeat is None else row.repeat) is not int:
        raise TypeError(f"repeat is {repeat!r}")
    outcome: Answer | Failure
    if failed:
        steps = tuple(Step(**step) for step in row.steps or ())
        outcome = Failure(row.error, row.finish_reason or "", steps)
    else:
        outcome = _answer(parts_of(_Answer, row.answer))
    return Record(*head, outcome, repeat)


def _answer(answer: _Answer) -> Answer:
    if not isinstance(answer.text, str):
        raise TypeError(f"an answer's text is {answer.text!r}")
    return Answer(
        answer.text,
        tuple(Passage(**passage) for passage in answer.passages),
        tuple(Step(**step) for step in answer.steps),
        answer.confidence,
        answer.finish_reason or "",
    )
