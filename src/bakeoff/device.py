"""What torch computes with on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def pick_device() -> str:
    """`cuda` where a GPU is usable, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def native_dtypes() -> dict[str, bool]:
    """For each dtype, whether this machine computes in it natively (else it is emulated)."""
    if torch.cuda.is_available():
        return {"float32": True, "bfloat16": torch.cuda.is_bf16_supported(), "float16": True}
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return {"float32": True, "bfloat16": "avx512_bf16" in flags, "float16": "avx512_fp16" in flags}


def limit_threads() -> int:
    """As many threads as cores this process may use; more make them wait for each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(cores or 1)
    return torch.get_num_threads()
