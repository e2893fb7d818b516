"""Asking over HTTP: OpenAI-compatible endpoints and users' own services. The door to aiohttp.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import jmespath
from jmespath.exceptions import JMESPathError

from bakeoff.core import BakeoffError, Decoding, Failure, Message, Passage, Sending, unwatched
from bakeoff.suite import Connection

RETRIED = {408, 409, 425, 429}
"""And every status from 500 on."""
STOPPING = {401, 403, 404, 405}
"""And every redirection: the next ask would be answered no better."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
BURST_S = 1.0
"""A budget may run ahead by what it allows in so many seconds."""
TRIAL = 8
"""When none of the first asks can be answered, it is the settings and not the asks."""
MESSAGE_CHARACTERS = 200
SHORTEST_SECRET = 6
"""Shorter keys are stand-ins such as `none`; to mask them would maim the answers."""
LINGER_S = 0.5
"""How long the end of a finished stream is waited for, so that its connection can be kept."""


class EndpointError(BakeoffError):
    """The endpoint would answer no ask: its key, url, model name or settings must be mended."""


class EndpointDown(BakeoffError):
    """The endpoint has not answered for too long; what is finished is kept."""


class Unreadable(Exception):
    """A reply that does not hold what it must. The text says what is missing."""

    def __init__(self, text: str, again: bool = True) -> None:
        super().__init__(text)
        self.again = again
        """Whether another attempt may give a better one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make."""

    index: int
    """The caller's number of it."""
    path: str
    """What follows the endpoint's url, such as `/chat/completions`; empty for a service."""
    body: Mapping[str, Any]
    tokens: int = 0
    """What it takes from the tokens a minute: prompt and completion, estimated."""
    stream: bool = False
    """Whether `body` asks for server-sent events."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; seconds are those of the successful attempt alone."""

    text: str = ""
    prompt_tokens: int | None = None
    """By the server's own count, as `completion_tokens`; `None` where it states none."""
    completion_tokens: int | None = None
    finish: str | None = None
    """Why the answer ended: `stop`, `length`, or what else the server says."""
    passages: tuple[Passage, ...] = ()
    vectors: tuple[Sequence[float], ...] = ()
    ttft_s: float | None = None
    """Until the first text of a streamed answer."""
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
    extra: Mapping[str, Any] | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The body of a chat completion. `extra` goes over it; a null there takes a field out."""
    return _body({"model": model, "messages": [dict(m) for m in chat]}, decoding, extra, stream)


def completions_body(
    model: str,
    prompt: str | Sequence[Message],
    decoding: Decoding,
    extra: Mapping[str, Any] | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The body of a plain completion; a chat becomes its texts with blank lines between them."""
    if not isinstance(prompt, str):
        prompt = "\n\n".join(message["content"] for message in prompt)
    return _body({"model": model, "prompt": prompt}, decoding, extra, stream)


def _body(
    head: Mapping[str, Any], decoding: Decoding, extra: Mapping[str, Any] | None, stream: bool
) -> dict[str, Any]:
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
    model: str, texts: Sequence[str], extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body that asks for the vectors of `texts`."""
    return {"model": model, "input": list(texts), **(extra or {})}


def service_body(request: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
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
    """The first choice of a chat or plain completion. Raises `Unreadable`."""
    choice = _first_choice(value)
    if choice is None:
        raise Unreadable(f"the reply has no choices: {_message(value)}")
    if isinstance(choice.get("message"), dict):
        # A model that only thought or only called a tool has said nothing: null.
        text = choice["message"].get("content") or ""
    else:
        text = choice.get("text")
    if isinstance(text, list):
        text = "".join(str(part.get("text") or "") for part in text if isinstance(part, dict))
    if not isinstance(text, str):
        raise Unreadable("the reply's first choice has no text")
    finish = choice.get("finish_reason")
    return Reply(text, *_usage(value), finish if isinstance(finish, str) else None)


def _first_choice(value: Any) -> dict[str, Any] | None:
    choices = value.get("choices") if isinstance(value, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _usage(value: Mapping[str, Any]) -> tuple[int | None, int | None]:
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return None, None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(value: Any) -> int | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if usable and 0 <= value < float("inf") else None


def _message(value: Any) -> str:
    """The server's own words in the JSON value of an error."""
    while isinstance(value, dict):
        inner = next((value[n] for n in ("error", "message", "detail") if value.get(n)), None)
        if inner is None:
            break
        value = inner
    return value if isinstance(value, str) else json.dumps(value)


