"""A judge for tests: an OpenAI-compatible endpoint on loopback that judges by plain rules.

A claim is supported when its words stand in a passage. What an answer holds may tell it to behave
badly: `<malformed>`, `<malformed once>`, `<partial>`, `<slow>`, `<refuse>`; to quote what it judges
(`<quoting>`; nothing else: `<parrot>`), to give its verdict twice (`<two>`; in one object:
`<doubled>`), or after thinking (`<thinking>`).
"""

from __future__ import annotations

import json
import re
import select
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORDER = re.compile(
    r"<(malformed once|malformed|partial|slow|refuse|quoting|parrot|two|doubled|thinking)>"
)
QUOTED = re.compile(r"```json.*?```", re.DOTALL)
SLOW_S = 20.0
"""Longer than anybody waits; who gave up is not waited for."""


class Judge(ThreadingHTTPServer):
    """The server, with everything that it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.first_at = 0.0
        """When it was first asked, by `time.monotonic`."""
        self.seen: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.first_at = self.server.first_at or time.monotonic()
        self.server.asked.append(body)
        user = body["messages"][-1]["content"]
        self.server.seen[user] += 1
        text = said(user, self.server.seen[user])
        if "<slow>" in user:
            select.select([self.connection], [], [], SLOW_S)
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        reply = json.dumps({"choices": [{**choice, "finish_reason": "stop"}], "usage": usage})
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply.encode())))
            self.end_headers()
            self.wfile.write(reply.encode())
        except ConnectionError:
            self.close_connection = True  # who asked did not wait

    def log_message(self, *_: Any) -> None:
        """Nothing: tests read `asked`."""


@contextmanager
def running_judge() -> Iterator[Judge]:
    server = Judge()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", ORDER.sub("", text).lower()))


def sections(user: str) -> dict[str, str]:
    """The fenced parts of our judge's prompt, by name."""
    found = re.findall(r"^([^\n]+):\n<<(\w+)\n(.*?)\n\2>>", user, re.DOTALL | re.MULTILINE)
    return {name: text for name, _, text in found}


def said(user: str, times: int) -> str:
    """What the judge replies to a prompt that it sees for the so-manieth time."""
    order = (ORDER.findall(user) or [""])[-1]
    if order == "malformed" or (order == "malformed once" and times == 1):
        return "Surely! The answer looks fine to me."
    if order == "refuse":
        return "I am sorry, but I cannot help with that."
    value = of_ragas(user, order) if "of this schema" in user else ours(user, order)
    return dressed(json.dumps(value), (QUOTED.findall(user) or [""])[-1], order)


def dressed(own: str, quoted: str, order: str) -> str:
    """Its own verdict as the judge gives it; `quoted` is a fence in what it judges."""
    fence = f"```json\n{own}\n```"
    other = own.replace("false", "true")
    return {
        "quoting": f"The answer says {quoted}. I say:\n{fence}",
        "parrot": f"The answer says:\n{quoted}",
        "two": f"{own}\n{other}",
        "doubled": f"{own[:-1]}, {other[1:]}",
        "thinking": f"<think>It wants {quoted}, but it is wrong.</think>\n{own}",
    }.get(order, fence)


def ours(user: str, order: str) -> Any:
    parts = sections(user)
    if "Answer A" in parts:
        # It prefers the longer answer, and where both are as long, the first: a known bias.
        first, second = len(parts["Answer A"]), len(parts["Answer B"])
        return {"better": "A" if first >= second else "B", "why": "length"}
    if "Answer" in parts and "Expected" not in parts:
        return {"declined": "cannot" in parts["Answer"], "why": "cannot"}
    if "Expected" in parts:
        right = any(words(t) <= words(parts["Answer"]) for t in json.loads(parts["Expected"]))
        return {"correct": right, "why": "by its words"}
    passages = [text for name, text in parts.items() if name.startswith("Passage")]
    claims = [line.partition(". ")[2] for line in parts["Claims"].splitlines()]
    rows = []
    for number, claim in enumerate(claims, 1):
        place = next((n for n, p in enumerate(passages, 1) if words(claim) <= words(p)), None)
        verdict = "supported" if place else "not found"
        rows.append({"claim": number, "verdict": verdict, "passage": place})
    return {"verdicts": rows[1:] if order == "partial" else rows}


def of_ragas(user: str, order: str) -> Any:
    prompt, _, schema = user.rpartition("of this schema, nothing else: ")
    asked = set(json.loads(schema)["properties"])
    given, _ = json.JSONDecoder().raw_decode(prompt[prompt.rindex("\ninput: ") + 8 :])
    if asked == {"statements"} and "answer" in given:
        return {"statements": re.findall(r"[^.]+\.", given["answer"])}
    if asked == {"statements"}:
        inside = words(given["context"])
        rows = [
            {"statement": s, "reason": "words", "verdict": int(words(s) <= inside)}
            for s in given["statements"]
        ]
        return {"statements": rows[:-1] if order == "partial" else rows}
    if asked == {"claims"}:
        return {"claims": re.findall(r"[^.]+\.", given["response"])}
    if asked == {"question", "noncommittal"}:
        return {"question": "How heavy is the Larch barrow?", "noncommittal": 0}
    if asked == {"reason", "verdict"}:
        return {
            "reason": "words",
            "verdict": int(words(given["answer"]) <= words(given["context"])),
        }
    assert asked == {"classifications"}, asked
    row = {"statement": given["answer"], "reason": "words"}
    return {
        "classifications": [
            {**row, "attributed": int(words(given["answer"]) <= words(given["context"]))}
        ]
    }
