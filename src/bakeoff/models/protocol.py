"""The HTTP protocol: bodies of requests, and parsing of replies and streams."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bakeoff.core.parts import parts_of
from bakeoff.core.words import (
    ERROR,
    REFUSAL,
    STOP,
    TOOL_CALLS,
    BakeoffError,
    Decoding,
    Message,
    Passage,
)
from bakeoff.models.finish_reasons import finish_reason
from bakeoff.models.reply_parts import (
    Body,
    Choice,
    Held,
    Said,
    Shown,
    Usage,
    Vector,
    confidence_in,
    said_in,
    tokens_in,
)


class Unreadable(Exception):
    """A reply that does not hold what it must. The text says what is missing."""

    def __init__(self, text: str, again: bool = True) -> None:
        super().__init__(text)
        self.again = again
        """Whether another attempt may give a better one."""


class Reply(NamedTuple):
    """What came back; seconds are those of the successful attempt alone."""

    text: str = ""
    prompt_tokens: int | None = None
    """By the server's own count, as `completion_tokens`; `None` where it states none."""
    completion_tokens: int | None = None
    finish_reason: str = ""
    """How the answer ended, in the words of `FINISH_REASONS` where there is one for it."""
    thought: bool = False
    """Whether the model thought beside the text."""
    confidence: float | None = None
    """The geometric mean of the tokens' probabilities, where a chat's reply states them."""
    passages: tuple[Passage, ...] = ()
    vectors: tuple[Sequence[float], ...] = ()
    ttft_s: float | None = None
    """Until the first text of a streamed answer; a new connection counts in, as in `total_s`."""
    total_s: float | None = None
    token_gap_s: float | None = None
    """Between two tokens of a streamed answer, on average."""
    attempts: int = 0


Read = Callable[[Any], Reply]
"""Reads the JSON value of a reply. Raises `Unreadable`."""


def chat_body(
    model: str,
    chat: Sequence[Message],
    decoding: Decoding,
    extra: Mapping[str, object] | None = None,
    stream: bool = False,
) -> dict[str, object]:
    """The body of a chat completion. `extra` goes over it; a null there takes a field out."""
    return _body({"model": model, "messages": [dict(m) for m in chat]}, decoding, extra, stream)


def completions_body(
    model: str,
    prompt: str | Sequence[Message],
    decoding: Decoding,
    extra: Mapping[str, object] | None = None,
    stream: bool = False,
) -> dict[str, object]:
    """The body of a plain completion; a chat becomes its texts with blank lines between them."""
    if not isinstance(prompt, str):
        prompt = "\n\n".join(message["content"] for message in prompt)
    return _body({"model": model, "prompt": prompt}, decoding, extra, stream)


def _body(
    head: Mapping[str, object], decoding: Decoding, extra: Mapping[str, object] | None, stream: bool
) -> dict[str, object]:
    body = {
        **head,
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        "seed": decoding.seed,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in (body | dict(extra or {})).items() if value is not None}


