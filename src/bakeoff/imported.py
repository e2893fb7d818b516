"""Another tool's results, sample by sample, made into a run that is compared and gated like any.

Rows are streamed into the journals of a folder beside the results, which takes its place among
them in one step once everything in it is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import yaml

from bakeoff import finished, run, store
from bakeoff.core import (
    LATENCY,
    QUALITY,
    Answer,
    BakeoffError,
    Failure,
    Record,
    Sample,
    Score,
    Step,
    digest,
    faults,
    sha256_file,
)
from bakeoff.data import PROMPT, Selection, Task, load_task, take
from bakeoff.foreign import (
    LINES,
    NO_QUESTION,
    TABLES,
    Bad,
    Cell,
    Fields,
    cell_of,
    find,
    read_rows,
    shown,
    text_of,
)
from bakeoff.manifest import COMPLETE, Imported, ImportedFile, Manifest, MetricFacts
from bakeoff.scoring import Metric, did_you_mean
from bakeoff.stats import RATE
from bakeoff.store import ScoreRow, Scores, Unit
from bakeoff.suite import MEASURED, Suite, TaskUse
from bakeoff.taskfile import Rows, Source, TaskFile

GIVEN = "given.jsonl"
"""In a unit's folder: the scores that came with its answers, which scoring again keeps."""
SAID = 20
"""Faulty rows that are told one by one; the others are counted."""
FIRST = 5
"""Ids named with a count of them."""
_NAME = 100
"""Characters of a setup's name, which is part of a folder's."""
_SETUPS = 200
"""Setups of one import: each has files open while rows come in."""


@dataclass(frozen=True)
class Import:
    """What is to be imported, and as what."""

    files: Sequence[Path]
    """Files, or folders of them."""
    fields: Fields = field(default_factory=Fields)
    setup: str = ""
    """The setup of all rows, where they do not name one."""
    task: Path | None = None
    """The task file whose test rows were answered; without one, the rows make the task."""
    scorers: Sequence[str] = ()
    """Without a task: what answers are scored by."""
    lower_is_better: Sequence[str] = ()
    """Imported metrics of which less is better."""
    name: str = ""
    """The benchmark's name; the task's, or the first file's, where left empty."""
    data: Path | None = None
    command: str = ""


def import_results(
    wanted: Import, results: Path, note: Callable[[str], None] = lambda _: None
) -> finished.Run:
    """A complete run in `results` made of another tool's rows; `note` is told what they lack.

    Every setup has a cell for every sample: those that no row answers are failures. Raises
    `BakeoffError` that lists what is wrong, and then leaves nothing behind.
    """
    files = _files(wanted)
    wanted = replace(wanted, fields=_with_listed(wanted.fields, files))
    _check(wanted)
    task = load_task(wanted.task, wanted.data) if wanted.task else None
    if task:
        task = take(task, TaskUse(), Selection(), 0)
        _check_metrics(wanted.fields, {str(metric) for metric in task.scorers})
    name = wanted.name or (task.name if task else _identifier(_stem(wanted.files[0])))
    if not name.replace("-", "_").isidentifier():
        raise BakeoffError(f"'{name}' cannot name a benchmark: use letters, digits, - and _")
    results.mkdir(parents=True, exist_ok=True)
    # Deeper than runs are looked for: until it is whole, nobody finds it.
    with tempfile.TemporaryDirectory(prefix=".import-", dir=results) as scratch:
        folder = Path(scratch) / "unfinished" / "run"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            taken = _Intake(folder, task.name if task else name, task, wanted.fields, stack)
            for file in files:
                taken.add_file(file, wanted.setup)
            taken.end()
        manifest = _make(folder, name, wanted, taken)
        for text in manifest.imported.notes if manifest.imported else ():
            note(text)
        return finished.Run(_put(folder, manifest, results))


def _put(folder: Path, manifest: Manifest, results: Path) -> Path:
    """Give the folder its place among the results; where it is."""
    place = store.new_folder(results, manifest.benchmark)
    try:
        file = manifest.file
        if (folder / "task").is_dir():
            file = os.path.relpath(place / "task" / file)
        placed = manifest.model_copy(update={"run": place.name, "file": file})
        store.write_manifest(folder, placed)
        finished.write_comparison(finished.Run(folder))
        folder.rename(place)
    except BaseException:
        shutil.rmtree(place)
        raise
    return place


