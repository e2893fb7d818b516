"""Columns, estimates and paired differences, against published and independent values."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bakeoff.analysis.columns import Column, Measure, columns
from bakeoff.analysis.compare import compare, contrast, corners, estimate
from bakeoff.core.words import LATENCY, QUALITY, Answer, Failure, Record, Sample, Score, Step
from bakeoff.outputs.tables.labels import mistakes

QA = {"qa": {str(n): Sample(str(n), {"question": "?"}, ("x",)) for n in range(4)}}


def column(
    values: Sequence[float], clusters: Sequence[str] = (), aggregate: str = "mean"
) -> Column:
    names = tuple(f"s{n:03}" for n in range(len(values)))
    measure = Measure(aggregate=aggregate)
    return Column(names, tuple(clusters) or names, np.array(values, dtype=float), None, measure)


def reordered(given: Column, order: Sequence[int]) -> Column:
    return Column(
        tuple(given.samples[i] for i in order),
        tuple(given.clusters[i] for i in order),
        given.values[list(order)],
        tuple(given.labels[i] for i in order) if given.labels else None,
        given.measure,
    )


def test_a_rate_has_wilsons_interval_and_an_error_rate_clopper_and_pearsons() -> None:
    """15 of 148: Newcombe 1998, table I, methods 3 and 5."""
    values = [1.0] * 15 + [0.0] * 133
    found = estimate(column(values))
    assert (found.n, found.method) == (148, "wilson")
    assert (found.low, found.high) == pytest.approx((0.0624, 0.1605), abs=6e-5)
    failing = Column(found_names := column(values).samples, found_names, np.array(values), None)
    exact = estimate(replace(failing, measure=Measure(higher_is_better=False)))
    assert exact.method == "clopper-pearson"
    assert (exact.low, exact.high) == pytest.approx((0.0578, 0.1617), abs=6e-5)


labels = st.sampled_from("abcd")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(labels, labels | st.just("(none)")), min_size=1, max_size=25))
def test_macro_f1_is_scikit_learns_over_the_expected_labels(pairs: list[tuple[str, str]]) -> None:
    expected, said = zip(*pairs, strict=True)
    names = tuple(f"s{n}" for n in range(len(pairs)))
    hits = np.array([float(e == s) for e, s in pairs])
    found = estimate(Column(names, names, hits, tuple(pairs), Measure(aggregate="macro_f1"))).value
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
    assert (alone.method, together.method) == ("mid-p", "clustered wilson")
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


def test_a_constant_gain_has_an_interval_from_the_number_of_samples() -> None:
    """Four equal differences are no proof that the fifth is equal: a spread of 0 would be a lie."""
    few = contrast([(column([0.9, 0.1, 0.5, 0.3]), 1), (column([0.8, 0.0, 0.4, 0.2]), -1)])
    many = contrast([(column([0.9, 0.1] * 500), 1), (column([0.8, 0.0] * 500), -1)])
    assert few.value == pytest.approx(many.value) == pytest.approx(0.1)
    assert few.low < 0 < many.low < 0.1 < many.high < few.high
    assert not few.clear
    assert many.clear


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 40), st.sampled_from([1, 3]))
def test_no_pair_needs_fewer_samples_than_were_not_enough(
    wins: int, losses: int, ties: int, size: int
) -> None:
    assume(wins + losses + ties > 0)
    one, other = [1] * wins + [0] * (losses + ties), [0] * wins + [1] * losses + [0] * ties
    clusters = [str(n // size) for n in range(len(one))]
    found = contrast([(column(one, clusters), 1), (column(other, clusters), -1)])
    assert found.clear == (found.p < 0.05)
    assert found.needed is None or found.needed > found.n or found.clear


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
            a.measure,
        )
        b = Column(
            b.samples,
            b.clusters,
            b.values,
            tuple(zip("xyxyxyx", "yyxyxyx", strict=True)),
            a.measure,
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
        ("qa", "rag", str(n), 0, {"exact_match": score})
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
    scores = [
        ("qa", "rag", "0", repeat, {"contains": Score(value)})
        for repeat, value in enumerate((0.0, 1.0, 1.0, 1.0))
    ]
    table = columns(QA, {"qa": ["rag"]}, records, scores, {}, repeats=4)
    assert table["qa", "rag", "contains"].answers.tolist() == [[0.0, 1.0, 1.0, 1.0]]
    assert table["qa", "rag", "error"].values.tolist() == [0.25, 1.0, 1.0, 1.0]
    assert table["qa", "rag", "contains"].values.tolist() == [0.75]


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
    kinds = {"a": "base", "b": "rag", "c": "rag", "d": "custom"}
    assert corners(kinds) == {"base": "a"}


def test_the_square_is_taken_apart_by_subtraction() -> None:
    kinds = {"b": "base", "f": "fine-tuned", "r": "rag", "h": "hybrid"}
    means = {"b": 0.0, "f": 0.25, "r": 0.5, "h": 1.0}
    table = {
        ("qa", s, "m"): Column(*[tuple(QA["qa"])] * 2, np.full(4, v)) for s, v in means.items()
    }
    found = compare(table, QA, kinds, {"qa": "m"}).tasks["qa"].metrics["m"]
    assert {name: effect.value for name, effect in found.effects.items()} == {
        "tuning, closed book": 0.25,
        "tuning, open book": 0.5,
        "retrieval, untuned": 0.5,
        "retrieval, tuned": 0.75,
        "interaction": 0.25,
    }
    assert found.differences["h - b"].value == 1.0
    assert len(found.differences) == 6


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
    found = compare(table, {"qa": members}, {"b": "base"}, {"qa": "m"}).tasks["qa"].slices
    assert {tag: s.setups["b"].value for tag, s in found.items()} == {
        "kind=many": 0.0,
        "kind=some": 1.0,
    }


def test_a_metric_of_unknown_bounds_that_is_0_or_1_everywhere_is_a_rate() -> None:
    def scores(odd: float) -> list[tuple[str, str, str, int, dict[str, Score]]]:
        return [
            ("qa", setup, str(n), 0, {"mine": Score(odd if (setup, n) == ("rag", 3) else 1.0)})
            for setup in ("base", "rag")
            for n in range(4)
        ]

    unknown = {("qa", "mine"): Measure(bounds=None)}
    for odd, bounds in ((0.0, (0.0, 1.0)), (2.0, None)):
        table = columns(QA, {"qa": ["base", "rag"]}, [], scores(odd), unknown)
        assert {table["qa", s, "mine"].measure.bounds for s in ("base", "rag")} == {bounds}
    assert estimate(table["qa", "base", "mine"]).low is None, "nothing bounds four equal values"


def test_the_confusion_matrix_is_counted_by_expected_and_said() -> None:
    pairs = (("a", "a"), ("a", "b"), ("a", "b"), ("b", "(none)"))
    names = tuple("wxyz")
    hits = np.array([1.0, 0.0, 0.0, 0.0])
    table = {
        ("t", "base", "accuracy"): Column(names, names, hits, pairs),
        ("t", "base", "error"): Column(names, names, np.zeros(4)),
    }
    samples = {"t": {n: Sample(n, {"question": "?"}, ("a",)) for n in names}}
    found = compare(table, samples, {"base": "base"}, {"t": "accuracy"}).tasks["t"].confusion
    assert found == {"base": (("a", "a", 1), ("a", "b", 2), ("b", "(none)", 1))}
    assert mistakes(found["base"]) == [("a", "b", 2, 3), ("b", "(none)", 1, 1)]


def test_the_total_of_a_column_is_rounded_once_whatever_adds_it_up() -> None:
    assert column([0.1] * 10 + [float("nan")]).total == 1.0
