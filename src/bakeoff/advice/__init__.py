"""Which setup to take: needs held against what a run measured. Rules and numbers, no model.

`advise` is pure: the same needs and grounds give the same advice in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from bakeoff import cost
from bakeoff.advice import flips, questions, unknown, worth
from bakeoff.advice.choice import Choice
from bakeoff.advice.flips import Flip, either
from bakeoff.advice.grounds import Grounds
from bakeoff.advice.limits import Check, told
from bakeoff.advice.needs import Needs, check
from bakeoff.advice.quality import together
from bakeoff.advice.questions import Line
from bakeoff.advice.worth import monthly
from bakeoff.core import BakeoffError, digest
from bakeoff.estimates import UNKNOWN, Estimate
from bakeoff.finished import Run
from bakeoff.store import ADVICE, read_json, write_json

FORMAT = 1
State = Literal["recommended", "conditional", "none", "no answer"]
"""`conditional`: a need is not shown to be met; `none`: needs rule all out; `no answer`: nothing
that could be compared is left."""


@dataclass(frozen=True)
class Ranked:
    """A setup in its place."""

    setup: str
    kind: str
    tier: int | None
    """From 1; `None` for references, setups ruled out and those that were not compared."""
    quality: Estimate
    """Weighted, from 0 to 1."""
    less_best: Estimate
    """The paired difference from the best estimate of the first tier."""
    per_month: Estimate
    note: str = ""


@dataclass(frozen=True)
class Advice:
    """What to take, why, and what would change that."""

    run: str
    needs: Needs
    weights: Mapping[str, float]
    state: State
    picked: tuple[str, ...]
    """Several where nothing measured tells them apart."""
    said: tuple[str, ...]
    """The answer in sentences."""
    provided: tuple[str, ...]
    """What the answer hangs on: needs that the pick is not shown to meet."""
    ranking: tuple[Ranked, ...]
    checks: tuple[Check, ...]
    flips: tuple[Flip, ...]
    unknown: tuple[str, ...]
    questions: tuple[Line, ...]
    currency: str
    comparisons: int
    """Of one candidate with all others; their intervals hold together at 95%."""


def advise(needs: Needs, grounds: Grounds, file: str = "needs") -> Advice:
    """What to take for these needs. Raises `BakeoffError` where they name what the run has not.

    `file` is what messages call the needs.
    """
    check(needs, grounds.metrics, grounds.headlines, file)
    choice = Choice(needs, grounds)
    picked = choice.picked
    doubts = [(setup, each) for setup in picked for each in choice.doubts(setup)]
    state: State = "conditional" if doubts else "recommended"
    if not picked:
        state = "none" if choice.ruled_out else "no answer"
    return Advice(
        grounds.run,
        needs,
        choice.weights,
        state,
        picked,
        tuple(_said(choice, state)),
        tuple(f"{s}: {each.need}, {each.state}: {each.said}" for s, each in doubts),
        tuple(_ranking(choice)),
        tuple(choice.checks),
        tuple(flips.flips(choice)),
        tuple(unknown.unknown(choice)),
        tuple(questions.lines(choice)),
        grounds.costs.currency if grounds.costs else "",
        max(0, len(choice.candidates) - 1),
    )


def _said(choice: Choice, state: State) -> list[str]:
    if state == "none":
        return ["No setup that was measured meets the needs."]
    if state == "no answer":
        return ["No setup was judged on every task that weighs: there is nothing to compare."]
    picked, top = choice.picked, choice.tiers[0]
    provided = ", if what is not yet shown of it holds" if state == "conditional" else ""
    said = [f"Take {either(picked)}{provided}."]
    if len(top) == 1:
        said.append(_alone(choice))
    else:
        said.append(f"No measurable difference in weighted quality: {', '.join(top)}.")
        said += [_step(choice, why, kept) for why, kept in choice.steps[1:]]
    if len(picked) > 1:
        said.append(f"Nothing that was measured tells {' and '.join(picked)} apart.")
    return said


def _alone(choice: Choice) -> str:
    (best,) = choice.tiers[0]
    if len(choice.candidates) == 1:
        return f"{best} is the only one that no need rules out."
    gaps = {s: choice.gap(best, s) for s in choice.candidates if s != best}
    nearest = min(gaps, key=lambda s: gaps[s].value or 0.0)
    gap = gaps[nearest]
    return f"Its weighted quality is better than that of {nearest}, the nearest, by {told(gap)}."


def _step(choice: Choice, why: str, kept: tuple[str, ...]) -> str:
    names = ", ".join(kept)
    if why == "known":
        return f"Of them, nothing that is needed is unknown of {names}."
    if why == "sources":
        return f"Of those left, {names} can show sources, which is nice to have."
    if why == "simpler":
        return f"Of those left, {names} is the simplest to keep ({_kinds(choice, kept)})."
    costs = choice.grounds.costs
    if costs is None:
        return ""
    others = [s for s in choice.tiers[0] if s not in kept]
    saves = [
        f"{told(worth.saved(costs, one, other, choice.needs), 'cost')} less than {other}"
        for one in kept[:1]
        for other in others
        if worth.cheaper(costs, one, other, choice.needs)
    ]
    return f"Clearly cheaper: {names}, by {', '.join(saves)} ({costs.currency} a month)."


def _kinds(choice: Choice, setups: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(choice.grounds.setup(s).kind for s in setups))


def _ranking(choice: Choice) -> list[Ranked]:
    tiers = {s: n for n, tier in enumerate(choice.tiers, 1) for s in tier}
    order = [s for tier in choice.tiers for s in tier]
    rest = [known.name for known in choice.grounds.setups if known.name not in tiers]
    return [_ranked(choice, setup, tiers.get(setup)) for setup in order + rest]


def _ranked(choice: Choice, setup: str, tier: int | None) -> Ranked:
    known, costs = choice.grounds.setup(setup), choice.grounds.costs
    best = choice.tiers[0][0] if choice.tiers else setup
    less = UNKNOWN
    if tier is not None and setup != best:
        gap = choice.gap(setup, best)
        less = Estimate(gap.value, gap.low, gap.high)
    note = ""
    if known.reference:
        note = f"a ceiling, not to be chosen: {known.reference}"
    elif setup in choice.ruled_out:
        note = "ruled out: " + ", ".join(dict.fromkeys(c.need for c in choice.ruled_out[setup]))
    elif setup in choice.unmeasured:
        note = f"not compared: not judged on {', '.join(choice.unmeasured[setup])}"
    elif setup in choice.picked:
        note = "the answer"
    return Ranked(
        setup,
        known.kind,
        tier,
        choice.qualities[setup],
        less,
        monthly(costs, setup, choice.needs) if costs else UNKNOWN,
        note,
    )


def as_json(advice: Advice) -> dict[str, Any]:
    """The advice as `advice.json` holds it."""
    found = asdict(advice)
    found["needs"] = advice.needs.model_dump(mode="json")
    return {"format": FORMAT, **found, "level": together(advice.comparisons)}


def write(run: Run, advice: Advice) -> dict[str, Any]:
    """Keep the advice beside the run; what was kept."""
    found = {**as_json(advice), "stands_on": _stands_on(run)}
    write_json(run.folder / ADVICE, found)
    return found


def _stands_on(run: Run) -> str:
    """A digest of what was measured and of the costs: another one after either was made anew."""
    columns = [
        [*key, len(column.values), float(np.nansum(column.values))]
        for key, column in sorted(run.columns.items())
    ]
    return digest([columns, cost.read(run.folder)])


def current(run: Run, found: Mapping[str, Any]) -> bool:
    """Whether advice that was kept is of what the run says now."""
    return bool(found["stands_on"] == _stands_on(run))


def read(run: Run) -> dict[str, Any] | None:
    """The advice kept in a run's folder; `None` where there is none.

    Raises `BakeoffError` for advice of another version.
    """
    path = run.folder / ADVICE
    if not path.is_file():
        return None
    found = read_json(path)
    if found.get("format") != FORMAT:
        raise BakeoffError(
            f"{path}: format {found.get('format')!r}, made by another version of bakeoff; this one "
            f"reads format {FORMAT}: run `bakeoff advise` again, or delete the file"
        )
    return found
