"""How fast prompts are answered on this machine, beside plain transformers and llama.cpp.

    python benchmarks/perf/local_speed.py --dtype bfloat16 float32 --prompts 32
    python benchmarks/perf/local_speed.py --llama VENV/bin/python

The prompts are those of `handbook_qa` with three retrieved passages. All ways run in turn, round
by round; the table holds medians. llama.cpp runs in the Python given (with llama-cpp-python in
it), on the same GGUF file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from figures import Table, ratio

from bakeoff.core.words import Decoding, Generation
from bakeoff.models import wheels
from bakeoff.models.decoding import Start, greedy, read, write
from bakeoff.models.device import limit_threads, native_dtypes
from bakeoff.models.embedders import LocalEmbedder
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.setups.answerer import context_of, messages
from bakeoff.setups.retrieval.index import open_corpus
from bakeoff.spec.recipes import Retrieve
from bakeoff.tasks.load import load_task

ROOT = Path(__file__).resolve().parent.parent.parent
NEW = 32

LLAMA = """
import json, sys
from llama_cpp import Llama
threads, path = int(sys.argv[1]), sys.argv[2]
model = Llama(path, n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)
print("ready", flush=True)
for line in sys.stdin:
    prompts, new = json.loads(line)
    tokens = 0
    for prompt in prompts:
        model.reset()
        ids = model.tokenize(prompt.encode(), add_bos=False, special=True)
        said = model(ids, max_tokens=new, temperature=0.0)
        tokens += len(ids) + said["usage"]["completion_tokens"]
    print(tokens, flush=True)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--dtype", nargs="+", default=["bfloat16", "float32"])
    arguments.add_argument("--prompts", type=int, default=32)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--llama", type=Path, help="a Python that has llama-cpp-python")
    given = arguments.parse_args()
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    for dtype in given.dtype:
        print(f"\n{dtype}, {given.prompts} prompts\n")
        model = LocalModel(resolve("embedded", cache), dtype)
        prompts = rag_prompts(model, cache)[: given.prompts]
        ways = our_ways(model, prompts)
        llama = start_llama(given.llama, cache) if given.llama else None
        if llama:
            ways["llama.cpp, one stream"] = lambda s=llama, p=prompts: ask_llama(s, p)
        print(Table.of(HEADER, compare(dtype, ways, len(prompts), given.rounds)).markdown())
        limits(model, prompts)
        if llama:
            llama.terminate()


def rag_prompts(model: LocalModel, cache: Path) -> list[str]:
    """The prompts of `handbook_qa` with three passages, in the order of the file."""
    task, spec = load_task(ROOT / "tasks" / "handbook_qa.yaml"), Retrieve(k=3)
    embedder = LocalEmbedder("embedded", cache)
    identity = task.digests.corpus("handbook")
    corpus = open_corpus(task.corpora["handbook"], identity, spec, embedder, cache)
    found = corpus.find([s.question for s in task.samples], spec.k)
    shown = [context_of(h, corpus.titles, spec.context_tokens, model.count)[0] for h in found]
    chats = [messages(task, s, text) for s, text in zip(task.samples, shown, strict=True)]
    return [model.render(chat) for chat in chats]


def plain(model: LocalModel, prompts: Sequence[str], size: int) -> int:
    """Tokens, prompt and new, of padded batches in the order given."""
    tokens = 0
    tokenizer, ends = model.tokenizer, model.network.generation_config.eos_token_id
    tokenizer.padding_side = "left"
    for begin in range(0, len(prompts), size):
        texts = list(prompts[begin : begin + size])
        batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = model.network.generate(
                **batch.to(model.device), max_new_tokens=NEW, do_sample=False, pad_token_id=ends
            )
        new = output[:, batch.input_ids.shape[1] :].tolist()
        tokens += int(batch.attention_mask.sum())
        tokens += sum((row.index(ends) + 1) if ends in row else len(row) for row in new)
    return tokens


def ours(model: LocalModel, prompts: Sequence[str]) -> int:
    done = [answer for _, answer in model.generate(prompts, Decoding(NEW))]
    return sum(a.prompt_tokens + a.completion_tokens for a in done if isinstance(a, Generation))


def start_llama(python: Path, cache: Path) -> subprocess.Popen[str]:
    wheel = wheels.GENERATOR
    gguf = wheels.folder(wheel, cache) / wheel.checked
    command = [str(python), "-c", LLAMA, str(torch.get_num_threads()), str(gguf)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **pipes)
    process.stdout.readline()
    return process


