"""What is not known yet, and what would measure it."""

from __future__ import annotations

from collections.abc import Iterator

from bakeoff.core.counts import quantity
from bakeoff.decide.advice.choice import Choice
from bakeoff.decide.advice.limits import ranged

LEFT_OUT = 3
"""Of what the costs leave out, so many are named."""


def unknown(choice: Choice) -> list[str]:
    """What the run leaves open of the needs, a sentence each."""
    return [*_evidence(choice), *_coverage(choice), *_samples(choice)]


def _evidence(choice: Choice) -> Iterator[str]:
    needs, facts = choice.needs, choice.facts
    if facts.limited:
        yield f"The run is limited ({facts.limited}): a complete run can give another result."
    if facts.costs is None:
        yield (
            "No cost.json: the cost of the setups is unknown, and the simpler one is recommended "
            "where quality does not differ significantly. "
            "`bakeoff cost RUN --prices FILE` makes it."
        )
    elif facts.costs.left_out:
        named, more = facts.costs.left_out[:LEFT_OUT], len(facts.costs.left_out) - LEFT_OUT
        also = f"; and {more} more, in cost.json" if more > 0 else ""
        yield f"The costs leave out: {'; '.join(named)}{also}."
    if needs.updates_per_month and not facts.fresh_tasks:
        yield (
            f"The data change {quantity(needs.updates_per_month, 'time')} per month, "
            "and no task of the run "
            "has documents that change: how the setups follow such changes is unknown."
        )
    for field in ("format", "top_accuracy"):
        if getattr(needs, field) is True:
            yield f"{field}: yes, but no task is named that measures it."


def _coverage(choice: Choice) -> Iterator[str]:
    for setup, tasks in choice.unmeasured.items():
        yield f"{setup} was not scored on {', '.join(tasks)}: it cannot be compared."
    for setup in choice.candidates:
        if left := choice.qualities[setup].unjudged:
            yield f"{setup}: {quantity(left, 'unscored sample')} left out of its quality."
    # That no setup's updates, or costs, are known is reported above.
    for setup in choice.tiers[0] if choice.tiers else ():
        for check in choice.doubts(setup):
            whole = check.need == "updates" or choice.facts.costs is None
            if check.state == "not known" and not (
                whole and check.need[:6] in ("update", "budget")
            ):
                yield f"{setup}: {check.need}: {check.reason}."


def _samples(choice: Choice) -> Iterator[str]:
    """Whether more samples could separate the setups of the first tier, and how many."""
    if not choice.tiers:
        return
    margin, top = choice.needs.margin, choice.tiers[0]
    for picked in choice.picked[:1]:
        for other in (s for s in top if s != picked):
            gap = choice.gap(other, picked)
            if gap.value is None:
                continue
            if gap.detectable is None:
                yield f"{other} and {picked}: too few samples for a minimum detectable difference."
                continue
            seen = ranged(gap)
            sentence = (
                f"{other} − {picked}: {seen} on {quantity(gap.n, 'sample')}; minimum "
                "detectable difference "
                f"(80% power): {gap.detectable:.3f}"
            )
            need = gap.samples(margin) if margin else None
            if need and need > gap.n:
                sentence += f"; {margin:g} needs about {need:,} samples"
            yield sentence + "."
