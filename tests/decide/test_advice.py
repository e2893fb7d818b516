"""Which setup to take: needs held against evidence whose numbers can be worked out by hand."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis.columns import MEASURES, Column, Measure
from bakeoff.analysis.compare import contrast, estimate
from bakeoff.analysis.comparison import Freshness, Updated, Work
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import UNKNOWN, Difference, Estimate, exactly
from bakeoff.core.table import as_markdown
from bakeoff.core.words import BakeoffError, MissingEvidence
from bakeoff.decide import cost
from bakeoff.decide.advice import ADVICE, Advice, advise, keep, quality, read, worth
from bakeoff.decide.advice.choice import Choice
from bakeoff.decide.advice.facts import Facts, Known, Timed, Update, facts
from bakeoff.decide.advice.limits import state
from bakeoff.decide.advice.needs import Needs, check, dump_needs, load_needs
from bakeoff.decide.advice.tables import tables
from bakeoff.decide.advice.what_if import changes, turns
from bakeoff.decide.cost.costs import CostDifference, Costs, Pair, SetupCost
from bakeoff.decide.cost.crossover import total
from bakeoff.decide.cost.prices import load_prices
from bakeoff.outputs.page import html
from bakeoff.outputs.tables.advised import advised
from bakeoff.runs.store import write_json, write_manifest
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.yaml_files import read_yaml
from conftest import ROOT, Cli
from small_run import write_run

SOURCES = {"base": 0, "fine-tuned": 0, "rag": 1, "hybrid": 1, "routed": 0.5, "custom": None}
N = 100
RATES = Measure()
GAIN = Difference(0.5, 0.3, 0.7)


def column(
    values: Sequence[float], clusters: Sequence[str] = (), measure: Measure = RATES
) -> Column:
    names = tuple(f"s{n:04}" for n in range(len(values)))
    return Column(names, tuple(clusters) or names, np.array(values, dtype=float), None, measure)


def right(hits: int, n: int = N) -> Column:
    """The first `hits` samples are right: of two such columns one never loses a sample."""
    return column([1.0] * hits + [0.0] * (n - hits))


def setup(kind: str, hits: int | Mapping[str, int | Column], name: str = "", **more: Any) -> Known:
    """A setup with so many right answers of 100 on `qa`, or by task; no errors unless stated."""
    by_task = hits if isinstance(hits, Mapping) else {"qa": hits}
    columns = {t: right(h) if isinstance(h, int) else h for t, h in by_task.items()}
    errors = more.pop("errors", right(0))
    metrics = {(t, "contains"): estimate(c) for t, c in columns.items()}
    metrics |= {(t, "error"): estimate(replace(errors, measure=ERROR)) for t in columns}
    metrics |= more.pop("metrics", {})
    given = {"sources": SOURCES[kind], **more}
    return Known(name or kind, kind, columns, metrics, **given)


ERROR = MEASURES["error"]


def known(*setups: Known, costs: Costs | None = None) -> Facts:
    tasks = list(dict.fromkeys(task for each in setups for task in each.quality))
    metrics = {task: {"contains": True, "stale_answer": False, "f1": True} for task in tasks}
    return Facts("run", dict.fromkeys(tasks, "contains"), metrics, setups, costs)


def spent(
    up_front: Estimate = UNKNOWN,
    fixed: Estimate = UNKNOWN,
    per_request: Estimate = UNKNOWN,
    per_update: Estimate = UNKNOWN,
) -> SetupCost:
    return SetupCost(
        up_front=up_front,
        fixed=fixed,
        per_request=per_request,
        per_update=per_update,
        per_correct=UNKNOWN,
        per_month=UNKNOWN,
        storage=UNKNOWN,
        parts={},
        tasks={},
        left_out=(),
    )


def dearer(a: str, b: str, fixed: Estimate, per_request: Estimate) -> Pair:
    """Two setups by their difference alone."""
    difference = CostDifference(fixed=fixed, per_request=per_request, per_month=UNKNOWN)
    cheaper = dict.fromkeys(("cheaper_above", "cheaper_here"))
    return Pair(a=a, b=b, volume=UNKNOWN, **cheaper, state="inconclusive", difference=difference)


def money(*, updates: float = 0, pairs: tuple[Pair, ...] = (), **setups: Any) -> Costs:
    """Costs at 1000 requests a month; a setup is (a month, width) or a `SetupCost`.

    Differences are those of independent numbers, unless `pairs` holds better ones.
    """
    made = {
        name.replace("_", "-"): each
        if isinstance(each, SetupCost)
        else spent(exactly(0), Estimate(each[0], each[0] - each[1], each[0] + each[1]), exactly(0))
        for name, each in setups.items()
    }
    given = {(p.a, p.b): p for p in pairs}
    found = (
        given.get((a, b))
        or dearer(a, b, less(y.fixed, x.fixed), less(y.per_request, x.per_request))
        for (a, x), (b, y) in combinations(made.items(), 2)
    )
    return Costs(
        level=0.95,
        evidence="",
        currency="EUR",
        dated=date(2026, 11, 15),
        volume=1000,
        updates=updates,
        months=12,
        weights={"qa": 1},
        left_out=(),
        notes=(),
        setups=made,
        crossovers=tuple(found),
        sensitivity=(),
        flips=(),
    )


def less(one: Estimate, two: Estimate) -> Estimate:
    if None in (one.low, two.low):
        return Estimate(one.value - two.value) if None not in (one.value, two.value) else UNKNOWN
    return total([(one, 1), (two, -1)])


def timed(p95: Estimate, p50: Estimate = UNKNOWN) -> dict[str, Any]:
    return {"timed": {"qa": Timed(60, {"p50": p50, "p95": p95})}}


def updated(seconds: float | None, gain: Difference = GAIN) -> dict[str, Any]:
    return {"updates": {"qa": Update(gain, gain, Estimate(0.0, -0.1, 0.1), seconds)}}


@dataclass(frozen=True)
class Case:
    """Needs and evidence, and what must come of them."""

    needs: Mapping[str, Any]
    setups: tuple[Known, ...]
    picked: str
    """Names, separated by blanks."""
    tiers: str = ""
    """Tiers separated by `|`; not looked at where empty."""
    out: Mapping[str, str] = field(default_factory=dict)
    """Setup -> the need that it violates; all that are ruled out."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Need -> what it is, of the first setup picked."""
    state: str = "recommended"
    costs: Costs | None = None