def restore(folder: Path, manifest: Manifest) -> Manifest:
    """Put the scores that came with a run's answers beside those its scorers gave.

    To be called after `run.score`, which replaces all scores; gives the manifest with the metrics
    of both. Does nothing to other runs.
    """
    imported = manifest.imported
    if not imported:
        return manifest
    tasks = {
        name: task.model_copy(update={"metrics": {**task.metrics, **imported.metrics}})
        for name, task in manifest.tasks.items()
    }
    for task in tasks:
        for setup in imported.setups if imported.metrics else ():
            unit = Unit(task, setup)
            store.write_scores(folder, unit, _with_given(folder, unit, imported.worst))
    # Spent by bakeoff: what the other tool spent it does not say.
    return manifest.model_copy(update={"tasks": tasks, "spent": {}})


def _with_given(folder: Path, unit: Unit, worst: Mapping[str, float]) -> Iterator[ScoreRow]:
    scored = (unit.folder(folder) / store.SCORES).is_file()
    others = store.read_scores(folder, unit) if scored else None
    with (unit.folder(folder) / GIVEN).open(encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            key = (row["sample"], row["repeat"])
            found: Scores = {}
            if others:
                theirs, found = next(others)
                if theirs != key:
                    raise BakeoffError(f"{stream.name}: its rows are not those of the journal")
            if failed := row.get("failed"):
                given = {m: Score(value, f"failed: {failed}") for m, value in worst.items()}
            else:
                given = {m: Score(value, reason) for m, (value, reason) in row["scores"].items()}
            yield ScoreRow(key, {**found, **given})


def _files(wanted: Import) -> list[Path]:
    """The files to read, in an order that does not depend on the file system."""
    found: list[Path] = []
    for path in wanted.files:
        if not path.is_dir():
            if not path.is_file():
                raise BakeoffError(f"{path}: no such file")
            found.append(path)
            continue
        known = (*LINES, *TABLES)
        inside = sorted(path.rglob(wanted.fields.files or "*"))
        inside = [p for p in inside if p.is_file() and p.suffix.lower() in known]
        if not inside:
            raise BakeoffError(
                f"{path}: no file {wanted.fields.files or 'that ends in ' + ', '.join(known)}"
            )
        found += inside
    if not found:
        raise BakeoffError("import: name at least one file")
    return list(dict.fromkeys(found))


def _stem(path: Path) -> str:
    """A file's name without its ending, or a folder's name."""
    return path.resolve().name if path.is_dir() else path.stem


def _with_listed(wanted: Fields, files: Sequence[Path]) -> Fields:
    """The fields with the scores that the first row lists; those that are no numbers left out."""
    if not wanted.scores_listed or wanted.scores:
        return wanted
    place, row = next(read_rows(files[0], wanted), ("line 1", ""))
    names = None if isinstance(row, str) else find(row, wanted.scores_listed)
    if isinstance(row, str) or not isinstance(names, list):
        raise BakeoffError(
            f"{files[0]}: {place}: no list of scores in '{wanted.scores_listed}'; name "
            "them with --score COLUMN"
        )
    found = {str(name): find(row, str(name)) for name in names}
    kept = {n: v for n, v in found.items() if v is None or isinstance(v, bool | int | float)}
    if not kept:
        raise BakeoffError(f"{files[0]}: {place}: none of {list(found)} is a number")
    return replace(wanted, scores={re.sub(r"\W+", "_", name): name for name in kept})


def _check(wanted: Import) -> None:
    """Raise for fields and options that do not go together."""
    taken, problems = wanted.fields, []
    if not taken.id:
        problems.append("id: must be given: it tells which rows belong to one sample")
    if not (taken.scores or wanted.task or wanted.scorers):
        problems.append(
            "nothing to compare: name columns of scores, or score answers by a task or by scorers"
        )
    if (wanted.task or wanted.scorers) and not taken.answer:
        problems.append("answer: its column must be named, or nothing can be scored")
    if wanted.setup and taken.setup:
        problems.append(
            f"setup: '{wanted.setup}' for all rows, or column '{taken.setup}': not both"
        )
    if taken.seconds and taken.milliseconds:
        problems.append("seconds: they come from one column, not also from milliseconds")
    if taken.completion_tokens and not taken.prompt_tokens:
        problems.append("completion_tokens: prompt_tokens must be named too")
    if wanted.task:
        own = [name for name in ("target", "cluster", "tags") if getattr(taken, name)]
        own = [name for name in own if name not in taken.optional]
        problems += [f"{name}: the task has its own: leave it out" for name in own]
        if wanted.scorers:
            problems.append("scorers: the task has its own: leave them out")
    elif wanted.scorers and not taken.target:
        problems.append("target: its column must be named: scorers compare answers with it")
    problems += [
        f"lower-is-better: no imported score '{name}'{did_you_mean(name, taken.scores)}"
        for name in wanted.lower_is_better
        if name not in taken.scores
    ]
    faults([f"import: {problem}" for problem in problems])
    _check_metrics(taken, {str(Metric.parse(text)) for text in wanted.scorers})


def _check_metrics(taken: Fields, others: set[str]) -> None:
    """Raise for imported metrics that have the name of another column of the run."""
    faults(
        [
            f"import: score {metric}: there is a {metric} already; give it another name, such as "
            f"their_{metric}={path}"
            for metric, path in taken.scores.items()
            if metric in others or metric in MEASURED
        ]
    )


@dataclass
class _Tally:
    """A fault that many rows can have: how many have it, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.count += 1
        if self.count <= FIRST:
            self.first.append(text)

    def __str__(self) -> str:
        more = ", …" if self.count > FIRST else ""
        return ", ".join(self.first) + more


@dataclass
class _Lane:
    """What has come in of one setup."""

    name: str
    origin: str
    """Its name in the files."""
    journal: store.Journal
    given: TextIO | None
    seen: dict[str, int] = field(default_factory=dict)
    """Sample -> answers to it."""
    marks: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, None] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    """Why cells failed -> how many."""
    unjudged: Counter[str] = field(default_factory=Counter)

    def append(self, record: Record, scores: Mapping[str, Score]) -> None:
        self.journal.append(record)
        if self.given is None:
            return
        row: dict[str, Any] = {"sample": record.sample, "repeat": record.repeat}
        if record.error is not None:
            row["failed"] = record.error
        else:
            row["scores"] = {metric: [s.value, s.reason] for metric, s in scores.items()}
            self.unjudged.update(m for m, s in scores.items() if s.value is None)
        self.given.write(json.dumps(row) + "\n")


class _Intake:
    """Rows on their way into the journals, and what was seen of them."""

    def __init__(
        self, folder: Path, name: str, task: Task | None, taken: Fields, stack: ExitStack
    ) -> None:
        self.folder, self.name, self.task, self.taken, self.stack = folder, name, task, taken, stack
        self.known = {s.id: s for s in task.samples} if task else {}
        self.samples: dict[str, Sample] = dict(self.known)
        self.lanes: dict[str, _Lane] = {}
        self.timed: store.Journal | None = None
        self.ends: dict[str, tuple[float, float]] = {}
        """Metric -> its smallest and its largest value."""
        self.sources: list[ImportedFile] = []
        self.unseen = {n: p for n, p in taken.places.items() if n not in taken.optional}
        self.problems: list[str] = []
        self.faulty = 0
        self.unknown, self.twice, self.differing = _Tally(), _Tally(), _Tally()

    def add_file(self, file: Path, setup: str) -> None:
        """Take the rows of a file. Raises `BakeoffError` for what is no such file at all."""
        stem = file.resolve().parent.name if self.taken.folder_is_setup else file.stem
        rows = left_out = 0
        for place, row in read_rows(file, self.taken):
            if isinstance(row, str):
                self._fault(f"{file}: {place}: {row}")
                continue
            if any(text_of(find(row, path)) != text for path, text in self.taken.where.items()):
                left_out += 1
                continue
            rows += 1
            if self.unseen:
                self.unseen = {n: p for n, p in self.unseen.items() if find(row, p) is None}
            try:
                self._add(cell_of(row, self.taken, setup or stem), f"{file}: {place}", file.name)
            except Bad as fault:
                self._fault(f"{file}: {place}: {fault}")
        if not rows and not self.problems:
            chosen = " that --where asks for" if left_out else ""
            self.problems.append(f"{file}: no rows{chosen}")
        self.sources.append(
            ImportedFile(
                file=os.path.relpath(file),
                sha256=sha256_file(file),
                rows=rows,
                left_out=left_out or None,
            )
        )

    def _fault(self, text: str) -> None:
        self.faulty += 1
        if self.faulty <= SAID:
            self.problems.append(text)

    def _add(self, cell: Cell, place: str, file: str) -> None:
        lane = self.lanes.get(cell.setup) or self._open(cell.setup)
        name = cell.sample.id
        if self.task and name not in self.known:
            self.unknown.add(f"'{name}'")
            return
        again = lane.seen.get(name, 0)
        if again and (not self.taken.repeat or (name, cell.mark) in lane.marks):
            self.twice.add(f"'{name}' of setup {cell.setup} ({place})")
            return
        if wrong := self._meet(cell.sample):
            self.differing.add(f"{wrong} of '{name}' ({place})")
            return
        lane.seen[name] = again + 1
        if self.taken.repeat:
            lane.marks.add((name, cell.mark))
        lane.files[file] = None
        if isinstance(cell.outcome, Failure):
            lane.failed[cell.outcome.error] += 1
        else:
            self._measure(cell.scores)
        record = Record(QUALITY, self.name, lane.name, name, cell.outcome, again)
        lane.append(record, cell.scores)
        if cell.seconds is not None and not again:
            self._time(record, cell.seconds)

    def _meet(self, new: Sample) -> str:
        """Keep what a row says of its sample; the field in which another row says otherwise."""
        old = self.samples.get(new.id)
        if old is None:
            self.samples[new.id] = new
            return ""
        if self.task:
            asked = self.taken.question and new.question != old.question
            return "question" if asked else ""
        if old == new:
            return ""
        for part in ("question", "targets", "cluster", "tags"):
            mine, theirs = getattr(old, part), getattr(new, part)
            if mine != theirs and mine and theirs and NO_QUESTION not in (mine, theirs):
                return part
        question = new.question if old.question == NO_QUESTION else old.question
        self.samples[new.id] = Sample(
            new.id,
            {"question": question},
            old.targets or new.targets,
            (),
            old.cluster or new.cluster,
            old.tags or new.tags,
        )
        return ""

    def _measure(self, scores: Mapping[str, Score]) -> None:
        for metric, score in scores.items():
            if score.value is not None:
                low, high = self.ends.get(metric, (score.value, score.value))
                self.ends[metric] = min(low, score.value), max(high, score.value)

    def _time(self, record: Record, seconds: float) -> None:
        assert record.answer
        if self.timed is None:
            self.timed = self.stack.enter_context(store.open_journal(self.folder, Unit(self.name)))
        step = (record.answer.steps or (Step("call"),))[0]
        answer = Answer("", (), (replace(step, seconds=seconds),))
        self.timed.append(replace(record, phase=LATENCY, outcome=answer))

    def _open(self, origin: str) -> _Lane:
        """A setup of which the first row came. Raises `Bad` for a name that cannot be taken."""
        name = _identifier(origin)
        if not name or name == f"{LATENCY}-pass":
            raise Bad("setup", origin, "another name, with letters or digits, works")
        if other := next((o for o in self.lanes.values() if o.name == name), None):
            taken = f"{shown(other.origin)} is called {name} already"
            raise Bad("setup", origin, f"{taken}: a name that differs in letters or digits works")
        if len(self.lanes) == _SETUPS:
            where = f"is '{self.taken.setup}' the column of the setup?"
            raise BakeoffError(f"import: more than {_SETUPS} setups; {where}")
        unit = Unit(self.name, name)
        journal = self.stack.enter_context(store.open_journal(self.folder, unit))
        given = None
        if self.taken.scores:
            path = unit.folder(self.folder) / GIVEN
            given = self.stack.enter_context(path.open("w", encoding="utf-8"))
        self.lanes[origin] = _Lane(name, origin, journal, given)
        return self.lanes[origin]

    @property
    def repeats(self) -> int:
        return max(max(lane.seen.values(), default=1) for lane in self.lanes.values())

    def end(self) -> None:
        """Fail the cells that no row answered, and commit. Raises `BakeoffError` for all faults."""
        faults(self._faults())
        repeats = self.repeats
        for lane in self.lanes.values():
            error = f"missing from {', '.join(lane.files)}"
            for sample in self.samples:
                for repeat in range(lane.seen.get(sample, 0), repeats):
                    record = Record(QUALITY, self.name, lane.name, sample, Failure(error), repeat)
                    lane.append(record, {})
                    lane.failed[error] += 1
            lane.journal.commit()
        if self.timed:
            self.timed.commit()

    def _faults(self) -> list[str]:
        found = list(self.problems)
        if self.faulty > SAID:
            found.append(f"import: {self.faulty - SAID} more rows cannot be taken")
        if self.unknown.count:
            found.append(
                f"import: {self.unknown.count} rows have ids that task {self.name} does not: "
                f"{self.unknown}; its ids are like {', '.join(map(repr, list(self.known)[:3]))}"
            )
        if self.twice.count:
            found.append(
                f"import: {self.twice.count} rows stand twice: {self.twice}; name a repeat column, "
                "give the files setups of their own, or choose rows with --where COLUMN=TEXT"
            )
        if self.differing.count:
            where = f"task {self.name}" if self.task else "an earlier row"
            found.append(
                f"import: {self.differing.count} rows differ from {where} in what they say of a "
                f"sample: {self.differing}"
            )
        if found:
            return found
        found += [
            f"import: {name}: no row holds anything at '{path}'"
            for name, path in self.unseen.items()
        ]
        found += [
            f"import: score {metric}: no answered row holds a number"
            for metric in self.taken.scores
            if metric not in self.ends and f"score {metric}" not in self.unseen
        ]
        times = {lane.origin: max(lane.seen.values(), default=1) for lane in self.lanes.values()}
        if len(set(times.values())) > 1:
            said = ", ".join(f"{setup} {count}" for setup, count in times.items())
            found.append(
                f"import: setups were asked a different number of times ({said}); import those "
                "that were asked equally often"
            )
        return found


def _identifier(text: str) -> str:
    """The text as a name that gates can spell: ASCII letters, digits, - and _."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:_NAME]
    return f"_{name}" if name[:1].isdigit() else name


def _make(folder: Path, name: str, wanted: Import, taken: _Intake) -> Manifest:
    """Task, samples, scores and manifest of the run whose journals are whole."""
    task, file = taken.task, wanted.task
    if not task and wanted.scorers:
        file = _write_task(folder, wanted, taken)
        task = take(load_task(file), TaskUse(), Selection(), 0)
    if not task:
        task = _task(wanted, taken)
    suite = _suite(name, file.name if file else taken.name, taken)
    store.write_samples(folder, {task.name: task.samples})
    if not file:
        named = taken.sources[0].file
    else:
        # Of a task made here only its name is known until the run has its place.
        named = os.path.relpath(file) if wanted.task else file.name
    manifest = _manifest(suite, wanted, taken, task, named)
    if task.scorers:
        manifest = run.score(folder, manifest, suite, {task.name: task})
    return restore(folder, manifest)


def _suite(name: str, task: str, taken: _Intake) -> Suite:
    setups = {
        lane.name: {"model": lane.origin, "imported": list(lane.files)}
        for lane in taken.lanes.values()
    }
    return Suite.model_validate(
        {
            "name": name,
            "description": "Results of another tool, brought in by `bakeoff import`.",
            "tasks": [task],
            "setups": setups,
            "repeats": taken.repeats,
        }
    )


def _write_task(folder: Path, wanted: Import, taken: _Intake) -> Path:
    """The task that the rows make, as files of its own: its answers can be scored again."""
    if empty := [sample.id for sample in taken.samples.values() if not sample.targets]:
        named = ", ".join(map(repr, empty[:FIRST]))
        raise BakeoffError(
            f"import: target: {len(empty)} samples have none: {named}; scorers compare with it"
        )
    place = folder / "task"
    place.mkdir()
    rows = (
        {"id": s.id, "question": s.question, "targets": s.targets}
        | ({"cluster": s.cluster} if s.cluster else {})
        | ({"tags": dict(s.tags)} if s.tags else {})
        for s in taken.samples.values()
    )
    with (place / f"{taken.name}.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    made = {
        "description": _DESCRIPTION,
        "rows": {"test": f"{taken.name}.jsonl"},
        "scorers": list(wanted.scorers),
    }
    file = place / f"{taken.name}.yaml"
    file.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    return file


_DESCRIPTION = "What the rows of another tool say of their samples."


def _task(wanted: Import, taken: _Intake) -> Task:
    """The task that the rows make, when they bring their scores: it has no scorers to run."""
    samples = tuple(taken.samples.values())
    file = TaskFile(
        name=taken.name,
        description=_DESCRIPTION,
        rows=Rows(test=Source(files=taken.sources[0].file)),
        scorers=tuple(wanted.fields.scores),
    )
    whole = [[s.id, dict(s.fields), s.targets, s.gold, s.cluster, dict(s.tags)] for s in samples]
    return Task(
        file=file,
        folder=taken.folder,
        samples=samples,
        train=(),
        corpora={},
        scorers={},
        population=samples,
        whole=len(samples),
        whole_ids=digest([sample.id for sample in samples]),
        digests={
            "task": digest([taken.name, sorted(wanted.fields.scores)]),
            "prompt": digest({part: getattr(file, part) for part in PROMPT}),
            "test": digest(whole),
            "train": digest([]),
        },
    )


def _manifest(suite: Suite, wanted: Import, taken: _Intake, task: Task, file: str) -> Manifest:
    command = " ".join(["bakeoff import", *(os.path.relpath(path) for path in wanted.files)])
    parts = {
        "file": file,
        "command": wanted.command or command,
        "status": COMPLETE,
        "imported": _imported(wanted, taken),
    }
    return run.blank_manifest(suite, Selection(), {task.name: task}).model_copy(update=parts)


def _imported(wanted: Import, taken: _Intake) -> Imported:
    """Where everything came from, what was made of it, and what is to be known about it."""
    lower = set(wanted.lower_is_better)
    scores = wanted.fields.scores
    mapping = {name: path for name, path in asdict(wanted.fields).items() if path}
    return Imported(
        files=tuple(taken.sources),
        fields={**mapping, "optional": sorted(wanted.fields.optional)},
        answers=bool(wanted.fields.answer),
        setups={lane.name: lane.origin for lane in taken.lanes.values()},
        metrics={
            metric: MetricFacts(
                higher_is_better=metric not in lower,
                bounds=RATE if _is_rate(taken.ends[metric]) else None,
                version=digest(["imported", metric, path, metric not in lower]),
                about=f"`{path}` of the imported rows.",
            )
            for metric, path in scores.items()
        },
        worst={metric: _worst(taken.ends[metric], metric in lower) for metric in scores},
        timing="the other tool's own" if taken.timed else None,
        notes=tuple(_notes(taken, lower)),
    )


def _is_rate(ends: tuple[float, float]) -> bool:
    return RATE[0] <= ends[0] and ends[1] <= RATE[1]


def _worst(ends: tuple[float, float], lower_is_better: bool) -> float:
    """What a failed answer scores: 0 (or 1), or the worst value of the import where that is."""
    return max(1.0, ends[1]) if lower_is_better else min(0.0, ends[0])


def _notes(taken: _Intake, lower: Iterable[str]) -> Iterator[str]:
    """What a reader must know of the rows, a sentence each."""
    rows = sum(source.rows for source in taken.sources)
    lanes, cells = taken.lanes.values(), len(taken.samples) * taken.repeats
    times = f" x {taken.repeats} repeats" if taken.repeats > 1 else ""
    yield (
        f"imported {rows} rows of {len(taken.sources)} files: {len(lanes)} setups x "
        f"{len(taken.samples)} samples{times}"
    )
    for lane in lanes:
        if lane.name != lane.origin:
            yield f"setup {lane.origin!r} is called {lane.name}"
        missing = sum(n for error, n in lane.failed.items() if error.startswith("missing from"))
        if missing:
            yield (
                f"setup {lane.name}: {missing} of {cells} answers are missing from "
                f"{', '.join(lane.files)}: they are failures with the worst score"
            )
        if others := lane.failed.total() - missing:
            yield f"setup {lane.name}: {others} of {cells} rows have an error or no answer"
        for metric, count in lane.unjudged.items():
            yield f"setup {lane.name}: {count} of {cells} values of {metric} are unjudged"
    worst = {m: _worst(ends, m in lower) for m, ends in taken.ends.items() if not _is_rate(ends)}
    for metric, value in worst.items():
        yield f"{metric} is no rate: a failed answer scores {value:g} in it"
    if taken.timed:
        yield "seconds are the other tool's own timing: setups were not timed in turn"
