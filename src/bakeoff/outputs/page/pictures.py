"""What a run looks like: pictures of its tasks, each with the table of its numbers.

Every number comes from the comparison; where it has an interval, so has the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bakeoff.analysis import answer, outcomes
from bakeoff.analysis.compare import EFFECTS, estimate
from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.core.estimate import Estimate, value_of
from bakeoff.core.table import Table, number
from bakeoff.core.words import LATENCY
from bakeoff.outputs.page import investments, plots
from bakeoff.outputs.page.numbers import Made, by_setup, described, ends, place_of, whisker
from bakeoff.outputs.page.plots import Bar
from bakeoff.outputs.page.svg import Picture

HEADLINE = "headline"
"""The subject of the first picture."""


@dataclass(frozen=True)
class Shown:
    """A picture, what it shows in words, and its numbers."""

    subject: str
    """A key of `CHARTS`."""
    task: str
    """Empty where the picture is of all tasks."""
    description: str
    table: Table
    picture: Picture

    @property
    def title(self) -> str:
        title = CHARTS[self.subject].title
        return f"{self.task}: {title}" if self.task else title

    @property
    def file(self) -> str:
        """Its name as a file, without what follows the last dot."""
        return f"{self.subject}.{self.task}" if self.task else self.subject

    def inline(self, identity: str) -> str:
        """The picture as an SVG element, its ids beginning with `identity`."""
        return self.picture.inline(identity, self.title, self.description)


def draw(run: Run) -> list[Shown]:
    """Every picture that the run has numbers for, by subject and task."""
    return [
        Shown(subject, task, *made)
        for subject, chart in CHARTS.items()
        for task in (run.samples if chart.of_tasks else ("",))
        if (made := chart.make(run, task)) is not None
    ]


def write(shown: Sequence[Shown], folder: Path) -> None:
    """Put the pictures into a folder, each as SVG."""
    with disk.refusals(folder):
        folder.mkdir(exist_ok=True)
    for picture in shown:
        text = picture.picture.alone(picture.title, picture.description)
        disk.replace(folder / f"{picture.file}.svg", [text])


@dataclass(frozen=True)
class Chart:
    """A kind of picture, and what draws it."""

    title: str
    make: Callable[[Run, str], Made | None]
    """Draws it for a task of a run; `None` where the run has no numbers for it."""
    of_tasks: bool = True
    """Whether every task has one; otherwise it is drawn once, and `make` gets an empty name."""


def _headline(run: Run, task: str) -> Made | None:
    """Every setup's headline, the best first; tasks with the same range share one axis."""
    metric, known = run.headlines[task], by_setup(run, task, run.headlines[task])
    if not known:
        return None
    about = run.metric(task, metric)
    order = sorted(known, key=lambda n: value_of(known[n]), reverse=about.higher_is_better)
    alike = [t for t, m in run.headlines.items() if run.metric(t, m).bounds == about.bounds]
    shared = [whisker(run, e, "").ends for t in alike for e in _headlines(run, t).values()]
    over = (min(low for low, _ in shared), max(high for _, high in shared))
    rows = [(n, *ends(known[n], metric), str(known[n].n)) for n in order]
    return (
        f"{metric} of every setup with its 95% interval, the best first"
        + ("." if len(alike) < 2 else "; the tasks share one axis."),
        Table("", ("setup", metric, "from", "to", "n"), tuple(rows)),
        plots.rows({n: whisker(run, known[n], metric, n) for n in order}, metric, over=over),
    )


def _headlines(run: Run, task: str) -> dict[str, Estimate]:
    return by_setup(run, task, run.headlines[task]) if task in run.samples else {}


def _effects(run: Run, task: str) -> Made | None:
    metric = run.headlines[task]
    known = run.comparison.tasks[task].metric(metric).effects
    effects = {n: known[n] for n in EFFECTS if n in known and known[n].value is not None}
    if not effects:
        return None
    rows = [(name, *ends(effect, metric), str(effect.n)) for name, effect in effects.items()]
    whiskers = {
        name: replace(whisker(run, effect, metric), tip=f"{name}: {described(effect, metric)}")
        for name, effect in effects.items()
    }
    return (
        f"Change of {metric} with its 95% interval; an interval that holds 0 shows no effect. "
        "Interaction: what both give beyond the sum of each.",
        Table("", ("effect", metric, "from", "to", "n"), tuple(rows)),
        plots.rows(whiskers, f"change of {metric}", zero=True),
    )


