"""Train the support model on human-labelled answers of many kinds, and measure how it transfers.

    python benchmarks/studies/train_faithfulness.py --data DIR --cache DIR           the tables
    python benchmarks/studies/train_faithfulness.py --data DIR --cache DIR --write   and the model
    ... --plot docs/images/reliability.svg                                           and the plot

DIR is laid out as `faithfulness_pool.py` says. A figure of a set is that of a model that was fitted
on the other sets. Some contradictions are rare in them: records with yes-or-no values, and names
or numbers exchanged, are made here by rule (`made`), sentences and all. Where the data are absent,
nothing is measured and the reason is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from faithfulness_pool import (
    CHECKED_ONLY,
    KINDS,
    SEED,
    SETS,
    Labels,
    Row,
    auroc,
    floors,
    grouped,
    kept,
    read,
    table,
    today,
)
from scipy.optimize import minimize

from bakeoff.metrics import support
from bakeoff.metrics.lexical.model import platt
from bakeoff.metrics.lexical.words import listed
from bakeoff.metrics.support import FEATURES, GROUPS, Evidence, Model
from bakeoff.metrics.support.judging import asked_words

LICENSES = {
    "MIT": "expertqa, quintd, d2t_spans, storysumm, defacto, frank, bump, tabfact",
    "Apache-2.0": "qa_feedback, factcheckgpt, q2",
    "CC BY 4.0": "begin_wow_cmu",
    "BSD-3-Clause": "dialfact_small",
    "ODC-BY": "wice_dev",
    "CC0": "rotowire_accuracy",
}
MADE = "made"
MADE_ROWS = 600
PENALTY = 0.3
"""Inverse strength of the ridge, on weights that add up to one; .03 to 1 differ by .001."""
MADE_WEIGHT = 0.5
"""Of the made rows, beside 1 for each set."""


@dataclass(frozen=True)
class Table:
    """Features of claims, and the row that each belongs to."""

    values: np.ndarray
    sizes: np.ndarray
    owner: np.ndarray
    rows: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Table:
        values, sizes, owner = [], [], []
        last: tuple[tuple[str, ...], Evidence] | None = None
        for place, row in enumerate(rows):
            if last is None or last[0] != row.passages:
                last = row.passages, Evidence.of(row.passages)
            asked = asked_words(row.question)
            for claim in support.claims(row.answer):
                aligned = support.align(claim.text, last[1], asked)
                seen = support.features(aligned, last[1])
                values.append([seen[name] for name in FEATURES])
                sizes.append(aligned.total)
                owner.append(place)
        return cls(np.array(values), np.array(sizes), np.array(owner), len(rows))

    def pooled(self) -> np.ndarray:
        """For each row the means of the features, then their amounts."""
        size = (self.rows, len(FEATURES))
        mean, amount, weight = np.zeros(size), np.zeros(size), np.zeros(self.rows)
        np.add.at(mean, self.owner, self.values * self.sizes[:, None])
        np.add.at(amount, self.owner, self.values)
        np.add.at(weight, self.owner, self.sizes)
        mean /= np.where(weight > 0, weight, 1.0)[:, None]
        return np.concatenate([mean, np.log1p(amount)], axis=1)


FIRST = listed("Harbour Copper Willow North River Amber Stone Velvet Cedar Maple Silver Quiet")
SECOND = listed("Table Kitchen House Corner Garden Room Lantern Pantry Terrace Court")
YES_NO = {
    "OutdoorSeating": "outdoor seating",
    "DeliveryService": "a delivery service",
    "LiveMusic": "live music",
    "BikeParking": "bike parking",
    "FreeWifi": "free wifi",
    "TakeOut": "takeout",
    "PrivateRooms": "private rooms",
    "WheelchairAccess": "wheelchair access",
}
PEOPLE = listed("Anna Jonas Mira Peter Lena Tomas Ada")
TOWNS = listed("Tarn Skarv Velden Orlow Brenta Maris Kolby")
VERBS = ["warned", "hired", "succeeded", "taught", "replaced", "visited", "thanked"]


def made(count: int = MADE_ROWS) -> list[Row]:
    """Faithful answers and ones made wrong by one rule, half and half; seeded."""
    chance = random.Random(SEED)
    rows = []
    for number in range(count // 2):
        passage, good, bad = (_record if number % 2 else _story)(chance)
        for text, faithful in ((good, True), (bad, False)):
            name = f"{number}.{faithful}"
            rows.append(Row(MADE, name, "", (passage,), text, faithful, "", str(number)))
    return rows


def _record(chance: random.Random) -> tuple[str, str, str]:
    name = f"{chance.choice(FIRST)} {chance.choice(SECOND)}"
    values = {key: chance.random() < 0.5 for key in YES_NO}
    opens, closes = chance.randint(7, 11), chance.randint(17, 23)
    record = {
        "name": name,
        "city": chance.choice(TOWNS),
        "hours": {"Monday": f"{opens}:0-{closes}:0"},
        "attributes": values,
    }
    shown = chance.sample(sorted(YES_NO), 3)
    wrong = chance.choice(shown)
    parts = [(_told(key, values[key]), _told(key, values[key] != (key == wrong))) for key in shown]
    hours = f"On Monday it is open from {opens} AM to {closes - 12} PM."
    good, bad = (
        " ".join([f"{name} is in {record['city']}.", *(pair[n] for pair in parts), hours])
        for n in (0, 1)
    )
    return json.dumps(record), good, bad


def _told(key: str, value: bool) -> str:
    return f"It {'offers' if value else 'does not offer'} {YES_NO[key]}."


def _story(chance: random.Random) -> tuple[str, str, str]:
    one, other, third = chance.sample(PEOPLE, 3)
    town, away = chance.sample(TOWNS, 2)
    verb, second = chance.sample(VERBS, 2)
    early, late = sorted(chance.sample(range(1900, 2020), 2))
    few, many = chance.randint(3, 40), chance.randint(50, 900)
    facts = [
        (f"{one} {verb} {other} in {early}.", f"{other} {verb} {one} in {early}."),
        (f"{third} {second} {one} in {late}.", f"{third} {second} {one} in {early}."),
        (f"The mill in {town} has {many} workers.", f"The mill in {town} has {few} workers."),
        (f"The school in {away} has {few} pupils.", f"The school in {away} has {many} pupils."),
        (f"The bridge in {town} was not damaged.", f"The bridge in {town} was damaged."),
        (f"The old road to {away} is open.", f"The old road to {away} is closed."),
    ]
    passage = " ".join(right for right, _ in facts)
    shown = chance.sample(range(len(facts)), 3)
    wrong = chance.choice(shown)
    good = " ".join(facts[n][0] for n in shown)
    return passage, good, " ".join(facts[n][n == wrong] for n in shown)


def fitted(pooled: np.ndarray, labels: Labels, chosen: np.ndarray) -> np.ndarray:
    """The weights of a ridge logistic regression, none below 0; each set, and each label in it,
    has an equal part."""
    x, bad = pooled[chosen], (~labels.good[chosen]).astype(float)
    scale = x.std(axis=0)
    used = scale > 0
    x = x[:, used] / scale[used]
    part = _parts(labels, chosen)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ at[:-1] + at[-1]
        slope = part * (1 / (1 + np.exp(-z)) - bad)
        value = part @ (np.logaddexp(0, z) - bad * z) + at[:-1] @ at[:-1] / (2 * PENALTY)
        return float(value), np.append(x.T @ slope + at[:-1] / PENALTY, slope.sum())

    bounds = [(0, None)] * x.shape[1] + [(None, None)]
    start = np.zeros(x.shape[1] + 1)
    done = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights = np.zeros(pooled.shape[1])
    weights[used] = done.x[:-1] / scale[used]
    return weights


def _parts(labels: Labels, chosen: np.ndarray) -> np.ndarray:
    data, good = labels.data[chosen], labels.good[chosen]
    part = np.zeros(len(data))
    for name in np.unique(data):
        for label in (False, True):
            same = (data == name) & (good == label)
            if same.any():
                part[same] = (MADE_WEIGHT if name == MADE else 1.0) / same.sum()
    return part / part.sum()


def left_out(pooled: np.ndarray, labels: Labels) -> np.ndarray:
    """The uncalibrated support of each row by a model fitted on the other sets (`Model.logit`)."""
    score = np.zeros(len(labels.good))
    allowed = ~np.isin(labels.data, CHECKED_ONLY)
    for name in SETS:
        part = labels.data == name
        score[part] = -np.cbrt(pooled[part] @ fitted(pooled, labels, allowed & ~part))
    return score


def means(score: np.ndarray, labels: Labels) -> dict[str, float]:
    """AUROC by kind, over all sets, within one writer and in pairs of one source."""
    known, within, paired = {}, [], []
    for name in SETS:
        part = labels.data == name
        known[name] = auroc(score[part], labels.good[part])
        within.append(grouped(score[part], labels.good[part], labels.generator[part], 10))
        paired.append(grouped(score[part], labels.good[part], labels.source[part]))
    found = {kind: float(np.mean([known[name] for name in sets])) for kind, sets in KINDS.items()}
    found["all sets"] = float(np.mean(list(known.values())))
    found["within"], found["paired"] = float(np.nanmean(within)), float(np.nanmean(paired))
    return found


def ablation(pooled: np.ndarray, labels: Labels) -> None:
    """Print what each group of features adds: left out, and alone."""
    print("\n## Groups of features\n")
    whole = means(left_out(pooled, labels), labels)
    print("| features | " + " | ".join(whole) + " |\n|---|" + "---:|" * len(whole))
    print("| all | " + " | ".join(f"{value:.3f}" for value in whole.values()) + " |")
    for title, names in GROUPS.items():
        places = [FEATURES.index(name) for name in names]
        gone = [*places, *(place + len(FEATURES) for place in places)]
        rest = pooled.copy()
        rest[:, gone] = 0
        found = means(left_out(rest, labels), labels)
        print(f"| without {title} | " + " | ".join(f"{x:.3f}" for x in found.values()) + " |")


def calibrated(logits: np.ndarray, labels: Labels, sets: Sequence[str]) -> tuple[float, float]:
    """Slope and offset of some sets together, each label of each set with an equal part."""
    chance = np.random.default_rng(SEED)
    drawn = []
    for name in sets:
        for label in (False, True):
            same = np.flatnonzero((labels.data == name) & (labels.good == label))
            drawn.append(chance.choice(same, 400))
    at = np.concatenate(drawn)
    return platt(logits[at].tolist(), labels.good[at].tolist())


def probabilities(logits: np.ndarray, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of each set, calibrated on the other sets, and the weight of each row as if
    half of its set were supported."""
    probability, weight = np.zeros(len(logits)), np.zeros(len(logits))
    for name in SETS:
        part = labels.data == name
        others = [one for one in SETS if one not in (name, *CHECKED_ONLY)]
        slope, offset = calibrated(logits, labels, others)
        probability[part] = 1 / (1 + np.exp(-(slope * logits[part] + offset)))
        for label in (False, True):
            same = part & (labels.good == label)
            weight[same] = 1 / same.sum()
    return probability, weight


