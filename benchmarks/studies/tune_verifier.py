"""Try the embedded language model, tuned to say yes or no, as a verifier beside the support score.

    python benchmarks/studies/tune_verifier.py --data DIR --cache DIR

DIR is laid out as `faithfulness_pool.py` says. The model reads the window that carries most of a
claim, then the claim, and says whether the one supports the other. It learns that as a setup with
`tune` learns, by adapters on the upper third of its layers, from claims that people judged and
claims made wrong by rules: so many for a fold, evenly of sets and labels. Folds as in
`train_verifier.py`: a fold's sets are scored by what was tuned on the other folds. The score is the
probability of "no" beside "yes". Adapters and scores are kept in the cache fold by fold, so that a
killed study goes on. Nothing is shipped.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from faithfulness_pool import CHECKED_ONLY, SEED, SETS, Labels, auroc, kept, read
from train_faithfulness import Table
from train_verifier import FOLDS, answers, beside, spans
from verifier_pairs import Pair, learnt_from, pairs_of

from bakeoff.core.progress import PlainProgress
from bakeoff.core.words import Decoding, Failure, Message
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.device import choose_dtype, limit_threads
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.runs.opened import Training
from bakeoff.setups.tuning.adapter import attach
from bakeoff.setups.tuning.batches import Example, Lessons, split
from bakeoff.setups.tuning.job import Job
from bakeoff.setups.tuning.train import tuned
from bakeoff.spec.recipes import Tune

PROMPT = """\
Does the text support the claim? Reply with yes or no.

Text: {window}

Claim: {claim}"""
YES_OR_NO = ("yes", "no")
CLAIM, WINDOW = 64, 160
"""Tokens that are read of each."""
LAYERS = 1 / 3
"""Share of the layers that get adapters."""
TOGETHER = 64
"""Claims of like length that are asked about together."""
LOOKED_AT = 100
"""Pairs that were learnt of which it is looked whether the model now tells them right."""
SUREST = 1e-6
"""The least probability: models report them with six digits."""


def as_read(model: LocalModel, pair: Pair) -> Pair:
    """As much of a pair as the model reads."""
    return replace(
        pair, claim=cut(model, pair.claim, CLAIM), window=cut(model, pair.window, WINDOW)
    )


def cut(model: LocalModel, text: str, most: int) -> str:
    """The first tokens of a text."""
    made = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return text[: max((end for _, end in made["offset_mapping"][:most]), default=0)]


def chat(pair: Pair) -> list[Message]:
    """What the model is asked. The question comes first: it is read once for many pairs."""
    return [{"role": "user", "content": PROMPT.format(window=pair.window, claim=pair.claim)}]


def word_of(pair: Pair) -> str:
    """What the model is to say."""
    return "yes" if pair.supported else "no"


def lesson(
    pairs: Sequence[Pair], data: Sequence[str], fold: Sequence[str], count: int, seed: int
) -> list[Pair]:
    """So many pairs of the other folds' sets, half of each label, of each set as many as of the
    next while there are some: supported ones, judged wrong ones and made wrong ones."""
    chance = random.Random(seed)
    learnt = learnt_from(pairs, data, set(SETS) - set(fold) - set(CHECKED_ONLY), chance)
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for place in learnt.judged:
        groups["judged", data[pairs[place].row]].append(pairs[place])
    for pair in learnt.made:
        groups["made", data[pair.row]].append(pair)
    labels = []
    for label in (True, False):
        mine = ([p for p in group if p.supported is label] for _, group in sorted(groups.items()))
        labels.append(in_turn([chance.sample(part, len(part)) for part in mine]))
    each = min(count // 2, *map(len, labels))
    chosen = [pair for part in labels for pair in part[:each]]
    return chance.sample(chosen, len(chosen))


def in_turn(parts: Sequence[Sequence[Pair]]) -> list[Pair]:
    """One of each, then the next of each, those that have ended left out."""
    return [pair for turn in zip_longest(*parts) for pair in turn if pair is not None]


def against(model: AdaptedModel, pairs: Sequence[Pair]) -> np.ndarray:
    """The logit against each claim: of "no" beside "yes"."""
    no = np.zeros(len(pairs))
    order = sorted(range(len(pairs)), key=lambda n: len(pairs[n].window) + len(pairs[n].claim))
    for start in range(0, len(order), TOGETHER):
        places = order[start : start + TOGETHER]
        chats = [chat(pairs[n]) for n in places]
        for place, made in model.generate(chats, Decoding(1, options=YES_OR_NO)):
            assert not isinstance(made, Failure) and made.confidence is not None, made
            no[places[place]] = made.confidence if made.text == "no" else 1 - made.confidence
    no = no.clip(SUREST, 1 - SUREST)
    return np.log(no / (1 - no))


def right(model: LocalModel, examples: Sequence[Example]) -> float:
    """The share of examples that the model tells right, with the adapter that is on."""
    said = model.generate([one.prompt for one in examples], Decoding(1, options=YES_OR_NO))
    words = [one.completion for one in examples]
    return float(np.mean([not isinstance(m, Failure) and m.text == words[n] for n, m in said]))


def told(took: Training, name: str) -> None:
    """Print pace and losses. An answer is a word and its end; the end soon costs nothing, so that
    the loss of a word is twice that of a token, and chance is .69."""
    pace = took.rows * (took.epochs or 0) / max(took.seconds, 0.01)
    print(f"{name}: {took.rows} pairs, {took.seconds:.0f} s, {pace:.1f} pairs a second")
    for at in took.curve:
        learnt, held_out = (2 * (loss or 0.0) for loss in (at.train_loss, at.validation_loss))
        print(f"  pass {at.epoch:g}: loss {learnt:.3f}, held out {held_out:.3f}")


@dataclass(frozen=True)
class Study:
    """All that decides what comes of a fold."""

    model: LocalModel
    """It is asked; what is tuned is another of its weights and number type."""
    pairs: Sequence[Pair]
    data: Sequence[str]
    """Of each row, its set."""
    cache: Path
    count: int
    """Pairs that are learnt from, for each fold."""
    epochs: int
    seed: int

    def tests(self, fold: Sequence[str]) -> list[int]:
        """The places of the claims of a fold's sets."""
        return [n for n, pair in enumerate(self.pairs) if self.data[pair.row] in fold]

    def untuned(self, fold: Sequence[str]) -> np.ndarray:
        """The logits against the claims of a fold, by the model as it is."""
        return self._asked(AdaptedModel(self.model), fold)

    def tuned(self, fold: Sequence[str]) -> np.ndarray:
        """The logits against the claims of a fold, by the model tuned on the other folds."""
        name = ", ".join(fold)
        pairs = lesson(self.pairs, self.data, fold, self.count, self.seed)
        lessons = Lessons([Example(self.model.render(chat(p)), word_of(p)) for p in pairs])
        recipe = Tune(layers=LAYERS, epochs=self.epochs)
        base = LocalModel(self.model.weights, self.model.dtype)
        job = Job(base, lessons, recipe, self.seed, name)
        adapter = tuned(job, self.cache, PlainProgress(print))
        attach(self.model, adapter)
        assert adapter.training
        told(adapter.training, name)
        with self.model.using(adapter.digest):
            parts = split(lessons, recipe.validation, self.seed)
            learnt, held_out = (right(self.model, part[:LOOKED_AT]) for part in parts)
        print(f"  right {learnt:.3f}, held out {held_out:.3f}", flush=True)
        return self._asked(AdaptedModel(self.model, adapter.digest), fold)

    def _asked(self, model: AdaptedModel, fold: Sequence[str]) -> np.ndarray:
        start = time.monotonic()
        pairs = [self.pairs[n] for n in self.tests(fold)]
        logits = against(model, pairs)
        seconds = time.monotonic() - start
        known = np.array([pair.supported is not None for pair in pairs])
        good = np.array([bool(pair.supported) for pair in pairs])
        value = auroc(-logits[known], good[known])
        print(f"  {len(pairs)} claims asked in {seconds:.0f} s, AUROC of judged ones {value:.3f}")
        return logits


