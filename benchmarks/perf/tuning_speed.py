"""How fast this machine tunes: a plain peft loop, bakeoff, and what matrix products allow.

    python benchmarks/perf/tuning_speed.py [--rows 48] [--rounds 3] [--dtype float32]
    python benchmarks/perf/tuning_speed.py --learn 2    # epochs, with losses on validation rows

Rows of `handbook_qa` as the quickstart shows them to the embedded model. The plain loop pads
batches in the order of the file, computes all logits and adapts every layer; all ways take turns,
round by round, and the table holds medians. The limit counts the products that adapters on every
layer need (forward, and gradients of activations) at the pace of one large product. Types that the
processor emulates are left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import peft
import torch
import transformers
from figures import Table, ratio
from local_speed import matmul_rate

from bakeoff.core.progress import PlainProgress
from bakeoff.models.device import limit_threads, native_dtypes
from bakeoff.models.embedders import LocalEmbedder
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.setups.answerer import context_of, messages
from bakeoff.setups.retrieval.index import open_corpus
from bakeoff.setups.tuning import trainer
from bakeoff.setups.tuning.batches import (
    Example,
    Packs,
    Row,
    encode,
    start_of_all,
    validation_rows,
)
from bakeoff.setups.tuning.job import Inputs
from bakeoff.setups.tuning.layers import Cut, PackedRows, first_tuned
from bakeoff.spec.recipes import Retrieve, Tune
from bakeoff.tasks.load import load_task

ROOT = Path(__file__).resolve().parent.parent.parent
BATCH, RATE, SEED = 4, 1e-3, 7
OPEN_BOOK = 0.1
RECIPE = Tune(batch_size=BATCH, learning_rate=RATE)
UPPER, EVERY = "bakeoff", "bakeoff, adapters on every layer"
PLAIN = "plain peft loop"
LEARNT = ("type", "way", "rows a step", "learning rate", "epochs", "seconds", "x faster", "loss")


def examples(model: LocalModel, cache: Path) -> tuple[list[Example], list[Example]]:
    """Rows of the handbook to learn, a tenth of them with passages as well, and to validate on."""
    task = load_task(ROOT / "tasks" / "handbook_qa.yaml")
    spec = Retrieve(k=2, chunk_words=60, overlap_words=12)
    identity = task.digests.corpus("handbook")
    embedder = LocalEmbedder("embedded", cache)
    corpus = open_corpus(task.corpora["handbook"], identity, spec, embedder, cache)
    closed = [
        Example(model.render(messages(task, row)), task.completion(row)) for row in task.train
    ]
    held_out = validation_rows(closed, 0.15, SEED)
    learnt = [example for example in closed if example not in held_out]
    shown = Random(SEED).sample(list(task.train), round(OPEN_BOOK * len(task.train)))
    found = corpus.find([row.question for row in shown], spec.k)
    for row, hits in zip(shown, found, strict=True):
        text, _ = context_of(hits, corpus.titles, spec.context_tokens, model.count)
        learnt.append(Example(model.render(messages(task, row, text)), task.completion(row)))
    Random(SEED).shuffle(learnt)
    return learnt, [example for example in closed if example in held_out]


def plain(model: LocalModel, rows: Sequence[Row], epochs: int) -> tuple[Any, Callable[[], None]]:
    """A network with adapters, and one of so many epochs of it as a tutorial has it."""
    dtype = getattr(torch, model.dtype)
    network = transformers.AutoModelForCausalLM.from_pretrained(model.weights.folder, dtype=dtype)
    adapted = peft.get_peft_model(
        network,
        peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=RECIPE.rank,
            lora_alpha=RECIPE.alpha,
            target_modules="all-linear",
        ),
    ).train()
    optimiser = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], RATE)
    steps = epochs * -(-len(rows) // BATCH)
    rate = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    pad = model.tokenizer.pad_token_id

    def epoch() -> None:
        for begin in range(0, len(rows), BATCH):
            batch = rows[begin : begin + BATCH]
            longest = max(len(row.tokens) for row in batch)
            gaps = [longest - len(row.tokens) for row in batch]
            pairs = list(zip(batch, gaps, strict=True))
            labels = [[-100] * r.answer + r.tokens[r.answer :] + [-100] * g for r, g in pairs]
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                loss = adapted(
                    input_ids=torch.tensor([r.tokens + [pad] * g for r, g in pairs]),
                    attention_mask=torch.tensor([[1] * len(r.tokens) + [0] * g for r, g in pairs]),
                    labels=torch.tensor(labels),
                ).loss
            loss.backward()
            optimiser.step()
            rate.step()
            optimiser.zero_grad()

    return adapted, epoch


def packed(model: LocalModel, rows: Sequence[Row], share: float) -> Callable[[], None]:
    """An epoch as bakeoff trains it; what is computed once was computed."""
    recipe = RECIPE.model_copy(update={"layers": share})
    network = trainer.fresh_network(model.weights.folder, model.dtype, recipe)
    network.train()
    first = first_tuned(network.config.num_hidden_layers, share)
    data = PackedRows(Cut(network, first, rows), rows, packs(rows))
    data.keep("", PlainProgress(print))
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], RATE)

    def epoch() -> None:
        for indices in data.packs:
            data.loss(data.inputs(indices)).backward()
            optimiser.step()
            optimiser.zero_grad()

    return epoch


def packs(rows: Sequence[Row]) -> Packs:
    lengths = [len(row.tokens) for row in rows]
    return Packs(lengths, BATCH, trainer.PACK_TOKENS, start_of_all(rows), SEED)


def speeds(model: LocalModel, learnt: Sequence[Example], rounds: int) -> list[list[object]]:
    """A row for each way: tokens a second of the rows as they are, without padding."""
    rows = [encode(model, example) for example in learnt]
    ways: dict[str, Callable[[], None]] = {
        PLAIN: plain(model, rows, rounds)[1],
        EVERY: packed(model, rows, 1.0),
        UPPER: packed(model, rows, RECIPE.layers),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, epoch in ways.items():
            started = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - started)
    tokens = sum(len(row.tokens) for row in rows)
    network = model.network
    weights = sum(part.numel() for layer in network.model.layers for part in layer.parameters())
    limit = matmul_rate(model) / (4 * weights)
    base = median(seconds[PLAIN])
    return [
        [
            model.dtype,
            name,
            round(tokens / median(found)),
            ratio(base, median(found)),
            f"{tokens / median(found) / limit:.0%}",
        ]
        for name, found in seconds.items()
    ]


class Trial(NamedTuple):
    """A recipe that is held against the plain loop."""

    name: str
    layers: float
    batch: int
    rate: float
    epochs: int


def trials(epochs: int) -> list[Trial]:
    """Recipes that may learn as much in less time."""
    return [
        Trial(EVERY, 1.0, BATCH, RATE, epochs),
        Trial(UPPER, RECIPE.layers, BATCH, RATE, epochs),
        Trial(UPPER, RECIPE.layers, 8, 2e-3, epochs),
        Trial(UPPER, RECIPE.layers, 8, 2e-3, epochs + 1),
        Trial("bakeoff, upper third", 1 / 3, 8, 2e-3, epochs + 1),
    ]


def learn(
    model: LocalModel, learnt: Sequence[Example], held_out: Sequence[Example], epochs: int
) -> Table:
    """What each way has learnt, by the loss on validation rows, and in what time."""
    rows, validation = ([encode(model, e) for e in part] for part in (learnt, held_out))
    network, epoch = plain(model, rows, epochs)
    started = time.perf_counter()
    for _ in range(epochs):
        epoch()
    whole = time.perf_counter() - started
    loss = f"{validation_loss(network, validation):.3f}"
    made: list[list[object]] = [
        [model.dtype, PLAIN, BATCH, f"{RATE:g}", epochs, round(whole), ratio(1, 1), loss]
    ]
    for trial in trials(epochs):
        changes = {
            "layers": trial.layers,
            "epochs": trial.epochs,
            "batch_size": trial.batch,
            "learning_rate": trial.rate,
        }
        recipe = RECIPE.model_copy(update=changes)
        with tempfile.TemporaryDirectory() as folder:
            base = model.weights.folder
            given = Inputs(trial.name, base, model.dtype, recipe, SEED, rows, validation)
            done = trainer.train(given, Path(folder), PlainProgress(print))
        loss = f"{min(point.validation_loss for point in done.curve):.3f}"
        row = [trial.batch, f"{trial.rate:g}", trial.epochs, round(done.seconds)]
        made.append([model.dtype, trial.name, *row, ratio(whole, done.seconds), loss])
    return Table.of(LEARNT, made)


@torch.no_grad()
def validation_loss(network: Any, rows: Sequence[Row]) -> float:
    """The mean over all tokens of the answers."""
    cut = Cut(network, 0, rows)
    data = PackedRows(cut, rows, packs(rows))
    total = sum(float(data.loss(data.inputs(indices), "sum")) for indices in data.packs)
    return total / sum(len(row.tokens) - row.answer for row in rows)


def table(rows: int = 48, rounds: int = 3, dtypes: Sequence[str] = ()) -> Table:
    """Every way, in every type that is native here."""
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    native = [dtype for dtype in ("float32", "bfloat16") if native_dtypes()[dtype]]
    made: list[list[object]] = []
    for dtype in dtypes or native:
        model = LocalModel(resolve("embedded", cache), dtype)
        made += speeds(model, examples(model, cache)[0][:rows], rounds)
    return Table.of(("type", "way", "tokens/s", "x plain", "of the limit"), made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", nargs="+", default=[])
    parser.add_argument("--learn", type=int, metavar="EPOCHS")
    given = parser.parse_args()
    if given.learn is None:
        print(table(given.rows, given.rounds, given.dtype).markdown())
        return
    limit_threads()
    cache = Path(os.environ.get("BAKEOFF_CACHE", "~/.cache/bakeoff")).expanduser()
    for dtype in given.dtype or ["float32"]:
        model = LocalModel(resolve("embedded", cache), dtype)
        learnt, held_out = examples(model, cache)
        print(learn(model, learnt[: given.rows], held_out, given.learn).markdown())


if __name__ == "__main__":
    main()
