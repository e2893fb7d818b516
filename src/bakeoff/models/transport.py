"""Single HTTP requests, the key kept out of responses. The only module that imports aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from bakeoff.core.secrets import MARK, SHORTEST, masked
from bakeoff.core.words import BakeoffError
from bakeoff.models.protocol import Read, Reply, Stream, Unreadable, message_of, parsed
from bakeoff.models.rate_limits import retry_after_s
from bakeoff.spec.benchmark import Connection

RETRIED = {408, 409, 425, 429}
"""And every status from 500 on."""
STOPPING = {401, 403, 404, 405}
"""And every redirection: the next ask would be answered no better."""
MESSAGE_CHARACTERS = 200
REPLY_BYTES, ERROR_BYTES = 32 * 2**20, 2**16
"""The longest reply that is read, and what is read of an error: many come side by side."""
CONNECT_S = 30.0
"""For making a connection: who does not answer by then is not there."""
LINGER_S = 0.5
"""How long the end of a finished stream is waited for, so that its connection can be kept."""


class EndpointError(BakeoffError):
    """The endpoint can answer no request: fix its key, url, model name or settings."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make."""

    index: int
    """The caller's number of it."""
    path: str
    """What follows the endpoint's url, such as `/chat/completions`; empty for a service."""
    body: Mapping[str, object]
    tokens: int = 0
    """What it takes from the tokens a minute: prompt and completion, estimated."""
    stream: bool = False
    """Whether `body` asks for server-sent events."""


class Secret:
    """An API key on its way into a header, and nowhere else: it prints as `[key]`.

    `others` are the further secrets of a request. What comes back is cleaned of all of them.
    """

    __slots__ = ("_hidden", "_text")

    def __init__(self, text: str | None, others: Collection[str] = ()) -> None:
        self._text = (text or "").strip()
        known = [part for part in (self._text, *others) if len(part) >= SHORTEST]
        forms = {form for part in known for form in (part, quote(part), quote(part, safe=""))}
        # The longest first: a secret may begin with another one.
        self._hidden = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return MARK

    @property
    def fits_a_header(self) -> bool:
        return self._text.isascii() and self._text.isprintable()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def clean(self, text: str) -> str:
        """`text` without the secrets, and such that it can be written as UTF-8."""
        for secret in self._hidden:
            text = text.replace(secret, MARK)
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
    unreached: bool = False
    """There was no connection: nobody is there."""


