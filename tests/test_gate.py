"""Gate lines: parsed, checked against what will be measured, judged on columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.compare import Column
from bakeoff.core import BakeoffError, Sample
from bakeoff.gate import ERROR, FAIL, PASS, Check, Verdict, as_json, check_gates, exit_code, judge
from bakeoff.suite import Gate

SETUPS = ["base", "rag"]
SAMPLES = {
    task: {f"{n}": Sample(f"{n}", {"question": "?"}, tags={"kind": kind}) for n, kind in places}
    for task, places in {
        "qa": list(enumerate(["easy", "easy", "hard", "hard"])),
        "json": [(0, "easy"), (1, "hard")],
    }.items()
}


def column(values: Sequence[float], aggregate: str = "mean") -> Column:
    names = tuple(str(n) for n in range(len(values)))
    return Column(names, names, np.array(values, dtype=float), aggregate=aggregate)


TABLE = {
    ("qa", "base", "f1"): column([0.0, 0.2, 0.4, 0.6]),
    ("qa", "rag", "f1"): column([1.0, 0.8, 0.4, 0.6]),
    ("qa", "base", "latency_s"): column([1.0, 2.0, 3.0, 10.0], "median"),
    ("qa", "rag", "latency_s"): column([2.0, 2.0, 2.0, 2.0], "median"),
    ("qa", "base", "error"): column([0.0, 0.0, 0.0, 0.0]),
    ("qa", "rag", "error"): column([0.0, 0.0, 0.0, 0.0]),
    ("json", "base", "error"): column([0.0, 0.0]),
    ("json", "rag", "error"): column([1.0, 0.0]),
    ("qa", "rag", "evidence_recall(k=2)"): column([1.0, 1.0, 0.0, 1.0]),
    ("qa", "rag", "support"): column([math.nan, math.nan, 1.0, 0.5]),
    ("qa", "base", "support"): column([math.nan] * 4),
}


def verdicts(line: str) -> list[Verdict]:
    return judge([Gate(check=line)], TABLE, SAMPLES, SETUPS)


PIECES = ["base", "rag", ".", "qa", "f1", " ", ">=", "<", "==", "*", "0.5", "-", "(", ")", "[", "]"]
PIECES += ["p95", "=", "easy", "+", "1e3", "k", "{", "}", ",", "'", "::", "\n", "٣", "²"]


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_text_is_a_check_or_a_bakeoff_error(text: str) -> None:
    try:
        check = Check.parse(text)
    except BakeoffError:
        return
    assert str(Check.parse(f"{check.left} >= 1").left) == str(check.left)


@pytest.mark.parametrize("setting", ["k={[]: 1}", "**{'k': 1}", "k=" + "-" * 20_000 + "1"], ids=len)
def test_a_check_on_what_is_no_metric_is_a_bakeoff_error(setting: str) -> None:
    with pytest.raises(BakeoffError, match=r"^gate 'a\.b"):
        Check.parse(f"a.b({setting}) >= 1")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("base.qa.f1 >= 0.3", PASS),
        ("base.qa.f1 > 0.31", FAIL),
        ("base.qa.f1 <= 3.1e-1", PASS),
        ("base.qa.f1 < 0.29", FAIL),
        ("rag.qa.f1 >= base.qa.f1", PASS),
        ("base.qa.f1>=rag.qa.f1", FAIL),
        ("base.qa.f1 >= rag.qa.f1 - 0.41", PASS),
        ("base.qa.f1 >= rag.qa.f1 - 0.39", FAIL),
        ("rag.qa.f1 <= base.qa.f1 + 0.41", PASS),
        ("rag.qa.f1 >= 2.3 * base.qa.f1", PASS),  # 0.7 against 0.69
        ("rag.qa.f1 >= 2.3 * base.qa.f1 + 0.02", FAIL),
        ("rag.qa.f1 >= 0 * base.qa.f1 + 0.8", FAIL),
        ("rag.qa.f1 >= -0.5", PASS),
        ("base.qa.latency_s <= 2.5", PASS),  # the median
        ("mean(base.qa.latency_s) <= 3.9", FAIL),  # 4.0
        ("sum(base.qa.latency_s) == 16", PASS),
        ("max(base.qa.latency_s) == 10", PASS),
        ("p50(base.qa.latency_s) == 2.5", PASS),
        ("p90(base.qa.latency_s) <= 8", PASS),  # 3 + 0.7 * 7
        ("p95(base.qa.latency_s) <= 8.9", FAIL),  # 3 + 0.85 * 7 = 8.95
        ("p99(base.qa.latency_s) >= 9.7", PASS),  # 3 + 0.97 * 7 = 9.79
        ("count(rag.json.error) == 1", PASS),
        ("rate(rag.error) <= 0.16", FAIL),  # 1 of 6 over both tasks
        ("rate(rag.error) <= 0.17", PASS),
        ("rag.error <= 0.17", PASS),
        ("base.qa.f1[kind=hard] == 0.5", PASS),
        ("base.qa.f1[kind=easy] >= 0.5", FAIL),
        ("max(base.qa.latency_s[kind=easy]) == 2", PASS),
        ("rag.qa.evidence_recall( k = 2 ) >= 0.75", PASS),
        ("rag.qa.support >= 0.75", PASS),  # of the two that are judged
    ],
)
def test_a_gate_is_judged_on_the_runs_rows(line: str, status: str) -> None:
    (verdict,) = verdicts(line)
    assert (verdict.status, verdict.check, verdict.id) == (status, line, line)


@pytest.mark.parametrize(
    "line",
    [
        "base.qa.support >= 0",
        "base.qa.support <= 1",
        "count(base.qa.support) == 0",
        "mine.qa.f1 >= 0",
        "base.no.f1 >= 0",
        "base.qa.f2 >= 0",
        "base.qa.f1[kind=none] >= 0",
        "base.qa.f1[colour=red] >= 0",
        "rag.qa.f1 >= base.qa.support",
        "rag.qa.f1 >= 0 * base.qa.support",
    ],
)
def test_missing_evidence_is_an_error_and_never_a_pass(line: str) -> None:
    (verdict,) = verdicts(line)
    assert verdict.status == ERROR
    assert "no evidence" in verdict.detail
    assert (verdict.left, exit_code([verdict])) == (None, 12)


def test_a_partly_judged_metric_says_on_how_many_it_stands() -> None:
    (verdict,) = verdicts("rag.qa.support >= 0.7")
    assert "n=2 of 4 judged" in verdict.detail


def test_a_star_stands_for_every_setup_with_a_verdict_each() -> None:
    found = verdicts("count(*.json.error) <= 0.5")
    assert [(v.check, v.status) for v in found] == [
        ("count(base.json.error) <= 0.5", PASS),
        ("count(rag.json.error) <= 0.5", FAIL),
    ]


def test_a_star_on_the_right_is_the_same_setup_as_on_the_left() -> None:
    assert [v.status for v in verdicts("*.qa.f1 >= *.qa.f1")] == [PASS, PASS]
    assert [v.status for v in verdicts("base.qa.f1 >= *.qa.f1")] == [PASS, FAIL]
    assert [v.left for v in verdicts("base.qa.f1 >= 0.5 * *.qa.f1")] == pytest.approx([0.3, 0.3])


def test_a_metric_over_labels_without_a_task_is_no_mean_of_hits() -> None:
    """Two tasks with macro-F1 0.5 and 1/3, whose hit rates are 0.5 and 0.5."""
    names = ("0", "1")
    hits = np.array([1.0, 0.0])
    one = Column(names, names, hits, (("a", "a"), ("b", "c")), "macro_f1")
    two = Column(names, names, hits, (("a", "a"), ("b", "a")), "macro_f1")
    table = {("qa", "base", "macro_f1"): one, ("json", "base", "macro_f1"): two}
    (alone,) = judge([Gate(check="base.json.macro_f1 <= 0.34")], table, SAMPLES, SETUPS)
    (both,) = judge([Gate(check="base.macro_f1 <= 0.45")], table, SAMPLES, SETUPS)
    (mean,) = judge([Gate(check="mean(base.json.macro_f1) <= 0.34")], table, SAMPLES, SETUPS)
    assert alone.status == PASS
    assert both.status != FAIL, "(0.5 + 1/3) / 2 = 0.417, or an error: never the accuracy 0.5"
    assert mean.status != FAIL, "the mean of hits is the accuracy, not macro-F1"


def test_the_exit_code_is_0_10_or_12() -> None:
    passed, failed, error = (Verdict("g", "c", s, 1.0, 1.0, "") for s in (PASS, FAIL, ERROR))
    assert exit_code([]) == exit_code([passed]) == 0
    assert exit_code([passed, failed]) == 10
    assert exit_code([passed, failed, error]) == exit_code([error]) == 12


def test_verdicts_are_kept_with_their_exit_code() -> None:
    kept = as_json(judge([Gate(check="base.qa.f1 >= 0.9", id="bar")], TABLE, SAMPLES, SETUPS))
    assert kept["exit_code"] == 10
    assert (kept["gates"][0]["id"], kept["gates"][0]["status"]) == ("bar", FAIL)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("base.qa.f1", "write REF >= REF or REF >= NUMBER"),
        ("base >= 1", "'base' is not setup.task.metric"),
        ("base.qa.f1 >= ", "'"),
        ("p42(base.qa.f1) >= 1", "no aggregate 'p42'"),
        ("p95(base.qa.f1 >= 1", "is not setup.task.metric"),
        ("bas.qa.f1 >= 1", "no setup 'bas'; did you mean 'base'?"),
        ("base.jsn.f1 >= 1", "no task 'jsn'; did you mean 'json'?"),
        ("base.qa.f >= 1", "no metric 'f'; did you mean 'f1'?"),
        ("base.qa.f1 >= rga.qa.f1", "no setup 'rga'; did you mean 'rag'?"),
        ("base.json.f1 >= 1", "no metric 'f1'"),
    ],
)
def test_a_gate_that_nothing_can_meet_is_a_fault_before_the_run(line: str, told: str) -> None:
    good = Gate(check="*.error <= 0.1")
    (problem,) = check_gates([good, Gate(check=line)], SETUPS, {"qa": ["f1"], "json": []})
    assert problem.startswith("gates: ")
    assert told in problem


def test_all_faulty_gates_are_listed_at_once() -> None:
    gates = [Gate(check=line) for line in ("x", "a.qa.f1 >= b.qa.f1", "base.qa.f1 > 0")]
    assert len(check_gates(gates, SETUPS, {"qa": ["f1"]})) == 3
