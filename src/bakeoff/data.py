"""Tasks made of a task file and its rows: loaded, checked, sampled. The door to `datasets`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bakeoff.core import BakeoffError, Document, Sample, digest, faults
from bakeoff.files import prompt_fields
from bakeoff.overlap import near_duplicates
from bakeoff.scoring import (
    Context,
    Metric,
    Scorer,
    behind_endpoint,
    did_you_mean,
    find_scorer,
    load_function,
)
from bakeoff.suite import Suite, TaskUse
from bakeoff.taskfile import BEFORE, CorpusFile, Source, TaskFile, load_task_file, task_path


class Unavailable(BakeoffError):
    """A task whose data can be had neither from the hub nor from a local copy."""


@dataclass(frozen=True)
class Task:
    """A task ready to run: its samples, training samples, corpora and scorers."""

    file: TaskFile
    folder: Path
    samples: tuple[Sample, ...]
    train: tuple[Sample, ...]
    corpora: Mapping[str, tuple[Document, ...]]
    scorers: Mapping[Metric, Scorer]
    left_out: tuple[Sample, ...] = ()
    """Training rows that are not used, because they (nearly) repeat a test row."""
    population: tuple[Sample, ...] = ()
    """Test rows before a benchmark's `limit`."""
    whole: int = 0
    """Test rows before a shard was cut from them, and a digest of their ids."""
    whole_ids: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    """Where this is the state before a change: the task that is the state after it."""

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def dropped(self) -> tuple[str, ...]:
        """Ids of the training rows left out."""
        return tuple(sorted(sample.id for sample in self.left_out))

    def corpus_name(self, chosen: Mapping[str, str]) -> str:
        """The corpus an open-book setup reads here: the chosen one, or the task's first."""
        return chosen.get(self.after or self.name) or next(iter(self.corpora), "")

    def context(self) -> Context:
        """What the task's scorers may know."""
        return Context(
            refusals=self.file.refusal.phrases if self.file.refusal else (),
            schema=self.file.json_schema,
            rules=self.file.rules,
            labels=self.file.labels,
            documents={d.id: d.text for docs in self.corpora.values() for d in docs},
            folder=self.folder,
        )

    def completion(self, sample: Sample) -> str:
        """The answer to train on: the first target, or the task's words for declining."""
        if sample.targets:
            return sample.targets[0]
        return self.file.refusal.say if self.file.refusal else ""


def load_tasks(
    suite: Suite, path: Path, data: Path | None = None, selection: Selection | None = None
) -> tuple[dict[str, Task], dict[str, str]]:
    """The benchmark's tasks by name, and the reasons why some had to be skipped.

    Raises `BakeoffError` with the faults of all task files together.
    """
    tasks: dict[str, Task] = {}
    skipped: dict[str, str] = {}
    problems: list[str] = []
    for name, use in suite.tasks.items():
        try:
            task = load_task(task_path(name, path), data)
            states = [task]
            if task.file.changes:
                states.insert(0, load_task(task_path(name, path), data, before=True))
            for state in states:
                part = take(state, use, selection or Selection(), suite.seed)
                if state.name in tasks:
                    problems.append(f"{path}: tasks: two tasks are named '{state.name}'")
                elif part.samples:
                    tasks[state.name] = part
                else:
                    skipped[state.name] = "none of its samples is selected"
        except Unavailable as reason:
            skipped[Path(name).stem] = str(reason)
        except BakeoffError as error:
            problems.append(str(error))
    problems += [
        f"{path}: {problem}" for task in tasks.values() for problem in _unknown_judges(task, suite)
    ]
    for setup in suite.setups.values():
        for task_name, corpus in (setup.retrieve.corpus if setup.retrieve else {}).items():
            if task_name not in {Path(name).stem for name in suite.tasks}:
                problems.append(
                    f"{path}: setups.{setup.name}.retrieve.corpus: the benchmark has no task "
                    f"'{task_name}'"
                )
            if task_name in tasks and corpus not in tasks[task_name].corpora:
                known = ", ".join(tasks[task_name].corpora) or "none"
                problems.append(
                    f"{path}: setups.{setup.name}.retrieve.corpus: {task_name} has no corpus "
                    f"'{corpus}'; it has {known}"
                )
    faults(problems)
    return tasks, skipped


