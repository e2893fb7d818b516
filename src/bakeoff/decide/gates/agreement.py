"""Agreement of a scorer with human labels.

    {"answer": ..., "passages": [...], "label": 1, "question": ..., "targets": [...],
     "source": ..., "generator": ..., "raters": [1, 0.5, 1]}

A row a line; `label` is 1 where people found the answer good. `raters` are what single people said,
from 0 to 1; without a label, the answer is good where their mean is above a half. Rows of one
`source` (a document, an article) are not independent; `generator` is what wrote the answer.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import GroupKFold

from bakeoff.analysis.stats import Floats, Ints, cluster_codes
from bakeoff.core.estimate import Estimate
from bakeoff.core.words import QUALITY, Answer, BakeoffError, Passage, Record, Sample, Step, faults
from bakeoff.metrics.lexical import Evidence, claims, features
from bakeoff.metrics.needs import Chat, Need
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import Cell, Give, no_models, scores
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.metrics.scorers.verdict import OPINION
from bakeoff.spec.metric import Metric
from bakeoff.spec.yaml_files import explained

DRAWS = 400
"""Bootstrap draws of an interval, over sources."""
FOLDS = 5
FEWEST = 10
"""Minimum number of labels of each class for the AUROC of a generator."""


class _Row(BaseModel):
    """A line of a file of labels; what it has besides is left alone."""

    # Ids and targets may be numbers in somebody's file.
    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    answer: StrictStr
    passages: tuple[StrictStr, ...]
    label: bool | None = None
    raters: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    id: str = ""
    """Empty: the number of the line."""
    question: str = ""
    targets: tuple[str, ...] = ()
    source: str = ""
    """Empty: the row is a source of its own."""
    generator: str = ""

    @field_validator("label", mode="before")
    @classmethod
    def _is_a_label(cls, value: Any) -> Any:
        if value not in (0, 1):
            raise ValueError("write 1 for a good answer, 0 for a bad one")
        return value

    @model_validator(mode="after")
    def _has_a_label(self) -> Self:
        if self.label is None and not self.raters:
            raise ValueError("label: must be given where there are no raters")
        return self


@dataclass(frozen=True)
class Labelled:
    """An answer with human labels."""

    sample: Sample
    answer: Answer
    good: bool
    source: str
    generator: str
    raters: tuple[float, ...] = ()

    @property
    def grade(self) -> float:
        """The human label, from 0 to 1."""
        return float(np.mean(self.raters)) if self.raters else float(self.good)


@dataclass(frozen=True)
class Agreement:
    """The agreement of one scorer, or one baseline, with the labels."""

    name: str
    judged: int
    unjudged: int
    auroc: Estimate
    """AUROC: share of (good, bad) pairs whose good answer scores higher; ties count half."""
    balanced_accuracy: float
    """At a threshold chosen on other sources, mean of both classes."""
    f1: float
    """Of finding the bad answers, at that threshold."""
    kappa: Estimate
    """Cohen's, at that threshold."""
    pearson: Estimate
    """With the labels, or with the mean of the raters."""
    spearman: Estimate
    within: Mapping[str, Estimate]
    """AUROC within each generator: a score may know who wrote an answer, not whether it is good."""
    spread: float | None = None
    """Standard deviation of the scores of one answer, when a judge was asked repeatedly."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason for unscored answers -> count."""


@dataclass(frozen=True)
class People:
    """Inter-rater agreement: each rater against the mean of the others."""

    rows: int
    pearson: Estimate
    kappa: Estimate
    """Of pairs of raters, above a half against not."""


@dataclass(frozen=True)
class Report:
    """A scorer, the baselines it should beat, and the raters."""

    metric: str
    scorers: tuple[Agreement, ...]
    """The scorer first."""
    people: People | None


def read_labels(path: Path) -> list[Labelled]:
    """The labelled answers of a JSON Lines file. Raises `BakeoffError` listing what is wrong."""
    try:
        # As bytes: text files also end lines at signs that an answer may hold.
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BakeoffError(f"{path}: cannot be read: {error}") from error
    problems: list[str] = []
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(_labelled(_Row.model_validate_json(line), str(number)))
            except ValidationError as error:
                problems += [f"{path}: line {number}: {fault}" for fault in explained(error)]
    faults(problems)
    kinds = {row.good for row in rows}
    if len(kinds) < 2:
        raise BakeoffError(f"{path}: labels must be of both kinds, 1 and 0")
    return rows


