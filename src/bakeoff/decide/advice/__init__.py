"""Which setup to take: needs compared with what a run measured. Rules and numbers, no model.

`advise` is pure: the same needs and facts give the same advice in every process.
"""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import UNKNOWN, Estimate
from bakeoff.core.words import digest
from bakeoff.decide.advice import questions, unknown, what_if, worth
from bakeoff.decide.advice.advice import Advice, Ranked, State, read, write
from bakeoff.decide.advice.choice import Choice
from bakeoff.decide.advice.facts import Facts
from bakeoff.decide.advice.limits import ranged
from bakeoff.decide.advice.needs import Needs, check
from bakeoff.decide.advice.quality import together
from bakeoff.decide.advice.what_if import either
from bakeoff.decide.advice.worth import monthly
from bakeoff.runs.store import ADVICE, COST, read_json
from bakeoff.spec import names

__all__ = ["ADVICE", "Advice", "Ranked", "advise", "current", "keep", "read"]


def advise(needs: Needs, facts: Facts, file: str = "needs") -> Advice:
    """What to take for these needs. Raises `BakeoffError` where they name what the run has not.

    `file` is what messages call the needs.
    """
    check(needs, facts.metrics, facts.headlines, file)
    choice = Choice(needs, facts)
    picked = choice.picked
    doubts = [(setup, doubt) for setup in picked for doubt in choice.doubts(setup)]
    state: State = "conditional" if doubts else "recommended"
    if not picked:
        state = "none" if choice.ruled_out else "no answer"
    comparisons = max(0, len(choice.candidates) - 1)
    return Advice(
        run=facts.run,
        needs=needs,
        weights=choice.weights,
        state=state,
        picked=picked,
        sentences=tuple(_sentences(choice, state)),
        unverified=tuple(
            f"{s}: {doubt.need}, {doubt.state}: {doubt.reason}" for s, doubt in doubts
        ),
        ranking=tuple(_ranking(choice)),
        checks=tuple(choice.checks),
        changes=tuple(what_if.changes(choice)),
        unknown=tuple(unknown.unknown(choice)),
        questions=tuple(questions.lines(choice)),
        currency=facts.costs.currency if facts.costs else "",
        comparisons=comparisons,
        level=together(comparisons),
    )


def _sentences(choice: Choice, state: State) -> list[str]:
    if state == "none":
        return ["No setup that was measured meets the needs."]
    if state == "no answer":
        return ["No setup was scored on every task with weight: nothing can be compared."]
    picked, top = choice.picked, choice.tiers[0]
    condition = ", if the unverified needs below hold" if state == "conditional" else ""
    sentences = [f"Recommended: {either(picked)}{condition}."]
    if len(top) == 1:
        sentences.append(_alone(choice))
    else:
        sentences.append(f"No significant difference in weighted quality: {', '.join(top)}.")
        sentences += [_step(choice, why, kept) for why, kept in choice.steps[1:]]
    if len(picked) > 1:
        sentences.append(f"No measurement separates {' and '.join(picked)}.")
    return sentences


def _alone(choice: Choice) -> str:
    (best,) = choice.tiers[0]
    if len(choice.candidates) == 1:
        return f"{best} is the only setup that no need excludes."
    gaps = {s: choice.gap(best, s) for s in choice.candidates if s != best}
    nearest = min(gaps, key=lambda s: gaps[s].value or 0.0)
    gap = gaps[nearest]
    return (
        f"Its weighted quality is significantly better than that of {nearest}, the next, by "
        f"{ranged(gap)}."
    )


def _step(choice: Choice, why: str, kept: tuple[str, ...]) -> str:
    names = ", ".join(kept)
    if why == "known":
        return f"Among these, no need is unknown for {names}."
    if why == "sources":
        return f"Of the remaining setups, {names} can show sources (nice to have)."
    if why == "simpler":
        kinds = _kinds(choice, kept)
        return f"Of the remaining setups, {names} is the simplest to maintain ({kinds})."
    costs = choice.facts.costs
    if costs is None:
        return ""
    others = [s for s in choice.tiers[0] if s not in kept]
    saves = [
        f"{ranged(worth.saved(costs, one, other, choice.needs), 'cost')} compared with {other}"
        for one in kept[:1]
        for other in others
        if worth.cheaper(costs, one, other, choice.needs)
    ]
    return f"Significantly cheaper: {names}, by {', '.join(saves)} ({costs.currency} per month)."


def _kinds(choice: Choice, setups: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(choice.facts.setup(s).kind for s in setups))


def _ranking(choice: Choice) -> list[Ranked]:
    tiers = {s: n for n, tier in enumerate(choice.tiers, 1) for s in tier}
    order = [s for tier in choice.tiers for s in tier]
    rest = [known.name for known in choice.facts.setups if known.name not in tiers]
    return [_ranked(choice, setup, tiers.get(setup)) for setup in order + rest]


def _ranked(choice: Choice, setup: str, tier: int | None) -> Ranked:
    known, costs = choice.facts.setup(setup), choice.facts.costs
    best = choice.tiers[0][0] if choice.tiers else setup
    less = UNKNOWN
    if tier is not None and setup != best:
        gap = choice.gap(setup, best)
        less = Estimate(gap.value, gap.low, gap.high)
    note = ""
    if known.reference:
        note = f"a ceiling, never recommended: {known.reference}"
    elif setup in choice.ruled_out:
        note = "excluded: " + ", ".join(dict.fromkeys(c.need for c in choice.ruled_out[setup]))
    elif setup in choice.unmeasured:
        note = f"not compared: not scored on {', '.join(choice.unmeasured[setup])}"
    elif setup in choice.picked:
        note = "recommended"
    return Ranked(
        setup=setup,
        kind=known.kind,
        tier=tier,
        quality=choice.qualities[setup],
        less_best=less,
        per_month=monthly(costs, setup, choice.needs) if costs else UNKNOWN,
        note=note,
    )


def keep(run: Run, advice: Advice) -> Advice:
    """Write advice into the run's folder; what was written."""
    kept = advice.model_copy(update={"evidence": _evidence(run)})
    write(run.folder, kept)
    return kept


def _evidence(run: Run) -> str:
    """A digest of what was measured and of the costs: it changes when either is made again."""
    # By the first names: advice given before a metric was renamed is not outdated by that.
    columns = sorted(
        [task, setup, names.metric_before(metric), len(c.values), c.total]
        for (task, setup, metric), c in run.columns.items()
    )
    costs = run.folder / COST
    return digest([columns, read_json(costs) if costs.is_file() else None])


def current(run: Run, advice: Advice) -> bool:
    """Whether kept advice is of the run's present numbers and costs."""
    return advice.evidence == _evidence(run)
