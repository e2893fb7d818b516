"""Which setup to take, where `bakeoff advise` has kept it beside the run."""

from __future__ import annotations

from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table
from bakeoff.runs.store import ADVICE


def advised(run: Run) -> list[Table]:
    """Which setup to take, where `bakeoff advise` has kept it beside the run."""
    if not (run.folder / ADVICE).is_file():
        return []
    from bakeoff.decide import advice
    from bakeoff.decide.advice.tables import tables

    kept = advice.read(run.folder)
    if kept is None:
        return []
    if not advice.current(run, kept):
        late = f"{ADVICE} is older than the answers, scores or costs of this run"
        return [Table("Advice", ("", "fix"), ((late, "run `bakeoff advise` again"),))]
    return tables(kept)
