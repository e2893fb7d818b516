"""What traces hold in no one form: messages of any vendor, documents of any retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from bakeoff.core.strict_json import loads
from bakeoff.running.importing.foreign import Foreign

_QUESTIONS = ("question", "query", "user_input", "input", "prompt", "messages")
_ANSWERS = ("answer", "response", "output", "content", "text", "choices", "message")


def parsed(value: Any) -> Any:
    """A value that may be written as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return loads(value, constants=True)
    except ValueError:
        return value


class _Turn(Foreign):
    """A message, or a part of one."""

    role: Any = None
    said: Any = Field(default=None, validation_alias=AliasChoices("content", "text"))


def text_in(value: Any, role: str) -> str:
    """The text of a value: of messages, the last one of this role."""
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, dict)]
        turns = list(map(_Turn.model_validate, parts))
        spoken = [part for part, turn in zip(parts, turns, strict=True) if turn.role == role]
        if spoken:
            return text_in(spoken[-1], role)
        return "\n".join(turn.said for turn in turns if isinstance(turn.said, str))
    if isinstance(value, dict):
        names = ("content", "parts", *_QUESTIONS, *_ANSWERS)
        held = next((value[name] for name in names if value.get(name)), None)
        if held is None:
            held = next((v for v in value.values() if isinstance(v, str)), "")
        return text_in(held, role)
    return "" if value is None else str(value)


class _Origin(Foreign):
    doc_uri: Any = None
    source: Any = None


def _as_origin(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


class _Document(Foreign):
    """A passage, as LangChain, MLflow and the conventions name its parts."""

    text: Any = Field(default="", validation_alias=AliasChoices("page_content", "content", "text"))
    id: Any = None
    score: Any = None
    metadata: Annotated[_Origin, BeforeValidator(_as_origin)] = Field(default_factory=_Origin)

    @property
    def name(self) -> Any:
        return self.id or self.metadata.doc_uri or self.metadata.source


def passages_in(retrieved: Sequence[Any]) -> list[dict[str, object]] | None:
    """The passages of all that was retrieved; `None` where nothing was."""
    if not retrieved:
        return None
    return [passage for listed in retrieved for passage in _passages(parsed(listed))]


def _passages(listed: Any) -> Iterator[dict[str, object]]:
    for document in listed if isinstance(listed, list) else ():
        if isinstance(document, dict):
            known = _Document.model_validate(document)
            yield {"text": str(known.text), "document": known.name, "score": known.score}
        else:
            yield {"text": str(document)}
