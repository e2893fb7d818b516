"""What torch computes with on this machine: the device, and the number types it is made for."""

from __future__ import annotations

import math
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import torch

from bakeoff.core import gpus
from bakeoff.core.counts import quantity
from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Forced

CPU_FLAGS = {"bfloat16": ("avx512_bf16", "amx_bf16", "bf16"), "float16": ("avx512_fp16",)}
"""Flags of a processor (x86, ARM) that computes in a type natively; every one has float32."""


CPU_INFO = Path("/proc/cpuinfo")


def pick_device() -> str:
    """`cuda` or `mps` where such a GPU is usable, else `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def native_dtypes() -> dict[str, bool]:
    """For each dtype, whether this machine computes in it natively (else it is emulated)."""
    device = pick_device()
    if device == "cuda":
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return {"float32": True, "bfloat16": bfloat16, "float16": True}
    if device == "mps":
        # Metal has had the type since macOS 14.
        version = platform.mac_ver()[0].split(".")[0]
        return {"float32": True, "bfloat16": int(version or 0) >= 14, "float16": True}
    flags = _cpu_flags()
    return {
        "float32": True,
        **{dtype: any(name in flags for name in names) for dtype, names in CPU_FLAGS.items()},
    }


def _cpu_flags() -> set[str]:
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    named = (line.partition(":") for line in lines)
    return {
        flag
        for name, _, flags in named
        if name.strip() in ("flags", "Features")
        for flag in flags.split()
    }


def choose_dtype(asked: str | Forced) -> str:
    """The type to compute in: of `auto` the fastest sound one that is native here.

    That is bfloat16 or float32. Never float16: its range is a small part of theirs, and models
    that were trained in the others overflow in it. Raises `BakeoffError` for a type that this
    machine emulates, unless it is forced.
    """
    if isinstance(asked, Forced):
        return asked.force
    native = native_dtypes()
    if asked == "auto":
        return "bfloat16" if native["bfloat16"] else "float32"
    if not native[asked]:
        raise BakeoffError(
            f"dtype: {asked} is emulated on this machine ({pick_device()}), ten times slower than "
            f"float32 and more; write `dtype: auto`, or `dtype: {{force: {asked}}}`, or run with "
            f"`--dtype {asked}`, to use it anyway"
        )
    return asked


def reach(dtype: str, side: int = 512, seconds: float = 0.3) -> float:
    """Floating-point operations a second that matrix products of a type reach here."""
    matrix = torch.ones(side, side, dtype=getattr(torch, dtype), device=pick_device())
    best = math.inf
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        matrix @ matrix
        synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def layer_pace(dtype: str, rows: int = 8, tokens: int = 54, seconds: float = 1.0) -> float:
    """Tokens a second that one layer of a small language model is tuned on here.

    The layer has the shape of the embedded model's, with adapters in float32, and is read forward
    and backward as `setups.tuning` does: short rows, attention, and all the small operations
    between products, of which a processor may make less than of one large product.
    """
    functions = torch.nn.functional
    place = pick_device()
    low = getattr(torch, dtype)
    width, inner, heads = 576, 1536, 9
    mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool, device=place).tril()

    query, key, value, output = (_adapted(width, width, low) for _ in range(4))
    gate, up = (_adapted(inner, width, low) for _ in range(2))
    down = _adapted(width, inner, low)
    start = torch.ones(1, rows * tokens, width, dtype=low, device=place, requires_grad=True)

    def apart(part: torch.Tensor) -> torch.Tensor:
        return part.view(rows, tokens, heads, -1).transpose(1, 2)

    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        with torch.autocast(place, low, enabled=low != torch.float32):
            normed = functions.rms_norm(start, (width,))
            asked, keys, values = (apart(each(normed)) for each in (query, key, value))
            seen = functions.scaled_dot_product_attention(asked, keys, values, mask)
            after = start + output(seen.transpose(1, 2).reshape(start.shape))
            normed = functions.rms_norm(after, (width,))
            after = after + down(functions.silu(gate(normed)) * up(normed))
        torch.autograd.backward(after.sum())
        synchronize()
        times.append(time.perf_counter() - started)
    return rows * tokens / median(times)


def _adapted(out: int, of: int, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """A product with weights of (out, of), and with those of an adapter of rank 16 in float32."""
    weight = torch.full((out, of), 0.01, dtype=dtype, device=pick_device())
    down, up = (
        torch.full(shape, 0.01, device=pick_device(), requires_grad=True)
        for shape in ((16, of), (out, 16))
    )
    linear = torch.nn.functional.linear
    return lambda given: linear(given, weight) + linear(linear(given, down), up) * 2


def memory_pace(megabytes: int = 256) -> float:
    """Bytes a second that this process reads from main memory."""
    array = torch.ones(megabytes * 2**20 // 4)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        array.sum()
        times.append(time.perf_counter() - started)
    return array.nbytes / min(times)


def synchronize() -> None:
    """Wait until the GPU has done what it was given; nothing where there is none."""
    if pick_device() != "cpu":
        torch.accelerator.synchronize()


def free_memory() -> None:
    """Give memory back that the GPU's allocator keeps for later."""
    if pick_device() != "cpu":
        torch.accelerator.empty_cache()


def peak_memory_mb() -> float:
    """The most memory in use so far: of all GPUs, or of this process where there is none.

    Apple's GPUs report only what is in use now.
    """
    device = pick_device()
    if device == "cuda":
        places = range(torch.cuda.device_count())
        return float(sum(map(torch.cuda.max_memory_allocated, places)) / 2**20)
    if device == "mps":
        return float(torch.mps.driver_allocated_memory() / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads() -> int:
    """As many threads as cores this process may use; more make them wait for each other."""
    torch.set_num_threads(cores())
    return torch.get_num_threads()


def too_few_devices(processes: int, environment: Mapping[str, str]) -> str:
    """Why so many processes cannot have a GPU or a processor each; empty where they can."""
    kind, count = "processor", cores()
    if pick_device() != "cpu":
        cuda = pick_device() == "cuda"
        kind, count = "GPU", len(gpus.visible(gpus.of_machine(environment))) if cuda else 1
    if processes <= count:
        return ""
    mend = "leave it out" if count == 1 else f"write {count} or less"
    return f"{processes} is more than the {quantity(count, kind)} that can be used here: {mend}"