def reliability(probability: np.ndarray, weight: np.ndarray, labels: Labels) -> None:
    """Print the probabilities of left-out sets beside the share that people found supported."""
    print("\n## Probabilities of sets left out, as if half of each were supported\n")
    print("| probability | mean | share supported | answers |\n|---|---:|---:|---:|")
    for low in np.arange(10) / 10:
        part = np.isin(labels.data, SETS) & (probability >= low) & (probability < low + 0.1)
        if part.any():
            said = np.average(probability[part], weights=weight[part])
            share = np.average(labels.good[part], weights=weight[part])
            print(f"| {low:.1f} to {low + 0.1:.1f} | {said:.2f} | {share:.2f} | {part.sum()} |")
    print("\n| kind | below .3 | .3 to .5 | .5 to .8 | .8 and above |\n|---|---:|---:|---:|---:|")
    for kind, sets in KINDS.items():
        cells = []
        for low, high in pairwise((0, 0.3, 0.5, 0.8, 1.01)):
            part = np.isin(labels.data, sets) & (probability >= low) & (probability < high)
            share = np.average(labels.good[part], weights=weight[part]) if part.any() else None
            cells.append("– (0)" if share is None else f"{share:.2f} ({part.sum()})")
        print(f"| {kind} | {' | '.join(cells)} |")


