"""A value with its interval: a number, its interval, and the samples behind both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

ALPHA = 0.05
"""A p below it is significant."""


def finite(value: float | None) -> float | None:
    """The number, or `None` where there is none: it is infinite, or not a number."""
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, unless stated otherwise.

    `None` stands for what the data cannot give: the number itself, or an end that they do not
    bound. In memory as in files there is no other sign for it.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Samples that it is based on; 0 where it is put together from several estimates."""
    unjudged: int = 0
    """Samples left out, as they could not be judged."""
    method: str = ""
    """How the interval was made."""

    @classmethod
    def of(cls, value: float, low: float, high: float, method: str = "", n: int = 0) -> Self:
        """From numbers that may be infinite or NaN."""
        return cls(finite(value), finite(low), finite(high), n, method=method)

    @property
    def ends(self) -> tuple[float, float]:
        """The ends to calculate with: infinite where there is none."""
        low = -math.inf if self.low is None else self.low
        return low, math.inf if self.high is None else self.high

    @property
    def known(self) -> bool:
        """Whether both ends are there."""
        return self.low is not None and self.high is not None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out: for differences, whether the sign is clear."""
        low, high = self.ends
        return not low <= 0 <= high

    def within(self, bounds: tuple[float, float] | None) -> Self:
        """The interval cut to what can occur at all."""
        if bounds is None:
            return self
        low, high = self.ends
        return replace(self, low=max(low, bounds[0]), high=min(high, bounds[1]))

    def scaled(self, factor: float, shift: float = 0.0) -> Self:
        """`factor` times it and `shift`; a negative factor changes the ends' places."""
        ends = (self.low, self.high) if factor >= 0 else (self.high, self.low)
        value, low, high = (
            None if number is None else factor * number + shift for number in (self.value, *ends)
        )
        return replace(self, value=value, low=low, high=high)


UNKNOWN = Estimate()
"""Nothing is known: no number, no ends."""


def exactly(value: float) -> Estimate:
    """A number that is no estimate: both ends are the number itself."""
    return Estimate(value, value, value)


def value_of(estimate: Estimate) -> float:
    """The value of an estimate that is known to have one."""
    assert estimate.value is not None
    return estimate.value


@dataclass(frozen=True)
class Difference(Estimate):
    """A paired difference, and how much it could have shown."""

    p: float | None = None
    """Two-sided: sign-flip permutation, which is McNemar's exact test for 0/1 values.

    `None` where it is put together from several differences: the interval decides then.
    """
    wins: int = 0
    ties: int = 0
    losses: int = 0
    detectable: float | None = None
    """The smallest true difference found in 80% of such comparisons (MDE), two-sided at 0.05."""
    needed: int | None = None
    """Samples for which the difference seen would be the detectable one."""
    p_adjusted: float | None = None
    """After Benjamini and Hochberg, where it is one of many slices."""

    @property
    def clear(self) -> bool:
        """Whether it is significant: by its p, and only without one by its interval."""
        return super().clear if self.p is None else self.p < ALPHA

    @property
    def sign(self) -> int:
        """1 or -1 where it is significant, else 0."""
        if not self.clear or not self.value:
            return 0
        return 1 if self.value > 0 else -1

    def better(self, margin: float) -> bool:
        """Whether it is above 0 by more than chance, and large enough to matter."""
        return self.value is not None and self.sign > 0 and self.value >= margin

    def samples(self, size: float) -> int | None:
        """About how many samples would find a true difference of `size` in 80% of runs."""
        if not size or self.detectable is None:
            return None
        return math.ceil(self.n * (self.detectable / size) ** 2)


NO_DIFFERENCE = Difference()
"""Nothing is known of a difference."""
