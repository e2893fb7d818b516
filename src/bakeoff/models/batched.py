"""Chats for a vendor's batch service: collected into request lines, answered from result lines.

The shapes are those of OpenAI's batch API, which other vendors and servers take as well: a request
is `{custom_id, method, url, body}`, a result `{custom_id, response: {status_code, body}, error}`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bakeoff.core import strict_json
from bakeoff.core.words import BakeoffError, Failure, Sending, digest, faults, unwatched
from bakeoff.models.endpoint import Client
from bakeoff.models.protocol import Read, Reply, Unreadable, message_of
from bakeoff.models.transport import Ask
from bakeoff.spec.benchmark import Connection

CHATS = ("/chat/completions", "/completions")
"""What a batch holds; vectors are asked for as they are needed."""


def request_id(ask: Ask) -> str:
    """The same for the same request, whichever setup makes it."""
    return f"bakeoff-{digest([ask.path, ask.body])}"


def request_line(ask: Ask) -> dict[str, object]:
    """A line of a batch file."""
    return {
        "custom_id": request_id(ask),
        "method": "POST",
        "url": f"/v1{ask.path}",
        "body": ask.body,
    }


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Response(_Part):
    status_code: int = 200
    body: Any = None


class Result(_Part):
    """A line of a result or error file."""

    custom_id: str
    response: _Response | None = None
    error: Any = None

    @model_validator(mode="before")
    @classmethod
    def _is_no_request(cls, raw: Any) -> Any:
        """A request has an id as well: read as a result, it would be a failure."""
        if isinstance(raw, dict) and raw.keys() >= {"method", "body"}:
            raise ValueError("a request")
        return raw

    @property
    def replied(self) -> bool:
        """Whether the service gave a reply."""
        status = self.response.status_code if self.response and not self.error else 0
        return 200 <= status < 300

    def outcome(self, read: Read) -> Reply | Failure:
        """The reply, or why there is none."""
        if self.response is None or self.error:
            return Failure(f"batch: {_brief(self.error or 'no response')}")
        if not self.replied:
            body = self.response.body
            return Failure(f"rejected ({self.response.status_code}): {_brief(message_of(body))}")
        try:
            return read(self.response.body)
        except Unreadable as error:
            return Failure(f"unreadable: {_brief(str(error))}")


def _brief(message: object) -> str:
    text = message.get("message") if isinstance(message, dict) else message
    return " ".join(str(text or message).split())[:300]


@dataclass(frozen=True)
class Results:
    """What result files hold, by request."""

    by_id: Mapping[str, Result]
    twice: int = 0
    """Lines that repeat a request; its first reply counts, or its first error where it has none."""


def read_results(files: Iterable[Path]) -> Results:
    """The results in files. Raises `BakeoffError` naming file and line of what is none."""
    results: dict[str, Result] = {}
    twice, problems = 0, []
    for file in files:
        try:
            # Not `splitlines`: texts may hold other signs that it takes for ends of lines.
            lines = file.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BakeoffError(f"{file}: cannot be read: {error}") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                result = Result.model_validate(strict_json.loads(line))
            except (ValueError, ValidationError):
                problems.append(
                    f"{file}: line {number}: not a batch result: "
                    "{custom_id, response: {status_code, body}, error}"
                )
                continue
            twice += result.custom_id in results
            known = results.setdefault(result.custom_id, result)
            if result.replied and not known.replied:
                # What failed was asked again in a later batch.
                results[result.custom_id] = result
    faults(problems)
    return Results(results, twice)


@dataclass
class Batch:
    """Stands for the endpoints of a run: chats go to `requests`, or are answered by `results`.

    The connections that it gives out send chats nowhere.
    """

    results: Mapping[str, Result] | None = None
    """`None`: requests are collected, and no chat is answered."""
    requests: dict[str, Ask] = field(default_factory=dict)
    """What was asked so far, by request."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each request was made: setups may share it."""

    def client(self, spec: Connection, where: str, live: Callable[[], Client]) -> Client:
        """The connection that `where` names; `live` opens it for what is no chat."""
        return _Batched(spec, where, self, live)


class _Batched(Client):
    """A connection whose chats go through a batch."""

    def __init__(
        self, spec: Connection, name: str, batch: Batch, live: Callable[[], Client]
    ) -> None:
        super().__init__(spec, None, name)
        self.batch, self.live = batch, live

    def ask(
        self, asks: Iterable[Ask], read: Read, *, sending: Sending = unwatched
    ) -> Iterator[tuple[int, Reply | Failure]]:
        """The outcomes that the batch holds. Raises `BakeoffError` for a request it lacks."""
        others = []
        for ask in asks:
            if ask.path not in CHATS:
                others.append(ask)
                continue
            name = request_id(ask)
            self.batch.requests.setdefault(name, ask)
            self.batch.asked[name] += 1
            if self.batch.results is None:
                continue
            if name not in self.batch.results:
                raise BakeoffError(f"{self.name}: the batch has no result for request {name}")
            sending(ask.index)
            yield ask.index, self.batch.results[name].outcome(read)
        if others:
            yield from self.live().ask(others, read, sending=sending)
