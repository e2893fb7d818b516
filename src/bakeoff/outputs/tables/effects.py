"""What tuning and retrieval change, in numbers and in words."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import Difference
from bakeoff.core.table import Table, number, signed_cell, unmarked

DECLINES = 0.9
"""Share of wrong refusals from which a setup is reported to refuse everything."""


def effects(run: Run) -> Table:
    """The square by subtraction, for each task's headline metric."""
    tasks = run.comparison.tasks
    known = {task: facts.metric(facts.headline).effects for task, facts in tasks.items()}
    names = list(dict.fromkeys(name for effects in known.values() for name in effects))
    rows = [
        (task, tasks[task].headline, *(signed(effects.get(n), tasks[task].headline) for n in names))
        for task, effects in known.items()
        if effects
    ]
    return Table(
        "What tuning and retrieval each change",
        ("task", "metric", *names),
        tuple(rows),
        "Paired differences with 95% intervals; * significant (p < 0.05, sign-flip permutation "
        "test). Interaction: what both together give beyond the sum of each.",
    )


def signed(gap: Difference | None, metric: str) -> str:
    """A difference with `*` where it is significant, and with its p where it only looks so."""
    looks = unmarked(gap) if gap else ""
    return f"{marked(gap, metric)} {looks}".rstrip()


def marked(gap: Difference | None, metric: str) -> str:
    """A difference with its sign and interval, `*` where it is significant."""
    if gap is None or gap.value is None:
        return "-"
    return signed_cell(gap, metric) + ("*" if gap.known and gap.clear else "")


def findings(run: Run) -> list[str]:
    """The numbers in words: what tuning does to the use of context, which setup never answers."""
    sentences = []
    for task, facts in run.comparison.tasks.items():
        metric = facts.headline
        if effect := facts.metric(metric).effects.get("tuning, open book"):
            better = run.metric(task, metric).higher_is_better
            text = signed(effect, metric).replace("*", "")
            sentences.append(
                f"{task}: {_damage(effect, better, metric)} ({metric}, hybrid - rag {text})."
            )
        sentences += [
            f"{task}: {setup} refuses {rate.value:.0%} of answerable questions; do not credit its "
            "other refusals."
            for setup, rate in facts.metric("wrong_refusal").setups.items()
            if rate.value is not None and rate.value >= DECLINES
        ]
    return sentences


def _damage(effect: Difference, higher_is_better: bool, metric: str) -> str:
    if not effect.known:
        return "too few samples to measure the effect of tuning on answers from passages"
    gain = effect.sign if higher_is_better else -effect.sign
    if gain < 0:
        return "tuning damages the use of retrieved passages"
    if gain > 0:
        return "tuning improves answers from retrieved passages"
    size = effect.detectable
    bound = f"; minimum detectable change (80% power): {number(size, metric)}" if size else ""
    return f"no effect of tuning on answers from retrieved passages was seen{bound}"
