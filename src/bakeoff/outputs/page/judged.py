"""What came of the gates, as the page shows it: a line, what does not pass, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bakeoff.analysis.measured_run import Run
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.tables import gates
from bakeoff.runs.verdicts import PASS, Verdict, Verdicts


@dataclass(frozen=True)
class Case:
    """One setup or slice of a gate."""

    name: str
    """Its check, filled in."""
    reason: str
    changed: Sequence[tuple[str, str]]
    """(task, sample) of those that changed sides the wrong way."""


@dataclass(frozen=True)
class Row:
    """A gate, over as many setups and slices as came out the same."""

    state: str
    gate: str
    cases: Sequence[Case]
    """The worst first."""


@dataclass(frozen=True)
class Judged:
    """The gates of a run."""

    state: str
    meaning: str
    counted: str
    code: int
    caveats: Sequence[str]
    references: Sequence[str]
    open: Sequence[Row]
    """Those that do not pass, the worst first."""
    passed: Sequence[Row]
    more: int
    """Cases left out."""


def judged(run: Run) -> Judged | None:
    """The gates; `None` where there are none, or a part of the run cannot be judged alone."""
    if not run.suite.gates or run.shard[1] > 1:
        return None
    outcome = verdicts_of(run)
    rows = _rows(run, outcome)
    return Judged(
        outcome.state,
        gates.meaning(outcome),
        gates.counted(outcome),
        outcome.exit_code,
        [*gates.caveats(outcome)],
        [*gates.references(outcome)],
        [row for row in rows if row.state != PASS],
        [row for row in rows if row.state == PASS],
        max(0, len(outcome.gates) - gates.GATES_SHOWN),
    )


def _rows(run: Run, outcome: Verdicts) -> list[Row]:
    """Cases of one gate that came out the same are one row."""
    checks = {gate.name: gate.check for gate in run.suite.gates}
    shown = outcome.worst_first[: gates.GATES_SHOWN]
    order = {_key(verdict): place for place, verdict in reversed([*enumerate(shown)])}
    rows = []
    for _, group in groupby(sorted(shown, key=lambda v: order[_key(v)]), _key):
        cases = list(group)
        first = cases[0]
        check = first.check if len(cases) == 1 else checks.get(first.id, first.id)
        warns = " (warns only)" if first.severity == "warn" else ""
        many = f", {len(cases)} cases" if len(cases) > 1 else ""
        name = f"{check}{warns} ({first.mode}{many})"
        rows.append(Row(first.state, name, [_case(case) for case in cases]))
    return rows


def _key(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.id, verdict.state, verdict.severity


def _case(verdict: Verdict) -> Case:
    changed = [(change.task, change.sample) for change in verdict.broke]
    return Case(verdict.check, verdict.reason, changed)
