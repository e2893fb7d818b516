"""The part of the samples that one run asks: limited, chosen, a shard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bakeoff.core.hints import did_you_mean
from bakeoff.core.words import Sample, digest
from bakeoff.spec.benchmark import TaskUse
from bakeoff.tasks.task import Task


@dataclass(frozen=True)
class Selection:
    """The part of the samples that one run asks: chosen for a trial, or a shard of them all."""

    limit: int | None = None
    """At most so many samples of each task."""
    ids: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    """Samples that carry all of these tags."""
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n disjoint parts, i from 1."""

    @property
    def partial(self) -> bool:
        """Whether samples are left out for good; a shard's are in the other shards."""
        return bool(self.limit or self.ids or self.tags)

    def arguments(self) -> list[str]:
        """This selection as options of the command line."""
        return [
            *([f"--limit {self.limit}"] if self.limit else []),
            *(f"--sample-ids {name}" for name in self.ids),
            *(f"--tags {name}={value}" for name, value in self.tags),
            *([f"--shard {self.shard[0]}/{self.shard[1]}"] if self.shard[1] > 1 else []),
        ]


def shard_of(text: str) -> tuple[int, int]:
    """(i, n) of `i/n`. Raises `ValueError` where that is not a part."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError("write i/n with i from 1 to n")
    return int(part), int(parts)


def take(task: Task, use: TaskUse, selection: Selection, seed: int) -> Task:
    """The task with a benchmark's `limit` and a run's selection applied, order kept."""
    samples: Sequence[Sample] = task.samples
    if use.limit is not None:
        samples = stratified(samples, use.limit, use.stratify, seed)
    if selection.ids:
        samples = [sample for sample in samples if sample.id in selection.ids]
    for name, value in selection.tags:
        samples = [sample for sample in samples if sample.tags.get(name) == value]
    if selection.limit is not None:
        samples = stratified(samples, selection.limit, use.stratify, seed)
    part, parts = selection.shard
    return replace(
        task,
        samples=tuple(samples[part - 1 :: parts]),
        whole=len(samples),
        whole_ids=digest([sample.id for sample in samples]),
    )


def not_there(selection: Selection, samples: Collection[Sample]) -> list[str]:
    """What the selection names and no sample has."""
    ids = {sample.id for sample in samples}
    tags = {pair for sample in samples for pair in sample.tags.items()}
    written = [f"{name}={value}" for name, value in tags]
    return [
        *(
            f"--sample-ids: no sample '{name}'{did_you_mean(name, ids)}"
            for name in selection.ids
            if name not in ids
        ),
        *(
            f"--tags: no sample has {name}={value}{did_you_mean(f'{name}={value}', written)}"
            for name, value in selection.tags
            if (name, value) not in tags
        ),
    ]


def stratified(
    samples: Sequence[Sample], n: int, by: Sequence[str], seed: int
) -> tuple[Sample, ...]:
    """At most `n` samples that keep the shares of the strata named by `by` (all tags if empty).

    The samples of each stratum are spread evenly over (0, 1), in the order of a seeded hash of
    their ids, and the first `n` of all are taken: a larger `n` adds to a smaller one, and the
    order of the rows does not matter.
    """
    if n >= len(samples):
        return tuple(samples)
    strata: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        tags = {**sample.tags, "target": sample.targets[0] if sample.targets else ""}
        strata[tuple(tags.get(name, "") for name in by or sorted(sample.tags))].append(sample)
    places: list[tuple[float, str]] = []
    for group in strata.values():
        ranked = sorted((digest(f"{seed}:{s.id}"), s.id) for s in group)
        places += [((rank + 0.5) / len(group), name) for rank, (_, name) in enumerate(ranked)]
    ordered = sorted(places, key=lambda place: (place[0], digest(f"{seed}:{place[1]}")))
    chosen = {name for _, name in ordered[:n]}
    return tuple(sample for sample in samples if sample.id in chosen)
