"""Training: from rows as tokens and a recipe to weights in a folder, to be resumed when killed."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
)

from bakeoff.core.progress import Progress, working
from bakeoff.models.device import peak_memory_mb, pick_device
from bakeoff.models.networks import network_of, quantization
from bakeoff.runs.opened import Epoch, Training
from bakeoff.setups.tuning.batches import Packs, Row, start_of_all
from bakeoff.setups.tuning.job import Inputs
from bakeoff.setups.tuning.layers import Cut, PackedRows, first_tuned, weight_of
from bakeoff.setups.tuning.ranks import ALONE, Ranks
from bakeoff.setups.tuning.sharding import (
    WHOLE,
    ShardedCheckpoints,
    is_sharded,
    part_file,
    sharded_network,
)
from bakeoff.spec.recipes import Tune

PACK_TOKENS, GPU_PACK_TOKENS = 1024, 4096
"""Tokens in one pack, on a processor and on a GPU: masks and attention grow with their square."""
CHECKPOINT_S = 600.0
"""A checkpoint is written so often, beside the one at the end of every epoch."""
CHECKPOINTS = "checkpoints"
ADAPTER = "adapter"
"""Folders of a training: where it goes on when it was stopped, and what it made."""


def train(given: Inputs, folder: Path, progress: Progress, ranks: Ranks = ALONE) -> Training:
    """Train into `folder/adapter`; from the last checkpoint there, if there is one.

    The weights of the epoch with the lowest loss on the validation rows are kept. Of several
    processes, which all call it, the first one keeps them.
    """
    recipe = given.recipe
    transformers.set_seed(given.seed)
    sharded = is_sharded(recipe, ranks)
    if sharded:
        network = sharded_network(given.base, ranks)
    else:
        network = fresh_network(given.base, given.dtype, recipe, given.device_map)
    cut = Cut(network, _first_layer(network, recipe), given.rows)
    shared = start_of_all([*given.rows, *given.validation])
    learnt, held_out = (
        PackedRows(cut, rows, _packs(given, rows, shared), ranks, joint=sharded)
        for rows in (given.rows, given.validation)
    )
    started = time.perf_counter()
    for part in (learnt, held_out):
        part.keep(f"{given.name}: computing the untuned lower layers once", progress)
    logbook = _Logbook(folder / "logbook.json", started, ranks, sharded)
    steps = recipe.epochs * len(learnt.packs)
    trainer = (_ShardedTrainer if sharded else _AnswerTrainer)(
        learnt,
        held_out,
        logbook,
        progress,
        model=network,
        args=_arguments(folder, given, steps, ranks),
        callbacks=[EarlyStoppingCallback(recipe.patience), logbook],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    checkpoint = _last_checkpoint(folder / CHECKPOINTS, ranks, sharded)
    if checkpoint:
        progress.note(f"{given.name}: training resumes at {Path(checkpoint).name}")
    with working(progress, f"{given.name}: training", steps):
        trainer.train(resume_from_checkpoint=checkpoint)
    if ranks.first and sharded:
        best = Path(trainer.state.best_model_checkpoint or "")
        shutil.copytree(best / WHOLE, folder / ADAPTER, dirs_exist_ok=True)
    elif ranks.first:
        network.save_pretrained(folder / ADAPTER)
    return _facts(given, trainer)


def _packs(given: Inputs, rows: Sequence[Row], shared: int) -> Packs:
    tokens = PACK_TOKENS if pick_device() == "cpu" else GPU_PACK_TOKENS
    lengths = [len(row.tokens) for row in rows]
    return Packs(lengths, given.recipe.batch_size, tokens, shared, given.seed)


def _facts(given: Inputs, trainer: _AnswerTrainer) -> Training:
    curve = _curve(trainer.state.log_history)
    best = min(curve, key=lambda at: math.inf if at.validation_loss is None else at.validation_loss)
    epochs = float(trainer.state.epoch or 0)
    ranks, logbook = trainer.learnt.ranks, trainer.logbook
    memory = ranks.sum(peak_memory_mb(), trainer.args.device)
    return Training(
        rows=len(given.rows),
        validation_rows=len(given.validation),
        epochs=epochs,
        tokens=round(sum(len(row.tokens) for row in given.rows) * epochs),
        seconds=round(logbook.seconds, 2),
        peak_memory_mb=round(memory, 1),
        rows_by_process=tuple(logbook.rows) if ranks.size > 1 else None,
        curve=tuple(curve),
        best_epoch=best.epoch,
    )


def fresh_network(base: Path, dtype: str, recipe: Tune, device_map: str | None = None) -> Any:
    """The network of a folder, ready to be trained by the recipe's method.

    Fresh, as `get_peft_model` changes the network it is given in place.
    """
    whole = recipe.method == "full"
    # The steps of an optimiser are lost in the rounding of 16-bit weights.
    given: dict[str, Any] = {"dtype": torch.float32 if whole else getattr(torch, dtype)}
    if recipe.method == "qlora":
        given |= {"quantization_config": quantization("4bit", dtype)}
    network = network_of(base, device_map, **given)
    if recipe.method == "qlora":
        network = peft.prepare_model_for_kbit_training(network, use_gradient_checkpointing=False)
    if whole:
        return network
    lora = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=_tuned_modules(network, _first_layer(network, recipe)),
        use_dora=recipe.method == "dora",
    )
    return peft.get_peft_model(network, lora)


def _layers(network: Any) -> int:
    return int(network.config.get_text_config().num_hidden_layers)


def _first_layer(network: Any, recipe: Tune) -> int:
    """The lowest layer that is tuned; 0 where all weights are."""
    return 0 if recipe.method == "full" else first_tuned(_layers(network), recipe.layers)


def _tuned_modules(network: Any, first: int) -> str | list[str]:
    """What gets an adapter: the linear modules of layer `first` and of all above it."""
    if not first:
        return "all-linear"
    above = {id(part) for layer in network.get_decoder().layers[first:] for part in layer.modules()}
    return [
        name
        for name, part in network.named_modules()
        if id(part) in above and isinstance(part, torch.nn.Linear)
    ]


def _arguments(folder: Path, given: Inputs, steps: int, ranks: Ranks) -> TrainingArguments:
    recipe = given.recipe
    return TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        # Few rows make few steps: a longer warm-up would leave the adapter where it began.
        warmup_steps=min(10, steps // 10),
        max_grad_norm=1.0,
        eval_strategy="epoch",
        save_strategy="epoch" if ranks.first or is_sharded(recipe, ranks) else "no",
        logging_strategy="no",
        # Those of the first process are no other one's to throw away.
        save_total_limit=1 if ranks.first else None,
        load_best_model_at_end=ranks.first,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        remove_unused_columns=False,
        bf16=False,
        use_cpu=pick_device() == "cpu",
        seed=given.seed,
        data_seed=given.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        restore_callback_states_from_checkpoint=True,
    )


def _last_checkpoint(folder: Path, ranks: Ranks, sharded: bool) -> str | None:
    """The newest checkpoint; one that a crash cut short is thrown away."""
    # The state is written last.
    whole = {
        file.parent
        for file in folder.glob("checkpoint-*/trainer_state.json")
        if not sharded or part_file(file.parent, ranks).is_file()
    }
    for checkpoint in folder.glob("checkpoint-*") if ranks.first else ():
        if checkpoint not in whole:
            shutil.rmtree(checkpoint)
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


class _AnswerTrainer(Trainer):
    """Reads packs of rows; the loss is that of the answer tokens alone."""

    def __init__(
        self,
        learnt: PackedRows,
        held_out: PackedRows,
        logbook: _Logbook,
        progress: Progress,
        **given: Any,
    ) -> None:
        rows, others = range(len(learnt.rows)), range(len(held_out.rows))
        super().__init__(train_dataset=rows, eval_dataset=others, **given)
        self.learnt, self.held_out = learnt, held_out
        self.logbook, self.progress = logbook, progress

    def get_train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(
            self.train_dataset, batch_sampler=self.learnt.packs, collate_fn=self.learnt.inputs
        )

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        ranks = self.learnt.ranks
        ranks.seed(self.args.seed, self.state.global_step)
        self.logbook.due = self.logbook.late
        loss = torch.zeros((), device=self.args.device)
        if "tokens" in inputs:
            loss = super().training_step(model, inputs, num_items_in_batch)
        if ranks.size > 1:
            rows = (len(inputs.get("lengths", (0,))) - 1) * weight_of(inputs)
            loss = self._add_up(model, loss, rows)
        self.progress.advance(1, self.logbook.step(float(loss), inputs["row_tokens"]))
        return loss

    def _add_up(self, model: Any, loss: torch.Tensor, rows: float) -> torch.Tensor:
        """The loss of the whole batch; make the gradients those of it. Count rows by process."""
        gradients = self._gradients(model)
        ranks = self.learnt.ranks
        read = torch.zeros(ranks.size, device=loss.device)
        read[ranks.rank] = rows
        due = torch.full_like(loss, ranks.first and self.logbook.due)
        ranks.total([*gradients, loss, read, due])
        self.logbook.count([round(count) for count in read.tolist()])
        self.logbook.due = bool(due)
        return loss

    def _gradients(self, model: Any) -> list[torch.Tensor]:
        """Those that are to be added up."""
        tuned = [part for part in model.parameters() if part.requires_grad]
        for part in tuned:
            if part.grad is None:
                part.grad = torch.zeros_like(part)
        return [part.grad for part in tuned]

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss = self.learnt.loss(inputs)
        return (loss, None) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The mean loss of the epoch's steps, and that of all tokens of the validation answers."""
        total, tokens = 0.0, 0
        self.model.eval()
        with torch.no_grad():
            for indices in self.held_out.packs:
                inputs = self._prepare_inputs(self.held_out.inputs(indices))
                tokens += inputs["learnt"]
                if "tokens" in inputs:
                    total += float(self.held_out.loss(inputs, "sum"))
        total = self.held_out.ranks.sum(total, self.args.device)
        metrics = {"eval_loss": total / tokens, "epoch_loss": self.logbook.end_epoch()}
        self.log(dict(metrics))
        self.control: TrainerControl = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


