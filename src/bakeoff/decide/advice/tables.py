"""Advice as tables: for a terminal, Markdown and the page."""

from __future__ import annotations

from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, cell, signed
from bakeoff.decide.advice.advice import Advice


def tables(advice: Advice) -> list[Table]:
    """The answer first, then its evidence."""
    parts = (_answer, _ranking, _ruled_out, _changes, _unknown, _questions)
    return [table for part in parts if (table := part(advice)).rows]


def _answer(advice: Advice) -> Table:
    rows = [
        (("answer" if n == 0 else "why"), sentence) for n, sentence in enumerate(advice.sentences)
    ]
    rows += [("not verified", sentence) for sentence in advice.unverified]
    weights = ", ".join(f"{task} {weight:.3g}" for task, weight in advice.weights.items())
    return Table(f"Advice: {advice.state}", ("", "in words"), tuple(rows), f"Weights: {weights}.")


def _ranking(advice: Advice) -> Table:
    money = f"per month ({advice.currency})" if advice.currency else "per month"
    rows = []
    for ranked in advice.ranking:
        unjudged = f" ({ranked.quality.unjudged} unjudged)" if ranked.quality.unjudged else ""
        rows.append(
            (
                ranked.setup,
                "-" if ranked.tier is None else str(ranked.tier),
                ranked.kind,
                cell(ranked.quality, "") + unjudged,
                _signed(ranked.less_best),
                cell(ranked.per_month, "cost"),
                ranked.note,
            )
        )
    return Table(
        "Setups, best first",
        ("setup", "tier", "kind", "weighted quality", "− best", money, "note"),
        tuple(rows),
        "Within a tier, no setup is significantly better than another by more than "
        f"{advice.needs.margin:g}. The first tier contains the truly best one in 95% of runs: the "
        f"paired differences have confidence intervals of {advice.level:.1%} each, quality and "
        "cost of 95%.",
    )


def _signed(difference: Estimate) -> str:
    if difference.value is None:
        return "-"
    text = signed(difference.value, "")
    if difference.low is None or difference.high is None:
        return f"{text} (no interval)"
    return f"{text} [{signed(difference.low, '')}, {signed(difference.high, '')}]"


def _ruled_out(advice: Advice) -> Table:
    """Setups with the same evidence share a row; one that is out has only what rules it out."""
    out = {check.setup for check in advice.checks if check.state == "violated"}
    shared: dict[tuple[str, str, str], list[str]] = {}
    for state in ("violated", "not proven", "not known"):
        for check in advice.checks:
            if check.state == state and (state == "violated" or check.setup not in out):
                shared.setdefault((check.need, state, check.reason), []).append(check.setup)
    rows = [(", ".join(setups), *key) for key, setups in shared.items()]
    return Table(
        "Needs that are violated or not verified",
        ("setup", "need", "state", "evidence"),
        tuple(rows),
        "A violated need excludes the setup. Not proven: the confidence interval contains the "
        "limit, or the value was measured once and is within a factor of 2 of it. Not known: not "
        "measured.",
    )


def _changes(advice: Advice) -> Table:
    rows = tuple((change.about, change.sentence) for change in advice.changes)
    return Table("What would change the recommendation", ("what", "how"), rows)


def _unknown(advice: Advice) -> Table:
    rows = tuple((str(n), sentence) for n, sentence in enumerate(advice.unknown, 1))
    return Table("What is unknown", ("no.", "in words"), rows)


def _questions(advice: Advice) -> Table:
    rows = tuple((line.question, line.need, line.measured) for line in advice.questions)
    return Table("The five questions", ("question", "needed", "measured"), rows)
