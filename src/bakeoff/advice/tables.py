"""Advice as tables, from what `advice.json` holds: for a terminal, Markdown and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bakeoff.estimates import Estimate
from bakeoff.table import Table, cell


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The answer first, then what it stands on."""
    made = (_answer, _ranking, _ruled_out, _flips, _unknown, _questions)
    return [table for make in made if (table := make(found)).rows]


def _answer(found: Mapping[str, Any]) -> Table:
    rows = [(("answer" if n == 0 else "why"), said) for n, said in enumerate(found["said"])]
    rows += [("not yet shown", said) for said in found["provided"]]
    weights = ", ".join(f"{task} {weight:.3g}" for task, weight in found["weights"].items())
    return Table(f"Advice: {found['state']}", ("", "in words"), tuple(rows), f"Weights: {weights}.")


def _ranking(found: Mapping[str, Any]) -> Table:
    money = f"a month ({found['currency']})" if found["currency"] else "a month"
    rows = [
        (
            each["setup"],
            "-" if each["tier"] is None else str(each["tier"]),
            each["kind"],
            cell(Estimate(**each["quality"]), "") + _unjudged(each["quality"]),
            _signed(each["less_best"]),
            cell(Estimate(**each["per_month"]), "cost"),
            each["note"],
        )
        for each in found["ranking"]
    ]
    margin = found["needs"]["margin"]
    return Table(
        "Setups, best first",
        ("setup", "tier", "kind", "weighted quality", "less the best", money, "note"),
        tuple(rows),
        "Inside a tier no measurable difference: none is better than another by more than chance "
        f"and {margin:g}. The first tier holds the truly best one in 95% of runs: the paired "
        f"differences have intervals of {found['level']:.1%} each, those of quality and cost 95%.",
    )


def _unjudged(estimate: Mapping[str, Any]) -> str:
    return f" ({estimate['unjudged']} unjudged)" if estimate["unjudged"] else ""


def _signed(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "-"
    text = f"{found['value']:+.3f}"
    if None in (found["low"], found["high"]):
        return f"{text} (no interval)"
    return f"{text} [{found['low']:+.3f}, {found['high']:+.3f}]"


def _ruled_out(found: Mapping[str, Any]) -> Table:
    """Setups with the same evidence share a row; one that is out has only what rules it out."""
    out = {each["setup"] for each in found["checks"] if each["state"] == "violated"}
    shared: dict[tuple[str, str, str], list[str]] = {}
    for state in ("violated", "not proven", "not known"):
        for each in found["checks"]:
            if each["state"] == state and (state == "violated" or each["setup"] not in out):
                key = (each["need"], state, each["said"])
                shared.setdefault(key, []).append(each["setup"])
    rows = [(", ".join(setups), *key) for key, setups in shared.items()]
    return Table(
        "Needs that are not met, or not shown to be",
        ("setup", "need", "it is", "evidence"),
        tuple(rows),
        "Violated rules a setup out. Not proven: the interval holds the limit, or the number was "
        "measured once and is within twice of it. Not known: not measured.",
    )


def _flips(found: Mapping[str, Any]) -> Table:
    rows = tuple((each["about"], each["said"]) for each in found["flips"])
    return Table("What would change the answer", ("what", "how"), rows)


def _unknown(found: Mapping[str, Any]) -> Table:
    rows = tuple((str(n), said) for n, said in enumerate(found["unknown"], 1))
    return Table("What is not known yet", ("no.", "in words"), rows)


def _questions(found: Mapping[str, Any]) -> Table:
    rows = tuple((each["question"], each["need"], each["measured"]) for each in found["questions"])
    return Table("The five questions", ("question", "needed", "measured"), rows)
