"""The answer of a run: which setup is best or tied on which task, by how much, and how sure.

The best setup is one that is significantly better than every other on the headline metric; the
paired p-values of the comparisons with the highest value are corrected for their number (Holm
1979). Setups that this does not part from the highest value are tied with it. A setup that is given
the right documents (`ceiling`) is no candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, get_args

from bakeoff.analysis import latency, stats
from bakeoff.analysis.comparison import Summary, TaskComparison
from bakeoff.analysis.measured_run import Run
from bakeoff.core.estimate import ALPHA, NO_DIFFERENCE, UNKNOWN, Difference, Estimate
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import cell, number, signed_cell, unmarked
from bakeoff.spec.benchmark import Setup, Suite

NAMED = 4
"""Setups named in a sentence; of more, the number and the first ones."""
_PARTS = ("leak", "context_tokens", "retrieve_s", "ttft_s", "decode_s")
"""Metrics that are parts of others, or no setup's own."""
SPENT = ("latency_s", "prompt_tokens", "completion_tokens", "cost")
"""What an answer takes, by metric."""
MOSTLY = 0.5
"""Cut replies from which on a setup's score says as much of `max_tokens` as of the setup."""


State = Literal["best", "tied", "open", "alone", "none"]


@dataclass(frozen=True)
class Weakness:
    """A metric in which another setup is significantly better."""

    metric: str
    value: float
    better: str
    """The setup with the best value."""
    best: float


@dataclass(frozen=True)
class TaskAnswer:
    """Which setup is best on a task, or which ones are tied."""

    task: str
    metric: str
    n: int
    """Scored samples of the setup with the highest value."""
    tied: tuple[str, ...]
    """The setup with the best value, then those not significantly worse; empty: nothing scored."""
    others: tuple[str, ...]
    """The setups that are significantly worse, the best first."""
    scores: Mapping[str, Estimate]
    """Setup -> its headline, the best first."""
    lead: Difference
    """The first setup minus the next one: of those tied, else of the others."""
    spent: Mapping[str, Estimate]
    """Metric of `SPENT` -> what the first setup takes for an answer."""
    weakest: tuple[str, Estimate] | None
    """The tag value on which the first setup scores worst, where there are several."""
    behind: tuple[Weakness, ...]
    cut: Mapping[str, float]
    """Setup -> the share of its replies that were cut, where it is at least `MOSTLY`."""

    @property
    def best(self) -> str:
        """The setup that is significantly better than all others; empty where none is."""
        return self.tied[0] if len(self.tied) == 1 and self.others else ""

    @property
    def state(self) -> State:
        """What came out; `open` where nothing parts any of several setups."""
        if not self.tied:
            return "none"
        if self.best:
            return "best"
        if len(self.scores) == 1:
            return "alone"
        return "tied" if self.others else "open"

    @property
    def next(self) -> str:
        """The setup that `lead` compares with; empty where there is none."""
        return next(iter((*self.tied[1:], *self.others)), "")


@dataclass(frozen=True)
class Answer:
    """Which setups of a run are best, task by task."""

    tasks: tuple[TaskAnswer, ...]
    ceilings: tuple[str, ...]
    """Setups left out, as they are given the right documents."""


def answer(run: Run) -> Answer:
    """The answer that the comparison of a run gives."""
    out = ceilings(run)
    return Answer(tuple(_of_task(run, task, out) for task in run.comparison.tasks), out)


def ceilings(run: Run) -> tuple[str, ...]:
    """The setups of a run that are no candidates."""
    return tuple(
        name for name, setup in run.suite.setups.items() if ceiling(run.manifest.suite, setup)
    )


def ceiling(suite: Suite, setup: Setup) -> str:
    """Why a setup shows what is possible and cannot be taken; empty for all others."""
    if setup.route:
        parts = (suite.setups[name] for name in (setup.route.first, setup.route.then))
        return next((why for part in parts if (why := ceiling(suite, part))), "")
    if setup.retrieve and setup.retrieve.passages == "oracle":
        return "it is handed the right documents"
    if setup.retrieve and setup.retrieve.noise:
        return "its passages are composed of gold passages and distractors"
    return ""


