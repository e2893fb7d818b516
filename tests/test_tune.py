"""Adapters on the embedded model: what is learnt, and the proof that an adapter acts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from bakeoff.core import BakeoffError, Decoding
from bakeoff.finished import Run
from bakeoff.models import LocalModel, resolve
from bakeoff.tune.adapter import attach, ready_adapter
from bakeoff.tune.batches import (
    Example,
    TokenBatches,
    collate,
    loss_on_answers,
    validation_rows,
)


@pytest.fixture
def adapter_copy(finished_run: Path, cache: Path, tmp_path: Path) -> Path:
    """A copy of a trained adapter that a test may damage."""
    digest = Run(finished_run).manifest["adapters"]["tiny/hybrid"]["digest"]
    shutil.copytree(cache / "adapters" / digest, tmp_path / "adapter")
    return tmp_path / "adapter"


def damage(folder: Path, change: str) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    if change == "zero":
        tensors = {k: t.zero_() if "lora_B" in k else t for k, t in tensors.items()}
    elif change == "amplify":
        tensors = {k: t * 60 if "lora_B" in k else t for k, t in tensors.items()}
    elif change == "rename":
        key = sorted(tensors)[0]
        tensors[key.replace("layers.0", "layers.99")] = tensors.pop(key)
    elif change == "shape":
        key = next(k for k in sorted(tensors) if "lora_A" in k)
        tensors[key] = torch.zeros(4, 7)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [("zero", "B matrices"), ("rename", "no counterpart"), ("shape", "does not fit")],
)
def test_an_adapter_that_does_not_act_or_fit_is_refused(
    cache: Path, adapter_copy: Path, change: str, message: str
) -> None:
    damage(adapter_copy, change)
    fresh = LocalModel(resolve("embedded", cache), "float32")
    with pytest.raises(BakeoffError, match=message):
        attach(fresh, ready_adapter(str(adapter_copy)))


def test_switching_an_adapter_off_gives_the_base_models_answer_back(
    cache: Path, adapter_copy: Path
) -> None:
    # One short epoch moves logits, not words: amplified, the adapter says something else.
    damage(adapter_copy, "amplify")
    fresh = LocalModel(resolve("embedded", cache), "float32")
    prompt = fresh.render([{"role": "user", "content": "How heavy is the barrow?"}])
    before = fresh.timed(prompt, Decoding(12)).text
    adapter = ready_adapter(str(adapter_copy))
    attach(fresh, adapter)
    with fresh.wearing(adapter.digest):
        worn = fresh.timed(prompt, Decoding(12)).text
    with fresh.wearing(None):
        after = fresh.timed(prompt, Decoding(12)).text
    assert before == after != worn


def test_an_adapter_of_other_weights_is_refused(model: LocalModel, adapter_copy: Path) -> None:
    other = dataclasses.replace(model.weights, digest="0" * 16)
    (adapter_copy / "base.json").write_text(f'{{"weights": "{other.digest}"}}')
    with pytest.raises(BakeoffError, match="made for base weights 0000"):
        attach(model, ready_adapter(str(adapter_copy)))


def test_the_loss_is_the_mean_over_the_answer_tokens_alone(model: LocalModel) -> None:
    """Against transformers' own loss, one unpadded row at a time."""
    rows = []
    for prompt, answer in (([5, 6, 7, 8], [9, 10]), ([11, 12], [13, 14, 15])):
        labels = [-100] * len(prompt) + answer
        rows.append({"input_ids": prompt + answer, "labels": labels, "length": len(labels)})
    with torch.no_grad():
        ours = float(loss_on_answers(model.network, collate(rows, pad=2)))
        total = sum(
            float(
                model.network(
                    input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])
                ).loss
            )
            * sum(label != -100 for label in row["labels"])
            for row in rows
        )
    assert ours == pytest.approx(total / 5, rel=1e-4)


def test_batches_are_padded_on_the_left() -> None:
    rows = [
        {"input_ids": [5, 6, 7], "labels": [-100, 6, 7], "length": 3},
        {"input_ids": [8], "labels": [8], "length": 1},
    ]
    batch = collate(rows, pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [0, 0, 8]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [-100, -100, 8]]


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=60),
    rows=st.integers(1, 8),
    tokens=st.integers(300, 900),
)
def test_batches_hold_every_row_once_within_both_bounds(
    lengths: list[int], rows: int, tokens: int
) -> None:
    batches = TokenBatches(lengths, rows, tokens, seed=1)
    first, second = list(batches), list(batches)
    for epoch in (first, second):
        assert sorted(i for batch in epoch for i in batch) == list(range(len(lengths)))
        for batch in epoch:
            assert len(batch) <= rows
            assert len(batch) * max(lengths[i] for i in batch) <= tokens
    assert list(TokenBatches(lengths, rows, tokens, seed=1)) == first


def test_the_validation_rows_do_not_depend_on_the_order() -> None:
    examples = [Example(f"p{i}", f"a{i}") for i in range(40)]
    chosen = validation_rows(examples, 0.1, seed=3)
    assert len(chosen) == 4
    assert validation_rows(examples[::-1], 0.1, seed=3) == chosen


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"has no adapter_config\.json"):
        ready_adapter(str(tmp_path))
