"""What setups cost to make and to use, from a finished run and a price file; where costs cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.stats import LEVEL
from bakeoff.core.estimate import UNKNOWN, Estimate, exactly
from bakeoff.core.hints import did_you_mean
from bakeoff.core.measure import LATENCY_METRICS, TOKEN_METRICS
from bakeoff.core.words import BakeoffError, digest
from bakeoff.decide.cost import requests, sensitivity, usage, work
from bakeoff.decide.cost.costs import (
    CostDifference,
    Costs,
    Pair,
    SetupCost,
    TaskCost,
    read,
    write,
)
from bakeoff.decide.cost.crossover import crossover, total
from bakeoff.decide.cost.prices import SECONDS, Prices
from bakeoff.decide.cost.requests import ByTask, Dearest, Shares
from bakeoff.decide.cost.sensitivity import Bill, Load
from bakeoff.decide.cost.usage import MONTH, UP_FRONT, UPDATE, Item, Ledger
from bakeoff.runs.store import COST

__all__ = ["COST", "Costs", "Load", "compute", "current", "monthly_at", "read", "write"]


@dataclass(frozen=True)
class Spent:
    """What one setup costs, in ranges."""

    name: str
    bill: Bill
    by_task: ByTask | None
    """What its requests cost; `None` where that is not known of one of its tasks."""
    per_request: Estimate | None
    """A request; `None` where it is not known."""
    share: Shares
    left_out: tuple[str, ...]

    def work(self, when: str) -> Estimate:
        return total((item.amount, 1) for item in self.bill.items if item.when == when)

    def once(self, when: str) -> bool:
        return any(item.once for item in self.bill.items if item.when == when)

    def fixed(self, load: Load) -> Estimate:
        """By month, whatever the volume; what was spent up front is spread over the months."""
        return total((self.work(when), factor) for when, factor in load.fixed.items())

    def monthly(self, load: Load) -> Estimate | None:
        if self.per_request is None:
            return None
        return total([(self.fixed(load), 1), (self.per_request, load.volume)])


def compute(run: Run, prices: Prices, load: Load = Load()) -> Costs:  # noqa: B008 (frozen)
    """Costs of every setup of a run, crossovers and what they hang on.

    Raises `BakeoffError` where no setup has a price, or the load names what the run has not.
    """
    _check(run, prices, load)
    ledger, setups = Ledger(), list[Spent]()
    ledgers = {name: Ledger() for name in run.suite.setups}
    bought = {name: _bought(run, prices, name, own) for name, own in ledgers.items()}
    top = requests.dearest([by_task for by_task in bought.values() if by_task])
    for name, by_task in bought.items():
        items = tuple(work.work(run, prices, name, ledgers[name]))
        ledger.add(ledgers[name])
        share = requests.shares(load.weights, usage.tasks_of(run, name))
        per_request = requests.per_request(by_task, share, top) if by_task and share else None
        bill = Bill.of(items, by_task or {}, share)
        setups.append(Spent(name, bill, by_task, per_request, share, tuple(ledgers[name].left_out)))
    _assumed(run, prices, bought, ledger)
    priced = [setup for setup in setups if setup.per_request is not None]
    pairs = list(combinations(priced, 2))
    for a, b in pairs:
        if a.share != b.share:
            ledger.note(f"{a.name} and {b.name} have different tasks: no break-even volume")
    bills = {setup.name: setup.bill for setup in priced}
    return Costs(
        level=LEVEL,
        evidence=_evidence(run),
        currency=prices.currency,
        dated=prices.dated,
        volume=load.volume,
        updates=load.updates,
        months=load.months,
        weights=requests.shares(load.weights, [t for t in run.samples if _serves(run, t)]),
        left_out=tuple(ledger.left_out),
        notes=tuple(ledger.notes),
        setups={setup.name: _setup(run, setup, top, load) for setup in setups},
        # Requests of other tasks are other requests.
        crossovers=tuple(_pair(a, b, top, load) for a, b in pairs if a.share == b.share),
        sensitivity=tuple(sensitivity.variations(bills, load)),
        flips=tuple(sensitivity.flips(bills, load)),
    )


def _check(run: Run, prices: Prices, load: Load) -> None:
    tasks = [task for task in run.samples if _serves(run, task)]
    for task in load.weights:
        if task not in tasks:
            hint = did_you_mean(task, tasks)
            raise BakeoffError(f"{run.folder}: weights: no task '{task}' in this run{hint}")
    if not any(usage.price_of(run, prices, name) for name in run.suite.setups):
        wanted = sorted({s.model for s in run.suite.setups.values() if not s.custom})
        named = sorted({*prices.models, *prices.setups})
        raise BakeoffError(
            f"{run.folder}: no setup of it has a price: the price file names {', '.join(named)}; "
            f"models: takes {', '.join(wanted) or 'none here'}, "
            f"setups: takes {', '.join(run.suite.setups)}"
        )


def _evidence(run: Run) -> str:
    """A digest of what was measured: it changes when the run goes on or is scored again."""
    measured = {*run.headlines.values(), *TOKEN_METRICS, *LATENCY_METRICS}
    return digest(
        [
            [*key, len(column.values), column.total]
            for key, column in sorted(run.columns.items())
            if key[2] in measured
        ]
    )


def current(run: Run, costs: Costs) -> bool:
    """Whether kept costs are of the run's present numbers."""
    return costs.evidence == _evidence(run)


