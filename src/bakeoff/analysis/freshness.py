"""What a change of the documents does to each setup: right after it, and after its own update.

Two tasks ask the same questions, whose targets are those of the time after the change: one of
setups that know the documents and training rows of the time before, one of setups brought up to
date. Questions say in their tag `change` what became of their answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bakeoff.analysis.columns import Column, Columns
from bakeoff.analysis.compare import contrast, estimate
from bakeoff.analysis.comparison import Freshness, Updated, Work
from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.words import Sample
from bakeoff.runs.manifest import Manifest

CHANGES = ("changed", "new", "removed", "unchanged")
"""Values of the tag `change`: what the change did to a question's answer."""
TO_LEARN = CHANGES[:3]
STALE = "stale_answer"


def freshness(
    table: Columns, samples: Mapping[str, Sample], before: str, after: str, headline: str
) -> Freshness:
    """By setup; `before` and `after` name the two tasks, `samples` are of `after`."""
    setups = [s for t, s, m in table if t == after and m == headline]
    updates = {}
    for setup in setups:
        old, new = table.get((before, setup, headline)), table[after, setup, headline]
        if old is None:
            continue
        learnt, same = _asked(samples, TO_LEARN), _asked(samples, ["unchanged"])
        updates[setup] = Updated(
            stale=_by_change(old, samples),
            fresh=_by_change(new, samples),
            update_rate=estimate(new.only(learnt)) if learnt else None,
            gains={
                change: _gap(new, old, _asked(samples, [change])) for change in _counts(samples)
            },
            gain=_gap(new, old, learnt),
            damage=_gap(old, new, same),
            stale_rate={
                state: estimate(column)
                for state, task in (("before", before), ("after", after))
                if (column := table.get((task, setup, STALE))) is not None
            },
        )
    return Freshness(before, _counts(samples), updates)


def _asked(samples: Mapping[str, Sample], changes: Collection[str]) -> list[str]:
    return [name for name, sample in samples.items() if sample.tags.get("change") in changes]


def _counts(samples: Mapping[str, Sample]) -> dict[str, int]:
    return {change: n for change in CHANGES if (n := len(_asked(samples, [change])))}


def _by_change(column: Column, samples: Mapping[str, Sample]) -> dict[str, Estimate]:
    return {change: estimate(column.only(_asked(samples, [change]))) for change in _counts(samples)}


def _gap(more: Column, less: Column, keep: Sequence[str]) -> Difference | None:
    if not keep:
        return None
    return contrast([(more.only(keep), 1), (less.only(keep), -1)])


def work(manifest: Manifest, task: str, setup: str) -> Work:
    """What bringing a setup up to date took: the training anew, and the passages that changed.

    Seconds of embedding are those of the changed passages at the pace measured when the index, or
    the one before the change, was built: what a cache already held is not free. `None` where
    nothing was measured, as for a system of one's own; a routed setup needs the work of both parts.
    """
    spec = manifest.suite.setups[setup]
    if spec.route:
        one, two = (work(manifest, task, part) for part in (spec.route.first, spec.route.then))
        return Work(
            None if one.seconds is None or two.seconds is None else one.seconds + two.seconds,
            one.tokens + two.tokens,
            one.rows + two.rows,
            one.passages + two.passages,
        )
    if spec.custom:
        return Work()
    training = manifest.training(task, setup)
    index = manifest.index(task, setup)
    before = manifest.index(manifest.tasks[task].before, setup)
    seconds: list[float | None] = [training.seconds] if training else []
    passages = index.changed if index else None
    if index and passages is not None:
        seconds.append(index.seconds(passages, before))
    known = [s for s in seconds if s is not None]
    return Work(
        round(sum(known), 2) if len(known) == len(seconds) else None,
        training.tokens if training else 0,
        training.rows if training else 0,
        passages or 0,
    )
