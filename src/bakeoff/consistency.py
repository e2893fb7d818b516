"""How far answers to one question agree, where each was asked several times."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bakeoff import stats
from bakeoff.columns import Column
from bakeoff.stats import Floats, Ints


def consistency(column: Column) -> dict[str, Any]:
    """Agreement and variance of a metric's repeated answers; empty when each was asked once.

    `flips`, `pass@k` and `pass^k` (for each k) are of values of 0 and 1, and `None` otherwise.
    """
    answers = column.answers
    if answers is None or np.isnan(answers[:, 1:]).all():
        return {}
    split = stats.variance_split(answers)
    rates = bool(np.isin(answers[~np.isnan(answers)], (0.0, 1.0)).all())
    return {
        "between": _finite(split.between),
        "within": _finite(split.within),
        # The judge's part of `within`, once judges are asked repeatedly of one answer.
        "judge": None,
        "correlation": _finite(split.correlation),
        "disagreement": _finite(stats.disagreement(answers)),
        "flips": _finite(stats.flips(answers)) if rates else None,
        "pass@k": _passes(answers, stats.pass_at) if rates else None,
        "pass^k": _passes(answers, stats.pass_hat) if rates else None,
    }


def _passes(answers: Floats, rule: Callable[[Ints, Ints, int], Floats]) -> dict[str, float | None]:
    """k -> the mean over the samples that have k judged answers or more."""
    known = ~np.isnan(answers)
    hits, trials = np.nansum(answers, axis=1).astype(np.int64), known.sum(axis=1)
    found = {}
    for k in range(1, answers.shape[1] + 1):
        values = rule(hits, trials, k)
        found[str(k)] = _finite(float(values[trials >= k].mean())) if (trials >= k).any() else None
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
