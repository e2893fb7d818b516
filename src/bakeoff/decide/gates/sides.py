"""The rows that gates are judged on, and the sides of a check: one column for each value it names.

A side whose numbers cannot be trusted, or that measured something else, is refused here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bakeoff.analysis.columns import Column
from bakeoff.analysis.measurements import Rows, differences, edited, treated
from bakeoff.analysis.treatment import Change
from bakeoff.core.counts import quantity
from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import LISTED, BakeoffError
from bakeoff.decide.gates.language import Check, Ref
from bakeoff.spec.policy import Policy


class Missing(BakeoffError):
    """Evidence that is not there, which the policy may let pass as skipped."""


@dataclass(frozen=True)
class Evidence:
    """The rows that gates are judged on."""

    rows: Rows
    references: Mapping[str, Rows] = field(default_factory=dict)
    """`baseline` and `anchor`, as far as there are any."""
    policy: Policy = field(default_factory=Policy)
    allow_mismatch: bool = False
    without_card: Mapping[str, str] = field(default_factory=dict)
    """Metrics that may not be gated on -> why."""


def columns_of(ref: Ref, rows: Rows) -> dict[str, Column]:
    """Task -> the ref's column there."""
    return {
        task: column
        for (task, setup, metric), column in rows.columns.items()
        if setup == ref.setup and metric == ref.metric and ref.task in (None, task)
    }


def skipped_task(ref: Ref, rows: Rows) -> str:
    return rows.skipped.get(ref.task or "", "")


def sides(check: Check, evidence: Evidence) -> tuple[list[Column], int]:
    """The column of each side of a check, and how many samples were left out as failed.

    Raises `BakeoffError` where evidence is missing, broken or not comparable.
    """
    for ref in check.refs:
        if problem := evidence.without_card.get(ref.metric):
            raise BakeoffError(f"{ref.metric}: {problem}")
    parts = [_side(ref, evidence) for ref in check.refs]
    if check.right:
        _comparable(check, evidence)
        parts = _same_tasks(parts, check)
    columns, left_out = [_joined(side) for side in parts], 0
    # A leak is a fact of the data: a failed answer does not take it away.
    if evidence.policy.errors == "exclude" and check.left.metric != "leak":
        columns, left_out = _answered(columns, check, evidence)
    for ref, column in zip(check.refs, columns, strict=True):
        _usable(ref, column, evidence)
    return columns, left_out


def _nearest(ref: Ref, rows: Rows) -> str:
    """What of a ref the rows do not know, if it is a name, and the names that they do know."""
    named = (("task", ref.task), ("setup", ref.setup), ("metric", ref.metric))
    known_of = zip(*rows.columns, strict=True) if rows.columns else ((), (), ())
    for (what, name), known in zip(named, map(set, known_of), strict=True):
        if name and name not in known:
            return f": no {what} '{name}'{did_you_mean(name, known)}"
    return ""


def _side(ref: Ref, evidence: Evidence) -> dict[str, Column]:
    rows = evidence.references.get(ref.origin) if ref.origin else evidence.rows
    if rows is None:
        raise Missing(
            f"there is no {ref.origin}: accept a run with `bakeoff baseline accept RUN --channel "
            f"{'rolling' if ref.origin == 'baseline' else ref.origin}`"
        )
    if reason := skipped_task(ref, rows):
        raise Missing(f"task {ref.task} was skipped: {reason}")
    if not (columns := columns_of(ref, rows)):
        where = f"the {ref.origin} ({rows.run})" if ref.origin else "this run"
        raise BakeoffError(
            f"no evidence: {replace(ref, origin='')} has no value in {where}{_nearest(ref, rows)}"
        )
    if ref.tag is None:
        return columns
    name, value = ref.tag
    sliced = {
        task: column.only([s for s in column.samples if rows.tags[task][s].get(name) == value])
        for task, column in columns.items()
    }
    if not any(column.samples for column in sliced.values()):
        raise BakeoffError(f"no evidence: no sample of {ref.task or 'any task'} has {name}={value}")
    return sliced


def _same_tasks(sides: list[dict[str, Column]], check: Check) -> list[dict[str, Column]]:
    """Both sides on the same tasks; a task that one side lacks is missing evidence."""
    left, right = sides
    assert check.right
    if check.left.task and check.right.task and check.left.task != check.right.task:
        # Named on purpose: the same questions in two forms, paired by their ids.
        return [left, dict.fromkeys(left, right[check.right.task])]
    if lacking := sorted(set(left) ^ set(right)):
        raise BakeoffError(f"no evidence: task {', '.join(lacking)} is on one side only")
    return sides


