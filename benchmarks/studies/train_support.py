"""Train and measure the lexical support model on local copies of BEGIN and CLAP NQ.

    python benchmarks/studies/train_support.py --data DIR            measure, print the tables
    python benchmarks/studies/train_support.py --data DIR --write    and store the model

DIR holds `begin_wow_cmu/` and `clapnq/`, files as their authors publish them. Nothing of their
text is written anywhere: figures, digests and coefficients are.

Recipe of the unfaithful CLAP NQ answers (seeded, one change in one sentence of a human answer):
`number_in` another number of the passage, `number_out` a number found nowhere in the context,
`entity_in` / `entity_out` the same with names, `role` two names of one sentence swapped,
`negation` a "not" put behind the first auxiliary verb or taken away; `other_near` and
`other_far` are human answers to other questions, of the nearest passage and of any. Contexts hold
the gold passage and up to three of the nearest other passages.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import sklearn
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from bakeoff.metrics import lexical
from bakeoff.metrics.lexical import SIGNS, Evidence, Model, claims, features, pooled

SEED = 20
PENALTY = 0.01
"""scikit-learn's C, chosen by transfer between the two sets."""
KINDS = ("number_in", "number_out", "entity_in", "entity_out", "role", "negation")
OTHERS = ("other_near", "other_far")


@dataclass(frozen=True)
class Row:
    """One answer with its context and its label."""

    data: str
    source: str
    """What the answer is about; rows of one source are never in training and test at once."""
    generator: str
    kind: str
    answer: str
    passages: tuple[str, ...]
    supported: bool
    kept: frozenset[str] = frozenset()
    """Sentences of an edited answer that the edit did not touch."""
    question: str = ""


def begin_rows(folder: Path, generic: bool = False) -> list[Row]:
    """BEGIN's responses with their human labels; `Generic` ones only when asked for."""
    rows = []
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                label = line["begin_label"]
                if label == "Generic" and not generic:
                    continue
                rows.append(
                    Row(
                        "begin",
                        line["knowledge"],
                        line["model_name"],
                        f"{line['data_source']}: {label}",
                        line["response"],
                        (line["knowledge"],),
                        label == "Fully attributable",
                        question=line["message"],
                    )
                )
    return rows


def clapnq_rows(folder: Path) -> list[Row]:
    """CLAP NQ's human answers, and unfaithful ones made from them (see the module's docstring)."""
    chance = random.Random(SEED)
    asked = _lines(folder / "annotated_data__dev__clapnq_dev_answerable.jsonl")
    unasked = _lines(folder / "annotated_data__dev__clapnq_dev_unanswerable.jsonl")
    passages = [line["passages"][0]["text"] for line in asked + unasked]
    titles = [line["passages"][0]["title"] for line in asked + unasked]
    nearest = _nearest(passages, titles)
    rows = []
    for place, line in enumerate(asked):
        extra = [passages[n] for n in nearest[place][: chance.randrange(4)]]
        context = [passages[place], *extra]
        chance.shuffle(context)
        blank = Row("clapnq", titles[place], "", "", "", tuple(context), False)
        blank = replace(blank, question=line["input"])
        answers = sorted({o["answer"].strip() for o in line["output"] if o["answer"].strip()})
        for answer in answers[:2]:
            rows.append(
                replace(blank, generator="human", kind="human", answer=answer, supported=True)
            )
            for kind in KINDS:
                edited = edit(kind, answer, passages[place], context, passages, chance)
                if edited:
                    text, kept = edited
                    rows.append(
                        replace(blank, generator="edited", kind=kind, answer=text, kept=kept)
                    )
        others = [n for n in range(len(asked)) if titles[n] != titles[place]]
        others = [n for n in others if passages[n] not in context]
        near = next(n for n in nearest[place] if n in others)
        for kind, other in zip(OTHERS, (near, chance.choice(others)), strict=True):
            text = asked[other]["output"][0]["answer"]
            rows.append(replace(blank, generator="other", kind=kind, answer=text))
    return rows


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _nearest(passages: Sequence[str], titles: Sequence[str]) -> list[list[int]]:
    """Of each passage the others, the most alike in rare words first; other titles only."""
    words = [set(re.findall(r"[a-z]{4,}", p.lower())) for p in passages]
    spread = Counter(word for known in words for word in known)
    order = []
    for place, known in enumerate(words):
        alike = [
            (-sum(1 / spread[w] for w in known & other) / (len(other) + 20), n)
            for n, other in enumerate(words)
            if titles[n] != titles[place]
        ]
        order.append([n for _, n in sorted(alike)])
    return order