BASE, RAG, TUNED, HYBRID = (
    setup("base", 20),
    setup("rag", 60),
    setup("fine-tuned", 60),
    setup("hybrid", 60),
)
SLOW = Estimate(4.0, 3.0, 5.0)
FAST = Estimate(0.5, 0.4, 0.6)
QUARTERS = ["abcd"[n // 25] for n in range(N)]
UNJUDGED = [math.nan] * 50 + [1.0] * 10 + [0.0] * 40
TWO: Mapping[str, int] = {"qa": 80, "labels": 20}

CASES: Mapping[str, Case] = {
    "the better one": Case({}, (BASE, RAG), "rag", "rag|base"),
    "three of 100 are noise": Case({}, (setup("base", 50), setup("rag", 53)), "base", "rag base"),
    "ten of 100 are not": Case({}, (setup("base", 50), setup("rag", 60)), "rag", "rag|base"),
    "all alike, the simplest": Case({}, (setup("base", 60), RAG, TUNED, HYBRID), "base"),
    "rag is simpler than tuned": Case({}, (BASE, TUNED, RAG), "rag", "fine-tuned rag|base"),
    "tuned is simpler than hybrid": Case({}, (BASE, HYBRID, TUNED), "fine-tuned"),
    "custom is the last resort": Case(
        {}, (HYBRID, setup("custom", 60, sources=1.0)), "hybrid", "hybrid custom"
    ),
    "nothing tells two alike apart": Case(
        {}, (BASE, RAG, setup("rag", 60, "rag-words")), "rag rag-words"
    ),
    "three tiers": Case(
        {}, (BASE, setup("rag", 50), setup("hybrid", 80)), "hybrid", "hybrid|rag|base"
    ),
    "clearly cheaper wins inside a tier": Case(
        {}, (RAG, TUNED), "fine-tuned", costs=money(rag=(100, 10), fine_tuned=(50, 10))
    ),
    "costs that overlap leave the simpler": Case(
        {}, (RAG, TUNED), "rag", costs=money(rag=(100, 40), fine_tuned=(50, 40))
    ),
    "costs without an interval leave the simpler": Case(
        {},
        (RAG, TUNED),
        "rag",
        costs=money(
            rag=spent(exactly(0), Estimate(100), exactly(0)),
            fine_tuned=spent(exactly(0), Estimate(50), exactly(0)),
        ),
    ),
    "cheaper is no excuse for worse": Case(
        {}, (BASE, RAG), "rag", costs=money(base=(1, 0), rag=(1000, 0))
    ),
    # 50 + 10,000 x 0.01 = 150 against 100 + 10,000 x 0.001 = 110.
    "the volume turns the costs round": Case(
        {"volume_per_month": 10_000},
        (RAG, TUNED),
        "fine-tuned",
        costs=money(
            rag=spent(exactly(0), exactly(50), exactly(0.01)),
            fine_tuned=spent(exactly(0), exactly(100), exactly(0.001)),
        ),
    ),
    # 50 + 20 x 1 = 70 against 40 + 20 x 5 = 140 at 20 updates.
    "so do updates": Case(
        {"updates_per_month": 20},
        tuple(setup(k, 60, **updated(60)) for k in ("hybrid", "fine-tuned")),
        "hybrid",
        costs=money(
            hybrid=spent(exactly(0), exactly(50), exactly(0), exactly(1)),
            fine_tuned=spent(exactly(0), exactly(40), exactly(0), exactly(5)),
        ),
    ),
    # Dearer by 10 at 5 updates, of which each costs 3: cheaper by 5 without any.
    "fewer updates than the costs were made for": Case(
        {},
        (RAG, TUNED),
        "fine-tuned",
        costs=money(
            updates=5,
            rag=spent(exactly(0), exactly(100), exactly(0), exactly(0)),
            fine_tuned=spent(exactly(0), exactly(110), exactly(0), exactly(3)),
        ),
    ),
    "updates whose price is not known": Case(
        {},
        (RAG, TUNED),
        "rag",
        costs=money(
            updates=5,
            rag=spent(exactly(0), exactly(100), exactly(0)),
            fine_tuned=spent(exactly(0), exactly(50), exactly(0)),
        ),
    ),
    "a paired difference tells where intervals overlap": Case(
        {},
        (RAG, TUNED),
        "fine-tuned",
        costs=money(
            rag=(100, 30),
            fine_tuned=(90, 30),
            pairs=(dearer("rag", "fine-tuned", Estimate(-10, -15, -5), exactly(0)),),
        ),
    ),
    "also where it is given the other way round": Case(
        {},
        (RAG, TUNED),
        "fine-tuned",
        costs=money(
            fine_tuned=(90, 30),
            rag=(100, 30),
            pairs=(dearer("fine-tuned", "rag", Estimate(10, 5, 15), exactly(0)),),
        ),
    ),
    "a paired difference within noise does not": Case(
        {},
        (RAG, TUNED),
        "rag",
        costs=money(
            rag=(100, 1),
            fine_tuned=(90, 1),
            pairs=(dearer("rag", "fine-tuned", Estimate(-10, -25, 5), exactly(0)),),
        ),
    ),
    # -10 + 100 x 0.02 = -8; at 1000 requests it would be +10.
    "below a crossover the other one is cheaper": Case(
        {"volume_per_month": 100},
        (RAG, TUNED),
        "fine-tuned",
        costs=money(
            rag=spent(exactly(0), exactly(20), exactly(0.01)),
            fine_tuned=spent(exactly(0), exactly(10), exactly(0.03)),
        ),
    ),
    "sources are required": Case(
        {"sources": "required"},
        (BASE, setup("fine-tuned", 90), RAG),
        "rag",
        "rag",
        {"base": "sources", "fine-tuned": "sources"},
    ),
    "sources are nice to have": Case({"sources": "nice"}, (TUNED, HYBRID), "hybrid"),
    "nice is no reason against a clear price": Case(
        {"sources": "nice"},
        (TUNED, HYBRID),
        "fine-tuned",
        costs=money(fine_tuned=(10, 1), hybrid=(20, 1)),
    ),
    "sources nobody can see are no pass": Case(
        {"sources": "required"},
        (setup("custom", 90), RAG),
        "custom",
        "custom|rag",
        doubts={"sources": "not known"},
        state="conditional",
    ),
    "sources with half of the answers are not proven": Case(
        {"sources": "required"},
        (setup("routed", 90), RAG),
        "routed",
        doubts={"sources": "not proven"},
        state="conditional",
    ),
    "of two alike the one that is known": Case(
        {"latency": {"seconds": 2}}, (RAG, setup("hybrid", 60, **timed(FAST))), "hybrid"
    ),
    "what was not judged proves no floor": Case(
        {"floors": {"qa.contains": 0.1}},
        (setup("rag", {"qa": column([math.nan] * 10 + [1.0] * 90)}),),
        "rag",
        doubts={"floors": "not proven"},
        state="conditional",
    ),
    "a floor that is missed": Case(
        {"floors": {"qa.contains": 0.6}},
        (BASE, setup("hybrid", 80)),
        "hybrid",
        out={"base": "floors"},
    ),
    # Wilson's interval of 62 of 100 is [0.52, 0.71].
    "a floor inside the interval is not proven": Case(
        {"floors": {"qa.contains": 0.6}},
        (setup("hybrid", 62),),
        "hybrid",
        doubts={"floors": "not proven"},
        state="conditional",
    ),
    # That of 55 is [0.45, 0.64]: it rules out no more than it proves.
    "a miss inside the noise rules nothing out": Case(
        {"floors": {"qa.contains": 0.6}},
        (setup("hybrid", 55),),
        "hybrid",
        doubts={"floors": "not proven"},
        state="conditional",
    ),
    "a floor of what was not measured": Case(
        {"floors": {"qa.f1": 0.6}},
        (RAG,),
        "rag",
        doubts={"floors": "not known"},
        state="conditional",
    ),
    "a ceiling that is passed": Case(
        {"ceilings": {"qa.stale_answer": 0.1}},
        (
            setup("fine-tuned", 90, metrics={("qa", "stale_answer"): estimate(right(50))}),
            setup("rag", 60, metrics={("qa", "stale_answer"): estimate(right(0))}),
        ),
        "rag",
        out={"fine-tuned": "ceilings"},
    ),
    "too slow": Case(
        {"latency": {"seconds": 2}},
        (setup("hybrid", 90, **timed(SLOW)), setup("rag", 60, **timed(FAST))),
        "rag",
        out={"hybrid": "latency"},
    ),
    "perhaps too slow": Case(
        {"latency": {"seconds": 4}},
        (setup("hybrid", 90, **timed(SLOW)), setup("rag", 60, **timed(FAST))),
        "hybrid",
        doubts={"latency": "not proven"},
        state="conditional",
    ),
    "too few timed for the quantile": Case(
        {"latency": {"seconds": 4}},
        (setup("rag", 60, **timed(UNKNOWN, FAST)),),
        "rag",
        doubts={"latency": "not known"},
        state="conditional",
    ),
    "another quantile": Case(
        {"latency": {"seconds": 4, "quantile": "p50"}},
        (setup("rag", 60, **timed(UNKNOWN, FAST)),),
        "rag",
    ),
    "a low end alone can rule out": Case(
        {"latency": {"seconds": 2}},
        (setup("hybrid", 90, **timed(Estimate(4, 3, None))), setup("rag", 60, **timed(FAST))),
        "rag",
        out={"hybrid": "latency"},
    ),
    "too dear to begin with": Case(
        {"budget": {"up_front": 100}},
        (setup("fine-tuned", 90), RAG),
        "rag",
        out={"fine-tuned": "budget.up_front"},
        costs=money(fine_tuned=spent(exactly(500)), rag=spent(exactly(5))),
    ),
    "measured once, and dear by less than twice": Case(
        {"budget": {"up_front": 100}},
        (setup("fine-tuned", 90), RAG),
        "fine-tuned",
        doubts={"budget.up_front": "not proven"},
        state="conditional",
        costs=money(fine_tuned=spent(Estimate(150)), rag=spent(exactly(5))),
    ),
    # 10 + 100,000 x 0.01 = 1010 a month.
    "too dear at the volume needed": Case(
        {"budget": {"per_month": 500}, "volume_per_month": 100_000},
        (setup("hybrid", 90), RAG),
        "rag",
        out={"hybrid": "budget.per_month"},
        costs=money(
            hybrid=spent(exactly(0), exactly(10), exactly(0.01)),
            rag=spent(exactly(0), exactly(10), exactly(0.001)),
        ),
    ),
    "a budget without costs": Case(
        {"budget": {"per_month": 500}},
        (RAG,),
        "rag",
        doubts={"budget.per_month": "not known"},
        state="conditional",
    ),
    "fails too often": Case(
        {"error_rate": 0.05},
        (setup("hybrid", 90, errors=right(30)), RAG),
        "rag",
        out={"hybrid": "error_rate"},
    ),
    # Clopper and Pearson: 0 of 100 is below 0.036, 0 of 20 below 0.168.
    "a hundred without a failure prove 5%": Case({"error_rate": 0.05}, (RAG,), "rag"),
    "twenty without a failure do not": Case(
        {"error_rate": 0.05},
        (setup("rag", 60, errors=right(0, 20)),),
        "rag",
        doubts={"error_rate": "not proven"},
        state="conditional",
    ),
    "changes that the run knows nothing of": Case(
        {"updates_per_month": 20},
        (BASE, RAG),
        "rag",
        doubts={"updates": "not known"},
        state="conditional",
    ),
    "follows changes in time": Case(
        {"updates_per_month": 20, "fresh_within_hours": 1},
        (setup("rag", 60, **updated(60)),),
        "rag",
    ),
    "takes too long to follow": Case(
        {"updates_per_month": 20, "fresh_within_hours": 1},
        (setup("fine-tuned", 90, **updated(36_000)), setup("rag", 60, **updated(60))),
        "rag",
        out={"fine-tuned": "fresh_within_hours"},
    ),
    "measured once, within twice the limit": Case(
        {"updates_per_month": 20, "fresh_within_hours": 1},
        (setup("fine-tuned", 90, **updated(5_000)), setup("rag", 60, **updated(60))),
        "fine-tuned",
        doubts={"fresh_within_hours": "not proven"},
        state="conditional",
    ),
    # 1000 x 3 h are 125 days of a month.
    "cannot keep up": Case(
        {"updates_per_month": 1000},
        (setup("fine-tuned", 90, **updated(10_800)), setup("rag", 60, **updated(60))),
        "rag",
        out={"fine-tuned": "updates: keeps up"},
    ),
    "an update that does harm": Case(
        {"updates_per_month": 1},
        (
            setup("fine-tuned", 90, **updated(60, Difference(-0.2, -0.3, -0.1))),
            setup("rag", 60, **updated(60)),
        ),
        "rag",
        out={"fine-tuned": "updates: follows a change"},
    ),
    "an update that shows no gain": Case(
        {"updates_per_month": 1},
        (setup("base", 60, **updated(0, Difference(0.0, -0.1, 0.1))),),
        "base",
        doubts={"updates: follows a change": "not proven"},
        state="conditional",
    ),
    "an oracle is a ceiling": Case(
        {}, (setup("rag", 99, "oracle", reference="it is handed them"), RAG), "rag", "rag"
    ),
    "not asked all that weighs": Case(
        {}, (setup("rag", TWO), setup("hybrid", {"qa": 99})), "rag", "rag"
    ),
    "asked all that weighs": Case(
        {"weights": {"qa": 1}}, (setup("rag", TWO), setup("hybrid", {"qa": 99})), "hybrid"
    ),
    "the weights decide": Case(
        {"weights": {"qa": 1, "labels": 3}},
        (setup("rag", TWO), setup("fine-tuned", {"qa": 20, "labels": 70})),
        "fine-tuned",
        "fine-tuned|rag",
    ),
    "and decide otherwise": Case(
        {"weights": {"qa": 3, "labels": 1}},
        (setup("rag", TWO), setup("fine-tuned", {"qa": 20, "labels": 70})),
        "rag",
        "rag|fine-tuned",
    ),
    "answers before a change do not weigh": Case(
        {},
        (
            setup("fine-tuned", {"qa": 40, "qa_before": 90}),
            setup("rag", {"qa": 60, "qa_before": 10}),
        ),
        "rag",
        "rag|fine-tuned",
    ),
    "a clear difference below the margin": Case(
        {"margin": 0.15}, (setup("base", 50), RAG), "base", "rag base"
    ),
    "top accuracy on a narrow task": Case(
        {"top_accuracy": ["labels"]},
        (setup("hybrid", {"qa": 90, "labels": 50}), setup("fine-tuned", {"qa": 20, "labels": 80})),
        "fine-tuned",
        out={"hybrid": "top_accuracy"},
    ),
    "top accuracy within noise": Case(
        {"top_accuracy": ["labels"]},
        (setup("hybrid", {"qa": 90, "labels": 78}), setup("fine-tuned", {"qa": 20, "labels": 80})),
        "hybrid",
    ),
    "the best there may be out for another need": Case(
        {"top_accuracy": ["labels"], "sources": "required"},
        (setup("hybrid", {"qa": 90, "labels": 50}), setup("fine-tuned", {"qa": 20, "labels": 80})),
        "hybrid",
        out={"fine-tuned": "sources"},
    ),
    "nobody meets the needs": Case(
        {"sources": "required"},
        (BASE, TUNED),
        "",
        out={"base": "sources", "fine-tuned": "sources"},
        state="none",
    ),
    "nobody was judged on everything": Case(
        {}, (setup("rag", {"qa": 60}), setup("hybrid", {"labels": 60})), "", state="no answer"
    ),
    # Ten of 100, but all in one of four clusters: three degrees of freedom.
    "few clusters know little": Case(
        {},
        tuple(
            setup(kind, {"qa": column(right(hits).values.tolist(), QUARTERS)})
            for kind, hits in (("base", 50), ("rag", 60))
        ),
        "base",
        "rag base",
    ),
    "the unjudged are left out of a pair": Case(
        {},
        (setup("base", 50), setup("rag", {"qa": column(UNJUDGED)})),
        "rag",
        "rag|base",
    ),
}


def names(text: str) -> set[str]:
    return set(text.split())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_advice(case: Case) -> None:
    needs, found = Needs.model_validate(case.needs), known(*case.setups, costs=case.costs)
    advice, choice = advise(needs, found), Choice(needs, found)
    assert set(advice.picked) == names(case.picked)
    assert advice.state == case.state
    assert {s: each[0].need for s, each in choice.ruled_out.items()} == case.out
    if case.tiers:
        assert [set(tier) for tier in choice.tiers] == [names(t) for t in case.tiers.split("|")]
    doubts = {c.need: c.state for c in choice.doubts(advice.picked[0])} if advice.picked else {}
    assert doubts == case.doubts


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 36


def answer(advice: Advice) -> tuple[Any, ...]:
    """What must not change with what does not matter."""
    tiers = [(each.setup, each.tier) for each in advice.ranking]
    return set(advice.picked), advice.state, set(tiers)


def shuffled(found: Facts) -> Facts:
    return replace(found, setups=found.setups[::-1])


def scaled(found: Facts) -> Facts:
    if found.costs is None:
        return found
    setups = {
        name: setup.model_copy(
            update={
                part: getattr(setup, part).scaled(7)
                for part in ("up_front", "fixed", "per_request", "per_update")
            }
        )
        for name, setup in found.costs.setups.items()
    }
    pairs = tuple(
        dearer(p.a, p.b, p.difference.fixed.scaled(7), p.difference.per_request.scaled(7))
        for p in found.costs.crossovers
    )
    costs = found.costs.model_copy(update={"setups": setups, "crossovers": pairs})
    return replace(found, costs=costs)


def with_another_task(found: Facts) -> Facts:
    """A task that will weigh nothing, and that the setups do unlike."""
    setups = tuple(
        replace(each, quality={**each.quality, "more": right(30 * n % 100)})
        for n, each in enumerate(found.setups)
    )
    return replace(
        found,
        setups=setups,
        headlines={**found.headlines, "more": "contains"},
        metrics={**found.metrics, "more": {"contains": True}},
    )


def renamed(found: Facts) -> Facts:
    costs = found.costs
    if costs:
        setups = {f"x-{name}": cost for name, cost in costs.setups.items()}
        pairs = tuple(
            p.model_copy(update={"a": f"x-{p.a}", "b": f"x-{p.b}"}) for p in costs.crossovers
        )
        costs = costs.model_copy(update={"setups": setups, "crossovers": pairs})
    setups_known = tuple(replace(each, name=f"x-{each.name}") for each in found.setups)
    return replace(found, setups=setups_known, costs=costs)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_does_not_matter_changes_nothing(case: Case) -> None:
    needs, found = Needs.model_validate(case.needs), known(*case.setups, costs=case.costs)
    plain = answer(advise(needs, found))
    assert answer(advise(needs, shuffled(found))) == plain
    weights = {"weights": needs.weighted(list(found.headlines))}
    explicit = needs.model_copy(update=weights)
    assert answer(advise(explicit, with_another_task(found))) == plain
    if needs.budget == type(needs.budget)():
        assert answer(advise(needs, scaled(found))) == plain
    if needs.error_rate is None:
        easy = needs.model_copy(update={"error_rate": 1.0})
        assert answer(advise(easy, found)) == plain
    picked, state_, tiers = answer(advise(needs, renamed(found)))
    assert ({s.removeprefix("x-") for s in picked}, state_) == plain[:2]
    assert {(s.removeprefix("x-"), tier) for s, tier in tiers} == plain[2]


KINDS = ("base", "rag", "fine-tuned", "hybrid", "routed", "custom")


@st.composite
def evidence(draw: st.DrawFn) -> Facts:
    """Up to five setups on two tasks with any answers, some of them unjudged, and any costs."""
    count = draw(st.integers(2, 5))
    values = st.sampled_from([0.0, 0.0, 1.0, 1.0, 0.5, math.nan])
    setups, costs = [], {}
    for n in range(count):
        chance = draw(st.floats(0, 1))
        seed = draw(st.integers(0, 10_000))
        draws = np.random.default_rng(seed)
        first = (draws.random(40) < chance).astype(float)
        second = draw(st.lists(values, min_size=6, max_size=6))
        clusters = [str(i // 3) for i in range(40)]
        kind = draw(st.sampled_from(KINDS))
        columns = {"qa": column(first.tolist(), clusters), "labels": column(second)}
        setups.append(setup(kind, columns, f"s{n}", sources=draw(st.sampled_from([0.0, 0.5, 1.0]))))
        month = draw(st.integers(0, 100))
        width = draw(st.integers(0, 20))
        costs[f"s{n}"] = (month, width)
    return known(*setups, costs=money(**costs) if draw(st.booleans()) else None)


wanted = st.builds(
    Needs,
    sources=st.sampled_from(["required", "nice", "no"]),
    weights=st.sampled_from([{}, {"qa": 1.0}, {"qa": 3.0, "labels": 1.0}]),
    floors=st.sampled_from([{}, {"qa.contains": 0.5}]),
    margin=st.sampled_from([0.0, 0.02, 0.1]),
)


@settings(deadline=None, max_examples=60)
@given(wanted, evidence())
def test_the_pick_is_never_dominated_nor_ruled_out(needs: Needs, found: Facts) -> None:
    choice = Choice(needs, found)
    for picked in choice.picked:
        assert picked not in choice.ruled_out and picked in choice.tiers[0]
        for other in choice.candidates:
            better = other != picked and choice.better(other, picked)
            assert not better or worth.cheaper(found.costs, picked, other, needs)


@settings(deadline=None, max_examples=60)
@given(wanted, evidence())
def test_no_tier_stands_on_a_difference_within_noise(needs: Needs, found: Facts) -> None:
    choice = Choice(needs, found)
    for above, below in zip(choice.tiers, choice.tiers[1:], strict=False):
        for setup_ in below:
            gaps = [choice.gap(other, setup_) for other in above]
            assert any(g.low is not None and g.low > 0 and g.value >= needs.margin for g in gaps)


@settings(deadline=None, max_examples=30)
@given(wanted, evidence())
def test_any_evidence_gives_advice_that_can_be_shown_and_kept(needs: Needs, found: Facts) -> None:
    advice = advise(needs, found)
    written = json.dumps(advice.model_dump(mode="json"), allow_nan=False)
    assert Advice.model_validate_json(written) == advice
    assert as_markdown(tables(advice)).startswith("## Advice")
    assert len(advice.questions) == 5
    assert answer(advise(needs, shuffled(found))) == answer(advice)


@settings(deadline=None, max_examples=60)
@given(evidence(), st.floats(0.05, 0.95))
def test_a_weight_at_which_the_best_changes_is_where_it_changes(found: Facts, share: float) -> None:
    needs = Needs(weights={"qa": share, "labels": 1 - share})
    choice = Choice(needs, found)
    for turn in turns(choice):
        best, other = choice.tiers[0][0], turn.setup

        def lead(weight: float, task: str = turn.task, one: str = best, two: str = other) -> float:
            rest = next(t for t in ("qa", "labels") if t != task)
            weights = {task: weight, rest: 1 - weight}
            values = [quality.quality(found.setup(s).quality, weights).value for s in (one, two)]
            return values[0] - values[1]  # type: ignore[operator]

        assert lead(turn.weight) == pytest.approx(0, abs=1e-9)
        beyond = turn.weight + (1e-3 if turn.weight > turn.now else -1e-3)
        assert lead(beyond) < 0


def test_the_weight_that_changes_the_best_by_hand() -> None:
    """0.8 - 0.6 w = 0.2 + 0.4 w at w = 0.6 on labels, which is 0.4 on qa."""
    found = known(setup("rag", TWO), setup("fine-tuned", {"qa": 20, "labels": 60}))
    by_task = {turn.task: turn for turn in turns(Choice(Needs(), found))}
    assert by_task["labels"].weight == pytest.approx(0.6)
    assert by_task["qa"].weight == pytest.approx(0.4)
    assert {turn.setup for turn in by_task.values()} == {"fine-tuned"}


@pytest.mark.parametrize(
    ("labels", "margin", "said"),
    [(60, 0.02, "]"), (60, 0.5, ", less than the margin of 0.5"), (22, 0.02, ", not significant")],
)
def test_a_change_that_weights_would_make_is_said_to_be_small_or_chance(
    labels: int, margin: float, said: str
) -> None:
    found = known(setup("rag", TWO), setup("fine-tuned", {"qa": 20, "labels": labels}))
    listed = changes(Choice(Needs(margin=margin), found))
    (text,) = (c.sentence for c in listed if c.sentence.startswith("labels at a weight above"))
    assert "at a weight of 1 by 0." in text and text.endswith(said)


def test_one_task_has_the_interval_of_the_comparison() -> None:
    left, other = right(60), right(45)
    gap = quality.gap({"qa": left}, {"qa": other}, {"qa": 1.0})
    shown = contrast([(left, 1), (other, -1)])
    assert (gap.value, gap.low, gap.high) == pytest.approx((shown.value, shown.low, shown.high))
    assert gap.detectable == pytest.approx(shown.detectable)


def test_two_tasks_of_their_own_samples_add_their_errors_by_squares() -> None:
    one, two = {"qa": right(60), "labels": right(60)}, {"qa": right(45), "labels": right(45)}
    alone = quality.gap(one, two, {"qa": 1.0})
    both = quality.gap(one, two, {"qa": 0.5, "labels": 0.5})
    assert both.value == pytest.approx(0.15)
    assert both.value - both.low == pytest.approx((alone.value - alone.low) / math.sqrt(2))


def test_tasks_that_share_clusters_do_not_count_twice() -> None:
    """The same answers to the same documents in two tasks know no more than one of them."""
    clusters = [f"doc{n // 5}" for n in range(N)]
    up, down = column([1.0] * 60 + [0.0] * 40, clusters), column([1.0] * 45 + [0.0] * 55, clusters)
    weights = {"qa": 0.5, "labels": 0.5}
    alone = quality.gap({"qa": up}, {"qa": down}, {"qa": 1.0})
    both = quality.gap({"qa": up, "labels": up}, {"qa": down, "labels": down}, weights)
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))


def test_a_metric_that_is_better_when_lower_counts_the_other_way() -> None:
    lower = Measure(higher_is_better=False, bounds=(1, 5))
    good, bad = column([1.0, 2.0] * 20, measure=lower), column([5.0, 4.0] * 20, measure=lower)
    assert quality.quality({"qa": good}, {"qa": 1.0}).value == pytest.approx(0.875)
    gap = quality.gap({"qa": good}, {"qa": bad}, {"qa": 1.0})
    assert gap.value == pytest.approx(0.75) and gap.better(0.02)


def test_the_weighted_interval_holds_the_truth() -> None:
    """Two tasks that share documents, of unlike size: 19 of 20 intervals hold the difference."""
    draws = np.random.default_rng(3)
    truth, inside, rounds = 0.7 * 0.2 + 0.3 * -0.1, 0, 400
    for _ in range(rounds):
        documents = draws.normal(0, 0.15, 30)
        left, other = {}, {}
        for task, per, gain in (("qa", 3, 0.2), ("labels", 1, -0.1)):
            which = np.repeat(np.arange(30), per)
            values = gain + documents[which] + draws.normal(0, 0.3, len(which))
            names_ = [f"doc{n}" for n in which]
            free = Measure(bounds=(-3, 3))
            left[task] = column((values * 3).tolist(), names_, free)
            other[task] = column([0.0] * len(which), names_, free)
        gap = quality.gap(left, other, {"qa": 0.7, "labels": 0.3})
        inside += gap.low <= truth / 2 <= gap.high  # type: ignore[operator]
    assert inside / rounds >= 0.93


def test_a_headline_that_nothing_bounds_cannot_be_weighed() -> None:
    endless = column([1.0, 5.0], measure=Measure(bounds=None))
    with pytest.raises(BakeoffError, match="weights: qa: nothing bounds its headline"):
        advise(Needs(), known(setup("rag", {"qa": endless})))


@pytest.mark.parametrize(
    ("found", "limit", "at_most", "held"),
    [
        (Estimate(1, 0.5, 1.5), 2, True, "met"),
        (Estimate(1, 0.5, 2), 2, True, "met"),
        (Estimate(1, 0.5, 2.1), 2, True, "not proven"),
        (Estimate(3, 2, 4), 2, True, "not proven"),
        (Estimate(3, 2.1, 4), 2, True, "violated"),
        (Estimate(3, 2.1, None), 2, True, "violated"),
        (Estimate(1, None, None), 2, True, "not proven"),
        (UNKNOWN, 2, True, "not known"),
        (Estimate(1, 0.5, 1.5), 2, False, "violated"),
        (Estimate(3, 2, 4), 2, False, "met"),
    ],
)
def test_a_limit_is_met_or_violated_by_a_whole_interval(
    found: Estimate, limit: float, at_most: bool, held: str
) -> None:
    assert state(found, limit, at_most=at_most) == held


def test_the_monthly_cost_moves_with_requests_and_updates() -> None:
    """10 + 5000 x 0.01 + 2 x 3 = 66; the ends by squares: 2² + 25² = 25.08²."""
    cost_ = spent(exactly(0), Estimate(10, 8, 12), Estimate(0.01, 0.005, 0.015), exactly(3))
    needs = Needs(volume_per_month=5000, updates_per_month=2)
    found = worth.monthly(money(rag=cost_), "rag", needs)
    half = math.hypot(2, 25)
    assert (found.value, found.low, found.high) == pytest.approx((66, 66 - half, 66 + half))
    assert worth.monthly(money(rag=cost_), "base", Needs()).value is None


def test_what_would_change_the_answer_is_named() -> None:
    """Crossing 100 / 0.09; budget 1000 + 300 / 0.1; 210 / 200; (210 - 200) / (9 - 4) updates."""
    costs = money(
        rag=spent(exactly(0), exactly(100), exactly(0.1), exactly(9)),
        fine_tuned=spent(exactly(0), exactly(200), exactly(0.01), exactly(4)),
        hybrid=spent(exactly(0), exactly(900), exactly(1), exactly(0)),
    )
    needs = Needs(budget={"per_month": 500}, floors={"qa.contains": 0.45})  # type: ignore[arg-type]
    found = changes(Choice(needs, known(RAG, TUNED, setup("hybrid", 90), costs=costs)))
    said = " ".join(f.sentence for f in found)
    assert "without the need 'budget': hybrid" in said
    assert "above 1,111 [1,111, 1,111] requests per month fine-tuned is cheaper, below" in said
    assert "above 4,000 requests per month (no confidence interval) rag exceeds the budget" in said
    assert "if the monthly cost of rag were 1.05 times as high" in said
    assert "above 2 updates per month (now 0) fine-tuned is cheaper than rag" in said


def test_more_samples_are_asked_for_where_they_would_tell() -> None:
    advice = advise(Needs(margin=0.02), known(setup("base", 50), setup("rag", 53)))
    (said,) = [s for s in advice.unknown if s.startswith("rag − base")]
    shown = contrast([(right(53), 1), (right(50), -1)])
    needed = math.ceil(N * (shown.detectable / 0.02) ** 2)
    assert f"{shown.detectable:.3f}" in said and f"{needed:,} samples" in said


def test_what_the_run_lacks_is_said() -> None:
    needs = Needs(updates_per_month=4, format=True)
    said = " ".join(advise(needs, known(RAG, TUNED)).unknown)
    assert "No cost.json" in said
    assert "no task of the run has documents that change" in said
    assert "format: yes, but no task is named" in said


def test_the_first_sentence_names_the_pick_and_the_doubt() -> None:
    advice = advise(Needs(sources="required"), known(setup("custom", 90), RAG))
    assert advice.sentences[0] == "Recommended: custom, if the unverified needs below hold."
    assert advice.unverified[0].startswith("custom: sources, not known")


def dumped() -> str:
    """Advice for every case, as text."""
    return json.dumps(
        [
            advise(Needs.model_validate(c.needs), known(*c.setups, costs=c.costs)).model_dump(
                mode="json"
            )
            for c in CASES.values()
        ]
    )


@pytest.mark.slow
def test_every_process_gives_the_same_advice() -> None:
    code = "import test_advice; print(test_advice.dumped())"
    paths = os.pathsep.join(str(ROOT / path) for path in ("tests", "tests/decide", "src"))
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "needs").glob("*.yaml")))
def test_the_examples_are_needs_and_can_be_written_again(file: Path, tmp_path: Path) -> None:
    needs = load_needs(file)
    again = tmp_path / "again.yaml"
    again.write_text(dump_needs(needs))
    assert load_needs(again) == needs


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "needs").glob("*.yaml")))
def test_the_examples_name_tasks_and_metrics_that_are_shipped(file: Path) -> None:
    needs = load_needs(file)
    metrics = {}
    for task in {*needs.weights, *(n.partition(".")[0] for n in (*needs.floors, *needs.ceilings))}:
        scorers = read_yaml(ROOT / "tasks" / f"{task}.yaml")["scorers"]
        metrics[task] = {name: name != "stale_answer" for name in scorers}
    check(needs, metrics, {}, file.name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sourcs: no", "sourcs: no such field; did you mean 'sources'?"),
        ("sources: maybe", "sources: must be 'required', 'nice' or 'no' (found 'maybe')"),
        ("updates_per_month: -1", "updates_per_month: must be 0 or more (found -1"),
        ("volume_per_month: .inf", "volume_per_month: must be a finite number"),
        ("margin: 1", "margin: must be below 1 (found 1"),
        ("latency: {quantile: p95}", "latency.seconds: must be given"),
        ("latency: {seconds: 2, quantile: p99}", "latency.quantile"),
        ("weights: {qa: 0}", "weights: at least one task must have a weight above 0"),
        ("{format: [a], weights: {b: 1}}", "format: 'a' must have a weight above 0 in weights"),
        ("needs: v2", "needs: must be 'v1' (found 'v2')"),
    ],
)
def test_mistakes_in_a_needs_file_are_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "needs.yaml"
    file.write_text(text)
    with pytest.raises(BakeoffError) as error:
        load_needs(file)
    assert str(file) in str(error.value) and said in str(error.value)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"weights": {"qq": 1}}, "weights: the run has no task 'qq'; known: qa"),
        ({"top_accuracy": ["labels"]}, "top_accuracy: the run has no task 'labels'; known: qa"),
        ({"floors": {"contains": 1}}, "floors: 'contains': write task.metric, such as"),
        ({"floors": {"qa.contans": 1}}, "qa has no metric 'contans'; did you mean 'contains'?"),
        ({"floors": {"qa.stale_answer": 1}}, "stale_answer is better when lower: it goes into"),
        ({"ceilings": {"qa.contains": 1}}, "contains is better when higher: it goes into floors"),
    ],
)
def test_needs_that_name_what_the_run_has_not(needs: dict[str, Any], said: str) -> None:
    with pytest.raises(BakeoffError) as error:
        advise(Needs.model_validate(needs), known(RAG), "my.yaml")
    assert str(error.value).startswith("my.yaml: ") and said in str(error.value)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def priced(run: Run) -> Costs:
    """The costs of the run by one of the price files that are shipped."""
    prices = load_prices(ROOT / "benchmarks" / "prices" / "own-machine.yaml")
    found = cost.compute(run, prices, cost.Load(volume=1000, updates=0))
    cost.write(run.folder, found)
    return found


