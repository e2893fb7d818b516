"""Agreement of a scorer with human labels."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import GroupKFold

from bakeoff.analysis.stats import Floats, Ints, cluster_codes
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import Estimate
from bakeoff.core.words import QUALITY, BakeoffError, Record
from bakeoff.decide.gates.floors import Ahead, ahead, floors, redrawn, share_in_order
from bakeoff.decide.gates.labels import Labelled
from bakeoff.metrics.needs import Chat, Need
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import Cell, Give, no_models, scores
from bakeoff.metrics.scorer import Context, Scorer
from bakeoff.metrics.scorers.verdict import OPINION
from bakeoff.spec.metric import Metric

FOLDS = 5
FEWEST = 10
"""Minimum number of labels of each class for the AUROC of a generator."""


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
    ahead: Ahead


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
    Raises `BakeoffError` for a scorer that there is not.
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
    mine = _agreement(str(metric), rows, values[0], seed, dict(reasons.most_common()))
    mine = replace(mine, spread=_spread(values))
    counted = floors(rows)
    beside = [_agreement(f"{name} (floor)", rows, value, seed) for name, value in counted.items()]
    above = ahead(rows, values[0], counted, seed)
    return Report(str(metric), (mine, *beside), _people(rows, seed), above)


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


def _agreement(
    name: str,
    rows: Sequence[Labelled],
    scored: Floats,
    seed: int,
    reasons: Mapping[str, int] | None = None,
) -> Agreement:
    kept = ~np.isnan(scored)
    judged = [row for row, keep in zip(rows, kept, strict=True) if keep]
    values = scored[kept]
    good = np.array([row.good for row in judged], dtype=np.int64)
    if len(set(good.tolist())) < 2:
        raise BakeoffError(_of_one_label(name, len(rows), good, reasons or {}))
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
        reasons=reasons or {},
    )


def _of_one_label(name: str, rows: int, good: Ints, reasons: Mapping[str, int]) -> str:
    labels = f", all with label {good[0]}" if len(good) else ""
    why = "".join(f"; not scored: {reason} ({count})" for reason, count in reasons.items())
    return (
        f"{name}: it scored {len(good)} of {quantity(rows, 'answer')}{labels}{why}. Agreement is "
        "measured on scored answers with label 0 and with label 1"
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


def _measured_by(
    measure: Callable[..., float], one: Any, other: Any, sources: Ints, seed: int
) -> Estimate:
    """A measure of two columns, with its interval by bootstrap over sources."""
    draws = []
    with warnings.catch_warnings():
        # A draw with one label alone has no kappa; it is left out below.
        warnings.simplefilter("ignore")
        for drawn in redrawn(sources, seed):
            draws.append(measure(one[drawn], other[drawn]))
        value = float(measure(one, other))
    known = [draw for draw in draws if math.isfinite(draw)]
    low, high = np.quantile(known, [0.025, 0.975]) if known else (math.nan, math.nan)
    return Estimate.of(value, float(low), float(high), "bootstrap over sources", len(sources))


def _auroc(values: Floats, good: Ints, sources: Ints, seed: int) -> Estimate:
    draws = [
        share_in_order(good[drawn], values[drawn])
        for drawn in redrawn(sources, seed)
        if 0 < good[drawn].sum() < len(drawn)
    ]
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (0.0, 1.0)
    value = share_in_order(good, values)
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
