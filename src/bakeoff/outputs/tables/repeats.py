"""How far repeated answers, and repeated judgements of one answer, vary."""

from __future__ import annotations

from bakeoff.analysis.comparison import TaskComparison
from bakeoff.analysis.measured_run import Run
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import Table, number


def repeats(run: Run) -> Table:
    """How far answers to the same question vary, where a question was asked several times."""
    k = str(run.suite.repeats)
    rows = []
    for task, facts in run.comparison.tasks.items():
        for metric in _repeated(facts):
            for setup, varied in facts.metric(metric).repeats.items():
                numbers = [getattr(varied, name) for name in _VARIED]
                numbers += [(rates or {}).get(k) for rates in (varied.pass_at, varied.pass_hat)]
                rows.append((task, metric, setup, *(number(value, "") for value in numbers)))
    return Table(
        f"Repeats: {k} answers to each question",
        ("task", "metric", "setup", *_VARIED.values(), f"pass@{k}", f"pass^{k}"),
        tuple(rows),
        "Variance between samples, and within them (decoding, machine); correlation: the first "
        "one's share. More repeats help where within is large. Flips: samples answered right as "
        "well as wrong. Disagreement: how often two answers to one question score differently. "
        f"pass@{k}: one of {k} answers is right; pass^{k}: all are.",
    )


def judged_again(run: Run) -> Table:
    """How far a judge varies, where it was asked several times of the same answers."""
    rows = [
        (
            *(task, metric, setup, str(varied.opinions), str(varied.answers)),
            *(number(part, "") for part in (varied.between, varied.sampling, varied.judge)),
        )
        for task, facts in run.comparison.tasks.items()
        for metric, summary in facts.metrics.items()
        for setup, varied in summary.opinions.items()
    ]
    return Table(
        "Repeated judgments",
        (
            *("task", "metric", "setup", "opinions", "answers"),
            *("variance between samples", "of sampling", "of the judge"),
        ),
        tuple(rows),
        "Variance of one judge's scores, split into samples, repeated answers (where there are "
        "such) and the judge's own variation on one answer.",
    )


_VARIED = {
    "between": "variance between",
    "within": "variance within",
    "correlation": "correlation",
    "flips": "flips",
    "disagreement": "disagreement",
}


def _repeated(facts: TaskComparison) -> list[str]:
    """The headline, and where it is not of 0 and 1 the first metric that is."""
    varied = [name for name, m in facts.metrics.items() if m.repeats and name not in MEASURED]
    rates = [
        name
        for name in varied
        if any(rates.flips is not None for rates in facts.metric(name).repeats.values())
    ]
    headline = [name for name in varied if name == facts.headline]
    return headline if facts.headline in rates else [*headline, *rates[:1]]
