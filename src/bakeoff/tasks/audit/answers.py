"""Questions and documents that do not meet: answers that occur nowhere, documents never asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bakeoff.core.scripts import signs
from bakeoff.core.words import Sample
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.documents import with_text
from bakeoff.tasks.load import Task
from bakeoff.tasks.overlap import words

_NOTE = "compared by words; long answers may be worded differently"


def answers(task: Task) -> list[Finding]:
    """What the documents lack; nothing for tasks whose answers are labels or JSON."""
    documents = {
        # Signs by themselves too: terms are pairs of them, and an answer may be one sign.
        document.id: words(document.text).union(signs(document.text))
        for name, entries in task.corpora.items()
        if not task.file.corpora[name].examples
        for document in with_text(entries)
    }
    if not documents or task.file.labels or task.file.json_schema:
        return []
    asked = [s for s in task.population if s.targets]
    gold = [s for s in asked if s.gold]
    places = _places(documents)
    entries = [
        counted(
            "answer_in_no_document",
            "answerable test questions have an answer that no document contains",
            [s.id for s in asked if not any(_held(t, places) for t in s.targets)],
            len(asked),
            note=_NOTE,
        )
    ]
    if not gold:
        return entries
    reached = {name for s in (*task.population, *task.train, *task.left_out) for name in s.gold}
    return [
        counted(
            "answer_not_in_gold",
            "test questions have an answer that none of their gold documents contains",
            [s.id for s in gold if not _in_gold(s, documents)],
            len(gold),
            note=_NOTE,
        ),
        *entries,
        counted(
            "documents_unreached",
            "documents are the gold of no test or training row",
            [name for name in documents if name not in reached],
            len(documents),
        ),
    ]


def _places(documents: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """Word -> the documents it is in."""
    places: dict[str, set[str]] = defaultdict(set)
    for name, vocabulary in documents.items():
        for word in vocabulary:
            places[word].add(name)
    return places


def _held(target: str, places: Mapping[str, set[str]]) -> bool:
    """Whether one document has all words of the target."""
    sets = sorted((places.get(word, set()) for word in words(target)), key=len)
    return bool(sets and set.intersection(*sets))


def _in_gold(sample: Sample, documents: Mapping[str, frozenset[str]]) -> bool:
    wanted = [words(target) for target in sample.targets]
    texts = [documents[name] for name in sample.gold if name in documents]
    return any(ws and ws <= text for ws in wanted for text in texts)
