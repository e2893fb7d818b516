"""Try a small verifier on the embedded MiniLM, and measure whether it adds to the support score.

    python benchmarks/studies/train_verifier.py --data DIR --cache DIR

DIR is laid out as `faithfulness_pool.py` says. MiniLM reads claims and windows, each by itself, and
stays as it is; a head of 0.1 million weights, tuned on people's labels and on claims made wrong by
rules, compares every word of a claim with what it attends to in the window. The sets are in four
folds, each with sets of several kinds: a fold's sets are scored by a head that was tuned on the
other folds. Four minutes of one core for 150 answers of each set. Nothing is shipped.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from faithfulness_pool import CHECKED_ONLY, SEED, SETS, Labels, Row, read
from torch import Tensor, nn
from torch.nn import functional
from train_faithfulness import Table, fitted, means
from transformers import AutoModel, AutoTokenizer
from verifier_pairs import Pair, learnt_from, pairs_of

from bakeoff.models import wheels

FOLDS = (
    ("expertqa", "d2t_spans", "frank", "bump", "q2"),
    ("qa_feedback", "quintd", "storysumm", "wice_dev"),
    ("ragtruth_qa_extra", "rotowire_accuracy", "defacto", "tabfact", "dialfact_small"),
    ("factcheckgpt", "begin_wow_cmu"),
)
CLAIM, WINDOW = 64, 128
"""Tokens that are read of each."""
BATCH = 16
EPOCHS = 4
RATE = 2e-3
WIDTH = 64


@dataclass(frozen=True)
class Texts:
    """Token vectors of texts, one after the other, and where each starts."""

    vectors: Tensor
    starts: np.ndarray
    offsets: np.ndarray
    """Characters of each token."""

    def of(self, place: int) -> Tensor:
        return self.vectors[self.starts[place] : self.starts[place + 1]]


@torch.no_grad()
def encoded(texts: Sequence[str], longest: int) -> Texts:
    """The last layer of MiniLM over each text by itself."""
    folder = wheels.folder(wheels.EMBEDDER, Path.home() / ".cache" / "bakeoff")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    vectors: dict[int, Tensor] = {}
    offsets: dict[int, np.ndarray] = {}
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        made = tokenizer(
            [texts[n] for n in places],
            truncation=True,
            max_length=longest,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        spans = made.pop("offset_mapping").numpy()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = model(**made).last_hidden_state
        for row, place in enumerate(places):
            size = int(made["attention_mask"][row].sum())
            # Without the marks of start and end.
            vectors[place] = seen[row, 1 : size - 1].to(torch.float16)
            offsets[place] = spans[row, 1 : size - 1]
    sizes = [len(vectors[n]) for n in range(len(texts))]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    every = range(len(texts))
    return Texts(
        torch.cat([vectors[n] for n in every]), starts, np.concatenate([offsets[n] for n in every])
    )


class Head(nn.Module):
    """How little each word of a claim is supported by what it attends to in the window."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sharp = nn.Parameter(torch.tensor(12.0))
        self.hidden = nn.Linear(4 * size + 1, WIDTH)
        self.out = nn.Linear(WIDTH, 1)
        nn.init.constant_(self.out.bias, -3.0)

    def forward(self, claim: Tensor, window: Tensor, mine: Tensor, there: Tensor) -> Tensor:
        """Logits against the tokens: (batch, claim)."""
        one, other = functional.normalize(claim, dim=-1), functional.normalize(window, dim=-1)
        near = one @ other.transpose(1, 2)
        near = near.masked_fill(~there[:, None, :], -1.0)
        held = torch.softmax(self.sharp * near, dim=-1) @ other
        best = near.max(dim=-1, keepdim=True).values
        scale = one.shape[-1] ** 0.5
        both = torch.cat([one, held, (one - held).abs(), one * held * scale], dim=-1)
        seen = torch.cat([both * scale * 0.5, best], dim=-1)
        seen = functional.dropout(seen, 0.2, self.training)
        logits = self.out(functional.gelu(self.hidden(seen)))[..., 0]
        return logits.masked_fill(~mine, -1e4)


