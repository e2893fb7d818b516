"""Columns, estimates and paired differences, against published and independent values."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bakeoff.compare import (
    MANY_CLUSTERS,
    Column,
    columns,
    compare,
    contrast,
    corners,
    estimate,
    wilson,
)
from bakeoff.core import LATENCY, QUALITY, Answer, Failure, Record, Sample, Score, Step

QA = {"qa": {str(n): Sample(str(n), {"question": "?"}, ("x",)) for n in range(4)}}


def column(
    values: Sequence[float], clusters: Sequence[str] = (), aggregate: str = "mean"
) -> Column:
    names = tuple(f"s{n:03}" for n in range(len(values)))
    return Column(
        names, tuple(clusters) or names, np.array(values, dtype=float), aggregate=aggregate
    )


def reordered(given: Column, order: Sequence[int]) -> Column:
    return Column(
        tuple(given.samples[i] for i in order),
        tuple(given.clusters[i] for i in order),
        given.values[list(order)],
        tuple(given.labels[i] for i in order) if given.labels else None,
        given.aggregate,
    )


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3; and the closed form at 0 and n: z^2 / (n + z^2)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilsons_interval_has_its_published_values(
    hits: int, n: int, low: float, high: float
) -> None:
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=6e-5)
    found = estimate(column([1.0] * hits + [0.0] * (n - hits)))
    assert (found.value, found.n, found.method) == (pytest.approx(hits / n), n, "wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


labels = st.sampled_from("abcd")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(labels, labels | st.just("(none)")), min_size=1, max_size=25))
def test_macro_f1_is_scikit_learns_over_the_expected_labels(pairs: list[tuple[str, str]]) -> None:
    expected, said = zip(*pairs, strict=True)
    names = tuple(f"s{n}" for n in range(len(pairs)))
    hits = np.array([float(e == s) for e, s in pairs])
    found = estimate(Column(names, names, hits, tuple(pairs), "macro_f1")).value
    wanted = f1_score(expected, said, average="macro", labels=sorted(set(expected)))
    assert found == pytest.approx(wanted)


def test_unjudged_values_are_counted_and_left_out() -> None:
    found = estimate(column([1, math.nan, 0, 1]))
    assert (found.value, found.n, found.unjudged) == (pytest.approx(2 / 3), 3, 1)
    nothing = estimate(column([math.nan]))
    assert (nothing.value, nothing.low, nothing.n, nothing.unjudged) == (None, None, 0, 1)


def test_a_column_without_spread_still_has_an_interval() -> None:
    found = estimate(column([1, 1, 1, 1], clusters="aabb"))
    assert found.low is not None
    assert found.low < 1.0 == found.high


def test_clusters_that_agree_within_widen_the_interval() -> None:
    values = [float(n // 5 % 2) for n in range(40)]
    alone = estimate(column(values))
    together = estimate(column(values, [str(n // 5) for n in range(40)]))
    assert (alone.method, together.method) == ("wilson", "cluster bootstrap")
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(5, None, None), (6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (20, 6, 15), (100, 40, 61)],
)
def test_a_medians_interval_is_from_its_order_statistics(
    n: int, low: float | None, high: float | None
) -> None:
    """The ranks of Conover 1999, table A3 (binomial, p = 1/2, 95% at the least)."""
    values = list(range(1, n + 1))
    random.Random(0).shuffle(values)
    found = estimate(column(values, aggregate="median"))
    assert found.value == (n + 1) / 2
    assert (found.low, found.high) == (low, high)


def test_a_contrast_is_over_the_samples_judged_on_every_side() -> None:
    nan = math.nan
    a, b = column([1, 1, 0, nan]), column([0, nan, 0, 1])
    found = contrast([(a, 1), (b, -1)])
    assert (found.value, found.n, found.unjudged) == (0.5, 2, 2)
    assert contrast([(column([nan, 1]), 1), (column([1, nan]), -1)]).value is None


def test_a_constant_gain_has_a_difference_without_spread_because_it_is_paired() -> None:
    a, b = column([0.9, 0.1, 0.5, 0.3]), column([0.8, 0.0, 0.4, 0.2])
    found = contrast([(a, 1), (b, -1)])
    assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.clear


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(7)), st.sampled_from(["mean", "median", "macro_f1"]))
def test_estimates_and_contrasts_are_the_same_under_any_order_of_samples(
    order: list[int], aggregate: str
) -> None:
    a = column([0.1, 0.9, 0.4, 0.4, 0.8, 0.0, 1.0], "aabbcde", aggregate)
    b = column([0.3, 0.2, 0.7, 0.1, 0.9, 0.5, 0.6], "aabbcde", aggregate)
    if aggregate == "macro_f1":
        a = Column(
            a.samples,
            a.clusters,
            a.values,
            tuple(zip("xyxyxyx", "xyyyxxx", strict=True)),
            aggregate,
        )
        b = Column(
            b.samples,
            b.clusters,
            b.values,
            tuple(zip("xyxyxyx", "yyxyxyx", strict=True)),
            aggregate,
        )
    c, d = reordered(a, order), reordered(b, order)
    for old, new in (
        (estimate(a), estimate(c)),
        (contrast([(a, 1), (b, -1)]), contrast([(c, 1), (d, -1)])),
        (contrast([(a, 1), (b, -1)]), contrast([(a, 1), (d, -1)])),
    ):
        assert (new.value, new.low, new.high) == pytest.approx((old.value, old.low, old.high))


def answered(setup: str, sample: str, phase: str = QUALITY, *steps: Step) -> Record:
    return Record(phase, "qa", setup, sample, Answer("x", steps=steps))


def test_a_failed_or_missing_cell_is_an_error_of_one() -> None:
    records = [answered("rag", "0"), Record(QUALITY, "qa", "rag", "1", Failure("boom"))]
    table = columns(QA, {"qa": ["rag"]}, records, [], {})
    error = table["qa", "rag", "error"]
    assert error.samples == ("0", "1", "2", "3")
    assert error.values.tolist() == [0.0, 1.0, 1.0, 1.0]
    assert estimate(error).value == 0.75


def test_the_worst_score_of_a_failed_cell_stays_in_the_denominator() -> None:
    judged = [Score(float(n > 0)) for n in range(3)]
    scores = [
        ("qa", "rag", str(n), {"exact_match": score})
        for n, score in enumerate([*judged, Score(None, "unjudged")])
    ]
    records = [Record(QUALITY, "qa", "rag", "0", Failure("boom"))]
    found = columns(QA, {"qa": ["rag"]}, records, scores, {})["qa", "rag", "exact_match"]
    assert found.values[:3].tolist() == [0.0, 1.0, 1.0]
    assert found.judged == ("0", "1", "2")


def test_a_sample_asked_several_times_counts_once_with_its_mean() -> None:
    records = [
        Record(QUALITY, "qa", "rag", "0", outcome, repeat)
        for repeat, outcome in enumerate([Failure("boom"), Answer("x"), Answer("x"), Answer("x")])
    ]
    scores = [("qa", "rag", "0", {"contains": Score(value)}) for value in (0.0, 1.0, 1.0, 1.0)]
    table = columns(QA, {"qa": ["rag"]}, records, scores, {})
    assert table["qa", "rag", "error"].values.tolist() == [0.25, 1.0, 1.0, 1.0]
    assert table["qa", "rag", "contains"].values.tolist() == [0.75]


def test_very_many_clusters_are_compared_by_the_normal_approximation() -> None:
    """Against the bootstrap on the same rows: the same interval within a tenth of its width."""
    random = np.random.default_rng(5)
    n = 2 * MANY_CLUSTERS + 10
    clusters = tuple(str(i // 2) for i in range(n))
    names = tuple(map(str, range(n)))
    effect = np.repeat(random.normal(0.3, 1.0, n // 2), 2)
    a = Column(names, clusters, random.normal(0.0, 1.0, n))
    b = Column(names, clusters, a.values + effect)
    found = contrast([(b, 1), (a, -1)])
    assert found.method == "paired cluster normal"
    sums = effect.reshape(-1, 2).sum(axis=1)
    draws = [random.choice(sums, len(sums)).mean() / 2 for _ in range(2000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=(high - low) / 10)
    assert found.high == pytest.approx(high, abs=(high - low) / 10)


def test_seconds_come_from_the_latency_pass_and_the_first_token_waits_for_retrieval() -> None:
    steps = (Step("retrieve", 0.5), Step("prefill", 0.25, 7, 3), Step("decode", 1.0, 0, 0, 2))
    records = [answered("rag", "1", QUALITY, *steps), answered("rag", "0", LATENCY, *steps)]
    table = columns(QA, {"qa": ["rag"]}, records, [], {})
    found = {m: (c.samples, c.values.tolist()) for (_, _, m), c in table.items() if m != "error"}
    assert found == {
        "prompt_tokens": (("1",), [7.0]),
        "context_tokens": (("1",), [3.0]),
        "completion_tokens": (("1",), [2.0]),
        "latency_s": (("0",), [1.75]),
        "retrieve_s": (("0",), [0.5]),
        "ttft_s": (("0",), [0.75]),
        "decode_s": (("0",), [1.0]),
    }


def test_a_corner_that_two_setups_share_is_no_corner() -> None:
    kinds = {"a": "base", "b": "rag", "c": "rag", "d": "own"}
    assert corners(kinds) == {"base": "a"}


def test_the_square_is_taken_apart_by_subtraction() -> None:
    kinds = {"b": "base", "f": "fine-tuned", "r": "rag", "h": "hybrid"}
    means = {"b": 0.0, "f": 0.25, "r": 0.5, "h": 1.0}
    table = {
        ("qa", s, "m"): Column(*[tuple(QA["qa"])] * 2, np.full(4, v)) for s, v in means.items()
    }
    found = compare(table, QA, kinds, {"qa": "m"})["tasks"]["qa"]["metrics"]["m"]
    assert {name: effect["value"] for name, effect in found["effects"].items()} == {
        "tuning, closed book": 0.25,
        "tuning, open book": 0.5,
        "retrieval, untuned": 0.5,
        "retrieval, tuned": 0.75,
        "interaction": 0.25,
    }
    assert found["differences"]["h - b"]["value"] == 1.0
    assert len(found["differences"]) == 6


def test_slices_hold_five_samples_at_the_least_and_never_all() -> None:
    sizes = {"few": 4, "some": 5, "many": 9}
    members = {
        f"{tag}{n}": Sample(f"{tag}{n}", {"question": "?"}, tags={"kind": tag, "all": "yes"})
        for tag, size in sizes.items()
        for n in range(size)
    }
    names = tuple(members)
    values = np.array([float(name.startswith("some")) for name in names])
    table = {("qa", "b", "m"): Column(names, names, values)}
    found = compare(table, {"qa": members}, {"b": "base"}, {"qa": "m"})["tasks"]["qa"]["slices"]
    assert {tag: s["setups"]["b"]["value"] for tag, s in found.items()} == {
        "kind=many": 0.0,
        "kind=some": 1.0,
    }
