"""Some answers of a setup as traces with assessments, for the per-sample views.

Made after measuring, from what the latency pass timed: nothing is traced while it is measured.
Spans are sent in batches through mlflow's own client of its trace endpoints, which says when one
did not arrive; the queue behind `mlflow.start_span` drops what does not fit, with a warning.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities import (
    AssessmentError,
    AssessmentSource,
    Expectation,
    Feedback,
    Span,
    SpanType,
    TraceInfo,
)
from mlflow.entities.trace_location import TraceLocation
from mlflow.entities.trace_state import TraceState
from mlflow.tracing.client import TracingClient

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, BakeoffError, Record, Score, Step
from bakeoff.outputs.mlflow.names import metric_name, rounded, text
from bakeoff.outputs.mlflow.tables import UNANSWERABLE, answer_text
from bakeoff.spec.benchmark import Setup

BATCH = 100
"""Traces sent before they are counted back."""
FAILURES = 200
"""Failed answers of a setup that are traced, beside the others."""
PART = "some answers, and failures"
"""What the traces of a run are, as a tag."""
NOTE = "Traces are of some answers and of failures: averages over them are not those of a run."
"""The UI's name of averages over traces."""
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Place:
    """Where the traces of a setup belong."""

    experiment: str
    run: str
    model: str
    new: bool = False
    """Whether the run was made just now: there are no traces of it."""


@dataclass(frozen=True)
class _Traced:
    """One answer with its scores and, where it was asked alone, its times."""

    record: Record
    scores: Mapping[str, Score]
    timed: Answer | None


def log(
    client: mlflow.MlflowClient, uri: str, run: Run, setup: Setup, place: Place, count: int
) -> int:
    """Send the traces of `count` samples and of failures that are not there yet; how many.

    Raises `BakeoffError` when fewer arrive than were sent.
    """
    if not count:
        return 0
    there = set() if place.new else _whole(client, place)
    tracing = TracingClient(uri)
    wanted = [(_identity(place, traced.record), traced) for traced in _chosen(run, setup, count)]
    missing = [(identity, traced) for identity, traced in wanted if f"tr-{identity}" not in there]
    start = int(run.manifest.started.timestamp() * _SECOND)
    setups = list(run.suite.setups)
    for first in range(0, len(missing), BATCH):
        spans: list[Span] = []
        untimed: list[TraceInfo] = []
        for number, (identity, traced) in enumerate(missing[first : first + BATCH], first):
            # The UI lists the newest first: so the samples are in the order of the task, and those
            # who answered one in the order of the benchmark.
            turn = number * len(setups) + setups.index(setup.name)
            begins = start - turn * _SECOND // 1000
            made = list(_spans(identity, run, traced, begins))
            info = _info(identity, run, setup, place, traced, made[0])
            tracing.start_trace(info)
            spans += made
            tokens = any(span.span_type == SpanType.LLM for span in made)
            if info.execution_duration is None and not tokens:
                untimed.append(info)
        tracing.log_spans(place.experiment, spans)
        # A server takes a span without an end for one that ended in 1970, unless a span of its
        # trace has tokens: what is said again after the spans stays.
        for info in untimed:
            info.assessments = []
            tracing.start_trace(info)
    if missing:
        arrived = _whole(client, place)
        if lost := [identity for identity, _ in missing if f"tr-{identity}" not in arrived]:
            raise BakeoffError(
                f"MLflow: {len(lost)} of {len(missing)} traces of {setup.name} did not arrive; "
                f"send them again with `bakeoff log {run.folder.name}`"
            )
    return len(missing)


def _whole(client: mlflow.MlflowClient, place: Place) -> set[str]:
    """The ids of the traces that the run has; those that came without their spans go away."""
    traces = list(_there(client, place))
    whole = {trace.trace_id for trace in traces if "mlflow.trace.spansLocation" in trace.tags}
    _delete(client, place.experiment, [e.trace_id for e in traces if e.trace_id not in whole])
    return whole


def _there(client: mlflow.MlflowClient, place: Place) -> Iterator[TraceInfo]:
    """The traces that the run has."""
    token = None
    while True:
        page = client.search_traces(
            locations=[place.experiment],
            run_id=place.run,
            max_results=500,
            page_token=token,
            include_spans=False,
        )
        yield from (trace.info for trace in page)
        if not (token := page.token):
            return