@dataclass(frozen=True)
class Corpus:
    """Pairs with the vectors of their texts."""

    pairs: Sequence[Pair]
    claims: Texts
    windows: Texts
    window_of: Sequence[int]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Corpus:
        known = {text: n for n, text in enumerate(sorted({pair.window for pair in pairs}))}
        claims = encoded([pair.claim for pair in pairs], CLAIM)
        return cls(pairs, claims, encoded(list(known), WINDOW), [known[p.window] for p in pairs])

    def batch(self, places: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        claims = [self.claims.of(n) for n in places]
        windows = [self.windows.of(self.window_of[n]) for n in places]
        return *_padded(claims), *_padded(windows)

    def token_labels(self, places: Sequence[int], longest: int) -> Tensor:
        """1: has no support, 0: has, -1: not known."""
        label = torch.full((len(places), longest), -1.0)
        for row, n in enumerate(places):
            wrong = self.pairs[n].wrong
            if wrong is None:
                continue
            spans = self.claims.offsets[self.claims.starts[n] : self.claims.starts[n + 1]]
            for at, (start, end) in enumerate(spans):
                label[row, at] = float(any(a < end and start < b for a, b in wrong))
        return label


def _padded(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    longest = max(1, *(len(part) for part in parts))
    out = torch.zeros(len(parts), longest, parts[0].shape[-1])
    mask = torch.zeros(len(parts), longest, dtype=torch.bool)
    for n, part in enumerate(parts):
        out[n, : len(part)] = part.float()
        mask[n, : len(part)] = True
    return out, mask


def batches(corpus: Corpus, places: Sequence[int]) -> Iterator[list[int]]:
    """Places with claims of like length together."""
    order = sorted(places, key=lambda n: corpus.claims.starts[n + 1] - corpus.claims.starts[n])
    yield from (order[n : n + BATCH] for n in range(0, len(order), BATCH))


def whole(token: Tensor) -> Tensor:
    """The logit against a claim: one word without support is enough."""
    return torch.logsumexp(token, dim=1)


def tune(corpus: Corpus, places: Sequence[int], seed: int) -> Head:
    """A head tuned on some pairs."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    head = Head(corpus.claims.vectors.shape[1])
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.05)
    cut = list(batches(corpus, places))
    shape = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=EPOCHS * len(cut), pct_start=0.1
    )
    head.train()
    for epoch in range(EPOCHS):
        chance.shuffle(cut)
        losses, rights = [], []
        for mine in cut:
            claim, in_claim, window, in_window = corpus.batch(mine)
            token = head(claim, window, in_claim, in_window)
            bad = torch.tensor([float(not corpus.pairs[n].supported) for n in mine])
            against = whole(token)
            loss = functional.binary_cross_entropy_with_logits(against, bad)
            label = corpus.token_labels(mine, claim.shape[1])
            known = (label >= 0) & in_claim
            if known.any():
                weight = torch.where(label[known] > 0, 4.0, 1.0)
                loss = loss + functional.binary_cross_entropy_with_logits(
                    token[known], label[known], weight=weight
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            shape.step()
            losses.append(loss.item())
            rights.append(((against > 0).float() == bad).float().mean().item())
        print(
            f"  pass {epoch + 1}: loss {np.mean(losses):.3f}, right {np.mean(rights):.3f}",
            flush=True,
        )
    return head


@torch.no_grad()
def against(corpus: Corpus, head: Head, places: Sequence[int]) -> np.ndarray:
    """The logit against each of some claims."""
    head.eval()
    values = np.zeros(len(corpus.pairs))
    for mine in batches(corpus, places):
        claim, in_claim, window, in_window = corpus.batch(mine)
        values[mine] = whole(head(claim, window, in_claim, in_window)).numpy()
    return values[list(places)]


def answers(owner: np.ndarray, logits: np.ndarray, rows: int) -> np.ndarray:
    """For each row its worst claim and the mean of its claims, as probabilities against it."""
    probability = 1 / (1 + np.exp(-logits))
    worst, total, count = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    np.maximum.at(worst, owner, probability)
    np.add.at(total, owner, probability)
    np.add.at(count, owner, 1)
    return np.stack([worst, total / np.maximum(count, 1)], axis=1)


def folded(features: np.ndarray, labels: Labels) -> np.ndarray:
    """The support of each row by weights that were fitted on the other folds."""
    score = np.zeros(len(labels.good))
    for fold in FOLDS:
        part = np.isin(labels.data, fold)
        chosen = ~part & ~np.isin(labels.data, CHECKED_ONLY)
        score[part] = -features[part] @ fitted(features, labels, chosen)
    return score


def beside(lexical: np.ndarray, seen: np.ndarray, title: str, labels: Labels) -> None:
    """Print the means of the support score's features, of a verifier's, and of both together."""
    ways = {
        "support score's features": folded(lexical, labels),
        title: folded(seen, labels),
        "both": folded(np.concatenate([lexical, seen], axis=1), labels),
    }
    for number, (name, score) in enumerate(ways.items()):
        found = means(score, labels)
        if not number:
            print("| features | " + " | ".join(found) + " |\n|---|" + "---:|" * len(found))
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in found.values()) + " |")


def scored(rows: Sequence[Row], pairs: list[Pair], seed: int) -> np.ndarray:
    """The verifier's features of every row, each by a head tuned on the other folds."""
    data = [row.data for row in rows]
    chance = random.Random(seed)
    lessons = [learnt_from(pairs, data, _others(fold), chance) for fold in FOLDS]
    start = len(pairs)
    every = [*pairs, *(pair for lesson in lessons for pair in lesson.made)]
    corpus = Corpus.of(every)
    logits = np.zeros(len(pairs))
    for fold, lesson in zip(FOLDS, lessons, strict=True):
        made = range(start, start + len(lesson.made))
        start += len(lesson.made)
        print(f"{fold}: {len(lesson.judged)} judged, {len(made)} made", flush=True)
        head = tune(corpus, [*lesson.judged, *made], seed)
        tests = [n for n, pair in enumerate(pairs) if data[pair.row] in fold]
        logits[tests] = against(corpus, head, tests)
    return answers(np.array([pair.row for pair in pairs]), logits, len(rows))


def _others(fold: Sequence[str]) -> set[str]:
    return set(SETS) - set(fold) - set(CHECKED_ONLY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--most", type=int, default=150, help="answers of a set")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.cache.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    rows = read(options.data, options.most)
    labels = Labels.of(rows)
    kept = options.cache / f"verifier-{options.most}.pickle"
    if not kept.is_file():
        kept.write_bytes(pickle.dumps((pairs_of(rows, spans(options.data, rows)), Table.of(rows))))
    pairs, table = pickle.loads(kept.read_bytes())
    print(f"{len(rows)} answers, {len(pairs)} claims, {time.process_time() - start:.0f} s")
    seen = scored(rows, pairs, options.seed)
    np.save(options.cache / f"verifier-{options.most}-{options.seed}.npy", seen)
    lexical = table.pooled()
    beside(lexical, seen, "the verifier alone", labels)
    print(f"{time.process_time() - start:.0f} s of one core")


def spans(folder: Path, rows: Sequence[Row]) -> list[list]:
    """The parts of each answer that people marked."""
    marked = {}
    for name in SETS:
        for line in (folder / name / f"{name}.jsonl").read_bytes().splitlines():
            raw = json.loads(line)
            marked[name, raw["id"]] = raw.get("spans") or []
    return [marked[row.data, row.id] for row in rows]


if __name__ == "__main__":
    main()
