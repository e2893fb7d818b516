"""How far apart setups are, pair by pair, of one run and of several."""

from __future__ import annotations

from collections.abc import Mapping

from bakeoff.analysis.compare import CHANGED
from bakeoff.analysis.comparison import RunComparison
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.run_comparison import sides
from bakeoff.core.estimate import Difference
from bakeoff.core.table import Table, cell, number
from bakeoff.outputs.tables.effects import marked


def differences(run: Run, task: str) -> Table:
    """Every pair of setups on the headline metric: their difference, and is it significant."""
    facts = run.comparison.tasks[task]
    metric = facts.headline
    return _pairs(f"{task}: {metric}, pair by pair", facts.metric(metric).differences, metric)


_PAIRS = (
    *("pair", "n", "difference", "p", "better", "same", "worse"),
    *("detectable", "n needed"),
)


def _pairs(title: str, pairs: Mapping[str, Difference], metric: str) -> Table:
    rows = tuple(
        (name, *_pair(gap, metric or name.partition(": ")[0])) for name, gap in pairs.items()
    )
    return Table(
        title,
        _PAIRS,
        rows,
        "Paired; p: two-sided sign-flip permutation (McNemar's exact test for 0/1 scores), "
        "of each pair alone. "
        "Detectable: the minimum detectable difference (80% power); n needed: samples that give "
        "80% power for the difference seen.",
    )


def _pair(difference: Difference, metric: str) -> tuple[str, ...]:
    if difference.value is None:
        return ("0", *["-"] * 7)
    p = difference.p
    return (
        str(difference.n),
        marked(difference, metric),
        "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
        *map(str, (difference.wins, difference.ties, difference.losses)),
        number(difference.detectable, metric),
        str(difference.needed or "-"),
    )


def changed(run: Run, task: str) -> Table:
    """The samples that one setup gets worse, and better, than another on the headline metric."""
    rows = []
    for pair, changed in run.comparison.tasks[task].changed.items():
        for word, changes in (("worse", changed.broke), ("better", changed.mended)):
            if names := [change.sample for change in changes]:
                more = f" and more ({CHANGED} named)" if len(names) == CHANGED else ""
                rows.append((pair, word, ", ".join(names) + more))
    return Table(f"{task}: samples that changed sides", ("pair", "", "samples"), tuple(rows))


def between_runs(compared: RunComparison) -> list[Table]:
    """The tables of a comparison between runs."""
    names = sides(compared)
    rows = [
        (
            task,
            metric,
            *(cell(facts.sides[n], metric) if n in facts.sides else "-" for n in names),
        )
        for task, metrics in compared.tasks.items()
        for metric, facts in metrics.items()
    ]
    runs = ", ".join(f"{label} = {run}" for label, run in compared.runs.items())
    warning = "".join(f" NOT COMPARABLE: {sentence}." for sentence in compared.mismatch)
    warning += "".join(f" Differs: {sentence}." for sentence in compared.treatment)
    tables = [Table("Runs side by side", ("task", "metric", *names), tuple(rows), runs + warning)]
    for task, metrics in compared.tasks.items():
        pairs = {
            f"{metric}: {pair}": difference
            for metric, facts in metrics.items()
            for pair, difference in facts.differences.items()
        }
        tables.append(_pairs(f"{task}: differences", pairs, ""))
    return tables