def forget(client: mlflow.MlflowClient, experiment: str, run: str) -> None:
    """Take the traces of a run away, before the run itself is."""
    traces = _there(client, Place(experiment, run, ""))
    _delete(client, experiment, [trace.trace_id for trace in traces])


def _delete(client: mlflow.MlflowClient, experiment: str, traces: Sequence[str]) -> None:
    for first in range(0, len(traces), BATCH):
        client.delete_traces(experiment, trace_ids=list(traces[first : first + BATCH]))


def _identity(place: Place, record: Record) -> str:
    """The same for the same answer in the same run: sent twice, a trace still occurs once."""
    again = f"\n{record.repeat}" if record.repeat else ""
    key = f"{place.run}\n{record.task}\n{record.sample}{again}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _chosen(run: Run, setup: Setup, count: int) -> list[_Traced]:
    """The first samples of each task, those first that were timed, and all that failed.

    The samples are the same for all setups; of failures there are at most `FAILURES`.
    """
    tasks = [task for task, setups in run.asked.items() if setup.name in setups]
    chosen: list[_Traced] = []
    left, failures = count, FAILURES
    for place, task in enumerate(tasks):
        share = left // (len(tasks) - place)
        timed = {
            record.sample: record.answer
            for record in run.latencies(task)
            if record.setup == setup.name and record.repeat == 0
        }
        ordered = list(
            dict.fromkeys([*(s for s in run.samples[task] if s in timed), *run.samples[task]])
        )
        names = dict.fromkeys((name, 0) for name in ordered[:share])
        records = {
            (record.sample, record.repeat): record
            for record in run.records(task, setup.name)
            if (record.sample, record.repeat) in names or record.error
        }
        failed = [key for key in records if key not in names][:failures]
        left, failures = left - len(names), failures - len(failed)
        wanted = [*(key for key in names if key in records), *failed]
        scores = {
            (row.sample, row.repeat): row.scores
            for row in run.scores(task, setup.name)
            if (row.sample, row.repeat) in records
        }
        chosen += [
            _Traced(records[key], scores.get(key, {}), None if key[1] else timed.get(key[0]))
            for key in wanted
        ]
    return chosen


def _parts(traced: _Traced) -> list[tuple[str, str, list[Step], float]]:
    """(name, kind, steps, seconds) of what was done in turn; prefill and decode are one."""
    answer = traced.timed or traced.record.answer
    parts: list[tuple[str, str, list[Step], float]] = []
    for step in answer.steps if answer else ():
        generating = step.name in ("prefill", "decode", "generate")
        name = "generate" if generating else step.name
        kind = {"generate": SpanType.LLM, "retrieve": SpanType.RETRIEVER}.get(name, SpanType.TOOL)
        if parts and parts[-1][0] == name == "generate":
            _, _, steps, seconds = parts.pop()
            parts.append((name, kind, [*steps, step], seconds + (step.seconds or 0.0)))
        else:
            parts.append((name, kind, [step], step.seconds or 0.0))
    return parts


def _spans(identity: str, run: Run, traced: _Traced, begins: int) -> Iterator[Span]:
    """The root span of an answer, then its parts in turn."""
    record, parts = traced.record, _parts(traced)
    question = text(run.samples[record.task][record.sample].question)
    # An answer of a batch took no time of its own: that is unknown, not nothing.
    whole = sum(seconds for *_, seconds in parts) if traced.timed else None
    about = {"task": record.task, "sample": text(record.sample), "timed": traced.timed is not None}
    if traced.timed and record.answer and traced.timed.text != record.answer.text:
        # In a batch some answers come out otherwise; the times are of this one.
        about["answer when timed"] = text(traced.timed.text)
    root = _span(
        identity,
        (record.setup, SpanType.CHAIN, 0),
        (begins, whole),
        (question, answer_text(record)),
        about,
        record.error,
    )
    yield root
    at = begins
    for number, (name, kind, steps, seconds) in enumerate(parts, 1):
        passages = record.answer.passages if record.answer else ()
        documents = [
            {"page_content": text(p.text), "metadata": {"doc_uri": text(p.document)}}
            for p in passages
        ]
        made: Any = documents if kind == SpanType.RETRIEVER else answer_text(record)
        spent = {"steps": [{"name": s.name, "seconds": s.seconds} for s in steps]}
        if kind == SpanType.LLM:
            spent["mlflow.chat.tokenUsage"] = _tokens(steps)  # type: ignore[assignment]
        time = (at, seconds if traced.timed else None)
        yield _span(identity, (text(name), kind, number), time, (question, made), spent)
        at += int(seconds * _SECOND)


