"""Evaluate a run's gates, with baselines; the verdicts are written to the run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bakeoff.analysis.measured_run import GATES, Run
from bakeoff.analysis.measurements import Rows, read_rows
from bakeoff.core import disk
from bakeoff.core.words import BakeoffError, MissingEvidence, faults
from bakeoff.decide.gates import baseline
from bakeoff.decide.gates.judging import judged
from bakeoff.decide.gates.language import Scope, check_gates
from bakeoff.outputs import ci
from bakeoff.runs import store
from bakeoff.runs.links import refuse_links
from bakeoff.runs.naming import find_run
from bakeoff.runs.verdicts import Verdicts
from bakeoff.spec.benchmark import load_gates
from bakeoff.spec.policy import Gate, Gates

JUNIT, COMMENT = "gates.xml", "gates.md"


def gate(
    run: Run,
    results: Path,
    *,
    chosen: Gates | None = None,
    references: Mapping[str, Rows] | None = None,
    allow_mismatch: bool = False,
    output: Path | None = None,
) -> Verdicts:
    """Evaluate a run's gates; write `gates.json`, `gates.xml` (JUnit) and `gates.md` (a comment).

    The benchmark's own gates are kept in the run's folder, `chosen` ones only in `output`. Raises
    `BakeoffError` for lines that decide nothing, `MissingEvidence` for an incomplete run.
    """
    run.require_whole()
    gates, policy = (chosen or run.suite).gates, (chosen or run.suite).policy
    if not gates:
        raise BakeoffError(f"{run.folder}: its benchmark has no gates; give one with --check")
    faults([f"{run.folder}: {p}" for p in check_gates(gates, scope(run), names=False)])
    known = {**_accepted(run, gates, results), **(references or {})}
    verdicts = judged(run, gates, policy, known, allow_mismatch=allow_mismatch)
    folder = output or (None if chosen else run.folder)
    if folder:
        refuse_links(run.folder)
        with disk.refusals(folder):
            folder.mkdir(parents=True, exist_ok=True)
        store.write_verdicts(folder / GATES, verdicts)
        disk.replace(folder / JUNIT, [ci.junit(verdicts)])
        disk.replace(folder / COMMENT, [ci.comment(verdicts)])
    return verdicts


def chosen_gates(run: Run, file: Path | None, checks: Sequence[str]) -> Gates | None:
    """The gates to evaluate instead of a run's own: `checks`, else those of a file.

    `checks` are under the file's policy, without a file under the run's own. `None` without both.
    Raises `BakeoffError` for lines that decide nothing, with where they stand.
    """
    chosen = load_gates(file) if file else None
    if not checks:
        if chosen:
            faults([f"{file}: {p}" for p in check_gates(chosen.gates, scope(run), names=False)])
        return chosen
    policy = chosen.policy if chosen else run.suite.policy
    return Gates(gates=tuple(Gate(check=check) for check in checks), policy=policy)


def scope(run: Run) -> Scope:
    """The names that gates on this run can use."""
    return Scope(
        list(run.suite.setups),
        {
            task: {metric: about.measure for metric, about in facts.metrics.items()}
            for task, facts in run.manifest.tasks.items()
        },
    )


def _accepted(run: Run, gates: Sequence[Gate], results: Path) -> dict[str, Rows]:
    """The baselines that the gates name; others are not read, and may be damaged."""
    named = [name for name in baseline.CHANNELS if any(f"{name}:" in gate.check for gate in gates)]
    return baseline.references(results, run.manifest.benchmark, named) if named else {}


def reference(text: str, results: Path) -> Rows:
    """The rows of a run (folder, id, `latest`) or of a rows file, to be used as a baseline."""
    path = Path(text)
    if path.name.endswith(".json.gz"):
        return read_rows(path)
    run = Run(find_run(text, results))
    if not run.manifest.complete:
        raise MissingEvidence(f"{run.folder}: the run is {run.manifest.status}")
    return run.rows
