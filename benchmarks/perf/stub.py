"""A stub of an OpenAI-compatible server for tests and benchmarks: faults come when ordered.

    python benchmarks/perf/stub.py --port 0 --latency 0.05 --fault 429=0.05 --retry-after 0.2

It listens on loopback only, prints its address as one line and stops by itself: when its standard
input (a pipe from the parent) closes, or after `--idle` seconds without a request. The answer is a
function of the prompt and the model: "say X" is answered with X, all else with `--words` words.

A prompt can order a fault, too: `[always 500]` brings it every time, `[once 500]` the first time
that the prompt is asked (a second `[once ...]` in the same prompt: the second time).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import os
import random
import re
import socket
import stat
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

FAULTS = {
    "400": "refused at once",
    "401": "refused at once",
    "404": "refused at once",
    "429": "refused at once, with Retry-After",
    "500": "refused at once",
    "reset": "the connection is reset before any byte of the reply",
    "hang": "never answered",
    "truncated": "half of the reply's bytes, then the connection closes",
    "midstream": "half of a stream's events, then the connection closes (no stream: as truncated)",
}
REASONS = {
    "200": "OK",
    "400": "Bad Request",
    "401": "Unauthorized",
    "404": "Not Found",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
}
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
EMBEDDINGS, RAG = "/v1/embeddings", "/rag"
PROMPT_FIELDS = {CHAT: "messages", COMPLETIONS: "prompt", EMBEDDINGS: "input", RAG: "question"}
VOCABULARY = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heath", "islet")
DIMENSIONS = 16
SLACK_S = 0.02
"""A retry that comes this much too early is not counted: clocks and timers are coarse."""

_ORDER = re.compile(rf"\[(always|once) ({'|'.join(FAULTS)})\]")
_SAY = re.compile(r"say (\S+)")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Settings:
    """How the server answers; times in seconds, `faults` as fault -> share of the requests."""

    latency: float
    token_interval: float
    retry_after: float
    seed: int
    words: int
    key: str
    faults: Mapping[str, float]


@dataclass(frozen=True)
class Request:
    """One HTTP request, read whole; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Prompt:
    """What a request asks: every text of it, the one to answer, and its name in the counts."""

    key: str
    texts: Sequence[str]
    last: str
    model: str

    @property
    def words(self) -> int:
        return sum(len(text.split()) for text in self.texts)


@dataclass
class Counts:
    """What the server saw since it started or was reset; the moments are of `time.time()`."""

    requests: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    per_prompt: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """Complete replies of status 200, by prompt."""
    in_flight_max: int = 0
    retry_after_violations: int = 0
    first_request_at: float | None = None
    last_request_at: float | None = None
    last_reply_at: float | None = None


def prompt_key(prompt: object) -> str:
    """The name of a prompt in the counts; `prompt` is its messages, prompt, input or question."""
    text = json.dumps(prompt, sort_keys=True)
    return hashlib.sha1(text.encode()).hexdigest()


def read_prompt(path: str, body: Mapping[str, Any]) -> Prompt:
    """The prompt of a request. Raises `KeyError` or `TypeError` where the body has none."""
    asked = body[PROMPT_FIELDS[path]]
    if path == CHAT:
        texts = [_text(message["content"]) for message in asked]
        users = [text for text, m in zip(texts, asked, strict=True) if m["role"] == "user"]
        last = users[-1] if users else ""
    else:
        texts = [asked] if isinstance(asked, str) else list(asked)
        last = texts[-1]
    return Prompt(prompt_key(asked), texts, last, str(body.get("model", "")))


def _text(content: str | Sequence[Mapping[str, str]]) -> str:
    """A message's text, which may come in parts."""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)


def answer(prompt: Prompt, words: int) -> str:
    """What the model says: always the same to the same prompt."""
    if said := _SAY.search(prompt.last):
        return said[1]
    draw = random.Random(f"{prompt.model} {prompt.key}")
    return " ".join(draw.choices(VOCABULARY, k=words))


