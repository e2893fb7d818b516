"""A finished run read back from its folder: columns, comparison, verdicts. No model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bakeoff import compare, gate
from bakeoff.core import MissingEvidence, Record, Sample, Score
from bakeoff.store import read_journal, read_manifest, read_samples, read_scores, write_json
from bakeoff.suite import Gate, Suite

COMPARISON, GATES = "comparison.json", "gates.json"


@dataclass(frozen=True)
class Run:
    """A run's folder and what it says, each part read when it is asked for."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.folder)

    @cached_property
    def suite(self) -> Suite:
        return Suite.model_validate(self.manifest["suite"])

    @cached_property
    def samples(self) -> dict[str, dict[str, Sample]]:
        return read_samples(self.folder)

    @cached_property
    def records(self) -> list[Record]:
        """The last record of every cell: a later attempt replaces an earlier failure."""
        return list({record.key: record for record in read_journal(self.folder)}.values())

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], dict[str, Score]]:
        return read_scores(self.folder)

    @property
    def kinds(self) -> dict[str, str]:
        """Setup -> its corner of the square."""
        return {name: setup.kind for name, setup in self.suite.setups.items()}

    @property
    def headlines(self) -> dict[str, str]:
        return {name: task["headline"] for name, task in self.manifest["tasks"].items()}

    def metric(self, task: str, name: str) -> Mapping[str, Any]:
        """What the manifest says of a metric; measured columns are better when lower."""
        known: Mapping[str, Any] = self.manifest["tasks"][task]["metrics"].get(
            name, {"higher_is_better": False}
        )
        return known

    @cached_property
    def columns(self) -> compare.Columns:
        aggregates = {
            metric: about["aggregate"]
            for task in self.manifest["tasks"].values()
            for metric, about in task["metrics"].items()
        }
        asked = {
            task: [s.name for s in self.suite.setups.values() if s.takes(task)]
            for task in self.samples
        }
        return compare.columns(self.samples, asked, self.records, self.scores, aggregates)

    @cached_property
    def comparison(self) -> dict[str, Any]:
        return compare.compare(
            self.columns, self.samples, self.kinds, self.headlines, self.suite.seed
        )

    def verdicts(self, gates: Sequence[Gate] | None = None) -> list[gate.Verdict]:
        """The verdicts of the benchmark's gates, or of others.

        Raises `MissingEvidence` when the run is not complete.
        """
        if self.manifest["status"] != "complete":
            raise MissingEvidence(
                f"{self.folder}: the run is {self.manifest['status']}; finish it with "
                f"`bakeoff run {self.manifest['file']} --resume {self.folder.name}`"
            )
        chosen = self.suite.gates if gates is None else gates
        setups = list(self.suite.setups)
        return gate.judge(chosen, self.columns, self.samples, setups, self.suite.seed)


def write_comparison(run: Run) -> None:
    """Keep the comparison and the verdicts beside the journal they were computed from."""
    write_json(run.folder / COMPARISON, run.comparison)
    if run.suite.gates:
        write_json(run.folder / GATES, gate.as_json(run.verdicts()))
