"""The five questions, each with what is needed and what was measured side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bakeoff.core.counts import quantity
from bakeoff.core.estimate import UNKNOWN, Estimate
from bakeoff.decide.advice.choice import Choice
from bakeoff.decide.advice.facts import Known
from bakeoff.decide.advice.limits import ranged, span
from bakeoff.decide.advice.needs import named
from bakeoff.decide.advice.worth import monthly

SUPPORT = ("citation_recall", "citation_precision", "faithfulness")
"""Metrics of how far sources support an answer, without their settings."""


@dataclass(frozen=True)
class Line:
    """One question: what is needed, and what the run measured."""

    question: str
    need: str
    measured: str


def lines(choice: Choice) -> list[Line]:
    """The five questions, answered."""
    needs = choice.needs
    return [
        Line("Do the data change often?", _changes(choice), _followed(choice)),
        Line("Must sources be shown?", needs.sources, _sources(choice)),
        Line("Must tone or format change?", _yes(needs.format), _by_task(choice, needs.format)),
        Line(
            "Is top accuracy on a narrow task needed?",
            _yes(needs.top_accuracy),
            _by_task(choice, needs.top_accuracy),
        ),
        Line("Is the volume very high?", _volume(choice), _costs(choice)),
    ]


def _setups(choice: Choice) -> list[Known]:
    return [known for known in choice.facts.setups if not known.reference]


def _joined(parts: Mapping[str, str], none: str) -> str:
    return "; ".join(f"{name} {text}" for name, text in parts.items()) or none


def _changes(choice: Choice) -> str:
    needs = choice.needs
    if not needs.updates_per_month:
        return "no"
    within = f", within {needs.fresh_within_hours:g} h" if needs.fresh_within_hours else ""
    return f"{quantity(needs.updates_per_month, 'time')} per month{within}"


def _followed(choice: Choice) -> str:
    tasks = choice.facts.fresh_tasks
    if not tasks:
        return "not measured: no task of the run has documents that change"
    return "; ".join(f"{task}: {_followed_on(choice, task)}" for task in tasks)


def _followed_on(choice: Choice, task: str) -> str:
    by_setup = {}
    for known in _setups(choice):
        if (update := known.updates.get(task)) is None:
            continue
        parts = [
            f"{words} {ranged(estimate)}"
            for words, estimate in (
                ("correct on changed questions", update.rate),
                ("gain from the update", update.gain),
                ("harm on unchanged questions", update.damage),
            )
            if estimate.value is not None
        ]
        if update.seconds is not None:
            parts.append(f"the update took {span(update.seconds)}")
        by_setup[known.name] = ", ".join(parts) or "not measured"
    return _joined(by_setup, "not measured")


def _sources(choice: Choice) -> str:
    by_setup = {}
    for known in _setups(choice):
        support = [
            f"{task}.{metric} {ranged(value)}"
            for (task, metric), value in known.metrics.items()
            if known.sources and _plain(metric) in SUPPORT and value.value is not None
        ]
        by_setup[known.name] = _shown(known) + "".join(f", {text}" for text in support)
    return _joined(by_setup, "not known")


def _shown(known: Known) -> str:
    if known.sources is None:
        return "not known"
    if 0 < known.sources < 1:
        return f"shows passages with {known.sources:.0%} of its answers"
    return "shows passages" if known.sources else "shows none"


def _plain(metric: str) -> str:
    return metric.partition("(")[0]


def _yes(need: bool | tuple[str, ...]) -> str:
    if isinstance(need, tuple):
        return "yes: " + ", ".join(need)
    return "yes" if need else "no"


def _by_task(choice: Choice, need: bool | tuple[str, ...]) -> str:
    if not named(need):
        return "not measured: no task is named" if need else "-"
    return "; ".join(f"{task}: {_headline(choice, task)}" for task in named(need))


def _headline(choice: Choice, task: str) -> str:
    metric = choice.facts.headlines[task]
    nothing = UNKNOWN
    by_setup = {
        known.name: ranged(known.metrics.get((task, metric), nothing))
        for known in _setups(choice)
        if (task, metric) in known.metrics
    }
    return f"{metric}: {_joined(by_setup, 'not measured')}"


def _volume(choice: Choice) -> str:
    asked, costs = choice.needs.volume_per_month, choice.facts.costs
    if asked is not None:
        return f"{asked:,.0f} requests per month"
    return f"not stated; costs are for {costs.volume:,.0f} per month" if costs else "not stated"


def _costs(choice: Choice) -> str:
    costs = choice.facts.costs
    if costs is not None:
        by_setup = {}
        for known in _setups(choice):
            month: Estimate = monthly(costs, known.name, choice.needs)
            if month.value is not None:
                by_setup[known.name] = f"{ranged(month, 'cost')} {costs.currency} per month"
        return _joined(by_setup, "monthly cost unknown")
    tokens = {k.name: text for k in _setups(choice) if (text := _tokens(k, list(choice.weights)))}
    return f"cost not known; {_joined(tokens, 'tokens neither')}"


def _tokens(known: Known, tasks: Sequence[str]) -> str:
    """Mean tokens of a request, by task."""
    return ", ".join(_told_tokens(known, tasks))


def _told_tokens(known: Known, tasks: Sequence[str]) -> Iterator[str]:
    for kind in ("prompt_tokens", "completion_tokens"):
        values = [
            mean.value
            for task in tasks
            if (mean := known.metrics.get((task, kind))) and mean.value is not None
        ]
        if values and len(values) == len(tasks):
            low, high = f"{min(values):.0f}", f"{max(values):.0f}"
            span = low if low == high else f"{low} to {high}"
            yield f"{span} {kind.replace('_', ' ')}"
