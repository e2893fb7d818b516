"""Number types: what `auto` takes, and what is refused, on processors and GPUs of both kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bakeoff.analysis.measurements import Rows, differences
from bakeoff.core.words import BakeoffError
from bakeoff.models import device
from bakeoff.spec.benchmark import Forced, load_suite

FLAGS = {
    "x86 without bfloat16": ("flags\t\t: fpu avx avx2 fma", "float32"),
    "x86 with AVX-512 bfloat16": ("flags\t\t: fpu avx2 avx512f avx512_bf16", "bfloat16"),
    "x86 with AMX": ("flags\t\t: fpu avx2 avx512f amx_tile amx_bf16", "bfloat16"),
    "ARM with bf16": ("Features\t: fp asimd bf16 i8mm", "bfloat16"),
    "ARM without": ("Features\t: fp asimd", "float32"),
}


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A machine without a GPU whose processor has these flags."""

    def make(line: str) -> None:
        info = tmp_path / "cpuinfo"
        info.write_text(f"processor\t: 0\n{line}\nbugs\t\t: bf16 avx512_bf16\n")
        monkeypatch.setattr(device, "CPU_INFO", info)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return make


@pytest.mark.parametrize("kind", FLAGS)
def test_auto_takes_the_fastest_type_that_is_native(processor, kind: str) -> None:
    line, chosen = FLAGS[kind]
    processor(line)
    assert device.choose_dtype("auto") == chosen
    assert device.choose_dtype("float32") == "float32"


def test_a_type_that_is_emulated_is_refused_unless_forced(processor) -> None:
    processor("flags\t\t: avx2")
    with pytest.raises(BakeoffError, match=r"bfloat16 is emulated .* write `dtype: auto`"):
        device.choose_dtype("bfloat16")
    assert device.choose_dtype(Forced(force="bfloat16")) == "bfloat16"


def test_auto_never_takes_float16(processor) -> None:
    processor("flags\t\t: avx2 avx512_fp16")
    assert device.native_dtypes()["float16"]
    assert device.choose_dtype("auto") == "float32"


@pytest.mark.parametrize(("native", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_is_asked_for_bfloat16_without_emulation(
    monkeypatch: pytest.MonkeyPatch, native: bool, chosen: str
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert device.choose_dtype("auto") == chosen


@pytest.mark.parametrize(("macos", "chosen"), [("14.4.1", "bfloat16"), ("13.6", "float32")])
def test_apples_gpus_have_bfloat16_since_macos_14(
    monkeypatch: pytest.MonkeyPatch, macos: str, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(device.platform, "mac_ver", lambda: (macos, ("", "", ""), "arm64"))
    assert device.pick_device() == "mps"
    assert device.choose_dtype("auto") == chosen


@pytest.mark.parametrize(
    ("line", "dtype"),
    [
        ("", "auto"),
        ("dtype: bfloat16\n", "bfloat16"),
        ("dtype: {force: bfloat16}\n", Forced(force="bfloat16")),
    ],
)
def test_a_benchmark_names_a_type_or_forces_one(tmp_path: Path, line: str, dtype: object) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(f"{line}tasks: [qa]\nsetups: {{base: {{}}}}\n")
    assert load_suite(file).dtype == dtype


@pytest.mark.parametrize(
    ("here", "there", "named"),
    [
        ("float32", "bfloat16", True),
        ("float32", "float32", False),
        ("float32", "", False),
        ("", "bfloat16", False),
    ],
)
def test_runs_that_computed_in_different_types_are_not_alike(
    here: str, there: str, named: bool
) -> None:
    one, two = (
        Rows("", "", {"rag": "rag"}, {}, {}, {}, dtypes={"rag": dtype}) for dtype in (here, there)
    )
    found = differences(one, two, "qa", "contains", ("rag", "rag"))
    assert any("dtype (float32 here, bfloat16 there)" in each for each in found) == named
