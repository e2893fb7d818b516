"""Costs as tables, from the JSON that is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bakeoff.cost.crossover import ALWAYS, CROSSES, NEVER, SAME
from bakeoff.table import Table

THOUSAND = 1000.0


def money(value: float | None) -> str:
    """Three digits or more, never in powers of ten: 12,345, 12.30, 0.0123."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.2f}"
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.9f}".rstrip("0").rstrip(".") or "0"


def _range(found: Mapping[str, float | None], times: float = 1.0) -> str:
    value, low, high = (
        None if (each := found[end]) is None else each * times for end in ("value", "low", "high")
    )
    if value is None:
        return "not known" if low is None else f"at least {money(low)}"
    if low is None and high is None:
        return money(value)
    if low == high == value:
        return money(value)
    return f"{money(value)} [{money(low)}, {'no end' if high is None else money(high)}]"


def count(value: float | None) -> str:
    """Requests as whole numbers; below 1 the rest does not matter."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1 else "below 1"


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Costs, crossovers and what they hang on; those that have rows."""
    parts = (_costs, _by_task, _crossovers, _sensitivity, _flips, _left_out)
    return [table for part in parts if (table := part(found)).rows]


def _costs(found: Mapping[str, Any]) -> Table:
    columns = (
        *(("up_front", 1.0), ("per_update", 1.0)),
        *(("per_request", THOUSAND), ("per_correct", THOUSAND), ("per_month", 1.0)),
    )
    rows = tuple(
        (
            name + (" *" if each["left_out"] else ""),
            *(_range(each[column], times) for column, times in columns),
        )
        for name, each in found["setups"].items()
    )
    return Table(
        f"Cost in {found['currency']}, prices of {found['dated']}",
        ("setup", "up front", "an update", "1,000 requests", "1,000 right answers", "by month"),
        rows,
        f"By month: {found['volume']:,.10g} requests, updates: {found['updates']:g}, and what "
        f"is spent up front, spread over {found['months']:g} months. Brackets are 95% intervals "
        "over the samples and over ranges that the price file gives; without them a number is "
        "exact or rests on work that was measured once. "
        "Right answers: mean cost over mean score in each task's headline metric. "
        f"Requests by task: {_weights(found['weights'])}. "
        "* Something of it is left out, and costs more than it says here: see below.",
    )


def _weights(weights: Mapping[str, float]) -> str:
    if len(set(weights.values())) == 1:
        return "as many of each"
    return ", ".join(f"{task} {share:.0%}" for task, share in weights.items())


def _by_task(found: Mapping[str, Any]) -> Table:
    rows = [
        (task, name, *(_range(each[part], THOUSAND) for part in ("per_request", "per_correct")))
        for name, setup in found["setups"].items()
        for task, each in setup["tasks"].items()
    ]
    return Table(
        "Cost by task",
        ("task", "setup", "1,000 requests", "1,000 right answers"),
        # Sorted: setups side by side under each task.
        tuple(sorted(rows, key=lambda row: list(found["weights"]).index(row[0])))
        if len(found["weights"]) > 1
        else (),
    )


def _crossovers(found: Mapping[str, Any]) -> Table:
    return Table(
        "Which is cheaper at what volume",
        ("pair", "requests by month", "95% interval", "in words"),
        tuple(
            (f"{each['b']} and {each['a']}", count(each["volume"]), _volumes(each), said(each))
            for each in found["crossovers"]
        ),
        "The volume at which the two cost the same by month. The interval holds every volume at "
        "which that cannot be ruled out (Fieller's set, paired by sample).",
    )


def _volumes(each: Mapping[str, Any]) -> str:
    if each["low"] is None:
        return "-"
    return f"{count(each['low'])} to {'no end' if each['high'] is None else count(each['high'])}"


def said(each: Mapping[str, Any]) -> str:
    """A crossover as a sentence."""
    a, b, above = each["a"], each["b"], each["cheaper_above"]
    state, low, high = each["state"], each["low"], each["high"]
    if state == SAME:
        return "both cost the same"
    if state in (NEVER, ALWAYS):
        return f"{above} is cheaper at every volume"
    below = a if above == b else b
    if state == CROSSES:
        return f"{below} is cheaper below {count(low)}, {above} above {count(high)}"
    if above and high is not None:
        return f"{above} is cheaper above {count(high)}; below that it cannot be told"
    return "cannot be told" + _until(each)


def _until(each: Mapping[str, Any]) -> str:
    fixed = each["difference"]["fixed"]
    if not each["low"] or fixed["value"] is None:
        return ""
    first = each["a"] if fixed["value"] > 0 else each["b"]
    return f" from {count(each['low'])} on; below that {first} is cheaper"


def _change(what: str, factor: float) -> str:
    return f"{what} × {factor:.3g}" if what else "as stated"


def _sensitivity(found: Mapping[str, Any]) -> Table:
    names = [name for name in found["setups"] if any(
        name in row["per_month"] for row in found["sensitivity"]
    )]  # fmt: skip
    return Table(
        "What the cost by month hangs on",
        ("changed", *names, "cheapest"),
        tuple(
            (
                _change(row["what"], row["factor"]),
                *(money(row["per_month"][name]) for name in names),
                row["cheapest"],
            )
            for row in found["sensitivity"]
        ),
        "One thing changed at a time; by the values alone. Tokens of passages change only what is "
        "paid by tokens: how machine time would follow them was not measured.",
    )


def _flips(found: Mapping[str, Any]) -> Table:
    return Table(
        "What would make another setup the cheapest",
        ("changed", "from", "to"),
        tuple(
            (_change(row["what"], row["factor"]), row["from"], row["to"]) for row in found["flips"]
        ),
        "The nearest change on each side; by the values alone.",
    )


def _left_out(found: Mapping[str, Any]) -> Table:
    return Table("What the cost leaves out, and assumes", ("", "what"), tuple(_said(found)))


def _said(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("left out", text) for text in found["left_out"])
    yield from (("assumed", text) for text in found["notes"])
