"""A finished run: its numbers as DataFrames, and what can be done with it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from bakeoff.analysis import measured_run
from bakeoff.analysis.comparison import Comparison
from bakeoff.api.loops import outside_loops
from bakeoff.api.view import View, as_exceptions, as_html
from bakeoff.core.layout import as_text
from bakeoff.core.plain_text import plain
from bakeoff.core.table import CELL, Table
from bakeoff.core.words import BakeoffError
from bakeoff.running import environment as here
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.verdicts import Verdicts
from bakeoff.spec.shipped import BENCHMARKS, NEEDS, PRICES, find
from bakeoff.spec.yaml_files import F, read_yaml, validated

if TYPE_CHECKING:
    import pandas

    from bakeoff.decide.advice.advice import Advice
    from bakeoff.decide.advice.needs import Needs
    from bakeoff.decide.cost import Costs
    from bakeoff.decide.cost.prices import Prices
    from bakeoff.decide.gates.baseline import Channel, Pointer
    from bakeoff.outputs.page.pictures import Shown


class LoadFields(TypedDict, total=False):
    """How much setups are to do: the fields of `decide.cost.Load`."""

    volume: float
    updates: float
    months: float
    weights: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class Run:
    """A run's folder. A notebook shows it as tables and pictures.

    What is read of it is read once; `bakeoff.load(run.folder)` reads it anew. Its methods raise
    `BakeoffError` with the message that the command line prints, `MissingEvidence` among them.
    """

    folder: Path

    @cached_property
    def measured(self) -> measured_run.Run:
        """All that the folder holds, typed: records, columns, samples, the suite."""
        return measured_run.Run(self.folder)

    @property
    def manifest(self) -> Manifest:
        return self.measured.manifest

    @property
    def comparison(self) -> Comparison:
        """Estimates, effects and differences, as in `comparison.json`."""
        return self.measured.comparison

    @property
    def gates(self) -> Verdicts | None:
        """The verdicts of its benchmark's gates; `None` where it has none."""
        from bakeoff.decide.gates.judging import verdicts_of

        return verdicts_of(self.measured) if self.measured.suite.gates else None

    def samples(self) -> pandas.DataFrame:
        """Every answer with its question, one row for each task, setup, sample and repeat."""
        from bakeoff.outputs import frames

        return frames.samples(self.measured)

    def scores(self) -> pandas.DataFrame:
        """Every score, in long form; NaN with a reason where it could not be judged."""
        from bakeoff.outputs import frames

        return frames.scores(self.measured)

    def estimates(self) -> pandas.DataFrame:
        """Mean or quantile of each metric and setup with its 95% interval, slices included."""
        from bakeoff.outputs.export import TESTED

        numbers = self._numbers()
        kept = numbers[~_compared(numbers)]
        return kept.drop(columns=list(TESTED)).reset_index(drop=True)

    def differences(self) -> pandas.DataFrame:
        """Paired differences between setups and the effects, with intervals and p-values."""
        numbers = self._numbers()
        return numbers[_compared(numbers)].reset_index(drop=True)

    def _numbers(self) -> pandas.DataFrame:
        from bakeoff.outputs import export

        return export.frame(self.comparison)

    def accept(self, reason: str, channel: Channel = "rolling") -> Pointer:
        """Make it the baseline of its benchmark (`bakeoff baseline accept`)."""
        from bakeoff.running.accepting import accept

        with as_exceptions():
            return accept(self.measured, channel, reason)

    def cost(
        self, prices: Prices | Mapping[str, object] | str | Path, **load: Unpack[LoadFields]
    ) -> View[Costs]:
        """What each setup costs, and the break-even volumes; kept as `cost.json`.

        Prices and needs are a file, its name, or its contents.
        """
        from bakeoff.decide import cost as costs
        from bakeoff.decide.cost import shown
        from bakeoff.decide.cost.prices import Prices

        with as_exceptions():
            priced, _ = _contents(Prices, prices, PRICES)
            made = costs.compute(self.measured, priced, costs.Load(**load))
            costs.write(self.folder, made)
        return View(made, tuple(shown.tables(made)))

    def advise(self, needs: Needs | Mapping[str, object] | str | Path) -> View[Advice]:
        """Which setup to take for these needs, and why; kept as `advice.json`."""
        from bakeoff.decide import advice
        from bakeoff.decide.advice.facts import facts
        from bakeoff.decide.advice.needs import Needs
        from bakeoff.decide.advice.tables import tables
        from bakeoff.outputs import report

        with as_exceptions():
            wanted, file = _contents(Needs, needs, NEEDS)
            answer = advice.advise(wanted, facts(self.measured), str(file))
            kept = advice.keep(self.measured, answer)
            report.write(self.measured)
        return View(kept, tuple(tables(kept)))

    def report(self) -> Path:
        """Write the report again: `report.md`, `report.html`, its plots; where the page is."""
        from bakeoff.outputs import report
        from bakeoff.runs.store import PAGE

        with as_exceptions():
            measured_run.write_comparison(self.measured)
            report.write(self.measured)
        return self.folder / PAGE

    def export(
        self, folder: str | Path, format: Literal["parquet", "csv"] = "parquet"
    ) -> dict[Path, int]:
        """Write its samples, scores and numbers as tables (`bakeoff export`); file -> rows."""
        from bakeoff.outputs import frames

        with as_exceptions():
            return frames.write(self.measured, Path(folder), format)

    def score(self, judges: str | Path | None = None, *, trust: bool = False) -> Run:
        """Score its stored answers again, by the scorers that its tasks name now; the new run."""
        from bakeoff.running.rescore import rescore

        file = find(str(judges), BENCHMARKS) if judges else None
        with as_exceptions():
            place = here.workspace(None)
            outside_loops(lambda: rescore(self.folder, place, file, trusted=trust))
        return Run(self.folder)

    def log(self, traces: int = 20) -> list[str]:
        """Log it to MLflow (again); where it can be seen there."""
        from bakeoff.outputs.mlflow import sink
        from bakeoff.outputs.mlflow.whole import log_whole

        with as_exceptions():
            log_whole(self.measured, here.tracking_uri(), traces)
            return sink.seen(self.measured)

    def __repr__(self) -> str:
        return self._shown(lambda: "\n".join(map(as_text, self._tables())), str)

    def _repr_html_(self) -> str:
        return self._shown(lambda: as_html(self._tables()) + self._pictures(), escape)

    def _shown(self, made: Callable[[], str], markup: Callable[[str], str]) -> str:
        """What is to be shown, or why this run has nothing to show."""
        try:
            return made()
        except BakeoffError as error:
            return markup(plain(f"{self.folder}: {error}", CELL))

    def _tables(self) -> list[Table]:
        from bakeoff.outputs.tables import gates
        from bakeoff.outputs.tables.effects import effects
        from bakeoff.outputs.tables.endings import failures
        from bakeoff.outputs.tables.headline import headline

        run = self.measured
        tables = [headline(run), failures(run), effects(run)]
        tables += [gates.verdicts(self.gates)] if self.gates else []
        return [table for table in tables if table.rows]

    def _pictures(self) -> str:
        from bakeoff.outputs.page import pictures

        return "".join(
            f'<figure style="display: inline-block; width: 420px; margin: 8px">'
            f"<figcaption>{escape(plain(shown.title))}</figcaption>"
            f'<img width="420" alt="{escape(plain(shown.description, CELL))}" src="{_data(shown)}">'
            "</figure>"
            for shown in pictures.draw(self.measured)
        )


def _compared(numbers: pandas.DataFrame) -> pandas.Series:
    """Which rows compare setups."""
    return numbers["kind"].isin(["effect", "difference"])


def _contents(
    model: type[F], given: F | Mapping[str, object] | str | Path, kind: str
) -> tuple[F, Path]:
    """A file of a kind, or its contents, checked; and the name that messages give it."""
    if isinstance(given, str | Path):
        file = find(str(given), kind)
        return validated(model, file, read_yaml(file)), file
    file = Path(kind).relative_to(BENCHMARKS)
    return (given if isinstance(given, model) else validated(model, file, given)), file


def _data(shown: Shown) -> str:
    """A picture as an address of its own: nothing of it can act in the notebook's page."""
    text = shown.picture.alone(shown.title, shown.description)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"
