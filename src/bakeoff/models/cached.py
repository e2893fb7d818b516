"""A model that remembers: answers already paid for come from the response cache."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from bakeoff.core.words import (
    Decoding,
    Failure,
    Generation,
    Message,
    Model,
    Sending,
    digest,
    unwatched,
)
from bakeoff.models.response_cache import Responses, key


@dataclass(frozen=True)
class CachedModel:
    """`model`, asked only what the cache does not know."""

    model: Model
    responses: Responses

    @property
    def repeatable(self) -> bool:
        return self.model.repeatable

    def fingerprint(self) -> dict[str, str]:
        return dict(self.model.fingerprint())

    def count(self, text: str) -> int:
        return self.model.count(text)

    def keys(self, chats: Sequence[Sequence[Message]], decoding: Decoding) -> list[str]:
        """A key for each chat: everything that could change its answer."""
        fingerprint = {**self.model.fingerprint(), **asdict(decoding)}
        if not self.model.repeatable:
            # The answer depends on its batch, and batches are made from all chats together.
            fingerprint["batch"] = digest([list(map(dict, chat)) for chat in chats])
        return [key(fingerprint, chat) for chat in chats]

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        keys = self.keys(chats, decoding)
        wanted = [index for index in range(len(chats)) if index not in skip]
        stored = self.responses.find([keys[index] for index in wanted])
        answers = {key: Generation(**kept, cached=True) for key, kept in stored.items()}
        # Older entries do not distinguish an empty text from a truncated one.
        known = {key: made for key, made in answers.items() if made.text or made.finish_reason}
        for index in wanted:
            if keys[index] in known:
                yield index, known[keys[index]]
        rest = {index for index in range(len(chats)) if index in skip or keys[index] in known}
        for index, done in self.model.generate(chats, decoding, rest, sending):
            # Handed on first: without room in the cache it is in the journal by then.
            yield index, done
            if isinstance(done, Generation):
                self.responses.keep({keys[index]: _kept(done)})

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        """Never from the cache: this answer is measured."""
        return self.model.timed(chat, decoding)


_SAID = ("text", "prompt_tokens", "completion_tokens")
_ENDED = ("finish_reason", "thought")


def _kept(done: Generation) -> dict[str, str | int | float]:
    parts = {name: getattr(done, name) for name in _SAID}
    rest = {"confidence": done.confidence} if done.confidence is not None else {}
    ended = {name: value for name in _ENDED if (value := getattr(done, name))}
    return {**parts, **rest, **ended}


@dataclass
class Verified:
    """What asking again gave."""

    checked: int = 0
    differing: int = 0


def verify(
    model: CachedModel,
    chats: Sequence[Sequence[Message]],
    decoding: Decoding,
    chosen: Collection[int],
) -> Verified:
    """Query the `chosen` chats again and compare with the cache; differing entries are deleted."""
    keys = model.keys(chats, decoding)
    known = model.responses.find([keys[index] for index in chosen])
    skip = {index for index in range(len(chats)) if index not in chosen or keys[index] not in known}
    counts = Verified()
    for index, done in model.model.generate(chats, decoding, skip):
        if isinstance(done, Generation):
            counts.checked += 1
            now, before = _kept(done), known[keys[index]]
            if any(now[part] != before[part] for part in _SAID):
                counts.differing += 1
                model.responses.forget([keys[index]])
    return counts
