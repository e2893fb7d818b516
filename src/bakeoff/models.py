"""Local language models: references resolved, weights loaded once, greedy batched generation.

The one door to torch and transformers for generation.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from bakeoff import embedded
from bakeoff.core import (
    BakeoffError,
    Decoding,
    Failure,
    Generation,
    Message,
    Sending,
    digest,
    sha256_file,
    unwatched,
)

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


def resolve(reference: str, cache: Path) -> Weights:
    """The weights that `embedded`, `hf:ORG/NAME[@REV]`, a folder or a `.gguf` file names.

    Raises `BakeoffError` when the reference leads nowhere.
    """
    if reference == "embedded":
        gguf = embedded.folder(embedded.GENERATOR, cache) / embedded.GENERATOR.checked
        return _converted(reference, gguf, cache)
    if reference.startswith("hf:"):
        return _from_hub(reference)
    path = Path(reference).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return _converted(reference, path, cache)
    if path.is_dir() and (path / "config.json").is_file():
        return Weights(reference, path, _folder_digest(path))
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


def _folder_digest(folder: Path) -> str:
    kinds = (".safetensors", ".bin", ".json", ".model", ".jinja")
    files = sorted(f for f in folder.iterdir() if f.suffix in kinds)
    return digest([[f.name, sha256_file(f)] for f in files])


def _converted(reference: str, gguf: Path, cache: Path) -> Weights:
    """A safetensors copy of a GGUF file: it loads 20 times faster and can be trained."""
    with gguf.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise BakeoffError(f"model '{reference}': {gguf.name} is no GGUF file (bad magic)")
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
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    loaded = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    config = loaded.config
    # A GGUF-loaded model is marked as quantised and can be neither saved nor trained.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.generation_config = loaded.generation_config
    fresh.save_pretrained(target)
    tokenizer.save_pretrained(target)


def pick_device() -> str:
    """`cuda` where a GPU is usable, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def native_dtypes() -> dict[str, bool]:
    """For each dtype, whether this machine computes in it natively (else it is emulated)."""
    if torch.cuda.is_available():
        return {"float32": True, "bfloat16": torch.cuda.is_bf16_supported(), "float16": True}
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return {"float32": True, "bfloat16": "avx512_bf16" in flags, "float16": "avx512_fp16" in flags}