def front(points: Mapping[str, tuple[float, float]], higher_is_better: bool) -> list[str]:
    """The names that no other beats: none is cheaper and as good, or better and as cheap.

    `points` are (cost, quality).
    """
    sign = -1 if higher_is_better else 1
    keys = {name: (cost, sign * quality) for name, (cost, quality) in points.items()}

    def beaten(mine: tuple[float, float]) -> bool:
        return any(c <= mine[0] and q <= mine[1] and (c, q) != mine for c, q in keys.values())

    return sorted((n for n, key in keys.items() if not beaten(key)), key=lambda n: keys[n])


def _against(run: Run, task: str, of: str, costs: Mapping[str, Estimate], unit: str) -> Made | None:
    """Quality against a cost, with the front of setups that no other one beats."""
    metric, scored = run.headlines[task], by_setup(run, task, run.headlines[task])
    failed = by_setup(run, task, "error")
    # A setup that never answers is cheap, and no choice.
    names = [n for n in scored if n in costs and not (n in failed and failed[n].value == 1)]
    if len(names) < 2:
        return None
    points = {name: (value_of(costs[name]), value_of(scored[name])) for name in names}
    best = front(points, run.metric(task, metric).higher_is_better)
    rows = [
        (n, *ends(scored[n], metric), *ends(costs[n], unit), "yes" if n in best else "no")
        for n in names
    ]
    whiskers = {}
    for n in names:
        up = whisker(run, scored[n], metric, n)
        both = f"{up.tip}; {of} {number(costs[n].value, unit)}"
        whiskers[n] = (whisker(run, costs[n], unit, n), replace(up, tip=both))
    return (
        f"{metric} against {of}; whiskers are 95% intervals. The dashed line is the Pareto front: "
        "the setups that no other one beats on both, by their values alone: "
        f"{answer.listed(best)}.",
        Table("", ("setup", metric, "from", "to", of, "from", "to", "on the front"), tuple(rows)),
        plots.scatter(whiskers, best, (of, metric)),
    )


def _quality_latency(run: Run, task: str) -> Made | None:
    costs = by_setup(run, task, "latency_s")
    return _against(run, task, "seconds (median)", costs, "latency_s")


def _quality_cost(run: Run, task: str) -> Made | None:
    return _against(run, task, "cost of an answer", by_setup(run, task, "cost"), "cost")


def _quality_tokens(run: Run, task: str) -> Made | None:
    sums = {
        name: Estimate(read + written) for name, (read, _, written) in _tokens_of(run, task).items()
    }
    return _against(run, task, "tokens of an answer", sums, "prompt_tokens")


def _tokens_of(run: Run, task: str) -> dict[str, tuple[float, float, float]]:
    """Setup -> mean tokens of the prompt, of the passages in it, and of the answer."""
    read, context, written = (
        by_setup(run, task, f"{kind}_tokens") for kind in ("prompt", "context", "completion")
    )
    return {
        name: (value_of(read[name]), value_of(context[name]), value_of(written[name]))
        for name in read
        if name in context and name in written
    }


def _tokens(run: Run, task: str) -> Made | None:
    tokens = _tokens_of(run, task)
    if not tokens:
        return None
    parts = ("instructions and question", "passages", "answer")
    bars = {name: (read - context, context, out) for name, (read, context, out) in tokens.items()}
    rows = [
        (name, *(number(value, "prompt_tokens") for value in (*values, sum(values))))
        for name, values in bars.items()
    ]
    return (
        "Mean tokens of an answer by what they are spent on.",
        Table("", ("setup", *parts, "all"), tuple(rows)),
        plots.stacked(
            {n: _bar(run, n, parts, [f"{v:.0f}" for v in bars[n]], bars[n]) for n in bars},
            parts,
            "tokens (mean)",
        ),
    )


def _bar(
    run: Run, setup: str, parts: Sequence[str], described: Sequence[str], values: Sequence[float]
) -> Bar:
    words = ", ".join(f"{part} {text}" for part, text in zip(parts, described, strict=True))
    return Bar(values, place_of(run, setup), f"{setup}: {words}")


