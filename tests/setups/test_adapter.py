"""Adapters on the embedded model: what is learnt, and the proof that an adapter acts."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import BakeoffError, Decoding
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.setups.tuning.adapter import attach, ready_adapter
from bakeoff.setups.tuning.batches import Example, validation_rows


@pytest.fixture
def adapter_copy(finished_run: Path, cache: Path, tmp_path: Path) -> Path:
    """A copy of a trained adapter that a test may damage."""
    digest = Run(finished_run).manifest.adapters["tiny/hybrid"].digest
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
        tensors[key.replace("layers.", "layers.9")] = tensors.pop(key)
    elif change == "shape":
        key = next(k for k in sorted(tensors) if "lora_A" in k)
        tensors[key] = torch.zeros(4, 7)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [("zero", "B matrices"), ("rename", "without a counterpart"), ("shape", "does not fit")],
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
    with fresh.using(adapter.digest):
        worn = fresh.timed(prompt, Decoding(12)).text
    with fresh.using(None):
        after = fresh.timed(prompt, Decoding(12)).text
    assert before == after != worn


def test_an_adapter_of_other_weights_is_refused(model: LocalModel, adapter_copy: Path) -> None:
    other = dataclasses.replace(model.weights, digest="0" * 16)
    (adapter_copy / "base.json").write_text(f'{{"weights": "{other.digest}"}}')
    with pytest.raises(BakeoffError, match="made for base weights 0000"):
        attach(model, ready_adapter(str(adapter_copy)))


def test_the_validation_rows_do_not_depend_on_the_order() -> None:
    examples = [Example(f"p{i}", f"a{i}") for i in range(40)]
    chosen = validation_rows(examples, 0.1, seed=3)
    assert len(chosen) == 4
    assert validation_rows(examples[::-1], 0.1, seed=3) == chosen


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"has no adapter_config\.json"):
        ready_adapter(str(tmp_path))
