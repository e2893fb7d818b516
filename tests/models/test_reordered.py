"""Products with reordered weights are the usual ones, and are used where they can be."""

from __future__ import annotations

import copy
from pathlib import Path

import peft
import pytest
import torch

from bakeoff.models import reordered
from bakeoff.models.local import LocalModel
from bakeoff.models.reordered import ReorderedLinear, reorder
from bakeoff.models.weights import resolve
from families import FAMILIES

pytestmark = pytest.mark.skipif(
    not reordered._has_product(), reason="torch has no reordered products on this machine"
)
DTYPES = [
    "float32",
    pytest.param(
        "bfloat16",
        marks=pytest.mark.skipif(
            not (reordered._has_product() and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
            reason="oneDNN does not multiply in bfloat16 on this machine",
        ),
    ),
]


def linear(inner: int = 96, outer: int = 40, *, bias: bool = True) -> torch.nn.Linear:
    torch.manual_seed(inner)
    return torch.nn.Linear(inner, outer, bias=bias)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(1,), (7,), (300,), (2, 1), (1, 33)])
def test_a_product_is_the_usual_one(rows: tuple[int, ...], bias: bool, dtype: str) -> None:
    usual = linear(bias=bias).to(getattr(torch, dtype))
    given = torch.randn(*rows, 96, dtype=usual.weight.dtype)
    network = torch.nn.Sequential(copy.deepcopy(usual))
    reorder(network)
    assert type(network[0]) is ReorderedLinear
    with torch.no_grad():
        torch.testing.assert_close(network(given), usual(given))


def test_with_gradients_it_is_the_usual_module() -> None:
    usual, given = linear(), torch.randn(5, 96, requires_grad=True)
    network = torch.nn.Sequential(copy.deepcopy(usual))
    reorder(network)
    found, wanted = (torch.autograd.grad(f(given).sum(), given)[0] for f in (network, usual))
    assert torch.equal(found, wanted)


def test_the_weights_of_a_copy_may_change() -> None:
    network = torch.nn.Sequential(linear())
    reorder(network)
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed[0].weight.mul_(2)
        changed[0].bias.mul_(2)
        given = torch.randn(3, 96)
        torch.testing.assert_close(changed(given), 2 * network(given))


def test_what_peft_trains_whole_is_no_reordered_module() -> None:
    network = torch.nn.ModuleDict({"inner": linear(), "head": linear(96, 8)})
    reorder(network)
    how = peft.LoraConfig(target_modules=["inner"], modules_to_save=["head"])
    adapted = peft.get_peft_model(network, how)
    kinds = {name: type(part) for name, part in adapted.named_modules()}
    assert kinds["base_model.model.head.modules_to_save.default"] is torch.nn.Linear
    assert kinds["base_model.model.inner.base_layer"] is ReorderedLinear


def test_other_types_and_large_networks_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    half = torch.nn.Sequential(linear().to(torch.float16))
    reorder(half)
    assert type(half[0]) is torch.nn.Linear
    monkeypatch.setattr(reordered, "SHARE", 0)
    large = torch.nn.Sequential(linear())
    reorder(large)
    assert type(large[0]) is torch.nn.Linear


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_local_model_has_them(tmp_path: Path, dtype: str) -> None:
    folder = FAMILIES["qwen2"].write(tmp_path / "model")
    network = LocalModel(resolve(str(folder), tmp_path), dtype).network
    kinds = {type(part) for part in network.modules()}
    assert ReorderedLinear in kinds and torch.nn.Linear not in kinds


def test_bfloat16_stays_as_it_is_where_onednn_does_not_multiply_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    network = torch.nn.Sequential(linear().to(torch.bfloat16))
    reorder(network)
    assert type(network[0]) is torch.nn.Linear
