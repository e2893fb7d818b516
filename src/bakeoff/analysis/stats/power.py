"""The smallest effect that a test would find."""

from __future__ import annotations

from bakeoff.analysis.stats.means import GAIN, difference_interval
from bakeoff.analysis.stats.values import (
    ALPHA,
    LEVEL,
    NORMAL,
    Bounds,
    Floats,
    Ints,
    normal_quantile,
    standard_error,
)

POWER = 0.8


def power_quantiles(alpha: float, power: float, sides: int) -> float:
    return NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)


def detectable(
    standard_error: float, *, alpha: float = ALPHA, power: float = POWER, sides: int = 2
) -> float:
    """The smallest true effect that a test finds with `power`: MDE.

    For 0/1 values on n pairs the standard error is sqrt(discordance / n).
    """
    return power_quantiles(alpha, power, sides) * standard_error


def detectable_gain(
    differences: Floats,
    clusters: Ints | None = None,
    *,
    bounds: Bounds | None = GAIN,
    alpha: float = ALPHA,
    power: float = POWER,
    sides: int = 2,
) -> float:
    """`detectable` at the standard error of measured pairs; n (this / effect)^2 find an effect.

    Where no pair differs the error is not 0: it is then taken from the width of the interval.
    """
    error = standard_error(differences, clusters)
    if error == 0:
        low, high = difference_interval(differences, clusters, bounds=bounds).ends
        error = (high - low) / (2 * normal_quantile(LEVEL))
    return detectable(error, alpha=alpha, power=power, sides=sides)