_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_NAME = re.compile(r"(?<=[a-z,;(] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|may|might|must|should|did|does)\b"
    r"(?! not\b|n't)(?=\s+\w)"
)
_NOT = re.compile(r"\s+not\b|n't\b")


def edit(
    kind: str,
    answer: str,
    gold: str,
    context: Sequence[str],
    passages: Sequence[str],
    chance: random.Random,
) -> tuple[str, frozenset[str]] | None:
    """The answer with one sentence made wrong, and the sentences kept; `None` where it cannot."""
    sentences = re.split(r"(?<=[a-z0-9)][.!?])\s+(?=[A-Z])", answer)
    order = list(range(len(sentences)))
    chance.shuffle(order)
    for place in order:
        changed = _changed(kind, sentences[place], gold, "\n".join(context), passages, chance)
        if changed and changed != sentences[place]:
            kept = frozenset(sentences[:place] + sentences[place + 1 :])
            return " ".join([*sentences[:place], changed, *sentences[place + 1 :]]), kept
    return None


def _changed(
    kind: str,
    sentence: str,
    gold: str,
    context: str,
    passages: Sequence[str],
    chance: random.Random,
) -> str | None:
    if kind == "role":
        return _roles_swapped(sentence, chance)
    if kind == "negation":
        return _negated(sentence)
    pattern = _NUMBER if kind.startswith("number") else _NAME
    found = list(pattern.finditer(sentence))
    if not found:
        return None
    match = chance.choice(found)
    if kind.endswith("_in"):
        pool = {m.group() for m in pattern.finditer(gold)}
        pool = {new for new in pool if new not in sentence and match.group() not in new}
    elif kind == "number_out":
        pool = {_altered(match.group(), chance) for _ in range(8)}
        pool = {new for new in pool if new not in context}
    else:
        other = chance.choice(passages)
        pool = {m.group() for m in pattern.finditer(other)}
        pool = {new for new in pool if new not in context}
    if not pool:
        return None
    new = chance.choice(sorted(pool))
    return sentence[: match.start()] + new + sentence[match.end() :]


def _altered(number: str, chance: random.Random) -> str:
    """The number with one digit changed, or a year a few years off."""
    places = [n for n, sign in enumerate(number) if sign.isdigit()]
    place = chance.choice(places[1:] or places)
    digit = chance.choice([d for d in "123456789" if d != number[place]])
    return number[:place] + digit + number[place + 1 :]


def _roles_swapped(sentence: str, chance: random.Random) -> str | None:
    names = list(re.finditer(r"(?:(?<=[a-z,;(] )|^)[A-Z][a-z]+(?: [A-Z][a-z]+)*", sentence))
    names = [n for n in names if n.group() not in _OPENERS]
    pairs = [
        (one, other)
        for n, one in enumerate(names)
        for other in names[n + 1 :]
        if one.group() != other.group()
        and re.search(r"\b(?!and\b|with\b|from\b)[a-z]{3,}", sentence[one.end() : other.start()])
    ]
    if not pairs:
        return None
    one, other = chance.choice(pairs)
    return (
        sentence[: one.start()]
        + other.group()
        + sentence[one.end() : other.start()]
        + one.group()
        + sentence[other.end() :]
    )


_OPENERS = frozenset(
    re.findall(
        r"\w+",
        "The In On At It He She They This That These Those As A An For By With From When While "
        "After Before During If Some Many Most Each There To Its His Her Their Although However",
    )
)


def _negated(sentence: str) -> str | None:
    there = _NOT.search(sentence)
    if there:
        return sentence[: there.start()] + sentence[there.end() :]
    verb = _AUXILIARY.search(sentence)
    return f"{sentence[: verb.end()]} not{sentence[verb.end() :]}" if verb else None


def digests(folder: Path) -> dict[str, str]:
    """Short SHA-256 of every data file that is read."""
    files = sorted([*folder.glob("begin_wow_cmu/*.tsv"), *folder.glob("clapnq/*.jsonl")])
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in files
    }


