"""What the study of a cross-encoder reads: which tokens are the claim's, and which are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train_cross_encoder import CrossEncoder, batches, loss_of, marked
from verifier_pairs import Pair

PAIRS = [
    Pair(0, "It was built in 1872.", "The mill was built in 1871.", False, ((16, 20),)),
    Pair(0, "Anna Berg runs it.", "Anna Berg runs the mill by the river Orlow.", True, ()),
    Pair(1, "Zebras painted giraffes.", "The mill was built in 1871.", False, None),
]


@pytest.fixture(scope="module")
def model(cache: Path) -> CrossEncoder:
    torch.manual_seed(3)
    return CrossEncoder(cache).eval()


def test_the_claims_tokens_alone_count_and_the_wrong_ones_are_marked(model: CrossEncoder) -> None:
    batch = model.read(PAIRS)
    ids = batch.texts["input_ids"]
    claims = [model.tokenizer.decode(row[mine]) for row, mine in zip(ids, batch.mine, strict=True)]
    assert claims == [pair.claim.lower() for pair in PAIRS]
    assert model.tokenizer.decode(ids[0][batch.wrong[0] == 1]) == "1872"
    assert set(batch.wrong[1][batch.mine[1]].tolist()) == {0.0}, "a supported claim has none"
    assert set(batch.wrong[2].tolist()) == {-1.0}, "where it is wrong is not known"
    assert batch.bad.tolist() == [1.0, 0.0, 1.0]
    assert (batch.wrong[~batch.mine] == -1).all()


def test_marks_say_what_the_window_has_of_a_claim() -> None:
    """Claim 5 6 7 9, window 6 7 8 9: 7 and 9 do not follow each other there."""
    mine = torch.tensor([True] * 4 + [False] * 4)
    assert marked(torch.tensor([5, 6, 7, 9, 6, 7, 8, 9]), mine).tolist() == [1, 3, 3, 2, 0, 0, 0, 0]
    assert marked(torch.tensor([6, 7, 8, 4, 6, 7, 8, 9]), mine).tolist() == [3, 4, 3, 1, 0, 0, 0, 0]


def test_what_stands_in_the_window_and_the_padding_says_nothing_by_itself(
    model: CrossEncoder,
) -> None:
    with torch.no_grad():
        batch = model.read(PAIRS)
        logits = model(batch)
    assert (logits[~batch.mine] == -1e4).all() and (logits[batch.mine] > -1e3).all()
    assert torch.isfinite(loss_of(logits, batch))


def test_one_wrong_token_is_enough(model: CrossEncoder) -> None:
    batch = model.read(PAIRS[1:2])
    sure = torch.full(batch.mine.shape, -1e4).masked_fill(batch.mine, -8.0)
    doubtful = sure.clone()
    doubtful[0, int(batch.mine[0].nonzero()[0])] = 8.0
    assert loss_of(sure, batch) < 0.05 < 1 < loss_of(doubtful, batch)


def test_a_long_claim_is_cut_and_every_pair_is_in_one_batch(model: CrossEncoder) -> None:
    assert model.cut("short") == "short"
    long = " ".join(f"word{n}" for n in range(200))
    assert long.startswith(model.cut(long)) and len(model.cut(long)) < len(long) / 2
    pairs = PAIRS * 30
    assert sorted(n for part in batches(pairs, range(90)) for n in part) == list(range(90))
