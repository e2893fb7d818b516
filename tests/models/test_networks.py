"""Networks whose layers lie on different devices answer and learn as those on one.

Machines of tests have one GPU at most: a part of the layers is left on the disk instead. These
weights are then moved by the same hooks of accelerate that move states between GPUs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from transformers import AutoModelForCausalLM

from bakeoff.core.words import BakeoffError, Decoding
from bakeoff.models import local
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.models.networks import require_room
from bakeoff.models.weights import resolve
from bakeoff.setups.tuning import trainer
from bakeoff.setups.tuning.adapter import attach
from bakeoff.setups.tuning.batches import Example, Lessons
from bakeoff.setups.tuning.job import Job
from bakeoff.setups.tuning.train import tuned
from bakeoff.spec.benchmark import Suite
from families import FAMILIES
from small_training import Silent, inputs, network, recipe, weights

pytestmark = pytest.mark.usefixtures("one_thread")
QUESTIONS = ["What is it?", "Name a colour.", "Which gate opens first in the morning?", "Hello"]
OPTIONS = ("Paris", "Paris is", "blue", "Blue")
PARTS = ["embed_tokens", "layers.0", "layers.1", "layers.2", "layers.3", "norm", "rotary_emb"]
ON_DISK = {"model.layers.0", "model.layers.1"}
"""No adapter is put on them: adapters are of the upper half."""
SPLIT = dict.fromkeys((*(f"model.{part}" for part in PARTS), "lm_head"), "cpu")


@pytest.fixture(autouse=True)
def _usual_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights on a disk are not reordered, and reordered ones may round otherwise in bfloat16."""
    monkeypatch.setattr(local, "reorder", lambda network: None)


def loaded(folder: Path, dtype: str = "float32", device_map: str | None = None) -> LocalModel:
    return LocalModel(resolve(str(folder), folder), dtype, device_map=device_map)


def split(folder: Path, dtype: str, offload: Path) -> LocalModel:
    """The model of a folder with some layers on the disk."""
    model = loaded(folder, dtype)
    places = SPLIT | dict.fromkeys(ON_DISK, "disk")
    given = {"dtype": getattr(torch, dtype), "device_map": places, "offload_folder": str(offload)}
    model.network = AutoModelForCausalLM.from_pretrained(folder, **given).eval()
    away = [name for name, part in model.network.named_parameters() if part.is_meta]
    assert away and {name[:14] for name in away} == ON_DISK
    # With it peft would place all layers anew.
    del model.network.hf_device_map
    return model


def said(model: LocalModel, adapter: str | None = None) -> list[Any]:
    """Answers, and options chosen, with their confidences."""
    asked = AdaptedModel(model, adapter)
    chats = [[{"role": "user", "content": question}] for question in QUESTIONS]
    done = [
        dict(asked.generate(chats, decoding))
        for decoding in (Decoding(8), Decoding(8, options=OPTIONS))
    ]
    drawn = dict(asked.generate(chats, Decoding(8, temperature=1.0, seed=3)))
    answers = [part[index] for part in (*done, drawn) for index in range(len(chats))]
    return [(answer, answer.confidence) for answer in answers]


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="weights are spread here")
def test_with_one_gpu_or_none_auto_is_as_without(tmp_path: Path) -> None:
    folder = FAMILIES["llama3"].write(tmp_path / "model")
    plain, auto = loaded(folder), loaded(folder, device_map="auto")
    assert said(auto) == said(plain)
    assert auto.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize(
    ("family", "dtype"), [("llama3", "float32"), ("gemma2", "float32"), ("qwen2", "bfloat16")]
)
def test_a_network_with_layers_elsewhere_answers_as_the_whole(
    family: str, dtype: str, tmp_path: Path
) -> None:
    """With an adapter too, which is proved to act, and behind it without."""
    folder = FAMILIES[family].write(tmp_path / family)
    plain, apart = loaded(folder, dtype), split(folder, dtype, tmp_path / "offload")
    before = said(plain)
    assert said(apart) == before
    prompts = [plain.render([{"role": "user", "content": question}]) for question in QUESTIONS]
    rows = [Example(prompt, "ok") for prompt in prompts]
    chosen = recipe(epochs=6, patience=6, rank=8, alpha=16, dropout=0.0, learning_rate=2e-2)
    adapter = tuned(Job(plain, Lessons(rows[:3], rows[3:]), chosen, 7, "x"), tmp_path, Silent())
    for model in (plain, apart):
        attach(model, adapter)
    after = said(plain, adapter.digest)
    assert said(apart, adapter.digest) == after != before
    assert said(apart) == before


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_network_in_parts_is_trained_in_place(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network().save_pretrained(tmp_path / "base")
    given = inputs(tmp_path / "base", recipe(method=method, learning_rate=1e-3))
    whole = trainer.train(given, tmp_path / "whole", Silent())
    usual = trainer.network_of

    def in_parts(*where: Any, **how: Any) -> Any:
        return dispatch_model(usual(*where, **how), dict(SPLIT), force_hooks=True)

    monkeypatch.setattr(trainer, "network_of", in_parts)
    parts = trainer.train(given, tmp_path / "parts", Silent())
    assert parts.curve == whole.curve
    left, right = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)


def test_several_gpus_are_part_of_what_answers_are_kept_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FAMILIES["llama3"].write(tmp_path / "model")
    plain, auto = loaded(folder), loaded(folder, device_map="auto")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert "device_map" not in plain.fingerprint()
    assert auto.fingerprint() == {**plain.fingerprint(), "device_map": "auto over 2 GPUs"}


def test_what_several_gpus_cannot_hold_is_refused() -> None:
    places = {"model.embed_tokens": 0, "model.layers.0": 1, "model.layers.1": "cpu"}
    with pytest.raises(
        BakeoffError, match=r"no room for 1 of the 3 parts of m, such as model\.lay"
    ):
        require_room(places, Path("m"), 2)


def test_processes_that_hold_a_part_each_go_with_spread_networks() -> None:
    setups = {"a": {"tune": {"method": "full", "processes": 2}}}
    suite = Suite.model_validate({"device_map": "auto", "tasks": ["qa"], "setups": setups})
    assert suite.device_map == "auto"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"setups": {"a": {"tune": {"processes": 2}}}}, r"setups\.a\.tune\.processes: each proc"),
        (
            {"tasks": {"qa": {"tune": {"processes": 2}}}, "setups": {"a": {"tune": True}}},
            r"setups\.a\.tune\.processes: each process has one GPU",
        ),
        ({"engine": "vllm", "setups": {"a": {}}}, "device_map: is for models in this process"),
        ({"device_map": "balanced", "setups": {"a": {}}}, "Input should be 'auto'"),
    ],
)
def test_what_does_not_go_with_spread_networks_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Suite.model_validate({"device_map": "auto", "tasks": ["qa"], **fields})
