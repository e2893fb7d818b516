"""A judge for tests: an OpenAI-compatible endpoint on loopback that judges by plain rules.

A claim is supported when its words stand in a passage. What an answer holds may tell it to behave
badly: `<malformed>`, `<malformed once>`, `<partial>`, `<slow>`, `<refuse>`; to quote what it judges
(`<quoting>`; nothing else: `<parrot>`), to give its verdict twice (`<two>`; in one object:
`<doubled>`), or after thinking (`<thinking>`).
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bakeoff.testing import NEVER, Reply, Request, completion, fake_endpoint

ORDER = re.compile(
    r"<(malformed once|malformed|partial|slow|refuse|quoting|parrot|two|doubled|thinking)>"
)
QUOTED = re.compile(r"```json.*?```", re.DOTALL)
SPENT = (100, 10)
"""Prompt and completion tokens of each reply."""


@dataclass
class Judge:
    """The judge, with everything that it was asked."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    first_at: float = 0.0
    """When it was first asked, by `time.monotonic`."""
    seen: Counter[str] = field(default_factory=Counter)

    def reply(self, request: Request) -> Reply:
        self.first_at = self.first_at or time.monotonic()
        self.asked.append(request.body)
        user = request.body["messages"][-1]["content"]
        self.seen[user] += 1
        return NEVER if "<slow>" in user else completion(said(user, self.seen[user]), tokens=SPENT)


@contextmanager
def running_judge() -> Iterator[Judge]:
    judge = Judge()
    with fake_endpoint(judge.reply) as endpoint:
        judge.url = f"{endpoint.url}/v1"
        yield judge


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
