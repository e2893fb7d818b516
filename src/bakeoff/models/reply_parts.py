"""The parts of a server's reply by name. Servers differ: any may be missing."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from bakeoff.core.parts import parts_of


class Body(NamedTuple):
    """The JSON value of a reply, or of a chunk of a stream."""

    choices: Any = None
    usage: Any = None
    data: Any = None
    error: Any = None
    error_code: Any = None
    object: Any = None
    type: Any = None
    message: Any = None
    msg: Any = None
    detail: Any = None


class Choice(NamedTuple):
    """A completion, or the piece of one that a chunk brings."""

    message: Any = None
    delta: Any = None
    text: Any = None
    finish_reason: Any = None
    error: Any = None
    logprobs: Any = None


class Said(NamedTuple):
    """A chat message, or the piece of one that a chunk brings."""

    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None

    @property
    def thought(self) -> bool:
        """Whether the model thought beside its content; servers differ in where they put it."""
        return any((self.reasoning_content, self.reasoning, self.thinking))

    @property
    def called(self) -> bool:
        return bool(self.tool_calls or self.function_call)


class Likely(NamedTuple):
    """How likely a completion was, or the piece of one that a chunk brings."""

    content: Any = None
    """Its tokens."""


class Usage(NamedTuple):
    prompt_tokens: Any = None
    completion_tokens: Any = None


class Vector(NamedTuple):
    embedding: Any = None
    index: Any = None


class Held(NamedTuple):
    """What a service's reply holds, or where in it that is."""

    text: Any = None
    passages: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    finish_reason: Any = None


class Shown(NamedTuple):
    document: Any = None
    text: Any = None


class _Token(NamedTuple):
    logprob: Any = None


class _Part(NamedTuple):
    """A piece of a content that comes in parts."""

    type: Any = None
    text: Any = None
    refusal: Any = None


def said_in(value: Any) -> Said:
    """A chat message, or a piece of one; a content in parts is its texts, joined.

    What parts of other types hold (thinking, a refusal) is where a message has it itself.
    """
    message = parts_of(Said, value)
    if not isinstance(message.content, list):
        return message
    texts, refusals = [], []
    for value in message.content:
        part = parts_of(_Part, value) if isinstance(value, dict) else _Part("", value)
        if part.type in ("thinking", "reasoning", "redacted_thinking"):
            message = message._replace(thinking=True)
        elif part.type == "refusal":
            refusals.append(part.refusal)
        elif isinstance(part.text, str):
            texts.append(part.text)
    refusal = message.refusal or "".join(text for text in refusals if isinstance(text, str)) or None
    return message._replace(content="".join(texts), refusal=refusal)


def tokens_in(logprobs: Any) -> list[Any]:
    """The tokens of a completion whose log-probabilities are stated."""
    rows = parts_of(Likely, logprobs).content
    return rows if isinstance(rows, list) else []


def confidence_in(logprobs: Any) -> float | None:
    """The geometric mean of a completion's token probabilities, where all of them are stated."""
    stated = [parts_of(_Token, row).logprob for row in tokens_in(logprobs)]
    # llama.cpp writes the least number that it has for a probability of nought.
    usable = [one for one in stated if isinstance(one, int | float) and -1e39 < one < 1]
    if not usable or len(usable) < len(stated):
        return None
    return round(math.exp(min(0.0, sum(usable) / len(usable))), 6)