@dataclass(frozen=True)
class Table:
    """Rows with the features of their claims. Every array has one place per row or per claim."""

    rows: tuple[Row, ...]
    names: tuple[str, ...]
    values: np.ndarray
    """One row per claim, one column per feature of `names`."""
    owner: np.ndarray
    """The row of each claim."""
    label: np.ndarray
    """1 where the claim is supported; only a guess for BEGIN's unfaithful responses."""
    guessed: np.ndarray
    """Claims of which it is only known that one of the answer's is not supported."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Table:
        made: dict[tuple[str, ...], Evidence] = {}
        kept, seen, owner, label, guessed = [], [], [], [], []
        for row in rows:
            if row.passages not in made:
                made[row.passages] = Evidence.of(row.passages)
            found = claims(row.answer)
            if not found:
                continue
            for claim in found:
                seen.append(dict(features(claim, made[row.passages])))
                owner.append(len(kept))
                untouched = any(claim.text in k or k in claim.text for k in row.kept)
                label.append(row.supported or untouched)
                guessed.append(row.data == "begin" and not row.supported and len(found) > 1)
            kept.append(row)
        return cls(
            tuple(kept),
            tuple(seen[0]),
            np.array([list(claim.values()) for claim in seen]),
            np.array(owner),
            np.array(label, dtype=float),
            np.array(guessed),
        )

    def of_rows(self, name: str) -> np.ndarray:
        """One field of every row."""
        return np.array([getattr(row, name) for row in self.rows])

    @property
    def first(self) -> np.ndarray:
        """Where the claims of each row start."""
        return np.searchsorted(self.owner, np.arange(len(self.rows)))

    def column(self, name: str) -> np.ndarray:
        """One feature of every claim."""
        return self.values[:, self.names.index(name)]

    @property
    def sizes(self) -> np.ndarray:
        """Content words of every claim."""
        return np.maximum(np.round(np.expm1(self.column("length"))), 1)

    def pooled(self, logits: np.ndarray, weakest: float = lexical.WEAKEST) -> np.ndarray:
        """One value per row from one per claim, as `bakeoff.metrics.lexical` pools them."""
        bounds = [*self.first, len(self.values)]
        sizes = self.sizes
        return np.array(
            [
                pooled(logits[a:b].tolist(), sizes[a:b].tolist(), weakest)
                for a, b in pairwise(bounds)
            ]
        )

    def containment(self) -> np.ndarray:
        """The floor: share of an answer's content words that stand in the context."""
        sizes = self.sizes
        found = np.add.reduceat(self.column("contained") * sizes, self.first)
        return found / np.add.reduceat(sizes, self.first)

    def length(self) -> np.ndarray:
        """Content words of every row."""
        return np.add.reduceat(self.sizes, self.first)


CONTROL = "length"


def train(table: Table, chosen: np.ndarray, controlled: bool = True, learn: bool = False) -> Model:
    """The model fitted on the chosen rows.

    Length is fitted beside the features and then left out (`controlled`), so that no feature
    stands in for it; `learn` keeps it, for comparison only. A feature whose coefficient comes out
    against its meaning is dropped, one at a time. Of a BEGIN response that is not attributable
    the claim that looks weakest carries the label, looked for twice.
    """
    inside = chosen[table.owner]
    names = sorted(SIGNS)
    z = table.column("contained")
    while True:
        for _ in range(2):
            lowest = np.minimum.reduceat(z, table.first)[table.owner]
            used = np.flatnonzero(inside & (~table.guessed | (z <= lowest)))
            asked = [*names, CONTROL] if controlled or learn else names
            x = np.stack([table.column(name) for name in asked], axis=1)
            means, scales = x[used].mean(axis=0), x[used].std(axis=0)
            scales = np.where(scales > 0, scales, 1.0)
            x = (x - means) / scales
            fit = LogisticRegression(C=PENALTY, max_iter=1000)
            fit.fit(x[used], table.label[used], sample_weight=_weights(table, used))
            kept = len(asked) if learn else len(names)
            z = x[:, :kept] @ fit.coef_[0][:kept] + fit.intercept_[0]
        wrong = [(c * SIGNS[n], n) for n, c in zip(names, fit.coef_[0], strict=False)]
        wrong = [(value, name) for value, name in wrong if value <= 0]
        if not wrong:
            break
        names.remove(min(wrong)[1])
    model = Model(
        tuple(asked[:kept]),
        tuple(means[:kept].tolist()),
        tuple(scales[:kept].tolist()),
        tuple(fit.coef_[0][:kept].tolist()),
        float(fit.intercept_[0]),
    )
    return _calibrated(model, table, chosen)


