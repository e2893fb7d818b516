"""What setups cost to make and to use, from a finished run and a price file; where costs cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from bakeoff.core import BakeoffError, digest
from bakeoff.cost import requests, sensitivity, usage
from bakeoff.cost.crossover import Crossover, crossover, total
from bakeoff.cost.prices import SECONDS, Prices
from bakeoff.cost.requests import ByTask, Dearest
from bakeoff.cost.sensitivity import Bill, Load
from bakeoff.cost.usage import MONTH, UP_FRONT, UPDATE, Item, Ledger
from bakeoff.estimates import Estimate, exactly
from bakeoff.finished import Run
from bakeoff.scoring import did_you_mean
from bakeoff.stats import LEVEL
from bakeoff.store import COST, read_json, write_json
from bakeoff.suite import LATENCY_METRICS, TOKEN_METRICS

"""In a run's folder."""
FORMAT = 1

__all__ = ["COST", "Load", "current", "monthly_at", "read", "reckon", "write"]


@dataclass(frozen=True)
class Costs:
    """What one setup costs, in ranges."""

    bill: Bill
    each: Estimate | None
    """A request; `None` where it is not known."""
    share: Mapping[str, float] = field(default_factory=dict)

    def work(self, when: str) -> Estimate:
        return total(
            (Estimate(i.value, i.low, i.high), 1) for i in self.bill.items if i.when == when
        )

    def once(self, when: str) -> bool:
        return any(item.once for item in self.bill.items if item.when == when)

    def fixed(self, load: Load) -> Estimate:
        """By month, whatever the volume; what was spent up front is spread over the months."""
        return total((self.work(when), factor) for when, factor in load.fixed.items())

    def monthly(self, load: Load) -> Estimate | None:
        if self.each is None:
            return None
        return total([(self.fixed(load), 1), (self.each, load.volume)])


def reckon(run: Run, prices: Prices, load: Load = Load()) -> dict[str, Any]:  # noqa: B008 (frozen)
    """Costs of every setup of a run, crossovers and what they hang on, as plain JSON.

    Raises `BakeoffError` where no setup has a price, or the load names what the run has not.
    """
    _check(run, prices, load)
    ledger, costs = Ledger(), dict[str, Costs]()
    ledgers = {name: Ledger() for name in run.suite.setups}
    bought = {name: _bought(run, prices, name, each) for name, each in ledgers.items()}
    top = requests.dearest([each for each in bought.values() if each])
    for name, by_task in bought.items():
        items = tuple(usage.work(run, prices, name, ledgers[name]))
        ledger.add(ledgers[name])
        share = requests.shares(load.weights, usage.tasks_of(run, name))
        each = requests.per_request(by_task, share, top) if by_task and share else None
        costs[name] = Costs(Bill.of(items, by_task or {}, share), each, share)
    _assumed(run, prices, bought, ledger)
    asked = {name: each.bill for name, each in costs.items() if each.each is not None}
    for a, b in combinations(asked, 2):
        if costs[a].share != costs[b].share:
            ledger.note(f"{a} and {b} are asked different tasks: no crossover of them")
    return {
        "format": FORMAT,
        "level": LEVEL,
        "stands_on": _stands_on(run),
        "currency": prices.currency,
        "dated": prices.dated.isoformat(),
        "volume": load.volume,
        "updates": load.updates,
        "months": load.months,
        "weights": requests.shares(load.weights, [t for t in run.samples if _serves(run, t)]),
        "left_out": ledger.left_out,
        "notes": ledger.notes,
        "setups": {
            name: {
                **_setup(run, name, each, bought[name], top, load),
                "left_out": ledgers[name].left_out,
            }
            for name, each in costs.items()
        },
        "crossovers": [
            _pair(a, b, costs, _gap(a, b, bought, costs, top), load)
            for a, b in combinations(costs, 2)
            if _comparable(costs[a], costs[b])
        ],
        "sensitivity": sensitivity.table(asked, load),
        "flips": sensitivity.flips(asked, load),
    }


