"""What a change of the documents does to each setup: right after it, and after its own update.

Two tasks ask the same questions, whose targets are those of the time after the change: one of
setups that know the documents and training rows of the time before, one of setups brought up to
date. Questions say in their tag `change` what became of their answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bakeoff.columns import Column, Columns
from bakeoff.compare import contrast, estimate
from bakeoff.core import Sample
from bakeoff.manifest import Manifest

CHANGES = ("changed", "new", "removed", "unchanged")
"""Values of the tag `change`: what the change did to a question's answer."""
TO_LEARN = CHANGES[:3]
STALE = "stale_answer"


def freshness(
    table: Columns, samples: Mapping[str, Sample], before: str, after: str, headline: str
) -> dict[str, Any]:
    """By setup, as plain JSON; `before` and `after` name the two tasks, `samples` are of `after`.

    `stale` and `fresh` are the headline metric right after the change and after the update, by what
    changed; `gains` are the paired differences. `update_rate` is the headline over all questions
    whose answer changed, after the update, and `gain` what the update gave on them. `stale_rate`
    is the share of answers that were right before the change and are no longer. `damage` is what
    the update cost on questions whose answer is the same as before: above 0 is harm.
    """
    setups = [s for t, s, m in table if t == after and m == headline]
    found = {}
    for setup in setups:
        old, new = table.get((before, setup, headline)), table[after, setup, headline]
        if old is None:
            continue
        learnt, same = _asked(samples, TO_LEARN), _asked(samples, ["unchanged"])
        found[setup] = {
            "stale": _by_change(old, samples),
            "fresh": _by_change(new, samples),
            "update_rate": asdict(estimate(new.only(learnt))) if learnt else None,
            "gains": {
                change: _gap(new, old, _asked(samples, [change])) for change in _counts(samples)
            },
            "gain": _gap(new, old, learnt),
            "damage": _gap(old, new, same),
            "stale_rate": {
                state: asdict(estimate(column))
                for state, task in (("before", before), ("after", after))
                if (column := table.get((task, setup, STALE))) is not None
            },
        }
    return {"before": before, "n": _counts(samples), "setups": found}


def _asked(samples: Mapping[str, Sample], changes: Collection[str]) -> list[str]:
    return [name for name, sample in samples.items() if sample.tags.get("change") in changes]


def _counts(samples: Mapping[str, Sample]) -> dict[str, int]:
    return {change: n for change in CHANGES if (n := len(_asked(samples, [change])))}


def _by_change(column: Column, samples: Mapping[str, Sample]) -> dict[str, Any]:
    return {
        change: asdict(estimate(column.only(_asked(samples, [change]))))
        for change in _counts(samples)
    }


def _gap(more: Column, less: Column, keep: Sequence[str]) -> dict[str, Any] | None:
    if not keep:
        return None
    return asdict(contrast([(more.only(keep), 1), (less.only(keep), -1)]))


def work(manifest: Manifest, task: str, setup: str) -> dict[str, Any]:
    """What bringing a setup up to date took: the training anew, and the passages that changed.

    Seconds of embedding are those of the changed passages at the pace measured when the index, or
    the one before the change, was built: what a cache already held is not free. `None` where
    nothing was measured, as for a system of one's own; a routed setup needs the work of both parts.
    """
    spec = manifest.suite.setups[setup]
    if spec.route:
        both = [work(manifest, task, part) for part in (spec.route.first, spec.route.then)]
        return {name: _sum(each[name] for each in both) for name in both[0]}
    if spec.own:
        return {"seconds": None, "tokens": 0, "rows": 0, "passages": 0}
    training = manifest.training(task, setup)
    index = manifest.index(task, setup)
    before = manifest.index(manifest.tasks[task].before, setup)
    seconds: list[float | None] = [training.seconds] if training else []
    passages = index.changed if index else None
    if index and passages is not None:
        seconds.append(index.seconds(passages, before))
    known = [s for s in seconds if s is not None]
    return {
        "seconds": round(sum(known), 2) if len(known) == len(seconds) else None,
        "tokens": training.tokens if training else 0,
        "rows": training.rows if training else 0,
        "passages": passages or 0,
    }


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
