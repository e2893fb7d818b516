"""What comparing one run's setups, or several runs, gives: the numbers, tables and long rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bakeoff.analysis.comparison import Comparison, RunComparison
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.run_comparison import between
from bakeoff.core.table import Table
from bakeoff.outputs import export
from bakeoff.outputs.tables.contents import compared as of_one
from bakeoff.outputs.tables.pairs import between_runs
from bakeoff.outputs.tables.side_by_side import marks

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Compared:
    """A comparison and how it is shown."""

    comparison: Comparison | RunComparison
    tables: Sequence[Table]
    marks: export.Marks

    def csv(self) -> str:
        """The long form as CSV."""
        return export.csv_text(export.rows(self.comparison, self.marks))

    def frame(self) -> pandas.DataFrame:
        """The long form as a DataFrame."""
        return export.frame(self.comparison, self.marks)


def compared(runs: Sequence[Run], allow_mismatch: bool = False) -> Compared:
    """The setups of one run, or several runs. Raises `BakeoffError` where they do not compare."""
    if len(runs) == 1:
        return Compared(runs[0].comparison, of_one(runs[0]), marks(runs[0]))
    comparison = between([run.rows for run in runs], allow_mismatch=allow_mismatch)
    return Compared(comparison, between_runs(comparison), {})