def _check(run: Run, prices: Prices, load: Load) -> None:
    tasks = [task for task in run.samples if _serves(run, task)]
    for task in load.weights:
        if task not in tasks:
            hint = did_you_mean(task, tasks)
            raise BakeoffError(f"{run.folder}: weights: no task '{task}' in this run{hint}")
    if not any(usage.price_of(run, prices, name) for name in run.suite.setups):
        wanted = sorted({s.model for s in run.suite.setups.values() if not s.own})
        named = sorted({*prices.models, *prices.setups})
        raise BakeoffError(
            f"{run.folder}: no setup of it has a price: the price file names {', '.join(named)}; "
            f"models: takes {', '.join(wanted) or 'none here'}, "
            f"setups: takes {', '.join(run.suite.setups)}"
        )


def _stands_on(run: Run) -> str:
    """A digest of what was measured: another one after the run went on or was scored again."""
    measured = {*run.headlines.values(), *TOKEN_METRICS, *LATENCY_METRICS}
    return digest(
        [
            [*key, len(column.values), float(column.values.sum())]
            for key, column in sorted(run.columns.items())
            if key[2] in measured
        ]
    )


def current(run: Run, found: Mapping[str, Any]) -> bool:
    """Whether costs that were kept are of what the run says now."""
    return bool(found["stands_on"] == _stands_on(run))


def _serves(run: Run, task: str) -> bool:
    return any(task in usage.tasks_of(run, name) for name in run.suite.setups)


def _bought(run: Run, prices: Prices, name: str, ledger: Ledger) -> ByTask | None:
    """Task -> what its requests cost; `None` where that is not known of one of them."""
    found: dict[str, Sequence[usage.Part]] = {}
    for task in usage.tasks_of(run, name):
        parts = usage.parts(run, prices, name, task, ledger)
        if parts is None:
            return None
        found[task] = parts
    return found


def _assumed(run: Run, prices: Prices, bought: Mapping[str, ByTask | None], ledger: Ledger) -> None:
    """Say what stands behind the numbers."""
    if run.manifest["status"] != "complete":
        ledger.note(f"the run is {run.manifest['status']}: what is missing counts as failed")
    timed = [
        len(part.column.samples)
        for by_task in bought.values()
        for parts in (by_task or {}).values()
        for part in parts
        if part.stands_on == SECONDS
    ]
    if timed:
        least = f"{min(timed)}" if min(timed) == max(timed) else f"{min(timed)} to {max(timed)}"
        ledger.note(
            f"machine time of a request is that of the latency pass ({least} samples of a task), "
            "one request at a time on a machine that does nothing else: an upper bound, as "
            "batches answer several in the time of one; a machine that waits costs as well, "
            "and is not counted"
        )
    for name in bought:
        found = usage.price_of(run, prices, name)
        if found and found[1].cached is not None:
            ledger.note(
                f"{found[0]}: {found[1].cached_share:.0%} of prompt tokens at the price of cached "
                "ones: as the price file states; no run measures it"
            )


def _setup(
    run: Run, name: str, costs: Costs, by_task: ByTask | None, top: Dearest, load: Load
) -> dict[str, Any]:
    up_front, update = costs.work(UP_FRONT), costs.work(UPDATE)
    scores = {
        task: column
        for task in costs.share
        if (column := run.columns.get((task, name, run.headlines[task]))) is not None
        and column.measure.higher_is_better
        and column.measure.bounds is not None
        and column.measure.bounds[0] >= 0
    }

    def correct(share: Mapping[str, float]) -> Estimate | None:
        if by_task is None or not share or not set(share) <= set(scores):
            return None
        return requests.per_correct(by_task, scores, share, top)

    def one(task: str) -> dict[str, Any]:
        alone = {task: 1.0}
        each = requests.per_request(by_task, alone, top) if by_task else None
        return {"per_request": _json(each), "per_correct": _json(correct(alone))}

    return {
        "up_front": _json(up_front, measured_once=costs.once(UP_FRONT)),
        "per_request": _json(costs.each),
        "per_correct": _json(correct(costs.share)),
        "per_month": _json(costs.monthly(load)),
        "per_update": _json(update, measured_once=costs.once(UPDATE)),
        "storage": _json(costs.work(MONTH)),
        "fixed": _json(costs.fixed(load)),
        "parts": costs.bill.by_part(load),
        "tasks": {task: one(task) for task in costs.share},
    }


