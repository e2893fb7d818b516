"""Quantiles and ratios of the latency pass, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis.latency import clear, quantile, summary
from bakeoff.core.estimate import UNKNOWN, Estimate
from bakeoff.core.words import LATENCY, Answer, Failure, Record, Step


@pytest.mark.parametrize(
    ("n", "share", "expected"),
    [
        # Ranks whose binomial probability of holding the median is at least 95%.
        (5, 0.5, Estimate(3.0, None, None)),
        (6, 0.5, Estimate(3.5, 1.0, 6.0)),
        (10, 0.5, Estimate(5.5, 2.0, 9.0)),
        (9, 0.9, UNKNOWN),
        (10, 0.9, Estimate(9.1, 7.0, None)),
        (100, 0.9, Estimate(90.1, 84.0, 96.0)),
        (99, 0.99, UNKNOWN),
        (100, 0.99, Estimate(99.01, 97.0, None)),
        (0, 0.5, UNKNOWN),
        (5000, 0.5, Estimate(2500.5, 2431.0, 2570.0)),
    ],
)
def test_a_quantile_stands_between_ranks_or_says_that_n_is_too_small(
    n: int, share: float, expected: Estimate
) -> None:
    found = quantile([float(i + 1) for i in reversed(range(n))], share)
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == (expected.low, expected.high)


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95]))
def test_an_interval_holds_its_value(values: list[float], share: float) -> None:
    found = quantile(values, share)
    if found.value is not None:
        assert min(values) <= found.value <= max(values)
        assert found.low is None or found.low <= found.value
        assert found.high is None or found.high >= found.value


def timed(setup: str, sample: int, seconds: float, again: int = 0) -> Record:
    steps = (
        Step("retrieve", 0.1),
        Step("prefill", seconds / 2),
        Step("decode", seconds / 2, 0, 0, 6),
    )
    return Record(LATENCY, "qa", setup, str(sample), Answer("x", steps=steps), again)


def test_parts_and_ratios_are_of_the_same_samples() -> None:
    records = [timed("base", i, 1.0 + i) for i in range(6)]
    records += [timed("base", i, 1.0 + i, again=1) for i in range(6)]
    records += [timed("slow", i, 2 * (1.0 + i) + 0.1) for i in range(6)]
    records += [Record(LATENCY, "qa", "slow", "6", Failure("timeout"))]
    found = summary(records, ["base", "slow", "none"])
    assert list(found.setups) == ["base", "slow"]
    noise = found.noise
    assert (noise.value, noise.low, noise.high) == (1.0, 1.0, 1.0)
    slow = found.setups["slow"]
    ratio = slow.ratio
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert (slow.n, slow.failed, found.setups["base"].failed) == (6, 1, 0)
    base = found.setups["base"]
    median = base.quantiles["p50"]
    assert (median.value, median.low, median.high) == pytest.approx((3.6, 1.1, 6.1))
    assert base.quantiles["p90"].value is None
    assert base.first_token_s == pytest.approx(3.5 / 2 + 0.1)
    assert base.per_token_s == pytest.approx(3.5 / 2 / 5)
    assert base.tokens_per_s == pytest.approx(36 / (21 + 0.6))


def test_a_ratio_within_the_noise_is_not_clear() -> None:
    noise = Estimate(1.0, 0.9, 1.2)
    assert clear(Estimate(1.5, 1.3, 2.0), noise)
    assert clear(Estimate(0.5, 0.3, 0.8), noise)
    assert not clear(Estimate(1.15, 1.1, 1.3), noise)
    assert not clear(Estimate(1.5, 1.3, None), noise)
    assert not clear(Estimate(1.5, 1.3, 2.0), UNKNOWN)