def _labelled(row: _Row, number: str) -> Labelled:
    name = row.id or number
    documents = {f"{name}.{place}": text for place, text in enumerate(row.passages)}
    sample = Sample(
        name, {"question": row.question, **documents}, row.targets, gold=tuple(documents)
    )
    shown = tuple(Passage(d, 0, len(text), text) for d, text in documents.items())
    return Labelled(
        sample,
        Answer(row.answer, shown, (Step("retrieve"), Step("decode"))),
        float(np.mean(row.raters)) > 0.5 if row.label is None else row.label,
        row.source or name,
        row.generator,
        row.raters,
    )


def check(
    name: str,
    rows: Sequence[Labelled],
    folder: Path,
    give: Give = no_models,
    *,
    repeats: int = 1,
    seed: int = 0,
) -> Report:
    """The agreement of a scorer, and of the floors that it should beat, with the labels.

    `give` asks the scorer's models; with `repeats`, judges are asked so often, with other seeds.
    Containment is the share of an answer's content words that stand in the passages; length is
    its characters, in the direction that is better. Raises `BakeoffError` for a scorer that there
    is not.
    """
    metric = Metric.parse(name)
    scorer = find_scorer(metric, folder)
    cells = [_cell(row, metric, scorer, folder) for row in rows]
    sign = 1.0 if scorer.higher_is_better else -1.0
    tries = []
    reasons: Counter[str] = Counter()
    for number in range(repeats):
        result = scores(cells, _anew(give, number))
        tries.append([np.nan if s is None or s.value is None else sign * s.value for s in result])
        unjudged = [score for score in result if score is None or score.value is None]
        reasons.update(s.reason.split(":")[0] if s else "does not apply" for s in unjudged)
    values = np.array(tries)
    mine = _agreement(str(metric), rows, values[0], seed)
    length = np.array([float(len(row.answer.text)) for row in rows])
    floors = [
        _agreement("containment (floor)", rows, np.array([_contained(r) for r in rows]), seed),
        max(
            (_agreement("length alone (floor)", rows, way * length, seed) for way in (1, -1)),
            key=lambda result: result.auroc.value or 0.0,
        ),
    ]
    mine = replace(mine, spread=_spread(values), reasons=dict(reasons.most_common()))
    return Report(str(metric), (mine, *floors), _people(rows, seed))


def _spread(values: Floats) -> float | None:
    """Standard deviation of one answer's scores, over those that were judged more than once."""
    many = values[:, (~np.isnan(values)).sum(axis=0) > 1]
    return float(np.sqrt(np.nanvar(many, axis=0, ddof=1).mean())) if many.size else None


def _cell(row: Labelled, metric: Metric, scorer: Scorer, folder: Path) -> Cell:
    documents = {name: row.sample.fields[name] for name in row.sample.gold}
    record = Record(QUALITY, "labels", "labels", row.sample.id, row.answer)
    context = Context(documents=documents, folder=folder)
    return Cell(record, row.sample, metric, scorer, context, open_book=True)


def _anew(give: Give, number: int) -> Give:
    """The judges asked for the so-manieth time, each time with seeds of its own."""
    if not number:
        return give

    def again(needs: Collection[Need]) -> dict[Need, Any]:
        fresh = {
            need: replace(need, attempt=need.attempt + OPINION * number)
            if isinstance(need, Chat)
            else need
            for need in needs
        }
        given = give(list(fresh.values()))
        return {need: given[asked] for need, asked in fresh.items()}

    return again


def _contained(row: Labelled) -> float:
    evidence = Evidence.of([passage.text for passage in row.answer.passages])
    shares = [features(claim, evidence)["contained"] for claim in claims(row.answer.text)]
    return float(np.mean(shares)) if shares else 0.0


def _agreement(name: str, rows: Sequence[Labelled], scored: Floats, seed: int) -> Agreement:
    kept = ~np.isnan(scored)
    judged = [row for row, keep in zip(rows, kept, strict=True) if keep]
    values = scored[kept]
    good = np.array([row.good for row in judged], dtype=np.int64)
    if len(set(good.tolist())) < 2:
        raise BakeoffError(f"{name}: it judged only answers of one label; no agreement to measure")
    grades = np.array([row.grade for row in judged])
    sources = cluster_codes([row.source for row in judged])
    decisions = _decided(values, good, sources)
    generators = [row.generator for row in judged]
    within = {}
    for generator in sorted(set(generators) - {""}):
        mine = np.array([writer == generator for writer in generators])
        if min(np.bincount(good[mine], minlength=2)) >= FEWEST:
            within[generator] = _auroc(values[mine], good[mine], sources[mine], seed)
    return Agreement(
        name,
        len(judged),
        len(rows) - len(judged),
        _auroc(values, good, sources, seed),
        float(balanced_accuracy_score(good, decisions)),
        float(f1_score(1 - good, 1 - decisions)),
        _measured_by(_kappa, good, decisions, sources, seed),
        _measured_by(_pearson, grades, values, sources, seed),
        _measured_by(_pearson, rankdata(grades), rankdata(values), sources, seed),
        within,
    )


