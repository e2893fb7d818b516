"""Verdicts: each state from rows on which it can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bakeoff.analysis.columns import MEASURES, Column, Measure
from bakeoff.analysis.measurements import Rows
from bakeoff.decide.gates.judge import concluded, exit_code, judge, overall
from bakeoff.decide.gates.sides import Evidence
from bakeoff.runs.verdicts import ERROR, FAIL, INCONCLUSIVE, PASS, SKIPPED, Changed, State, Verdict
from bakeoff.spec.policy import Gate, Policy

NAN = math.nan


def column(values: Sequence[float], measure: Measure | None = None) -> Column:
    names = tuple(f"q{n}" for n in range(len(values)))
    return Column(names, names, np.array(values, dtype=float), None, measure or Measure())


def pairs(wins: int, losses: int, ties: int) -> tuple[list[float], list[float]]:
    """0/1 values of two sides with so many samples won, lost and tied by the first."""
    return (
        [1.0] * wins + [0.0] * losses + [1.0] * ties,
        [0.0] * wins + [1.0] * losses + [1.0] * ties,
    )


def rows(run: str = "now", **columns: Any) -> Rows:
    """Rows of one task `qa`; `rag_f1=[...]` is a column, errors are 0 unless given."""
    table: dict[tuple[str, str, str], Column] = {}
    for name, values in columns.items():
        setup, _, metric = name.partition("_")
        table["qa", setup, metric] = column(values, MEASURES.get(metric))
    setups = list(dict.fromkeys(setup for _, setup, _ in table))
    n = max(len(c.samples) for c in table.values())
    for setup in setups:
        table.setdefault(("qa", setup, "error"), column([0.0] * n, MEASURES["error"]))
    tags = {f"q{i}": {"kind": "easy" if i % 2 else "hard"} for i in range(n)}
    conditions = {"qa": {"samples": "s", "prompt": "p", "decoding": "d"}}
    conditions["qa"] |= {"scorer f1": "v", "scoring": "g"}
    return Rows(run, "bench", dict.fromkeys(setups, ""), table, {"qa": tags}, conditions)


def verdict(line: str, found: Rows, policy: Policy | None = None, /, **more: Any) -> Verdict:
    (one,) = judge([Gate(check=line, **more)], Evidence(found, {}, policy or Policy()))
    return one


HARM = pairs(1, 8, 91)
"""The sign test's p: (1 + 9) / 2^9 = 0.0195."""
NOISE = pairs(0, 4, 96)
"""p = 1 / 2^4."""


@pytest.mark.parametrize(
    ("sides", "line", "state", "p"),
    [
        (HARM, "rag.qa.f1 >= base.qa.f1", FAIL, 10 / 512),
        (NOISE, "rag.qa.f1 >= base.qa.f1", PASS, 1 / 16),
        (pairs(0, 0, 100), "rag.qa.f1 >= base.qa.f1", PASS, 1.0),
        (pairs(8, 1, 91), "rag.qa.f1 >= base.qa.f1", PASS, 511 / 512),
        (HARM, "base.qa.f1 >= rag.qa.f1", PASS, 511 / 512),
    ],
)
def test_refute_fails_what_is_proven_to_be_violated(
    sides: tuple[list[float], list[float]], line: str, state: str, p: float
) -> None:
    found = verdict(line, rows(rag_f1=sides[0], base_f1=sides[1]))
    assert (found.state, found.mode, found.n) == (state, "refute", 100)
    assert found.p == pytest.approx(p)


def test_a_document_of_two_tasks_is_one_cluster_where_they_are_pooled() -> None:
    """Six documents of two questions in each task: 12 clusters lost were p = 2^-12, 6 are 2^-6."""
    found = rows(rag_f1=[0.0] * 6, base_f1=[1.0] * 6)
    documents = tuple(f"d{n}" for n in range(6))
    table = {
        (task, setup, metric): replace(column, clusters=documents)
        for (_, setup, metric), column in found.columns.items()
        for task in ("qa", "more")
    }
    both = replace(
        found,
        columns=table,
        tags={"qa": found.tags["qa"], "more": found.tags["qa"]},
    )
    assert verdict("rag.f1 >= base.f1", both).p == pytest.approx(2**-6)