class Line:
    """The connections to one server. Makes single attempts, and masks the key in what comes back.

    What aiohttp raises ends here: its errors hold the headers, so they are never chained.
    """

    def __init__(
        self, spec: Connection, key: str | None, name: str, others: Collection[str] = ()
    ) -> None:
        self.spec = spec
        self.name = name
        self.secret = Secret(key, others)
        self._address = urlsplit(spec.url)
        self._urls: dict[str, str] = {}
        self._timeout = aiohttp.ClientTimeout(total=spec.timeout_s, sock_connect=CONNECT_S)
        self._session: aiohttp.ClientSession | None = None
        if self._address.username or self._address.password:
            raise EndpointError(
                f"endpoint '{name}': url: a user and a password do not belong there; name the "
                "environment variable that holds the API key, in api_key_env"
            )
        odd = [n for n, v in spec.headers.items() if not (v.isascii() and v.isprintable())]
        if odd:
            raise EndpointError(
                f"endpoint '{name}': headers.{odd[0]}: the environment variable in it holds "
                "characters that no header has"
            )
        if not self.secret.fits_a_header:
            raise EndpointError(
                f"endpoint '{name}': the environment variable {spec.api_key_env} holds characters "
                "that no API key has"
            )

    @property
    def shown_url(self) -> str:
        """The url without its query, where some keep a key."""
        return self.secret.clean(self._address._replace(query="").geturl())

    async def open(self) -> None:
        """Get ready; connections are made as asks come."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
                headers={
                    "Content-Type": "application/json",
                    **self.spec.headers,
                    **self.secret.headers(),
                },
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
            # The transports report their end one step later.
            await asyncio.sleep(0)

    async def send(
        self, ask: Ask, body: bytes, read: Read, timeout_s: float
    ) -> Reply | Fault | EndpointError:
        """One attempt; an `EndpointError` is returned where the run must stop."""
        assert self._session is not None
        timeout = self._timeout
        if timeout_s < self.spec.timeout_s:
            timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S)
        started = asyncio.get_running_loop().time()
        try:
            async with self._session.post(
                self._url(ask.path), data=body, timeout=timeout, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return self._cleaned(await _received(response, ask, read, started))
                return self._refused(ask, response, await _read(response, ERROR_BYTES))
        except aiohttp.ConnectionTimeoutError:
            return Fault(f"connection: none in {CONNECT_S:g} s", unreached=True)
        except TimeoutError:
            return Fault(f"timeout: no complete reply in {timeout_s:.3g} s")
        except Unreadable as error:
            return Fault(f"unreadable: {self._brief(str(error))}", again=error.again)
        except aiohttp.ClientPayloadError:
            return Fault("unreadable: the reply broke off")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL) as error:
            return self._stop(ask, f"cannot be used: {type(error).__name__}: {error}")
        except aiohttp.ClientConnectorError as error:
            return Fault(f"connection: {self._brief(str(error))}", unreached=True)
        except (aiohttp.ClientError, OSError) as error:
            return Fault(f"connection: {self._brief(str(error)) or type(error).__name__}")

    def _url(self, path: str) -> str:
        if path not in self._urls:
            base = self._address.path.rstrip("/") if path else self._address.path
            self._urls[path] = self._address._replace(path=base + path).geturl()
        return self._urls[path]

    def _cleaned(self, reply: Reply) -> Reply:
        clean = self.secret.clean
        return reply._replace(
            text=clean(reply.text),
            finish_reason=clean(reply.finish_reason),
            passages=tuple(
                replace(p, document=clean(p.document), text=clean(p.text)) for p in reply.passages
            ),
        )

    def _brief(self, text: str) -> str:
        """Cleaned before it is cut: a key that was cut in two would not be found."""
        return " ".join(masked(self.secret.clean(text)).split())[:MESSAGE_CHARACTERS]

    def _refused(
        self, ask: Ask, response: aiohttp.ClientResponse, data: bytes
    ) -> Fault | EndpointError:
        status = response.status
        try:
            message = message_of(json.loads(data))
        except (ValueError, RecursionError):
            message = data.decode(errors="replace")
        message = self._brief(message) or response.reason or "no message"
        if status in RETRIED or status >= 500:
            after_s = retry_after_s(response.headers.get("Retry-After"))
            return Fault(f"server ({status}): {message}", status=status, after_s=after_s)
        if status in STOPPING or status < 400:
            location = response.headers.get("Location", "")
            return self._stop(
                ask, f"answered {status}: {message}. {self._remedy(status, ask, location)}"
            )
        return Fault(f"rejected ({status}): {message}", again=False, status=status)

    def _remedy(self, status: int, ask: Ask, location: str) -> str:
        key = self.spec.api_key_env
        if status in (401, 403) and key is None:
            return "Name the environment variable that holds the API key, in api_key_env"
        if status == 401:
            return f"Check the API key in the environment variable {key}"
        if status == 403:
            return f"Check what the API key in the environment variable {key} may be used for"
        if status == 404 and "model" in ask.body:
            return f"Check the model name '{ask.body['model']}', and the url"
        if location:
            return f"It redirects; write the url that it redirects to: {masked(location)}"
        return "Check the url"

    def _stop(self, ask: Ask, problem: str) -> EndpointError:
        url = self.shown_url.rstrip("/") + ask.path if ask.path else self.shown_url
        return EndpointError(self.secret.clean(f"endpoint '{self.name}': {url} {problem}"))


def _proxy(address: SplitResult) -> str | None:
    """The proxy that the environment names for a host other than this one."""
    host = address.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    proxy = getproxies().get(address.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, or its beginning of at least `most` bytes where it is longer."""
    pieces, size = [], 0
    async for data in response.content.iter_any():
        pieces.append(data)
        size += len(data)
        if size >= most:
            # What is still to come is not waited for.
            response.close()
            break
    return b"".join(pieces)


def _within_limit(size: int) -> None:
    if size > REPLY_BYTES:
        raise Unreadable(f"the reply is larger than {REPLY_BYTES // 2**20} MiB", again=False)


async def _received(
    response: aiohttp.ClientResponse, ask: Ask, read: Read, started: float
) -> Reply:
    """The reply to an attempt that began at `started`."""
    now = asyncio.get_running_loop().time
    # Servers that cannot stream answer as if they had not been asked to.
    if not ask.stream or response.content_type == "application/json":
        data = await _read(response, REPLY_BYTES + 1)
        total_s = now() - started
        _within_limit(len(data))
        return read(parsed(data))._replace(total_s=total_s)
    stream, size = Stream(), 0
    async for data in response.content.iter_any():
        _within_limit(size := size + len(data))
        stream.feed(data, now())
        if stream.ended:
            break
    total_s = now() - started
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(LINGER_S):
            await response.read()
    reply = read(stream.value())
    ttft_s = None if stream.first_s is None else stream.first_s - started
    return reply._replace(ttft_s=ttft_s, total_s=total_s, token_gap_s=stream.token_gap_s)
