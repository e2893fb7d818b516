"""A finished run read back from its folder: columns and comparison. No model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from bakeoff.analysis import compare, freshness, latency
from bakeoff.analysis.columns import Columns, leak_columns
from bakeoff.analysis.comparison import Comparison, Freshness, Latency
from bakeoff.analysis.endings import Endings
from bakeoff.analysis.measurements import SCORER, Rows
from bakeoff.analysis.reading import Reading, Scored, asked
from bakeoff.analysis.treatment import treatment
from bakeoff.core.counts import quantity
from bakeoff.core.words import MissingEvidence, Record, Sample, digest
from bakeoff.runs import cells, store, written
from bakeoff.runs.links import refuse_links
from bakeoff.runs.manifest import SCORING, Manifest, MetricFacts
from bakeoff.runs.store import ScoreRow, Unit, read_manifest, read_samples, write_json
from bakeoff.spec.benchmark import Setup, Suite
from bakeoff.spec.file_versions import recorded
from bakeoff.spec.metric import Metric

COMPARISON, GATES = "comparison.json", "gates.json"


@dataclass(frozen=True)
class Run:
    """A run's folder and what it says, each part read when it is asked for."""

    folder: Path
    only: tuple[str, ...] = ()
    """Setups to look at, while the others are still to come; all of them where empty."""
    only_tasks: tuple[str, ...] = ()
    """Tasks to look at; all of them where empty."""

    @cached_property
    def manifest(self) -> Manifest:
        whole = read_manifest(self.folder)
        if not self.only_tasks:
            return whole
        return whole.model_copy(update={"tasks": {n: whole.tasks[n] for n in self.only_tasks}})

    def having(self, known: Reading) -> Run:
        """The same run, of which so much was read while this process made it."""
        run = replace(self)
        vars(run).update(samples=known.samples, _known=known, _held=known.held, written=None)
        return run

    def held(self) -> Run:
        """The same run, its answers in memory where there are few: for who reads them often."""
        _ = self.written
        if not self.manifest.complete:
            return self
        reading = Reading(self.samples, self.suite)
        for cell in ((task, setup) for task, setups in self.asked.items() for setup in setups):
            for record, row in zip(self.records(*cell), self.scores(*cell), strict=True):
                reading.add(record)
                reading.add_scores(cell, row)
                reading.hold(record, row)
            reading.whole.add(cell)
        return self.having(reading)

    def moved(self, place: Path) -> Run:
        """The same run after its folder was moved: what was read of it need not be read again."""
        run = replace(self, folder=place)
        vars(run).update({n: part for n, part in vars(self).items() if n not in vars(run)})
        return run

    def noted(self) -> Run:
        """The same run after its manifest was written again, with no other evidence."""
        run = self.moved(self.folder)
        vars(run).pop("manifest", None)
        return run

    @property
    def shard(self) -> tuple[int, int]:
        """(i, n): the run is the i-th of n parts; (1, 1) is the whole."""
        return self.manifest.selection.shard

    def require_whole(self) -> None:
        """Raise `MissingEvidence` for a run that is not complete, one shard, or not as written."""
        if not self.manifest.complete:
            raise MissingEvidence(
                f"{self.folder}: the run is {self.manifest.status}; finish it with `{self.remedy}`"
            )
        part, parts = self.shard
        if parts > 1:
            raise MissingEvidence(
                f"{self.folder}: shard {part} of {parts}; merge the shards with "
                "`bakeoff merge RUN RUN ...`"
            )
        _ = self.written

    @property
    def remedy(self) -> str:
        """The command that brings a run to its end."""
        if self.manifest.status == SCORING:
            return f"bakeoff score {self.folder.name}"
        made_by = self.manifest.command
        command = (
            made_by if made_by.startswith("bakeoff run ") else f"bakeoff run {self.manifest.file}"
        )
        return f"{command} --resume {self.folder.name}"

    @cached_property
    def written(self) -> None:
        """Checked once: raises `MissingEvidence` where a file is not what the run wrote."""
        written.check(self.folder, self.manifest)

    @property
    def limited(self) -> str:
        """What was left out on purpose, as the command line says it; empty for a whole run."""
        return str(self.manifest.selection)

    @cached_property
    def suite(self) -> Suite:
        whole = self.manifest.suite
        setups = {n: s for n, s in whole.setups.items() if not self.only or n in self.only}
        return whole.model_copy(update={"setups": setups})

    @cached_property
    def samples(self) -> dict[str, dict[str, Sample]]:
        whole, known = read_samples(self.folder), self.manifest.tasks
        kept = {n: s for n, s in whole.items() if not self.only_tasks or n in self.only_tasks}
        path = self.folder / store.SAMPLES
        for task in dict.fromkeys([*known, *kept]):
            asked, there = known[task].n if task in known else 0, len(kept.get(task, {}))
            if asked != there:
                raise MissingEvidence(
                    f"{path}: {quantity(there, 'sample')} of task {task}, {asked} in the manifest"
                )
        return kept

    def _cells(self, task: str) -> cells.Cells:
        return cells.Cells(self.samples[task], self.suite.repeats, self.manifest.complete)

    def records(self, task: str, setup: str) -> Iterator[Record]:
        """The quality records of a task on a setup, streamed: one for each of its cells."""
        if held := self._held.get((task, setup)):
            return (record for record, _ in held)
        return cells.records(self.folder, Unit(task, setup), self._cells(task))

    @property
    def passages_shown(self) -> dict[tuple[str, str], float]:
        """(task, setup) -> passages that reached the prompt, the mean over the answers.

        Of setups that had any; of none once answers and passages were removed.
        """
        if self.manifest.pruned:
            return {}
        setups = self.suite.setups
        return {
            cell: sum(some) / len(some)
            for cell, some in self._measured[2].items()
            if setups[cell[1]].retrieve or (setups[cell[1]].custom and any(some))
        }

    def latencies(self, task: str) -> Sequence[Record]:
        """The records of a task's latency pass, of all setups."""
        return self._latencies[task]

    @cached_property
    def _latencies(self) -> dict[str, tuple[Record, ...]]:
        """Kept: several parts of a report are made of them; they are few, or hold no texts."""
        setups = self.manifest.suite.setups
        return {
            task: tuple(cells.timed(self.folder, Unit(task), samples, setups))
            for task, samples in self.samples.items()
        }

    def scores(self, task: str, setup: str) -> Iterator[ScoreRow]:
        """The scores of a task on a setup, streamed, in the order of its records."""
        if held := self._held.get((task, setup)):
            return (ScoreRow((record.sample, record.repeat), scores) for record, scores in held)
        metrics = self.manifest.tasks[task].metrics
        return cells.scores(self.folder, Unit(task, setup), self._cells(task), metrics)

    @property
    def asked(self) -> dict[str, list[str]]:
        """Task -> the setups it was asked of."""
        return asked(self.suite, self.samples)

    @property
    def kinds(self) -> dict[str, str]:
        """Setup -> its kind, a cell of the 2×2 design."""
        return {name: setup.kind for name, setup in self.suite.setups.items()}

    @property
    def headlines(self) -> dict[str, str]:
        return {name: task.headline for name, task in self.manifest.tasks.items()}

    def metric(self, task: str, name: str) -> MetricFacts:
        """What the manifest says of a metric; measured columns are better when lower."""
        return self.manifest.tasks[task].metrics.get(name, MetricFacts(higher_is_better=False))

    @property
    def columns(self) -> Columns:
        return self._measured[0]

    @property
    def endings(self) -> Endings:
        return self._measured[1]

    @cached_property
    def _measured(self) -> tuple[Columns, Endings, dict[tuple[str, str], list[int]]]:
        """Raises `MissingEvidence` for files that are not whole, or not what the run wrote."""
        _ = self.written
        measures = {
            (task, metric): about.measure
            for task, facts in self.manifest.tasks.items()
            for metric, about in facts.metrics.items()
        }
        # Taken: where a file turns out to be damaged half-way, the next call begins anew.
        known: Reading | None = vars(self).pop("_known", None)
        reading = known or Reading(self.samples, self.suite)
        for cell in ((task, setup) for task, setups in self.asked.items() for setup in setups):
            if cell not in reading.whole:
                for record in self.records(*cell):
                    reading.add(record)
                for row in self.scores(*cell):
                    reading.add_scores(cell, row)
        for task in self.samples:
            for record in self.latencies(task):
                reading.add(record)
        return reading.tables.columns(measures), reading.endings, reading.shown

    @cached_property
    def _held(self) -> Mapping[tuple[str, str], Sequence[Scored]]:
        """Answers in memory: of a run that this process made, and that is small enough."""
        return {}

    @cached_property
    def leaks(self) -> Columns:
        """The samples that the audit at the run's start found to be leaked; none without one."""
        audits = self.manifest.audit
        return leak_columns(self.columns, {t: audit.leaked for t, audit in audits.items()})

    @cached_property
    def timed(self) -> dict[str, Latency | None]:
        """Task -> its latency pass; `None` of one without."""
        return {
            name: latency.summary(
                self.latencies(name),
                self.asked[name],
                {s.id: s.cluster for s in samples.values() if s.cluster},
            )
            for name, samples in self.samples.items()
        }

    @cached_property
    def comparison(self) -> Comparison:
        compared = compare.compare(self.columns, self.samples, self.kinds, self.headlines)
        tasks = {
            name: replace(
                task,
                latency=self.timed[name],
                freshness=self._freshness(name),
                ended={s: e for s in self.asked[name] if (e := self.endings.of(name, s)).known},
            )
            for name, task in compared.tasks.items()
        }
        return replace(compared, tasks=tasks)

    def _freshness(self, task: str) -> Freshness | None:
        if task not in self.changes:
            return None
        before, headline = self.changes[task], self.headlines[task]
        result = freshness.freshness(self.columns, self.samples[task], before, task, headline)
        setups = {
            name: replace(updated, work=freshness.work(self.manifest, task, name))
            for name, updated in result.setups.items()
        }
        return replace(result, setups=setups)

    @property
    def changes(self) -> dict[str, str]:
        """Tasks whose documents changed -> the tasks that are the state before."""
        named = {task: facts.before for task, facts in self.manifest.tasks.items()}
        return {after: before for after, before in named.items() if before in self.samples}

    @cached_property
    def rows(self) -> Rows:
        """What was measured, sample by sample, without texts."""
        facts = self.manifest.tasks
        decoding = {"temperature": self.suite.temperature, "repeats": self.suite.repeats}
        factors = {
            task: latency.noise_factor(summary) for task, summary in self.timed.items() if summary
        }
        return Rows(
            self.manifest.run,
            self.manifest.benchmark,
            self.kinds,
            {**self.columns, **self.leaks},
            {t: {s.id: s.tags for s in members.values()} for t, members in self.samples.items()},
            {
                task: {
                    "samples": digest([about.digests.test, sorted(self.samples[task])]),
                    "prompt": about.digests.prompt,
                    "decoding": digest(decoding),
                    **({"scoring": about.digests.scoring} if about.digests.scoring else {}),
                    **self._scorers(task),
                }
                for task, about in facts.items()
            },
            {setup.name: self._tokenizer(setup) for setup in self.suite.setups.values()},
            {setup.name: self._dtype(setup) for setup in self.suite.setups.values()},
            {task: factor for task, factor in factors.items() if factor is not None},
            self.manifest.skipped,
            {
                task: {
                    name: treatment(self.manifest, task, setup)
                    for name, setup in self.suite.setups.items()
                }
                for task in facts
            },
            {task: self._scorers(task, recorded) for task in facts},
            self._contents(),
        )

    def _contents(self) -> dict[str, dict[str, str]]:
        return {
            task: {s.id: digest([dict(s.fields), s.targets, s.gold]) for s in members.values()}
            for task, members in self.samples.items()
        }

    def _scorers(
        self, task: str, named: Callable[[str, str], str] = lambda _, version: version
    ) -> dict[str, str]:
        """`scorer METRIC` -> its version, as `named`, and what the model was that it asked."""
        versions = {}
        for metric, about in self.manifest.tasks[task].metrics.items():
            version = named(metric, about.version)
            judge = self.manifest.judges and self.manifest.judge(Metric.parse(metric).judge)
            versions[SCORER + metric] = digest([version, dict(judge)]) if judge else version
        return versions

    def _tokenizer(self, setup: Setup) -> str:
        """What counts the tokens of a setup: weights bring their tokenizer along."""
        if setup.custom:
            return f"own: {setup.name}"
        known = self.manifest.fingerprint(setup)
        return known.get("weights") or known.get("model") or setup.model

    def _dtype(self, setup: Setup) -> str:
        """What a setup's model computed in here; empty for what ran elsewhere."""
        return self.manifest.fingerprint(setup).get("dtype", "")

    @property
    def dtype(self) -> str:
        """What local models computed in; empty where there were none."""
        # Runs of before `auto` have it in the benchmark alone.
        known = self.manifest.dtype
        return str(self.suite.dtype) if known is None else known


def write_comparison(run: Run) -> None:
    """Keep the comparison beside the journal it was computed from."""
    refuse_links(run.folder)
    write_json(run.folder / COMPARISON, asdict(run.comparison))
