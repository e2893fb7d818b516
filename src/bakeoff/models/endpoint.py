"""Asking over HTTP: OpenAI-compatible endpoints and users' own services.

`Client.ask` sends asks and gives their outcomes as they get ready. What a second try may mend is
tried again, what it cannot is that ask's `Failure`, and what no ask would survive (a wrong key, a
server that is gone) stops the run. An ask moves between three places: `ready` to be sent,
`flying`, and `waiting` for its next attempt.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError, Failure, Incomplete, Sending, unwatched
from bakeoff.models.protocol import Read, Reply
from bakeoff.models.rate_limits import Breaker, Budget, Limit, backoff_s
from bakeoff.models.transport import Ask, EndpointError, Fault, Line
from bakeoff.spec.benchmark import Connection
from bakeoff.spec.keys import secrets_of, with_secrets

RAMP, RAMP_S = 4, 0.001
"""So many of the first requests, one for each slot, go out together, and the time until the next:
replies then come few by few and not in bursts, and a burst is what a kill can lose. A millisecond
is the shortest that the event loop waits."""
TRIAL = 8
"""When none of the first asks can be answered, it is the settings and not the asks; when none of
them reaches anybody, nobody is there."""


class EndpointDown(Incomplete):
    """The endpoint has not answered for too long; what is finished is kept."""


def connect(spec: Connection, where: str, file: Path, environment: Mapping[str, str]) -> Client:
    """The connection that a benchmark file names at `where`; nothing is sent yet.

    Raises `BakeoffError` when the environment does not hold its secrets.
    """
    try:
        secrets = secrets_of(spec, where, environment)
    except BakeoffError as error:
        raise BakeoffError(f"{file}: {error}") from error
    key = secrets[spec.api_key_env] if spec.api_key_env else None
    return Client(with_secrets(spec, secrets), key, where, [*secrets.values()])


@dataclass(eq=False, slots=True)
class Pending:
    """An ask without an outcome, and what was done for it so far."""

    ask: Ask
    body: bytes
    number: int
    """How many asks the client had had before it."""
    deadline: float | None = None
    """By the client's clock; it starts with the first attempt."""
    sent: int = 0
    failed: int = 0
    """Attempts that count: a probe of an endpoint that is down does not."""
    probe: bool = False
    """The present attempt is one."""


