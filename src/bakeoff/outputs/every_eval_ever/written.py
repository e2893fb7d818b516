"""A run written as records of Every Eval Ever: one for each setup, with a file of its answers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.stats import LEVEL
from bakeoff.core import disk
from bakeoff.core.estimate import Estimate
from bakeoff.core.measure import MEASURES
from bakeoff.core.words import Record, Sample, Score
from bakeoff.outputs.every_eval_ever.models import model_info
from bakeoff.outputs.every_eval_ever.records import (
    Attribution,
    Evaluation,
    GenerationArgs,
    GenerationConfig,
    Input,
    Interval,
    Library,
    MetricConfig,
    ModelInfo,
    Output,
    Result,
    Row,
    SamplesFile,
    Scored,
    ScoreDetails,
    Source,
    SourceData,
    TokenUsage,
    Uncertainty,
)
from bakeoff.spec.benchmark import Setup

UNITS = {"_s": "seconds", "_tokens": "tokens"}
"""How the names of measured columns end -> their unit."""


def write(run: Run, folder: Path, organization: str = "unknown") -> dict[Path, int]:
    """Write every setup's record and rows below `folder/data`; file -> how many entries it has.

    `organization` is who evaluated. The same run is written into the same files. Raises
    `MissingEvidence` for a run that is not whole, `BakeoffError` where nothing can be written.
    """
    run.require_whole()
    written: dict[Path, int] = {}
    for name in run.suite.setups:
        writer = _Writer(run, run.suite.setups[name], organization)
        written |= writer.write(folder)
    return written


@dataclass(frozen=True)
class _Writer:
    """Writes what a run says of one setup."""

    run: Run
    setup: Setup
    organization: str

    @property
    def model(self) -> ModelInfo:
        return model_info(self.run, self.setup)

    @property
    def evaluation(self) -> str:
        return f"{self.run.manifest.benchmark}/{self.model.id}/{self.run.manifest.run}"

    @property
    def stem(self) -> str:
        """Path of both files without their endings: a UUID that is always the same."""
        named = hashlib.sha256(f"{self.run.manifest.run}/{self.setup.name}".encode()).digest()
        identity = uuid.UUID(bytes=named[:16], version=4)
        return f"data/{self.run.manifest.benchmark}/{self.model.id}/{identity}"

    def write(self, folder: Path) -> dict[Path, int]:
        rows, record = folder / f"{self.stem}_samples.jsonl", folder / f"{self.stem}.json"
        with disk.refusals(folder):
            rows.parent.mkdir(parents=True, exist_ok=True)
        counted, checksum = 0, hashlib.sha256()

        def lines() -> Iterator[str]:
            nonlocal counted
            for row in self.rows():
                line = f"{row.text()}\n"
                counted += 1
                checksum.update(line.encode())
                yield line

        disk.replace(rows, lines())
        details = SamplesFile(
            file_path=f"{self.stem}_samples.jsonl",
            checksum=checksum.hexdigest(),
            total_rows=counted,
        )
        results = tuple(self.results())
        disk.replace(record, [self.record(results, details).text() + "\n"])
        return {record: len(results), rows: counted}

    def record(self, results: tuple[Result, ...], details: SamplesFile) -> Evaluation:
        manifest = self.run.manifest
        at = str(manifest.started.timestamp())
        return Evaluation(
            evaluation_id=self.evaluation,
            evaluation_timestamp=at,
            retrieved_timestamp=at,
            source_metadata=Source(
                source_name=f"bakeoff: {manifest.benchmark}",
                source_organization_name=self.organization,
                # Whoever tunes a model or builds a system evaluates what is their own.
                evaluator_relationship="other" if self.setup.kind == "base" else "first_party",
                additional_details={"run": manifest.run, "commit": manifest.commit or "unknown"},
            ),
            eval_library=Library(
                name="bakeoff", version=manifest.versions.get("bakeoff") or "unknown"
            ),
            model_info=self.model,
            evaluation_results=results,
            detailed_evaluation_results=details,
        )

    def results(self) -> Iterator[Result]:
        for task, facts in self.run.comparison.tasks.items():
            for metric, summary in facts.metrics.items():
                estimate = summary.setups.get(self.setup.name)
                if estimate and estimate.value is not None:
                    yield self.result(task, metric, estimate, estimate.value)

    def result(self, task: str, metric: str, estimate: Estimate, value: float) -> Result:
        manifest = self.run.manifest
        facts, suite = manifest.tasks[task], self.run.suite
        return Result(
            evaluation_result_id=f"{task}/{metric}",
            evaluation_name=task,
            evaluation_timestamp=str(manifest.started.timestamp()),
            source_data=SourceData(
                dataset_name=task,
                additional_details={
                    "license": facts.license or "unknown",
                    "rows_digest": facts.digests.test,
                    "samples": str(len(self.run.samples[task])),
                },
            ),
            metric_config=self.metric(task, metric),
            score_details=ScoreDetails(
                score=value,
                details={"unjudged": str(estimate.unjudged)},
                uncertainty=_uncertainty(estimate),
            ),
            generation_config=GenerationConfig(
                generation_args=GenerationArgs(
                    temperature=suite.temperature, execution_command=manifest.command
                ),
                additional_details={"seed": str(suite.seed), "repeats": str(suite.repeats)},
            ),
        )

    def metric(self, task: str, metric: str) -> MetricConfig:
        facts = self.run.metric(task, metric)
        measure = MEASURES.get(metric, facts.measure)
        low, high = measure.bounds or (None, None)
        unit = next((unit for end, unit in UNITS.items() if metric.endswith(end)), None)
        return MetricConfig(
            evaluation_description=facts.about or f"{metric}, measured by bakeoff",
            metric_id=metric,
            metric_name=metric,
            metric_unit="proportion" if (low, high) == (0, 1) else unit,
            lower_is_better=not measure.higher_is_better,
            score_type="continuous" if measure.bounds else None,
            min_score=low,
            max_score=high,
            additional_details={
                "aggregate": measure.aggregate,
                "scorer_version": facts.version or "none",
            },
        )

    def rows(self) -> Iterator[Row]:
        """Every score of every answer; what could not be judged has no row."""
        for task in (t for t, setups in self.run.asked.items() if self.setup.name in setups):
            pair = task, self.setup.name
            for record, scored in zip(self.run.records(*pair), self.run.scores(*pair), strict=True):
                for metric, score in scored.scores.items():
                    if score.applies and score.value is not None:
                        yield self.row(record, metric, score, score.value)

    def row(self, record: Record, metric: str, score: Score, value: float) -> Row:
        sample = self.run.samples[record.task][record.sample]
        measure = self.run.metric(record.task, metric)
        best = measure.bounds and measure.bounds[1 if measure.higher_is_better else 0]
        read, said = (record.outcome.tokens(f"{kind}_tokens") for kind in ("prompt", "completion"))
        texts = (record.answer.text,) if record.answer else ()
        return Row(
            evaluation_id=self.evaluation,
            model_id=self.model.id,
            evaluation_name=record.task,
            evaluation_result_id=f"{record.task}/{metric}",
            sample_id=record.sample,
            sample_hash=_hash(sample),
            input=Input(raw=sample.question, reference=sample.targets),
            output=Output(raw=texts),
            answer_attribution=tuple(Attribution(extracted_value=text) for text in texts),
            evaluation=Scored(score=value, is_correct=value == best),
            token_usage=TokenUsage(input_tokens=read, output_tokens=said, total_tokens=read + said),
            error=record.error,
            metadata={
                **dict(sample.tags),
                "repeat": str(record.repeat),
                **({"reason": score.reason} if score.reason else {}),
            },
        )


def _hash(sample: Sample) -> str:
    """The same for the same question and answers, whatever the sample is called."""
    return hashlib.sha256((sample.question + "".join(sample.targets)).encode()).hexdigest()


def _uncertainty(estimate: Estimate) -> Uncertainty:
    interval = None
    if estimate.low is not None and estimate.high is not None:
        interval = Interval(
            lower=estimate.low,
            upper=estimate.high,
            confidence_level=LEVEL,
            method=estimate.method or "unknown",
        )
    return Uncertainty(confidence_interval=interval, num_samples=estimate.n)
