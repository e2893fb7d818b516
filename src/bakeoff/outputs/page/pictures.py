"""What a run looks like: pictures of its tasks, each with the table of its numbers.

Every number comes from the comparison; where it has an interval, so has the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.analysis import outcomes
from bakeoff.analysis.compare import EFFECTS, estimate
from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.core.estimate import Estimate
from bakeoff.core.table import Table, number
from bakeoff.core.words import LATENCY, canonical
from bakeoff.outputs.page import plots
from bakeoff.outputs.page.plots import Whisker
from bakeoff.outputs.page.svg import Picture
from bakeoff.runs.manifest import Epoch
from bakeoff.runs.store import COST


@dataclass(frozen=True)
class Shown:
    """A picture, what it shows in words, and its numbers."""

    subject: str
    """A key of `CHARTS`."""
    task: str
    """Empty where the picture is of all tasks."""
    said: str
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
        return self.picture.inline(identity, self.title, self.said)


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
        text = picture.picture.alone(picture.title, picture.said)
        disk.replace(folder / f"{picture.file}.svg", [text])


Made = tuple[str, Table, Picture]
"""What a picture shows in words, its numbers, the picture."""


@dataclass(frozen=True)
class Chart:
    """A kind of picture, and what draws it."""

    title: str
    make: Callable[[Run, str], Made | None]
    """Draws it for a task of a run; `None` where the run has no numbers for it."""
    of_tasks: bool = True
    """Whether every task has one; otherwise it is drawn once, and `make` gets an empty name."""


def _by_setup(run: Run, task: str, metric: str) -> dict[str, Estimate]:
    """Setup -> its estimate of a metric, where it has a value."""
    setups = run.comparison.tasks[task].metric(metric).setups
    return {name: estimate for name, estimate in setups.items() if estimate.value is not None}


def _value(estimate: Estimate) -> float:
    """The value of an estimate that is known to have one."""
    assert estimate.value is not None
    return estimate.value


def _whisker(run: Run, estimate: Estimate, setup: str = "") -> Whisker:
    place = list(run.suite.setups).index(setup) if setup else 0
    return Whisker(_value(estimate), estimate.low, estimate.high, place)


def _ends(estimate: Estimate, metric: str) -> tuple[str, str, str]:
    value, low, high = estimate.value, estimate.low, estimate.high
    return number(value, metric), number(low, metric), number(high, metric)


def _effects(run: Run, task: str) -> Made | None:
    metric = run.headlines[task]
    known = run.comparison.tasks[task].metric(metric).effects
    effects = {n: known[n] for n in EFFECTS if n in known and known[n].value is not None}
    if not effects:
        return None
    rows = [(name, *_ends(effect, metric), str(effect.n)) for name, effect in effects.items()]
    whiskers = {name: _whisker(run, effect) for name, effect in effects.items()}
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
    metric, scored = run.headlines[task], _by_setup(run, task, run.headlines[task])
    names = [name for name in scored if name in costs]
    if len(names) < 2:
        return None
    points = {name: (_value(costs[name]), _value(scored[name])) for name in names}
    best = front(points, run.metric(task, metric).higher_is_better)
    rows = [
        (n, *_ends(scored[n], metric), *_ends(costs[n], unit), "yes" if n in best else "no")
        for n in names
    ]
    whiskers = {n: (_whisker(run, costs[n], n), _whisker(run, scored[n], n)) for n in names}
    return (
        f"{metric} against {of}; whiskers are 95% intervals. The dashed line is the Pareto front: "
        f"the setups that no other one beats on both, by their values alone: {', '.join(best)}.",
        Table("", ("setup", metric, "from", "to", of, "from", "to", "on the front"), tuple(rows)),
        plots.scatter(whiskers, best, (of, metric)),
    )


def _quality_latency(run: Run, task: str) -> Made | None:
    costs = _by_setup(run, task, "latency_s")
    return _against(run, task, "seconds (median)", costs, "latency_s")


def _quality_cost(run: Run, task: str) -> Made | None:
    return _against(run, task, "cost of an answer", _by_setup(run, task, "cost"), "cost")


def _quality_tokens(run: Run, task: str) -> Made | None:
    sums = {
        name: Estimate(read + written) for name, (read, _, written) in _tokens_of(run, task).items()
    }
    return _against(run, task, "tokens of an answer", sums, "prompt_tokens")


def _tokens_of(run: Run, task: str) -> dict[str, tuple[float, float, float]]:
    """Setup -> mean tokens of the prompt, of the passages in it, and of the answer."""
    read, context, written = (
        _by_setup(run, task, f"{kind}_tokens") for kind in ("prompt", "context", "completion")
    )
    return {
        name: (_value(read[name]), _value(context[name]), _value(written[name]))
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
        plots.stacked(bars, parts, "tokens (mean)"),
    )


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
        drawn[name] = (seconds[name], _whisker(run, times.quantiles["p50"], name))
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
                rows.append((setup, part, *_ends(quality, metric), str(quality.n)))
                whiskers[f"{setup}, {part} ({quality.n})"] = _whisker(run, quality, setup)
    if not rows:
        return None
    return (
        f"{metric} of the answers by what {by} says of their passages, with 95% intervals and the "
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
            {n: [counts[p] for p in parts] for n, counts in by_setup.items()}, parts, "answers"
        ),
    )


def _training(run: Run, task: str) -> Made | None:
    made: dict[str, tuple[str, Sequence[Epoch]]] = {}
    for name, adapter in run.manifest.adapters.items():
        if name.startswith(f"{task}/") and adapter.training:
            # Setups of one recipe share an adapter: one curve.
            setup = name.removeprefix(f"{task}/")
            made.setdefault(adapter.digest, (setup, adapter.training.curve))
    lines: dict[str, tuple[Sequence[tuple[float, float]], int, bool]] = {}
    rows = []
    kinds = {"train_loss": "training", "validation_loss": "validation"}
    for place, (setup, curve) in enumerate(made.values()):
        for kind, word in kinds.items():
            losses = [(p.epoch, getattr(p, kind)) for p in curve]
            if points := [(epoch, loss) for epoch, loss in losses if loss is not None]:
                lines[f"{setup}, {word}"] = (points, place, word == "validation")
        for p in curve:
            rows.append((setup, f"{p.epoch:g}", *(number(getattr(p, k), "") for k in kinds)))
    if not lines:
        return None
    return (
        "Loss by epoch on the training rows and on the rows held back.",
        Table("", ("adapter", "epoch", *kinds.values()), tuple(rows)),
        plots.curves(lines, ("epoch", "loss")),
    )


def _learning(run: Run, task: str) -> Made | None:
    """Setups that differ in nothing but the number of rows they were tuned on."""
    metric = run.headlines[task]
    by_setup = _by_setup(run, task, metric)
    curves: dict[str, list[tuple[int, str]]] = {}
    for name in by_setup:
        spec = run.suite.setups[name]
        if spec.tune:
            recipe = spec.model_dump(exclude={"name": True, "description": True, "tune": {"rows"}})
            rows = spec.tune.rows or run.manifest.tasks[task].train
            curves.setdefault(canonical(recipe), []).append((rows, name))
    known = [sorted(points) for points in curves.values() if len(dict(points)) > 1]
    if not known:
        return None
    lines: dict[str, tuple[Sequence[tuple[float, float]], int, bool]] = {}
    table: list[tuple[str, ...]] = []
    for place, points in enumerate(known):
        base = points[0][1].removesuffix(f"-{points[0][0]}")
        values = [(float(n), _value(by_setup[name])) for n, name in points]
        lines[base] = (values, place, False)
        table += [(base, str(n), *_ends(by_setup[name], metric)) for n, name in points]
    return (
        f"{metric} by the number of training rows; setups that differ in nothing else.",
        Table("", ("recipe", "rows", metric, "from", "to"), tuple(table)),
        plots.curves(lines, ("training rows", metric)),
    )


_DECADES, _STEPS = 3, 8
"""Of requests per month on each side of the stated ones; points of a line in each."""


def _monthly(run: Run, _: str) -> Made | None:
    """Money per month against requests per month, where costs are kept beside the run."""
    if not (run.folder / COST).is_file():
        return None
    from bakeoff.decide import cost
    from bakeoff.decide.cost import shown

    costs = cost.read(run.folder)
    if costs is None or not costs.volume or not cost.current(run, costs):
        return None
    steps = range(-_DECADES * _STEPS, _DECADES * _STEPS + 1)
    volumes = [costs.volume * 10 ** (step / _STEPS) for step in steps]
    bands, rows = {}, []
    for place, (name, setup) in enumerate(costs.setups.items()):
        points = [(v, *cost.monthly_at(setup, v)) for v in volumes if setup.per_request.value]
        if points and points[0][1] > 0:
            # A logarithmic axis has no 0.
            least = points[0][1] / 100
            drawn = [(v, value, max(low, least), high) for v, value, low, high in points]
            bands[name] = plots.Band(drawn, place)
            rows += [
                (name, shown.count(v), *(shown.money(number) for number in numbers))
                for v, *numbers in points[::_STEPS]
            ]
    if not bands:
        return None
    label = f"{costs.currency} per month"
    return (
        f"Monthly cost of each setup by number of requests, with 95% bands; the "
        f"dotted line is at {shown.count(costs.volume)} requests. What is spent up front is "
        f"spread over {costs.months:g} months; updates per month: {costs.updates:g}.",
        Table("", ("setup", "requests per month", label, "from", "to"), tuple(rows)),
        plots.lines(bands, ("requests per month", label), costs.volume),
    )


CHARTS: dict[str, Chart] = {
    "effects": Chart("what tuning and retrieval each change", _effects),
    "quality-latency": Chart("quality against latency", _quality_latency),
    "quality-cost": Chart("quality against cost", _quality_cost),
    "quality-tokens": Chart("quality against tokens", _quality_tokens),
    "refusals": Chart("answers and refusals", _refusals),
    "retrieval": Chart("answers by what retrieval found", _retrieval),
    "latency": Chart("seconds for an answer", _latency),
    "tokens": Chart("tokens of an answer", _tokens),
    "training": Chart("loss in training", _training),
    "learning": Chart("quality by number of training rows", _learning),
    "monthly-cost": Chart("cost per month", _monthly, of_tasks=False),
}
"""By the name of their files, in the order of the page."""