def _latency(run: Run, task: str) -> Made | None:
    timed = run.comparison.tasks[task].latency
    if timed is None:
        return None
    seconds: dict[str, list[float]] = {name: [] for name in timed.setups}
    for record in run.latencies(task):
        spent = record.answer.seconds() if record.answer else None
        if record.phase == LATENCY and not record.repeat and spent is not None:
            seconds[record.setup].append(spent)
    quantiles = list(next(iter(timed.setups.values())).quantiles)
    rows = []
    drawn = {}
    for name, times in timed.setups.items():
        cells = (number(times.quantiles[q].value, "latency_s") for q in quantiles)
        rows.append((name, str(times.n), *cells))
        drawn[name] = (seconds[name], whisker(run, times.quantiles["p50"], "latency_s", name))
    return (
        f"A dot is one answer, the bar the median; at most {plots.DOTS} dots of a "
        "setup, evenly by rank.",
        Table("", ("setup", "n", *quantiles), tuple(rows), "-: too few samples for it."),
        plots.dots(drawn, "seconds"),
    )


def _retrieval(run: Run, task: str) -> Made | None:
    """How good answers are where retrieval found what was wanted, and where it did not."""
    metric = run.headlines[task]
    known = run.comparison.tasks[task].metrics
    by = next((m for m in known if m.startswith("retrieval_") and m != metric), None)
    if by is None:
        return None
    rows, whiskers = [], {}
    for setup in known[by].setups:
        if (task, setup, metric) not in run.columns:
            continue
        for part, names in outcomes.retrieved(run.columns[task, setup, by]).items():
            quality = estimate(run.columns[task, setup, metric].only(names))
            if quality.value is not None:
                rows.append((setup, part, *ends(quality, metric), str(quality.n)))
                shown = whisker(run, quality, metric, setup)
                whiskers[f"{setup}, {part} ({quality.n})"] = shown
    if not rows:
        return None
    return (
        f"{metric} of the answers grouped by {by} of their passages, with 95% intervals and the "
        "number of samples. Only questions with gold documents count.",
        Table("", ("setup", f"by {by}", metric, "from", "to", "n"), tuple(rows)),
        plots.rows(whiskers, metric),
    )


_DONE = {
    "right answer": [("answerable", "right")],
    "wrong answer": [("answerable", "wrong"), ("unanswerable", "answered")],
    "right refusal": [("unanswerable", "refused")],
    "wrong refusal": [("answerable", "refused")],
}


def _refusals(run: Run, task: str) -> Made | None:
    if all(sample.answerable for sample in run.samples[task].values()):
        return None
    by_setup = {
        setup: {
            **{part: sum(counts.cell(*c).n for c in cells) for part, cells in _DONE.items()},
            "unjudged": counts.unjudged,
            "failed": counts.failed,
        }
        for setup, counts in run.comparison.tasks[task].abstention.items()
    }
    if not by_setup:
        return None
    every = list(next(iter(by_setup.values())))
    parts = [part for part in every if any(counts[part] for counts in by_setup.values())]
    rows = [(name, *map(str, counts.values())) for name, counts in by_setup.items()]
    return (
        "How many answers are right and wrong, and how many refusals: right where the question has "
        "no answer, wrong where it has one. An answer to a question without one is wrong.",
        Table("", ("setup", *every), tuple(rows)),
        plots.stacked(
            {
                n: _bar(run, n, parts, [str(counts[p]) for p in parts], [counts[p] for p in parts])
                for n, counts in by_setup.items()
            },
            parts,
            "answers",
            colourless=("unjudged", "failed"),
        ),
    )


CHARTS: dict[str, Chart] = {
    HEADLINE: Chart("headline score of every setup", _headline),
    "quality-latency": Chart("quality against latency", _quality_latency),
    "quality-cost": Chart("quality against cost", _quality_cost),
    "quality-tokens": Chart("quality against tokens", _quality_tokens),
    "effects": Chart("what tuning and retrieval each change", _effects),
    "refusals": Chart("answers and refusals", _refusals),
    "retrieval": Chart("quality by retrieval result", _retrieval),
    "latency": Chart("seconds for an answer", _latency),
    "tokens": Chart("tokens of an answer", _tokens),
    "training": Chart("loss in training", investments.training),
    "learning": Chart("quality by number of training rows", investments.learning),
    "monthly-cost": Chart("cost per month", investments.monthly, of_tasks=False),
}
"""By the name of their files, in the order of the page."""
