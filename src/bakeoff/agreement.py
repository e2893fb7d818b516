"""How far a scorer agrees with people: its scores held against their labels.

    {"answer": ..., "passages": [...], "label": 1, "question": ..., "targets": [...],
     "source": ..., "generator": ...}

A row a line; `label` is 1 where people found the answer good. Rows of one `source` (a document, an
article) are not independent; `generator` is what wrote the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold

from bakeoff.core import Answer, BakeoffError, Passage, Sample, Step, faults
from bakeoff.lexical import Evidence, claims, features
from bakeoff.report import Table
from bakeoff.scoring import Context, Metric, find_scorer
from bakeoff.stats import Floats, Ints, cluster_codes

DRAWS = 400
"""Bootstrap draws of an interval, over sources."""
FOLDS = 5
FEWEST = 10
"""Labels of each kind below which nothing is said of a generator."""


@dataclass(frozen=True)
class Labelled:
    """An answer that people judged."""

    sample: Sample
    answer: Answer
    good: bool
    source: str
    generator: str


@dataclass(frozen=True)
class Measured:
    """A number with its 95% interval, by bootstrap over sources."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """What one scorer, or one floor, has to do with the labels."""

    name: str
    judged: int
    unjudged: int
    auroc: Measured
    """How often a good answer scores above a bad one; ties count half."""
    balanced_accuracy: float
    """At a threshold chosen on other sources, mean of both classes."""
    f1: float
    """Of finding the bad answers, at that threshold."""
    kappa: float
    within: Mapping[str, Measured]
    """AUROC within each generator: a score may know who wrote an answer, not whether it is good."""


def read_labels(path: Path) -> list[Labelled]:
    """The labelled answers of a JSON Lines file. Raises `BakeoffError` listing what is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BakeoffError(f"{path}: cannot be read: {error}") from error
    problems: list[str] = []
    rows = [
        row
        for number, line in enumerate(lines, 1)
        if line.strip() and (row := _row(line, f"{path}: line {number}", number, problems))
    ]
    faults(problems[:20])
    kinds = {row.good for row in rows}
    if len(kinds) < 2:
        raise BakeoffError(f"{path}: labels must be of both kinds, 1 and 0")
    return rows


def _row(line: str, where: str, number: int, problems: list[str]) -> Labelled | None:
    try:
        raw = json.loads(line)
        answer, label, passages = raw["answer"], raw["label"], raw["passages"]
    except (ValueError, KeyError, TypeError) as error:
        problems.append(f"{where}: not an object with answer, passages and label: {error!r}")
        return None
    texts = isinstance(answer, str) and isinstance(passages, list)
    if not texts or not all(isinstance(passage, str) for passage in passages):
        problems.append(f"{where}: answer is a text and passages is a list of texts")
        return None
    if label not in (0, 1):
        problems.append(f"{where}: label: 1 for a good answer, 0 for a bad one (found {label!r})")
        return None
    name = str(raw.get("id", number))
    documents = {f"{name}.{place}": text for place, text in enumerate(passages)}
    sample = Sample(
        name,
        {"question": str(raw.get("question", "")), **documents},
        tuple(str(target) for target in raw.get("targets", [])),
        tuple(documents),
    )
    shown = tuple(Passage(d, 0, len(text), text) for d, text in documents.items())
    return Labelled(
        sample,
        Answer(answer, shown, (Step("retrieve"), Step("decode"))),
        bool(label),
        str(raw.get("source", name)),
        str(raw.get("generator", "")),
    )


def check(name: str, rows: Sequence[Labelled], folder: Path, seed: int = 0) -> list[Agreement]:
    """The agreement of a scorer, and of the floors that it should beat, with the labels.

    Containment is the share of an answer's content words that stand in the passages; length is
    its characters, in the direction that is better. Raises `BakeoffError` for a
    scorer that there is not.
    """
    metric = Metric.parse(name)
    scorer = find_scorer(metric, folder)
    sign = 1.0 if scorer.higher_is_better else -1.0

    def scored(row: Labelled) -> float:
        documents = {n: row.sample.fields[n] for n in row.sample.gold}
        found = scorer.score(row.sample, row.answer, Context(documents=documents), metric)
        return np.nan if found is None or found.value is None else sign * found.value

    found = [_agreement(str(metric), rows, scored, seed)]
    found.append(_agreement("containment (floor)", rows, _contained, seed))
    length = _agreement("length alone (floor)", rows, _length, seed)
    if length.auroc.value < 0.5:
        length = _agreement(length.name, rows, lambda row: -_length(row), seed)
    return [*found, length]