def read_embeddings(value: Any) -> Reply:
    """The vectors in the order of the texts that were sent. Raises `Unreadable`."""
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise Unreadable(f"the reply has no data: {_message(value)}")
    vectors = {}
    for place, row in enumerate(rows):
        vector = row.get("embedding") if isinstance(row, dict) else None
        if not isinstance(vector, list) or not vector:
            raise Unreadable(f"row {place} of the reply is no vector of numbers")
        vectors[row.get("index", place)] = vector
    if set(vectors) != set(range(len(rows))):
        raise Unreadable("the reply's vectors are not numbered one by one")
    return Reply("", *_usage(value), vectors=tuple(vectors[i] for i in range(len(rows))))


def read_service(value: Any, response: Mapping[str, str]) -> Reply:
    """What `Service.response` finds in a service's reply. Raises `Unreadable`."""
    found = {}
    for part, expression in response.items():
        try:
            found[part] = jmespath.search(expression, value)
        except JMESPathError as error:
            raise Unreadable(f"{part}: '{expression}': {error}", again=False) from error
    text = found["text"]
    if isinstance(text, int | float):
        text = json.dumps(text)
    if not isinstance(text, str):
        raise Unreadable(f"text: '{response['text']}' finds no text in the reply", again=False)
    try:
        passages = tuple(_passage(row) for row in found.get("passages") or ())
    except (TypeError, KeyError) as error:
        raise Unreadable(
            f"passages: '{response['passages']}' must give a list of {{document, text}}",
            again=False,
        ) from error
    prompt, completion = (_count(found.get(n)) for n in ("prompt_tokens", "completion_tokens"))
    return Reply(text, prompt, completion, passages=passages)


def _passage(row: Any) -> Passage:
    """The place in the document is not known, so it is taken to be the start."""
    document, text = row["document"], row["text"]
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
        """When the first text came, as told to `feed`."""
        self._last_s = 0.0
        self._rest = b""
        self._pieces: list[str] = []
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None
        self._thought = False

    def feed(self, data: bytes, now: float) -> None:
        """Take the next bytes, which came at `now`. Raises `Unreadable`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line, now)

    def value(self) -> dict[str, Any]:
        """The whole completion. Raises `Unreadable` when its end never came."""
        rest, self._rest = self._rest, b""
        self._take(rest, self._last_s)
        if not (self.ended or self._finish):
            raise Unreadable("the stream broke off")
        text = "".join(self._pieces)
        choice = {"message": {"content": text}, "text": text, "finish_reason": self._finish}
        return {"choices": [choice], "usage": self._usage}

    @property
    def token_gap_s(self) -> float | None:
        """Seconds between two tokens, by the server's count of them where it can be used."""
        if self.first_s is None:
            return None
        # Thinking counts as completion but is not in the text that was timed.
        stated = None if self._thought else _usage({"usage": self._usage})[1]
        tokens = stated or len(self._pieces)
        return (self._last_s - self.first_s) / (tokens - 1) if tokens > 1 else None

    def _take(self, line: bytes, now: float) -> None:
        data = line[5:].strip() if line.startswith(b"data:") else b""
        if not data or self.ended:
            return
        if data == b"[DONE]":
            self.ended = True
            return
        chunk = _parsed(data)
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise Unreadable(f"the stream holds an error: {_message(chunk)}")
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choice = _first_choice(chunk)
        if choice is not None:
            self._choose(choice, now)

    def _choose(self, choice: Mapping[str, Any], now: float) -> None:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        self._thought |= bool(delta.get("reasoning_content") or delta.get("reasoning"))
        self._finish = choice.get("finish_reason") or self._finish
        piece = delta.get("content") or choice.get("text")
        if piece and isinstance(piece, str):
            self._pieces.append(piece)
            self._last_s = now
            if self.first_s is None:
                self.first_s = now


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        # Not from the error: it holds the whole text, which may hold the key.
        raise Unreadable("the reply is no JSON: cut short, or not meant for programs") from None


