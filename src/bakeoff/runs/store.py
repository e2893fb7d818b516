"""A run on disk: manifest, samples, and for each unit of work its journals and its scores.

    manifest.json  samples.jsonl  comparison.json  gates.json  report.md  report.html  plots/
    units/TASK.SETUP/1.jsonl           an attempt: one journal, written by one process alone
    units/TASK.SETUP/committed.jsonl   the attempt that counts, a hard link to it
    units/TASK.SETUP/scores.jsonl      made from the journal, and can be made again
    judged.sqlite                      what judges replied, where the shared cache is not used

The journals are what was paid for; everything else can be computed from them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from bakeoff.core import disk
from bakeoff.core.parts import whole
from bakeoff.core.words import BakeoffError, CheckedClaim, MissingEvidence, Sample, Score
from bakeoff.runs import MANIFEST
from bakeoff.runs.journal import (
    COMMITTED,
    UNITS,
    Journal,
    JournalError,
    Unit,
    brief,
    committed,
    journal_of,
    open_journal,
    units,
)
from bakeoff.runs.links import refuse_links
from bakeoff.runs.manifest import FORMAT, Manifest
from bakeoff.runs.records import DAMAGED, damaged, read_records, requests_sent
from bakeoff.runs.seal import as_json
from bakeoff.spec import names
from bakeoff.spec.yaml_files import File, validated

if TYPE_CHECKING:
    from bakeoff.runs.verdicts import Verdicts

__all__ = [
    "ADVICE",
    "COMMITTED",
    "COST",
    "JUDGED",
    "LOCK",
    "MANIFEST",
    "PAGE",
    "PLOTS",
    "SAMPLES",
    "SCORES",
    "STAMP",
    "UNITS",
    "Journal",
    "JournalError",
    "Key",
    "ScoreRow",
    "Scores",
    "Unit",
    "busy",
    "committed",
    "held",
    "journal_of",
    "new_folder",
    "open_journal",
    "read_json",
    "read_manifest",
    "read_model",
    "read_records",
    "read_samples",
    "read_scores",
    "read_verdicts",
    "requests_sent",
    "units",
    "write_json",
    "write_manifest",
    "write_samples",
    "write_scores",
    "write_verdicts",
]

SAMPLES, LOCK = "samples.jsonl", "lock"
SCORES, JUDGED = "scores.jsonl", "judged.sqlite"
PAGE, PLOTS = "report.html", "plots"
ADVICE, COST = "advice.json", "cost.json"
"""Kept beside a run where somebody asked for them; what makes them is imported only then."""

M = TypeVar("M", bound=File)

Key = tuple[str, int]
"""(sample, repeat): the key of an answer within a unit."""
Scores = Mapping[str, Score]
"""Metric -> score; a metric that does not apply has no entry."""
T = TypeVar("T")


class ScoreRow(NamedTuple):
    """The scores of one answer."""

    key: Key
    scores: Scores

    @property
    def sample(self) -> str:
        return self.key[0]

    @property
    def repeat(self) -> int:
        return self.key[1]


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Keep other processes from running this run. Raises `BakeoffError` when one already does.

    And for links in its folder: whoever holds it writes there.
    """
    refuse_links(run)
    with disk.refusals(run):
        lock = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not disk.lock(lock, run):
            raise BakeoffError(f"{run}: another process is running this run")
        yield
    finally:
        os.close(lock)


def busy(run: Path) -> bool:
    """Whether a process is running this run now."""
    try:
        with held(run):
            return False
    except BakeoffError:
        return True


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    disk.replace(path, [json.dumps(value, indent=2), "\n"])


def read_json(path: Path) -> dict[str, Any]:
    """The mapping that a JSON file holds. Raises `BakeoffError` when it holds none."""
    try:
        with disk.refusals(path):
            value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BakeoffError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BakeoffError(f"{path}: not a JSON object")
    return value


def read_model(kind: type[M], path: Path, number: int, remedy: str) -> M:
    """The model that a JSON file of format `number` holds.

    Raises `BakeoffError` for a file of another format, with the remedy, or a damaged one.
    """
    raw = read_json(path)
    if (found := raw.get("format")) != number:
        raise OtherFormat(
            f"{path}: format {found!r}, made by another version of bakeoff; this one "
            f"reads format {number}: {remedy}"
        )
    with names.of_stored_files():
        return validated(kind, path, raw)


class OtherFormat(BakeoffError):
    """A file of another version of bakeoff."""


def read_manifest(run: Path) -> Manifest:
    """The run's manifest, as it would be written today. Raises `BakeoffError` for no run."""
    path = run / MANIFEST
    if not path.is_file():
        raise BakeoffError(f"{run}: not a run (no {MANIFEST} in it)")
    try:
        return read_model(Manifest, path, FORMAT, "run the benchmark again")
    except OtherFormat:
        raise
    except BakeoffError as error:
        raise MissingEvidence(str(error)) from error


def write_manifest(run: Path, manifest: Manifest) -> None:
    """Put a run's manifest in the place of the one before it, whole or not at all."""
    write_json(run / MANIFEST, as_json(manifest))


def read_verdicts(path: Path) -> Verdicts:
    """The verdicts that a `gates.json` holds. Raises `MissingEvidence` where it holds none."""
    from bakeoff.runs.verdicts import Verdicts  # what only answers and scores has no use for it

    try:
        with names.of_stored_files():
            return validated(Verdicts, path, read_json(path))
    except BakeoffError as error:
        raise MissingEvidence(str(error)) from error


def write_verdicts(path: Path, verdicts: Verdicts) -> None:
    """Keep verdicts, whole or not at all."""
    write_json(path, verdicts.model_dump(mode="json"))


