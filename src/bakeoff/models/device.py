"""What torch computes with on this machine: the device, and the number types it is made for."""

from __future__ import annotations

import math
import os
import platform
import resource
import time
from collections.abc import Mapping
from pathlib import Path

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
