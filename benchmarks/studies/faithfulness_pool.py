"""Measure support scores on human-labelled answers of many kinds, each set left out of the fit.

    python benchmarks/studies/faithfulness_pool.py --data DIR --cache DIR    print the tables

DIR holds a folder for each set with `SET/SET.jsonl`: rows with `id`, `question`, `passages`,
`answer`, `label` (true: faithful), `generator`, `cluster`. Labels are by people. No text is
written anywhere. Where the data are absent, nothing is measured and the reason is printed.

AUROC: how often an unfaithful answer scores as less supported than a faithful one. `within` is
the mean over generators with ten answers of both labels, weighted by their pairs; `paired` counts
only pairs of one source. Intervals: bootstrap over sources.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from bakeoff.decide.gates.floors import by_writer
from bakeoff.metrics import lexical

KINDS: Mapping[str, tuple[str, ...]] = {
    "questions": ("expertqa", "qa_feedback", "ragtruth_qa_extra"),
    "records": ("quintd", "d2t_spans", "rotowire_accuracy"),
    "summaries": ("storysumm", "defacto", "frank"),
    "claims": ("factcheckgpt", "wice_dev"),
    "table facts": ("tabfact",),
    "edits": ("bump",),
    "dialogue": ("begin_wow_cmu", "q2", "dialfact_small"),
}
SETS = tuple(name for names in KINDS.values() for name in names)
CHECKED_ONLY = ("ragtruth_qa_extra",)
"""Passages under a non-commercial licence: measured on, never fitted on."""
SEED = 20
DRAWS = 200
FEWEST = 10


@dataclass(frozen=True)
class Row:
    """One labelled answer."""

    data: str
    id: str
    question: str
    passages: tuple[str, ...]
    answer: str
    faithful: bool
    generator: str
    source: str


def read(folder: Path, most: int = 0) -> list[Row]:
    """The rows of every set; with `most`, whole sources in seeded order up to so many a set."""
    rows = []
    for name in SETS:
        path = folder / name / f"{name}.jsonl"
        mine = [_row(name, json.loads(line)) for line in path.read_bytes().splitlines()]
        if most and len(mine) > most:
            sources = sorted({row.source for row in mine})
            order = np.random.default_rng(SEED).permutation(len(sources))
            place = {sources[n]: int(rank) for rank, n in enumerate(order)}
            mine = sorted(mine, key=lambda row: place[row.source])[:most]
        rows += mine
    return rows


def _row(data: str, raw: dict) -> Row:
    passages = tuple(raw["passages"])
    return Row(
        data,
        raw["id"],
        raw.get("question") or "",
        passages,
        raw["answer"],
        raw["label"],
        raw.get("generator") or "",
        str(raw["cluster"]),
    )


def auroc(score: np.ndarray, good: np.ndarray) -> float:
    """Share of (good, bad) pairs whose good answer scores higher; ties are a half."""
    hits, misses = int(good.sum()), int((~good).sum())
    if not hits or not misses:
        return float("nan")
    above = float(rankdata(score)[good].sum()) - hits * (hits + 1) / 2
    return above / (hits * misses)


def grouped(score: np.ndarray, good: np.ndarray, group: np.ndarray, fewest: int = 1) -> float:
    """AUROC counted within groups only, weighted by their pairs."""
    total = weight = 0.0
    for name in np.unique(group):
        part = group == name
        hits, misses = int(good[part].sum()), int((~good[part]).sum())
        if min(hits, misses) >= fewest:
            total += auroc(score[part], good[part]) * hits * misses
            weight += hits * misses
    return total / weight if weight else float("nan")


@dataclass(frozen=True)
class Labels:
    """What is known of the rows beside their text, a place for each."""

    data: np.ndarray
    good: np.ndarray
    generator: np.ndarray
    source: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Labels:
        return cls(
            np.array([row.data for row in rows]),
            np.array([row.faithful for row in rows]),
            np.array([row.generator for row in rows]),
            np.array([row.source for row in rows]),
        )


def interval(score: np.ndarray, labels: Labels, part: np.ndarray) -> tuple[float, float]:
    """95 % of the AUROC of some rows by bootstrap over sources."""
    at = np.flatnonzero(part)
    codes = np.unique(labels.source[at], return_inverse=True)[1]
    members = [at[codes == n] for n in range(codes.max() + 1)]
    chance = np.random.default_rng(SEED)
    draws = []
    for _ in range(DRAWS):
        drawn = np.concatenate(
            [members[n] for n in chance.integers(len(members), size=len(members))]
        )
        draws.append(auroc(score[drawn], labels.good[drawn]))
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def writers(labels: Labels) -> np.ndarray:
    """The floor that reads no text: how often answers of the same generator are good, by set."""
    score = np.zeros(len(labels.good))
    for name in SETS:
        mine = np.flatnonzero(labels.data == name)
        codes = np.unique(labels.source[mine], return_inverse=True)[1]
        good = labels.good[mine].astype(np.int64)
        score[mine] = by_writer(labels.generator[mine].tolist(), good, codes)
    return score


def floors(rows: Sequence[Row], labels: Labels) -> dict[str, np.ndarray]:
    """What any score should beat: counting words, length, and who wrote it."""
    contained, nowhere = [], []
    made: dict[tuple[str, ...], lexical.Evidence] = {}
    for row in rows:
        if row.passages not in made:
            made = {row.passages: lexical.Evidence.of(row.passages)}
        words = [w for w in lexical.words.read_words(row.answer)[0] if w.content]
        missing = sum(word.key not in made[row.passages].keys for word in words)
        contained.append(1 - missing / max(len(words), 1))
        nowhere.append(-missing)
    length = -np.array([len(row.answer) for row in rows], dtype=float)
    return {
        "containment": np.array(contained),
        "words nowhere": np.array(nowhere, dtype=float),
        "length": length,
        "who wrote it": writers(labels),
    }


def today(rows: Sequence[Row]) -> np.ndarray:
    """`support_lexical`, the score of words alone."""
    made: dict[tuple[str, ...], lexical.Evidence] = {}
    values = []
    for row in rows:
        if row.passages not in made:
            made = {row.passages: lexical.Evidence.of(row.passages)}
        found = lexical.support(row.answer, made[row.passages], lexical.shipped_model())
        values.append(1.0 if found.probability is None else found.probability)
    return np.array(values)


def table(scores: Mapping[str, np.ndarray], labels: Labels) -> None:
    """Print the AUROC of each score on each set, and the means by kind."""
    names = list(scores)
    print("| set | answers (unfaithful) | " + " | ".join(names) + " |")
    print("|---|---:|" + "---:|" * len(names))
    for name in SETS:
        part = labels.data == name
        cells = [_cell(scores[one], labels, part) for one in names]
        bad = int((~labels.good[part]).sum())
        print(f"| {name} | {part.sum()} ({bad}) | {' | '.join(cells)} |")
    for kind, sets in KINDS.items():
        means = [np.mean([_of(scores[one], labels, name) for name in sets]) for one in names]
        print(f"| **{kind}** | | " + " | ".join(f"**{value:.3f}**" for value in means) + " |")
    means = [np.mean([_of(scores[one], labels, name) for name in SETS]) for one in names]
    print("| **all sets** | | " + " | ".join(f"**{value:.3f}**" for value in means) + " |")


def _of(score: np.ndarray, labels: Labels, name: str) -> float:
    part = labels.data == name
    return auroc(score[part], labels.good[part])


def _cell(score: np.ndarray, labels: Labels, part: np.ndarray) -> str:
    good = labels.good[part]
    low, high = interval(score, labels, part)
    within = grouped(score[part], good, labels.generator[part], FEWEST)
    paired = grouped(score[part], good, labels.source[part])
    return f"{auroc(score[part], good):.3f} [{low:.3f}, {high:.3f}], {within:.3f}, {paired:.3f}"


def kept(cache: Path, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array from the cache, made where it is not there."""
    path = cache / f"{name}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, make())
    loaded: np.ndarray = np.load(path)
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--most", type=int, default=0, help="answers a set; 0: all")
    options = parser.parse_args()
    if missing := [name for name in SETS if not (options.data / name).is_dir()]:
        print(f"skipped: {options.data} has no {missing[0]}")
        return
    rows = read(options.data, options.most)
    labels = Labels.of(rows)
    scores = {"today": kept(options.cache, f"today-{options.most}", lambda: today(rows))}
    table(scores | floors(rows, labels), labels)


if __name__ == "__main__":
    main()
