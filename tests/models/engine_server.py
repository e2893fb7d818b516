"""A model server for the tests of engines: `engine_server.py --port N [--adapters A=F ...] ...`.

It replies with the last line that it is asked. Adapters move its log-probabilities, unless their
folder's name begins with `idle`. Of a prompt of token ids that ends with `m` it states that a token
`n` comes next with the log-probability `-m * n / 10`; with an adapter that acts, `-2 / m / n`.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bakeoff.testing import Reply, Request, completion
from bakeoff.testing.endpoint import FakeEndpoint

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--name", default="base")
parser.add_argument("--adapters", nargs="*", default=[])
parser.add_argument("--log", type=Path, help="a line for every start and every question")
parser.add_argument("--broken", action="store_true", help="ends before it is ready")
parser.add_argument("--deaf", action="store_true", help="never gets ready")
parser.add_argument("--crash-after", type=int, default=0, help="ends at this question")
parser.add_argument("--crashes", type=int, default=1, help="of how many starts")
parser.add_argument("--child", action="store_true", help="starts a process of its own")
parser.add_argument("--silent", action="store_true", help="states not the tokens it is asked for")
parser.add_argument("--wait", type=float, default=0.0, help="seconds before a reply")
options = parser.parse_args()
adapters = dict(named.split("=", 1) for named in options.adapters)
lock, questions = threading.Lock(), 0


def noted(line: str) -> None:
    if options.log:
        with options.log.open("a") as stream:
            stream.write(line + "\n")


def acting(name: str) -> bool:
    return name in adapters and not Path(adapters[name]).name.startswith("idle")


def tops(name: str) -> dict[str, object]:
    """What is likely as the first token."""
    acts = acting(name)
    first = [{"token": t, "logprob": p - 0.1 * acts} for t, p in (("The", -0.5), ("A", -1.5))]
    return {"content": [{**first[0], "top_logprobs": first}]}


WRITTEN = {"content": [{"token": t, "logprob": p} for t, p in (("question", -0.4), ("<end>", -1))]}
"""The tokens of every reply."""


def following(name: str, body: dict[str, Any]) -> Reply:
    """As vLLM states what could follow prompts: the token that comes, and those asked for."""
    choices = []
    for index, tokens in enumerate(body["prompt"]):
        m, ids = tokens[-1], [] if options.silent else body["logprob_token_ids"]
        likely = {f"token_id:{n}": -2 / m / n if acting(name) else -m * n / 10 for n in ids}
        top = {"token_id:99": -0.1, **likely}
        choices.append({"index": index, "text": "?", "logprobs": {"top_logprobs": [top]}})
    usage = {"prompt_tokens": sum(map(len, body["prompt"])), "completion_tokens": len(choices)}
    # Numbered, they may come in any order.
    return Reply({"choices": choices[::-1], "usage": usage})


def asked(name: str) -> None:
    """Count a question; the one that it crashes at is not answered."""
    global questions
    with lock:
        questions += 1
        noted(f"asked {name}")
        if questions == options.crash_after and starts <= options.crashes:
            print("out of memory, as it were", flush=True)
            os._exit(9)


def script(request: Request) -> Reply:
    if request.path == "/health":
        return Reply(status=503 if options.deaf else 200)
    if request.path == "/v1/load_lora_adapter":
        adapters[request.body["lora_name"]] = request.body["lora_path"]
        return Reply("loaded")
    name = request.body["model"]
    if name != options.name and name not in adapters:
        return Reply({"error": {"message": f"no model {name}"}}, status=404)
    if request.path == "/v1/completions":
        asked(name)
        return following(name, request.body)
    reply = completion(request.body["messages"][-1]["content"].splitlines()[-1])
    if "logprobs" in request.body:
        stated = tops(name) if "top_logprobs" in request.body else WRITTEN
        choice = {**reply.body["choices"][0], "logprobs": stated}
        reply = replace(reply, body={**reply.body, "choices": [choice]})
        if stated is not WRITTEN:
            return reply
    noted(f"roles {', '.join(turn['role'] for turn in request.body['messages'])}")
    asked(name)
    time.sleep(options.wait)
    return reply


noted(f"started {os.getpid()} {' '.join(adapters)}".rstrip())
starts = options.log.read_text().count("started") if options.log else 1
if options.child and os.fork() == 0:
    noted(f"child {os.getpid()}")
    time.sleep(600)
if options.broken:
    print("no such model: it cannot be loaded")
    sys.exit(3)
FakeEndpoint(script, options.port).serve_forever(poll_interval=0.01)
