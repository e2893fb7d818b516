"""Pictures of what a setup takes: its training, its training rows, its cost per month."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bakeoff.analysis.measured_run import Run
from bakeoff.core.counts import quantity
from bakeoff.core.estimate import value_of
from bakeoff.core.table import Table, money, number
from bakeoff.core.words import canonical
from bakeoff.outputs.page import plots
from bakeoff.outputs.page.numbers import Made, by_setup, ends, place_of
from bakeoff.outputs.page.plots import Curve
from bakeoff.runs.opened import Epoch
from bakeoff.runs.store import COST


def training(run: Run, task: str) -> Made | None:
    made: dict[str, tuple[str, Sequence[Epoch]]] = {}
    for name, adapter in run.manifest.adapters.items():
        if name.startswith(f"{task}/") and adapter.training:
            # Setups of one recipe share an adapter: one curve.
            setup = name.removeprefix(f"{task}/")
            made.setdefault(adapter.digest, (setup, adapter.training.curve))
    lines: dict[str, Curve] = {}
    rows = []
    kinds = {"train_loss": "training", "validation_loss": "validation"}
    for setup, curve in made.values():
        for kind, word in kinds.items():
            losses = [(p.epoch, getattr(p, kind)) for p in curve]
            if points := [(epoch, loss) for epoch, loss in losses if loss is not None]:
                dashed = word == "validation"
                lines[f"{setup}, {word}"] = Curve(points, place_of(run, setup), dashed)
        for p in curve:
            rows.append((setup, f"{p.epoch:g}", *(number(getattr(p, k), "") for k in kinds)))
    if not lines:
        return None
    return (
        "Loss by epoch on the training rows and on the rows held back.",
        Table("", ("adapter", "epoch", *kinds.values()), tuple(rows)),
        plots.curves(lines, ("epoch", "loss")),
    )


def learning(run: Run, task: str) -> Made | None:
    """Setups that differ in nothing but the number of rows they were tuned on."""
    metric = run.headlines[task]
    known_by = by_setup(run, task, metric)
    curves: dict[str, list[tuple[int, str]]] = {}
    for name in known_by:
        spec = run.suite.setups[name]
        if spec.tune:
            recipe = spec.model_dump(exclude={"name": True, "description": True, "tune": {"rows"}})
            rows = spec.tune.rows or run.manifest.tasks[task].train
            curves.setdefault(canonical(recipe), []).append((rows, name))
    known = [sorted(points) for points in curves.values() if len(dict(points)) > 1]
    if not known:
        return None
    lines: dict[str, Curve] = {}
    table: list[tuple[str, ...]] = []
    for points in known:
        base = points[0][1].removesuffix(f"-{points[0][0]}")
        values = [(float(n), value_of(known_by[name])) for n, name in points]
        lines[base] = Curve(values, place_of(run, points[-1][1]))
        table += [(base, str(n), *ends(known_by[name], metric)) for n, name in points]
    return (
        f"{metric} by the number of training rows; setups that differ in nothing else.",
        Table("", ("recipe", "rows", metric, "from", "to"), tuple(table)),
        plots.curves(lines, ("training rows", metric)),
    )


_DECADES, _STEPS = 3, 8
"""Of requests per month on each side of the stated ones; points of a line in each."""


def monthly(run: Run, _: str) -> Made | None:
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
    for name, setup in costs.setups.items():
        points = [(v, cost.monthly_at(setup, v)) for v in volumes if setup.per_request.value]
        if points and value_of(points[0][1]) > 0:
            # A logarithmic axis has no 0.
            least = value_of(points[0][1]) / 100
            drawn = [(v, month.within((least, math.inf))) for v, month in points]
            bands[name] = plots.Band(drawn, place_of(run, name))
            rows += [
                (name, shown.count(v), *map(money, (value_of(month), *month.ends)))
                for v, month in points[::_STEPS]
            ]
    if not bands:
        return None
    label = f"{costs.currency} per month"
    return (
        f"Monthly cost of each setup by number of requests, with 95% bands; the "
        f"dotted line is at {shown.count(costs.volume)} requests. What is spent up front is "
        f"spread over {quantity(costs.months, 'month')}; updates per month: {costs.updates:g}.",
        Table("", ("setup", "requests per month", label, "from", "to"), tuple(rows)),
        plots.lines(bands, ("requests per month", label), costs.volume),
    )