def _serves(run: Run, task: str) -> bool:
    return any(task in usage.tasks_of(run, name) for name in run.suite.setups)


def _bought(run: Run, prices: Prices, name: str, ledger: Ledger) -> ByTask | None:
    """Task -> what its requests cost; `None` where that is not known of one of them."""
    by_task: dict[str, Sequence[usage.Part]] = {}
    for task in usage.tasks_of(run, name):
        parts = usage.parts(run, prices, name, task, ledger)
        if parts is None:
            return None
        by_task[task] = parts
    return by_task


def _assumed(run: Run, prices: Prices, bought: Mapping[str, ByTask | None], ledger: Ledger) -> None:
    """Note what the numbers assume."""
    if not run.manifest.complete:
        ledger.note(f"the run is {run.manifest.status}: what is missing counts as failed")
    timed = [
        len(part.column.samples)
        for by_task in bought.values()
        for parts in (by_task or {}).values()
        for part in parts
        if part.quantity == SECONDS
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
        entry = usage.price_of(run, prices, name)
        if entry and entry[1].cached is not None:
            ledger.note(
                f"{entry[0]}: {entry[1].cached_share:.0%} of prompt tokens at the price of cached "
                "ones: as the price file states; no run measures it"
            )


def _setup(run: Run, setup: Spent, top: Dearest, load: Load) -> SetupCost:
    by_task = setup.by_task
    scores = {
        task: column
        for task in setup.share
        if (column := run.columns.get((task, setup.name, run.headlines[task]))) is not None
        and column.measure.higher_is_better
        and column.measure.bounds is not None
        and column.measure.bounds[0] >= 0
    }

    def correct(share: Shares) -> Estimate | None:
        if by_task is None or not share or not set(share) <= set(scores):
            return None
        return requests.per_correct(by_task, scores, share, top)

    def alone(task: str) -> TaskCost:
        share = {task: 1.0}
        per_request = requests.per_request(by_task, share, top) if by_task else None
        return TaskCost(per_request=_money(per_request), per_correct=_money(correct(share)))

    return SetupCost(
        up_front=_money(setup.work(UP_FRONT), measured_once=setup.once(UP_FRONT)),
        per_request=_money(setup.per_request),
        per_correct=_money(correct(setup.share)),
        per_month=_money(setup.monthly(load)),
        per_update=_money(setup.work(UPDATE), measured_once=setup.once(UPDATE)),
        storage=_money(setup.work(MONTH)),
        fixed=_money(setup.fixed(load)),
        parts=setup.bill.by_part(load),
        tasks={task: alone(task) for task in setup.share},
        left_out=setup.left_out,
    )


def _money(known: Estimate | None, *, measured_once: bool = False) -> Estimate:
    """What the file keeps: value and ends. Of seconds measured once, no end is known."""
    if known is None:
        return UNKNOWN
    ends = (None, None) if measured_once else (known.low, known.high)
    return Estimate(known.value, *ends)


def _pair(a: Spent, b: Spent, top: Dearest, load: Load) -> Pair:
    assert a.by_task is not None and b.by_task is not None
    fixed = fixed_gap(a.bill.items, b.bill.items, load)
    per_request = requests.difference(b.by_task, a.by_task, a.share, top)
    crossing = crossover(fixed, per_request)
    gap = total([(fixed, 1), (per_request, load.volume)])
    return Pair(
        a=a.name,
        b=b.name,
        volume=crossing.volume,
        cheaper_above={1: b.name, -1: a.name}.get(crossing.cheaper),
        cheaper_here=None if not gap.clear else b.name if gap.ends[1] < 0 else a.name,
        state=crossing.state,
        difference=CostDifference(
            fixed=_money(fixed), per_request=_money(per_request), per_month=_money(gap)
        ),
    )


def fixed_gap(a: Sequence[Item], b: Sequence[Item], load: Load) -> Estimate:
    """What b costs more per month, whatever the volume. What both take alike cancels out."""
    left = list(b)
    mine = []
    for item in a:
        # A range of hours is each setup's own: alike is not the same.
        if item in left and item.amount.low == item.amount.high:
            left.remove(item)
        else:
            mine.append(item)
    signed = [*((item, 1) for item in left), *((item, -1) for item in mine)]
    gap = total((item.amount, sign * load.fixed[item.when]) for item, sign in signed)
    # Sums of the same numbers in another order differ in the last digit.
    tiny = 1e-12 * sum(abs(item.value) for item, _ in signed)
    return exactly(0.0) if max(map(abs, gap.ends)) <= tiny else gap


def monthly_at(setup: SetupCost, volume: float) -> Estimate:
    """A setup's cost per month at another volume, with both ends.

    Raises `ValueError` where its requests have no price.
    """
    return total([(_range(setup.fixed), 1), (_range(setup.per_request), volume)])


def _range(money: Estimate) -> Estimate:
    if money.value is None:
        raise ValueError("no price")
    # An unknown end is not drawn: the tables mark it.
    low = money.value if money.low is None else money.low
    return Estimate(money.value, low, money.value if money.high is None else money.high)
