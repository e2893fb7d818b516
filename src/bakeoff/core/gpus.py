"""The NVIDIA GPUs of this machine by name; asking torch would take seconds and memory of a GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
MACHINE = "BAKEOFF_GPUS"
"""Set for a process that was given one of several GPUs: all of them."""


def visible(environment: Mapping[str, str]) -> list[str]:
    """Those that a process may use."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    names = [path.name for path in Path("/dev").glob("nvidia*")]
    return sorted((m[1] for n in names if (m := re.fullmatch(r"nvidia(\d+)", n))), key=int)


def given(environment: Mapping[str, str], place: int) -> dict[str, str]:
    """The environment of the process of a place, from 0: with one GPU, where there are any."""
    gpus = visible(environment)
    if not gpus:
        return dict(environment)
    return {MACHINE: ",".join(gpus), **environment, VISIBLE: gpus[place % len(gpus)]}


def of_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with all the GPUs that a process was given one of."""
    gpus = environment.get(MACHINE)
    return {**environment, VISIBLE: gpus} if gpus else dict(environment)
