"""What `comparison.json` holds: the numbers of a finished run, as every consumer reads them.

Facts alone: `compare`, `latency`, `freshness`, `abstention` and `consistency` work them out. The
file is a copy for others to read; the program computes a run's comparison again from its journals,
so that one of an older format costs nobody anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bakeoff.core.estimate import Difference, Estimate
from bakeoff.core.words import BakeoffError
from bakeoff.spec import names

FORMAT = 2
"""1 had no format number; `pass@k` was the key of what `pass_at` is now, `pass^k` of `pass_hat`."""


@dataclass(frozen=True)
class Change:
    """A sample that two sides score differently."""

    sample: str
    left: float
    right: float


@dataclass(frozen=True)
class Changed:
    """The samples that the left side does worse, and better, than the right one."""

    broke: tuple[Change, ...] = ()
    mended: tuple[Change, ...] = ()
    """Both with the largest change first, and no more than `compare.CHANGED`."""


@dataclass(frozen=True)
class Repeats:
    """How far repeated answers to one sample agree on a metric; `None` where it is not known."""

    between: float | None
    within: float | None
    correlation: float | None
    disagreement: float | None
    flips: float | None
    """Like the next two of values of 0 and 1 alone."""
    pass_at: Mapping[str, float | None] | None
    """k -> pass@k: that one of k answers is right."""
    pass_hat: Mapping[str, float | None] | None
    """k -> pass^k: that all of k answers are right."""


@dataclass(frozen=True)
class Opinions:
    """The variance of a metric for which one judge was asked several times of the same answers."""

    opinions: int
    answers: int
    between: float | None
    sampling: float | None
    """`None` where each sample was answered once."""
    judge: float


@dataclass(frozen=True)
class Summary:
    """One metric of a task, or of one of its slices, on every setup."""

    setups: Mapping[str, Estimate] = field(default_factory=dict)
    effects: Mapping[str, Difference] = field(default_factory=dict)
    """By the names of `compare.EFFECTS`."""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    """`later - earlier` for every pair of setups."""
    repeats: Mapping[str, Repeats] = field(default_factory=dict)
    opinions: Mapping[str, Opinions] = field(default_factory=dict)


@dataclass(frozen=True)
class Share:
    """Answers in one cell, and their share of the questions of that kind."""

    n: int
    share: float | None


@dataclass(frozen=True)
class Abstention:
    """What a setup does with questions that have an answer, and with the others."""

    by: tuple[str, ...]
    """The metrics that tell."""
    failed: int
    unjudged: int
    answerable: Mapping[str, Share]
    """`right`, `wrong`, `refused`."""
    unanswerable: Mapping[str, Share]
    """`refused`, `answered`."""
    judged: Mapping[str, int] = field(default_factory=dict)
    """Metric that asks a judge -> the refusals it found."""

    def cell(self, kind: str, done: str) -> Share:
        """One cell of `abstention.CELLS`."""
        return (self.answerable if kind == "answerable" else self.unanswerable)[done]


@dataclass(frozen=True)
class Times:
    """Seconds of a setup's answers, all of the latency pass or of one level of load."""

    n: int
    quantiles: Mapping[str, Estimate]
    """`p50`, `p90`, `p95`, `p99`; nothing known where there are too few answers for one."""
    first_token_s: float | None
    """Medians, like the other seconds."""
    per_token_s: float | None
    retrieve_s: float | None
    prefill_s: float | None
    decode_s: float | None
    tokens_per_s: float | None


@dataclass(frozen=True)
class Timed(Times):
    """The same, compared with the first setup."""

    ratio: Estimate
    """The median of the paired ratios to the first setup's seconds."""
    failed: int


@dataclass(frozen=True)
class Latency:
    """A task's latency pass."""

    loaded: Mapping[str, Mapping[str, Times]]
    """Requests in flight -> setup -> its times under that load, without retrieval."""
    setups: Mapping[str, Timed]
    noise: Estimate
    """The ratio of the first setup to itself, asked twice."""


@dataclass(frozen=True)
class Work:
    """What bringing a setup up to date takes; seconds are `None` where they were not measured."""

    seconds: float | None = None
    tokens: int = 0
    rows: int = 0
    passages: int = 0


