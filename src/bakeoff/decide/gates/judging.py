"""Evaluate gates on a finished run: those of its benchmark, or others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakeoff.analysis.measured_run import GATES, Run
from bakeoff.analysis.measurements import Rows
from bakeoff.decide.gates.card_check import without_card
from bakeoff.decide.gates.judge import concluded, judge
from bakeoff.decide.gates.sides import Evidence
from bakeoff.runs import store
from bakeoff.runs.seal import evidence
from bakeoff.runs.verdicts import Verdicts
from bakeoff.spec.policy import Gate, Policy


def verdicts_of(run: Run) -> Verdicts:
    """The verdicts in a run's `gates.json`, or those evaluated now, without a baseline.

    Kept ones are of the evidence that the run has now: others are of scores that are gone.
    """
    kept = run.folder / GATES
    if kept.exists() and run.manifest.complete:
        verdicts = store.read_verdicts(kept)
        if verdicts.evidence == evidence(run.manifest):
            return verdicts
    return judged(run)


def judged(
    run: Run,
    gates: Sequence[Gate] | None = None,
    policy: Policy | None = None,
    references: Mapping[str, Rows] | None = None,
    *,
    allow_mismatch: bool = False,
) -> Verdicts:
    """The verdicts of the benchmark's gates, or of others.

    Raises `MissingEvidence` when the run is not complete.
    """
    run.require_whole()
    chosen = run.suite.gates if gates is None else gates
    known = policy or run.suite.policy
    uncarded = without_card(known, run.manifest)
    rows = Evidence(run.rows, references or {}, known, allow_mismatch, uncarded)
    return concluded(judge(chosen, rows), rows, limited=run.limited, of=evidence(run.manifest))