def vector(text: str) -> list[float]:
    """A bag of words as a vector of length one: texts that share words are near each other."""
    words = _WORD.findall(text.lower()) or [""]
    total = [sum(column) for column in zip(*map(_direction, words), strict=True)]
    length = math.hypot(*total)
    return [value / length for value in total]


@cache
def _direction(word: str) -> tuple[float, ...]:
    return tuple(byte - 127.5 for byte in hashlib.sha1(word.encode()).digest()[:DIMENSIONS])


def reply(path: str, prompt: Prompt, words: int) -> dict[str, Any]:
    """The body of a good reply."""
    if path == EMBEDDINGS:
        data = [
            {"object": "embedding", "index": i, "embedding": vector(text)}
            for i, text in enumerate(prompt.texts)
        ]
        usage = {"prompt_tokens": prompt.words, "total_tokens": prompt.words}
        return {"object": "list", "model": prompt.model, "data": data, "usage": usage}
    text = answer(prompt, words)
    if path == RAG:
        sources = [
            {"id": "doc-1", "text": f"The answer is {text}."},
            {"id": "doc-2", "text": f"Somebody asked: {prompt.last}"},
        ]
        usage = {"in": prompt.words, "out": len(text.split())}
        return {"answer": text, "sources": sources, "usage": usage}
    part = {"message": {"role": "assistant", "content": text}} if path == CHAT else {"text": text}
    return {
        "id": f"stub-{prompt.key[:12]}",
        "object": "chat.completion" if path == CHAT else "text_completion",
        "created": 0,
        "model": prompt.model,
        "choices": [{"index": 0, **part, "finish_reason": "stop"}],
        "usage": _usage(prompt, text),
    }


def _usage(prompt: Prompt, text: str) -> dict[str, int]:
    given, made = prompt.words, len(text.split())
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def stream(path: str, prompt: Prompt, words: int, usage: bool) -> list[bytes]:
    """The events of a streamed reply: its words, its end, its usage if asked for, `[DONE]`."""
    text = answer(prompt, words)
    pieces = re.findall(r"\s*\S+", text)
    head = {
        "id": f"stub-{prompt.key[:12]}",
        "object": "chat.completion.chunk" if path == CHAT else "text_completion",
        "created": 0,
        "model": prompt.model,
    }
    # As the real one does: with usage asked for, the chunks before it hold a null.
    unknown = {"usage": None} if usage else {}
    chunks: list[dict[str, Any]] = []
    for place, piece in enumerate([*pieces, ""]):
        delta = {"content": piece} if piece else {}
        part = {"delta": delta} if path == CHAT else {"text": piece}
        end = "stop" if place == len(pieces) else None
        choice = {"index": 0, **part, "finish_reason": end}
        chunks.append({**head, "choices": [choice], **unknown})
    if usage:
        chunks.append({**head, "choices": [], "usage": _usage(prompt, text)})
    return [*(b"data: %b\n\n" % json.dumps(c).encode() for c in chunks), b"data: [DONE]\n\n"]