def write_samples(run: Path, tasks: Mapping[str, Sequence[Sample]]) -> None:
    """Keep every sample of the run beside its records, so that the folder speaks for itself."""
    rows = (
        json.dumps(
            {
                "task": task,
                "id": s.id,
                "fields": dict(s.fields),
                "targets": s.targets,
                "gold": s.gold,
                "cluster": s.cluster,
                "tags": dict(s.tags),
            }
        )
        for task, samples in tasks.items()
        for s in samples
    )
    disk.replace(run / SAMPLES, (f"{row}\n" for row in rows))


def read_samples(run: Path) -> dict[str, dict[str, Sample]]:
    """Task -> sample id -> sample, in the order of the run.

    Raises `MissingEvidence` for a row that is none, or that occurs twice.
    """
    samples: dict[str, dict[str, Sample]] = {}

    def once(row: tuple[str, Sample]) -> None:
        task, sample = row
        if sample.id in samples.get(task, {}):
            raise ValueError(f"sample {sample.id!r} of {task} occurs twice")

    for task, sample in _rows(run / SAMPLES, _sample, once):
        samples.setdefault(task, {})[sample.id] = sample
    return samples


class _SampleRow(NamedTuple):
    """A sample as its line holds it."""

    task: Any
    id: Any
    fields: Any
    targets: Any
    gold: Any
    cluster: Any
    tags: Any


def _sample(line: object) -> tuple[str, Sample]:
    row = whole(_SampleRow, line)
    lists, maps = (row.targets, row.gold), (row.fields, row.tags)
    if not ({*map(type, lists)} == {list} and {*map(type, maps)} == {dict}):
        raise TypeError("targets and gold are lists, fields and tags are objects")
    named = (text for held in maps for text in held.values())
    texts = (row.task, row.id, row.cluster, *row.targets, *row.gold, *named)
    if not {*map(type, texts)} <= {str}:
        raise TypeError("task, id, fields, targets, gold, cluster and tags are texts")
    return row.task, Sample(
        row.id, row.fields, tuple(row.targets), tuple(row.gold), row.cluster, row.tags
    )


def write_scores(run: Path, unit: Unit, rows: Iterable[tuple[Key, Scores]]) -> None:
    """Replace the unit's scores, a row at a time."""

    def line(key: Key, scores: Scores) -> str:
        values = {metric: _score_to_json(score) for metric, score in scores.items()}
        return json.dumps({"sample": key[0], "repeat": key[1], "scores": values}) + "\n"

    disk.replace(unit.folder(run) / SCORES, (line(*row) for row in rows))


def read_scores(
    run: Path, unit: Unit, check: Callable[[ScoreRow], None] = lambda _: None
) -> Iterator[ScoreRow]:
    """The unit's scores, each checked: `check` raises `ValueError` for a row that cannot be.

    Raises `MissingEvidence` when there are none, or for a row that is none.
    """
    return _rows(unit.folder(run) / SCORES, _score_row, check)


class _Scored(NamedTuple):
    """The scores of an answer as their line holds them."""

    sample: Any
    repeat: Any
    scores: Any


def _score_row(line: object) -> ScoreRow:
    row = whole(_Scored, line)
    known = names.by_metric(row.scores)
    scores = {metric: _score_from_json(*parts) for metric, parts in known.items()}
    return ScoreRow((row.sample, row.repeat), scores)


def _score_to_json(score: Score) -> list[Any]:
    """Value, reason, labels; and claims, or that the metric does not apply, where there are any."""
    head = [score.value, score.reason, score.labels]
    if not score.applies:
        return [*head, [], False]
    return [*head, [brief(claim) for claim in score.claims]] if score.claims else head


def _score_from_json(
    value: float | None,
    reason: str,
    labels: Sequence[str] | None,
    claims: Sequence[Any] = (),
    applies: bool = True,
) -> Score:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and math.isfinite(value)):
        raise TypeError(f"{value!r} is not a score")
    if not (isinstance(reason, str) and isinstance(applies, bool)):
        raise TypeError("a score is its value, reason, labels, claims, and whether it applies")
    pair = (labels[0], labels[1]) if labels else None
    return Score(value, reason, pair, tuple(map(_claim, claims)), applies)


def _claim(held: Any) -> CheckedClaim:
    claim = CheckedClaim(**held)
    return replace(claim, missing=tuple(claim.missing)) if claim.missing else claim


def _rows(path: Path, parse: Callable[[object], T], check: Callable[[T], None]) -> Iterator[T]:
    """Every line of a file of rows, parsed and checked; `MissingEvidence` for a damaged one."""
    try:
        # As bytes: text files also end lines at signs that an answer may hold.
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    try:
                        row = parse(json.loads(line))
                        check(row)
                    except DAMAGED as error:
                        raise damaged(path, number, error) from error
                    yield row
    except FileNotFoundError as error:
        raise MissingEvidence(f"{path}: missing; the run did not finish") from error
    except OSError as error:
        raise MissingEvidence(f"{path}: cannot be read: {error.strerror or error}") from error


STAMP = "%Y%m%d-%H%M%S-%f"
"""Of a run's id: the UTC time at which it was started."""


def new_folder(results: Path, benchmark: str) -> Path:
    """A folder for a new run. Names sort by time, also when the clock was set back."""
    now, place = datetime.now(UTC).replace(tzinfo=None), results / benchmark
    with disk.refusals(place):
        place.mkdir(parents=True, exist_ok=True)
        while True:
            taken = [stamp for path in place.iterdir() if (stamp := _stamp(path.name))]
            name = max([now, *(stamp + timedelta(microseconds=1) for stamp in taken)])
            folder = place / name.strftime(STAMP)
            try:
                folder.mkdir()
            except FileExistsError:
                continue  # another process was quicker
            return folder


def _stamp(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, STAMP)
    except ValueError:
        return None
