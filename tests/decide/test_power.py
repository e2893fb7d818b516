"""What gates can find: by hand for rates, and never a line that decides nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import rivals
from bakeoff.analysis.columns import Measure
from bakeoff.core.words import Sample
from bakeoff.decide.gates.language import Scope
from bakeoff.decide.gates.power import Design, preview, problems
from bakeoff.spec.policy import Gate, Policy

SCOPE = Scope(["base", "rag"], {"qa": {"f1": Measure(), "stars": Measure(bounds=None)}})


def shown(n: int, *gates: Gate, policy: Policy | None = None, clusters: int = 0, timed: int = 8):
    members = {
        str(i): Sample(
            str(i),
            {"question": "?"},
            cluster=str(i % clusters) if clusters else "",
            tags={"kind": "a" if i % 4 else "b"},
        )
        for i in range(n)
    }
    asked = {"qa": ["base", "rag"]}
    return preview(gates, Design(policy or Policy(), SCOPE, {"qa": members}, asked, timed))


def test_the_detectable_change_of_a_pair_is_from_a_quarter_that_differ() -> None:
    """A sign test of 100 pairs finds 0.129 in 80% of runs; one gate of two: alpha is 0.025."""
    (alone,) = shown(100, Gate(check="rag.qa.f1 >= base.qa.f1"))
    assert alone.detectable == pytest.approx(0.12946, abs=1e-4)
    power = rivals.paired_power(100, 0.25, -alone.detectable)
    assert power == pytest.approx(0.80, abs=0.01)
    assert (alone.n, alone.margin, alone.source) == (100, 0.05, "assumed")
    assert alone.needed == math.ceil(100 * (alone.detectable / 0.05) ** 2)
    two = shown(100, Gate(check="rag.qa.f1 >= base.qa.f1"), Gate(check="*.qa.f1 >= 0.3"))
    assert two[0].detectable > alone.detectable
    assert len(two) == 3


@pytest.mark.parametrize("aggregate", ["p50", "p90", "p95", "p99", "max", "sum", "count"])
def test_nothing_is_assumed_of_what_is_no_mean(aggregate: str) -> None:
    (found,) = shown(100, Gate(check=f"{aggregate}(rag.qa.f1) >= 0.4", mode="refute"))
    assert (found.detectable, found.needed) == (None, None)


@pytest.mark.parametrize(
    ("n", "line", "mode", "dead"),
    [
        (4, "rag.qa.f1 >= base.qa.f1", "refute", "can never fail"),  # 1 / 2^4
        (5, "rag.qa.f1 >= base.qa.f1", "refute", ""),
        (4, "rag.qa.f1 >= base.qa.f1", "prove", "can never pass"),
        (58, "rag.qa.f1 >= 0.95", "prove", "can never pass"),  # 0.95^58 = 0.051
        (59, "rag.qa.f1 >= 0.95", "prove", ""),
        (3, "rag.qa.f1 >= 0.5", "refute", "can never fail"),  # 0.5^3
        (5, "rag.qa.f1 >= 0.5", "refute", ""),
        (3, "rag.qa.f1 >= 0.5", "estimate", ""),
        (80, "rag.qa.f1[kind=b] >= base.qa.f1", "refute", ""),
        (12, "rag.qa.f1[kind=b] >= 0.5", "refute", "can never fail"),  # three samples
        (3, "rag.qa.stars >= base.qa.stars", "refute", ""),  # unbounded: nothing is the worst
    ],
)
def test_a_gate_that_decides_nothing_is_found_before_the_run(
    n: int, line: str, mode: str, dead: str
) -> None:
    found = shown(n, Gate(check=line, mode=mode))
    assert [dead in each.problem and bool(each.problem) == bool(dead) for each in found] == [True]
    assert len(problems(found)) == bool(dead)


def test_clusters_count_and_not_their_samples() -> None:
    line = Gate(check="rag.qa.f1 >= base.qa.f1")
    assert "can never fail" in shown(400, line, clusters=4)[0].problem
    assert not shown(400, line, clusters=40)[0].problem


def test_slices_are_previewed_each(tmp_path: Path) -> None:
    found = shown(40, Gate(check="rag.qa.f1 >= base.qa.f1", group_by="kind"))
    assert [(each.n, each.check) for each in found] == [
        (30, "rag.qa.f1[kind=a] >= base.qa.f1[kind=a]"),
        (10, "rag.qa.f1[kind=b] >= base.qa.f1[kind=b]"),
    ]


@pytest.mark.parametrize(
    ("line", "timed", "needs"),
    [
        ("rag.latency_s <= 2 * base.latency_s", 5, 6),
        ("rag.latency_s <= 2 * base.latency_s", 6, 0),
        ("p95(rag.latency_s) <= 2 * p95(base.latency_s)", 58, 59),
        ("p95(rag.latency_s) <= 2 * p95(base.latency_s)", 59, 0),
        ("mean(rag.latency_s) <= 2 * mean(base.latency_s)", 6, 0),
        ("p95(rag.latency_s) <= 2", 1, 0),
    ],
)
def test_gates_on_times_need_enough_of_them(line: str, timed: int, needs: int) -> None:
    (found,) = shown(200, Gate(check=line), timed=timed)
    assert (f"needs {needs} samples in the latency pass and has {timed}" in found.problem) == bool(
        needs
    )
    assert bool(found.problem) == bool(needs)


def test_a_quantile_of_few_clusters_says_that_they_may_not_bound_it() -> None:
    line = "p95(rag.latency_s) <= 2 * p95(base.latency_s)"
    (few,) = shown(200, Gate(check=line), clusters=15, timed=60)
    assert "60 samples of at most 15 clusters, and 59 independent ones" in few.source
    assert few.problem == ""
    (many,) = shown(200, Gate(check=line), clusters=100, timed=60)
    assert many.source == "assumed, clusters ignored"