def ends(money: Estimate) -> tuple[float | None, float | None, float | None]:
    return money.value, money.low, money.high


def test_the_grounds_of_a_finished_run(run: Run) -> None:
    """Costs at the volume they were made for are those that `bakeoff cost` says."""
    made = priced(run)
    found = facts(run)
    base, rag = found.setups
    assert (base.kind, base.sources, rag.kind, rag.sources) == ("base", 0, "rag", 1)
    assert rag.quality["qa"].values.sum() == 9
    assert rag.metrics["qa", "error"].value == pytest.approx(0.1)
    assert rag.timed["qa"].quantiles["p50"].value == pytest.approx(2.5)
    assert found.costs is not None and made.setups["rag"].per_month.value > 0
    for each in ("base", "rag"):
        month = worth.monthly(found.costs, each, Needs())
        assert ends(month) == pytest.approx(ends(made.setups[each].per_month))
    (pair,) = made.crossovers
    saved = worth.saved(found.costs, "base", "rag", Needs())
    assert ends(saved) == pytest.approx(ends(pair.difference.per_month))
    assert advise(Needs(), found).picked == ("rag",)


def test_costs_of_other_scores_are_refused(run: Run) -> None:
    cost.write(run.folder, priced(run).model_copy(update={"evidence": "another"}))
    with pytest.raises(BakeoffError, match="older than the answers or scores"):
        facts(run)


