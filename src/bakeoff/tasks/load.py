"""Tasks made of a task file and its rows, loaded and checked.

`rows` reads them (also from `datasets`), `samples` checks them, `documents` makes the
corpora, `selection` takes the part that a run asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError, Document, Sample, digest, faults
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.scorer import Scorer
from bakeoff.runs.digests import TaskDigests
from bakeoff.spec.backends import unknown_prefix
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.metric import Metric, behind_endpoint
from bakeoff.spec.task import BEFORE, TaskFile, load_task_file, task_path
from bakeoff.tasks.beir import unfit
from bakeoff.tasks.documents import corpus_digest, documents_of
from bakeoff.tasks.gold import unknown_gold, with_ids
from bakeoff.tasks.overlap import near_duplicates
from bakeoff.tasks.readers import Reading
from bakeoff.tasks.rows import test_rows, train_rows
from bakeoff.tasks.samples import samples_of
from bakeoff.tasks.selection import Selection, not_there, stratified, take
from bakeoff.tasks.targets import unclear_labels, unreadable_targets
from bakeoff.tasks.task import Task, Unavailable

__all__ = [
    "PROMPT",
    "Selection",
    "Task",
    "Unavailable",
    "load_task",
    "load_tasks",
    "stratified",
    "take",
]


def load_tasks(
    suite: Suite, path: Path, data: Path | None = None, selection: Selection | None = None
) -> tuple[dict[str, Task], dict[str, str]]:
    """The benchmark's tasks by name, and the reasons why some had to be skipped.

    Raises `BakeoffError` with the faults of all task files together.
    """
    selection = selection or Selection()
    tasks: dict[str, Task] = {}
    skipped: dict[str, str] = {}
    samples: list[Sample] = []
    away = False
    problems: list[str] = []
    for name, use in suite.tasks.items():
        try:
            task = load_task(task_path(name, path), data)
            states = [task]
            if task.file.changes:
                states.insert(0, load_task(task_path(name, path), data, before=True))
            for state in states:
                samples += state.samples
                part = take(state, use, selection, suite.seed)
                if state.name in tasks:
                    problems.append(f"{path}: tasks: two tasks are named '{state.name}'")
                elif part.samples:
                    tasks[state.name] = part
                else:
                    skipped[state.name] = "none of its samples is selected"
        except Unavailable as unavailable:
            away = True
            skipped[Path(name).stem] = unavailable.reason
        except BakeoffError as error:
            problems.append(str(error))
    if not (problems or away):  # else what is missing may be in a task that could not be read
        problems += [f"{path}: {problem}" for problem in not_there(selection, samples)]
    problems += [
        f"{path}: {problem}" for task in tasks.values() for problem in _unknown_judges(task, suite)
    ]
    problems += [f"{path}: setups.{problem}" for problem in _unknown_corpora(tasks, suite)]
    faults(problems)
    return tasks, skipped


def _unknown_corpora(tasks: Mapping[str, Task], suite: Suite) -> Iterator[str]:
    """Corpora that a setup names and the benchmark does not have."""
    for setup in suite.setups.values():
        for name, corpus in (setup.retrieve.corpus if setup.retrieve else {}).items():
            where = f"{setup.name}.retrieve.corpus"
            if name not in {Path(task).stem for task in suite.tasks}:
                yield f"{where}: the benchmark has no task '{name}'"
            if name in tasks and corpus not in tasks[name].corpora:
                known = ", ".join(tasks[name].corpora) or "none"
                yield f"{where}: {name} has no corpus '{corpus}'; it has {known}"


def _unknown_judges(task: Task, suite: Suite) -> list[str]:
    """Judges that a task's metrics name and the benchmark does not have."""
    named = [metric.judge for metric in task.scorers if behind_endpoint(metric.judge)]
    rivals = [metric.setting("against") for metric in task.scorers]
    return [
        *(
            f"endpoints: task '{task.name}' asks the judge '{by}': no endpoint "
            f"'{by.partition(':')[0]}'{did_you_mean(by.partition(':')[0], suite.endpoints)}"
            for by in dict.fromkeys(named)
            if unknown_prefix(by, suite.endpoints)
        ),
        *(
            f"setups: task '{task.name}' compares with setup '{rival}'"
            f"{did_you_mean(rival, suite.setups)}"
            for rival in dict.fromkeys(rivals)
            if rival and rival not in suite.setups
        ),
    ]


