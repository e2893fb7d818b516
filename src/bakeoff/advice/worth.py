"""What a setup costs at the volume and the updates that are needed, and which one is cheaper."""

from __future__ import annotations

from bakeoff.advice.grounds import Costs
from bakeoff.advice.needs import Needs
from bakeoff.latency import Bounded


def volume(costs: Costs, needs: Needs) -> float:
    """Requests a month: those needed, or those that the costs were made for."""
    return costs.volume if needs.volume_per_month is None else needs.volume_per_month


def monthly(costs: Costs, setup: str, needs: Needs) -> Bounded:
    """Money a month at the volume and the updates needed; no value where a part is not known.

    From the cost at the file's own volume and updates by what a request and an update cost. Both
    ends move with theirs, as one uncertainty is behind all of them.
    """
    return _monthly(costs, setup, volume(costs, needs), needs.updates_per_month)


def _monthly(costs: Costs, setup: str, requests: float, updates: float) -> Bounded:
    if setup not in costs.setups:
        return Bounded(None)
    cost = costs.setups[setup]
    steps = (
        (cost.per_request, requests - costs.volume),
        (cost.per_update, updates - costs.updates),
    )
    ends = []
    for side in ("value", "low", "high"):
        whole = getattr(cost.per_month, side)
        for each, more in steps:
            part = getattr(each, side)
            if more and part is None:
                whole = None
            elif more and whole is not None:
                whole += part * more
        ends.append(whole)
    value, low, high = ends
    if value is None or low is None or high is None:
        return Bounded(value)
    return Bounded(value, min(low, value), max(high, value))


def cheaper(costs: Costs | None, one: str, two: str, needs: Needs) -> bool:
    """Whether the first is clearly cheaper a month: intervals apart, or beyond the crossover's.

    The crossover of `cost.json` is paired, and can tell where intervals overlap; it holds only
    for as many updates as it was made for.
    """
    if costs is None:
        return False
    left, right = monthly(costs, one, needs), monthly(costs, two, needs)
    if left.high is not None and right.low is not None and left.high < right.low:
        return True
    if needs.updates_per_month != costs.updates:
        return False
    at = volume(costs, needs)
    for crossing in costs.crossovers:
        if {crossing.a, crossing.b} != {one, two} or crossing.cheaper_above is None:
            continue
        low, high = crossing.volume.low, crossing.volume.high
        if crossing.cheaper_above == one:
            return high is not None and at > high
        return low is not None and at < low
    return False