def ask_llama(process: subprocess.Popen[str], prompts: Sequence[str]) -> int:
    process.stdin.write(json.dumps([list(prompts), NEW]) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


HEADER = ("way", "dtype", "samples/s", "tokens/s", "/ one at a time", "/ batches of 8")


def table(prompts: int = 16, rounds: int = 2) -> Table:
    """The ways in every type that this machine computes in natively, without llama.cpp."""
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    found = []
    for dtype in ("bfloat16", "float32"):
        if native_dtypes()[dtype]:
            model = LocalModel(resolve("embedded", cache), dtype)
            asked = rag_prompts(model, cache)[:prompts]
            found += compare(dtype, our_ways(model, asked), len(asked), rounds)
    return Table.of(HEADER, found)


def our_ways(model: LocalModel, prompts: Sequence[str]) -> dict[str, Callable[[], int]]:
    """Each way, asked for the tokens it read and wrote."""
    return {
        "plain `generate`, one at a time": lambda: plain(model, prompts, 1),
        "plain `generate`, padded batches of 8": lambda: plain(model, prompts, 8),
        "bakeoff": lambda: ours(model, prompts),
    }


def compare(
    dtype: str, ways: dict[str, Callable[[], int]], samples: int, rounds: int
) -> list[list[object]]:
    """Medians of interleaved rounds as rows; the first two ways are what others are held to."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    tokens: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            tokens[name] = way()
            seconds[name].append(time.perf_counter() - started)
    first, second = (median(seconds[name]) for name in list(ways)[:2])
    rows: list[list[object]] = []
    for name, found in seconds.items():
        took = median(found)
        rates = (samples / took, round(tokens[name] / took))
        rows.append([name, dtype, *rates, ratio(first, took), ratio(second, took)])
    return rows


def limits(model: LocalModel, prompts: Sequence[str]) -> None:
    """Print how near prefill and decoding come to what matrices and memory allow here."""
    flops, bandwidth = matmul_rate(model), memory_rate()
    table = model.network.get_input_embeddings().weight.numel()
    weights = sum(p.numel() for p in model.network.parameters())
    size = weights * next(model.network.parameters()).element_size()
    print(f"\nmatmul {flops / 1e9:.0f} GFLOP/s, memory {bandwidth / 1e9:.1f} GB/s (reading)\n")
    print("| rows | prefill tokens/s | of the matmul limit | ms a step | of the memory limit |")
    print("|---|---|---|---|---|")
    ids = sorted(model.tokenizer(list(prompts), add_special_tokens=False).input_ids)
    for rows in (1, min(12, len(ids))):
        seconds = []
        for _ in range(3):
            marks = [time.perf_counter()]
            batch = read(model.network, Start(), ids[:rows], NEW, model.pass_tokens, hold=rows > 1)
            marks.append(time.perf_counter())
            # No end token: every row is written to the end.
            write(batch, 16, (), greedy)
            marks.append(time.perf_counter())
            seconds.append((marks[1] - marks[0], (marks[2] - marks[1]) / (15 + (rows > 1))))
        reading, step = (median(part) for part in zip(*seconds, strict=True))
        tokens = len({tuple(row[:n]) for row in ids[:rows] for n in range(1, len(row) + 1)})
        held = sum(part.nbytes for layer in batch.cache.layers for part in layer.whole)
        print(
            f"| {rows} | {sum(map(len, ids[:rows])) / reading:.0f} "
            f"| {tokens * 2 * (weights - table) / reading / flops:.0%} "
            f"| {step * 1e3:.0f} | {(size + held) / step / bandwidth:.0%} |",
            flush=True,
        )


def matmul_rate(model: LocalModel) -> float:
    """Floating-point operations a second of a large product in the model's dtype."""
    side = 2048 if model.device == "cpu" else 8192
    matrix = torch.randn(side, side, device=model.device).to(model.network.dtype)
    return 2 * side**3 / fastest(lambda: matrix @ matrix)


def memory_rate() -> float:
    """Bytes a second of a sum over an array that no cache holds."""
    array = torch.ones(2**28 // 4)
    return array.nbytes / fastest(array.sum)


def fastest(action: Callable[[], object]) -> float:
    action()
    times = []
    for _ in range(7):
        started = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main()