class LocalModel:
    """Weights in memory once; adapters are attached to them and switched on and off."""

    def __init__(self, weights: Weights, dtype: str, batch_tokens: int = 8192) -> None:
        self.weights = weights
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        """Padded tokens in one generation batch, prompt and answer."""
        self.device = pick_device()
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(weights.folder)
            self.network: Any = AutoModelForCausalLM.from_pretrained(
                weights.folder, dtype=getattr(torch, dtype)
            )
        except (OSError, ValueError) as error:
            raise BakeoffError(f"model '{weights.reference}': cannot be loaded: {error}") from error
        self.network = self.network.to(self.device).eval()
        # Right padding makes decoder-only models answer from the padding.
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if self.tokenizer.chat_template is None:
            raise BakeoffError(
                f"model '{weights.reference}': its tokenizer has no chat template; "
                "use an instruction-tuned model"
            )
        self.adapters: dict[str, str] = {}
        """Adapter digest -> the name it is attached under."""

    @property
    def context_window(self) -> int:
        return int(self.network.config.max_position_embeddings)

    def fingerprint(self) -> dict[str, str]:
        """What can change an answer beside the prompt and the adapter."""
        return {
            "weights": self.weights.digest,
            "chat_template": digest(self.tokenizer.chat_template),
            "dtype": self.dtype,
            "device": self.device,
            "engine": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "decoding": "greedy",
        }

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt text as the model was taught to read it: the only use of the template."""
        text = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return str(text)

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return len(self.tokenizer(text, add_special_tokens=False).input_ids)

    def wearing(self, adapter: str | None) -> AbstractContextManager[None]:
        """The model with the adapter of this digest on, or with all adapters off."""
        if adapter is not None:
            self.network.set_adapter(self.adapters[adapter])
            return nullcontext()
        off: AbstractContextManager[None] = (
            self.network.disable_adapter() if self.adapters else nullcontext()
        )
        return off

    def generate(
        self, prompts: Sequence[str], decoding: Decoding, skip: Collection[int] = ()
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """Completions, as (index, completion) in the order they get ready.

        Batches hold prompts of similar length, at most `batch_tokens` padded tokens each. The
        prompts in `skip` fill their batches and yield nothing; a batch of such alone is left out.
        """
        max_tokens = decoding.max_tokens
        encoded = [self.tokenizer(p, add_special_tokens=False).input_ids for p in prompts]
        fitting: list[int] = []
        for index, ids in enumerate(encoded):
            if len(ids) + max_tokens > self.context_window and index not in skip:
                found = f"the prompt has {len(ids)} tokens and the answer may take {max_tokens}"
                yield index, Failure(f"{found}; the model holds {self.context_window}")
            elif len(ids) + max_tokens <= self.context_window:
                fitting.append(index)
        for batch in _batches(
            fitting, [len(ids) for ids in encoded], max_tokens, self.batch_tokens
        ):
            if all(index in skip for index in batch):
                continue
            done = self._complete([encoded[i] for i in batch], decoding)
            pairs = zip(batch, done, strict=True)
            yield from ((index, answer) for index, answer in pairs if index not in skip)

    def timed(self, prompt: str, decoding: Decoding) -> Generation:
        """One completion alone, with the time to its first token and of the rest."""
        ids = self.tokenizer(prompt, add_special_tokens=False).input_ids
        started = time.perf_counter()
        first = _FirstToken(self.device)
        done = self._complete([ids], decoding, [first])[0]
        return Generation(
            done.text,
            done.prompt_tokens,
            done.completion_tokens,
            prefill_s=first.at - started,
            decode_s=time.perf_counter() - first.at,
        )

    @torch.inference_mode()
    def _complete(
        self, encoded: Sequence[Sequence[int]], decoding: Decoding, watchers: Sequence[Any] = ()
    ) -> list[Generation]:
        batch = self.tokenizer.pad({"input_ids": list(encoded)}, return_tensors="pt")
        batch = batch.to(self.device)
        output = self.network.generate(
            **batch,
            max_new_tokens=decoding.max_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
            stopping_criteria=list(watchers) or None,
        )
        ends = set(_ends(self.network.generation_config.eos_token_id))
        completions = []
        for ids, row in zip(encoded, output[:, batch.input_ids.shape[1] :].tolist(), strict=True):
            stop = next((n for n, token in enumerate(row) if token in ends), None)
            text = self.tokenizer.decode(row[:stop], skip_special_tokens=True).strip()
            generated = len(row) if stop is None else stop + 1
            completions.append(Generation(text, len(ids), generated))
        return completions


@dataclass(frozen=True)
class Dressed:
    """A local model with one adapter on, or with all adapters off."""

    model: LocalModel
    adapter: str | None = None

    @property
    def repeatable(self) -> bool:
        # Measured: in float32 greedy answers are the same at every batch size, in bfloat16 not.
        return self.model.dtype == "float32"

    def fingerprint(self) -> dict[str, str]:
        shared = {"batch_tokens": str(self.model.batch_tokens)}
        return {**self.model.fingerprint(), **shared, "adapter": self.adapter or ""}

    def count(self, text: str) -> int:
        return self.model.count(text)

    def generate(
        self,
        chats: Sequence[Sequence[Message]],
        decoding: Decoding,
        skip: Collection[int] = (),
        sending: Sending = unwatched,
    ) -> Iterator[tuple[int, Generation | Failure]]:
        prompts = [self.model.render(chat) for chat in chats]
        with self.model.wearing(self.adapter):
            yield from self.model.generate(prompts, decoding, skip)

    def timed(self, chat: Sequence[Message], decoding: Decoding) -> Generation | Failure:
        with self.model.wearing(self.adapter):
            return self.model.timed(self.model.render(chat), decoding)


def _ends(eos: int | Sequence[int] | None) -> Sequence[int]:
    return [] if eos is None else [eos] if isinstance(eos, int) else eos


def _batches(
    indices: Sequence[int], lengths: Sequence[int], max_tokens: int, batch_tokens: int
) -> Iterator[list[int]]:
    """Longest first, so that what might not fit in memory fails at once."""
    batch: list[int] = []
    for index in sorted(indices, key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and (len(batch) + 1) * (longest + max_tokens) > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class _FirstToken:
    """A stopping criterion that never stops: it notes when the first token came."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.at = 0.0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        if not self.at:
            if self.device == "cuda":
                torch.cuda.synchronize()
            self.at = time.perf_counter()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def limit_threads() -> int:
    """As many threads as cores this process may use; more make them wait for each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(cores or 1)
    return torch.get_num_threads()