def leaders(summary: Summary, higher_is_better: bool, out: Iterable[str] = ()) -> tuple[str, ...]:
    """The setup with the best value, then those not significantly worse; `out` are left out."""
    valued = _valued(summary, out)
    order = sorted(valued, key=lambda s: valued[s], reverse=higher_is_better)
    if not order:
        return ()
    top, *rest = order
    gaps = [difference(summary, top, other) for other in rest]
    # Without a p, such as where a difference is put together, its interval decides.
    known = [gap.p if gap.p is not None else float(not gap.clear) for gap in gaps]
    adjusted = stats.adjust_holm(known) if known else []
    return (top, *(s for s, p in zip(rest, adjusted, strict=True) if p >= ALPHA))


def difference(summary: Summary, one: str, two: str) -> Difference:
    """The paired difference `one - two`, whichever way it is kept."""
    if (known := summary.differences.get(f"{one} - {two}")) is not None:
        return known
    other = summary.differences.get(f"{two} - {one}", NO_DIFFERENCE)
    return replace(other.scaled(-1), wins=other.losses, losses=other.wins)


def _valued(summary: Summary, out: Iterable[str]) -> dict[str, float]:
    left_out = set(out)
    return {
        name: estimate.value
        for name, estimate in summary.setups.items()
        if estimate.value is not None and name not in left_out
    }


def _of_task(run: Run, task: str, out: Sequence[str]) -> TaskAnswer:
    facts = run.comparison.tasks[task]
    summary, higher = (
        facts.metric(facts.headline),
        run.metric(task, facts.headline).higher_is_better,
    )
    valued = _valued(summary, out)
    order = sorted(valued, key=lambda s: valued[s], reverse=higher)
    tied = leaders(summary, higher, out)
    others = tuple(s for s in order if s not in tied)
    first, second = (*tied, *others, "", "")[:2]
    return TaskAnswer(
        task,
        facts.headline,
        summary.setups[first].n if first else 0,
        tied,
        others,
        {name: summary.setups[name] for name in order},
        difference(summary, first, second) if second else NO_DIFFERENCE,
        {
            m: e
            for m in SPENT
            if (e := facts.metric(m).setups.get(first, UNKNOWN)).value is not None
        },
        _weakest(facts, first, higher),
        tuple(_behind(run, facts, task, first, out)) if first else (),
        _cut(facts, order),
    )


def _cut(facts: TaskComparison, setups: Iterable[str]) -> dict[str, float]:
    known = facts.metric("cut").setups
    shares = ((name, known.get(name, UNKNOWN).value) for name in setups)
    return {name: share for name, share in shares if share is not None and share >= MOSTLY}


def _weakest(facts: TaskComparison, setup: str, higher: bool) -> tuple[str, Estimate] | None:
    parts = {
        tag: estimate
        for tag, summary in facts.slices.items()
        if (estimate := summary.setups.get(setup, UNKNOWN)).value is not None
    }
    if len({estimate.value for estimate in parts.values()}) < 2:
        return None
    return (min if higher else max)(parts.items(), key=lambda part: part[1].value or 0.0)


def _behind(
    run: Run, facts: TaskComparison, task: str, setup: str, out: Sequence[str]
) -> Iterator[Weakness]:
    for metric, summary in facts.metrics.items():
        value = summary.setups.get(setup, UNKNOWN).value
        if metric in (facts.headline, *_PARTS) or value is None:
            continue
        best = leaders(summary, run.metric(task, metric).higher_is_better, out)
        known = summary.setups[best[0]].value
        if setup in best or known is None or _noise(facts, metric, value, known):
            continue
        yield Weakness(metric, value, best[0], known)


def _noise(facts: TaskComparison, metric: str, value: float, best: float) -> bool:
    """Whether seconds are no further apart than those of one setup that is timed twice."""
    if metric != "latency_s" or facts.latency is None:
        return False
    factor = latency.noise_factor(facts.latency)
    return factor is not None and value <= best * factor


def summary(found: Answer) -> list[str]:
    """The answer in a sentence or a few: tasks with the same outcome share one."""

    def key(one: TaskAnswer) -> tuple[str, frozenset[str]]:
        return one.state, frozenset(one.tied) if one.state in ("best", "tied") else frozenset()

    order = {state: place for place, state in enumerate(get_args(State))}
    tasks = sorted(found.tasks, key=lambda one: (order[key(one)[0]], sorted(key(one)[1])))
    groups = (list(group) for _, group in groupby(tasks, key))
    sentences = [_group(group, len(found.tasks)) for group in groups]
    if found.ceilings:
        names = listed(found.ceilings)
        sentences.append(f"Not a candidate, as it is given the right documents: {names}.")
    return sentences


