"""What setups do with questions that have an answer, and with those that have none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bakeoff.analysis.abstention import abstention
from bakeoff.analysis.columns import Column, Measure
from bakeoff.analysis.comparison import Abstention, Share
from bakeoff.core.words import Sample

MEMBERS = {
    **{f"a{n}": Sample(f"a{n}", {"question": "?"}, ("x",)) for n in range(4)},
    **{f"u{n}": Sample(f"u{n}", {"question": "?"}) for n in range(3)},
}
ALL = tuple(MEMBERS)
NO_ERRORS = [0.0] * len(ALL)


def column(
    values: Sequence[float] | Sequence[Sequence[float]], names: Sequence[str], low: float = 0.0
) -> Column:
    rows, measure = np.array(values, dtype=float), Measure(bounds=(low, 1.0))
    if rows.ndim == 1:
        return Column(tuple(names), tuple(names), rows, None, measure)
    return Column(tuple(names), tuple(names), rows.mean(axis=1), None, measure, rows)


def found(headline: str = "token_f1", **metrics: Column) -> Abstention | None:
    table = {("qa", "rag", name): each for name, each in metrics.items()}
    return abstention(table, "qa", "rag", MEMBERS, headline)


def counts(told: Abstention) -> dict[str, dict[str, int]]:
    return {
        kind: {done: cell.n for done, cell in cells.items()}
        for kind, cells in (("answerable", told.answerable), ("unanswerable", told.unanswerable))
    }


WANTED = {
    "answerable": {"right": 2, "wrong": 1, "refused": 1},
    "unanswerable": {"refused": 2, "answered": 1},
}


def test_the_crag_score_alone_tells_every_cell() -> None:
    told = found(crag=column([1, 1, -1, 0, 1, 1, -1], ALL, -1), error=column(NO_ERRORS, ALL))
    assert counts(told) == WANTED
    assert told.by == ("crag",)
    named = found(**{"my <score>": column(NO_ERRORS, ALL)}, error=column(NO_ERRORS, ALL))
    assert named is None
    assert told.answerable["right"] == Share(2, 0.5)
    assert told.unanswerable["answered"].share == pytest.approx(1 / 3)


def test_refusals_and_a_metric_of_0_and_1_tell_the_same() -> None:
    told = found(
        wrong_refusal=column([0, 0, 0, 1], ALL[:4]),
        right_refusal=column([1, 1, 0], ALL[4:]),
        token_f1=column([1, 1, 0.4, 0, 1, 1, 0], ALL),
        contains=column([1, 1, 0, 0, 1, 1, 0], ALL),
        error=column(NO_ERRORS, ALL),
    )
    assert counts(told) == WANTED
    assert told.by == ("right_refusal", "wrong_refusal", "contains")


def test_where_every_refusal_is_one_metric_that_tells_as_well_and_a_judge_is_counted_beside() -> (
    None
):
    told = found(
        declined=column([0, 0, 0, 1, 1, 1, 0], ALL),
        contains=column([1, 1, 0, 0, 1, 1, 0], ALL),
        error=column(NO_ERRORS, ALL),
        **{"judged_declined(verifier='a:b')": column([0, 0, 1, 1, 1, 1, math.nan], ALL)},
    )
    assert counts(told) == WANTED
    assert told.by == ("declined", "contains")
    assert told.judged == {"judged_declined(verifier='a:b')": 4}


def test_a_wrong_answer_that_costs_nothing_cannot_be_told_from_a_refusal() -> None:
    free = {"crag(wrong=0.0)": column([1, 1, 0, 0, 1, 1, 0], ALL)}
    assert found(**free, error=column(NO_ERRORS, ALL)) is None


def test_metrics_that_do_not_tell_give_no_table() -> None:
    error = column(NO_ERRORS, ALL)
    assert found(contains=column([1] * 7, ALL), error=error) is None
    refusals = {
        "wrong_refusal": column([0, 0, 0, 1], ALL[:4]),
        "right_refusal": column([1, 1, 0], ALL[4:]),
    }
    assert found(**refusals, token_f1=column([0.5] * 7, ALL), error=error) is None
    assert found(wrong_refusal=refusals["wrong_refusal"], contains=column([1] * 7, ALL)) is None
    worse_when_high = Column(ALL, ALL, np.ones(7), measure=Measure(higher_is_better=False))
    assert found("odd", **refusals, odd=worse_when_high, error=error) is None


def test_failed_answers_are_in_no_cell_and_repeats_count_one_by_one() -> None:
    crag = [[1, 1], [-1, -1], [1, math.nan], [0, 1], [1, 1], [1, -1], [1, -1]]
    errors = [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0], [0, math.nan]]
    told = found(crag=column(crag, ALL, -1), error=column(errors, ALL))
    assert counts(told) == {
        "answerable": {"right": 4, "wrong": 1, "refused": 1},
        "unanswerable": {"refused": 4, "answered": 1},
    }
    assert (told.failed, told.unjudged) == (2, 1)


def test_a_kind_of_question_that_does_not_occur_has_no_shares() -> None:
    members = {name: MEMBERS[name] for name in ALL[:4]}
    table = {
        ("qa", "rag", "wrong_refusal"): column([0, 0, 0, 1], ALL[:4]),
        ("qa", "rag", "exact_match"): column([1, 1, 0, 0], ALL[:4]),
        ("qa", "rag", "error"): column([0, 0, 0, 0], ALL[:4]),
    }
    told = abstention(table, "qa", "rag", members, "exact_match")
    assert told.unanswerable["refused"] == Share(0, None)
    assert told.answerable["wrong"] == Share(1, 0.25)
