"""Traces: spans of OpenTelemetry's GenAI conventions, and what `mlflow.search_traces` gives.

A trace is a sample. Spans come as OTLP JSON (`resourceSpans`) or as its SDK prints them, a document
or one a line. https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.rows import LINES
from bakeoff.running.importing.sources import Source, made_id, slug
from bakeoff.tasks.formats.decoding import decoded
from bakeoff.tasks.formats.json_rows import Row

_QUESTIONS = ("question", "query", "user_input", "input", "prompt", "messages")
_ANSWERS = ("answer", "response", "output", "content", "text", "choices", "message")


def recognizes(file: Path) -> bool:
    """By what the first line or document holds."""
    if file.suffix.lower() not in LINES:
        return False
    try:
        head = "".join(islice(decoded(file), 40))[:20000]
    except BakeoffError:
        return False
    mlflow = '"trace_id"' in head and '"execution_duration' in head
    return mlflow or '"resourceSpans"' in head or ('"context"' in head and '"gen_ai.' in head)


def rows(source: Source) -> Iterator[Row]:
    """A row a trace."""
    spans: dict[str, list[dict[str, Any]]] = {}
    met: Counter[str] = Counter()
    for place, document in _documents(source.file):
        if isinstance(document, dict) and "execution_duration" in document:
            if source.wants(document):
                yield place, _named(_of_mlflow(document), met)
        elif spans_here := list(_spans(document)):
            for span in spans_here:
                spans.setdefault(span["trace"], []).append(span)
        else:
            yield place, "no trace of MLflow and no spans"
    for trace, parts in spans.items():
        row = _of_spans(sorted(parts, key=lambda span: span["start"]))
        # A failure counts, also where it ended before anything was noted of it.
        if not (row["question"] or row["answer"] or row["error"]):
            source.left["traces without a question and an answer"] += 1
        elif source.wants(row):
            yield f"trace {trace}", _named(row, met)


def _named(row: dict[str, Any], met: Counter[str]) -> dict[str, Any]:
    return {**row, "id": made_id(row["question"], met)}


def _documents(file: Path) -> Iterator[tuple[str, Any]]:
    """Every JSON value of a file: its lines, its list, or the one that it is."""
    lines = enumerate(decoded(file), 1)
    if file.suffix.lower() == ".json":
        text = "".join(line for _, line in lines)
        try:
            whole = loads(text, constants=True)
        except ValueError:
            lines = enumerate(text.splitlines(), 1)
        else:
            listed = whole if isinstance(whole, list) else [whole]
            yield from ((f"document {n}", value) for n, value in enumerate(listed, 1))
            return
    for number, line in lines:
        if line.strip():
            try:
                yield f"line {number}", loads(line, constants=True)
            except ValueError as error:
                raise BakeoffError(f"{file}: line {number}: not JSON: {error}") from error


def _spans(document: Any) -> Iterator[dict[str, Any]]:
    """Spans as OTLP or the SDK write them, in one form."""
    if not isinstance(document, dict):
        return
    for resource in document.get("resourceSpans") or ():
        about = _attributes((resource.get("resource") or {}).get("attributes"))
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield {
                    "trace": str(span.get("traceId")),
                    "root": not span.get("parentSpanId"),
                    "start": int(span.get("startTimeUnixNano") or 0),
                    "end": int(span.get("endTimeUnixNano") or 0),
                    "attributes": _attributes(span.get("attributes")),
                    "service": about.get("service.name"),
                    "error": _error(span.get("status") or {}),
                }
    if isinstance(context := document.get("context"), dict):
        resource = document.get("resource") or {}
        yield {
            "trace": str(context.get("trace_id")),
            "root": not document.get("parent_id"),
            "start": _nanoseconds(document.get("start_time")),
            "end": _nanoseconds(document.get("end_time")),
            "attributes": document.get("attributes") or {},
            "service": (resource.get("attributes") or {}).get("service.name"),
            "error": _error(document.get("status") or {}),
        }


def _error(status: Mapping[str, Any]) -> str:
    code = status.get("code", status.get("status_code"))
    if code in (2, "STATUS_CODE_ERROR", "ERROR"):
        return str(status.get("message") or status.get("description") or "the trace failed")
    return ""


def _nanoseconds(time: Any) -> int:
    try:
        return int(datetime.fromisoformat(str(time)).timestamp() * 1e9)
    except ValueError:
        return 0


def _attributes(listed: Any) -> dict[str, Any]:
    """Attributes of OTLP as plain values."""
    return {
        str(entry.get("key")): _value(entry.get("value") or {})
        for entry in listed or ()
        if isinstance(entry, dict)
    }


def _value(value: Mapping[str, Any]) -> Any:
    stated: tuple[str, Any] = next(iter(value.items()), ("", {}))
    kind, held = stated
    if kind == "intValue":
        return int(held)
    if kind == "arrayValue":
        return [_value(entry) for entry in held.get("values") or ()]
    if kind == "kvlistValue":
        return _attributes(held.get("values"))
    return held


def _of_spans(spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The row of a trace: its calls of a model, and what was retrieved for them."""
    root = next((span for span in spans if span["root"]), spans[0])
    calls = [s for s in spans if "gen_ai.usage.input_tokens" in s["attributes"]]
    last = calls[-1]["attributes"] if calls else root["attributes"]
    found = [
        s["attributes"]["gen_ai.retrieval.documents"]
        for s in spans
        if ("gen_ai.retrieval.documents" in s["attributes"])
    ]
    query = next(
        (q for s in spans if (q := s["attributes"].get("gen_ai.retrieval.query.text"))), None
    )
    ended = last.get("gen_ai.response.finish_reasons") or [None]
    return {
        "setup": root["service"] or last.get("gen_ai.request.model") or "traces",
        "question": _asked(root, last) or str(query or ""),
        "answer": _text(_parsed(last.get("gen_ai.output.messages")), ("assistant",)),
        "passages": [p for part in found for p in _documents_of(part)] if found else None,
        "prompt_tokens": _sum(calls, "gen_ai.usage.input_tokens"),
        "completion_tokens": _sum(calls, "gen_ai.usage.output_tokens"),
        "seconds": (root["end"] - root["start"]) / 1e9 if root["end"] else None,
        "finish_reason": ended[0] if isinstance(ended, list) else ended,
        "error": root["error"],
    }