def updated_in(seconds: float | None) -> Updated:
    gain = Difference(0.5, 0.2, 0.8)
    return Updated({}, {}, gain, {}, gain, None, {}, Work(seconds))


def test_updates_are_read_as_freshness_writes_them(run: Run) -> None:
    """A routed setup is up to date when both its parts are; work nobody saw is not known."""
    setups: dict[str, Any] = {
        "base": {},
        "rag": {"retrieve": True},
        "both": {"route": {"first": "base", "then": "rag"}},
        "mine": {"call": "bot.py::answer"},
    }
    named = {name: {**spec, "name": name} for name, spec in setups.items()}
    suite = Suite.model_validate({"name": "small", "tasks": ["qa"], "setups": named})
    write_manifest(run.folder, run.manifest.model_copy(update={"suite": suite}))
    for name in ("both", "mine"):
        unit = run.folder / "units" / f"qa.{name}"
        shutil.copytree(run.folder / "units" / "qa.rag", unit)
        for path in unit.glob("*.jsonl"):
            path.write_text(re.sub('"setup": ?"rag"', f'"setup": "{name}"', path.read_text()))
    again = Run(run.folder)
    times = {"base": 0.0, "rag": 12.0, "both": 0.0, "mine": 0.0}
    fresh = Freshness("qa_before", {}, {name: updated_in(took) for name, took in times.items()})
    tasks = again.comparison.tasks
    tasks["qa"] = replace(tasks["qa"], freshness=fresh)
    found = facts(again)
    assert {k.name: k.updates["qa"].seconds for k in found.setups} == {
        "base": 0.0,
        "rag": 12.0,
        "both": 12.0,
        "mine": None,
    }
    assert found.setup("rag").updates["qa"].gain == Difference(0.5, 0.2, 0.8)
    assert found.setup("rag").updates["qa"].damage.value is None
    assert found.fresh_tasks == ["qa"]


