"""How answers are said, the numbers they give, and what refusals and errors cost. All by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import (
    QUALITY,
    Answer,
    BakeoffError,
    Failure,
    Passage,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.decide.gates.language import Check, Ref
from bakeoff.metrics.registry import find_scorer, scorers
from bakeoff.metrics.score import Cell
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.scorers.behaviour import syllables
from bakeoff.metrics.scorers.numbers import numbers
from bakeoff.spec.metric import Metric

REFUSALS = Context(refusals=("unknown",))


def score(metric: str, text: str, *targets: str) -> Score:
    parsed = Metric.parse(metric)
    sample = Sample("1", {"question": "?"}, targets)
    found = find_scorer(parsed, Path()).score(sample, Answer(text), REFUSALS, parsed)
    assert isinstance(found, Score)
    return found


@pytest.mark.parametrize(
    ("metric", "text", "value", "reason"),
    [
        (r"regex_match(pattern='\\d+ days')", "within 30 days", 1.0, ""),
        (r"regex_match(pattern='^\\d+ days$')", "within 30 days", 0.0, ""),
        (r"regex_match(pattern='(?i)RE: (a|b)')", "Re: b", 1.0, ""),
        ("length_in_range(least=2, most=3)", "one", 0.0, "1 word"),
        ("length_in_range(least=2, most=3)", "one two", 1.0, ""),
        ("length_in_range(most=3)", "one two three four", 0.0, "4 words"),
        ("length_in_range(least=1)", "", 0.0, "0 words"),
        ("contains_all(terms=('refund', '30 days'))", "Refunds: 30\n DAYS, a refund!", 1.0, ""),
        (
            "contains_all(terms=('refund', '30 days'))",
            "Refunds in 130 days",
            0.0,
            "missing: refund",
        ),
        ("contains_all(terms=('C++',))", "in c++.", 1.0, ""),
        ("avoids_terms(terms=('sorry', 'as an AI'))", "As an aisle", 1.0, ""),
        (
            "avoids_terms(terms=('sorry', 'as an AI'))",
            "Sorry. As an AI",
            0.0,
            "contains: sorry, as an",
        ),
    ],
)
def test_what_an_answer_must_be_like(metric: str, text: str, value: float, reason: str) -> None:
    found = score(metric, text)
    assert found.value == value
    assert found.reason.startswith(reason) and bool(found.reason) == bool(reason)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("table", 2),
        ("the", 1),
        ("make", 1),
        ("beautiful", 3),
        ("café", 2),
        ("Agree", 2),
    ],
)
def test_syllables_are_groups_of_vowels(word: str, count: int) -> None:
    assert syllables(word) == count


def test_the_reading_level_is_flesch_and_kincaids() -> None:
    """Six words of one syllable in one sentence: 0.39 * 6 + 11.8 - 15.59."""
    assert score("reading_level", "The cat sat on the mat.").value == pytest.approx(-1.45)
    two = score("reading_level", "The cat sat. Beautiful tables!").value
    assert two == pytest.approx(0.39 * 5 / 2 + 11.8 * 8 / 5 - 15.59)
    assert score("reading_level", "42!").value is None
    assert not scorers()["reading_level"].higher_is_better


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1,234.50 or 1 234,75", ["1234.50", "1234.75"]),
        ("-5 °C, −6, +7", ["-5", "-6", "7"]),
        ("12%, .5, 3rd, 5kg", ["12", "0.5", "3", "5"]),
        ("R-4, A4, v2, 1.2.3, 1,2,3", []),
        ("2020-2023", ["2020", "2023"]),
        ("1.5 million and 2 Thousand", ["1.5E+6", "2E+3"]),
        ("1e-3, 1'000", ["0.001", "1000"]),
        ("19, no, 19.0 kilos", ["19"]),
        ("", []),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, found: list[str]) -> None:
    assert [str(number) for number in numbers(text)] == found


@pytest.mark.parametrize(
    ("metric", "text", "value", "reason"),
    [
        ("numeric", "It weighs 19 kilos.", 1.0, ""),
        ("numeric", "It weighs nineteen kilos.", 0.0, "gives no number"),
        ("numeric", "4 or 19", 0.0, "gives several numbers: 4, 19"),
        ("numeric(take='last')", "4 or 19", 1.0, ""),
        ("numeric(take='first')", "4 or 19", 0.0, "gives 4, expected 19"),
        ("numeric", "unknown, perhaps 19", 0.0, "gives no number"),
        ("numeric(tolerance=0.1)", "20.9", 1.0, ""),
        ("numeric(tolerance=0.1)", "20.91", 0.0, "gives 20.91, expected 19"),
        ("numeric(absolute=2)", "21", 1.0, ""),
    ],
)
def test_an_answer_gives_one_number(metric: str, text: str, value: float, reason: str) -> None:
    assert score(metric, text, "19 kilos") == Score(value, reason)


def test_a_target_without_a_number_is_no_case_for_numeric() -> None:
    metric = Metric("numeric")
    sample = Sample("1", {"question": "?"}, ("red",))
    assert scorers()["numeric"].score(sample, Answer("19"), REFUSALS, metric) is None
    assert score("numeric", "19", "red", "19 kilos").value == 1.0
    assert score("numeric", "unknown").value == 1.0
    assert score("numeric", "19").value == 0.0


@pytest.mark.parametrize(
    ("text", "targets", "crag", "selective"),
    [
        ("It is 19 kilos.", ["19 kilos"], 1.0, 1.0),
        ("20 kilos", ["19 kilos"], -2.0, 0.0),
        ("unknown", ["19 kilos"], 0.0, None),
        ("unknown", [], 1.0, None),
        ("20 kilos", [], -2.0, 0.0),
        ("", ["A"], 0.0, None),
    ],
)
def test_a_wrong_answer_costs_more_than_none(
    text: str, targets: list[str], crag: float, selective: float | None
) -> None:
    assert score("crag(wrong=2)", text, *targets).value == crag
    assert score("selective_accuracy", text, *targets).value == selective


def test_what_is_right_for_crag_can_be_chosen() -> None:
    for right, value in (("contains", 1.0), ("exact_match", -1.0), ("token_f1", 1.0)):
        assert score(f"crag(right='{right}')", "It is 19 kilos", "19 kilos").value == value
    assert score("crag(right='token_f1')", "It weighs some 19 tons", "19 kilos").value == -1.0


@pytest.mark.parametrize(
    ("metric", "worst"),
    [
        ("crag(wrong=2)", -2.0),
        ("crag", -1.0),
        ("selective_accuracy", 0.0),
        ("rouge_l", 0.0),
        ("avoids_terms(terms=('x',))", 0.0),
        ("reading_level", None),
    ],
)
def test_a_failed_answer_scores_worst_or_is_unjudged_where_nothing_is(
    metric: str, worst: float | None
) -> None:
    parsed = Metric.parse(metric)
    record = Record(QUALITY, "qa", "rag", "1", Failure("boom"))
    sample = Sample("1", {"question": "?"}, ("x",))
    cell = Cell(record, sample, parsed, find_scorer(parsed, Path()), REFUSALS, True)
    assert cell.score({}) == Score(worst, "failed: boom")


def test_the_bounds_of_crag_are_its_settings() -> None:
    assert find_scorer(Metric.parse("crag(wrong=0.5)"), Path()).bounds == (-0.5, 1.0)
    assert find_scorer(Metric.parse("crag"), Path()).bounds == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("crag(wrong=-1)", "wrong must be at least 0"),
        ("crag(right='f1')", "right: there is no 'f1'; known: contains"),
        ("regex_match", "give a pattern"),
        ("regex_match(pattern='(')", "no regular expression"),
        ("length_in_range", "give least, most, or both"),
        ("length_in_range(least=3, most=2)", "most is below least"),
        ("contains_all", "give terms, such as"),
        ("contains_all(terms='refund')", "terms must be of the kind of"),
        ("avoids_terms(terms=(1,))", "give terms, such as"),
        ("numeric(tolerance=-0.1)", "tolerance must be at least 0"),
        ("retrieval_recall(k=0)", "k must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_runs(
    metric: str, told: str
) -> None:
    with pytest.raises(BakeoffError, match=told):
        find_scorer(Metric.parse(metric), Path())


def test_gates_can_name_metrics_with_lists_and_patterns() -> None:
    metric = str(Metric.parse("contains_all(terms=('a', 'b'))"))
    assert Ref.parse(f"rate(rag.qa.{metric}[kind=x])").metric == metric
    check = Check.parse(f"rag.qa.{metric} >= base.qa.{metric} - 0.1")
    assert check.right is not None and check.right.metric == metric
    assert Check.parse(str(check)) == check


def test_answer_in_context_is_of_open_book_answers_to_answerable_questions() -> None:
    metric, scorer = Metric("answer_in_context"), scorers()["answer_in_context"]
    passages = (Passage("a", 0, 9, "It weighs 19"), Passage("b", 0, 9, "kilos, the Barrow."))
    answer = Answer("", passages, (Step("retrieve"),))

    def found(target: str, of: Answer = answer) -> Score | None:
        sample = Sample("1", {"question": "?"}, (target,) if target else ())
        return scorer.score(sample, of, Context(), metric)

    assert found("barrow") == Score(1.0)
    assert found("19 kilos") == Score(0.0)  # in no single passage
    assert found("barrow", Answer("", (), (Step("retrieve"),))) == Score(0.0)
    assert found("") is None
    assert found("barrow", Answer("", (), (Step("decode"),))) is None


@pytest.mark.parametrize(
    ("text", "term", "holds"),
    [
        ("会議は東京で開かれる。", "東京", True),
        ("会議は京都で開かれる。", "東京", False),
        ("API\u306e料金", "api", True),
        ("cafe\u0301 bar", "caf\u00e9", True),
        ("नहींं", "नहीं", False),
        ("He categorised it", "cat", False),
    ],
)
def test_terms_are_seen_in_any_script(text: str, term: str, holds: bool) -> None:
    assert score(f"contains_all(terms=({term!r},))", text).value == float(holds)
    assert score(f"avoids_terms(terms=({term!r},))", text).value == float(not holds)


def test_words_are_counted_in_scripts_without_spaces() -> None:
    assert score("length_in_range(most=5)", "会議は東京で開かれる。").value == 0
    assert score("length_in_range(least=5)", "会議は東京で開かれる。").value == 1