def scored(study: Study, way: Callable[[Sequence[str]], np.ndarray], name: str) -> np.ndarray:
    """The features of every row; each fold's logits are kept."""
    logits = np.zeros(len(study.pairs))
    for number, fold in enumerate(FOLDS):
        logits[study.tests(fold)] = kept(study.cache, f"{name}-{number}", partial(way, fold))
    return answers(np.array([pair.row for pair in study.pairs]), logits, len(study.data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--most", type=int, default=150, help="answers of a set that are scored")
    parser.add_argument("--pairs", type=int, default=1200, help="learnt from, for each fold")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--untuned", action="store_true", help="measure the model as it is, too")
    given = parser.parse_args()
    start = time.monotonic()
    limit_threads()
    weights = resolve("embedded", Path.home() / ".cache" / "bakeoff")
    model = LocalModel(weights, choose_dtype("auto"))
    rows = read(given.data, given.most)
    pairs = [as_read(model, pair) for pair in pairs_of(rows, spans(given.data, rows))]
    print(f"{len(rows)} answers, {len(pairs)} claims, {model.dtype}", flush=True)
    data = [row.data for row in rows]
    study = Study(model, pairs, data, given.cache, given.pairs, given.epochs, given.seed)
    labels, lexical = Labels.of(rows), Table.of(rows).pooled()
    if given.untuned:
        seen = scored(study, study.untuned, f"untuned-{given.most}")
        beside(lexical, seen, "the untuned model alone", labels)
    name = f"yes-{given.most}-{given.pairs}-{given.epochs}-{given.seed}"
    beside(lexical, scored(study, study.tuned, name), "the tuned model alone", labels)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