def _joined(side: Mapping[str, Column]) -> Column:
    """One column over several tasks, samples named `task/sample`.

    A cluster that the data name is the same one in every task, as in `decide.advice.quality`.
    """
    parts = list(side.items())
    measures = {column.measure for _, column in parts}
    if len(measures) > 1:
        raise BakeoffError("the metric differs in kind between tasks: name one task")
    answers = [column.answers for _, column in parts]
    repeats = {part.shape[1] for part in answers if part is not None}
    return Column(
        tuple(f"{task}/{name}" for task, column in parts for name in column.samples),
        tuple(name for task, column in parts for name in _clusters(task, column)),
        np.concatenate([column.values for _, column in parts]),
        parts[0][1].labels if len(parts) == 1 else None,
        measures.pop(),
        np.concatenate([a for a in answers if a is not None]) if len(repeats) == 1 else None,
    )


def _clusters(task: str, column: Column) -> list[str]:
    """The column's clusters; a sample without one is a cluster of its own in its task."""
    sizes = Counter(column.clusters)
    return [
        f"{task}/{name}" if name == sample and sizes[name] == 1 else name
        for sample, name in zip(column.samples, column.clusters, strict=True)
    ]


def _comparable(check: Check, evidence: Evidence) -> None:
    """Raise for references that measured something else, unless that was allowed."""
    assert check.right
    rows = evidence.references.get(check.right.origin)
    if not check.right.origin or rows is None or evidence.allow_mismatch:
        return
    kept = [c.sentence for c in changed(check, evidence) if {*c.named} & {*evidence.policy.same}]
    if kept:
        raise BakeoffError(
            f"not comparable with the {check.right.origin}: policy.same lists what differs: "
            f"{'; '.join(kept)}"
        )
    setups = (check.left.setup, check.right.setup)
    for task in columns_of(check.left, evidence.rows):
        problems = differences(evidence.rows, rows, task, check.left.metric, setups)
        if evidence.policy.pairing == "intersect":
            problems = [text for text in problems if not text.startswith("samples")]
            if changed_rows := edited(evidence.rows, rows, task):
                problems.append(_edited(task, changed_rows))
        if problems:
            reasons = "; ".join(problems)
            raise BakeoffError(f"not comparable with the {check.right.origin}: {reasons}")


def _edited(task: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"rows of task {task} that were edited under their id: {', '.join(names[:LISTED])}{more}"


def changed(check: Check, evidence: Evidence) -> list[Change]:
    """What the run did otherwise to the samples than the reference that a check names."""
    rows = evidence.references.get(check.right.origin) if check.right else None
    if rows is None or check.right is None:
        return []
    setups = (check.left.setup, check.right.setup)
    tasks = columns_of(check.left, evidence.rows)
    return [change for task in tasks for change in treated(evidence.rows, rows, task, setups)]


def _answered(columns: list[Column], check: Check, evidence: Evidence) -> tuple[list[Column], int]:
    """The columns without samples that failed on any side, and how many those were."""
    failed: set[str] = set()
    for ref in check.refs:
        errors = _joined(_side(replace(ref, metric="error", aggregate=None), evidence))
        failed |= {s for s, v in zip(errors.samples, errors.values, strict=True) if v > 0}
    kept = [c.only([s for s in c.samples if s not in failed]) for c in columns]
    return kept, len(failed & set(columns[0].samples))


def _usable(ref: Ref, column: Column, evidence: Evidence) -> None:
    """Raise for columns whose numbers cannot be trusted."""
    policy, judged = evidence.policy, len(column.judged)
    if not judged:
        raise BakeoffError(f"no evidence: no value of {ref} could be scored")
    if not np.isfinite(column.values[~np.isnan(column.values)]).all():
        raise BakeoffError(f"{ref} holds an infinite value")
    total = len(column.samples)
    if judged < policy.min_coverage * total:
        raise BakeoffError(
            f"{ref}: {judged} of {quantity(total, 'sample')} scored, below "
            f"min_coverage {policy.min_coverage:g}"
        )
    if ref.metric in ("error", "leak"):
        return
    errors = _joined(_side(replace(ref, metric="error", aggregate=None), evidence))
    rate, what = float(errors.values.mean()), "answers failed"
    if ref.metric == "cut":
        # A reply that was truncated before any text has failed, and counts here as well.
        rate, what = 1 - judged / len(errors.samples), "replies state no finish reason"
    if rate > policy.max_error_rate:
        raise BakeoffError(
            f"gate not evaluated: {rate:.1%} of {ref.setup}'s {what}"
            f"{f' in the {ref.origin}' if ref.origin else ''} (max_error_rate "
            f"{policy.max_error_rate:.1%})"
        )