def retry_after_s(header: str | None) -> float:
    """Seconds to wait by a Retry-After header: a number, or a date; 0 when it is neither."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        date = None
        with suppress(ValueError):
            date = parsedate_to_datetime(header)
    if date is None:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def backoff_s(failed: int, draw: random.Random) -> float:
    """Seconds to wait after so many failed attempts: anything up to a bound that doubles.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter calls it full jitter.
    """
    return draw.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failed - 1, 10)))


class Budget:
    """Spaces costs evenly, so many a minute, after a burst of `BURST_S`; `None` has no limit."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next cost may be spent."""
        return max(0.0, self._free_at - BURST_S - now)

    def spend(self, cost: int, now: float) -> None:
        self._free_at = max(self._free_at, now) + cost * self._seconds_each


class Limit:
    """Requests that may be in flight: halved while the server refuses many, then raised again."""

    def __init__(self, most: int) -> None:
        self.most = self.allowed = most
        self._last: deque[bool] = deque(maxlen=100)
        self._since_halving = 50
        self._unrefused = 0

    def note(self, refused: bool) -> None:
        """Take in a finished attempt; `refused` is a 429."""
        self._last.append(refused)
        self._since_halving += 1
        self._unrefused = 0 if refused else self._unrefused + 1
        if refused and sum(self._last) > 20 and self._since_halving >= 50:
            self.allowed = max(1, self.allowed // 2)
            self._last.clear()
            self._since_halving = 0
        elif self._unrefused >= 50:
            self._unrefused = 0
            self.allowed = min(self.most, self.allowed + max(1, self.allowed // 4))


class Breaker:
    """Holds everything back after `threshold` failures in a row, but for a probe now and then."""

    def __init__(self, threshold: int, patience_s: float) -> None:
        self.threshold = threshold
        self.patience_s = patience_s
        self.opened_at: float | None = None
        self.probing = False
        self._failures = 0
        self._wait_s = 0.0
        self._probe_at = 0.0
        self._held_s = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may go; while a probe is out, until to look again."""
        if self.opened_at is None:
            return 0.0
        return 1.0 if self.probing else max(0.0, self._probe_at - now)

    def held_s(self, now: float) -> float:
        """Seconds it has been open, all in all."""
        return self._held_s + (now - self.opened_at if self.opened_at is not None else 0.0)

    def note(self, alive: bool, probe: bool, now: float) -> None:
        """Take in a finished attempt: whether the server was alive, and whether it was a probe."""
        if alive:
            self._held_s = self.held_s(now)
            self.opened_at, self.probing, self._failures = None, False, 0
            return
        self._failures += 1
        if self.opened_at is None:
            if self._failures >= self.threshold:
                self.opened_at, self._wait_s = now, 1.0
                self._probe_at = now + min(self._wait_s, self.patience_s)
        elif probe:
            self.probing = False
            self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
            self._probe_at = min(now + self._wait_s, self.opened_at + self.patience_s)

    def given_up(self, now: float) -> bool:
        """Whether it has been open for as long as anybody wants to wait."""
        return self.opened_at is not None and now - self.opened_at >= self.patience_s


class Secret:
    """An API key on its way into a header, and nowhere else: it prints as `[key]`."""

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = (text or "").strip()

    def __repr__(self) -> str:
        return "[key]"

    @property
    def fits_a_header(self) -> bool:
        return self._text.isascii() and self._text.isprintable()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def clean(self, text: str) -> str:
        """`text` without the key, and such that it can be written as UTF-8."""
        if len(self._text) >= SHORTEST_SECRET:
            text = text.replace(self._text, "[key]")
        # Halves of emojis come from servers that cut streams between bytes.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an attempt failed. The first word of `text` is its kind and never changes."""

    text: str
    again: bool = True
    status: int = 0
    after_s: float = 0.0
    """The server wants no new attempt before this."""


class Line:
    """The connections to one server. Makes single attempts, and masks the key in what comes back.

    What aiohttp raises ends here: its errors hold the headers, so they are never chained.
    """

    def __init__(self, spec: Connection, key: str | None, name: str) -> None:
        self.spec = spec
        self.name = name
        self.secret = Secret(key)
        self._address = urlsplit(spec.url)
        self._urls: dict[str, str] = {}
        self._timeout = aiohttp.ClientTimeout(total=spec.timeout_s)
        self._session: aiohttp.ClientSession | None = None
        if self._address.username or self._address.password:
            raise EndpointError(
                f"endpoint '{name}': url: a user and a password do not belong there; name the "
                "environment variable that holds the API key, in key"
            )
        if not self.secret.fits_a_header:
            raise EndpointError(
                f"endpoint '{name}': the environment variable {spec.key} holds characters that "
                "no API key has"
            )

    async def open(self) -> None:
        """Get ready; connections are made as asks come."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
                headers={"Content-Type": "application/json", **self.secret.headers()},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                # aiohttp's own trust_env looks for the proxy at every request, in a thread.
                proxy=_proxy(self._address),
            )
        # One step of the loop notices the connections that the server has closed meanwhile.
        await asyncio.sleep(0)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The transports tell of their end one step later.
            await asyncio.sleep(0)

    async def send(
        self, ask: Ask, body: bytes, read: Read, timeout_s: float
    ) -> Reply | Fault | EndpointError:
        """One attempt; an `EndpointError` is returned where the run must stop."""
        assert self._session is not None
        timeout = self._timeout
        if timeout_s < self.spec.timeout_s:
            timeout = aiohttp.ClientTimeout(total=timeout_s)
        started = asyncio.get_running_loop().time()
        try:
            async with self._session.post(
                self._url(ask.path), data=body, timeout=timeout, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return self._cleaned(await _received(response, ask, read, started))
                return self._refused(ask, response, await response.read())
        except TimeoutError:
            return Fault(f"timeout: no whole reply in {timeout_s:.3g} s")
        except Unreadable as error:
            return Fault(f"unreadable: {self._brief(str(error))}", again=error.again)
        except aiohttp.ClientPayloadError:
            return Fault("unreadable: the reply broke off")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL) as error:
            return self._stop(ask, f"cannot be used: {type(error).__name__}: {error}")
        except (aiohttp.ClientError, OSError) as error:
            return Fault(f"connection: {self._brief(str(error)) or type(error).__name__}")

    def _url(self, path: str) -> str:
        if path not in self._urls:
            base = self._address.path.rstrip("/") if path else self._address.path
            self._urls[path] = self._address._replace(path=base + path).geturl()
        return self._urls[path]

    def _cleaned(self, reply: Reply) -> Reply:
        clean = self.secret.clean
        return replace(
            reply,
            text=clean(reply.text),
            finish=reply.finish and clean(reply.finish),
            passages=tuple(
                replace(p, document=clean(p.document), text=clean(p.text)) for p in reply.passages
            ),
        )

    def _brief(self, text: str) -> str:
        """Cleaned before it is cut: a key that was cut in two would not be found."""
        return " ".join(self.secret.clean(text).split())[:MESSAGE_CHARACTERS]

    def _refused(
        self, ask: Ask, response: aiohttp.ClientResponse, data: bytes
    ) -> Fault | EndpointError:
        status = response.status
        try:
            said = _message(json.loads(data))
        except (ValueError, RecursionError):
            said = data.decode(errors="replace")
        said = self._brief(said) or response.reason or "no message"
        if status in RETRIED or status >= 500:
            after_s = retry_after_s(response.headers.get("Retry-After"))
            return Fault(f"server ({status}): {said}", status=status, after_s=after_s)
        if status in STOPPING or status < 400:
            location = response.headers.get("Location", "")
            return self._stop(
                ask, f"answered {status}: {said}. {self._mend(status, ask, location)}"
            )
        return Fault(f"rejected ({status}): {said}", again=False, status=status)

    def _mend(self, status: int, ask: Ask, location: str) -> str:
        key = self.spec.key
        if status in (401, 403) and key is None:
            return "Name the environment variable that holds the API key, in key"
        if status == 401:
            return f"Check the API key in the environment variable {key}"
        if status == 403:
            return f"Check what the API key in the environment variable {key} may be used for"
        if status == 404 and "model" in ask.body:
            return f"Check the model name '{ask.body['model']}', and the url"
        if location:
            return f"Write the url that it leads to: {location}"
        return "Check the url"

    def _stop(self, ask: Ask, problem: str) -> EndpointError:
        url = self._url(ask.path).partition("?")[0]
        return EndpointError(self.secret.clean(f"endpoint '{self.name}': {url} {problem}"))


def _proxy(address: SplitResult) -> str | None:
    """The proxy that the environment names for a host other than this one."""
    host = address.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    proxy = getproxies().get(address.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


async def _received(
    response: aiohttp.ClientResponse, ask: Ask, read: Read, started: float
) -> Reply:
    """The reply to an attempt that began at `started`."""
    now = asyncio.get_running_loop().time
    # Servers that cannot stream answer as if they had not been asked to.
    if not ask.stream or response.content_type == "application/json":
        data = await response.read()
        total_s = now() - started
        return replace(read(_parsed(data)), total_s=total_s)
    stream = Stream()
    async for data in response.content.iter_any():
        stream.feed(data, now())
        if stream.ended:
            break
    total_s = now() - started
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(LINGER_S):
            await response.read()
    reply = read(stream.value())
    ttft_s = None if stream.first_s is None else stream.first_s - started
    return replace(reply, ttft_s=ttft_s, total_s=total_s, token_gap_s=stream.token_gap_s)


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

    def __init__(self, spec: Connection, key: str | None, name: str) -> None:
        self.spec = spec
        self.name = name
        self.line = Line(spec, key, name)
        self.limit = Limit(spec.concurrency)
        self.breaker = self._new_breaker()
        self.requests = Budget(spec.requests_per_minute)
        self.tokens = Budget(spec.tokens_per_minute)
        self.random = random.Random(name)
        self.asked = 0
        self.answered = False
        self.hopeless = 0
        """How many of the first asks failed in a way that no other attempt would mend."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"Client('{self.name}', '{self.spec.url}')"

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
        return max(b.wait_s(now) for b in (self.breaker, self.requests, self.tokens))

    def spend(self, pending: Pending, now: float) -> None:
        """Account for an attempt that goes out now."""
        pending.sent += 1
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
            f"endpoint '{self.name}': {self.spec.url} has not answered for "
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
            f"endpoint '{self.name}': {self.spec.url}: none of the first {TRIAL} requests could be "
            f"answered: {fault.text}. Check the settings of the endpoint"
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
        self._awake = loop.create_future()
        self._over = False

    @property
    def unfinished(self) -> bool:
        return bool(self._source or self._ready or self._flying or self._waiting)

    @property
    def hungry(self) -> bool:
        """Whether more asks should be pulled: one for each request in flight stands by."""
        most = self.client.spec.concurrency
        soon = len(self._ready) + len(self._flying)
        return self._source is not None and soon < 2 * most and soon + len(self._waiting) < 4 * most

    def advance(self) -> None:
        """Pull an ask if one is wanted; let the event loop run until there is something to do."""
        self._awake = self.loop.create_future()
        if self.hungry:
            self._pull()
        self._send_ready()
        if self.hungry or self.outcomes or self.error or not self.unfinished:
            self._wake()
        self.loop.run_until_complete(self._awake)

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
        if not self._awake.done():
            self._awake.set_result(None)

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
        if down := self.client.note(outcome, pending.probe, now):
            self._stop(down)
        elif isinstance(outcome, Reply):
            self._finish(pending, replace(outcome, attempts=pending.sent))
        elif outcome.again:
            self._try_again(pending, outcome, now)
        else:
            self._finish(pending, Failure(outcome.text))
            if error := self.client.lost(pending, outcome):
                self._stop(error)

    def _try_again(self, pending: Pending, fault: Fault, now: float) -> None:
        """Put the ask off, unless it has had its attempts or its time."""
        pending.failed += not pending.probe
        if pending.failed >= self.client.spec.attempts:
            self._finish(pending, Failure(f"{fault.text} ({_attempts(pending)})"))
            return
        wait_s = fault.after_s
        if not pending.probe:
            wait_s += backoff_s(pending.failed, self.client.random)
        if wait_s >= self._left_s(pending, now):
            self._late(pending, f", at last with {fault.text}")
            return
        self._waiting[pending] = self.loop.call_later(wait_s, self._back, pending)

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
    return f"{pending.sent} attempt{'s' if pending.sent != 1 else ''}"