def embeddings_body(
    model: str, texts: Sequence[str], extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The body that asks for the vectors of `texts`."""
    return {"model": model, "input": list(texts), **(extra or {})}


def service_body(request: Mapping[str, object], fields: Mapping[str, str]) -> dict[str, object]:
    """`Service.request` with the sample's fields in its texts.

    Raises `BakeoffError` when it names a field that the sample does not have.
    """

    def filled(part: Any) -> Any:
        if isinstance(part, str):
            try:
                return part.format_map(fields)
            except (LookupError, ValueError, AttributeError) as error:
                known = ", ".join(sorted(fields))
                raise BakeoffError(
                    f"request: '{part}' cannot be filled in: {error}; the fields are {known}"
                ) from error
        if isinstance(part, Mapping):
            return {name: filled(value) for name, value in part.items()}
        if isinstance(part, list | tuple):
            return [filled(value) for value in part]
        return part

    return {name: filled(value) for name, value in request.items()}


def read_completion(value: Any) -> Reply:
    """The first choice of a chat or plain completion.

    Raises `Unreadable` where it has no text, or ended in an error, half a text or not.
    """
    whole = parts_of(Body, value)
    choice = _first_choice(whole)
    if choice is None:
        raise Unreadable(f"the reply has no choices: {message_of(value)}")
    finish = finish_reason(choice.finish_reason)
    if finish == ERROR or choice.error or _is_error(whole):
        reason = message_of(choice.error or whole.error or "no reason")
        raise Unreadable(f"the reply ended in an error: {reason}")
    if not isinstance(choice.message, dict):
        return Reply(_text(choice.text), *usage_in(whole.usage), finish)
    # A model that only thought, only called a tool or refused has no content: null.
    message = said_in(choice.message)
    text = _text(message.content or "")
    if not text.strip():
        if message.refusal:
            text, finish = _text(message.refusal), REFUSAL
        elif message.called:
            finish = TOOL_CALLS
    sure = confidence_in(choice.logprobs)
    return Reply(text, *usage_in(whole.usage), finish, message.thought, sure)


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise Unreadable("the reply's first choice has no text")
    return content


def _is_error(body: Body) -> bool:
    """Whether a JSON value is an error, by one of the forms in which servers write it."""
    if body.error or body.error_code or body.object == "error" or body.type == "error":
        return True
    return body.choices is None and bool(body.message or body.msg or body.detail)


def _first_choice(whole: Body) -> Choice | None:
    """The choice of index 0: a chunk of a stream may bring a piece of another one."""
    choices = whole.choices if isinstance(whole.choices, list) else []
    first = next((c for c in choices if not isinstance(c, dict) or not c.get("index")), None)
    return parts_of(Choice, first) if isinstance(first, dict) else None


def usage_in(usage: Any) -> tuple[int | None, int | None]:
    """The tokens of the prompt and of the completion; `None` where they are not stated."""
    counts = parts_of(Usage, usage)
    return _count(counts.prompt_tokens), _count(counts.completion_tokens)


def _count(value: Any) -> int | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if usable and 0 <= value < float("inf") else None


def message_of(value: Any) -> str:
    """The server's own words in the JSON value of an error."""
    while isinstance(value, dict):
        inner = next(
            (value[n] for n in ("error", "message", "msg", "detail") if value.get(n)), None
        )
        if inner is None:
            break
        value = inner
    return value if isinstance(value, str) else json.dumps(value)


def read_embeddings(value: Any) -> Reply:
    """The vectors in the order of the texts that were sent. Raises `Unreadable`."""
    whole = parts_of(Body, value)
    rows = whole.data
    if not isinstance(rows, list):
        raise Unreadable(f"the reply has no data: {message_of(value)}")
    vectors = {}
    for place, row in enumerate(rows):
        vector, index = parts_of(Vector, row)
        if not isinstance(vector, list) or not vector:
            raise Unreadable(f"row {place} of the reply is not a vector of numbers")
        if not isinstance(index, int | float | None):
            raise Unreadable(f"row {place} of the reply has no number as its index")
        vectors[place if index is None else index] = vector
    if set(vectors) != set(range(len(rows))):
        raise Unreadable("the reply's vectors are not numbered one by one")
    return Reply("", *usage_in(whole.usage), vectors=tuple(vectors[i] for i in range(len(rows))))


def read_service(value: Any, response: Mapping[str, str]) -> Reply:
    """What `Service.response` finds in a service's reply. Raises `Unreadable`."""
    # Chat completions are read without it.
    import jmespath
    from jmespath.exceptions import JMESPathError

    held_at = {}
    for part, expression in response.items():
        try:
            held_at[part] = jmespath.search(expression, value)
        except JMESPathError as error:
            raise Unreadable(f"{part}: '{expression}': {error}", again=False) from error
    held, places = parts_of(Held, held_at), parts_of(Held, dict(response))
    text = json.dumps(held.text) if isinstance(held.text, int | float) else held.text
    if not isinstance(text, str):
        raise Unreadable(f"text: '{places.text}' finds no text in the reply", again=False)
    try:
        passages = tuple(_passage(row) for row in held.passages or ())
    except TypeError as error:
        raise Unreadable(
            f"passages: '{places.passages}' must give a list of {{document, text}}", again=False
        ) from error
    prompt, completion = _count(held.prompt_tokens), _count(held.completion_tokens)
    finish = finish_reason(held.finish_reason)
    if finish == ERROR:
        raise Unreadable("the reply ended in an error")
    return Reply(text, prompt, completion, finish, passages=passages)


def _passage(row: Any) -> Passage:
    """The place in the document is not known, so it is taken to be the start."""
    document, text = parts_of(Shown, row)
    if not isinstance(document, str | int) or not isinstance(text, str):
        raise TypeError
    return Passage(str(document), 0, len(text), text)


class Stream:
    """A streamed completion put together again from bytes, wherever they were cut.

    `value` has the shape of a reply that was not streamed, so that one reader does for both.
    """

    def __init__(self) -> None:
        self.ended = False
        """`[DONE]` was there."""
        self.first_s: float | None = None
        """When the first text came, by the times given to `feed`."""
        self._last_s = 0.0
        self._rest = b""
        self._pieces: list[str] = []
        self._tokens: list[Any] = []
        """Those with log-probabilities."""
        self._finish: str | None = None
        self._usage: Any = None
        self._said = Said()
        """What pieces hold beside content: thinking, tool calls, a refusal."""
        self._error: Any = None
        self._event = b""
        self._begun = False
        self._strange: Any = None
        """The last event that is no piece of a completion."""

    def feed(self, data: bytes, now: float) -> None:
        """Take the next bytes, which came at `now`. Raises `Unreadable`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.removeprefix(codecs.BOM_UTF8), now)

    def value(self) -> dict[str, Any]:
        """The whole completion. Raises `Unreadable` when its end never came."""
        rest, self._rest = self._rest, b""
        self._take(rest, self._last_s)
        if not self._finish and self._strange is not None:
            raise Unreadable(f"the stream holds an error: {message_of(self._strange)}")
        if not (self.ended or self._finish):
            raise Unreadable("the stream broke off")
        if not self._begun:
            raise Unreadable("the stream ended before it began")
        choice = {
            "message": {**self._said._asdict(), "content": "".join(self._pieces)},
            "finish_reason": self._finish,
            "error": self._error,
            "logprobs": {"content": self._tokens},
        }
        return {"choices": [choice], "usage": self._usage}

    @property
    def token_gap_s(self) -> float | None:
        """Seconds between two tokens, by the server's count of them where it can be used."""
        if self.first_s is None:
            return None
        # Thinking counts as completion but is not in the text that was timed.
        stated = None if self._said.thought else usage_in(self._usage)[1]
        tokens = stated or len(self._pieces)
        return (self._last_s - self.first_s) / (tokens - 1) if tokens > 1 else None

    def _take(self, line: bytes, now: float) -> None:
        if line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif not line.strip():
            if self._event == b"error":
                raise Unreadable(
                    f"the stream holds an error: {message_of(self._strange or 'no reason')}"
                )
            self._event = b""
        elif line.startswith(b"error:"):
            # As llama.cpp wrote errors, beside the events.
            raise Unreadable(f"the stream holds an error: {line[6:].decode(errors='replace')}")
        data = line[5:].strip() if line.startswith(b"data:") else b""
        if not data or self.ended:
            return
        if data == b"[DONE]":
            self.ended = True
            return
        chunk = parsed(data)
        whole = parts_of(Body, chunk)
        if self._event == b"error" or not isinstance(chunk, dict) or _is_error(whole):
            raise Unreadable(f"the stream holds an error: {message_of(chunk)}")
        if isinstance(whole.usage, dict):
            self._usage = whole.usage
        elif whole.choices is None and whole.type != "ping":
            self._strange = chunk
        choice = _first_choice(whole)
        if choice is not None:
            self._choose(choice, now)

    def _choose(self, choice: Choice, now: float) -> None:
        self._begun = True
        whole = choice.delta is None and not self._pieces
        message = said_in(choice.message if whole else choice.delta)
        if any(message[1:]):
            self._said = Said._make(map(_joined, self._said, message._replace(content=None)))
        stated = finish_reason(choice.finish_reason)
        # A last piece that only stops does not undo a cut or a filter.
        if stated and not (self._finish and stated == STOP):
            self._finish = stated
        self._error = choice.error or self._error
        self._tokens += tokens_in(choice.logprobs)
        piece = message.content or choice.text
        if piece and isinstance(piece, str):
            self._pieces.append(piece)
            self._last_s = now
            if self.first_s is None:
                self.first_s = now


def _joined(before: Any, part: Any) -> Any:
    """A part of a message with its next piece: texts grow, of anything else the last one stays."""
    return before + part if isinstance(before, str) and isinstance(part, str) else part or before


def parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        # Not from the error: it holds the whole text, which may hold the key.
        raise Unreadable("the reply is not JSON: truncated, or not from an API") from None
