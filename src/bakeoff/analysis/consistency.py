"""How far answers to one question agree, where each was asked several times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bakeoff.analysis import stats
from bakeoff.analysis.columns import Column
from bakeoff.analysis.comparison import Opinions, Repeats
from bakeoff.analysis.stats import Floats, Ints
from bakeoff.core.estimate import finite


def consistency(column: Column) -> Repeats | None:
    """Agreement and variance of a metric's repeated answers; `None` when each was asked once."""
    answers = column.answers
    if answers is None or np.isnan(answers[:, 1:]).all():
        return None
    split = stats.variance_split(answers)
    rates = bool(np.isin(answers[~np.isnan(answers)], (0.0, 1.0)).all())
    return Repeats(
        between=finite(split.between),
        within=finite(split.within),
        correlation=finite(split.correlation),
        disagreement=finite(stats.disagreement(answers)),
        flips=finite(stats.flips(answers)) if rates else None,
        pass_at=_passes(answers, stats.pass_at) if rates else None,
        pass_hat=_passes(answers, stats.pass_hat) if rates else None,
    )


def opinions(columns: Sequence[Column]) -> Opinions | None:
    """Variance split into samples, sampling and judge, from several opinions of one judge.

    `columns` hold the same metric of the same answers, judged anew in each; `None` for fewer than
    two. `sampling` is `None` where each sample was answered once: it is then part of `between`.
    Only answers that have every opinion count; nested random effects, by their mean squares.
    """
    if len(columns) < 2:
        return None
    keep = [s for s in columns[0].samples if all(s in column.judged for column in columns)]
    kept = [column.only(keep) for column in columns]
    scores = np.stack([c.values[:, None] if c.answers is None else c.answers for c in kept], axis=2)
    scores[np.isnan(scores).any(axis=2)] = np.nan
    whole = scores[~np.isnan(scores).any(axis=2)]
    if len(whole) < 2:
        return None
    judge = float(whole.var(axis=1, ddof=1).mean())
    part = judge / len(columns)
    split = stats.variance_split(scores.mean(axis=2))
    once = math.isnan(split.within)
    return Opinions(
        opinions=len(columns),
        answers=len(whole),
        between=finite(max(0.0, split.between - part) if once else split.between),
        sampling=None if once else max(0.0, split.within - part),
        judge=judge,
    )


def _passes(answers: Floats, rule: Callable[[Ints, Ints, int], Floats]) -> dict[str, float | None]:
    """k -> the mean over the samples that have k judged answers or more."""
    known = ~np.isnan(answers)
    hits, trials = np.nansum(answers, axis=1).astype(np.int64), known.sum(axis=1)
    means = {}
    for k in range(1, answers.shape[1] + 1):
        values = rule(hits, trials, k)
        means[str(k)] = finite(float(values[trials >= k].mean())) if (trials >= k).any() else None
    return means