def _group(group: Sequence[TaskAnswer], tasks: int) -> str:
    first, state = group[0], group[0].state
    names = listed([one.task for one in group])
    whole = f"all {tasks} tasks" if len(group) == tasks > 2 else names
    if state == "best":
        return f"{first.best} is best on {whole}: significantly better than every other setup."
    if state == "tied":
        return f"{_tied(first)} on {whole}: no significant difference."
    if state == "open":
        return f"No setup is shown to be better than another on {whole}."
    if state == "alone":
        return f"Only {first.tied[0]} was scored on {whole}: there is nothing to compare it with."
    return f"Nothing was scored on {whole}."


def _tied(one: TaskAnswer) -> str:
    if len(one.tied) <= NAMED:
        return f"{listed(one.tied)} are tied for best"
    rest = ", ".join(one.tied[:NAMED])
    return f"{len(one.tied)} of {len(one.scores)} setups are tied for best ({rest}, …)"


def listed(names: Sequence[str]) -> str:
    """Names as in a sentence: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def sentences(found: Answer) -> list[str]:
    """The answer in words: what is best, then each task with its numbers."""
    return [*summary(found), *(in_words(one) for one in found.tasks if one.tied)]


def in_words(one: TaskAnswer) -> str:
    """A task's answer with its numbers, in sentences."""
    first = one.tied[0]
    parts = [
        f"{one.task} ({one.metric}, n = {one.n}): {first} {cell(one.scores[first], one.metric)}"
        + (f"; {gap}; {detectable(one)}" if (gap := lead(one)) else ""),
        f"An answer of {first}: {took}" if (took := spent(one)) else "",
        f"Weakest on {weak}" if (weak := weakest(one)) else "",
        f"Significantly worse than the best in {behind(one)}" if one.behind else "",
        f"Replies cut at `max_tokens`, and scored as they are: {cut(one)}" if one.cut else "",
    ]
    return " ".join(f"{part}." for part in parts if part)


def lead(one: TaskAnswer) -> str:
    """By how much the first setup is ahead, and what could have been seen."""
    gap, metric = one.lead, one.metric
    if not one.next or gap.value is None:
        return ""
    looks = unmarked(gap, len(one.scores) - 1)
    kind = "the next" if one.best else f"not significant {looks}".rstrip()
    return f"{signed_cell(gap, metric)} over {one.next}, {kind}"


def detectable(one: TaskAnswer) -> str:
    """How large a difference of the first two setups would have been found."""
    size = one.lead.detectable
    if size is None:
        return "no difference could have been detected with so few samples"
    return f"minimum detectable difference {number(size, one.metric)} (80% power)"


def spent(one: TaskAnswer) -> str:
    """What an answer of the first setup takes: seconds, tokens, cost."""
    known = {metric: number(e.value, metric) for metric, e in one.spent.items()}
    tokens = [known[m] for m in ("prompt_tokens", "completion_tokens") if m in known]
    timed = one.spent.get("latency_s")
    parts = [
        f"{known['latency_s']} (median of {timed.n})" if timed else "",
        f"{' + '.join(tokens)} tokens" if tokens else "",
        f"cost {known['cost']}" if "cost" in known else "",
    ]
    return ", ".join(part for part in parts if part)


def weakest(one: TaskAnswer) -> str:
    """The part of the task on which the first setup scores worst."""
    if one.weakest is None:
        return ""
    tag, estimate = one.weakest
    return f"{tag}: {cell(estimate, one.metric)}, n = {estimate.n}"


def behind(one: TaskAnswer) -> str:
    """The metrics in which another setup is significantly better, those of quality first."""
    ordered = sorted(one.behind, key=lambda weak: weak.metric in MEASURED)
    return ", ".join(
        f"{weak.metric} ({number(weak.value, weak.metric)}; "
        f"{weak.better} {number(weak.best, weak.metric)})"
        for weak in ordered
    )


def cut(one: TaskAnswer) -> str:
    """The setups whose replies were mostly cut, with the share of them."""
    return ", ".join(f"{name} {share:.0%}" for name, share in one.cut.items())
