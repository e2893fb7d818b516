"""A finished run read back from its folder: columns, comparison, verdicts. No model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from bakeoff import compare, freshness, latency, store
from bakeoff.columns import Columns, Measure, columns, leak_columns
from bakeoff.comparison import Comparison, Freshness
from bakeoff.core import MissingEvidence, Record, Sample, Score, digest
from bakeoff.evidence import Evidence
from bakeoff.file_versions import recorded
from bakeoff.judge import as_json, judge
from bakeoff.policy import Gate, Policy
from bakeoff.rows import Rows
from bakeoff.scoring import Metric
from bakeoff.store import Key, Unit, read_manifest, read_samples, write_json
from bakeoff.suite import Setup, Suite
from bakeoff.vouch import unvouched

COMPARISON, GATES = "comparison.json", "gates.json"


@dataclass(frozen=True)
class Run:
    """A run's folder and what it says, each part read when it is asked for."""

    folder: Path
    only: tuple[str, ...] = ()
    """Setups to look at, while the others are still to come; all of them where empty."""

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.folder)

    @property
    def shard(self) -> tuple[int, int]:
        """(i, n): the run is the i-th of n parts; (1, 1) is the whole."""
        part, parts = self.manifest["selection"]["shard"]
        return part, parts

    @property
    def limited(self) -> str:
        """What was left out on purpose, as the command line says it; empty for a whole run."""
        selection = self.manifest["selection"]
        chosen = {name: selection[name] for name in ("limit", "ids", "tags") if selection[name]}
        return ", ".join(f"{name} {value}" for name, value in chosen.items())

    @cached_property
    def suite(self) -> Suite:
        whole = Suite.model_validate(self.manifest["suite"])
        setups = {n: s for n, s in whole.setups.items() if not self.only or n in self.only}
        return whole.model_copy(update={"setups": setups})

    @cached_property
    def samples(self) -> dict[str, dict[str, Sample]]:
        return read_samples(self.folder)

    def records(self, task: str, setup: str) -> Iterator[Record]:
        """The quality records of a task on a setup, streamed."""
        return store.read_records(self.folder, Unit(task, setup))

    def latencies(self, task: str) -> Iterator[Record]:
        """The records of a task's latency pass, of all setups."""
        return store.read_records(self.folder, Unit(task))

    def scores(self, task: str, setup: str) -> Iterator[tuple[Key, dict[str, Score]]]:
        """The scores of a task on a setup, streamed, in the order of its records."""
        return store.read_scores(self.folder, Unit(task, setup))

    @property
    def asked(self) -> dict[str, list[str]]:
        """Task -> the setups it was asked of."""
        setups = self.suite.setups.values()
        return {task: [s.name for s in setups if s.takes(task)] for task in self.samples}

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
    def columns(self) -> Columns:
        measures = {
            (task, metric): Measure.of(about)
            for task, facts in self.manifest["tasks"].items()
            for metric, about in facts["metrics"].items()
        }
        setups = self.suite.setups.values()
        prices = {s.name: price for s in setups if (price := self.suite.price(s))}
        cells = [(task, setup) for task, setups in self.asked.items() for setup in setups]
        records = chain(
            (record for cell in cells for record in self.records(*cell)),
            (record for task in self.samples for record in self.latencies(task)),
        )
        scores = ((*cell, *key, found) for cell in cells for key, found in self.scores(*cell))
        repeats = self.suite.repeats
        return columns(self.samples, self.asked, records, scores, measures, repeats, prices)

    @cached_property
    def leaks(self) -> Columns:
        """The samples that the audit at the run's start found to be leaked; none without one."""
        audits = self.manifest.get("audit", {})
        return leak_columns(self.columns, {t: found["leaked"] for t, found in audits.items()})

    @cached_property
    def comparison(self) -> Comparison:
        compared = compare.compare(self.columns, self.samples, self.kinds, self.headlines)
        tasks = {
            name: replace(
                task,
                latency=latency.summary(self.latencies(name), self.asked[name]),
                freshness=self._freshness(name),
            )
            for name, task in compared.tasks.items()
        }
        return replace(compared, tasks=tasks)

    def _freshness(self, task: str) -> Freshness | None:
        if task not in self.changes:
            return None
        before, headline = self.changes[task], self.headlines[task]
        found = freshness.freshness(self.columns, self.samples[task], before, task, headline)
        setups = {
            name: replace(updated, work=freshness.work(self.manifest, task, name))
            for name, updated in found.setups.items()
        }
        return replace(found, setups=setups)

    @property
    def changes(self) -> dict[str, str]:
        """Tasks whose documents changed -> the tasks that are the state before."""
        named = {task: facts.get("before", "") for task, facts in self.manifest["tasks"].items()}
        return {after: before for after, before in named.items() if before in self.samples}

    @cached_property
    def rows(self) -> Rows:
        """What was measured, sample by sample, without texts."""
        facts = self.manifest["tasks"]
        decoding = {"temperature": self.suite.temperature, "repeats": self.suite.repeats}
        timed = {name: task.latency for name, task in self.comparison.tasks.items()}
        factors = {task: latency.noise_factor(found) for task, found in timed.items() if found}
        return Rows(
            self.manifest["run"],
            self.manifest["benchmark"],
            self.kinds,
            {**self.columns, **self.leaks},
            {t: {s.id: s.tags for s in members.values()} for t, members in self.samples.items()},
            {
                task: {
                    "samples": digest([about["digests"]["test"], sorted(self.samples[task])]),
                    "prompt": about["digests"]["prompt"],
                    "decoding": digest(decoding),
                    **self._scorers(task),
                }
                for task, about in facts.items()
            },
            {setup.name: self._tokenizer(setup) for setup in self.suite.setups.values()},
            {setup.name: self._dtype(setup) for setup in self.suite.setups.values()},
            {task: factor for task, factor in factors.items() if factor is not None},
            self.manifest["skipped"],
            {task: self._scorers(task, recorded) for task in facts},
        )

    def _scorers(
        self, task: str, named: Callable[[str, str], str] = lambda _, version: version
    ) -> dict[str, str]:
        """`scorer METRIC` -> its version, as `named`, and what the model was that it asked."""
        found = {}
        for metric, about in self.manifest["tasks"][task]["metrics"].items():
            version, judge = named(metric, about["version"]), self._judge(metric)
            found[f"scorer {metric}"] = digest([version, judge]) if judge else version
        return found

    def _judge(self, metric: str) -> Mapping[str, str]:
        """What the model was that a metric asked; empty where it asked none."""
        judges = self.manifest.get("judges", {})
        known = judges.get(Metric.parse(metric).judge, {}) if judges else {}
        found: Mapping[str, str] = known.get("fingerprint", {})
        return found

    def _tokenizer(self, setup: Setup) -> str:
        """What counts the tokens of a setup: weights bring their tokenizer along."""
        if setup.own:
            return f"own: {setup.name}"
        known = self.manifest["models"].get(setup.model, {})
        return str(known.get("weights") or known.get("model") or setup.model)

    def _dtype(self, setup: Setup) -> str:
        """What a setup's model computed in here; empty for what ran elsewhere."""
        known = {} if setup.own else self.manifest["models"].get(setup.model, {})
        return str(known.get("dtype", ""))

    @property
    def dtype(self) -> str:
        """What local models computed in; empty where there were none."""
        # Runs of before `auto` have it in the benchmark alone.
        return str(self.manifest.get("dtype", self.suite.dtype))

    @property
    def verdicts(self) -> dict[str, Any]:
        """What `gates.json` says, or would say without a baseline."""
        kept = self.folder / GATES
        return store.read_json(kept) if kept.is_file() else self.judged()

    def judged(
        self,
        gates: Sequence[Gate] | None = None,
        policy: Policy | None = None,
        references: Mapping[str, Rows] | None = None,
        *,
        allow_mismatch: bool = False,
    ) -> dict[str, Any]:
        """The verdicts of the benchmark's gates, or of others, as `gates.json` holds them.

        Raises `MissingEvidence` when the run is not complete.
        """
        if self.manifest["status"] != "complete":
            raise MissingEvidence(
                f"{self.folder}: the run is {self.manifest['status']}; finish it with "
                f"`bakeoff run {self.manifest['file']} --resume {self.folder.name}`"
            )
        if self.shard[1] > 1:
            raise MissingEvidence(
                f"{self.folder}: part {self.shard[0]} of {self.shard[1]}; join the parts with "
                "`bakeoff merge RUN RUN ...`"
            )
        chosen = self.suite.gates if gates is None else gates
        known = policy or self.suite.policy
        vouched = unvouched(known, self.manifest)
        evidence = Evidence(self.rows, references or {}, known, allow_mismatch, vouched)
        return as_json(judge(chosen, evidence), evidence, limited=self.limited)


def write_comparison(run: Run) -> None:
    """Keep the comparison beside the journal it was computed from."""
    write_json(run.folder / COMPARISON, run.comparison.as_json())