def load_task(
    path: Path,
    data: Path | None = None,
    *,
    hub: bool = True,
    refuse: bool = True,
    before: bool = False,
) -> Task:
    """The task at `path`, every row checked. Raises `BakeoffError` listing all faults.

    Without `hub`, a task whose rows would come from there is `Unavailable`. Without `refuse`,
    training rows that repeat test rows are left out even where the task would not be run.
    `before` gives the same questions over the documents and training rows before their change.
    """
    file = load_task_file(path)
    asked = test_rows(file, path, data, hub)
    taught = train_rows(file, path, data, hub, before=before)
    problems: list[str] = []
    samples = samples_of(asked, file, f"{path}: test", problems)
    train = samples_of(taught, file, f"{path}: train", problems) if file.rows.train else []
    dropped = near_duplicates(
        {s.id: s.question for s in samples}, {s.id: s.question for s in train}
    )
    kept = [s for s in train if s.id not in dropped]
    brought = [row.get("documents") for row in (*asked.rows, *taught.rows)]
    corpora, known, read = _corpora(file, path, kept, brought, problems, before=before)
    samples, train, kept = (with_ids(part, known) for part in (samples, train, kept))
    scorers = _scorers(file, path, problems)
    problems += [] if asked.answered else [f"{path}: {p}" for p in unfit(list(scorers))]
    problems += unknown_gold(path, "test", samples, known)
    problems += unknown_gold(path, "train", train, known)
    problems += unreadable_targets(path, samples, scorers)
    problems += unclear_labels(path, file.labels)
    if dropped and refuse and file.on_overlap == "refuse":
        problems += [
            f"{path}: train row '{a}' (nearly) repeats test row '{b}': reword or remove it, "
            "or set on_overlap: drop"
            for a, b in dropped.items()
        ]
    faults(problems)
    name = file.name
    if before:
        file = file.model_copy(update={"name": f"{name}{BEFORE}"})
    return Task(
        file=file,
        after=name if before else "",
        folder=path.parent,
        samples=tuple(samples),
        train=tuple(kept),
        corpora=corpora,
        scorers=scorers,
        left_out=tuple(s for s in train if s.id in dropped),
        population=tuple(samples),
        digests=_digests(file, samples, kept, corpora),
        notes=(*asked.notes, *taught.notes, *read),
    )


def _corpora(
    file: TaskFile,
    path: Path,
    train: Sequence[Sample],
    brought: Sequence[object],
    problems: list[str],
    *,
    before: bool,
) -> tuple[dict[str, tuple[Document, ...]], set[str], list[str]]:
    """The corpora by name, the ids of documents that questions may be about, and what was noted.

    Ids also of those that are there only after a change. What is wrong is added to `problems`.
    """
    notes: list[str] = []
    corpora: dict[str, tuple[Document, ...]] = {}
    known: set[str] = set()
    states = (False, True) if before else (True,)
    for name, corpus in file.corpora.items():
        readings = [Reading() for _ in states]
        try:
            made = [
                documents_of(corpus, path, train, brought, reading, changed=state)
                for state, reading in zip(states, readings, strict=True)
            ]
        except BakeoffError as error:
            problems.append(f"{path}: corpora.{name}: {error}")
            continue
        corpora[name] = made[0]
        known |= {document.id for documents in made for document in documents}
        notes += [f"corpus {name}: {note}" for note in readings[0].notes]
    return corpora, known, notes


def _scorers(file: TaskFile, path: Path, problems: list[str]) -> dict[Metric, Scorer]:
    scorers: dict[Metric, Scorer] = {}
    for metric in file.metrics().values():
        try:
            scorers[metric] = find_scorer(metric, path.parent)
        except BakeoffError as error:
            problems.append(f"{path}: scorers: {error}")
    return scorers


def _digests(
    file: TaskFile,
    samples: Sequence[Sample],
    train: Sequence[Sample],
    corpora: Mapping[str, Sequence[Document]],
) -> TaskDigests:
    parts = {
        "task": digest(file.model_dump(mode="json")),
        "prompt": _prompt(file),
        "scoring": _scoring(file),
        "test": _digest_samples(samples),
        "train": _digest_samples(train),
    }
    documents = {f"corpus:{name}": corpus_digest(docs) for name, docs in corpora.items()}
    return TaskDigests({**parts, **documents})


PROMPT = ("system", "prompt", "with_passages", "max_tokens", "answer", "labels")
"""Parts of a task file that change what a model is asked for."""


def _prompt(file: TaskFile) -> str:
    parts = {part: getattr(file, part) for part in PROMPT}
    return digest({**parts, **_unless_default(file, "before_passages")})


def _unless_default(file: TaskFile, field: str) -> dict[str, object]:
    """A field that came later: digests of runs from before it hold where it is the default."""
    value = getattr(file, field)
    return {} if value == TaskFile.model_fields[field].default else {field: value}


def _scoring(file: TaskFile) -> str:
    """Of what scorers read in a task file: as much a part of the measurement as the rows."""
    refusal = file.refusal.phrases if file.refusal else ()
    read = {
        "phrases": refusal,
        "schema": file.json_schema,
        "rules": [rule.model_dump(mode="json") for rule in file.rules],
        "labels": file.labels,
    }
    return digest({**read, **_unless_default(file, "normalization")})


def _digest_samples(samples: Sequence[Sample]) -> str:
    rows = [[s.id, dict(s.fields), s.targets, s.gold, s.cluster, dict(s.tags)] for s in samples]
    return digest(rows)
