"""The distributions that intervals and tests stand on, held to scipy's."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import special as scipy_special

import rivals
from bakeoff.analysis import special


def cases(count: int) -> list[tuple[float, float, float]]:
    """Shapes from 0.3 to 10,000, and values within four standard deviations of the mean."""
    draw, made = random.Random(1), []
    for _ in range(count):
        a, b = 10 ** draw.uniform(-0.5, 4), 10 ** draw.uniform(-0.5, 4)
        mean = a / (a + b)
        spread = (mean * (1 - mean) / (a + b + 1)) ** 0.5
        made.append((a, b, min(max(mean + spread * draw.uniform(-4, 4), 1e-6), 1 - 1e-6)))
    return made


def test_the_incomplete_beta_function_is_scipys() -> None:
    for a, b, x in cases(500):
        assert special.betainc(a, b, x) == pytest.approx(scipy_special.betainc(a, b, x), rel=1e-9)
    assert [special.betainc(2, 3, x) for x in (-1, 0, 1, 2)] == [0, 0, 1, 1]


def test_its_inverse_is_scipys() -> None:
    for a, b, _ in cases(200):
        for p in (1e-9, 0.005, 0.025, 0.5, 0.975, 0.999):
            found = special.betaincinv(a, b, p)
            assert found == pytest.approx(scipy_special.betaincinv(a, b, p), rel=1e-9)


def test_the_binomial_distribution_is_scipys() -> None:
    for hits, trials in ((0, 1), (3, 10), (480, 1000), (0, 3000), (10, 10)):
        for rate in (0.01, 0.5, 0.9):
            theirs = scipy_special.bdtr(hits, trials, rate)
            assert special.binomial_cdf(hits, trials, rate) == pytest.approx(theirs, rel=1e-9)
    assert special.binomial_cdf(-1, 5, 0.5) == 0


def test_students_distribution_is_scipys() -> None:
    for degrees in (1, 2, 7, 30.5, 999, 10_000):
        for t in (-30, -2.5, -0.3, 0, 0.7, 1, 4):
            theirs = scipy_special.stdtr(degrees, t)
            assert special.t_cdf(degrees, t) == pytest.approx(theirs, rel=1e-9, abs=1e-300)
        for p in (0.001, 0.5, 0.9, 0.975, 0.9995):
            theirs = scipy_special.stdtrit(degrees, p)
            assert special.t_quantile(degrees, p) == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [1, 5, 60, 1500])
@pytest.mark.parametrize("losing", [0.0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_power_of_the_sign_test_sums_over_all_outcomes(
    n: int, losing: float, alpha: float
) -> None:
    discordance = 0.3
    pairs = np.arange(n + 1)
    table = np.arange(n + 1)[:, None]
    says = scipy_special.bdtr(table, pairs, 0.5) <= alpha
    most = np.where((table <= pairs) & says, table, -1).max(axis=0)
    winning = 1 - losing / discordance
    found = np.where(most >= 0, scipy_special.bdtr(np.maximum(most, 0), pairs, winning), 0.0)
    at_least = scipy_special.bdtrc(pairs - 1, n, discordance)
    chances = at_least - np.append(at_least[1:], 0.0)
    wanted = float(chances[1:] @ found[1:])
    power = rivals.paired_power(n, discordance, discordance - 2 * losing, alpha=alpha)
    assert power == pytest.approx(wanted, rel=1e-6, abs=1e-12)