def _weights(table: Table, used: np.ndarray) -> np.ndarray:
    """Each set, each label in it, and each way of being wrong has an equal part."""
    owner = table.owner[used]
    data, kind = table.of_rows("data")[owner], table.of_rows("kind")[owner]
    way = np.where(np.isin(kind, KINDS), "edited", np.where(data == "begin", "human", kind))
    way = np.where(table.label[used] == 1, "supported", way)
    weights = np.zeros(len(used))
    for one in np.unique(data):
        for label in (0, 1):
            part = (data == one) & (table.label[used] == label)
            ways = np.unique(way[part])
            for each in ways:
                same = part & (way == each)
                weights[same] = 1 / same.sum() / len(ways)
    return weights * len(used) / weights.sum()


def _calibrated(model: Model, table: Table, chosen: np.ndarray) -> Model:
    """Platt scaling of whole answers, with as many supported as unsupported ones by weight."""
    z = table.pooled(scores(model, table))[chosen]
    y, data = table.of_rows("supported")[chosen], table.of_rows("data")[chosen]
    weights = np.zeros(len(z))
    for one in np.unique(data):
        for label in (False, True):
            same = (data == one) & (y == label)
            weights[same] = len(z) / same.sum()
    fit = LogisticRegression(C=1e6).fit(z[:, None], y, sample_weight=weights)
    return replace(model, slope=float(fit.coef_[0][0]), offset=float(fit.intercept_[0]))


def scores(model: Model, table: Table) -> np.ndarray:
    """Uncalibrated evidence for every claim."""
    x = np.stack([table.column(name) for name in model.features], axis=1)
    x = (x - np.array(model.means)) / np.array(model.scales)
    return x @ np.array(model.coefficients) + model.intercept


def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve; not a number when there is one class only."""
    good, bad = int(label.sum()), int((~label).sum())
    if not good or not bad:
        return float("nan")
    return float((rankdata(score)[label].sum() - good * (good + 1) / 2) / (good * bad))


def balanced(flag: np.ndarray, label: np.ndarray) -> float:
    """Mean of the shares of supported and of unsupported answers judged rightly."""
    return float((flag[label].mean() + (~flag[~label]).mean()) / 2)


def f1(flag: np.ndarray, wanted: np.ndarray) -> float:
    """Harmonic mean of precision and recall of the flagged answers."""
    return float(2 * (flag & wanted).sum() / (flag.sum() + wanted.sum()))


def best_threshold(score: np.ndarray, label: np.ndarray) -> float:
    """The threshold with the best balanced accuracy on these rows."""
    cuts = np.unique(np.quantile(score, np.linspace(0.01, 0.99, 99)))
    return float(max(cuts, key=lambda cut: balanced(score >= cut, label)))


@dataclass(frozen=True)
class Judged:
    """Scores of rows by a model that has not seen their sources, beside the floors."""

    score: np.ndarray
    probability: np.ndarray
    contained: np.ndarray
    contained_flag: np.ndarray
    """Containment at or above the threshold that was best on the training rows."""


def judge(table: Table, tests: Sequence[np.ndarray], fits: Sequence[np.ndarray], **how) -> Judged:
    """Train on each `fits[i]`, score `tests[i]`."""
    size = len(table.rows)
    contained, label = table.containment(), table.of_rows("supported")
    score, probability, flag = np.full(size, np.nan), np.full(size, np.nan), np.zeros(size, bool)
    for test, chosen in zip(tests, fits, strict=True):
        model = train(table, chosen, **how)
        z = table.pooled(scores(model, table))
        score[test] = z[test]
        probability[test] = 1 / (1 + np.exp(-(model.slope * z[test] + model.offset)))
        flag[test] = contained[test] >= best_threshold(contained[chosen], label[chosen])
    return Judged(score, probability, contained, flag)


def interval(values: Sequence[float]) -> str:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"[{low:.3f}, {high:.3f}]"


def line(name: str, table: Table, judged: Judged, part: np.ndarray) -> str:
    """One row of a table: AUROC, floors, difference and balanced accuracy with intervals."""
    part = np.flatnonzero(part & ~np.isnan(judged.score))
    label = table.of_rows("supported")[part]
    source = np.unique(table.of_rows("source")[part], return_inverse=True)[1]
    members = [np.flatnonzero(source == n) for n in range(source.max() + 1)]
    score, contained = judged.score[part], judged.contained[part]
    flag, floor_flag = judged.probability[part] >= 0.5, judged.contained_flag[part]
    length = -table.length()[part]
    chance = np.random.default_rng(SEED)
    draws = []
    for _ in range(400):
        picked = chance.integers(len(members), size=len(members))
        at = np.concatenate([members[n] for n in picked])
        y = label[at]
        if y.all() or not y.any():
            continue
        one, other = auroc(score[at], y), auroc(contained[at], y)
        draws.append((one, other, one - other, balanced(flag[at], y), balanced(floor_flag[at], y)))
    spread = np.array(draws).T
    one, other = auroc(score, label), auroc(contained, label)
    alone = auroc(length, label)
    return (
        f"| {name} | {len(part)} ({int(label.sum())}) | {one:.3f} {interval(spread[0])} "
        f"| {other:.3f} {interval(spread[1])} | {one - other:+.3f} {interval(spread[2])} "
        f"| {max(alone, 1 - alone):.3f} | {balanced(flag, label):.3f} {interval(spread[3])} "
        f"| {balanced(floor_flag, label):.3f} {interval(spread[4])} |"
    )


HEAD = (
    "| part | answers (supported) | AUROC | containment | difference | length alone "
    "| balanced accuracy | containment |\n|---|---|---|---|---|---|---|---|"
)


def folds(table: Table, count: int = 5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Test and training rows; a source is wholly in one or the other."""
    tests = []
    for _, test in GroupKFold(count).split(table.rows, groups=table.of_rows("source")):
        tests.append(np.isin(np.arange(len(table.rows)), test))
    return tests, [~test for test in tests]


