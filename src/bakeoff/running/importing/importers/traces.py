"""Traces, a sample each: spans of OpenTelemetry's GenAI conventions (`spans`), and what
`mlflow.search_traces` gives (`mlflow_trace`); a document, or one a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bakeoff.core.strict_json import loads
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.foreign import understood
from bakeoff.running.importing.importers.mlflow_trace import Trace
from bakeoff.running.importing.importers.spans import Span, row_of, spans_of
from bakeoff.running.importing.rows import LINES
from bakeoff.running.importing.sources import Row, Source
from bakeoff.tasks.formats.decoding import decoded


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
    traces: dict[str, list[Span]] = {}
    met: Counter[str] = Counter()
    for place, document in _documents(source.file):
        if isinstance(document, dict) and "execution_duration" in document:
            if source.wants(document):
                trace = understood(Trace, document)
                yield place, trace if isinstance(trace, str) else trace.row(met)
            continue
        spans = spans_of(document)
        if isinstance(spans, str):
            yield place, spans
            continue
        for span in spans:
            traces.setdefault(span.trace, []).append(span)
    for name, parts in traces.items():
        row = row_of(parts, met)
        # A failure counts, also where it ended before anything was noted of it.
        if row is None:
            source.left["traces without a question and an answer"] += 1
        elif source.wants(row):
            yield f"trace {name}", row


def _documents(file: Path) -> Iterator[tuple[str, Any]]:
    """Every JSON value of a file: its lines, its list, or the one that it is."""
    lines = enumerate(decoded(file), 1)
    if file.suffix.lower() == ".json":
        text = "".join(line for _, line in lines)
        try:
            whole = loads(text, constants=True)
        except ValueError:
            lines = enumerate(text.split("\n"), 1)
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