def _json(found: Estimate | None, *, measured_once: bool = False) -> dict[str, float | None]:
    """Value and ends; `None` where there is none. Of seconds measured once, no end is known."""
    if found is None:
        return dict.fromkeys(("value", "low", "high"))
    low, high = (None, None) if measured_once else (found.low, found.high)
    return {"value": found.value, "low": low, "high": high}


def _comparable(one: Costs, two: Costs) -> bool:
    """Whether both have a price and are asked the same tasks: else their requests differ."""
    return one.each is not None and two.each is not None and one.share == two.share


def _gap(
    a: str, b: str, bought: Mapping[str, ByTask | None], costs: Mapping[str, Costs], top: Dearest
) -> Estimate:
    """What a request costs more on b than on a."""
    one, two = bought[b], bought[a]
    assert one is not None and two is not None
    return requests.difference(one, two, costs[a].share, top)


def _pair(a: str, b: str, costs: Mapping[str, Costs], each: Estimate, load: Load) -> dict[str, Any]:
    fixed = fixed_gap(costs[a].bill.items, costs[b].bill.items, load)
    found: Crossover = crossover(fixed, each)
    gap = total([(fixed, 1), (each, load.volume)])
    cheaper = {1: b, -1: a}.get(found.cheaper)
    here = None if not gap.clear else b if gap.ends[1] < 0 else a
    return {
        "a": a,
        "b": b,
        "volume": found.volume,
        "low": found.low,
        "high": found.high,
        "cheaper_above": cheaper,
        "cheaper_here": here,
        "state": found.state,
        "difference": {
            "fixed": _json(fixed),
            "per_request": _json(each),
            "per_month": _json(gap),
        },
    }


def fixed_gap(a: Sequence[Item], b: Sequence[Item], load: Load) -> Estimate:
    """What b costs more by month, whatever the volume. What both take alike cancels out."""
    left = list(b)
    mine = []
    for item in a:
        # A range of hours is each setup's own: alike is not the same.
        if item in left and item.low == item.high:
            left.remove(item)
        else:
            mine.append(item)
    signed = [*((item, 1) for item in left), *((item, -1) for item in mine)]
    found = total(
        (Estimate(i.value, i.low, i.high), sign * load.fixed[i.when]) for i, sign in signed
    )
    # Sums of the same numbers in another order differ in the last digit.
    tiny = 1e-12 * sum(abs(item.value) for item, _ in signed)
    return exactly(0.0) if max(map(abs, found.ends)) <= tiny else found


def monthly_at(setup: Mapping[str, Any], volume: float) -> tuple[float, float, float]:
    """(value, low, high) of a setup's cost by month at another volume; `setup` as in the JSON.

    Raises `ValueError` where its requests have no price.
    """
    each, fixed = (_range(setup[part]) for part in ("per_request", "fixed"))
    found = total([(fixed, 1), (each, volume)])
    assert found.value is not None
    return found.value, *found.ends


def _range(found: Mapping[str, float | None]) -> Estimate:
    value, low, high = found["value"], found["low"], found["high"]
    if value is None:
        raise ValueError("no price")
    # An end that is not known is drawn as none: the tables say so.
    return Estimate(value, value if low is None else low, value if high is None else high)


def write(run: Run, found: Mapping[str, Any]) -> Path:
    """Keep costs beside the run; where they are."""
    path = run.folder / COST
    write_json(path, found)
    return path


def read(folder: Path) -> dict[str, Any] | None:
    """The costs kept in a run's folder; `None` where there are none.

    Raises `BakeoffError` for those of another version.
    """
    path = folder / COST
    if not path.is_file():
        return None
    found = read_json(path)
    if found.get("format") != FORMAT:
        raise BakeoffError(
            f"{path}: format {found.get('format')!r}, made by another version of bakeoff; this one "
            f"reads format {FORMAT}: run `bakeoff cost` again, or delete the file"
        )
    return found
