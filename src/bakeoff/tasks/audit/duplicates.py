"""Duplicate rows and documents: across the split, within one side, with other answers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from bakeoff.core.words import Document, Sample
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.yaml_files import prompt_fields
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.documents import with_text
from bakeoff.tasks.load import Task
from bakeoff.tasks.overlap import THRESHOLD, held_pairs, near_pairs, normal

_PIECE = re.compile(r"\n+|(?<=[.?!])\s+")
_MARK = re.compile(r"^\W*(?:q|question)\s*[:.)]\s*", re.IGNORECASE)
FEWEST = 3
"""Words of a question from which on a document can hold a copy of it: headings are shorter."""
COMMON = re.compile(r"yes|no|true|false|\d{0,2}")
"""Answers that say little of which question they are for."""

Copies = Mapping[str, str]
"""Test id -> the training row or document that repeats its question."""


def overlap(task: Task) -> list[Finding]:
    """Test rows that the training rows repeat, before any are left out."""
    raw = [*task.train, *task.left_out]
    near = copies(task.population, raw)
    held = {test: other for test, other in held_copies(task, raw).items() if test not in near}
    plain, verbatim = _same(task.population, raw), {s.question: s.id for s in reversed(raw)}
    letters = [
        f"{s.id} = {verbatim[s.question]}" for s in task.population if s.question in verbatim
    ]
    n = len(task.population)
    what = "test questions also occur in the training rows"
    left = "the run is refused" if task.file.on_overlap == "refuse" else "they are left out"
    return [
        counted("overlap_verbatim", f"{what} letter by letter", letters, n),
        counted(
            "overlap_exact", f"{what} with the same words in the same order", _listed(plain), n
        ),
        counted(
            "overlap_near",
            f"{what} with nearly the same words",
            _listed({test: other for test, other in near.items() if test not in plain}),
            n,
            note=f"shared words are {THRESHOLD:g} or more of all words of both",
        ),
        counted(
            "overlap_held",
            "test questions are a part of a training question with the same answer, or hold one",
            _listed(held),
            n,
        ),
        counted(
            "left_out",
            "training rows (nearly) repeat a test row",
            task.dropped,
            len(raw),
            note=left,
        ),
    ]


def copies(tests: Sequence[Sample], train: Sequence[Sample]) -> dict[str, str]:
    """Test id -> a training row that repeats its question, exactly where there is one."""
    questions = {s.id: s.question for s in train}
    near: dict[str, str] = {}
    # The sides change places: what is looked for is the first copy of each test row.
    for test, other in near_pairs(questions, {s.id: s.question for s in tests}):
        near.setdefault(test, other)
    return {**near, **_same(tests, train)}


def held_copies(task: Task, train: Sequence[Sample]) -> dict[str, str]:
    """Test id -> a training row whose question holds the test question, or stands in it.

    With an answer in common: "And in winter, ..." may be asked for another one. Not for labels
    and `COMMON` answers, which many rows share.
    """
    if task.file.labels:
        return {}
    tests, rows = {s.id: s for s in task.population}, {s.id: s for s in train}
    asked = {name: sample.question for name, sample in tests.items()}
    taught = {name: sample.question for name, sample in rows.items()}
    pairs = chain(held_pairs(asked, taught), ((b, a) for a, b in held_pairs(taught, asked)))
    found: dict[str, str] = {}
    for test, row in pairs:
        if any(not COMMON.fullmatch(a) for a in _answers(tests[test]) & _answers(rows[row])):
            found.setdefault(test, row)
    return {name: found[name] for name in tests if name in found}


def _same(tests: Sequence[Sample], train: Sequence[Sample]) -> dict[str, str]:
    known = {normal(s.question): s.id for s in reversed(train)}
    if not known:
        return {}
    return {s.id: known[key] for s in tests if (key := normal(s.question)) in known}


def solved(task: Task, corpora: Iterable[str]) -> dict[str, str]:
    """Test id -> a document that holds its question and an answer, and is not its gold.

    Solved training examples are not looked at: they are training rows.
    """
    pieces = [
        (document, _MARK.sub("", piece))
        for name in corpora
        if not task.file.corpora[name].examples
        for document in task.corpora[name]
        for piece in _PIECE.split(document.text)
    ]
    if not pieces:
        return {}
    samples = {
        s.id: s for s in task.population if s.targets and len(normal(s.question).split()) >= FEWEST
    }
    questions = {name: sample.question for name, sample in samples.items()}
    documents: dict[str, str] = {}
    for number, test in near_pairs(questions, {str(i): t for i, (_, t) in enumerate(pieces)}):
        document = pieces[int(number)][0]
        if document.id not in samples[test].gold and _answered(samples[test], document):
            documents.setdefault(test, document.id)
    return {test: documents[test] for test in samples if test in documents}


def _answered(sample: Sample, document: Document) -> bool:
    """Whether one of the sample's answers is in the document, word by word."""
    text = f" {normal(document.text)} "
    return any(f" {normal(target)} " in text for target in sample.targets)


