"""Gate lines: parsed, and refused when they name nothing or decide nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis.columns import Measure
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.language import Check, Ref, Scope, check_gates, mode
from bakeoff.spec.policy import Gate

UNBOUNDED = Measure(bounds=None)
SCOPE = Scope(
    ["base", "rag", "fine-tuned"],
    {
        "qa": {
            "f1": Measure(),
            "wrong_refusal": Measure(higher_is_better=False),
            "macro_f1": Measure(aggregate="macro_f1"),
            "stars": UNBOUNDED,
        },
        "json": {"valid": Measure()},
    },
)

PIECES = ["base", "rag", ".", "qa", "f1", " ", ">=", "<", "==", "*", "0.5", "-", "(", ")", "[", "]"]
PIECES += ["p95", "=", "easy", "+", "1e3", "k", "{", "}", ",", "'", "::", "\n", "٣", "²"]
PIECES += ["baseline:", "anchor:", "pass@2", "pass^3", "nan", "inf", "1e999", "\x1b[31m", "\x00"]


@settings(deadline=None, max_examples=400)
@given(st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_text_is_a_check_or_a_bakeoff_error(text: str) -> None:
    try:
        check = Check.parse(text)
    except BakeoffError:
        return
    assert Check.parse(str(check)) == check


NAMES = st.sampled_from(["base", "fine-tuned", "*", "qa2"])
NUMBERS = st.sampled_from([0.5, 1.0, 1e-6, 12.25])
REFS = st.builds(
    Ref,
    NAMES,
    st.sampled_from([None, "qa"]),
    st.sampled_from(["f1", "retrieval_recall(k=5)", "./mine.py::good"]),
    st.sampled_from([None, "mean", "p95", "pass@3", "pass^2", "count"]),
    st.sampled_from([None, ("kind", "easy one")]),
    st.sampled_from(["", "baseline", "anchor"]),
)


@given(REFS, st.sampled_from([">=", "<=", ">", "<", "=="]), REFS, NUMBERS, NUMBERS | st.just(0.0))
def test_the_parser_is_the_printers_inverse(
    left: Ref, op: str, right: Ref, factor: float, shift: float
) -> None:
    for check in (
        Check(left, op, right, factor, shift),
        Check(left, op, right, factor, -shift or 0.0),
        Check(left, op, None, 0.0, shift),
    ):
        assert Check.parse(str(check)) == check


@pytest.mark.parametrize("setting", ["k={[]: 1}", "**{'k': 1}", "k=" + "-" * 20_000 + "1"], ids=len)
def test_a_check_on_what_is_no_metric_is_a_bakeoff_error(setting: str) -> None:
    with pytest.raises(BakeoffError, match=r"^gate 'a\.b"):
        Check.parse(f"a.b({setting}) >= 1")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "write REF >= REF or REF >= NUMBER"),
        ("base.qa.f1", "write REF >= REF or REF >= NUMBER"),
        ("base.qa.f1 = 1", "write REF >= REF or REF >= NUMBER"),
        ("base >= 1", "'base' is not setup.task.metric"),
        ("0.8 <= base.qa.f1", "'0.8' is not setup.task.metric"),
        ("base.qa.f1 >= ", "'"),
        ("base.qa.f1 >= nan", "'nan' is not setup.task.metric"),
        ("base.qa.f1 >= 1e999", "1e999 is too large a number"),
        ("base.qa.f1 >= -1 * rag.qa.f1", "a factor is above 0"),
        ("base.qa.f1 >= rag.qa.f1-0.05", "put spaces around +, - and *"),
        ("base.qa.f1 >= 2*rag.qa.f1", "put spaces around +, - and *"),
        ("base.qa.f1 >= rag.qa.f1 - 1e999", "1e999 is too large a number"),
        ("p42(base.qa.f1) >= 1", "no aggregate 'p42'"),
        ("pass@0(base.qa.f1) >= 1", "no aggregate 'pass@0'"),
        ("p95(base.qa.f1 >= 1", "is not setup.task.metric"),
        ("base.qa.f1 >= main:rag.qa.f1", "no reference 'main:'; known: anchor, baseline"),
        ("base.qa.f1 >= baselin:rag.qa.f1", "did you mean 'baseline'?"),
        ("bas.qa.f1 >= 1", "no setup 'bas'; did you mean 'base'?"),
        ("base.jsn.f1 >= 1", "no task 'jsn'; did you mean 'json'?"),
        ("base.qa.f >= 1", "no metric 'f'; did you mean 'f1'?"),
        ("base.qa.f1 >= rga.qa.f1", "no setup 'rga'; did you mean 'rag'?"),
        ("base.json.f1 >= 1", "no metric 'f1'"),
        ("base.qa.f1 == 0.5", "== is for counts"),
        ("base.qa.f1 <= 0.5", "better when higher, so <= requires a worse one"),
        ("base.qa.wrong_refusal >= 0.5", "better when lower, so >= requires a worse one"),
        ("base.qa.latency_s >= 2", "better when lower"),
        ("base.qa.f1 >= rag.qa.stars", "compares f1 with stars"),
        ("mean(base.qa.f1) >= p95(rag.qa.f1)", "are different aggregates"),
        ("base.qa.f1 >= base.qa.f1", "compares a number with itself: it can never fail"),
        ("base.qa.f1 >= 0", "can never fail: f1 is from 0 to 1"),
        ("base.qa.f1 >= -0.5", "can never fail"),
        ("base.qa.f1 > 1", "can never pass"),
        ("base.qa.f1 >= 80", "can never pass: f1 is from 0 to 1"),
        ("base.qa.f1 >= rag.qa.f1 - 1", "can never fail"),
        ("base.qa.f1 >= rag.qa.f1 + 1.5", "can never pass"),
        ("rate(*.error) <= 1", "can never fail"),
        ("base.qa.wrong_refusal <= -0.1", "can never pass"),
        ("base.qa.f1 >= rag.f1", "name the task on both sides, or on neither"),
        ("base.macro_f1 >= 0.5", "is not a mean over samples"),
        ("mean(base.qa.macro_f1) >= 0.5", "is not a mean over samples"),
    ],
)
def test_a_line_that_is_a_mistake_is_refused_before_the_run(line: str, told: str) -> None:
    good = Gate(check="*.error <= 0.1")
    (problem,) = check_gates([good, Gate(check=line)], SCOPE)
    assert problem.startswith("gates: ")
    assert told in problem


@pytest.mark.parametrize(
    "line",
    [
        "base.qa.f1 >= 0.8",
        "base.qa.f1 > 0",
        "base.qa.stars >= -4",
        "fine-tuned.qa.f1 >= baseline:fine-tuned.qa.f1 - 0.03",
        "rag.qa.f1 >= anchor:gone.qa.f1",
        "p95(rag.latency_s) <= 2.5 * p95(base.latency_s)",
        "mean(rag.prompt_tokens) <= 1.2 * mean(base.prompt_tokens)",
        "sum(*.cost) <= 3.00",
        "count(*.qa.wrong_refusal) == 0",
        "pass@3(rag.qa.f1) >= 0.5",
        "rag.qa.macro_f1 >= base.qa.macro_f1 + 0.05",
    ],
)
def test_a_line_that_can_decide_is_taken(line: str) -> None:
    assert check_gates([Gate(check=line)], SCOPE) == []


def test_what_looks_like_a_mistake_may_be_forced() -> None:
    gate = Gate(check="base.qa.f1 <= 0.99", force=True)
    assert check_gates([gate], SCOPE) == []
    assert check_gates([Gate(check="base.qa.f1 >= base.qa.f1", force=True)], SCOPE)


def test_a_fact_takes_no_test_and_slices_no_second_slice() -> None:
    gates = [
        Gate(check="sum(*.cost) <= 1", mode="prove"),
        Gate(check="base.qa.f1[kind=easy] >= 0.5", group_by="kind"),
    ]
    assert [p.rpartition(": ")[2] for p in check_gates(gates, SCOPE)] == [
        "leave the mode out",
        "give either group_by or a [tag=value]",
    ]


def test_all_faulty_gates_are_listed_at_once_and_unknown_names_only_on_request() -> None:
    gates = [Gate(check=line) for line in ("x", "a.qa.f1 >= b.qa.f1", "base.qa.f1 >= 0")]
    assert len(check_gates(gates, SCOPE)) == 3
    assert len(check_gates(gates, SCOPE, names=False)) == 2


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("base.qa.f1 >= 0.5", "prove"),
        ("sum(*.cost) <= 3", "estimate"),
        ("*.cost <= 3", "estimate"),
        ("rate(*.error) <= 0.01", "estimate"),
        ("count(*.leak) == 0", "estimate"),
    ],
)
def test_facts_are_taken_as_they_are_and_the_rest_as_the_policy_says(line: str, how: str) -> None:
    assert mode(Gate(check=line), Check.parse(line), "prove") == how
    assert mode(Gate(check=line, mode="refute"), Check.parse(line), "prove") == "refute"