@pytest.mark.parametrize(
    ("retrieve", "why"),
    [({"passages": "oracle"}, "right documents"), ({"noise": {}}, "gold passages and distractors")],
)
def test_passages_that_nobody_can_have_make_a_reference(
    retrieve: dict[str, Any], why: str, run: Run
) -> None:
    setups = {"base": {}, "rag": {"retrieve": retrieve}}
    suite = Suite.model_validate({"name": "small", "tasks": ["qa"], "setups": setups})
    write_manifest(run.folder, run.manifest.model_copy(update={"suite": suite}))
    found = facts(Run(run.folder))
    assert why in found.setup("rag").reference
    assert advise(Needs(), found).picked == ("base",)


def test_a_run_that_is_not_complete_gives_no_advice(tmp_path: Path) -> None:
    with pytest.raises(MissingEvidence, match="finish it with"):
        facts(write_run(tmp_path, status="interrupted"))


def test_the_command_writes_advice_and_the_report_shows_it(run: Run, cli: Cli) -> None:
    needs = run.folder.parent / "needs.yaml"
    needs.write_text("{sources: required, volume_per_month: 10}")
    done = cli("advise", run.folder, "--needs", needs, "--format", "json")
    assert done.returncode == 0, done.stderr
    kept = json.loads((run.folder / "advice.json").read_text())
    assert json.loads(done.stdout) == kept
    assert kept["picked"] == ["rag"] and kept["needs"]["sources"] == "required"
    for name in ("report.md", "report.html"):
        text = (run.folder / name).read_text()
        assert "Recommended: rag" in text and "The five questions" in text
        assert text.index("Recommended: rag") > text.index(
            "## Gates" if name.endswith("md") else '<h2 id="verdict-h">Gates</h2>'
        )
    shown = cli("advise", run.folder, "--needs", needs)
    assert "Recommended: rag." in shown.stdout and "no answer had a passage" in shown.stdout
    written = cli("advise", run.folder, "--needs", needs, "--format", "markdown")
    assert "## Advice: recommended" in written.stdout