def shipped(pooled: np.ndarray, labels: Labels, left: np.ndarray) -> Model:
    """The model of all sets, to four digits: more would differ between machines. Its probabilities
    are calibrated on what models made of sets that they had not seen (`left`)."""
    weights = fitted(pooled, labels, ~np.isin(labels.data, CHECKED_ONLY))
    count = len(FEATURES)
    named = [dict(zip(FEATURES, part, strict=True)) for part in np.split(weights, [count])]
    mean, amount = (
        {name: round(float(value), 4) for name, value in part.items() if value >= 5e-5}
        for part in named
    )
    sets = [name for name in SETS if name not in CHECKED_ONLY]
    slope, offset = calibrated(left, labels, sets)
    return Model(mean, amount, round(slope, 4), round(offset, 4))


def digests(folder: Path) -> dict[str, str]:
    """Short SHA-256 of every file that is fitted on."""
    return {
        name: hashlib.sha256((folder / name / f"{name}.jsonl").read_bytes()).hexdigest()[:16]
        for name in SETS
        if name not in CHECKED_ONLY
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--most", type=int, default=0, help="answers a set; 0: all")
    parser.add_argument("--write", action="store_true", help="store the model in the package")
    parser.add_argument("--plot", type=Path, help="file for the plot of the probabilities")
    parser.add_argument("--brief", action="store_true", help="the means alone")
    options = parser.parse_args()
    if absent := [name for name in SETS if not (options.data / name).is_dir()]:
        sys.exit(f"skipped: {options.data} has no {absent[0]}")
    rows = read(options.data, options.most)
    every = [*rows, *made()]
    labels = Labels.of(every)
    code = hashlib.sha256()
    for path in sorted(Path(support.__file__).parent.glob("*.*")):
        if path.name != "support_model.json":
            code.update(path.read_bytes())
    start = time.process_time()
    name = f"pooled-{options.most}-{code.hexdigest()[:12]}"
    pooled = kept(options.cache, name, lambda: Table.of(every).pooled())
    print(f"{len(every) / (time.process_time() - start):.0f} answers a second", file=sys.stderr)
    score = left_out(pooled, labels)
    print(json.dumps({k: round(v, 4) for k, v in means(score, labels).items()}))
    if not options.brief:
        scores = {"support": score[: len(rows)]}
        scores["support_lexical"] = kept(
            options.cache, f"today-{options.most}", lambda: today(rows)
        )
        table(scores | floors(rows, Labels.of(rows)), Labels.of(rows))
        ablation(pooled, labels)
    probability, weight = probabilities(score, labels)
    reliability(probability, weight, labels)
    if options.plot:
        from reliability_plot import plot

        plot(probability, weight, labels, options.plot)
    if options.write:
        provenance = {
            "script": "benchmarks/studies/train_faithfulness.py",
            "penalty": PENALTY,
            "made_rows": MADE_ROWS,
            "data_sha256": digests(options.data),
            "licenses": LICENSES,
        }
        model = replace(shipped(pooled, labels, score), provenance=provenance)
        target = Path(support.__file__).parent / "support_model.json"
        target.write_text(model.as_json(), encoding="utf-8")
        print(f"\nwrote {target.name}")


if __name__ == "__main__":
    main()
