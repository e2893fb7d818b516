"""Training: from rows and a recipe to an adapter, or to whole weights."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

from bakeoff.core import canonical, digest
from bakeoff.device import peak_memory_mb
from bakeoff.models import LocalModel, quantization
from bakeoff.recipes import Tune
from bakeoff.tune.adapter import Adapter, Training
from bakeoff.tune.batches import (
    Example,
    TokenBatches,
    collate,
    encode,
    loss_on_answers,
    validation_rows,
)

BATCH_TOKENS = 2048
"""Padded tokens in one training batch: about 4 GB for a model of 135 million weights."""


@dataclass(frozen=True)
class Lessons:
    """What a recipe learns from, and what is to be known of it."""

    examples: Sequence[Example]
    validation: Sequence[Example] = ()
    """Rows that are never learnt; where empty, a share of the examples is held out instead."""
    told: Mapping[str, Any] = field(default_factory=dict)


def adapter_key(model: LocalModel, lessons: Lessons, recipe: Tune, seed: int) -> str:
    """The digest tuned weights are kept under: base weights, rows as rendered, recipe, seed."""
    held_out = [[e.prompt, e.completion] for e in lessons.validation]
    return digest(
        {
            **model.fingerprint(),
            "rows": [[e.prompt, e.completion] for e in lessons.examples],
            **({"validation": held_out} if held_out else {}),
            "recipe": recipe.identity(),
            "seed": seed,
            "peft": peft.__version__.rsplit(".", 1)[0],
            "format": 1,
        }
    )


def tuned(
    model: LocalModel,
    lessons: Lessons,
    recipe: Tune,
    seed: int,
    cache: Path,
    say: Callable[[str], None],
) -> Adapter:
    """What this recipe makes of these lessons: from the cache, or trained now.

    Of a sweep it is the trial with the lowest validation loss; the first of equals.
    """
    if recipe.sweep is None:
        return _kept(model, lessons, recipe, seed, cache, say)
    tried: list[tuple[Mapping[str, Any], Adapter, Training]] = []
    for trial in trials(recipe, seed):
        varied = {name: getattr(trial, name) for name in _VARIED}
        say(f"trial {len(tried) + 1}: {', '.join(f'{k} {v}' for k, v in varied.items())}")
        made = _kept(model, lessons, trial, seed, cache, say)
        assert made.training
        tried.append((varied, made, made.training))
    _, best, training = min(tried, key=lambda each: each[2].validation_loss)
    whole = replace(
        training,
        seconds=round(sum(each.seconds for _, _, each in tried), 2),
        tokens=sum(each.tokens for _, _, each in tried),
        trials=tuple(
            {**varied, "validation_loss": each.validation_loss, "seconds": each.seconds}
            for varied, _, each in tried
        ),
    )
    return replace(best, training=whole, reused=all(made.reused for _, made, _ in tried))


_VARIED = ("rank", "learning_rate", "epochs")


def trials(recipe: Tune, seed: int) -> list[Tune]:
    """The recipes of a sweep: a seeded choice of all combinations, within its budget."""
    assert recipe.sweep
    values = [getattr(recipe.sweep, name) or (getattr(recipe, name),) for name in _VARIED]
    found = []
    for chosen in product(*values):
        varied = dict(zip(_VARIED, chosen, strict=True))
        alpha = max(1, round(recipe.alpha / recipe.rank * varied["rank"]))
        found.append(recipe.model_copy(update={**varied, "alpha": alpha, "sweep": None}))
    ranked = sorted(found, key=lambda trial: digest([seed, canonical(trial.identity())]))
    return ranked[: recipe.sweep.budget]


def _kept(
    model: LocalModel,
    lessons: Lessons,
    recipe: Tune,
    seed: int,
    cache: Path,
    say: Callable[[str], None],
) -> Adapter:
    key = adapter_key(model, lessons, recipe, seed)
    target = cache / "adapters" / key
    reused = (target / "training.json").is_file()
    if not reused:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            training = _train(model, lessons, recipe, seed, Path(scratch), say)
            finished = Path(scratch) / "adapter"
            (finished / "training.json").write_text(json.dumps(asdict(training), indent=2))
            (finished / "base.json").write_text(json.dumps({"weights": model.weights.digest}))
            if not target.exists():
                shutil.move(finished, target)
    facts = json.loads((target / "training.json").read_text())
    facts["curve"] = tuple(facts["curve"])
    # Told anew: it describes these lessons, and what was kept before may lack it.
    facts |= {"objective": recipe.objective, "learnt": dict(lessons.told), "trials": ()}
    return Adapter(key, target, Training(**facts), reused)


def _network(model: LocalModel, recipe: Tune) -> Any:
    """A fresh copy of the base, ready to be trained by the recipe's method.

    Fresh, as `get_peft_model` changes the network it is given in place.
    """
    whole = recipe.method == "full"
    # The steps of an optimiser are lost in the rounding of 16-bit weights.
    given: dict[str, Any] = {"dtype": torch.float32 if whole else getattr(torch, model.dtype)}
    if recipe.method == "qlora":
        given |= {"quantization_config": quantization("4bit", model.dtype), "device_map": {"": 0}}
    base = transformers.AutoModelForCausalLM.from_pretrained(model.weights.folder, **given)
    if recipe.method == "qlora":
        base = peft.prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    else:
        base = base.to(model.device)
    if whole:
        return base
    lora = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        use_dora=recipe.method == "dora",
    )
    return peft.get_peft_model(base, lora)


def _train(
    model: LocalModel,
    lessons: Lessons,
    recipe: Tune,
    seed: int,
    scratch: Path,
    say: Callable[[str], None],
) -> Training:
    held_out = set(lessons.validation)
    if not held_out:
        held_out = validation_rows(lessons.examples, recipe.validation, seed)
    rows = [encode(model, e) for e in lessons.examples if e not in held_out]
    validation = [
        encode(model, e) for e in [*lessons.examples, *lessons.validation] if e in held_out
    ]
    transformers.set_seed(seed)
    network = _network(model, recipe)
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
    if recipe.method == "full":
        model.tokenizer.save_pretrained(scratch / "adapter")
    curve = _curve(trainer.state.log_history)
    best = min(curve, key=lambda point: point.get("validation_loss", math.inf))
    epochs = float(trainer.state.epoch or 0)
    return Training(
        rows=len(rows),
        validation_rows=len(validation),
        epochs=epochs,
        tokens=round(sum(lengths) * epochs),
        seconds=round(seconds, 2),
        peak_memory_mb=round(peak_memory_mb(), 1),
        curve=tuple(curve),
        best_epoch=best["epoch"],
    )


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