def _contained(row: Labelled) -> float:
    evidence = Evidence.of([passage.text for passage in row.answer.passages])
    found = [features(claim, evidence)["contained"] for claim in claims(row.answer.text)]
    return float(np.mean(found)) if found else 0.0


def _length(row: Labelled) -> float:
    return float(len(row.answer.text))


def _agreement(
    name: str, rows: Sequence[Labelled], scored: Callable[[Labelled], float], seed: int
) -> Agreement:
    values = np.array([scored(row) for row in rows])
    judged = [row for row, value in zip(rows, values, strict=True) if not np.isnan(value)]
    good = np.array([row.good for row in judged], dtype=np.int64)
    if len(set(good.tolist())) < 2:
        raise BakeoffError(f"{name}: it judged only answers of one label; no agreement to measure")
    values = values[~np.isnan(values)]
    sources = cluster_codes([row.source for row in judged])
    said = _decided(values, good, sources)
    generators = [row.generator for row in judged]
    within = {}
    for generator in sorted(set(generators) - {""}):
        mine = np.array([each == generator for each in generators])
        if min(np.bincount(good[mine], minlength=2)) >= FEWEST:
            within[generator] = _auroc(values[mine], good[mine], sources[mine], seed)
    return Agreement(
        name,
        len(judged),
        len(rows) - len(judged),
        _auroc(values, good, sources, seed),
        float(balanced_accuracy_score(good, said)),
        float(f1_score(1 - good, 1 - said)),
        float(cohen_kappa_score(good, said)),
        within,
    )


def _auroc(values: Floats, good: Ints, sources: Ints, seed: int) -> Measured:
    random = np.random.default_rng([seed, len(values)])
    places = [np.flatnonzero(sources == source) for source in np.unique(sources)]
    draws = []
    for _ in range(DRAWS):
        drawn = np.concatenate([places[i] for i in random.integers(0, len(places), len(places))])
        if 0 < good[drawn].sum() < len(drawn):
            draws.append(roc_auc_score(good[drawn], values[drawn]))
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (0.0, 1.0)
    return Measured(float(roc_auc_score(good, values)), float(low), float(high))


def _decided(values: Floats, good: Ints, sources: Ints) -> Ints:
    """Labels by a threshold that is best, in balanced accuracy, on the sources of other folds."""
    said = np.zeros(len(values), dtype=np.int64)
    folds = min(FOLDS, len(np.unique(sources)))
    if folds < 2:
        return (values >= _threshold(values, good)).astype(np.int64)
    for train, test in GroupKFold(folds).split(values, groups=sources):
        said[test] = values[test] >= _threshold(values[train], good[train])
    return said


def _threshold(values: Floats, good: Ints) -> float:
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(good[order]) / max(1, good.sum())
    alarms = np.cumsum(1 - good[order]) / max(1, (1 - good).sum())
    # A threshold lies between different values: only the last of equal ones counts.
    last = np.append(np.diff(values[order]) != 0, True)
    best = int(np.argmax(np.where(last, hits - alarms, -np.inf)))
    return float(values[order][best])


def table(found: Sequence[Agreement]) -> Table:
    """How far a scorer agrees with people, beside the floors."""
    generators = list(dict.fromkeys(name for each in found for name in each.within))
    rows = [
        (
            each.name,
            f"{each.judged}" + (f" ({each.unjudged} unjudged)" if each.unjudged else ""),
            _measured(each.auroc),
            f"{each.balanced_accuracy:.3f}",
            f"{each.f1:.3f}",
            f"{each.kappa:.3f}",
            *(_measured(each.within[g]) if g in each.within else "-" for g in generators),
        )
        for each in found
    ]
    return Table(
        "Agreement with people",
        (
            *("scorer", "answers", "AUROC", "balanced accuracy", "F1", "kappa"),
            *(f"AUROC in {generator}" for generator in generators),
        ),
        tuple(rows),
        "AUROC: how often a good answer scores above a bad one, 0.5 is chance; 95% bootstrap "
        "over sources. Balanced accuracy (flagging everything: 0.500), F1 of finding bad answers "
        "and kappa at a threshold chosen on other sources.",
    )


def _measured(found: Measured) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
