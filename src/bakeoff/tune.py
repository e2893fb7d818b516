"""LoRA adapters: trained on answers only, kept by content, proved to act. The door to peft."""

from __future__ import annotations

import json
import math
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import peft
import torch
import transformers
from peft.helpers import disable_input_dtype_casting
from safetensors import safe_open
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

from bakeoff.core import BakeoffError, digest
from bakeoff.models import LocalModel
from bakeoff.recipes import Tune

BATCH_TOKENS = 2048
"""Padded tokens in one training batch: about 4 GB for a model of 135 million weights."""
SHORT_ROW = 160
"""Batches up to this many tokens wide train with plain attention, wider ones with the fused."""
WEIGHTS = "adapter_model.safetensors"
PROOF_PROMPT = "Which form do I need?"


@dataclass(frozen=True)
class Example:
    """One training row as the model sees it: a rendered prompt and the answer to learn."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Training:
    """What training an adapter took, and how its loss went."""

    rows: int
    validation_rows: int
    epochs: float
    tokens: int
    """Tokens the network read in training, padding left out."""
    seconds: float
    peak_memory_mb: float
    curve: tuple[Mapping[str, float], ...]
    """One point per epoch: epoch, train_loss, validation_loss."""
    best_epoch: float


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter on disk, named by the digest of everything that made it."""

    digest: str
    folder: Path
    training: Training | None
    """`None` for an adapter that was not trained here."""
    reused: bool


def adapter_key(model: LocalModel, examples: Sequence[Example], recipe: Tune, seed: int) -> str:
    """The digest an adapter is kept under: base weights, rows as rendered, recipe, seed."""
    return digest(
        {
            **model.fingerprint(),
            "rows": [[e.prompt, e.completion] for e in examples],
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
            "peft": peft.__version__.rsplit(".", 1)[0],
            "format": 1,
        }
    )


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
    config = folder / "adapter_config.json"
    if not config.is_file():
        raise BakeoffError(f"adapter '{reference}': {folder} has no adapter_config.json")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BakeoffError(f"adapter '{reference}': {folder} has no {WEIGHTS}")
    return Adapter(digest(config.read_bytes() + weights.read_bytes()), folder, None, reused=True)


def trained_adapter(
    model: LocalModel,
    examples: Sequence[Example],
    recipe: Tune,
    seed: int,
    cache: Path,
    say: Callable[[str], None],
) -> Adapter:
    """The adapter that this recipe makes of these rows: from the cache, or trained now."""
    key = adapter_key(model, examples, recipe, seed)
    target = cache / "adapters" / key
    reused = (target / "training.json").is_file()
    if not reused:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            training = _train(model, examples, recipe, seed, Path(scratch), say)
            finished = Path(scratch) / "adapter"
            (finished / "training.json").write_text(json.dumps(asdict(training), indent=2))
            (finished / "base.json").write_text(json.dumps({"weights": model.weights.digest}))
            if not target.exists():
                shutil.move(finished, target)
    facts = json.loads((target / "training.json").read_text())
    facts["curve"] = tuple(facts["curve"])
    return Adapter(key, target, Training(**facts), reused)


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
    with model.wearing(None):
        before = _probe(model)
    name = f"a{adapter.digest}"
    _load(model, adapter, name)
    model.adapters[adapter.digest] = name
    with model.wearing(None):
        if not torch.equal(before, _probe(model)):
            raise BakeoffError(f"adapter {adapter.folder}: the base model changed under it")
    with model.wearing(adapter.digest):
        if torch.equal(before, _probe(model)):
            raise BakeoffError(f"adapter {adapter.folder}: it changes nothing (logits are equal)")


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
    mine = {n: p for n, p in model.network.named_parameters() if f".{name}." in n}
    with safe_open(adapter.folder / WEIGHTS, "pt") as file:
        stored = set(file.keys())
    # peft leaves out what does not match, with a warning at most.
    if odd := sorted(stored ^ {key.replace(f".{name}.", ".") for key in mine}):
        raise _unfit(adapter, model, f"{len(odd)} keys have no counterpart, such as {odd[0]}")
    if not any(bool(p.any()) for key, p in mine.items() if "lora_B" in key):
        raise BakeoffError(f"adapter {adapter.folder}: its B matrices are all zero or missing")