class _ShardedTrainer(ShardedCheckpoints, _AnswerTrainer):
    """The same, of a network of which each process holds a part."""

    def compute_loss(self, *given: Any, **named: Any) -> Any:
        # Of gradients the mean over all processes is taken.
        return super().compute_loss(*given, **named) * self.learnt.ranks.size

    def _add_up(self, model: Any, loss: torch.Tensor, rows: float) -> torch.Tensor:
        return super()._add_up(model, loss / self.learnt.ranks.size, rows)

    def _gradients(self, model: Any) -> list[torch.Tensor]:
        return []


class _Logbook(TrainerCallback):
    """The seconds of all attempts together and the losses of the epoch; saved with checkpoints."""

    def __init__(self, file: Path, started: float, ranks: Ranks, sharded: bool) -> None:
        self.file, self.started, self.saved = file, started, time.monotonic()
        self.ranks, self.saves = ranks, ranks.first or sharded
        self.due = False
        """Whether a checkpoint is to be written after this step; the first process says so."""
        self.before, self.losses = 0.0, list[float]()
        self.tokens = 0
        """Those of the rows that were read since `started`, in this attempt."""
        self.rows = [0] * ranks.size
        """What each process has read."""
        if file.is_file():
            self.before, self.losses, *rest = json.loads(file.read_text())
            self.rows = rest[0] if rest else self.rows

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    @property
    def late(self) -> bool:
        """Whether the last checkpoint is old."""
        return time.monotonic() - self.saved >= CHECKPOINT_S

    def count(self, rows: Sequence[int]) -> None:
        """So many rows were read, by process."""
        self.rows = [before + more for before, more in zip(self.rows, rows, strict=True)]

    def step(self, loss: float, tokens: int) -> str:
        """Add a step on rows of so many tokens; the figures of progress after it.

        They are the mean loss of the epoch's steps so far, those before a resumption too, and the
        tokens of rows for each second since this attempt began, with what came before the first
        step. At the end this is about `tokens` over `seconds` of the training's facts.
        """
        self.losses.append(loss)
        self.tokens += tokens
        pace = self.tokens / (time.perf_counter() - self.started)
        return f"mean loss {self.mean_loss:.3f}, {pace:.0f} tokens/s"

    @property
    def mean_loss(self) -> float:
        """Of the steps of the epoch so far."""
        return sum(self.losses) / len(self.losses)

    def end_epoch(self) -> float:
        """The mean loss of the epoch that ends now."""
        mean, self.losses = self.mean_loss, []
        return mean

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Not at the end of an epoch: its loss is to be in the checkpoint, which follows at once.
        if self.due and state.epoch % 1:
            control.should_save = self.saves

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved = time.monotonic()
        if self.ranks.first:
            self.file.write_text(json.dumps([self.seconds, self.losses, self.rows]))


def _curve(history: Sequence[Mapping[str, float]]) -> list[Epoch]:
    points: dict[float, Epoch] = {}
    names = {"epoch_loss": "train_loss", "eval_loss": "validation_loss"}
    for entry in history:
        epoch = round(entry["epoch"], 3)
        losses = {
            ours: round(entry[theirs], 5) for theirs, ours in names.items() if theirs in entry
        }
        points[epoch] = points.get(epoch, Epoch(epoch=epoch)).model_copy(update=losses)
    return [points[epoch] for epoch in sorted(points)]