def fault_of(prompt: Prompt, attempt: int, settings: Settings) -> str:
    """The fault of the prompt's `attempt`-th request (from 1), or an empty string.

    It depends on nothing else, so that the order in which requests arrive changes no fault.
    """
    orders = [order for text in prompt.texts for order in _ORDER.findall(text)]
    always: list[str] = [fault for when, fault in orders if when == "always"]
    once: list[str] = [fault for when, fault in orders if when == "once"]
    if always:
        return always[0]
    if attempt <= len(once):
        return once[attempt - 1]
    if not settings.faults:
        return ""
    left = random.Random(f"{settings.seed} {prompt.key} {attempt}").random()
    for fault, share in sorted(settings.faults.items()):
        left -= share
        if left < 0:
            return fault
    return ""


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request; one with a body must say its Content-Length.

    Raises `IncompleteReadError` when the client has closed the connection.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def _message(status: str, body: object, extra: str = "") -> bytes:
    """A whole HTTP message with a JSON body."""
    data = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n{extra}\r\n"
    )
    return head.encode() + data


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@dataclass(frozen=True)
class Exchange:
    """A request, the two ends of its connection, and the counts that it belongs to."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    counts: Counts

    def send(self, data: bytes) -> None:
        self.writer.write(data)
        self.counts.last_reply_at = time.time()

    def refuse(self, status: str, extra: str = "") -> None:
        """Send an error that repeats the client's secret, as careless servers do."""
        given = self.request.headers.get("authorization", "none")
        text = f"{REASONS[status]} (your Authorization was: {given})"
        self.counts.by_status[status] += 1
        self.send(_message(status, {"error": {"message": text, "code": int(status)}}, extra))

    def reset(self) -> None:
        """Close the connection with RST: nothing is left to read, not even an end."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """Answers connections and keeps count; `active_at` is when it last had something to do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.active_at = time.monotonic()
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        self.counts = Counts()
        self.wait_until: dict[str, float] = {}

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side closes it."""
        # Clients under test go away at any moment, on purpose. When the server stops, asyncio of
        # Python 3.11 would print a traceback for each handler that ends as cancelled.
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with suppress(*gone):
            while not writer.is_closing():
                request = await read_request(reader)
                self.active_at = time.monotonic()
                if request.method != "POST" or request.path == "/reset":
                    writer.write(self.control(request))
                    continue
                self.in_flight += 1
                try:
                    await self.post(Exchange(request, reader, writer, self.counts))
                finally:
                    self.in_flight -= 1
                    self.active_at = time.monotonic()
        writer.close()

    def control(self, request: Request) -> bytes:
        """The reply to what no model is asked."""
        if (request.method, request.path) == ("GET", "/stats"):
            return _message("200", vars(self.counts))
        if (request.method, request.path) == ("POST", "/reset"):
            self.clear()
            return _message("200", {})
        return _message("404", {"error": {"message": f"no such page: {request.path}"}})

    async def post(self, exchange: Exchange) -> None:
        request, counts = exchange.request, exchange.counts
        counts.requests += 1
        counts.in_flight_max = max(counts.in_flight_max, self.in_flight)
        counts.last_request_at = time.time()
        counts.first_request_at = counts.first_request_at or counts.last_request_at
        if request.path not in PROMPT_FIELDS:
            return exchange.refuse("404")
        try:
            body = json.loads(request.body)
            prompt = read_prompt(request.path, body)
        except (ValueError, KeyError, TypeError, IndexError):
            return exchange.refuse("400")
        counts.per_prompt[prompt.key] += 1
        if time.monotonic() < self.wait_until.get(prompt.key, 0.0) - SLACK_S:
            counts.retry_after_violations += 1
        key = self.settings.key
        if key and request.headers.get("authorization") != f"Bearer {key}":
            return exchange.refuse("401")
        fault = fault_of(prompt, counts.per_prompt[prompt.key], self.settings)
        if fault == "429":
            self.wait_until[prompt.key] = time.monotonic() + self.settings.retry_after
            return exchange.refuse(fault, f"Retry-After: {self.settings.retry_after:g}\r\n")
        if fault in REASONS:
            return exchange.refuse(fault)
        return await self.answer(exchange, prompt, body, fault)

    async def answer(
        self, exchange: Exchange, prompt: Prompt, body: Mapping[str, Any], fault: str
    ) -> None:
        """Reply after the latency, as far as `fault` lets it."""
        counts, path = exchange.counts, exchange.request.path
        if fault:
            counts.by_status[fault] += 1
        if fault == "hang":
            # Only the end of the connection ends it.
            await exchange.reader.read()
            return exchange.writer.close()
        await asyncio.sleep(self.settings.latency)
        if fault == "reset":
            return exchange.reset()
        if exchange.reader.at_eof():
            return exchange.writer.close()
        if body.get("stream") and path in (CHAT, COMPLETIONS):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            await self.send_events(
                exchange, stream(path, prompt, self.settings.words, usage), fault
            )
        else:
            message = _message("200", reply(path, prompt, self.settings.words))
            head = message.index(b"\r\n\r\n") + 4
            exchange.send(message[: (head + len(message)) // 2] if fault else message)
        if fault:
            return exchange.writer.close()
        await exchange.writer.drain()
        counts.by_status["200"] += 1
        counts.answered[prompt.key] += 1
        return None

    async def send_events(self, exchange: Exchange, events: Sequence[bytes], fault: str) -> None:
        """Send the events as chunks: all of them, or half and no end."""
        exchange.writer.write(STREAM_HEAD)
        kept = len(events) // 2 if fault else len(events)
        for place, event in enumerate(events[:kept]):
            if place and self.settings.token_interval:
                await asyncio.sleep(self.settings.token_interval)
            exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
            await exchange.writer.drain()
        if fault == "truncated":
            event = events[kept]
            exchange.send(b"%x\r\n%b" % (len(event), event[: len(event) // 2]))
        elif not fault:
            exchange.send(b"0\r\n\r\n")


async def serve(settings: Settings, port: int, idle_s: float) -> None:
    """Serve on loopback until the parent's pipe closes or nobody asks for `idle_s` seconds."""
    stub = Server(settings)
    server = await asyncio.start_server(stub.connection, "127.0.0.1", port, backlog=1024)
    orphaned = asyncio.Event()
    _on_end_of_input(orphaned)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    while (left := stub.active_at + idle_s - time.monotonic()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(orphaned.wait(), left)
            return


def _on_end_of_input(event: asyncio.Event) -> None:
    """Set `event` when standard input ends; a terminal, a file or /dev/null tells nothing."""
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            event.set()

    loop.add_reader(0, readable)


def _fault(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"no fault named '{name}'; known: {', '.join(FAULTS)}")
    try:
        return name, float(share)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}': write it as {name}=0.05") from error


