"""Repeated answers: how far they agree, by hand and against other programs' formulas."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis.columns import Column
from bakeoff.analysis.consistency import consistency, opinions
from bakeoff.analysis.stats import flips

NAN = math.nan


def repeated(rows: list[list[float]]) -> Column:
    names = tuple(f"s{n}" for n in range(len(rows)))
    values = np.array(rows, dtype=float)
    return Column(names, names, np.nan_to_num(values).mean(axis=1), answers=values)


def test_a_sample_flips_when_its_answers_are_not_all_alike() -> None:
    assert flips(np.array([[1, 1, 1], [0, 1, 0], [0, 0, NAN], [1, NAN, NAN]])) == 1 / 3
    assert math.isnan(flips(np.array([[1, NAN]])))


def test_answers_of_0_and_1_have_flips_and_passes_for_every_k() -> None:
    found = consistency(repeated([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]))
    assert found.flips == pytest.approx(1 / 3)
    assert found.pass_at == pytest.approx({"1": 1 / 2, "2": 11 / 18, "3": 2 / 3, "4": 2 / 3})
    assert found.pass_hat == pytest.approx({"1": 1 / 2, "2": 7 / 18, "3": 1 / 3, "4": 1 / 3})
    # One-way analysis of variance: mean squares 1/9 within and 1 between, of 4 answers each.
    assert found.within == pytest.approx(1 / 9)
    assert found.between == pytest.approx((1 - 1 / 9) / 4)


def test_other_values_have_a_split_and_no_passes() -> None:
    found = consistency(repeated([[0.5, 1.0], [0.0, 0.0]]))
    assert (found.flips, found.pass_at, found.pass_hat) == (None, None, None)
    assert found.disagreement == 0.5
    assert 0 < found.correlation < 1


def test_what_was_asked_once_has_no_consistency() -> None:
    assert consistency(repeated([[1.0], [0.0]])) is None
    assert consistency(repeated([[1.0, NAN], [0.0, NAN]])) is None


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4), min_size=1))
def test_passes_are_what_drawing_every_k_of_the_answers_gives(rows: list[list[float]]) -> None:
    found = consistency(repeated(rows))
    for k in range(1, 5):
        draws = [[max(drawn) for drawn in combinations(row, k)] for row in rows]
        assert found.pass_at[str(k)] == pytest.approx(np.mean(draws))
        draws = [[min(drawn) for drawn in combinations(row, k)] for row in rows]
        assert found.pass_hat[str(k)] == pytest.approx(np.mean(draws))


def test_several_opinions_of_a_judge_tell_its_own_wavering() -> None:
    # Two answers to each of two samples, two opinions on each answer.
    first = repeated([[1.0, 0.0], [0.0, 0.0]])
    second = repeated([[1.0, 1.0], [0.0, 0.0]])
    found = opinions([first, second])
    # Only the second answer to the first sample divides them: variance 1/2 on one answer of four.
    assert found.judge == pytest.approx(0.5 / 4)
    assert (found.opinions, found.answers) == (2, 4)
    # Means of the opinions: [1, .5] and [0, 0]; mean square within 1/16, of which the judge's
    # part is its variance over two opinions.
    assert found.sampling == pytest.approx(max(0.0, 1 / 16 - 0.125 / 2))
    # Between: (9/16 - 1/16) / 2 answers each.
    assert found.between == pytest.approx((9 / 16 - 1 / 16) / 2)


def test_opinions_that_always_agree_leave_nothing_to_the_judge() -> None:
    names = ("a", "b", "c")
    column = Column(names, names, np.array([1.0, 0.0, NAN]))
    found = opinions([column, column])
    assert (found.judge, found.sampling, found.answers) == (0.0, None, 2)
    assert found.between == pytest.approx(0.5)
    assert opinions([column]) is None


def test_a_noisy_judge_s_variance_is_found_in_simulation() -> None:
    random = np.random.default_rng(5)
    samples = random.normal(0, 1.0, (4000, 1, 1))
    answers = samples + random.normal(0, 0.7, (4000, 3, 1))
    said = answers + random.normal(0, 0.5, (4000, 3, 2))
    found = opinions([repeated(said[:, :, k].tolist()) for k in range(2)])
    parts = [found.between, found.sampling, found.judge]
    assert parts == pytest.approx([1.0, 0.49, 0.25], rel=0.08)
