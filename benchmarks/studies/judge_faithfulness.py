"""Ask a language model of this machine as a judge of faithfulness, beside the support score.

    python benchmarks/studies/judge_faithfulness.py --data DIR --cache DIR --model embedded

DIR is laid out as `faithfulness_pool.py` says. The model stands behind an endpoint on loopback
and is asked as every judge is, by `bakeoff scorers check "faithfulness(verifier='judge:MODEL')"`:
one JSON object with a verdict for each claim. Then it is asked whether the passages support the
answer, and the probability that it gives to "yes" beside "no" is the score. The support score of
the same answers stands beside both, by a model fitted on the other sets.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from faithfulness_pool import SETS, Labels, Row, auroc, kept, read
from train_faithfulness import Table, left_out

from bakeoff.core.words import Decoding, Failure
from bakeoff.models.device import choose_dtype
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.testing import Reply, Request, completion, fake_endpoint

TOGETHER = 8
"""Requests in flight, answered in one batch."""
LONGEST = 4000
"""Characters of passages of an answer that is asked about: what two cores read in seconds."""
JUDGED = ("qa_feedback", "quintd", "defacto", "factcheckgpt", "begin_wow_cmu")
"""Sets that the judge is asked about: a set of each kind, as it takes seconds an answer."""
YES_OR_NO = """\
Do the passages support everything that the answer says? Reply with yes or no.

{passages}

Question: {question}

Answer: {answer}"""


class Judge:
    """A model that answers chats, several at a time."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.waiting: queue.Queue[tuple[Request, queue.Queue[Reply]]] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def reply(self, request: Request) -> Reply:
        answer: queue.Queue[Reply] = queue.Queue()
        self.waiting.put((request, answer))
        return answer.get()

    def _serve(self) -> None:
        while True:
            asked = [self.waiting.get()]
            time.sleep(0.05)  # who asks at the same time is answered at the same time
            while len(asked) < TOGETHER and not self.waiting.empty():
                asked.append(self.waiting.get())
            bodies = [request.body for request, _ in asked]
            most = max(body.get("max_tokens") or 256 for body in bodies)
            prompts = [self.model.render(body["messages"]) for body in bodies]
            for place, made in self.model.generate(prompts, Decoding(most)):
                failed = isinstance(made, Failure)
                text = "" if failed else made.text
                asked[place][1].put(
                    Reply({"error": str(made)}, 400) if failed else completion(text)
                )


def asked_as_judge(
    model: LocalModel, rows: Mapping[str, Sequence[Row]], folder: Path
) -> dict[str, Mapping]:
    """For each set what `bakeoff scorers check` says of the judge, and the seconds an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    with fake_endpoint(Judge(model).reply) as endpoint:
        benchmark = {
            "endpoints": {
                "judge": {"url": f"{endpoint.url}/v1", "concurrency": TOGETHER, "timeout_s": 600}
            },
            "tasks": ["ticket_triage"],
            "setups": {"base": {}},
        }
        (folder / "judge.yaml").write_text(json.dumps(benchmark), encoding="utf-8")
        for name, mine in rows.items():
            start = time.monotonic()
            found[name] = {**_checked(mine, folder), "s": (time.monotonic() - start) / len(mine)}
            print(name, found[name], file=sys.stderr, flush=True)
    return found


def _checked(rows: Sequence[Row], folder: Path) -> Mapping:
    labels = folder / "labels.jsonl"
    lines = (
        {
            "question": row.question,
            "answer": row.answer,
            "passages": row.passages,
            "label": int(row.faithful),
            "source": row.source,
        }
        for row in rows
    )
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    cards = folder / "cards"
    for old in cards.glob("*"):
        old.unlink()
    command = ["scorers", "check", "faithfulness(verifier='judge:model')"]
    command += [
        "--labels",
        str(labels),
        "--judges",
        str(folder / "judge.yaml"),
        "--card",
        str(cards),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bakeoff", *command], capture_output=True, text=True
    )
    print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    if one_label := re.search(r"it scored (\d+) of (\d+) answers", done.stderr):
        scored, asked = map(int, one_label.groups())
        return {"judged": scored, "unjudged": asked - scored, "auroc": None}
    done.check_returncode()
    (card,) = cards.glob("*.json")
    judged = json.loads(card.read_text(encoding="utf-8"))["scorers"][0]
    return {
        "judged": judged["judged"],
        "unjudged": judged["unjudged"],
        "auroc": judged["auroc"]["value"],
    }


def said_yes(model: LocalModel, rows: Sequence[Row]) -> np.ndarray:
    """The probability of "yes" for each row; 0.5 where the row does not fit."""
    prompts = []
    for row in rows:
        passages = "\n\n".join(f"Passage {n}: {text}" for n, text in enumerate(row.passages, 1))
        text = YES_OR_NO.format(passages=passages, question=row.question, answer=row.answer)
        prompts.append(model.render([{"role": "user", "content": text}]))
    score = np.full(len(rows), 0.5)
    for place, made in model.generate(prompts, Decoding(2, options=("yes", "no"))):
        if not isinstance(made, Failure) and made.confidence is not None:
            score[place] = made.confidence if made.text == "yes" else 1 - made.confidence
    return score


def _aurocs(name: str, labels: Labels, *scores: np.ndarray) -> list[float]:
    part = labels.data == name
    return [auroc(score[part], labels.good[part]) for score in scores]


def short(rows: Sequence[Row], each: int) -> list[Row]:
    """So many answers of each set, in its seeded order, that are short enough."""
    chosen = []
    for name in SETS:
        fits = [r for r in rows if r.data == name and sum(map(len, r.passages)) <= LONGEST]
        chosen += fits[:each]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--each", type=int, default=40, help="answers a set")
    parser.add_argument("--judged", type=int, help="of them, those that the judge is asked about")
    options = parser.parse_args()
    every = read(options.data, 500)
    rows = short(every, options.each)
    places = [every.index(row) for row in rows]
    support = kept(
        options.cache, "judge-support", lambda: left_out(Table.of(every).pooled(), Labels.of(every))
    )[places]
    labels = Labels.of(rows)
    weights = resolve(options.model, Path.home() / ".cache" / "bakeoff")
    model = LocalModel(weights, choose_dtype("auto"))
    start = time.monotonic()
    yes = said_yes(model, rows)
    pace = (time.monotonic() - start) / len(rows)
    by_set = {name: [row for row in rows if row.data == name][: options.judged] for name in JUDGED}
    judged = asked_as_judge(model, by_set, options.cache / "judge")
    print("| set | answers | support score | yes or no | judge | judged |")
    print("|---|---:|---:|---:|---:|---:|")
    cells = {name: _aurocs(name, labels, support, yes) for name in SETS if name in labels.data}
    for name, (ours, said) in cells.items():
        one = judged.get(name)
        value = "-" if one is None or one["auroc"] is None else f"{one['auroc']:.3f}"
        count = f"{one['judged']} of {one['judged'] + one['unjudged']}" if one else "-"
        total = (labels.data == name).sum()
        print(f"| {name} | {total} | {ours:.3f} | {said:.3f} | {value} | {count} |")
    means = np.nanmean(list(cells.values()), axis=0)
    print(f"| mean | {len(rows)} | {means[0]:.3f} | {means[1]:.3f} | | |")
    seconds = np.mean([one["s"] for one in judged.values()])
    print(f"yes or no: {pace:.2f} s an answer, judge: {seconds:.2f} s an answer")


if __name__ == "__main__":
    main()