def test_without_a_file_and_a_terminal_there_is_nobody_to_ask(run: Run, cli: Cli) -> None:
    done = cli("advise", run.folder)
    assert done.returncode == 2 and "give --needs FILE" in done.stderr


def test_advice_of_another_format_is_refused(run: Run) -> None:
    write_json(run.folder / ADVICE, {"format": 99})
    with pytest.raises(BakeoffError, match="run `bakeoff advise` again, or delete the file"):
        read(run.folder)


def test_damaged_advice_is_refused_with_the_field(run: Run) -> None:
    made = keep(run, advise(Needs(), facts(run))).model_dump(mode="json")
    made["ranking"][0]["quality"]["value"] = "much"
    write_json(run.folder / ADVICE, made)
    with pytest.raises(BakeoffError, match=r"ranking\.0\.quality\.value: .*found 'much'"):
        read(run.folder)


def test_advice_older_than_the_costs_is_not_shown(run: Run) -> None:
    keep(run, advise(Needs(), facts(run)))
    assert advised(run)[0].title == "Advice: recommended"
    priced(run)
    (table,) = advised(run)
    assert "older than" in table.rows[0][0] and "run `bakeoff advise` again" in table.rows[0][1]
    page = html.page(run, [])
    assert "older than the answers, scores or costs" in page and "Recommended: rag" not in page