def _unknown_judges(task: Task, suite: Suite) -> list[str]:
    """Judges that a task's metrics name and the benchmark does not have."""
    named = [metric.judge for metric in task.scorers if behind_endpoint(metric.judge)]
    rivals = [metric.setting("against") for metric in task.scorers]
    return [
        *(
            f"endpoints: task '{task.name}' asks the judge '{by}': no endpoint "
            f"'{by.partition(':')[0]}'{did_you_mean(by.partition(':')[0], suite.endpoints)}"
            for by in dict.fromkeys(named)
            if not suite.served(by)
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
    raw_test = _rows(file.rows.test, path, data, hub)
    raw_train = _rows(file.rows.train, path, data, hub) if file.rows.train else []
    if file.rows.train and file.rows.train.changes and not before:
        raw_train = _changed_rows(raw_train, file.rows.train.changes, path, file)
    problems: list[str] = []
    samples = _samples(raw_test, file, f"{path}: test", problems)
    train = _samples(raw_train, file, f"{path}: train", problems) if file.rows.train else []
    dropped = near_duplicates(
        {s.id: s.question for s in samples}, {s.id: s.question for s in train}
    )
    kept = tuple(s for s in train if s.id not in dropped)
    corpora: dict[str, tuple[Document, ...]] = {}
    known: set[str] = set()
    """Documents that the questions may be about though they are not there yet."""
    for name, corpus in file.corpora.items():
        try:
            every = [*raw_test, *raw_train]
            corpora[name] = _documents(corpus, path, kept, every, changed=not before)
            if before:
                known |= {d.id for d in _documents(corpus, path, kept, every, changed=True)}
        except BakeoffError as error:
            problems.append(f"{path}: corpora.{name}: {error}")
    scorers: dict[Metric, Scorer] = {}
    for metric in file.metrics().values():
        try:
            scorers[metric] = find_scorer(metric, path.parent)
        except BakeoffError as error:
            problems.append(f"{path}: scorers: {error}")
    known |= {d.id for documents in corpora.values() for d in documents}
    problems += _check(path, samples, train, known)
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
        train=kept,
        corpora=corpora,
        scorers=scorers,
        left_out=tuple(s for s in train if s.id in dropped),
        population=tuple(samples),
        digests={
            "task": digest(file.model_dump(mode="json")),
            "prompt": digest(_prompt(file)),
            "test": _digest_samples(samples),
            "train": _digest_samples(kept),
            **{f"corpus:{name}": corpus_digest(docs) for name, docs in corpora.items()},
        },
    )


PROMPT = ("system", "prompt", "with_passages", "max_tokens", "answer", "labels")
"""Parts of a task file that change what a model is asked for."""


def _prompt(file: TaskFile) -> dict[str, Any]:
    found = {part: getattr(file, part) for part in PROMPT}
    if file.before_passages != TaskFile.model_fields["before_passages"].default:
        found["before_passages"] = file.before_passages
    return found


def corpus_digest(documents: Sequence[Document]) -> str:
    """Changes when any document's id or text does."""
    return digest([[d.id, d.text] for d in documents])


def _digest_samples(samples: Sequence[Sample]) -> str:
    rows = [[s.id, dict(s.fields), s.targets, s.gold, s.cluster, dict(s.tags)] for s in samples]
    return digest(rows)


def _rows(source: Source, path: Path, data: Path | None, hub: bool) -> list[dict[str, Any]]:
    if source.files:
        rows = list(_json_lines(sorted(path.parent.glob(source.files)), path, source.files))
    else:
        rows = _data_set(source, path, data, hub)
    if source.adapt:
        rows = list(load_function(source.adapt, path.parent)(rows))
    return rows


def _changed_rows(
    rows: Sequence[Mapping[str, Any]], changes: str, path: Path, file: TaskFile
) -> list[dict[str, Any]]:
    """The rows after a change: some replaced, some gone, new ones behind them."""
    column = file.columns.get("id", "id")
    found = {str(row.get(column, number)): dict(row) for number, row in enumerate(rows, 1)}
    files = sorted(path.parent.glob(changes))
    for number, row in enumerate(_json_lines(files, path, changes), 1):
        if row.get(column) in (None, ""):
            raise BakeoffError(f"{path}: train.changes row {number}: {column}: must be given")
        name = str(row[column])
        if not row.get("removed"):
            found[name] = row
        elif found.pop(name, None) is None:
            raise BakeoffError(f"{path}: train.changes row {number}: no row '{name}' to remove")
    return list(found.values())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BakeoffError(f"{file}: cannot be read as UTF-8: {error}") from error


def _json_lines(files: Sequence[Path], path: Path, pattern: str) -> Iterator[dict[str, Any]]:
    if not files:
        raise BakeoffError(f"{path}: rows: no file matches '{pattern}'")
    for file in files:
        # Not splitlines: it also splits at signs that a text may hold.
        for number, line in enumerate(_text(file).split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BakeoffError(f"{file}: line {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise BakeoffError(f"{file}: line {number}: a row is a JSON object")
            yield row


def _data_set(source: Source, path: Path, data: Path | None, hub: bool) -> list[dict[str, Any]]:
    """Rows of a hub data set, or of a local copy of it where there is one."""
    local = sorted(data.glob(source.local)) if data and source.local else []
    if source.hub and not local and not hub:
        raise Unavailable(f"{path.stem}: '{source.hub}' is on the hub; give --hub or --data DIR")
    import datasets

    datasets.disable_progress_bars()
    if local:
        options: dict[str, Any] = {}
        if source.format == "text":
            options = {"sample_by": "document", "encoding_errors": "replace"}
        loaded = datasets.load_dataset(
            source.format, data_files=[str(f) for f in local], split="train", **options
        )
    elif source.hub:
        try:
            loaded = datasets.load_dataset(
                source.hub, source.config, split=source.split, revision=source.revision
            )
        except Exception as error:  # the hub client raises many unrelated types
            raise Unavailable(
                f"{path.stem}: '{source.hub}' cannot be loaded from the hub "
                f"({type(error).__name__}); give a folder with a local copy: --data DIR"
            ) from error
    else:
        raise Unavailable(f"{path.stem}: needs --data DIR with {source.local}")
    return [dict(row) for row in loaded]


def _samples(
    rows: Iterable[Mapping[str, Any]], file: TaskFile, where: str, problems: list[str]
) -> list[Sample]:
    samples: list[Sample] = []
    seen: set[str] = set()
    wanted = prompt_fields(file.prompt) | prompt_fields(file.system)
    for number, row in enumerate(rows, 1):
        renamed = {**row, **{ours: row.get(theirs) for ours, theirs in file.columns.items()}}
        identity = str(number if renamed.get("id") in (None, "") else renamed["id"])
        place = f"{where} row {number} ('{identity}')"
        if identity in seen:
            problems.append(f"{place}: id stands twice")
        seen.add(identity)
        if not isinstance(renamed.get("question"), str) or not renamed["question"].strip():
            problems.append(f"{place}: question: must be a text, found {renamed.get('question')!r}")
            continue
        fields = {k: str(v) for k, v in renamed.items() if isinstance(v, str | int | float)}
        if missing := sorted(wanted - set(fields)):
            problems.append(f"{place}: the prompt uses {missing}, which the row does not have")
        sample = Sample(
            id=identity,
            fields=fields,
            targets=_texts(renamed, "targets", place, problems),
            gold=_texts(renamed, "gold", place, problems),
            cluster=str(renamed.get("cluster") or ""),
            tags=_tags(renamed, place, problems),
        )
        if not sample.targets and not file.refusal:
            problems.append(f"{place}: targets: empty, and the task has no refusal for that")
        if file.labels and (odd := sorted(set(sample.targets) - set(file.labels))):
            problems.append(f"{place}: targets: {odd} are none of the task's labels")
        samples.append(sample)
    if not samples:
        problems.append(f"{where}: no rows")
    return samples


def _tags(row: Mapping[str, Any], place: str, problems: list[str]) -> dict[str, str]:
    tags = row.get("tags") or {}
    if not isinstance(tags, dict):
        problems.append(f"{place}: tags: must be a mapping of name to value, found {tags!r}")
        return {}
    return {str(name): str(value) for name, value in tags.items()}


def _texts(row: Mapping[str, Any], column: str, place: str, problems: list[str]) -> tuple[str, ...]:
    value = row.get(column)
    values = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        problems.append(f"{place}: {column}: must be texts, found {value!r}")
        return ()
    return tuple(values)


def _documents(
    corpus: CorpusFile,
    path: Path,
    train: Sequence[Sample],
    raw: Sequence[Mapping[str, Any]],
    *,
    changed: bool,
) -> tuple[Document, ...]:
    if corpus.documents:
        texts = _files(corpus.documents, path)
    elif corpus.examples:
        texts = {s.id: f"{s.question}\n=> {s.targets[0]}" for s in train if s.targets}
    elif corpus.rows:
        texts = {k: v for row in raw for k, v in (row.get("documents") or {}).items()}
    else:
        assert corpus.call
        texts = dict(load_function(corpus.call, path.parent)())
    if not texts:
        raise BakeoffError("no documents found")
    if changed:
        if unknown := sorted(set(corpus.removed) - set(texts)):
            raise BakeoffError(f"removed: no document '{unknown[0]}'")
        later = _files(corpus.changes, path) if corpus.changes else {}
        if corpus.changes and not later:
            raise BakeoffError(f"changes: no file matches '{corpus.changes}'")
        if both := sorted(set(corpus.removed) & set(later)):
            raise BakeoffError(f"removed: '{both[0]}' stands among the changes as well")
        texts = {k: v for k, v in {**texts, **later}.items() if k not in corpus.removed}
    return tuple(Document(name, text) for name, text in sorted(texts.items()))


def _files(pattern: str, path: Path) -> dict[str, str]:
    """Texts by the stem of their file."""
    files = sorted(path.parent.glob(pattern))
    texts = {f.stem: _text(f) for f in files}
    if len(texts) < len(files):
        raise BakeoffError(f"'{pattern}': two files share a name")
    return texts


def _check(
    path: Path, samples: Sequence[Sample], train: Sequence[Sample], known: Collection[str]
) -> list[str]:
    """Gold ids that no document has."""
    return [
        f"{path}: {split} row '{s.id}': gold: no document '{gold}'"
        for split, rows in (("test", samples), ("train", train))
        for s in rows
        for gold in s.gold
        if gold not in known
    ]


@dataclass(frozen=True)
class Selection:
    """The part of the samples that one run asks: chosen for a trial, or a shard of them all."""

    limit: int | None = None
    """At most so many samples of each task."""
    ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    """Samples that carry all of these tags."""
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n disjoint parts, i from 1."""

    @property
    def partial(self) -> bool:
        """Whether samples are left out for good; a shard's are in the other shards."""
        return bool(self.limit or self.ids or self.tags)

    def arguments(self) -> list[str]:
        """The command line's options that stand for this selection."""
        return [
            *([f"--limit {self.limit}"] if self.limit else []),
            *(f"--sample-ids {name}" for name in self.ids),
            *(f"--tags {name}={value}" for name, value in self.tags),
            *([f"--shard {self.shard[0]}/{self.shard[1]}"] if self.shard[1] > 1 else []),
        ]


def take(task: Task, use: TaskUse, selection: Selection, seed: int) -> Task:
    """The task with a benchmark's `limit` and a run's selection applied, order kept."""
    samples: Sequence[Sample] = task.samples
    if use.limit is not None:
        samples = stratified(samples, use.limit, use.by, seed)
    if selection.ids:
        samples = [sample for sample in samples if sample.id in selection.ids]
    for name, value in selection.tags:
        samples = [sample for sample in samples if sample.tags.get(name) == value]
    if selection.limit is not None:
        samples = stratified(samples, selection.limit, use.by, seed)
    part, parts = selection.shard
    return replace(
        task,
        samples=tuple(samples[part - 1 :: parts]),
        whole=len(samples),
        whole_ids=digest([sample.id for sample in samples]),
    )


def stratified(
    samples: Sequence[Sample], n: int, by: Sequence[str], seed: int
) -> tuple[Sample, ...]:
    """At most `n` samples that keep the shares of the strata named by `by` (all tags if empty).

    The samples of each stratum are spread evenly over (0, 1), in the order of a seeded hash of
    their ids, and the first `n` of all are taken: a larger `n` adds to a smaller one, and the
    order of the rows does not matter.
    """
    if n >= len(samples):
        return tuple(samples)
    strata: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        tags = {**sample.tags, "target": sample.targets[0] if sample.targets else ""}
        strata[tuple(tags.get(name, "") for name in by or sorted(sample.tags))].append(sample)
    places: list[tuple[float, str]] = []
    for group in strata.values():
        ranked = sorted((digest(f"{seed}:{s.id}"), s.id) for s in group)
        places += [((rank + 0.5) / len(group), name) for rank, (_, name) in enumerate(ranked)]
    ordered = sorted(places, key=lambda place: (place[0], digest(f"{seed}:{place[1]}")))
    chosen = {name for _, name in ordered[:n]}
    return tuple(sample for sample in samples if sample.id in chosen)