def _asked(root: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    given = root["attributes"].get("gen_ai.input.messages") or call.get("gen_ai.input.messages")
    return _text(_parsed(given), ("user",))


def _sum(spans: Sequence[Mapping[str, Any]], name: str) -> int | None:
    counts = [span["attributes"][name] for span in spans if name in span["attributes"]]
    return sum(map(int, counts)) if counts else None


def _parsed(value: Any) -> Any:
    """A value that may be written as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return loads(value, constants=True)
    except ValueError:
        return value


def _text(value: Any, roles: Sequence[str]) -> str:
    """The text of a value: of messages, the last one of these roles."""
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, dict)]
        spoken = [part for part in parts if part.get("role") in roles]
        if spoken:
            return _text(spoken[-1], roles)
        texts = [part.get("content", part.get("text")) for part in parts]
        return "\n".join(text for text in texts if isinstance(text, str))
    if isinstance(value, dict):
        names = ("content", "parts", *_QUESTIONS, *_ANSWERS)
        held = next((value[name] for name in names if value.get(name)), None)
        if held is None:
            held = next((v for v in value.values() if isinstance(v, str)), "")
        return _text(held, roles)
    return "" if value is None else str(value)


def _documents_of(value: Any) -> Iterator[dict[str, Any]]:
    """Passages of a retrieval, as LangChain, MLflow and the conventions name their parts."""
    listed = _parsed(value)
    for document in listed if isinstance(listed, list) else ():
        if isinstance(document, dict):
            about = document.get("metadata") or {}
            names = ("page_content", "content", "text")
            text = next((document[name] for name in names if name in document), "")
            name = document.get("id") or about.get("doc_uri") or about.get("source")
            yield {"text": str(text), "document": name, "score": document.get("score")}
        else:
            yield {"text": str(document)}


def _of_mlflow(row: Mapping[str, Any]) -> dict[str, Any]:
    spans = [
        {name: _parsed(value) for name, value in (span.get("attributes") or {}).items()}
        for span in _parsed(row.get("spans")) or ()
        if isinstance(span, dict)
    ]
    found = [s.get("mlflow.spanOutputs") for s in spans if s.get("mlflow.spanType") == "RETRIEVER"]
    about = _parsed(row.get("trace_metadata")) or {}
    usage = _parsed(about.get("mlflow.trace.tokenUsage")) or {}
    tags = _parsed(row.get("tags")) or {}
    return {
        "setup": about.get("mlflow.modelId") or tags.get("mlflow.traceName") or "traces",
        "question": _text(_parsed(row.get("request")), ("user",)),
        "answer": _text(_parsed(row.get("response")), ("assistant",)),
        "passages": [p for part in found for p in _documents_of(part)] if found else None,
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "seconds": row["execution_duration"] / 1000 if row.get("execution_duration") else None,
        "error": "the trace failed" if row.get("state") == "ERROR" else None,
        "scores": dict(_assessments(_parsed(row.get("assessments")) or ())),
        "tags": tags,
    }


def _assessments(listed: Any) -> Iterator[tuple[str, Any]]:
    """Feedback that is a number, true or false, or yes or no."""
    for entry in listed:
        feedback = entry.get("feedback") if isinstance(entry, dict) else None
        value = feedback.get("value") if isinstance(feedback, dict) else None
        number = {"yes": 1.0, "no": 0.0}.get(value) if isinstance(value, str) else value
        if isinstance(number, bool | int | float):
            yield slug(str(entry.get("assessment_name") or entry.get("name"))), number
