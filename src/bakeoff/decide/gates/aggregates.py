"""The numbers that a gate can take of a column: `mean(...)`, `sum(...)`, `p95(...)`, `pass@3(...)`.

`AGGREGATES` is the one list of them: gate lines are read by it, and the evidence is computed by it.
Gate lines are read before the first request, so nothing here imports numpy by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from bakeoff.analysis.stats import Floats


@dataclass(frozen=True)
class Mean:
    """The mean over samples, which is tested."""


@dataclass(frozen=True)
class Quantile:
    """The value that a share of the samples does not exceed, which is tested."""

    share: float


@dataclass(frozen=True)
class Fact:
    """What happened in this run; no test asks whether it was chance."""

    of: Callable[[Floats], float]
    """Makes the number of the judged values, at least one."""
    repeats: bool = True
    """Whether it is of every repeated answer, or of the samples' means."""
    bounded: bool = True
    """Whether it lies within the metric's own bounds, as a sum does not."""
    whole: bool = False
    """Whether it is a count, which `==` can be asked of."""


@dataclass(frozen=True)
class PerSample:
    """The mean of what is made of the k repeated answers to a sample, which is tested.

    Its name ends with the number k, as in `pass@3`.
    """

    rule: Callable[[Any, Any, int], Floats]
    """Right answers and answers of each sample, and k -> the value of each sample."""
    k: int = 0


Aggregate = Mean | Quantile | Fact | PerSample


def _sum(values: Floats) -> float:
    return float(values.sum())


def _count(values: Floats) -> float:
    return float((values != 0).sum())


def _max(values: Floats) -> float:
    return float(values.max())


def _one_right(right: Any, trials: Any, k: int) -> Floats:
    from bakeoff.analysis.stats import pass_at

    return pass_at(right, trials, k)


def _all_right(right: Any, trials: Any, k: int) -> Floats:
    from bakeoff.analysis.stats import pass_hat

    return pass_hat(right, trials, k)


AGGREGATES: dict[str, Aggregate] = {
    "mean": Mean(),
    "rate": Mean(),
    "sum": Fact(_sum, bounded=False),
    "count": Fact(_count, repeats=False, bounded=False, whole=True),
    "max": Fact(_max),
    "p50": Quantile(0.50),
    "p90": Quantile(0.90),
    "p95": Quantile(0.95),
    "p99": Quantile(0.99),
    "pass@k": PerSample(_one_right),
    "pass^k": PerSample(_all_right),
}
MOST = 1000
"""The largest k."""


def aggregate(name: str | None) -> Aggregate | None:
    """The aggregate of that name; `None` where a gate names none.

    Raises `BakeoffError` where there is no such aggregate.
    """
    if name is None:
        return None
    known = AGGREGATES.get(name)
    if known and not isinstance(known, PerSample):
        return known
    stem = name.rstrip("0123456789")
    per_sample, k = AGGREGATES.get(f"{stem}k"), name.removeprefix(stem)
    if isinstance(per_sample, PerSample) and 0 < len(k) <= 4 and 1 <= int(k) <= MOST:
        return replace(per_sample, k=int(k))
    raise BakeoffError(f"no aggregate '{name}'{did_you_mean(name, AGGREGATES)}")
