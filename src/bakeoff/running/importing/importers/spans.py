"""Spans of OpenTelemetry, as OTLP JSON or its SDK write them, in one form.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bakeoff.running.importing.foreign import Foreign, understood
from bakeoff.running.importing.importers.messages import parsed, passages_in, text_in
from bakeoff.running.importing.sources import OwnRow, made_id

_AGENTS = ("invoke_agent", "create_agent", "invoke_workflow")
"""Operations that state the tokens of all calls inside them once more."""
_ERRORS = (2, "STATUS_CODE_ERROR", "ERROR")


class Said(Foreign):
    """What the attributes of a span say of a call of a model, or of a retrieval."""

    operation: str | None = Field(default=None, alias="gen_ai.operation.name")
    model: str | None = Field(default=None, alias="gen_ai.request.model")
    input_messages: Any = Field(default=None, alias="gen_ai.input.messages")
    output_messages: Any = Field(default=None, alias="gen_ai.output.messages")
    input_tokens: int | None = Field(
        default=None,
        validation_alias=AliasChoices("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    )
    output_tokens: int | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"
        ),
    )
    finish_reasons: Any = Field(default=None, alias="gen_ai.response.finish_reasons")
    query: Any = Field(default=None, alias="gen_ai.retrieval.query.text")
    documents: Any = Field(default=None, alias="gen_ai.retrieval.documents")

    @property
    def is_call(self) -> bool:
        return self.input_tokens is not None or self.input_messages is not None

    @property
    def finish_reason(self) -> Any:
        """Of the first choice."""
        stated = self.finish_reasons
        return next(iter(stated), None) if isinstance(stated, list) else stated


@dataclass(frozen=True)
class Span:
    trace: str
    root: bool
    start_s: float
    end_s: float
    said: Said
    service: str | None
    error: str
    """Empty where it did not fail."""


class _Service(Foreign):
    name: str | None = Field(default=None, alias="service.name")


class _Status(Foreign):
    code: Any = Field(default=None, validation_alias=AliasChoices("code", "status_code"))
    message: str = Field(
        default="the trace failed", validation_alias=AliasChoices("message", "description")
    )

    @property
    def error(self) -> str:
        return self.message or "the trace failed" if self.code in _ERRORS else ""


class _Otlp(Foreign):
    """A part of an OTLP document: its names are written likeThis."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Value(_Otlp):
    string_value: str | None = None
    int_value: int | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None

    @property
    def plain(self) -> object:
        """The value itself."""
        if self.array_value:
            return [value.plain for value in self.array_value.values]
        if self.kvlist_value:
            return _plain(self.kvlist_value.values)
        held = (self.string_value, self.int_value, self.double_value, self.bool_value)
        return next((value for value in held if value is not None), None)


class _Values(_Otlp):
    values: tuple[_Value, ...] = ()


class _Pair(_Otlp):
    key: str
    value: _Value = Field(default_factory=_Value)


class _Pairs(_Otlp):
    values: tuple[_Pair, ...] = ()


class _OtlpSpan(_Otlp):
    trace_id: str
    parent_span_id: str = ""
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: tuple[_Pair, ...] = ()
    status: _Status = Field(default_factory=_Status)


class _Resource(_Otlp):
    attributes: tuple[_Pair, ...] = ()


class _ScopeSpans(_Otlp):
    spans: tuple[_OtlpSpan, ...] = ()


class _ResourceSpans(_Otlp):
    resource: _Resource = Field(default_factory=_Resource)
    scope_spans: tuple[_ScopeSpans, ...] = ()


class _OtlpDocument(_Otlp):
    resource_spans: tuple[_ResourceSpans, ...]


class _Context(Foreign):
    trace_id: str


class _SdkResource(Foreign):
    attributes: _Service = Field(default_factory=_Service)


class _SdkSpan(Foreign):
    """A span as `span.to_json()` has it."""

    context: _Context
    parent_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    attributes: Said = Field(default_factory=Said)
    resource: _SdkResource = Field(default_factory=_SdkResource)
    status: _Status = Field(default_factory=_Status)


def spans_of(document: object) -> list[Span] | str:
    """The spans of a document, or what is wrong with it."""
    if not isinstance(document, dict) or not {"resourceSpans", "context"} & document.keys():
        return "no trace of MLflow and no spans"
    if "resourceSpans" in document:
        otlp = understood(_OtlpDocument, document)
        return otlp if isinstance(otlp, str) else _of_otlp(otlp)
    span = understood(_SdkSpan, document)
    return span if isinstance(span, str) else [_of_sdk(span)]


def _plain(pairs: Sequence[_Pair]) -> dict[str, object]:
    return {pair.key: pair.value.plain for pair in pairs}


def _of_otlp(document: _OtlpDocument) -> list[Span] | str:
    spans = []
    for part in document.resource_spans:
        service = understood(_Service, _plain(part.resource.attributes))
        for span in (span for scope in part.scope_spans for span in scope.spans):
            said = understood(Said, _plain(span.attributes))
            if isinstance(said, str) or isinstance(service, str):
                return f"trace {span.trace_id}: {said if isinstance(said, str) else service}"
            times = span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9
            root = not span.parent_span_id
            spans.append(Span(span.trace_id, root, *times, said, service.name, span.status.error))
    return spans


def _of_sdk(span: _SdkSpan) -> Span:
    start, end = (time.timestamp() if time else 0.0 for time in (span.start_time, span.end_time))
    return Span(
        span.context.trace_id,
        not span.parent_id,
        start,
        end,
        span.attributes,
        span.resource.attributes.name,
        span.status.error,
    )


def row_of(spans: Sequence[Span], met: Counter[str]) -> OwnRow | None:
    """The row of a trace: its calls of a model, and what was retrieved for them.

    `None` where nothing was noted of what was asked and answered, and nothing failed.
    """
    spans = sorted(spans, key=lambda span: span.start_s)
    root = next((span for span in spans if span.root), spans[0])
    called = [span for span in spans if span.said.is_call]
    calls = [span for span in called if span.said.operation not in _AGENTS] or called
    last = calls[-1] if calls else root
    retrieved = [s.said.documents for s in spans if s.said.documents is not None]
    asked = root.said.input_messages or last.said.input_messages
    answer = text_in(parsed(root.said.output_messages or last.said.output_messages), "assistant")
    queries = (str(span.said.query) for span in spans if span.said.query)
    question = text_in(parsed(asked), "user") or next(queries, "")
    # A program may have caught what its call ran into, and have answered otherwise.
    error = root.error or ("" if answer else last.error)
    if not (question or answer or error):
        return None
    return {
        "id": made_id(question, met),
        "setup": root.service or last.said.model or "traces",
        "question": question,
        "answer": answer,
        "passages": passages_in(retrieved),
        "prompt_tokens": _sum(span.said.input_tokens for span in calls),
        "completion_tokens": _sum(span.said.output_tokens for span in calls),
        "seconds": root.end_s - root.start_s if root.end_s else None,
        "finish_reason": last.said.finish_reason,
        "error": error,
    }


def _sum(counts: Iterator[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
