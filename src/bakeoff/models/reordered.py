"""Linear modules whose weights are held in the order in which oneDNN reads them fastest.

Products of few rows, of which writing token by token consists, are bound by reading weights.
"""

from __future__ import annotations

import copy
import os
import platform
from typing import Any

import torch

SHARE = 1 / 8
"""Weights are held in both orders: those that take more than this share of the memory are not."""


class ReorderedLinear(torch.nn.Linear):
    """A linear module of weights that never change; with gradients it is the usual one."""

    reordered: torch.Tensor

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            return super().forward(given)
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            given, self.reordered, self.bias, "none", [], ""
        )
        return product

    def __deepcopy__(self, memo: dict[int, Any]) -> torch.nn.Linear:
        """A usual module: who copies one may change the weights of the copy, as peft does."""
        usual = torch.nn.Linear(0, 0, device="meta")
        usual.__dict__ = {name: part for name, part in vars(self).items() if name != "reordered"}
        copied: torch.nn.Linear = copy.deepcopy(usual, memo)
        return copied


def reorder(network: torch.nn.Module) -> None:
    """Have a network on an x86 processor multiply by reordered weights.

    Its weights must not change afterwards. A network that is too large for the memory, of a type
    that oneDNN cannot multiply here or on another device stays as it is.
    """
    linear = [part for part in network.modules() if type(part) is torch.nn.Linear]
    weights = [part.weight for part in linear]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not _has_product() or sum(part.nbytes for part in weights) > SHARE * memory:
        return
    dtypes = {torch.float32}
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        dtypes.add(torch.bfloat16)
    for part in linear:
        if part.weight.dtype in dtypes and part.weight.device.type == "cpu":
            part.__class__ = ReorderedLinear
            part.reordered = torch.ops.mkldnn._reorder_linear_weight(part.weight.detach())


def _has_product() -> bool:
    """Whether torch has these products here. They are its compiler's, and no public part of it."""
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    here = platform.machine().lower() in ("x86_64", "amd64")
    return here and all(hasattr(torch.ops.mkldnn, name) for name in names)
