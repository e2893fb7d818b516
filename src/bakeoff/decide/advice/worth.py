"""What a setup costs at the volume and the updates that are needed, and which one is cheaper."""

from __future__ import annotations

from bakeoff.core.estimate import UNKNOWN, Estimate, exactly
from bakeoff.decide.advice.needs import Needs
from bakeoff.decide.cost.costs import CostDifference, Costs
from bakeoff.decide.cost.crossover import Crossover, crossover, total


def volume(costs: Costs, needs: Needs) -> float:
    """Requests a month: those needed, or those that the costs were made for."""
    return costs.volume if needs.volume_per_month is None else needs.volume_per_month


def monthly(costs: Costs, setup: str, needs: Needs) -> Estimate:
    """Money a month at the volume and the updates needed; no value where a part is not known."""
    if setup not in costs.setups:
        return UNKNOWN
    setup_cost = costs.setups[setup]
    steps = _updates(setup_cost.per_update, costs, needs)
    if steps is None:
        return UNKNOWN
    return total([(setup_cost.fixed, 1), (setup_cost.per_request, volume(costs, needs)), steps])


def _updates(per_update: Estimate, costs: Costs, needs: Needs) -> tuple[Estimate, float] | None:
    """An update, and how many more of them are needed than the costs were made for."""
    more = needs.updates_per_month - costs.updates
    if not more:
        return exactly(0.0), 0.0
    value, low, high = per_update.value, per_update.low, per_update.high
    if value is None:
        return None
    # What was measured once is taken as it is, as it is in the costs themselves.
    return Estimate(value, value if low is None else low, value if high is None else high), more


def dearer(costs: Costs, one: str, two: str, needs: Needs) -> tuple[Estimate, Estimate] | None:
    """What the second costs more than the first: per month at any volume, and per request.

    `None` where it is not known.
    """
    more = _difference(costs, one, two)
    if more is None:
        return None
    fixed, per_request = more.fixed, more.per_request
    plus, minus = (_updates(costs.setups[s].per_update, costs, needs) for s in (two, one))
    if fixed.value is None or per_request.value is None or plus is None or minus is None:
        return None
    return total([(fixed, 1), plus, (minus[0], -minus[1])]), per_request


def _difference(costs: Costs, one: str, two: str) -> CostDifference | None:
    for pair in costs.crossovers:
        if (pair.a, pair.b) == (one, two):
            return pair.difference
        if (pair.a, pair.b) == (two, one):
            more = pair.difference
            return CostDifference(
                fixed=more.fixed.scaled(-1),
                per_request=more.per_request.scaled(-1),
                per_month=more.per_month.scaled(-1),
            )
    return None


def saved(costs: Costs, one: str, two: str, needs: Needs) -> Estimate:
    """What the second costs more than the first per month, paired where the costs are."""
    more = dearer(costs, one, two, needs)
    if more is None:
        return UNKNOWN
    fixed, per_request = more
    return total([(fixed, 1), (per_request, volume(costs, needs))])


def cheaper(costs: Costs | None, one: str, two: str, needs: Needs) -> bool:
    """Whether the first is clearly cheaper a month: by an interval without 0."""
    saving = saved(costs, one, two, needs) if costs else UNKNOWN
    return saving.low is not None and saving.low > 0


def crossing(costs: Costs, one: str, two: str, needs: Needs) -> Crossover | None:
    """The volume at which the two cost the same, at the updates needed; b is the second."""
    more = dearer(costs, one, two, needs)
    return None if more is None else crossover(*more)