def test_times_are_judged_by_cluster() -> None:
    """Of 40 times in 8 documents all of three documents' are too long: 15 of 40, but 3 of 8."""
    times = [3.0] * 15 + [1.0] * 25
    found = rows(rag_latency_s=times, base_latency_s=[2.0 + n / 100 for n in range(40)])
    documents = tuple(f"d{n // 5}" for n in range(40))
    together = replace(
        found, columns={k: replace(c, clusters=documents) for k, c in found.columns.items()}
    )
    line = "p50(rag.latency_s) <= 2"
    alone, joined = (verdict(line, r, mode="prove") for r in (found, together))
    assert (alone.method, joined.method) == ("order statistics", "clustered order statistics")
    assert joined.p > alone.p
    ratio = "p50(rag.latency_s) <= 1 * p50(base.latency_s)"
    assert verdict(ratio, together).method == "paired cluster bootstrap"


def test_a_verdict_says_all_that_it_stands_on() -> None:
    found = verdict("rag.qa.f1 >= base.qa.f1 - 0.02", rows(rag_f1=HARM[0], base_f1=HARM[1]))
    assert (found.left, found.right) == pytest.approx((0.92, 0.97))
    assert found.gap == pytest.approx(-0.05)
    assert found.low < -0.05 < found.high
    assert (found.wins, found.ties, found.losses) == (1, 91, 8)
    assert found.method == "tango"
    # 80% power, one-sided: x = (1.645 sqrt(d - 0.02^2) + 0.842 sqrt(d - (0.02 + x)^2)) / 10, and
    # d, the pairs that differ, is 0.09, or 0.02 + x where that is more
    x = found.detectable
    differ = max(0.09, 0.02 + x)
    ends = (math.sqrt(differ - 0.02**2), math.sqrt(differ - (0.02 + x) ** 2))
    assert x == pytest.approx((1.6449 * ends[0] + 0.8416 * ends[1]) / 10, rel=1e-3)
    assert [sample.sample for sample in found.broke] == [f"q{i}" for i in range(1, 9)]
    assert found.mended == (Changed(task="qa", sample="q0", left=1.0, right=0.0),)
    assert "0.920 against 0.970" in found.reason


@pytest.mark.parametrize(
    ("sides", "margin", "state"),
    [
        (pairs(10, 1, 89), "", PASS),  # p = 12 / 2^11
        (pairs(1, 10, 89), "", FAIL),
        (pairs(6, 3, 91), "", INCONCLUSIVE),
        (pairs(0, 0, 100), "", INCONCLUSIVE),
        (pairs(0, 0, 100), " - 0.03", PASS),  # Tango's bound for 0 of 100 is -0.0264
        (pairs(0, 0, 50), " - 0.03", INCONCLUSIVE),
    ],
)
def test_prove_passes_what_is_proven_to_hold(
    sides: tuple[list[float], list[float]], margin: str, state: str
) -> None:
    found = verdict(
        f"rag.qa.f1 >= base.qa.f1{margin}", rows(rag_f1=sides[0], base_f1=sides[1]), mode="prove"
    )
    assert found.state == state
    if state == INCONCLUSIVE and found.gap > 0:
        assert found.needed > found.n


