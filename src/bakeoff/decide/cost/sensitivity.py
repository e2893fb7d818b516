"""Sensitivity of the costs: one price or amount changed at a time, and where the order turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bakeoff.decide.cost.costs import Flip, Variation
from bakeoff.decide.cost.requests import ByTask, Shares
from bakeoff.decide.cost.usage import MONTH, REQUEST, UP_FRONT, UPDATE, Item

HALF_AND_DOUBLE = (0.5, 2.0)
VOLUME, UPDATES, CONTEXT = "requests per month", "updates per month", "tokens of passages"


@dataclass(frozen=True)
class Load:
    """How much setups are to do."""

    volume: float = 10_000.0
    """Requests per month."""
    updates: float = 1.0
    """Of documents or training rows, per month."""
    months: float = 12.0
    """Over which what is spent up front is spread."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Requests of a task for one of a task without a weight."""

    @property
    def fixed(self) -> dict[str, float]:
        """When money is spent -> how often per month, whatever the volume."""
        return {UP_FRONT: 1 / self.months, UPDATE: self.updates, MONTH: 1.0}

    @property
    def by_month(self) -> dict[str, float]:
        return {**self.fixed, REQUEST: self.volume}


@dataclass(frozen=True)
class Charge:
    """Money for one thing: the value alone, without an interval."""

    price: str
    of: str
    when: str
    value: float


@dataclass(frozen=True)
class Bill:
    """All that a setup is charged for."""

    items: tuple[Item, ...]
    charges: tuple[Charge, ...]

    @classmethod
    def of(cls, items: Sequence[Item], by_task: ByTask, share: Shares) -> Bill:
        work = [Charge(i.price, i.price, i.when, i.value) for i in items]
        asked = [
            Charge(part.price, part.of, REQUEST, share[task] * float(part.column.values.mean()))
            for task, parts in by_task.items()
            if task in share
            for part in parts
        ]
        return cls(tuple(items), (*work, *asked))

    def monthly(self, load: Load, changed: str = "", factor: float = 1.0) -> float:
        """Money per month, with one price or amount times a factor."""
        often = load.by_month
        return sum(
            charge.value * often[charge.when] * (factor if _hangs(charge, changed) else 1.0)
            for charge in self.charges
        )

    def by_part(self, load: Load) -> dict[str, float]:
        """Money per month, by what it is paid for."""
        amounts: dict[str, float] = {}
        for charge in self.charges:
            name = charge.of if charge.when == REQUEST else f"{charge.of}, {charge.when}"
            amounts[name] = amounts.get(name, 0.0) + charge.value * load.by_month[charge.when]
        return amounts


_AMOUNTS = {VOLUME: REQUEST, UPDATES: UPDATE}


def _hangs(charge: Charge, changed: str) -> bool:
    """Whether a charge grows with the price or the amount of this name."""
    if changed == CONTEXT:
        return charge.of == "passages"
    return charge.when == _AMOUNTS[changed] if changed in _AMOUNTS else charge.price == changed


def _changes(bills: Mapping[str, Bill]) -> Iterator[tuple[str, tuple[float, ...]]]:
    """What is changed one at a time, and by which factors: what affects no charge is left out."""
    charges = [charge for bill in bills.values() for charge in bill.charges if charge.value]
    prices = dict.fromkeys(charge.price for charge in charges)
    wanted = {
        **dict.fromkeys(prices, HALF_AND_DOUBLE),
        CONTEXT: HALF_AND_DOUBLE,
        UPDATES: (*HALF_AND_DOUBLE, 10.0),
        VOLUME: (0.1, 10.0),
    }
    for name, factors in wanted.items():
        if any(_hangs(charge, name) for charge in charges):
            yield name, factors


def _cheapest(costs: Mapping[str, float]) -> str:
    return min(costs, key=lambda name: costs[name])


def variations(bills: Mapping[str, Bill], load: Load) -> list[Variation]:
    """Money per month for each change, and the setup that is then cheapest, by the values alone."""
    if not bills:
        return []
    rows = []
    for what, factor in [("", 1.0), *((w, f) for w, factors in _changes(bills) for f in factors)]:
        costs = {name: bill.monthly(load, what, factor) for name, bill in bills.items()}
        rows.append(Variation(what=what, factor=factor, per_month=costs, cheapest=_cheapest(costs)))
    return rows


def flips(bills: Mapping[str, Bill], load: Load) -> list[Flip]:
    """The nearest factors, below and above 1, at which another setup becomes the cheapest.

    Money per month is a line in every factor, so they are exact; by the values alone.
    """
    if len(bills) < 2:
        return []
    now = {name: bill.monthly(load) for name, bill in bills.items()}
    first, rows = _cheapest(now), []
    for what, _ in _changes(bills):
        bare = {name: bill.monthly(load, what, 0.0) for name, bill in bills.items()}
        crossings = {}
        for name in bills:
            slope = (now[name] - bare[name]) - (now[first] - bare[first])
            # Charges that depend on it in the same way on both differ by rounding alone.
            if abs(slope) > 1e-9 * (now[name] + now[first]):
                crossings[1 - (now[name] - now[first]) / slope] = name
        below = [f for f in crossings if 0 <= f < 1]
        above = [f for f in crossings if f > 1]
        nearest = [*([max(below)] if below else []), *([min(above)] if above else [])]
        rows += [Flip(what=what, factor=f, before=first, after=crossings[f]) for f in nearest]
    return rows
