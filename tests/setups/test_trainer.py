"""Training on small random networks: what is packed, what is kept, and what a kill leaves."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError
from bakeoff.setups.tuning import trainer
from bakeoff.setups.tuning.batches import Packs, Row, pack, start_of_all
from bakeoff.setups.tuning.layers import Cut, PackedRows, first_tuned
from bakeoff.setups.tuning.ranks import Ranks
from bakeoff.setups.tuning.trainer import train
from bakeoff.spec.recipes import Tune
from small_training import HELD_OUT, ROWS, Silent, alone, inputs, network, recipe, weights


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folder of a small network."""
    folder = tmp_path / "weights"
    network().save_pretrained(folder)
    return folder


def packs(rows: list[Row], shared: int) -> Packs:
    return Packs([len(row.tokens) for row in rows], 16, 1000, shared, seed=1)


def test_rows_stand_side_by_side_behind_what_they_share() -> None:
    packed = pack([Row([5, 6, 20, 1], 3), Row([5, 6, 30, 31, 1], 2)], shared=2)
    assert packed.tokens.tolist() == [[5, 6, 20, 1, 30, 31, 1]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    # 1 follows 20; 30 follows the shared 6, then 31 follows 30 and 1 follows 31.
    assert packed.asked.tolist() == [2, 1, 4, 5]
    assert packed.targets.tolist() == [1, 30, 31, 1]
    assert packed.lengths == (2, 2, 3)


def test_what_rows_share_leaves_each_a_token_of_its_own() -> None:
    assert start_of_all(ROWS) == 3
    assert start_of_all([Row([5, 6, 7], 1), Row([5, 6, 7, 8], 1)]) == 2
    assert start_of_all([Row([5, 6], 1)]) == 1
    assert start_of_all([Row([5, 6], 1), Row([6, 6], 1)]) == 0


@pytest.mark.parametrize("shared", [0, 3])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_loss_and_gradients_of_a_pack_are_those_of_its_rows_alone(
    share: float, shared: int, base: Path
) -> None:
    recipe = Tune(layers=share, rank=4, alpha=8)
    transformers.set_seed(1)
    net = trainer.fresh_network(base, "float32", recipe)
    # B matrices are zero at first, and nothing would reach A.
    for name, part in net.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(part, std=0.1)
    adapted = [name for name, part in net.named_parameters() if part.requires_grad]
    lowest = first_tuned(4, share)
    assert {int(n.split("layers.")[1].split(".")[0]) for n in adapted} == set(range(lowest, 4))
    expected = alone(net, ROWS)
    expected.backward()
    gradients = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    cut = Cut(net, lowest, ROWS)
    assert cut.first == lowest
    rows = PackedRows(cut, ROWS, packs(ROWS, shared))
    rows.keep("", Silent())
    inputs = rows.inputs(range(len(ROWS)))
    assert ("below" in inputs) == bool(lowest)
    loss = rows.loss(inputs)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert set(gradients) == set(adapted)
    for name, part in net.named_parameters():
        if name in gradients:
            torch.testing.assert_close(part.grad, gradients[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("size", [2, 4])
def test_the_parts_of_several_processes_add_up_to_the_whole_pack(size: int) -> None:
    """Loss and gradients; of three rows the last of four processes has none."""
    net = network()
    cut = Cut(net, 2, ROWS)
    chosen = [0, 2, 4]
    whole = PackedRows(cut, ROWS, packs(ROWS, 3))
    loss = whole.loss(whole.inputs(chosen))
    loss.backward()
    # Below the cut nothing has a gradient.
    expected = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    added, rows = 0.0, 0
    for rank in range(size):
        part = PackedRows(cut, ROWS, packs(ROWS, 3), Ranks(rank, size))
        mine = part.inputs(chosen)
        assert (mine["learnt"], mine["row_tokens"]) == (7, 22)
        assert ("tokens" in mine) == (rank < 3)
        if "tokens" in mine:
            rows += len(mine["lengths"]) - 1
            share = part.loss(mine)
            share.backward()
            added += share.item()
    assert rows == 3
    assert added == pytest.approx(loss.item(), rel=1e-5)
    for name, part_ in net.named_parameters():
        if name in expected:
            torch.testing.assert_close(part_.grad, expected[name], rtol=1e-3, atol=1e-6)


def test_what_is_too_large_to_keep_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bakeoff.setups.tuning.layers.KEPT_BYTES", 100)
    net = network()
    rows = PackedRows(Cut(net, 2, ROWS), ROWS, packs(ROWS, 3))
    rows.keep("", Silent())
    inputs = rows.inputs([0, 1, 2, 3, 4, 5])
    assert "below" not in inputs
    assert rows.loss(inputs).item() == pytest.approx(alone(net, ROWS).item(), rel=1e-5)


def test_a_network_that_scales_its_embeddings_is_not_cut() -> None:
    net = network("Granite", embedding_multiplier=12.0)
    cut = Cut(net, 2, ROWS)
    assert cut.first == 0
    rows = PackedRows(cut, ROWS, packs(ROWS, 3))
    loss = rows.loss(rows.inputs([0, 1, 2, 3, 4, 5]))
    assert loss.item() == pytest.approx(alone(net, ROWS).item(), rel=1e-5)


@pytest.mark.parametrize("shared", [0, 3])
def test_a_row_in_a_pack_sees_as_far_back_as_a_sliding_window(shared: int) -> None:
    net = network("Mistral", sliding_window=2)
    cut = Cut(net, 2, ROWS)
    assert cut.first == 2
    rows = PackedRows(cut, ROWS, packs(ROWS, shared))
    loss = rows.loss(rows.inputs([0, 1, 2, 3, 4, 5]))
    assert loss.item() == pytest.approx(alone(net, ROWS).item(), rel=1e-5)


def test_a_network_that_reads_packed_rows_otherwise_is_refused() -> None:
    with pytest.raises(BakeoffError, match="gpt_oss models cannot be tuned here"):
        Cut(network("GptOss"), 2, ROWS)


@given(
    lengths=st.lists(st.integers(11, 300), min_size=1, max_size=40),
    rows=st.integers(1, 8),
    tokens=st.integers(50, 900),
    shared=st.integers(0, 10),
)
@settings(max_examples=60)
def test_packs_hold_every_row_once_within_both_bounds(
    lengths: list[int], rows: int, tokens: int, shared: int
) -> None:
    packs = Packs(lengths, rows, tokens, shared, seed=1)
    first = list(packs)
    packs.epoch = 1
    second = list(packs)
    for epoch in (first, second):
        assert len(epoch) == len(packs)
        assert sorted(i for batch in epoch for i in batch) == list(range(len(lengths)))
        for batch in epoch:
            assert len(batch) <= rows
            size = shared + sum(lengths[i] - shared for i in batch)
            assert size <= tokens or len(batch) == 1
    packs.epoch = 0
    assert list(packs) == first


@pytest.mark.slow
@pytest.mark.parametrize("every_step", [False, True])
def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_step: bool
) -> None:
    whole = train(inputs(base, recipe()), tmp_path / "whole", Silent())
    if every_step:
        monkeypatch.setattr(trainer, "CHECKPOINT_S", 0.0)
    # Three steps make an epoch: this is the middle of the second.
    with pytest.raises(KeyboardInterrupt):
        train(inputs(base, recipe()), tmp_path / "killed", Silent(stop_after=5))
    progress = Silent()
    again = train(inputs(base, recipe()), tmp_path / "killed", progress)
    assert progress.notes == [f"x: training resumes at checkpoint-{4 if every_step else 3}"]
    left, right = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert again.curve == whole.curve
    assert (again.epochs, again.tokens, again.best_epoch) == (3.0, 123, whole.best_epoch)


class Timed(Silent):
    """Progress with a clock of its own: 0.05 s before the first step, and 0.02 s after each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> None:
        super().__init__(stop_after)
        self.now = 0.0
        clock = SimpleNamespace(perf_counter=lambda: self.now, monotonic=time.monotonic)
        monkeypatch.setattr(trainer, "time", clock)

    def start(self, unit: str, total: int | None = None) -> None:
        super().start(unit, total)
        self.now = 0.05 if self.training else 0.0

    def advance(self, count: int = 1, figures: str = "") -> None:
        super().advance(count, figures)
        self.now += 0.02 if self.training else 0.0


def test_progress_tells_the_pace_of_the_training_and_the_mean_loss_of_the_epoch(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The six rows have 41 tokens, in three steps; what they share is counted in each."""
    progress = Timed(monkeypatch)
    made = train(inputs(base, recipe()), tmp_path / "whole", progress)
    # At the ends of epochs: 41 / 0.09, 82 / 0.15 and 123 / 0.21.
    losses = [f"mean loss {point.train_loss:.3f}" for point in made.curve]
    paces = ["456 tokens/s", "547 tokens/s", "586 tokens/s"]
    assert progress.figures[2::3] == [", ".join(pair) for pair in zip(losses, paces, strict=True)]
    assert made.tokens == 123
    # Stopped in the fifth step, and resumed behind the fourth with the loss of that.
    monkeypatch.setattr(trainer, "CHECKPOINT_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(inputs(base, recipe()), tmp_path / "killed", Timed(monkeypatch, stop_after=5))
    resumed = Timed(monkeypatch)
    train(inputs(base, recipe()), tmp_path / "killed", resumed)
    assert len(resumed.figures) == 5
    assert resumed.figures[1].startswith(losses[1] + ", ")
    assert resumed.figures[4].startswith(losses[2] + ", ")


def test_a_checkpoint_that_was_cut_short_is_not_used(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    with pytest.raises(KeyboardInterrupt):
        train(inputs(base, recipe()), folder, Silent(stop_after=8))
    assert (folder / "checkpoints" / "checkpoint-6" / "trainer_state.json").is_file()
    (folder / "checkpoints" / "checkpoint-6" / "trainer_state.json").unlink()
    progress = Silent()
    train(inputs(base, recipe()), folder, progress)
    assert all("checkpoint-6" not in note for note in progress.notes)


def test_the_epoch_with_the_lowest_validation_loss_is_kept(base: Path, tmp_path: Path) -> None:
    # So high a rate that later epochs are worse.
    wild = recipe(learning_rate=0.5, epochs=4, patience=4, dropout=0.0)
    made = train(inputs(base, wild), tmp_path / "wild", Silent())
    losses = {point.epoch: point.validation_loss for point in made.curve}
    assert made.best_epoch == min(losses, key=losses.__getitem__)
    net = trainer.fresh_network(base, "float32", wild)
    net.load_adapter(str(tmp_path / "wild" / "adapter"), "kept")
    net.set_adapter("kept")
    found = alone(net.eval(), HELD_OUT).item()
    assert found == pytest.approx(min(losses.values()), abs=1e-4)


def test_progress_is_a_protocol_that_the_fake_keeps() -> None:
    watched: Progress = Silent()
    watched.note("said")