def _unfit(adapter: Adapter, model: LocalModel, reason: str) -> BakeoffError:
    return BakeoffError(
        f"adapter {adapter.folder}: does not fit '{model.weights.reference}': {reason}"
    )


@torch.inference_mode()
def _probe(model: LocalModel) -> torch.Tensor:
    text = model.render([{"role": "user", "content": PROOF_PROMPT}])
    ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    logits: torch.Tensor = model.network(ids.to(model.device)).logits[0, -1].float().cpu()
    return logits


def _train(
    model: LocalModel,
    examples: Sequence[Example],
    recipe: Tune,
    seed: int,
    scratch: Path,
    say: Callable[[str], None],
) -> Training:
    held_out = validation_rows(examples, recipe.validation, seed)
    rows = [_encode(model, e) for e in examples if e not in held_out]
    validation = [_encode(model, e) for e in examples if e in held_out]
    transformers.set_seed(seed)
    lora = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
    )
    # A fresh copy of the base: get_peft_model changes the network it is given in place.
    base = transformers.AutoModelForCausalLM.from_pretrained(
        model.weights.folder, dtype=getattr(torch, model.dtype)
    ).to(model.device)
    network = peft.get_peft_model(base, lora)
    lengths = [row["length"] for row in rows]
    steps = recipe.epochs * len(TokenBatches(lengths, recipe.batch_size, BATCH_TOKENS, seed))
    arguments = TrainingArguments(
        output_dir=str(scratch / "checkpoints"),
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        # Few rows make few steps: a longer warm-up would leave the adapter where it began.
        warmup_steps=min(10, steps // 10),
        max_grad_norm=1.0,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        remove_unused_columns=False,
        label_names=["labels"],
        bf16=False,
        use_cpu=model.device == "cpu",
        seed=seed,
        data_seed=seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    watch = _Watch(say)
    trainer = _AnswerTrainer(
        model=network,
        args=arguments,
        train_dataset=rows,
        eval_dataset=validation,
        data_collator=lambda batch: collate(batch, model.tokenizer.pad_token_id),
        callbacks=[EarlyStoppingCallback(recipe.patience), watch],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    network.save_pretrained(scratch / "adapter")
    curve = _curve(trainer.state.log_history)
    best = min(curve, key=lambda point: point.get("validation_loss", math.inf))
    epochs = float(trainer.state.epoch or 0)
    return Training(
        rows=len(rows),
        validation_rows=len(validation),
        epochs=epochs,
        tokens=round(sum(lengths) * epochs),
        seconds=round(seconds, 2),
        peak_memory_mb=round(_peak_memory_mb(model.device), 1),
        curve=tuple(curve),
        best_epoch=best["epoch"],
    )


def validation_rows(examples: Sequence[Example], share: float, seed: int) -> set[Example]:
    """A seeded share of the rows (at least one), the same whatever their order."""
    ranked = sorted(set(examples), key=lambda e: digest([seed, e.prompt, e.completion]))
    return set(ranked[: max(1, round(share * len(ranked)))])


def _encode(model: LocalModel, example: Example) -> dict[str, Any]:
    prompt = model.tokenizer(example.prompt, add_special_tokens=False).input_ids
    answer = model.tokenizer(example.completion, add_special_tokens=False).input_ids
    answer = [*answer, model.tokenizer.eos_token_id]
    return {
        "input_ids": [*prompt, *answer],
        "labels": [-100] * len(prompt) + answer,
        "length": len(prompt) + len(answer),
    }


def collate(batch: Sequence[Mapping[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Left-padded tensors (rows, longest), so that the answers stand at the end of every row."""
    longest = max(row["length"] for row in batch)

    def padded(values: Sequence[int], filler: int) -> list[int]:
        return [filler] * (longest - len(values)) + list(values)

    mask = torch.tensor([padded([1] * row["length"], 0) for row in batch])
    return {
        "input_ids": torch.tensor([padded(row["input_ids"], pad) for row in batch]),
        "labels": torch.tensor([padded(row["labels"], -100) for row in batch]),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0),
    }


class TokenBatches:
    """Batches of rows of like length: at most `rows` rows and `tokens` padded tokens each.

    Long rows come in small batches, so that memory is bounded whatever the prompts hold. Each
    pass over it (an epoch) shuffles anew, from the seed.
    """

    def __init__(self, lengths: Sequence[int], rows: int, tokens: int, seed: int) -> None:
        self.lengths, self.rows, self.tokens, self.seed = lengths, rows, tokens, seed
        self.epoch = 0

    def __iter__(self) -> Iterator[list[int]]:
        random = Random(f"{self.seed}:{self.epoch}")
        self.epoch += 1
        batches = self._batches(random)
        random.shuffle(batches)
        return iter(batches)

    def __len__(self) -> int:
        return len(self._batches(Random(0)))

    def _batches(self, random: Random) -> list[list[int]]:
        # Ties are broken at random, so that rows of one length meet different neighbours.
        order = sorted(range(len(self.lengths)), key=lambda i: (-self.lengths[i], random.random()))
        batches: list[list[int]] = []
        for index in order:
            batch = batches[-1] if batches else []
            room = self.tokens // self.lengths[batch[0]] if batch else 0
            if len(batch) < min(self.rows, room):
                batch.append(index)
            else:
                batches.append([index])
        return batches


def loss_on_answers(
    model: Any, batch: Mapping[str, torch.Tensor], answer_tokens: Any = None
) -> torch.Tensor:
    """Mean cross-entropy over the answer tokens of a left-padded batch (`collate`).

    `answer_tokens` is what the sum is divided by when the batch is a part of a larger one.
    """
    labels = batch["labels"]
    length = labels.shape[1]
    # A vocabulary's width of logits for each prompt token would take most of the memory.
    answer = int((labels != -100).sum(-1).max())
    base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    # Measured on CPU: the fused kernel is slow on short rows, plain attention on long ones.
    base.set_attn_implementation("eager" if length <= SHORT_ROW else "sdpa")
    # The adapter's own weights stay float32; autocast spares the copies of its inputs.
    low = base.dtype != torch.float32
    autocast = torch.autocast(labels.device.type, base.dtype, enabled=low)
    with disable_input_dtype_casting(model, low), autocast:
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            position_ids=batch["position_ids"],
            # Positions, not their number: a slice would be copied once per row (bmm).
            logits_to_keep=torch.arange(length - answer - 1, length, device=labels.device),
            use_cache=False,
        ).logits
    total = functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1),
        labels[:, -answer:].flatten(),
        ignore_index=-100,
        reduction="sum",
    )
    return total / (answer_tokens or (labels != -100).sum())


class _AnswerTrainer(Trainer):
    """Cross-entropy on the answer tokens; logits are computed for no other position."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.train_dataset, self.args.data_seed)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        return self._loader(self.eval_dataset, 0)

    def _loader(self, rows: Any, seed: int | None) -> DataLoader[Any]:
        lengths = [row["length"] for row in rows]
        batches = TokenBatches(lengths, self.args.train_batch_size, BATCH_TOKENS, seed or 0)
        return DataLoader(rows, batch_sampler=batches, collate_fn=self.data_collator)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss = loss_on_answers(model, inputs, num_items_in_batch)
        return (loss, None) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> Any:
        with torch.no_grad():
            return self.compute_loss(model, self._prepare_inputs(inputs)).detach(), None, None


class _Watch(TrainerCallback):
    """Says how training goes, once an epoch."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        loss = (metrics or {}).get("eval_loss", math.nan)
        self.say(f"epoch {state.epoch:.0f}, validation loss {loss:.3f}")


def _curve(history: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    points: dict[float, dict[str, float]] = {}
    names = {"loss": "train_loss", "eval_loss": "validation_loss"}
    for entry in history:
        point = points.setdefault(round(entry["epoch"], 3), {"epoch": round(entry["epoch"], 3)})
        point |= {
            ours: round(entry[theirs], 5) for theirs, ours in names.items() if theirs in entry
        }
    return [points[epoch] for epoch in sorted(points)]


def _peak_memory_mb(device: str) -> float:
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated() / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
