"""Models, embedders and whole systems behind HTTP, in the shapes that setups are built from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bakeoff.core.secrets import unnamed
from bakeoff.core.words import (
    Answer,
    Answerer,
    BakeoffError,
    Decoding,
    Failure,
    Generation,
    Message,
    Sample,
    Sending,
    Step,
    digest,
    unwatched,
)
from bakeoff.models.endpoint import Client
from bakeoff.models.pool import Pool
from bakeoff.models.protocol import (
    Read,
    Reply,
    chat_body,
    completions_body,
    read_completion,
    read_service,
    service_body,
)
from bakeoff.models.transport import Ask
from bakeoff.spec.benchmark import Endpoint, Service

CHARACTERS_A_TOKEN = 4
"""The usual rule of thumb for English where no tokenizer is known."""


@dataclass
class Tally:
    """The token counts of an endpoint compared with those of a known tokenizer."""

    checked: int = 0
    differing: int = 0
    largest: int = 0
    """The largest difference, in tokens."""

    def compare(self, reported: int, counted: int) -> None:
        self.checked += 1
        self.differing += reported != counted
        self.largest = max(self.largest, abs(reported - counted))


@dataclass(frozen=True)
class ServedModel:
    """A model behind an OpenAI-compatible endpoint."""

    client: Client
    endpoint: Endpoint
    name: str
    counter: Callable[[str], int] | None = None
    """Counts tokens as the model's own tokenizer does, where one is known."""
    rendered: Callable[[Sequence[Message]], str] | None = None
    """The chat as that tokenizer's template writes it."""
    tally: Tally = field(default_factory=Tally)
    timing: bool = False
    """Whether answers that are made side by side carry their seconds."""

    @property
    def repeatable(self) -> bool:
        return True

    def fingerprint(self) -> dict[str, str]:
        headers = self.endpoint.headers
        return {
            "url": unnamed(self.endpoint.url),
            "model": self.name,
            "api": self.endpoint.api,
            "extra": digest(unnamed(self.endpoint.extra)),
            **({"headers": digest(unnamed(headers))} if headers else {}),
        }

    def count(self, text: str) -> int:
        if self.counter:
            return self.counter(text)
        return -(-len(text) // CHARACTERS_A_TOKEN)

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        stream = self.endpoint.stream == "always" or (
            self.timing and self.endpoint.stream != "never"
        )
        asks = (
            self._ask(index, chat, decoding, stream)
            for index, chat in enumerate(chats)
            if index not in skip
        )
        if skip:
            # Others were answered before: what is refused now are these samples, not the settings.
            self.client.answered = True
        for index, reply in self.client.ask(asks, self._reader(decoding), sending=sending):
            if isinstance(reply, Failure):
                yield index, reply
                continue
            made = self._made(chats[index], decoding, reply)
            yield index, _with_seconds(made, reply) if self.timing else made

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        ask = self._ask(0, chat, decoding, self.endpoint.stream != "never")
        ((_, reply),) = self.client.ask([ask], self._reader(decoding))
        if isinstance(reply, Failure):
            return reply
        return _with_seconds(self._made(chat, decoding, reply), reply)

    def _ask(self, index: int, chat: Sequence[Message], decoding: Decoding, stream: bool) -> Ask:
        make = chat_body if self.endpoint.api == "chat" else completions_body
        path = "/chat/completions" if self.endpoint.api == "chat" else "/completions"
        body = make(self.name, chat, decoding, self.client.spec.body, stream)
        tokens = decoding.max_tokens
        if self.endpoint.tokens_per_minute:
            tokens += sum(self.count(message["content"]) for message in chat)
        return Ask(index, path, body, tokens, stream)

    def _reader(self, decoding: Decoding) -> Read:
        """What reads the replies to `_ask`."""
        return read_completion

    def _made(self, chat: Sequence[Message], decoding: Decoding, reply: Reply) -> Generation:
        """The server's own token counts; an estimate where it states none."""
        counted = None
        if self.counter and self.rendered and self.endpoint.api == "chat":
            counted = self.counter(self.rendered(chat))
            if reply.prompt_tokens is not None:
                self.tally.compare(reply.prompt_tokens, counted)
        prompt = reply.prompt_tokens
        if prompt is None:
            prompt = counted or sum(self.count(message["content"]) for message in chat)
        completion = reply.completion_tokens
        if completion is None:
            completion = self.count(reply.text)
        return Generation(
            reply.text.strip(),
            prompt,
            completion,
            confidence=reply.confidence,
            finish_reason=reply.finish_reason,
            thought=reply.thought,
        )


def opened(reference: str, pool: Pool) -> ServedModel:
    """The model ENDPOINT:MODEL. Raises `BakeoffError` without the key of its endpoint."""
    endpoint, _, name = reference.partition(":")
    spec = pool.suite.endpoints[endpoint]
    client = pool.client(f"endpoints.{endpoint}", spec)
    if not (pool.counts and spec.tokenizer):
        return ServedModel(client, spec, name)
    from bakeoff.models.tokenizer import load_tokenizer

    tally = pool.tallies.setdefault(reference, Tally())
    field = f"endpoints.{endpoint}.tokenizer"
    try:
        count, template = load_tokenizer(spec.tokenizer, pool.cache)
    except BakeoffError as error:
        raise BakeoffError(f"{field}: {error}") from error
    if template.is_plain and spec.api == "chat":
        raise BakeoffError(
            f"{field}: '{spec.tokenizer}' has no chat template, so that the tokens of a chat "
            "cannot be counted: name the model that the endpoint serves"
        )
    return ServedModel(client, spec, name, count, template.render, tally)


def _with_seconds(made: Generation, reply: Reply) -> Generation:
    if reply.ttft_s is None or reply.total_s is None:
        return replace(made, prefill_s=reply.total_s)
    return replace(made, prefill_s=reply.ttft_s, decode_s=reply.total_s - reply.ttft_s)


def service(client: Client, spec: Service) -> Answerer:
    """A user's whole system behind HTTP as a setup."""

    def answer(
        samples: Sequence[Sample],
        *,
        timed: bool = False,
        skip: Collection[int] = (),
        repeat: int = 0,
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Answer | Failure]]:
        asks = (
            Ask(index, "", service_body(client.spec.body, sample.fields))
            for index, sample in enumerate(samples)
            if index not in skip
        )

        def read(payload: Any) -> Reply:
            return read_service(payload, spec.response)

        for index, reply in client.ask(asks, read, sending=unwatched if timed else sending):
            if isinstance(reply, Failure):
                yield index, reply
                continue
            seconds = reply.total_s if timed else None
            tokens = (reply.prompt_tokens or 0, 0, reply.completion_tokens or 0)
            steps, reason = (Step("call", seconds, *tokens),), reply.finish_reason
            if missing := Generation(reply.text.strip(), 0, 0, finish_reason=reason).missing:
                yield index, Failure(missing, reason, steps)
            else:
                yield index, Answer(reply.text, reply.passages, steps, finish_reason=reason)

    return answer