@dataclass(frozen=True)
class Updated:
    """A setup right after a change of its documents, and after its own update."""

    stale: Mapping[str, Estimate]
    """The headline right after the change, by what became of the question's answer."""
    fresh: Mapping[str, Estimate]
    """The same after the update."""
    update_rate: Estimate | None
    """The headline over all questions whose answer changed, after the update."""
    gains: Mapping[str, Difference | None]
    gain: Difference | None
    """What the update gave on the questions whose answer changed."""
    damage: Difference | None
    """What it cost on the others: above 0 is harm."""
    stale_rate: Mapping[str, Estimate]
    """`before` and `after` the update: answers that were right before the change alone."""
    work: Work = field(default_factory=Work)


@dataclass(frozen=True)
class Freshness:
    """What a change of the documents did to every setup."""

    before: str
    """The task of the time before."""
    n: Mapping[str, int]
    """Questions by what became of their answer."""
    setups: Mapping[str, Updated]


@dataclass(frozen=True)
class Reason:
    """Why answers failed."""

    text: str
    n: int


@dataclass(frozen=True)
class Ended:
    """How the replies of a setup ended."""

    reasons: Mapping[str, int]
    """Finish reason -> replies; those that state none are in no count."""
    failures: tuple[Reason, ...]
    """The most frequent first; of reasons that differ in numbers alone, one."""

    @property
    def known(self) -> bool:
        return bool(self.reasons or self.failures)


NOTHING = Summary()


@dataclass(frozen=True)
class TaskComparison:
    """One task on every setup."""

    n: int
    headline: str
    metrics: Mapping[str, Summary]
    answered: Mapping[str, Estimate] = field(default_factory=dict)
    """The headline over what each setup answered, where any of them failed."""
    changed: Mapping[str, Changed] = field(default_factory=dict)
    abstention: Mapping[str, Abstention] = field(default_factory=dict)
    confusion: Mapping[str, tuple[tuple[str, str, int], ...]] = field(default_factory=dict)
    """Setup -> (expected, predicted, answers) of every pair that occurs."""
    slices: Mapping[str, Summary] = field(default_factory=dict)
    """`tag=value` -> the headline on it."""
    latency: Latency | None = None
    freshness: Freshness | None = None
    ended: Mapping[str, Ended] = field(default_factory=dict)
    """Setup -> how its replies ended, where any says so or failed."""

    def metric(self, name: str) -> Summary:
        """A metric's summary; an empty one where nothing has it."""
        return self.metrics.get(name, NOTHING)


@dataclass(frozen=True)
class Comparison:
    """A finished run's numbers."""

    level: float
    """Of the intervals."""
    setups: Mapping[str, str]
    """Setup -> its kind, a cell of the 2×2 design."""
    tasks: Mapping[str, TaskComparison]
    format: int = FORMAT


@dataclass(frozen=True)
class RunDifference(Difference):
    """A paired difference of two runs, with the samples that changed."""

    changed: Changed = field(default_factory=Changed)


@dataclass(frozen=True)
class RunSummary:
    """One metric of a task in several runs."""

    sides: dict[str, Estimate]
    """`A:rag` -> its estimate there."""
    differences: dict[str, RunDifference]


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side."""

    runs: Mapping[str, str]
    """Label -> run."""
    mismatch: tuple[str, ...]
    """What differs in how they measured, where that was let pass."""
    treatment: tuple[str, ...]
    """What differs in what setups of one name did to the samples."""
    tasks: Mapping[str, Mapping[str, RunSummary]]
    """Task -> metric -> what the runs say."""
    format: int = FORMAT


def from_json(text: str) -> Comparison:
    """The comparison that a file holds. Raises `BakeoffError` for one of another format."""
    from pydantic import TypeAdapter

    raw = json.loads(text)
    if (found := raw.get("format", 1)) != FORMAT:
        raise BakeoffError(
            f"comparison.json: format {found}, this version reads {FORMAT}: "
            "`bakeoff report RUN` writes it again"
        )
    compared = TypeAdapter(Comparison).validate_python(names.in_tasks(raw))
    return replace(compared, setups=names.kinds(compared.setups))
