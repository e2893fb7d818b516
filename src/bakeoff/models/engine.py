"""Models on an engine: a server that bakeoff starts on local weights, with adapters beside them.

It is asked as any endpoint is (`served.ServedModel`). A server that ends in the middle is started
once more, and what it had not answered is asked again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bakeoff.core.progress import Progress
from bakeoff.core.words import (
    BakeoffError,
    Decoding,
    Failure,
    Generation,
    Incomplete,
    Message,
    Sending,
    digest,
    unwatched,
)
from bakeoff.models.endpoint import Client
from bakeoff.models.engine_options import ChoosingModel, ends_of
from bakeoff.models.engine_proof import prove
from bakeoff.models.served import ServedModel, Tally
from bakeoff.models.server import Server, free_port
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.weights import Weights
from bakeoff.spec.endpoints import Endpoint
from bakeoff.spec.engines import EngineSpec, filled

RESTARTS = 1
"""How often an engine that ended by itself is started again in a run."""
BASE = "base"
"""The name that the model without an adapter is asked by."""
RANKS = (8, 16, 32, 64, 128, 256, 512)
"""What vLLM takes as the largest rank of adapters."""


class EngineDown(Incomplete):
    """The engine ended more often than it is restarted; finished work is kept."""


class _Ended(Exception):
    """The server is not there any more: what is not answered is asked again."""


@dataclass(frozen=True)
class Lodging:
    """The adapters that an engine has to have room for."""

    count: int = 0
    rank: int = 0
    """The largest of them."""


@dataclass
class Engine:
    """An engine on one set of weights. Close it after use."""

    spec: EngineSpec
    weights: Weights
    dtype: str
    lodging: Lodging
    program: Sequence[str]
    version: str
    folder: Path
    """Of its log."""
    progress: Progress
    tokenizer: tuple[Callable[[str], int], ChatTemplate]
    """Counts tokens, and the template by which the server writes chats."""
    adapters: dict[str, Path] = field(default_factory=dict)
    """Digest -> folder, of those that it serves."""
    tally: Tally = field(default_factory=Tally)
    restarts: int = 0
    start_s: float | None = None
    """Seconds of its last start."""
    _server: Server | None = None
    _clients: dict[int, Client] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"engine {self.spec.kind}"

    @cached_property
    def ends(self) -> list[int]:
        """The tokens that end an answer of the model."""
        return ends_of(self.weights.folder, self.tokenizer[1])

    @property
    def arguments(self) -> str:
        """Its command without what is of this machine: program, folders, port."""
        kind = self.spec.kind
        words = self.spec.template(adapters=bool(self.lodging.count))
        own = [*self.spec.command, *words] if kind == "command" else words
        values = {"dtype": self.dtype, "name": BASE, **self._room()}
        return " ".join(filled(own, values, ["{adapters}"]))

    def fingerprint(self) -> dict[str, str]:
        """What can change an answer beside the prompt and the adapter."""
        return {
            "weights": self.weights.digest,
            **self.tokenizer[1].facts,
            "dtype": self.dtype if self.spec.takes_dtype else "the server's own",
            "engine": f"{self.spec.kind} {self.version}".strip(),
            "arguments": self.arguments,
            **({"env": digest(dict(self.spec.env))} if self.spec.env else {}),
        }

    def _room(self) -> dict[str, str]:
        rank = next((size for size in RANKS if size >= self.lodging.rank), self.lodging.rank)
        return {"rank": str(rank), "slots": str(max(1, self.lodging.count))}

    @property
    def alive(self) -> bool:
        return self._server is not None and self._server.alive

    def start(self) -> Server:
        """The server, started unless it runs. Raises `BakeoffError` when it does not get ready."""
        if self._server is None:
            port = free_port()
            values = {
                "model": str(self.weights.folder),
                "name": BASE,
                "port": str(port),
                "dtype": self.dtype,
                **self._room(),
            }
            named = [f"{name}={folder}" for name, folder in self.adapters.items()]
            template = self.spec.template(adapters=bool(self.lodging.count))
            command = filled([*self.program, *template], values, named)
            env = {**self.spec.of.environment, **self.spec.env}
            started = time.monotonic()
            log = self.folder / f"{self.spec.kind}-{os.getpid()}-{port}.log"
            # No unit of work of its own: it may start in the middle of one.
            self._server = _started(command, port, log, env, self)
            self.start_s = time.monotonic() - started
            if self.spec.of.loads:
                for name, folder in self.adapters.items():
                    self._load(name, folder)
        return self._server

    def _load(self, name: str, folder: Path) -> None:
        assert self._server
        body = {"lora_name": name, "lora_path": str(folder.resolve())}
        try:
            self._server.post(self.spec.of.loads, body, self.spec.start_s)
        except BakeoffError as error:
            raise BakeoffError(f"{self.title}: adapter {folder}: not taken: {error}") from error

    def serve(self, name: str, folder: Path) -> None:
        """Serve an adapter beside the model, and prove that it acts.

        Raises `BakeoffError` when the engine does not take it, or it changes nothing.
        """
        if name in self.adapters:
            return

        def load() -> None:
            self.adapters[name] = folder
            if self.spec.of.loads:
                self._load(name, folder)
            else:
                self._stop()
                self.start()

        prove(lambda: self.start(), BASE, name, load, f"{self.title}: adapter {folder}")

    def restart(self) -> None:
        """Start a server again that ended by itself.

        Raises `EngineDown` when that was done as often as it is done.
        """
        tail = self._server.tail() if self._server else ""
        if self.restarts >= RESTARTS:
            raise EngineDown(
                f"{self.title}: its server ended {self.restarts + 1} times; finished work is kept: "
                f"the same command resumes. The end of its log:\n{tail}"
            )
        self.restarts += 1
        self.progress.note(f"{self.title}: its server ended and is restarted; its log:\n{tail}")
        self._stop()
        self.start()

    def client(self, concurrency: int) -> Client:
        """The connection to the server as it runs now."""
        server = self.start()
        if concurrency not in self._clients:
            self._clients[concurrency] = Client(
                self.endpoint(server.url, concurrency), None, self.title
            )
        return self._clients[concurrency]

    def endpoint(self, url: str, concurrency: int) -> Endpoint:
        """The server as an endpoint."""
        return Endpoint(
            url=f"{url}/v1",
            concurrency=concurrency,
            timeout_s=self.spec.timeout_s,
            deadline_s=2 * self.spec.timeout_s,
            extra=self.spec.of.extra,
        )

    def _stop(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self._server:
            server, self._server = self._server, None
            server.close()

    def close(self) -> None:
        """Stop the server. Its log is kept where it ended by itself."""
        log = self._server.log if self._server and self._server.alive else None
        self._stop()
        if log:
            log.unlink(missing_ok=True)


def _started(
    command: Sequence[str], port: int, log: Path, env: Mapping[str, str], engine: Engine
) -> Server:
    server = Server(command, port, log, env)
    try:
        server.wait(engine.spec.health, engine.spec.start_s, f"{engine.title}: {command[0]}")
    except BaseException:
        server.close()
        raise
    return server


@dataclass(frozen=True)
class EngineModel:
    """The model of an engine with one adapter, or with none."""

    engine: Engine
    adapter: str | None = None
    concurrency: int = 0
    """Requests in flight where answers made side by side carry their seconds; 0 where not."""

    @property
    def repeatable(self) -> bool:
        return True

    def fingerprint(self) -> dict[str, str]:
        return {**self.engine.fingerprint(), "adapter": self.adapter or ""}

    def count(self, text: str) -> int:
        return self.engine.tokenizer[0](text)

    def under_load(self, concurrency: int) -> EngineModel:
        """The same, timed with so many requests in flight."""
        return replace(self, concurrency=concurrency)

    def _served(self, decoding: Decoding) -> ServedModel:
        engine = self.engine
        client = engine.client(self.concurrency or engine.spec.concurrency)
        name = self.adapter or BASE
        counter, template = engine.tokenizer
        spec = client.spec
        assert isinstance(spec, Endpoint)
        parts = (client, spec, name, counter, template.render, engine.tally, bool(self.concurrency))
        if decoding.options:
            return ChoosingModel(*parts, template=template, ends=engine.ends)
        return ServedModel(*parts)

    def _fitted(self, chats: Sequence[Sequence[Message]]) -> Sequence[Sequence[Message]]:
        """The chats as the server's template takes them; what needs no change is not looked up."""
        template = self.engine.tokenizer[1]
        return chats if template.has_system_role else [template.fitted(chat) for chat in chats]

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        done, asked = set(skip), self._fitted(chats)

        def watched(index: int) -> None:
            if not self.engine.alive:
                raise _Ended
            sending(index)

        while len(done) < len(asked):
            try:
                served = self._served(decoding)
                for index, outcome in served.generate(asked, decoding, done, watched):
                    if isinstance(outcome, Failure) and not self.engine.alive:
                        continue
                    done.add(index)
                    yield index, outcome
                if self.engine.alive:
                    return
            except (_Ended, BakeoffError):
                if self.engine.alive:
                    raise
            self.engine.restart()

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        (chat,) = self._fitted([chat])
        while True:
            try:
                made = self._served(decoding).timed(chat, decoding)
                if self.engine.alive or not isinstance(made, Failure):
                    return made
            except BakeoffError:
                if self.engine.alive:
                    raise
            self.engine.restart()
            # What follows a start is slower than the rest, and is not to be timed.
            self._served(decoding).timed(chat, decoding)