def _people(rows: Sequence[Labelled], seed: int) -> People | None:
    """Each rater against the mean of the others, over rows that have at least two."""
    rated = [row for row in rows if len(row.raters) > 1]
    if len(rated) < FEWEST:
        return None
    alone, others, sources = [], [], []
    first, second, pairs = [], [], []
    codes = cluster_codes([row.source for row in rated])
    for row, code in zip(rated, codes, strict=True):
        total = sum(row.raters)
        for rating in row.raters:
            alone.append(rating)
            others.append((total - rating) / (len(row.raters) - 1))
            sources.append(code)
        for one, other in combinations(row.raters, 2):
            first.append(int(one > 0.5))
            second.append(int(other > 0.5))
            pairs.append(code)
    return People(
        len(rated),
        _measured_by(_pearson, np.array(alone), np.array(others), np.array(sources), seed),
        _measured_by(_kappa, np.array(first), np.array(second), np.array(pairs), seed),
    )


def _pearson(one: Floats, other: Floats) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _kappa(one: Ints, other: Ints) -> float:
    """Cohen's, of two columns of 0 and 1; that of scikit-learn mostly checks its arguments."""
    both = np.bincount(2 * one + other, minlength=4).reshape(2, 2) / len(one)
    by_chance = float(both.sum(axis=1) @ both.sum(axis=0))
    return (float(np.trace(both)) - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _share_in_order(good: Ints, values: Floats) -> float:
    """AUROC by ranks, as Mann and Whitney count pairs: a tie is half of one."""
    hits, misses = int(good.sum()), int((1 - good).sum())
    above = float(rankdata(values)[good == 1].sum()) - hits * (hits + 1) / 2
    return above / (hits * misses)


def _measured_by(
    measure: Callable[..., float], one: Any, other: Any, sources: Ints, seed: int
) -> Estimate:
    """A measure of two columns, with its interval by bootstrap over sources."""
    draws = []
    with warnings.catch_warnings():
        # A draw with one label alone has no kappa; it is left out below.
        warnings.simplefilter("ignore")
        for drawn in _draws(sources, seed):
            draws.append(measure(one[drawn], other[drawn]))
        value = float(measure(one, other))
    known = [draw for draw in draws if math.isfinite(draw)]
    low, high = np.quantile(known, [0.025, 0.975]) if known else (math.nan, math.nan)
    return Estimate.of(value, float(low), float(high), "bootstrap over sources", len(sources))


def _draws(sources: Ints, seed: int) -> Iterator[Ints]:
    """Rows of sources drawn with replacement."""
    random = np.random.default_rng([seed, len(sources)])
    places = [np.flatnonzero(sources == source) for source in np.unique(sources)]
    for _ in range(DRAWS):
        yield np.concatenate([places[i] for i in random.integers(0, len(places), len(places))])


def _auroc(values: Floats, good: Ints, sources: Ints, seed: int) -> Estimate:
    draws = [
        _share_in_order(good[drawn], values[drawn])
        for drawn in _draws(sources, seed)
        if 0 < good[drawn].sum() < len(drawn)
    ]
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (0.0, 1.0)
    value = _share_in_order(good, values)
    return Estimate.of(value, float(low), float(high), "bootstrap over sources", len(sources))


def _decided(values: Floats, good: Ints, sources: Ints) -> Ints:
    """Labels by a threshold that is best, in balanced accuracy, on the sources of other folds."""
    decisions = np.zeros(len(values), dtype=np.int64)
    folds = min(FOLDS, len(np.unique(sources)))
    if folds < 2:
        return (values >= _threshold(values, good)).astype(np.int64)
    for train, test in GroupKFold(folds).split(values, groups=sources):
        decisions[test] = values[test] >= _threshold(values[train], good[train])
    return decisions


def _threshold(values: Floats, good: Ints) -> float:
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(good[order]) / max(1, good.sum())
    alarms = np.cumsum(1 - good[order]) / max(1, (1 - good).sum())
    # A threshold lies between different values: only the last of equal ones counts.
    last = np.append(np.diff(values[order]) != 0, True)
    best = int(np.argmax(np.where(last, hits - alarms, -np.inf)))
    return float(values[order][best])