def report(table: Table) -> None:
    """Print every table of the scorer card."""
    data, kind = table.of_rows("data"), table.of_rows("kind")
    generator, human = table.of_rows("generator"), table.of_rows("kind") == "human"
    begin, clapnq = data == "begin", data == "clapnq"
    edited = np.isin(kind, KINDS)
    generators = sorted(set(generator[begin]))
    parts = {
        "BEGIN": begin,
        "BEGIN, wow": np.char.startswith(kind, "wow"),
        "BEGIN, cmu": np.char.startswith(kind, "cmu"),
        **{f"BEGIN, {name} alone": begin & (generator == name) for name in generators},
        "CLAP NQ": clapnq,
        "CLAP NQ, minimal edits": human | edited,
        **{f"CLAP NQ, {each}": human | (kind == each) for each in (*KINDS, *OTHERS)},
    }
    tests, fits = folds(table)
    judged = judge(table, tests, fits)
    print(f"## Cross-validation, grouped by source\n{HEAD}")
    for name, part in parts.items():
        print(line(name, table, judged, part))
    print("## F1 of finding unsupported answers: lexical support, containment, flag everything")
    label = table.of_rows("supported")
    for name in ("BEGIN", "CLAP NQ", "CLAP NQ, minimal edits"):
        at = parts[name]
        flags = (judged.probability[at] < 0.5, ~judged.contained_flag[at], np.ones(at.sum(), bool))
        print(f"- {name}: {', '.join(f'{f1(flag, ~label[at]):.3f}' for flag in flags)}")
    moved = judge(table, [begin, clapnq], [clapnq, begin])
    print(f"## Transfer: fitted on the other set\n{HEAD}")
    for name, part in parts.items():
        print(line(name, table, moved, part))
    print(f"## Leaving one generator out (fitted on the others and on CLAP NQ)\n{HEAD}")
    for name in generators:
        test = begin & (generator == name)
        sources = np.isin(table.of_rows("source"), table.of_rows("source")[test])
        for title, kept in (("", ~test), (", and its sources", ~test & ~sources)):
            judged_one = judge(table, [test], [kept])
            print(line(f"{name}{title}", table, judged_one, test))
    print(f"## Leaving one kind of edit out, sources apart\n{HEAD}")
    for each in KINDS:
        left = judge(table, tests, [fit & (kind != each) for fit in fits])
        print(line(each, table, left, human | (kind == each)))
    print("## Length: AUROC in cross-validation")
    for title, how in (
        ("as a control, then left out (shipped)", {}),
        ("not fitted at all", {"controlled": False}),
        ("learnt as a feature", {"learn": True}),
    ):
        other = judge(table, tests, fits, **how)
        cells = [
            f"{name} {auroc(other.score[part], table.of_rows('supported')[part]):.3f}"
            for name, part in parts.items()
            if name in ("BEGIN", "CLAP NQ", "CLAP NQ, minimal edits")
        ]
        print(f"- {title}: {', '.join(cells)}")
    print("## Calibration in cross-validation: probability said, share supported")
    for low in np.arange(0, 1, 0.2):
        for name in ("BEGIN", "CLAP NQ"):
            at = parts[name] & (judged.probability >= low) & (judged.probability < low + 0.2)
            share = table.of_rows("supported")[at].mean() if at.any() else float("nan")
            print(f"- {name} {low:.1f} to {low + 0.2:.1f}: {at.sum()} answers, {share:.2f}")