def test_the_questions_are_asked_on_a_terminal_and_saved(run: Run, tmp_path: Path) -> None:
    """Changes, hours, sources, format, narrow and its task, volume."""
    ours, theirs = pty.openpty()
    saved = tmp_path / "saved.yaml"
    os.write(ours, b"4\n24\nrequired\nn\ny\nqa\n5000\n")
    done = subprocess.run(
        [sys.executable, "-m", "bakeoff.cli", "advise", str(run.folder), "--save", str(saved)],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    needs = load_needs(saved)
    assert needs == Needs(
        updates_per_month=4,
        fresh_within_hours=24,
        sources="required",
        top_accuracy=("qa",),
        volume_per_month=5000,
    )
    assert "conditional" in done.stdout


def test_advice_kept_under_the_fields_first_names_is_read(tmp_path: Path) -> None:
    """As before `said`, `provided`, `flips` and `stands_on` were renamed."""
    kept = ROOT / "results" / "reference" / "choose" / "advice-changing-documents.json"
    before = json.loads(kept.read_text())
    shutil.copy(kept, tmp_path / ADVICE)
    advice = read(tmp_path)
    assert advice is not None
    assert list(advice.sentences) == before["said"]
    assert list(advice.unverified) == before["provided"]
    assert [change.sentence for change in advice.changes] == [f["said"] for f in before["flips"]]
    assert [check.reason for check in advice.checks] == [c["said"] for c in before["checks"]]
    assert advice.evidence == before["stands_on"]