def leaks(task: Task, suite: Suite) -> dict[str, str]:
    """Test id -> its copy in what the benchmark's setups train on or read, after dropping.

    A function of the user's may read all of the task. What a ready adapter or a service behind
    HTTP was trained on is not known here.
    """
    setups = [setup for setup in suite.setups.values() if setup.takes(task.name)]
    calls = any(s.call for s in setups)
    read = {task.corpus_name(s.retrieve.corpus) for s in setups if s.retrieve} - {""}
    corpora = [name for name in task.corpora if calls or name in read]
    trains = calls or any(s.tune and not s.tune.adapter for s in setups)
    trains |= any(task.file.corpora[name].examples for name in corpora)
    copy_of = solved(task, corpora)
    if trains:
        copy_of |= held_copies(task, task.train) | copies(task.population, task.train)
    return {s.id: copy_of[s.id] for s in task.population if s.id in copy_of}


def within(task: Task) -> list[Finding]:
    """Rows and documents that repeat an earlier one of their own side, and contradictions."""
    raw = [*task.train, *task.left_out]
    sides = {"test": _Side.of(task.population, task), "train": _Side.of(raw, task)}
    findings: list[Finding] = []
    for name, rows in sides.items():
        same = _earlier(rows.normal)
        near = _nearly(rows.shown, same)
        grave = name == "test"
        about = f"{'test' if grave else 'training'} rows repeat an earlier one"
        n = len(rows.rows)
        findings.append(counted(f"repeated_{name}", about, _listed(same), n, grave=grave))
        findings.append(counted(f"near_{name}", f"{about} nearly", _listed(near), n))
    texts = {
        f"{name}/{document.id}": normal(document.text)
        for name, documents in task.corpora.items()
        if not task.file.corpora[name].examples
        for document in with_text(documents)
    }
    if texts:
        about = "documents repeat an earlier one"
        findings.append(counted("repeated_documents", about, _listed(_earlier(texts)), len(texts)))
    return [*findings, _contradictions(sides)]


@dataclass(frozen=True)
class _Side:
    """The rows of one side of a task, and their texts by id."""

    rows: Sequence[Sample]
    shown: Mapping[str, str]
    """All of a sample that its prompt shows."""
    normal: Mapping[str, str]
    """The same by its terms."""

    @classmethod
    def of(cls, rows: Sequence[Sample], task: Task) -> _Side:
        fields = sorted(prompt_fields(task.file.prompt) | prompt_fields(task.file.system))
        shown = {s.id: "\n".join(s.fields[name] for name in fields) or s.question for s in rows}
        return cls(rows, shown, {name: normal(text) for name, text in shown.items()})


def _earlier(texts: Mapping[str, str]) -> dict[str, str]:
    """Name -> the first name of the same text, where that is another one."""
    first: dict[str, str] = {}
    earlier = {}
    for name, text in texts.items():
        if (other := first.setdefault(text, name)) != name:
            earlier[name] = other
    return earlier


def _nearly(texts: Mapping[str, str], same: Copies) -> dict[str, str]:
    """Rows that nearly repeat an earlier one, those that do so exactly left out."""
    kept = {name: text for name, text in texts.items() if name not in same}
    place = {name: number for number, name in enumerate(kept)}
    near: dict[str, str] = {}
    for name, other in near_pairs(kept, kept):
        if place[other] < place[name]:
            near.setdefault(name, other)
    return near


def _contradictions(sides: Mapping[str, _Side]) -> Finding:
    """Rows shown with the same words whose accepted answers have none in common."""
    groups: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    for name, side in sides.items():
        for s in side.rows:
            groups[side.normal[s.id]].append((f"{name} {s.id}", s))
    again = (group for group in groups.values() if len(group) > 1)
    pairs = [pair for group in again if (pair := _contradicting(group))]
    about = "questions are repeated with no answer in common"
    return counted("contradictions", about, pairs, len(groups), grave=True)


def _contradicting(group: Sequence[tuple[str, Sample]]) -> str:
    """The first two rows of a group that contradict each other; empty when none do."""
    answered = [(name, _answers(sample)) for name, sample in group]
    for (one, mine), (other, theirs) in combinations(answered, 2):
        if mine != theirs and not mine & theirs:
            return f"{one} ≠ {other}"
    return ""


def _answers(sample: Sample) -> set[str]:
    return {normal(target) for target in sample.targets}


def _listed(pairs: Copies) -> list[str]:
    return [f"{one} = {other}" for one, other in pairs.items()]