def verdicts(rows: Sequence[Row], model: Model) -> None:
    """Print how the changed or, in human answers, all claims are judged, by kind."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        found = lexical.support(row.answer, Evidence.of(row.passages), model)
        for claim in found.claims:
            if not any(claim.claim.text in k or k in claim.claim.text for k in row.kept):
                counts.setdefault(row.kind, Counter())[claim.verdict] += 1
    print("## Verdicts on claims (in sample)")
    for kind, count in counts.items():
        shares = ", ".join(f"{v} {count[v] / count.total():.2f}" for v in VERDICTS)
        print(f"- {kind}: {count.total()} claims, {shares}")


def generic(rows: Sequence[Row], model: Model) -> None:
    """Print how responses that say nothing checkable (BEGIN's Generic) come out."""
    rows = [row for row in rows if row.kind.endswith("Generic")]
    found = [lexical.support(row.answer, Evidence.of(row.passages), model) for row in rows]
    silent = sum(one.probability is None for one in found)
    low = sum(one.probability is not None and one.probability < 0.5 for one in found)
    print(f"## Generic responses: {len(rows)}, without a claim {silent}, below 0.5 {low}")


VERDICTS = (lexical.SUPPORTED, lexical.CONTRADICTED, lexical.NOT_FOUND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="store the model in the package")
    options = parser.parse_args()
    rows = begin_rows(options.data / "begin_wow_cmu") + clapnq_rows(options.data / "clapnq")
    table = Table.of(rows)
    print(f"{len(rows)} answers, {len(table.rows)} with a claim, {len(table.values)} claims")
    model = train(table, np.ones(len(table.rows), bool))
    counts = Counter(f"{row.data}: {'' if row.supported else 'un'}supported" for row in table.rows)
    provenance = {
        "script": "benchmarks/studies/train_support.py",
        "seed": SEED,
        "scikit_learn": sklearn.__version__,
        "penalty_C": PENALTY,
        "data_sha256": digests(options.data),
        "answers": dict(sorted(counts.items())),
        "calibrated_on": "the same answers, supported and unsupported ones with equal weight",
    }
    model = replace(_rounded(model), provenance=provenance)
    for name, coefficient in zip(model.features, model.coefficients, strict=True):
        print(f"- {name} {coefficient:+.3f}")
    if options.write:
        target = Path(lexical.__file__).parent / "lexical_model.json"
        target.write_text(model.as_json(), encoding="utf-8")
        print(f"wrote {target.name}")
    report(table)
    verdicts([row for row in rows if row.data == "clapnq"], model)
    generic(begin_rows(options.data / "begin_wow_cmu", generic=True), model)


def _rounded(model: Model) -> Model:
    """Six digits: more would differ between machines."""

    def short(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(round(value, 6) for value in values)

    return replace(
        model,
        means=short(model.means),
        scales=short(model.scales),
        coefficients=short(model.coefficients),
        intercept=round(model.intercept, 6),
        slope=round(model.slope, 6),
        offset=round(model.offset, 6),
    )


if __name__ == "__main__":
    main()