def main() -> None:
    """The command line."""
    known = "\n".join(f"  {name:<10}{meaning}" for name, meaning in FAULTS.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nfaults:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before a reply")
    parser.add_argument("--token-interval", type=float, default=0.0, help="seconds between chunks")
    parser.add_argument("--fault", type=_fault, action="append", default=[], metavar="NAME=SHARE")
    parser.add_argument("--retry-after", type=float, default=0.2, help="seconds, with a 429")
    parser.add_argument("--seed", type=int, default=1, help="decides which requests fail")
    parser.add_argument("--words", type=int, default=8, help="words of an answer")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds until it stops unused")
    parser.add_argument("--key", default="", help="the API key that it wants")
    options = parser.parse_args()
    faults = dict(options.fault)
    if sum(faults.values()) > 1:
        parser.error(f"the shares of the faults add up to {sum(faults.values()):g}, above 1")
    settings = Settings(
        latency=options.latency,
        token_interval=options.token_interval,
        retry_after=options.retry_after,
        seed=options.seed,
        words=options.words,
        key=options.key,
        faults=faults,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, options.port, options.idle))


@contextmanager
def running_stub(
    *, faults: Mapping[str, float] | None = None, **options: float | str
) -> Iterator[str]:
    """The stub in a process of its own; yields its address, `http://127.0.0.1:PORT`.

    `options` are those of the command line: `running_stub(latency=0.05, retry_after=0.2)`.
    """
    command = [sys.executable, str(Path(__file__).resolve())]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    for name, share in (faults or {}).items():
        command += ["--fault", f"{name}={share}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin and process.stdout
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the stub did not start: exit code {process.wait()}")
        try:
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def stats(url: str) -> dict[str, Any]:
    """The counts of the stub at `url`; the fields are those of `Counts`."""
    return _call("GET", url, "/stats")


def reset(url: str) -> None:
    """Forget all counts of the stub at `url`, and with them which prompts were asked before."""
    _call("POST", url, "/reset")


def _call(method: str, url: str, path: str) -> dict[str, Any]:
    # Not urllib's opener: it would send loopback requests to the proxy of the environment.
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path)
        return cast(dict[str, Any], json.loads(connection.getresponse().read()))
    finally:
        connection.close()


if __name__ == "__main__":
    main()