def test_a_rate_against_a_number_is_judged_by_the_binomial() -> None:
    """42 of 50 against 0.8 and 0.9: P(X <= 42 | 50, 0.9) = 0.122; 38 of 50: 0.00322."""
    some, fewer = rows(rag_f1=[1.0] * 42 + [0.0] * 8), rows(rag_f1=[1.0] * 38 + [0.0] * 12)
    assert verdict("rag.qa.f1 >= 0.9", some).p == pytest.approx(0.12215, abs=1e-4)
    assert verdict("rag.qa.f1 >= 0.9", some).state == PASS
    failing = verdict("rag.qa.f1 >= 0.9", fewer)
    assert (failing.state, failing.p) == (FAIL, pytest.approx(0.00322, abs=1e-4))
    assert verdict("rag.qa.f1 >= 0.8", some, mode="prove").state == INCONCLUSIVE
    assert verdict("rag.qa.f1 >= 0.7", some, mode="prove").state == PASS
    assert len(failing.broke) == 12


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("rag.qa.f1 >= 0.7", PASS),
        ("rag.qa.f1 >= 0.71", FAIL),
        ("rag.qa.f1 > 0.7", FAIL),
        ("base.qa.f1 >= rag.qa.f1 - 0.4", PASS),  # 0.3 against 0.7 - 0.4, in floating point
        ("rag.qa.f1 >= 2.3 * base.qa.f1", PASS),
        ("rag.qa.f1 >= 2.3 * base.qa.f1 + 0.02", FAIL),
        ("base.qa.latency_s <= 2.5", PASS),  # the median
        ("mean(base.qa.latency_s) <= 3.9", FAIL),
        ("sum(base.qa.latency_s) <= 16", PASS),
        ("max(base.qa.latency_s) <= 9", FAIL),
        ("p90(base.qa.latency_s) <= 8", PASS),  # 3 + 0.7 * 7
        ("p95(base.qa.latency_s) <= 8.9", FAIL),
        ("count(rag.error) == 1", PASS),
        ("count(rag.error) == 0", FAIL),
        ("rate(rag.error) <= 0.25", PASS),
        ("rag.qa.f1[kind=hard] >= 0.7", PASS),
        ("rag.qa.f1[kind=easy] >= 0.75", FAIL),
    ],
)
def test_point_gates_compare_the_estimates(line: str, state: str) -> None:
    found = rows(
        base_f1=[0.0, 0.2, 0.4, 0.6],
        rag_f1=[1.0, 0.8, 0.4, 0.6],
        base_latency_s=[1.0, 2.0, 3.0, 10.0],
        rag_error=[1.0, 0.0, 0.0, 0.0],
    )
    policy = Policy(max_error_rate=0.5)
    assert verdict(line, found, policy, mode="estimate").state == state