class Client:
    """One endpoint: its event loop and connections, and how hard it may be pressed just now.

    Works in the thread that calls it, and only while `ask` waits for a reply. Not for use inside
    a running event loop.
    """

    def __init__(
        self, spec: Connection, key: str | None, name: str, secrets: Collection[str] = ()
    ) -> None:
        self.spec = spec
        """As it is used: it may hold `secrets`, so that it must never be written or shown."""
        self.name = name
        self.line = Line(spec, key, name, secrets)
        self.limit = Limit(spec.concurrency)
        self.breaker = self._new_breaker()
        self.requests = Budget(spec.requests_per_minute)
        self.tokens = Budget(spec.tokens_per_minute)
        self.random = random.Random(name)
        self.asked = 0
        self.answered = False
        self._ramp_until = 0.0
        self.hopeless = 0
        """How many of the first asks failed in a way that no other attempt would mend."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"Client('{self.name}', '{self.line.shown_url}')"

    def ask(
        self, asks: Iterable[Ask], read: Read, *, sending: Sending = unwatched
    ) -> Iterator[tuple[int, Reply | Failure]]:
        """(index, outcome) of every ask, as they get ready; asks are pulled as they are needed.

        `sending` is called right before every request, with the ask's index. Closing the iterator
        gives up what is in flight. Raises `EndpointError` and `EndpointDown`, after the outcomes
        that were ready, and what `asks` or `sending` raise.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self.line.open())
        flow = Flow(self, self._loop, iter(asks), read, sending)
        try:
            while flow.unfinished:
                flow.advance()
                while flow.outcomes:
                    yield flow.outcomes.popleft()
                if flow.error is not None:
                    raise flow.error
        finally:
            flow.close()

    def close(self) -> None:
        """Close the connections. A later `ask` opens new ones."""
        if self._loop is not None:
            loop, self._loop = self._loop, None
            loop.run_until_complete(self.line.close())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    def clock(self, now: float) -> float:
        """`now` by a clock that stands still while the endpoint is down."""
        return now - self.breaker.held_s(now)

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may go out."""
        return max(
            self._ramp_until - now,
            self.breaker.wait_s(now),
            self.requests.wait_s(now),
            self.tokens.wait_s(now),
        )

    def spend(self, pending: Pending, now: float) -> None:
        """Account for an attempt that goes out now."""
        pending.sent += 1
        if pending.number < self.spec.concurrency and not (pending.number + 1) % RAMP:
            self._ramp_until = now + RAMP_S
        pending.probe = self.breaker.probing = self.breaker.opened_at is not None
        if pending.deadline is None:
            pending.deadline = self.clock(now) + self.spec.deadline_s
        self.requests.spend(1, now)
        self.tokens.spend(pending.ask.tokens, now)

    def note(self, outcome: Reply | Fault, probe: bool, now: float) -> EndpointDown | None:
        """Account for a finished attempt. An `EndpointDown` is returned when patience is over."""
        fault = outcome if isinstance(outcome, Fault) else None
        self.limit.note(fault is not None and fault.status == 429)
        self.breaker.note(fault is None or not fault.again, probe, now)
        self.answered |= fault is None
        if fault is None or not (probe and self.breaker.given_up(now)):
            return None
        self.breaker = self._new_breaker()
        return EndpointDown(
            f"endpoint '{self.name}': {self.line.shown_url} has not answered for "
            f"{self.spec.deadline_s:g} s, at last with {fault.text}. Nothing is lost: run again "
            "with --resume once it is back"
        )

    def lost(self, pending: Pending, fault: Fault) -> EndpointError | None:
        """Account for an ask that no other attempt would mend.

        An `EndpointError` is returned when the first asks went this way, all of them: in the
        order of asking, as refusals are quicker than answers.
        """
        self.hopeless += pending.number < TRIAL
        if self.answered or self.hopeless < TRIAL:
            return None
        return EndpointError(
            f"endpoint '{self.name}': {self.line.shown_url}: none of the first {TRIAL} requests "
            f"could be answered: {fault.text}. Check the settings of the endpoint"
        )

    def missing(self, fault: Fault) -> EndpointDown:
        """Nobody was reached, from the first ask on."""
        self.breaker = self._new_breaker()
        return EndpointDown(
            f"endpoint '{self.name}': {self.line.shown_url} cannot be reached: {fault.text}. Is "
            "the server running, and the url right? Finished work is kept: the same command "
            "resumes"
        )

    def _new_breaker(self) -> Breaker:
        return Breaker(max(20, 2 * self.spec.concurrency), self.spec.deadline_s)


class Flow:
    """One call of `Client.ask`: its pending asks, each in one of three places."""

    def __init__(
        self,
        client: Client,
        loop: asyncio.AbstractEventLoop,
        source: Iterator[Ask],
        read: Read,
        sending: Sending,
    ) -> None:
        self.client = client
        self.loop = loop
        self.read = read
        self.sending = sending
        self.outcomes: deque[tuple[int, Reply | Failure]] = deque()
        self.error: Exception | None = None
        self._source: Iterator[Ask] | None = source
        self._ready: deque[Pending] = deque()
        self._flying: dict[Pending, asyncio.Task[None]] = {}
        self._waiting: dict[Pending, asyncio.TimerHandle] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._reached = False
        self._gave_up = 0
        """Asks that reached nobody in all their attempts."""
        self._awake = False
        self._over = False

    @property
    def unfinished(self) -> bool:
        return bool(self._source or self._ready or self._flying or self._waiting)

    @property
    def hungry(self) -> bool:
        """Whether more asks should be pulled: one is held ready for each request in flight."""
        most = self.client.spec.concurrency
        soon = len(self._ready) + len(self._flying)
        return self._source is not None and soon < 2 * most and soon + len(self._waiting) < 4 * most

    def advance(self) -> None:
        """Pull an ask if one is wanted; let the event loop run until there is something to do."""
        self._awake = False
        if self.hungry:
            self._pull()
        self._send_ready()
        if self.hungry or self.outcomes or self.error or not self.unfinished:
            self._wake()
        self.loop.run_forever()

    def close(self) -> None:
        """Give up what is pending."""
        self._over = True
        for task in self._flying.values():
            task.cancel()
        # An interrupt leaves the loop with a stop that would end its next run too early.
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        if self._flying:
            self.client.breaker.probing = False
            everything = asyncio.gather(*self._flying.values(), return_exceptions=True)
            self.loop.run_until_complete(everything)
        for handle in [*self._waiting.values(), self._alarm]:
            if handle is not None:
                handle.cancel()

    def _pull(self) -> None:
        assert self._source is not None
        ask = next(self._source, None)
        if ask is None:
            self._source = None
            return
        body = json.dumps(ask.body).encode()
        self._ready.append(Pending(ask, body, self.client.asked))
        self.client.asked += 1

    def _wake(self) -> None:
        """Leave `advance`, one step later: what was just set off still goes out before that."""
        if not self._awake:
            self._awake = True
            self.loop.call_soon(self.loop.stop)

    def _send_ready(self) -> None:
        """Send what is ready, as far as limit, budgets and breaker allow; or come back then."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._ready and not self._over:
            if len(self._flying) >= self.client.limit.allowed:
                return
            now = self.loop.time()
            wait_s = self.client.wait_s(now)
            if wait_s > 0:
                self._alarm = self.loop.call_later(wait_s, self._send_ready)
                return
            self._send(self._ready.popleft(), now)
        if self.hungry:
            self._wake()

    def _send(self, pending: Pending, now: float) -> None:
        left_s = self._left_s(pending, now)
        if left_s <= 0:
            self._late(pending, "")
            return
        self.client.spend(pending, now)
        timeout_s = min(self.client.spec.timeout_s, left_s)
        self._flying[pending] = self.loop.create_task(self._fly(pending, timeout_s))

    async def _fly(self, pending: Pending, timeout_s: float) -> None:
        outcome: Reply | Fault | Exception
        try:
            self.sending(pending.ask.index)
            outcome = await self.client.line.send(pending.ask, pending.body, self.read, timeout_s)
        except Exception as error:
            # The caller's own, from `sending` or `read`: raised again where the caller sees it.
            outcome = error
        del self._flying[pending]
        if isinstance(outcome, Exception):
            self._stop(outcome)
        else:
            self._landed(pending, outcome)
        self._send_ready()

    def _landed(self, pending: Pending, outcome: Reply | Fault) -> None:
        now = self.loop.time()
        self._reached |= isinstance(outcome, Reply) or not outcome.unreached
        if down := self.client.note(outcome, pending.probe, now):
            self._stop(down)
        elif isinstance(outcome, Reply):
            self._finish(pending, outcome._replace(attempts=pending.sent))
        elif outcome.again:
            self._try_again(pending, outcome, now)
        else:
            self._finish(pending, Failure(outcome.text))
            if error := self.client.lost(pending, outcome):
                self._stop(error)

    def _try_again(self, pending: Pending, fault: Fault, now: float) -> None:
        """Put the ask off, unless it has had its attempts or its time."""
        pending.failed += not pending.probe
        spent = pending.failed >= self.client.spec.attempts
        if spent:
            self._finish(pending, Failure(f"{fault.text} ({_attempts(pending)})"))
        if not self._reached and self._nobody(spent):
            self._stop(self.client.missing(fault))
        if spent:
            return
        wait_s = fault.after_s
        if not pending.probe:
            wait_s += backoff_s(pending.failed, self.client.random)
        if wait_s >= self._left_s(pending, now):
            self._late(pending, f", at last with {fault.text}")
            return
        self._waiting[pending] = self.loop.call_later(wait_s, self._back, pending)

    def _nobody(self, spent: bool) -> bool:
        """Whether enough attempts failed to call the endpoint unreachable.

        One ask is enough for a server that never answered; of one that did, it may be a
        moment's trouble.
        """
        self._gave_up += spent
        alone = self._gave_up == 1 and self.client.answered
        return (
            self.client.breaker.opened_at is not None
            or self._gave_up >= TRIAL
            or (self._gave_up > 0 and not self.unfinished and not alone)
        )

    def _back(self, pending: Pending) -> None:
        del self._waiting[pending]
        if pending.probe:
            # Another ask probes next: this one may itself be what the server cannot take.
            self._ready.append(pending)
        else:
            self._ready.appendleft(pending)
        self._send_ready()

    def _left_s(self, pending: Pending, now: float) -> float:
        if pending.deadline is None:
            return self.client.spec.deadline_s
        return pending.deadline - self.client.clock(now)

    def _late(self, pending: Pending, last: str) -> None:
        allowed = f"{self.client.spec.deadline_s:g} s"
        self._finish(
            pending, Failure(f"deadline: not answered in {allowed} ({_attempts(pending)}){last}")
        )

    def _finish(self, pending: Pending, outcome: Reply | Failure) -> None:
        self.outcomes.append((pending.ask.index, outcome))
        self._wake()

    def _stop(self, error: Exception) -> None:
        self.error = self.error or error
        self._over = True
        self._wake()


def _attempts(pending: Pending) -> str:
    return quantity(pending.sent, "attempt")
