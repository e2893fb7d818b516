"""What the study of a tuned language model asks, what it learns from, and what it keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from faithfulness_pool import CHECKED_ONLY, SETS
from train_verifier import FOLDS
from tune_verifier import CLAIM, WINDOW, Study, against, as_read, chat, lesson, scored
from verifier_pairs import Pair

from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel

PAIRS = [
    Pair(0, "It was built in 1872.", "The mill was built in 1871.", False, ((16, 20),)),
    Pair(0, "Anna Berg runs it.", "Anna Berg runs the mill by the river Orlow.", True, ()),
]
FOLD = FOLDS[1]


def test_the_question_is_the_same_for_all_pairs_and_the_texts_stand_whole_behind_it(
    model: LocalModel,
) -> None:
    assert [as_read(model, pair) for pair in PAIRS] == PAIRS, "short texts stay as they are"
    one, other = (model.render(chat(pair)) for pair in PAIRS)
    assert one.index("yes or no") < one.index(PAIRS[0].window) < one.index(PAIRS[0].claim)
    shared = one[: one.index(PAIRS[0].window)]
    assert other.startswith(shared)


def test_long_texts_are_cut_to_so_many_tokens(model: LocalModel) -> None:
    words = " ".join(f"word{n}" for n in range(300))
    pair = as_read(model, Pair(0, words, f"The {words}", True, ()))
    assert (model.count(pair.claim), model.count(pair.window)) == (CLAIM, WINDOW)
    assert words.startswith(pair.claim) and f"The {words}".startswith(pair.window)
    assert as_read(model, Pair(0, "It is old.", "", True, ())).window == ""


def test_the_score_is_what_the_network_gives_to_no_beside_yes(model: LocalModel) -> None:
    found = against(AdaptedModel(model), PAIRS)
    for pair, value in zip(PAIRS, found, strict=True):
        prompt = model.encode(model.render(chat(pair)))
        chance = {}
        for word in ("yes", "no"):
            ids = [*prompt, *model.encode(word), model.end_of_answer]
            with torch.no_grad():
                logits = model.network(torch.tensor([ids])).logits[0].log_softmax(-1)
            places = range(len(prompt), len(ids))
            chance[word] = sum(float(logits[place - 1, ids[place]]) for place in places)
        assert value == pytest.approx(chance["no"] - chance["yes"], abs=0.01)


def known(each: int) -> tuple[list[Pair], list[str]]:
    """Pairs of every set: of the first one few, and of each label as many but for that."""
    data = [name for name in SETS for _ in range(2)]
    pairs = []
    for row, name in enumerate(data):
        for n in range(3 if name == SETS[0] else each):
            claim = f"{name} built {n} mills in {1800 + n} and was not asked."
            pairs.append(Pair(row, claim, f"A window of {name}, number {n}.", row % 2 == 0, ()))
    return pairs, data


def test_a_lesson_has_as_many_of_each_label_and_set_as_there_are() -> None:
    pairs, data = known(40)
    chosen = lesson(pairs, data, FOLD, 200, 5)
    assert Counter(pair.supported for pair in chosen) == {True: 100, False: 100}
    sets = set(SETS) - set(FOLD) - set(CHECKED_ONLY)
    for label in (True, False):
        counts = Counter(data[pair.row] for pair in chosen if pair.supported is label)
        assert set(counts) == sets
        few = counts.pop(SETS[0])
        assert few < min(counts.values())
        assert max(counts.values()) - min(counts.values()) <= 2
    assert any(pair not in pairs for pair in chosen), "some are made wrong"
    assert chosen == lesson(pairs, data, FOLD, 200, 5) != lesson(pairs, data, FOLD, 200, 6)


def test_a_lesson_of_few_pairs_has_both_labels_alike() -> None:
    pairs, data = known(1)
    chosen = lesson(pairs, data, FOLD, 1000, 5)
    counts = Counter(pair.supported for pair in chosen)
    assert counts[True] == counts[False] > 0


def test_folds_that_are_kept_are_not_made_again(model: LocalModel, tmp_path: Path) -> None:
    pairs, data = known(1)
    study = Study(model, pairs, data, tmp_path, 10, 1, 5)
    made: list[Sequence[str]] = []

    def way(fold: Sequence[str]) -> np.ndarray:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(fold)
        return np.full(len(study.tests(fold)), float(FOLDS.index(tuple(fold))))

    with pytest.raises(KeyboardInterrupt):
        scored(study, way, "x")
    first, made = made, []
    seen = scored(study, way, "x")
    assert [*first, *made] == list(FOLDS)
    number = [next(n for n, fold in enumerate(FOLDS) if name in fold) for name in data]
    assert seen[:, 0] == pytest.approx(1 / (1 + np.exp(-np.array(number))))
