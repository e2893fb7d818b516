"""The answer of a run: a clear winner, a tie, nothing shown; in facts and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff import testing
from bakeoff.analysis import answer
from bakeoff.analysis.answer import Answer, TaskAnswer
from bakeoff.analysis.comparison import Summary
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.words import Answer as Said
from bakeoff.core.words import Sample, Score, Step
from bakeoff.outputs.tables import side_by_side
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import Made, made_manifest, task_facts
from decided_runs import NAMES, alike, clear, tied, written

TWO = {"base": {}, "rag": {"retrieve": True}}


def the(run: Run) -> TaskAnswer:
    (one,) = answer.answer(run).tasks
    return one


def test_a_setup_that_is_significantly_better_than_all_others_is_best(tmp_path: Path) -> None:
    run = written(tmp_path, {"qa": clear})
    one = the(run)
    assert (one.best, one.tied, one.others) == ("hybrid", ("hybrid",), NAMES[2::-1])
    kept = run.comparison.tasks["qa"].metric("contains").differences["hybrid - rag"]
    assert one.lead == kept and kept.value == pytest.approx(0.4)
    (first, second) = answer.sentences(answer.answer(run))
    assert first == "hybrid is best on qa: significantly better than every other setup."
    assert second.startswith("qa (contains, n = 40): hybrid 0.900 [")
    assert "; +0.400 [+0." in second and " over rag, the next; minimum detectable" in second
    assert "An answer of hybrid: 4.01 s (median of 12), 40 + 9 tokens." in second
    assert "Weakest on kind=b: 0.600 [" in second and "], n = 10." in second
    assert "Significantly worse than the best in latency_s (4.01 s; base 1.01 s)." in second


def test_setups_whose_replies_were_mostly_cut_are_named(tmp_path: Path) -> None:
    """A score of 0 may say that nothing was known, or that nothing was said to its end."""
    often = {"base": 40, "fine-tuned": 19, "rag": 20}
    run = written(tmp_path, {"qa": clear}, cut=lambda setup, i: i < often.get(setup, 0))
    assert the(run).cut == {"rag": 0.5, "base": 1.0}
    (_, second) = answer.sentences(answer.answer(run))
    assert second.endswith("cut at `max_tokens`, and scored as they are: rag 50%, base 100%.")
    whole = written(tmp_path / "whole", {"qa": clear})
    assert "cut" not in " ".join(answer.sentences(answer.answer(whole)))


def test_setups_that_nothing_parts_are_tied(tmp_path: Path) -> None:
    run = written(tmp_path, {"qa": tied})
    one = the(run)
    assert one.state == "tied" and one.best == "" and set(one.tied) == {"rag", "hybrid"}
    first, second = answer.sentences(answer.answer(run))
    assert first == "rag and hybrid are tied for best on qa: no significant difference."
    assert "over hybrid, not significant" in second


def test_a_lead_that_looks_significant_says_why_it_is_not(tmp_path: Path) -> None:
    # Six samples more than each of three others: p = 1/32 alone, three times that after Holm.
    six = written(tmp_path / "six", {"qa": lambda setup, i: i < (20 if setup == "hybrid" else 14)})
    assert the(six).lead.p == pytest.approx(1 / 32) and the(six).lead.low > 0
    assert answer.lead(the(six)).endswith(
        " over base, not significant after correction for 3 comparisons"
    )
    # Five samples more than the only other one: the interval leaves 0 out, McNemar's test does not.
    right = {"qa": lambda setup, i: i < (15 if setup == "rag" else 10)}
    five = written(tmp_path / "five", right, setups=TWO)
    assert the(five).lead.p == pytest.approx(1 / 16) and the(five).lead.low > 0
    assert answer.lead(the(five)).endswith(" over base, not significant (p = 0.062)")
    change = side_by_side.row(five, "qa", "contains").cells[1]
    assert change and change.change.endswith("] (p = 0.062)") and "*" not in change.marks


def test_seconds_that_look_significantly_different_can_be_within_the_machines_noise(
    tmp_path: Path,
) -> None:
    suite = Suite.model_validate({"name": "made", "tasks": ["qa"], "setups": TWO})
    samples = {"qa": [Sample(str(i), {"question": f"{i}?"}, ("x",)) for i in range(20)]}

    def made(task: str, setup: str, sample: Sample) -> Made:
        about = int(sample.id) / 1000
        times = (1.0, 1.2) if setup == "base" else (1.1,)  # the first one again, in the next round
        timed = tuple(Said("x", (), (Step("decode", s + about, 40, 9),)) for s in times)
        return Made((Said("x"),), {"exact_match": Score(1.0)}, timed)

    manifest = made_manifest("run", suite, {"qa": task_facts(20)})
    run = Run(testing.write_run(tmp_path / "results" / "made" / "run", manifest, samples, made))
    gap = run.comparison.tasks["qa"].metric("latency_s").differences["rag - base"]
    assert gap.clear
    cell = side_by_side.row(run, "qa", "latency_s").cells[1]
    assert cell and cell.change.endswith("] (within timing noise)") and "*" not in cell.marks


def test_where_nothing_is_shown_nothing_is_named_best(tmp_path: Path) -> None:
    run = written(tmp_path, {"qa": alike})
    one = the(run)
    assert one.state == "open" and len(one.tied) == 4 and not one.others
    first, *_ = answer.sentences(answer.answer(run))
    assert first == "No setup is shown to be better than another on qa."
    assert not any("best on" in said for said in answer.summary(answer.answer(run)))


def test_tasks_with_one_outcome_share_a_sentence(tmp_path: Path) -> None:
    run = written(tmp_path, {"a": clear, "b": tied, "c": clear, "d": alike})
    assert answer.summary(answer.answer(run)) == [
        "hybrid is best on a and c: significantly better than every other setup.",
        "rag and hybrid are tied for best on b: no significant difference.",
        "No setup is shown to be better than another on d.",
    ]


def test_a_ceiling_is_no_candidate_and_a_silent_setup_never_wins(tmp_path: Path) -> None:
    setups = {
        "silent": {},
        "rag": {"retrieve": True},
        "oracle": {"retrieve": {"passages": "oracle"}},
    }
    run = written(tmp_path, {"qa": lambda setup, i: setup == "oracle" or i < 20}, setups=setups)
    assert the(run).best == "rag" and "oracle" not in the(run).scores
    assert answer.summary(answer.answer(run))[-1] == (
        "Not a candidate, as it is given the right documents: oracle."
    )


def test_one_setup_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    run = written(tmp_path, {"qa": clear}, setups={"base": {}})
    assert the(run).state == "alone"
    assert answer.summary(answer.answer(run)) == [
        "Only base was scored on qa: there is nothing to compare it with."
    ]


VALUES = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}


def test_the_comparisons_with_the_highest_value_are_corrected_for_their_number() -> None:
    """Three p-values of 0.03 are no evidence for each of three claims; one of them is for one."""
    estimates = {
        name: Estimate(value) for name, value in [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6)]
    }
    gaps = {f"{name} - a": Difference(-0.1, -0.2, -0.01, p=0.03) for name in "bcd"}
    assert answer.leaders(Summary(estimates, {}, gaps), True) == ("a", "b", "c", "d")
    two = {name: estimates[name] for name in "ab"}
    assert answer.leaders(Summary(two, {}, gaps), True) == ("a",)
    assert answer.leaders(Summary(two, {}, gaps), False) == ("b",)


def test_a_difference_that_is_kept_the_other_way_round_is_turned() -> None:
    kept = {"b - a": Difference(0.2, 0.1, 0.4, 9, p=0.01, wins=5, ties=3, losses=1)}
    turned = answer.difference(Summary({}, {}, kept), "a", "b")
    assert (turned.value, turned.low, turned.high) == (-0.2, -0.4, -0.1)
    assert (turned.wins, turned.ties, turned.losses, turned.sign) == (1, 3, 5, -1)


def test_nothing_scored_is_said(tmp_path: Path) -> None:
    nothing = TaskAnswer("qa", "contains", 0, (), (), {}, Difference(), {}, None, (), {})
    assert answer.sentences(Answer((nothing,), ())) == ["Nothing was scored on qa."]
