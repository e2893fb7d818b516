"""What a run was made on: package versions, processor, memory, GPU, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from bakeoff.core import plugins
from bakeoff.runs.manifest import Hardware

PACKAGES = (
    "bakeoff",
    "torch",
    "transformers",
    "peft",
    "sentence-transformers",
    "faiss-cpu",
    "datasets",
    "scikit-learn",
    "mlflow",
    "ragas",
    "numpy",
    "pydantic",
    "jsonschema",
    "gguf",
)
"""The libraries that bakeoff uses, whose versions a manifest has."""


def versions() -> dict[str, str | None]:
    """Python, every package of `PACKAGES` (`None` where one is missing), and the plugins in use."""
    stood_on = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **stood_on, **plugins.used()}


def hardware() -> Hardware:
    """Processor, cores, memory and GPU of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Hardware(
        processor=_processor(),
        cores=cores,
        memory_gb=round(memory, 1),
        gpu=_gpu(),
        system=f"{platform.system()} {platform.release()}",
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    named = re.search(r"^model name\s*: *(.+)$", text, re.MULTILINE)
    # Python asks another program for the processor's name.
    return named[1].strip() if named else platform.processor() or platform.machine()


def device() -> str:
    """The GPU that this process uses, or else the processor."""
    facts = hardware()
    return facts.gpu or facts.processor


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return "Apple GPU (MPS)" if torch.backends.mps.is_available() else None


def version(package: str) -> str | None:
    """The installed version of a package, or `None`."""
    try:
        about = importlib.metadata.distribution(package).read_text("METADATA") or ""
    except importlib.metadata.PackageNotFoundError:
        return None
    # Not `importlib.metadata.version`: it parses the whole file, the package's readme included.
    match = re.search(r"^Version: *(.+)$", about, re.MULTILINE)
    return match[1].strip() if match else None


def commit() -> str | None:
    """The git commit of the working directory, marked when files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def load() -> float:
    """Processes that wanted to run, averaged over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0
