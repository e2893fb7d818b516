"""The one value with ends: what it says, and how it is calculated with."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from bakeoff.core.estimate import UNKNOWN, Difference, Estimate, exactly


def test_what_is_not_finite_is_none_and_calculates_as_infinite() -> None:
    found = Estimate.of(math.nan, -math.inf, 2.0, "t", 7)
    assert found == Estimate(None, None, 2.0, 7, method="t")
    assert found.ends == (-math.inf, 2.0)
    assert json.loads(json.dumps(asdict(found)))["low"] is None


@pytest.mark.parametrize(
    ("low", "high", "known", "clear"),
    [
        (0.1, 0.3, True, True),
        (-0.3, -0.1, True, True),
        (-0.1, 0.3, True, False),
        (0.0, 0.3, True, False),
        (0.1, None, False, True),
        (None, 0.3, False, False),
        (None, None, False, False),
    ],
)
def test_an_interval_is_clear_where_it_leaves_0_out(
    low: float | None, high: float | None, known: bool, clear: bool
) -> None:
    found = Estimate(0.2, low, high)
    assert (found.known, found.clear) == (known, clear)


def test_a_negative_factor_changes_the_places_of_the_ends() -> None:
    found = Estimate(0.8, 0.7, None, 9, 1, "wilson")
    assert found.scaled(-1, 1) == Estimate(
        pytest.approx(0.2), None, pytest.approx(0.3), 9, 1, "wilson"
    )
    assert found.scaled(2) == Estimate(1.6, 1.4, None, 9, 1, "wilson")
    assert UNKNOWN.scaled(-1) == UNKNOWN
    assert exactly(3).scaled(-2, 1) == exactly(-5)


def test_bounds_give_ends_to_what_has_none() -> None:
    assert Estimate(0.5).within((0.0, 1.0)) == Estimate(0.5, 0.0, 1.0)
    assert Estimate(0.5, 0.2, 1.3).within((0.0, 1.0)) == Estimate(0.5, 0.2, 1.0)
    assert Estimate(0.5, 0.2).within(None) == Estimate(0.5, 0.2)


def test_a_difference_is_better_beyond_chance_and_the_margin() -> None:
    found = Difference(0.2, 0.1, 0.3, 50, detectable=0.1)
    assert found.better(0.2) and not found.better(0.25)
    assert not Difference(0.2, -0.1, 0.5).better(0.0)
    assert not Difference(0.2, None, 0.5).better(0.0) and not Difference().better(0.0)
    assert (found.samples(0.05), found.samples(0.0), Difference().samples(0.1)) == (200, None, None)


@pytest.mark.parametrize(
    ("value", "p", "sign"),
    [(0.2, 0.04, 1), (-0.2, 0.04, -1), (0.2, 0.06, 0), (0.0, 0.01, 0), (0.2, None, 1)],
)
def test_the_p_decides_whether_a_difference_is_significant_and_without_one_its_interval(
    value: float, p: float | None, sign: int
) -> None:
    found = Difference(value, value - 0.1, value + 0.1, 50, p=p)
    assert found.sign == sign
    assert found.clear == (p is None or p < 0.05)
    assert found.better(0.1) == (sign > 0)
