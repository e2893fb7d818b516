"""A network of which each process holds a part: of weights, gradients and optimiser (FSDP).

A layer is put together when it is read, and taken apart behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, Trainer

from bakeoff.models.device import pick_device
from bakeoff.setups.tuning.layers import PackedRows
from bakeoff.setups.tuning.ranks import Ranks
from bakeoff.spec.recipes import Tune

WHOLE = "whole"
"""The folder of a checkpoint with the weights of all processes."""
_Part = tuple[list[torch.Tensor], dict[str, Any], dict[str, Any]]
"""What a process keeps of a checkpoint: its weights, the optimiser's state and the schedule's."""


def is_sharded(recipe: Tune, ranks: Ranks) -> bool:
    """Whether each process holds a part of the network alone; adapters are small beside theirs."""
    return recipe.method == "full" and ranks.size > 1


def sharded_network(base: Path, ranks: Ranks) -> Any:
    """The network of a folder in float32, this process's part of it on its device."""
    network = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    kind = type(network)
    mesh = init_device_mesh(pick_device(), (ranks.size,))
    for layer in network.get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    # By its module transformers knows what a network can do.
    type(network).__module__ = kind.__module__
    return network


def part_file(checkpoint: Path, ranks: Ranks) -> Path:
    """Where a process keeps its part of a checkpoint."""
    return checkpoint / f"part-{ranks.rank + 1}.pt"


class ShardedCheckpoints(Trainer):
    """Checkpoints to which each process adds its part; the whole weights lie beside these.

    The first process writes the rest of them.
    """

    learnt: PackedRows

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        if self.learnt.ranks.first:
            super()._save_checkpoint(model, trial)
            return
        folder = str(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
        self._save(folder)
        self._save_optimizer_and_scheduler(folder)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        assert output_dir
        weights = _whole_weights(self.model, self.learnt.ranks)
        if self.learnt.ranks.first:
            self.model.save_pretrained(Path(output_dir) / WHOLE, state_dict=weights)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        file, state = part_file(Path(output_dir), self.learnt.ranks), self.optimizer.state_dict()
        steps = {
            place: {name: _own(value) for name, value in values.items()}
            for place, values in state["state"].items()
        }
        weights = [_own(weights) for weights in self.model.parameters()]
        part: _Part = (weights, {**state, "state": steps}, self.lr_scheduler.state_dict())
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(part, file)
        # The first one writes next that the checkpoint is whole.
        self.learnt.ranks.sum(0.0, self.args.device)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        kept, _, _ = self._part(resume_from_checkpoint)
        with torch.no_grad():
            for weights, values in zip(self.model.parameters(), kept, strict=True):
                _own(weights).copy_(values)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        _, state, schedule = self._part(checkpoint)
        every = [weights for group in self.optimizer.param_groups for weights in group["params"]]
        steps = {place: _placed(values, every[place]) for place, values in state["state"].items()}
        self.optimizer.load_state_dict({**state, "state": steps})
        self.lr_scheduler.load_state_dict(schedule)

    def _load_best_model(self) -> None:
        """Its weights lie whole in its checkpoint."""

    def _part(self, checkpoint: str) -> _Part:
        file = part_file(Path(checkpoint), self.learnt.ranks)
        part: _Part = torch.load(file, map_location="cpu", weights_only=True)
        return part


def _whole_weights(network: Any, ranks: Ranks) -> dict[str, torch.Tensor]:
    """The weights put together from all processes, in main memory of the first one."""
    known: dict[int, torch.Tensor] = {}
    weights: dict[str, torch.Tensor] = {}
    for name, part in network.state_dict(keep_vars=True).items():
        # Weights of the output may be those of the input.
        if id(part) not in known:
            whole = part.full_tensor().detach() if isinstance(part, DTensor) else part.detach()
            known[id(part)] = whole.cpu() if ranks.first else whole.new_empty(0)
        weights[name] = known[id(part)]
    return weights


def _own(value: Any) -> Any:
    """What this process holds of a tensor."""
    return value.to_local().detach() if isinstance(value, DTensor) else value


def _placed(values: Mapping[str, torch.Tensor], weights: DTensor) -> dict[str, torch.Tensor]:
    """What the optimiser keeps of some weights, as parts of tensors where it is by number."""
    mesh, places, size = weights.device_mesh, weights.placements, weights.shape

    def placed(value: torch.Tensor) -> torch.Tensor:
        if value.dim() == 0:
            return value
        own = value.to(weights.device)
        return DTensor.from_local(own, mesh, places, shape=size, stride=weights.stride())

    return {name: placed(value) for name, value in values.items()}
