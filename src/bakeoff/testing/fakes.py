"""A fake model and a fake retriever, which setups are built from like real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bakeoff.core.words import (
    Decoding,
    Failure,
    Generation,
    Message,
    Ranked,
    Sending,
    unwatched,
)


@dataclass(frozen=True)
class FakeModel:
    """A `core.words.Model` that replies to a prompt's last message by a function.

    A token is a word. Asked alone, reading takes it 0.5 s and writing 1 s.
    """

    reply: Callable[[str], str | Failure]
    asked: list[Sequence[Message]] = field(default_factory=list)
    """Every chat that it was asked, in order."""
    repeatable: bool = True

    def fingerprint(self) -> dict[str, str]:
        return {"model": "fake"}

    def count(self, text: str) -> int:
        return len(text.split())

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        for index, chat in enumerate(chats):
            if index not in skip:
                sending(index)
                yield index, self._made(chat)

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        made = self._made(chat)
        return made if isinstance(made, Failure) else replace(made, prefill_s=0.5, decode_s=1.0)

    def _made(self, chat: Sequence[Message]) -> Generation | Failure:
        self.asked.append(chat)
        text = self.reply(chat[-1]["content"])
        if isinstance(text, Failure):
            return text
        prompt_tokens = sum(self.count(message["content"]) for message in chat)
        return Generation(text, prompt_tokens, self.count(text))


class FakeRetriever:
    """Gives the corpus's first passages to every question, with the scores 1, 1/2, 1/3 and so on.

    A benchmark names it: `retrieve: {by: "bakeoff.testing::FakeRetriever"}`.
    """

    def __init__(self, corpus: Any) -> None:
        self.size = len(corpus.passages)

    def search(self, questions: Sequence[str], k: int) -> list[Ranked]:
        first = [(place, 1 / (place + 1)) for place in range(min(k, self.size))]
        return [first for _ in questions]
