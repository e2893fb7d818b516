"""A fake endpoint: an HTTP server on loopback whose replies a test writes."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What the endpoint was asked."""

    path: str
    headers: Mapping[str, str]
    body: Any
    """The JSON that came; `None` where there was none."""


@dataclass(frozen=True)
class Reply:
    """What it replies; without a `body`, the status and the headers alone."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


NEVER = Reply(status=0)
"""No reply: it waits until whoever asked is gone, or the test is over."""
Script = Callable[[Request], Reply]
"""Called in a thread of its own for each request."""


def completion(
    text: str | None, finish_reason: str = "stop", tokens: tuple[int, int] = (10, 5), **message: Any
) -> Reply:
    """The reply of a chat model, with its prompt and completion tokens.

    `message` are more fields of its message, such as `reasoning_content`.
    """
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish_reason,
    }
    prompt, written = tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": sum(tokens)}
    return Reply({"choices": [choice], "usage": usage})


def in_turn(*replies: Reply) -> Script:
    """The replies one after the other, the last one for good."""
    left, lock = list(replies), threading.Lock()

    def script(_: Request) -> Reply:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return script


class FakeEndpoint(ThreadingHTTPServer):
    """The server, with all that it was asked."""

    daemon_threads = True

    def __init__(self, script: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self.asked: list[Request] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; every path below it is answered."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeEndpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        request = Request(self.path, dict(self.headers), json.loads(body) if body else None)
        self.server.asked.append(request)
        reply = self.server.script(request)
        if reply == NEVER:
            self._wait()
            return
        data = b"" if reply.body is None else json.dumps(reply.body).encode()
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if data:
                self.send_header("Content-Type", "application/json")
            if reply.status != 204:  # which has no body, nor a length
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True  # who asked did not wait

    do_GET = do_POST

    def _wait(self) -> None:
        self.close_connection = True
        while not self.server.over.is_set():
            if select.select([self.connection], [], [], 0.02)[0]:
                return

    def log_message(self, *_: Any) -> None:
        """Nothing: tests read `asked`."""


@contextmanager
def fake_endpoint(script: Script, port: int = 0) -> Iterator[FakeEndpoint]:
    """An endpoint that replies by `script` while the block runs, on a free port or on `port`.

    A chat model that repeats what it is asked, for a benchmark's `endpoints: {fake: {url: ...}}`:

    >>> def echo(request):
    ...     return completion(request.body["messages"][-1]["content"])
    >>> with fake_endpoint(echo) as endpoint:
    ...     url = f"{endpoint.url}/v1"
    """
    server = FakeEndpoint(script, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
