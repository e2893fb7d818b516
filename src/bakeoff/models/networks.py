"""Networks of local models: read from a folder onto one device, or spread over several GPUs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError
from bakeoff.models.device import pick_device


def spread_over(device_map: str | None) -> int:
    """How many GPUs `device_map` spreads weights over; with one GPU or none it spreads none."""
    return max(1, torch.cuda.device_count()) if device_map else 1


def network_of(folder: Path, device_map: str | None, **given: Any) -> Any:
    """The network of a folder: on one device whole, or layer after layer on several GPUs.

    Raises `BakeoffError` where these hold only a part of it, and as `filled` does.
    """
    gpus = spread_over(device_map)
    if gpus > 1:
        given |= {"device_map": device_map}
    elif "quantization_config" in given:
        given |= {"device_map": {"": 0}}
    network = filled(AutoModelForCausalLM, folder, **given)
    if gpus > 1:
        require_room(network.hf_device_map, folder, gpus)
    return network if "device_map" in given else network.to(pick_device())


@contextmanager
def sizes_told() -> Iterator[None]:
    """Raises `ValueError` where tensors in a block have other sizes than their network."""
    try:
        yield
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise ValueError("tensors of its files have other sizes than config.json says") from error


def filled(kind: Any, folder: Path, **given: Any) -> Any:
    """A network of an auto class of transformers, of which every tensor was in the folder's files.

    Raises `ValueError` where some were not: transformers makes them up at random, and warns.
    """
    with sizes_told():
        network, found = kind.from_pretrained(folder, output_loading_info=True, **given)
    _require_all(found)
    return network


def require_filled(kind: Any, source: str, subfolder: str = "", unused: str = "") -> None:
    """Raise `ValueError` as `filled` does, for what another library has loaded from a source.

    The files are compared with the network without reading their tensors. Those whose names begin
    with `unused` may be lacking.
    """
    _, found = kind.from_pretrained(
        source, subfolder=subfolder, output_loading_info=True, device_map="meta"
    )
    _require_all(found, unused)


def _require_all(found: Mapping[str, Any], unused: str = "") -> None:
    lacking, others = (sorted(found[kind]) for kind in ("missing_keys", "unexpected_keys"))
    lacking = [name for name in lacking if not (unused and name.startswith(unused))]
    if lacking:
        raise ValueError(
            f"its files lack {quantity(len(lacking), 'tensor')}, such as {lacking[0]}, which would "
            "be random" + (f"; they have {others[0]}, which it does not know" if others else "")
        )


def require_room(places: Mapping[str, Any], folder: Path, gpus: int) -> None:
    """Raise `BakeoffError` where parts of a network have their place on no GPU.

    They would be copied to one for every token, and cannot be tuned.
    """
    if rest := [part for part, place in places.items() if place in ("cpu", "disk")]:
        raise BakeoffError(
            f"device_map: the {gpus} GPUs have no room for {len(rest)} of the {len(places)} parts "
            f"of {folder.name}, such as {rest[0]}; use quantize, more GPUs or a smaller model"
        )


def entry(network: Any) -> torch.device:
    """The device of the embeddings, where a network takes what it reads."""
    device: torch.device = network.get_input_embeddings().weight.device
    return device


def quantization(bits: str, dtype: str) -> Any:
    """How bitsandbytes is to hold the weights. Raises `BakeoffError` where it cannot."""
    if bits not in ("4bit", "8bit"):
        raise BakeoffError(f"quantize: '{bits}': write 4bit or 8bit")
    if pick_device() != "cuda":
        raise BakeoffError(f"quantize: {bits}: needs a GPU, and none is usable here")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BakeoffError(f"quantize: {bits}: needs a package: pip install bitsandbytes")
    if bits == "8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