def _tokens(steps: Sequence[Step]) -> dict[str, int]:
    prompt, completion = (
        sum(getattr(s, f"{k}_tokens") for s in steps) for k in ("prompt", "completion")
    )
    return {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _span(
    identity: str,
    named: tuple[str, str, int],
    time: tuple[int, float | None],
    content: tuple[Any, Any],
    about: Mapping[str, object],
    error: str | None = None,
) -> Span:
    """A span as mlflow stores it; the first one of a trace (number 0) is the root."""
    name, kind, number = named
    begins, seconds = time
    attributes = {
        "mlflow.traceRequestId": f"tr-{identity}",
        "mlflow.spanType": kind,
        "mlflow.spanInputs": {"question": content[0]},
        "mlflow.spanOutputs": content[1],
        **about,
    }
    return Span.from_dict(
        {
            "trace_id": _base64(bytes.fromhex(identity)),
            "span_id": _base64(_part(identity, number)),
            "parent_span_id": _base64(_part(identity, 0)) if number else None,
            "name": name,
            "start_time_unix_nano": begins,
            "end_time_unix_nano": None if seconds is None else begins + int(seconds * _SECOND),
            "status": {
                "code": "STATUS_CODE_ERROR" if error else "STATUS_CODE_OK",
                "message": text(error or ""),
            },
            "attributes": {key: json.dumps(value) for key, value in attributes.items()},
            "events": [],
        }
    )


def _part(identity: str, number: int) -> bytes:
    return hashlib.sha256(f"{identity} {number}".encode()).digest()[:8]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _info(
    identity: str, run: Run, setup: Setup, place: Place, traced: _Traced, root: Span
) -> TraceInfo:
    record = traced.record
    metadata = {
        "mlflow.sourceRun": place.run,
        "mlflow.modelId": place.model,
        "mlflow.trace_schema.version": "3",
    }
    if answer := traced.timed or record.answer:
        metadata["mlflow.trace.tokenUsage"] = json.dumps(_tokens(answer.steps))
    return TraceInfo(
        trace_id=f"tr-{identity}",
        trace_location=TraceLocation.from_experiment_id(place.experiment),
        request_time=root.start_time_ns // 1_000_000,
        state=TraceState.ERROR if record.error else TraceState.OK,
        request_preview=text(run.samples[record.task][record.sample].question)[:1000],
        response_preview=answer_text(record)[:1000],
        execution_duration=_milliseconds(root),
        trace_metadata=metadata,
        tags={
            "mlflow.traceName": setup.name,
            "setup": setup.name,
            "kind": setup.kind,
            "task": record.task,
            "sample": text(record.sample)[:200],
            "invocation": run.manifest.run,
            "part": PART,
        },
        assessments=list(_assessments(f"tr-{identity}", run, traced)),
    )


def _milliseconds(span: Span) -> int | None:
    ends = span.end_time_ns
    # Rounded: cut off, all averages were half a millisecond too low.
    return None if ends is None else round((ends - span.start_time_ns) / 1_000_000)


def _assessments(trace: str, run: Run, traced: _Traced) -> Iterator[Feedback | Expectation]:
    """Each score with its reason, the headline metric first, and what was expected."""
    sample, headline = (
        run.samples[traced.record.task][traced.record.sample],
        run.headlines[traced.record.task],
    )
    targets = [text(target) for target in sample.targets]
    yield Expectation(
        name="expected_response",
        value=targets[0] if targets else UNANSWERABLE,
        source=AssessmentSource(source_type="HUMAN", source_id="task"),
        trace_id=trace,
    )
    for name, score in sorted(traced.scores.items(), key=lambda item: item[0] != headline):
        source = AssessmentSource(source_type="CODE", source_id="bakeoff")
        unjudged = AssessmentError("UNJUDGED", text(score.reason or "could not be judged"))
        yield Feedback(
            name=metric_name(name),
            value=None if score.value is None else rounded(score.value),
            error=unjudged if score.value is None else None,
            rationale=text(score.reason) or None,
            source=source,
            trace_id=trace,
        )
