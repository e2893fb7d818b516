"""Costs as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bakeoff.core.counts import quantity
from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, money
from bakeoff.decide.cost.costs import Costs, Pair
from bakeoff.decide.cost.crossover import ALWAYS, CROSSES, NEVER, SAME

THOUSAND = 1000.0


def _range(estimate: Estimate, times: float = 1.0) -> str:
    value, low, high = (
        None if end is None else end * times
        for end in (estimate.value, estimate.low, estimate.high)
    )
    if value is None:
        return "not known" if low is None else f"at least {money(low)}"
    if low is None and high is None:
        return money(value)
    if low == high == value:
        return money(value)
    above = "no upper bound" if high is None else money(high, value)
    return f"{money(value)} [{money(low, value)}, {above}]"


def count(value: float | None) -> str:
    """Requests as whole numbers; below 1 the rest does not matter."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1 else "below 1"


def tables(costs: Costs) -> list[Table]:
    """Costs, break-even volumes and their sensitivity; those that have rows."""
    parts = (_costs, _by_task, _crossovers, _sensitivity, _flips, _left_out)
    return [table for part in parts if (table := part(costs)).rows]


def _costs(costs: Costs) -> Table:
    rows = tuple(
        (
            name + (" *" if setup.left_out else ""),
            _range(setup.up_front),
            _range(setup.per_update),
            _range(setup.per_request, THOUSAND),
            _range(setup.per_correct, THOUSAND),
            _range(setup.per_month),
        )
        for name, setup in costs.setups.items()
    )
    return Table(
        f"Cost in {costs.currency}, prices of {costs.dated}",
        ("setup", "up front", "per update", "1,000 requests", "1,000 correct answers", "per month"),
        rows,
        f"Per month: {costs.volume:,.10g} requests, updates: {costs.updates:g}, and what "
        f"is spent up front, spread over {quantity(costs.months, 'month')}. Brackets "
        "are 95% intervals "
        "over the samples and over the ranges of the price file; a number without one is exact, "
        "or was measured once. "
        "Correct answers: mean cost over mean score in each task's primary metric. "
        f"Requests by task: {_weights(costs.weights)}. "
        "* A part of the cost is unknown and left out: a lower bound, see below.",
    )


def _weights(weights: Mapping[str, float]) -> str:
    if len(set(weights.values())) == 1:
        return "the same number of each"
    return ", ".join(f"{task} {share:.0%}" for task, share in weights.items())


def _by_task(costs: Costs) -> Table:
    rows = [
        (task, name, _range(alone.per_request, THOUSAND), _range(alone.per_correct, THOUSAND))
        for name, setup in costs.setups.items()
        for task, alone in setup.tasks.items()
    ]
    return Table(
        "Cost by task",
        ("task", "setup", "1,000 requests", "1,000 correct answers"),
        # Sorted: setups side by side under each task.
        tuple(sorted(rows, key=lambda row: list(costs.weights).index(row[0])))
        if len(costs.weights) > 1
        else (),
    )


def _crossovers(costs: Costs) -> Table:
    return Table(
        "Which is cheaper at what volume",
        ("pair", "requests per month", "95% interval", "in words"),
        tuple(
            (f"{pair.b} and {pair.a}", count(pair.volume.value), _volumes(pair), sentence(pair))
            for pair in costs.crossovers
        ),
        "The volume at which both cost the same per month, with its 95% confidence set (Fieller, "
        "paired by sample).",
    )


def _volumes(pair: Pair) -> str:
    low, high = pair.volume.low, pair.volume.high
    if low is None:
        return "-"
    return f"{count(low)} to {'no upper bound' if high is None else count(high)}"


def sentence(pair: Pair) -> str:
    """A crossover in words."""
    above = pair.cheaper_above
    if pair.state == SAME:
        return "both cost the same"
    if pair.state in (NEVER, ALWAYS):
        return f"{above} is cheaper at every volume"
    below = pair.a if above == pair.b else pair.b
    low, high = pair.volume.low, pair.volume.high
    if pair.state == CROSSES:
        return f"{below} is cheaper below {count(low)}, {above} above {count(high)}"
    if above and high is not None:
        return f"{above} is cheaper above {count(high)}; below, no significant difference"
    return "no significant difference" + _until(pair)


def _until(pair: Pair) -> str:
    fixed = pair.difference.fixed.value
    if not pair.volume.low or fixed is None:
        return ""
    first = pair.a if fixed > 0 else pair.b
    return f" from {count(pair.volume.low)} on; below that {first} is cheaper"


def _change(what: str, factor: float) -> str:
    return f"{what} × {factor:.3g}" if what else "as stated"


def _sensitivity(costs: Costs) -> Table:
    names = [n for n in costs.setups if any(n in row.per_month for row in costs.sensitivity)]
    return Table(
        "Sensitivity of the monthly cost",
        ("changed", *names, "cheapest"),
        tuple(
            (
                _change(row.what, row.factor),
                *(money(row.per_month[name]) for name in names),
                row.cheapest,
            )
            for row in costs.sensitivity
        ),
        "One factor changed at a time, from the estimates alone. Tokens of passages change only "
        "what is paid per token: their effect on machine time was not measured.",
    )


def _flips(costs: Costs) -> Table:
    return Table(
        "What would make another setup cheapest",
        ("changed", "from", "to"),
        tuple((_change(flip.what, flip.factor), flip.before, flip.after) for flip in costs.flips),
        "The nearest change on each side, from the estimates alone.",
    )


def _left_out(costs: Costs) -> Table:
    return Table("Costs left out, and assumptions", ("", "what"), tuple(_remarks(costs)))


def _remarks(costs: Costs) -> Iterator[tuple[str, str]]:
    yield from (("left out", text) for text in costs.left_out)
    yield from (("assumed", text) for text in costs.notes)
