"""Adapters on disk, put on a model and proved to act."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import peft
import torch
from safetensors import safe_open

from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError, digest
from bakeoff.models.local import LocalModel
from bakeoff.models.networks import entry
from bakeoff.models.weights import Weights
from bakeoff.runs.opened import Training
from bakeoff.setups.tuning.foreign import own_template, refuse_added_tokens

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PROOF_PROMPT = "Which form do I need?"


@dataclass(frozen=True)
class Adapter:
    """Tuned weights on disk, named by the digest of everything that made them."""

    digest: str
    folder: Path
    training: Training | None
    """`None` for an adapter that was not trained here."""
    reused: bool

    @property
    def whole(self) -> bool:
        """Whether these are all weights of a network, not an adapter beside them."""
        return not (self.folder / CONFIG).is_file()


def ready_adapter(reference: str) -> Adapter:
    """The adapter that `hf:ORG/NAME` or a folder names. Raises `BakeoffError`."""
    if reference.startswith("hf:"):
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(reference.removeprefix("hf:")))
        except Exception as error:  # the hub client raises many unrelated types
            raise BakeoffError(f"adapter '{reference}': {type(error).__name__}: {error}") from error
    else:
        folder = Path(reference).expanduser()
    config = folder / CONFIG
    if not config.is_file():
        raise BakeoffError(f"adapter '{reference}': {folder} has no {CONFIG}")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BakeoffError(f"adapter '{reference}': {folder} has no {WEIGHTS}")
    return Adapter(digest(config.read_bytes() + weights.read_bytes()), folder, None, reused=True)


def attach(model: LocalModel, adapter: Adapter) -> None:
    """Put the adapter on the model, switched off, and prove that it acts.

    Raises `BakeoffError` when it was made for other weights, when its keys do not match, when
    it changes nothing, or when switching it off does not give the base model back.
    """
    if adapter.digest in model.adapters:
        return
    made_for = adapter.folder / "base.json"
    if made_for.is_file():
        weights = json.loads(made_for.read_text())["weights"]
        if weights != model.weights.digest:
            raise BakeoffError(
                f"adapter {adapter.folder}: made for base weights {weights}, "
                f"but '{model.weights.reference}' has {model.weights.digest}"
            )
    refuse_added_tokens(model, adapter.folder, adapter.folder / WEIGHTS)
    with model.using(None):
        before = _probe(model)
    name = f"a{adapter.digest}"
    _load(model, adapter, name)
    model.adapters[adapter.digest] = name
    if template := own_template(model, adapter.folder):
        model.templates[adapter.digest] = replace(model.template, source=template)
    with model.using(None):
        if not torch.equal(before, _probe(model)):
            raise BakeoffError(f"adapter {adapter.folder}: the base model changed under it")
    with model.using(adapter.digest):
        if torch.equal(before, _probe(model)):
            raise BakeoffError(f"adapter {adapter.folder}: it changes nothing (logits are equal)")


def whole_model(model: LocalModel, tuned: Adapter) -> LocalModel:
    """The network whose weights were all trained, proved to answer otherwise than its base.

    Raises `BakeoffError` when training changed nothing.
    """
    weights = Weights(f"{model.weights.reference} ({tuned.digest})", tuned.folder, tuned.digest)
    how = (model.batch_tokens, model.quantize, model.device_map)
    loaded = LocalModel(weights, model.dtype, *how)
    with model.using(None):
        if torch.equal(_probe(model), _probe(loaded)):
            raise BakeoffError(f"weights {tuned.folder}: they change nothing (logits are equal)")
    return loaded


def _load(model: LocalModel, adapter: Adapter, name: str) -> None:
    try:
        if isinstance(model.network, peft.PeftModel):
            model.network.load_adapter(str(adapter.folder), name, autocast_adapter_dtype=False)
        else:
            model.network = peft.PeftModel.from_pretrained(
                model.network, str(adapter.folder), name, autocast_adapter_dtype=False
            )
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unfit(adapter, model, reason) from error
    model.network.eval()
    mine = {n: p for n, p in model.network.named_parameters() if name in n.split(".")}
    with safe_open(adapter.folder / WEIGHTS, "pt") as file:
        stored = set(file.keys())
    # peft leaves out what does not match, with a warning at most.
    if odd := sorted(stored ^ {_stored_as(key, name) for key in mine}):
        raise _unfit(
            adapter, model, f"without a counterpart: {quantity(len(odd), 'key')}, such as {odd[0]}"
        )
    if not any(bool(p.any()) for key, p in mine.items() if "lora_B" in key):
        raise BakeoffError(f"adapter {adapter.folder}: its B matrices are all zero or missing")


def _stored_as(key: str, name: str) -> str:
    """How peft writes the name of a parameter: of a module that is trained whole by its own name,
    of DoRA's magnitudes without `weight`."""
    plain = f"{key}.".replace(f".modules_to_save.{name}.", ".").replace(f".{name}.", ".")[:-1]
    return plain.removesuffix(".weight") if "lora_magnitude_vector" in plain else plain


def _unfit(adapter: Adapter, model: LocalModel, reason: str) -> BakeoffError:
    return BakeoffError(
        f"adapter {adapter.folder}: does not fit '{model.weights.reference}': {reason}"
    )


@torch.inference_mode()
def _probe(model: LocalModel) -> torch.Tensor:
    text = model.render([{"role": "user", "content": PROOF_PROMPT}])
    ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    logits: torch.Tensor = model.network(ids.to(entry(model.network))).logits[0, -1].float().cpu()
    return logits
