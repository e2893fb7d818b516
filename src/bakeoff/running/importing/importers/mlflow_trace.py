"""A trace of MLflow: a row of what `mlflow.search_traces` gives, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from bakeoff.running.importing.foreign import Foreign, is_number
from bakeoff.running.importing.importers.messages import parsed, passages_in, text_in
from bakeoff.running.importing.sources import OwnRow, made_id, slug

_SAYS = {"yes": 1.0, "no": 0.0}
_NAME = "mlflow.traceName"


def _all_parsed(value: Any) -> Any:
    """A mapping whose values are written as JSON."""
    value = parsed(value)
    return {n: parsed(v) for n, v in value.items()} if isinstance(value, dict) else value


class _Attributes(Foreign):
    kind: Any = Field(default=None, alias="mlflow.spanType")
    outputs: Any = Field(default=None, alias="mlflow.spanOutputs")


class _Span(Foreign):
    attributes: Annotated[_Attributes, BeforeValidator(_all_parsed)] = Field(
        default_factory=_Attributes
    )


class _Usage(Foreign):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Metadata(Foreign):
    model: str | None = Field(default=None, alias="mlflow.modelId")
    usage: _Usage = Field(default_factory=_Usage, alias="mlflow.trace.tokenUsage")


class _Feedback(Foreign):
    value: Any = None


class _Assessment(Foreign):
    name: str = Field(default="", validation_alias=AliasChoices("assessment_name", "name"))
    feedback: _Feedback | None = None


class Trace(Foreign):
    """A trace; several of its parts may be written as JSON inside the JSON."""

    execution_duration: float | None = None
    """Milliseconds."""
    state: str = ""
    request: Annotated[Any, BeforeValidator(parsed)] = None
    response: Annotated[Any, BeforeValidator(parsed)] = None
    trace_metadata: Annotated[_Metadata, BeforeValidator(_all_parsed)] = Field(
        default_factory=_Metadata
    )
    tags: Annotated[Mapping[str, object], BeforeValidator(parsed)] = {}
    spans: Annotated[
        tuple[Annotated[_Span, BeforeValidator(parsed)], ...], BeforeValidator(parsed)
    ] = ()
    assessments: Annotated[tuple[_Assessment, ...], BeforeValidator(parsed)] = ()

    @property
    def scores(self) -> Iterator[tuple[str, float]]:
        """Feedback that is a number, true or false, or yes or no."""
        for assessment in self.assessments:
            value = assessment.feedback.value if assessment.feedback else None
            number = _SAYS.get(value) if isinstance(value, str) else value
            if is_number(number):
                yield slug(assessment.name), number

    def row(self, met: Counter[str]) -> OwnRow:
        """The row of the trace; `met` counts the questions of its file."""
        question = text_in(self.request, "user")
        retrieved = [s.attributes.outputs for s in self.spans if s.attributes.kind == "RETRIEVER"]
        about, duration = self.trace_metadata, self.execution_duration
        return {
            "id": made_id(question, met),
            "setup": about.model or str(self.tags.get(_NAME, "traces")),
            "question": question,
            "answer": text_in(self.response, "assistant"),
            "passages": passages_in(retrieved),
            "prompt_tokens": about.usage.input_tokens,
            "completion_tokens": about.usage.output_tokens,
            "seconds": duration / 1000 if duration else None,
            "error": "the trace failed" if self.state == "ERROR" else None,
            "scores": dict(self.scores),
            "tags": self.tags,
        }