BROKEN = {
    "no such setup": ("mine.qa.f1 >= 0.5", "no value in this run"),
    "no such task": ("rag.no.f1 >= 0.5", "no value in this run"),
    "no such metric": ("rag.qa.f2 >= 0.5", "no value in this run"),
    "no such slice": ("rag.qa.f1[kind=odd] >= 0.5", "no sample of qa has kind=odd"),
    "nothing judged": ("rag.qa.nothing >= 0.5", "no value of rag.qa.nothing could be scored"),
    "one unjudged": ("rag.qa.partly >= 0.5", "5 of 6 samples scored, below min_coverage"),
    "an infinite value": ("rag.qa.endless >= 0.5", "holds an infinite value"),
    "failed answers": ("base.qa.f1 >= 0.5", "16.7% of base's answers failed"),
    "no baseline": ("rag.qa.f1 >= baseline:rag.qa.f1", "bakeoff baseline accept RUN"),
    "no anchor": ("rag.qa.f1 >= anchor:rag.qa.f1", "--channel anchor"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("mode", ["refute", "prove", "estimate"])
@pytest.mark.parametrize("severity", ["fail", "warn"])
def test_missing_or_broken_evidence_is_an_error_and_never_a_pass(
    name: str, mode: str, severity: str
) -> None:
    line, told = BROKEN[name]
    found = rows(
        rag_f1=[1.0] * 6,
        rag_nothing=[NAN] * 6,
        rag_partly=[1.0] * 5 + [NAN],
        rag_endless=[1.0] * 5 + [math.inf],
        base_f1=[1.0] * 6,
        base_error=[1.0] + [0.0] * 5,
    )
    outcome = verdict(line, found, mode=mode, severity=severity)
    assert outcome.state == ERROR
    assert told in outcome.reason
    assert (outcome.left, exit_code([outcome]), overall([outcome])) == (None, 12, ERROR)


def test_what_is_missing_may_be_skipped_but_nothing_judged_is_no_pass() -> None:
    found = rows(rag_f1=[1.0] * 30)
    policy = Policy(on_missing="skip")
    skipped = verdict("rag.qa.f1 >= baseline:rag.qa.f1", found, policy)
    assert skipped.state == SKIPPED
    assert exit_code([skipped]) == 12
    assert exit_code([skipped, verdict("rag.qa.f1 >= 0.5", found)]) == 0
    lost = replace(found, skipped={"snips": "no data"})
    assert verdict("rag.snips.f1 >= 0.5", lost, policy).state == SKIPPED
    assert verdict("rag.snips.f1 >= 0.5", lost).state == ERROR


def test_a_value_below_its_limit_that_is_not_significantly_so_reads_not_disproved() -> None:
    values = [1.0] * 58 + [0.0] * 42
    found = verdict("rag.qa.f1 >= 0.62", rows(rag_f1=values))
    assert (found.state, found.not_disproved) == (PASS, True)
    assert "; not disproved: 0.580 < 0.620 (p = " in found.reason
    upper = verdict("rag.error <= 0.01", rows(rag_error=[1.0] + [0.0] * 39), mode="refute")
    assert upper.not_disproved and "; not disproved: 0.025 > 0.010 (p = " in upper.reason
    close = verdict("rag.qa.f1 >= 0.5801", rows(rag_f1=values))
    assert "not disproved: 0.5800 < 0.5801 (" in close.reason
    above = verdict("rag.qa.f1 >= 0.5", rows(rag_f1=values))
    assert not above.not_disproved and "no significant violation" in above.reason


def test_too_few_samples_to_ever_fail_are_inconclusive() -> None:
    four, five = ([0.0] * 4, [1.0] * 4), ([0.0] * 5, [1.0] * 5)
    few = verdict("rag.qa.f1 >= base.qa.f1", rows(rag_f1=four[0], base_f1=four[1]))
    assert (few.state, few.p) == (INCONCLUSIVE, pytest.approx(1 / 16, rel=1e-12))
    enough = verdict("rag.qa.f1 >= base.qa.f1", rows(rag_f1=five[0], base_f1=five[1]))
    assert (enough.state, enough.p) == (FAIL, pytest.approx(1 / 32, rel=1e-12))
    assert verdict("rag.qa.f1 >= base.qa.f1", rows(rag_f1=[1.0], base_f1=[1.0])).state == (
        INCONCLUSIVE
    )


def test_gates_that_can_fail_a_run_share_alpha_after_holm() -> None:
    """7 losses and 1 win: p = 9 / 256 = 0.035 alone, 0.070 in a family of two."""
    sides = pairs(1, 7, 42)
    found = rows(rag_f1=sides[0], base_f1=sides[1], rag_f2=sides[0], base_f2=sides[1])
    gates = [Gate(check=f"rag.qa.{m} >= base.qa.{m}") for m in ("f1", "f2")]
    both = judge(gates, Evidence(found))
    assert [(v.state, v.p_adjusted) for v in both] == [(PASS, pytest.approx(18 / 256))] * 2
    alone = judge(gates, Evidence(found, {}, Policy(correction="none")))
    assert [v.state for v in alone] == [FAIL, FAIL]
    warned = judge([gates[0], Gate(check=gates[1].check, severity="warn")], Evidence(found))
    assert [(v.state, v.severity) for v in warned] == [(FAIL, "fail"), (FAIL, "warn")]
    assert exit_code(warned) == 10
    assert exit_code(warned[1:]) == 0


def test_slices_are_judged_each_and_corrected_together() -> None:
    """kind=easy loses 7 of 8 that differ; two slices, so its p counts double."""
    easy = pairs(1, 7, 42)
    rag = [v for pair in zip([1.0] * 50, easy[0], strict=True) for v in pair]
    base = [v for pair in zip([1.0] * 50, easy[1], strict=True) for v in pair]
    found = judge(
        [Gate(check="rag.qa.f1 >= base.qa.f1", by="kind", id="slices")],
        Evidence(rows(rag_f1=rag, base_f1=base)),
    )
    assert [(v.slice, v.state, v.severity) for v in found] == [
        ("kind=easy", PASS, "warn"),
        ("kind=hard", PASS, "warn"),
    ]
    assert found[0].p_adjusted == pytest.approx(2 * found[0].p) == pytest.approx(18 / 256)
    (none,) = judge([Gate(check="rag.qa.f1 >= 0.5", by="colour")], Evidence(rows(rag_f1=rag)))
    assert none.state == ERROR


def test_a_slice_of_few_samples_is_skipped() -> None:
    found = judge([Gate(check="rag.qa.f1 >= 0.5", by="kind")], Evidence(rows(rag_f1=[1.0] * 7)))
    assert [(v.slice, v.state) for v in found] == [
        ("kind=easy", SKIPPED),
        ("kind=hard", ERROR),
    ] or [(v.slice, v.state) for v in found] == [("kind=easy", SKIPPED), ("kind=hard", SKIPPED)]


def test_a_star_stands_for_every_setup_that_has_the_metric() -> None:
    found = rows(base_f1=[1.0] * 40, rag_f1=[0.0] * 40, rag_recall=[1.0] * 40)
    by_setup = judge([Gate(check="*.qa.f1 >= 0.5")], Evidence(found))
    assert [(v.setup, v.check, v.state) for v in by_setup] == [
        ("base", "base.qa.f1 >= 0.5", PASS),
        ("rag", "rag.qa.f1 >= 0.5", FAIL),
    ]
    partial = judge([Gate(check="*.qa.recall >= 0.5")], Evidence(found))
    assert [(v.setup, v.state) for v in partial] == [("base", SKIPPED), ("rag", PASS)]
    others = judge([Gate(check="base.qa.f1 >= *.qa.f1")], Evidence(found))
    assert [(v.setup, v.state) for v in others] == [("rag", PASS)]


def with_reference(now: Rows, then: Rows, **policy: Any) -> Verdict:
    gate = Gate(check="rag.qa.f1 >= baseline:rag.qa.f1")
    (one,) = judge([gate], Evidence(now, {"baseline": then}, Policy(**policy)))
    return one


def test_a_baseline_is_paired_by_sample_and_must_have_measured_the_same() -> None:
    now, then = rows("now", rag_f1=HARM[0]), rows("then", rag_f1=HARM[1])
    found = with_reference(now, then)
    assert (found.state, found.p) == (FAIL, pytest.approx(10 / 512))
    for what in ("samples", "scoring", "scorer f1"):
        other = replace(then, conditions={"qa": {**then.conditions["qa"], what: "other"}})
        refused = with_reference(now, other)
        assert refused.state == ERROR
        assert f"not comparable with the baseline: {what} of task qa" in refused.reason
        gate = [Gate(check="rag.qa.f1 >= baseline:rag.qa.f1")]
        evidence = Evidence(now, {"baseline": other}, Policy(), allow_mismatch=True)
        kept = concluded(judge(gate, evidence), evidence)
        assert (kept.state, kept.exit_code) == (FAIL, 10)
        assert what in kept.mismatch[0]


TREATMENT = {
    "prompt": "p1",
    "model": "small",
    "decoding": {"temperature": 0.0, "repeats": 1},
    "tune": None,
    "retrieve": {"k": 3, "retriever": "dense"},
}


@pytest.mark.parametrize(
    ("changed", "name", "words", "sentence"),
    [
        ({"prompt": "p2"}, "prompt", ["prompt"], "prompt of task qa (p2 here, p1 there)"),
        ({"model": "large"}, "model", ["model"], "model of task qa (large here, small there)"),
        (
            {"retrieve": {"k": 5, "retriever": "dense"}},
            "retrieve.k",
            ["k", "recipe"],
            "retrieve.k of task qa (5 here, 3 there)",
        ),
        ({"tune": {"rank": 4}}, "tune", ["recipe"], "tune of task qa (given here, none there)"),
        (
            {"decoding": {"temperature": 0.7, "repeats": 1}},
            "decoding.temperature",
            ["decoding"],
            "decoding.temperature of task qa (0.7 here, 0.0 there)",
        ),
    ],
)
def test_what_a_change_does_to_the_samples_is_tested_and_named_unless_the_policy_holds_it(
    changed: dict[str, Any], name: str, words: list[str], sentence: str
) -> None:
    then = replace(rows("then", rag_f1=HARM[1]), treatments={"qa": {"rag": TREATMENT}})
    now = replace(rows("now", rag_f1=HARM[0]), treatments={"qa": {"rag": TREATMENT | changed}})
    gate = Gate(check="rag.qa.f1 >= baseline:rag.qa.f1")
    evidence = Evidence(now, {"baseline": then}, Policy())
    kept = concluded(judge([gate], evidence), evidence)
    assert (kept.state, kept.gates[0].p) == (FAIL, pytest.approx(10 / 512))
    assert kept.gates[0].reason.endswith(f"; other than the baseline: {name}")
    assert kept.treatment == (f"baseline: {sentence}",)
    for word in ("prompt", "model", "k", "recipe", "decoding", "documents"):
        held = with_reference(now, then, same=(word,))
        assert held.state == (ERROR if word in words else FAIL)
        assert word not in words or f"policy.same lists what differs: {sentence}" in held.reason


def test_a_baseline_that_kept_no_treatment_is_compared_by_prompt_and_decoding() -> None:
    now, then = rows("now", rag_f1=HARM[0]), rows("then", rag_f1=HARM[1])
    now = replace(now, treatments={"qa": {"rag": TREATMENT}})
    then = replace(then, conditions={"qa": {**then.conditions["qa"], "prompt": "other"}})
    found = with_reference(now, then)
    assert (found.state, found.reason.endswith("baseline: prompt")) == (FAIL, True)
    assert with_reference(now, then, same=("prompt",)).state == ERROR


def test_samples_that_only_one_side_has_are_left_out_only_on_request() -> None:
    now = rows("now", rag_f1=HARM[0][:60])
    then = rows("then", rag_f1=HARM[1])
    then = replace(then, conditions={"qa": {**then.conditions["qa"], "samples": "more"}})
    assert with_reference(now, then).state == ERROR
    found = with_reference(now, then, pairing="intersect")
    assert (found.state, found.n) == (FAIL, 60)
    names = list(now.tags["qa"])
    kept = {"qa": dict.fromkeys(names, "row")}
    now, then = replace(now, contents=kept), replace(then, contents=kept)
    assert with_reference(now, then, pairing="intersect").state == FAIL
    now = replace(now, contents={"qa": {**kept["qa"], names[3]: "edited"}})
    refused = with_reference(now, then, pairing="intersect")
    assert refused.state == ERROR
    assert f"rows of task qa that were edited under their id: {names[3]}" in refused.reason


def test_seconds_of_another_run_are_not_compared() -> None:
    now = rows("now", rag_latency_s=[1.0] * 40)
    gate = Gate(check="rag.latency_s <= baseline:rag.latency_s")
    (one,) = judge([gate], Evidence(now, {"baseline": now}))
    assert one.state == ERROR
    assert "seconds of another hour" in one.reason


@pytest.mark.parametrize(
    ("noise", "state"), [({}, INCONCLUSIVE), ({"qa": 1.6}, INCONCLUSIVE), ({"qa": 1.1}, FAIL)]
)
def test_a_time_that_is_worse_within_the_machines_noise_is_inconclusive(
    noise: dict[str, float], state: str
) -> None:
    """1.5 times the base; the first setup asked twice differs by `noise`."""
    base = [1.0 + 0.01 * i for i in range(40)]
    found = rows(base_latency_s=base, rag_latency_s=[1.5 * s for s in base])
    outcome = verdict("p50(rag.latency_s) <= p50(base.latency_s)", replace(found, noise=noise))
    assert outcome.state == state
    fine = verdict("p50(rag.latency_s) <= 2 * p50(base.latency_s)", replace(found, noise=noise))
    assert fine.state == PASS


@pytest.mark.parametrize(
    ("n", "mode", "state"),
    [(58, "refute", INCONCLUSIVE), (58, "prove", INCONCLUSIVE), (59, "refute", FAIL)],
)
def test_a_quantile_of_too_few_samples_is_never_significant_against_another_setup(
    n: int, mode: str, state: State
) -> None:
    """A p95 has a bound from 59 samples on; three times the seconds of the other."""
    seconds = [1 + 0.001 * i for i in range(n)]
    found = rows(rag_latency_s=[3 * s for s in seconds], base_latency_s=seconds)
    line = "p95(rag.latency_s) <= p95(base.latency_s)"
    outcome = verdict(line, replace(found, noise={"qa": 1.0}), mode=mode)
    assert outcome.state == state
    assert (outcome.low is None) == (outcome.high is None) == (n == 58)
    assert (outcome.p == 1) == (n == 58)


def test_a_mean_of_seconds_has_a_t_interval() -> None:
    found = verdict("mean(rag.latency_s) <= 3", rows(rag_latency_s=[1.0, 2.0, 3.0, 4.0] * 10))
    assert (found.state, found.left) == (PASS, 2.5)
    assert 0.1 < found.low < 0.5 < found.high < 0.9


def test_pass_at_k_comes_from_repeated_answers() -> None:
    """One of two right: pass@2 is 1, pass^2 is 0, pass@1 the mean."""
    found = rows(rag_f1=[0.5] * 20)
    answers = np.tile([1.0, 0.0], (20, 1))
    table = {**found.columns, ("qa", "rag", "f1"): replace(column([0.5] * 20), answers=answers)}
    found = replace(found, columns=table)
    for line, left in (("pass@2", 1.0), ("pass^2", 0.0), ("pass@1", 0.5)):
        outcome = verdict(f"{line}(rag.qa.f1) >= 0.3", found, mode="estimate")
        assert outcome.left == pytest.approx(left)
    more = verdict("pass@3(rag.qa.f1) >= 0.3", found)
    assert more.state == ERROR
    assert "run with --repeats 3" in more.reason


def test_facts_are_of_every_repeat_and_counts_of_samples() -> None:
    found = rows(rag_cost=[0.75] * 4)
    answers = np.tile([0.5, 1.0], (4, 1))
    cost = replace(found.columns["qa", "rag", "cost"], answers=answers)
    found = replace(found, columns={**found.columns, ("qa", "rag", "cost"): cost})
    for line, left in (("sum", 6.0), ("max", 1.0), ("count", 4.0)):
        assert verdict(f"{line}(rag.cost) <= 9", found).left == left


def test_failed_answers_have_the_worst_score_or_are_left_out_on_request() -> None:
    found = rows(rag_f1=[0.0] * 10 + [1.0] * 40, rag_error=[1.0] * 10 + [0.0] * 40)
    worst = verdict("rag.qa.f1 >= 0.9", found, Policy(max_error_rate=0.5))
    assert (worst.state, worst.left, worst.n) == (FAIL, 0.8, 50)
    without = verdict("rag.qa.f1 >= 0.9", found, Policy(max_error_rate=0.5, errors="exclude"))
    assert (without.state, without.left, without.n) == (PASS, 1.0, 40)
    assert "10 failed answers left out" in without.reason


def test_macro_f1_is_judged_as_itself_and_not_as_the_accuracy() -> None:
    names = tuple(f"q{i}" for i in range(60))
    labels = tuple(("a", "a") if i % 10 else ("b", "a") for i in range(60))
    hits = np.array([float(e == p) for e, p in labels])
    macro = Column(names, names, hits, labels, Measure(aggregate="macro_f1"))
    found = rows(rag_f1=[1.0] * 60)
    found = replace(found, columns={**found.columns, ("qa", "rag", "macro_f1"): macro})
    outcome = verdict("rag.qa.macro_f1 >= 0.8", found)
    assert outcome.left == pytest.approx((2 * 54 / (54 + 60)) / 2)
    assert outcome.state == FAIL


def test_exit_codes_in_their_order() -> None:
    def made(state: State, **parts: Any) -> Verdict:
        facts = {"severity": "fail", "mode": "refute", **parts}
        return Verdict(id="g", check="c", state=state, **facts)

    passed, failed, error, opened = map(made, (PASS, FAIL, ERROR, INCONCLUSIVE))
    asked = made(INCONCLUSIVE, on_inconclusive="fail")
    assert exit_code([passed]) == exit_code([passed, opened]) == 0
    assert exit_code([passed, asked]) == 11
    assert exit_code([passed, failed, asked]) == 10
    assert exit_code([passed, failed, error, asked]) == exit_code([error]) == 12
    assert exit_code([]) == 12
    assert overall([passed, opened]) == INCONCLUSIVE
    assert overall([passed, made(INCONCLUSIVE, on_inconclusive="pass")]) == PASS
    assert overall([passed, made(FAIL, severity="warn")]) == PASS
