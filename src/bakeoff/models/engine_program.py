"""The program that starts an engine: whether it is there, and its version."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from bakeoff.core.words import BakeoffError
from bakeoff.spec.engines import EngineSpec


def version_of(spec: EngineSpec, program: Sequence[str]) -> str:
    """The version that the engine prints; that of the file where it states one.

    Raises `BakeoffError` when the program cannot be started, or vLLM is not there.
    """
    where = f"engine {spec.kind}"
    if shutil.which(program[0]) is None:
        raise BakeoffError(f"{where}: '{program[0]}': no such program")
    if spec.version or not spec.of.version:
        return spec.version
    if spec.of.variable and spec.command:
        return ""  # a program of the user's, not an interpreter
    head = program[:1] if spec.of.variable else program
    try:
        asked = subprocess.run(
            [*head, *spec.of.version], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BakeoffError(f"{where}: '{program[0]}': {error}") from error
    lines = (asked.stdout.strip() or asked.stderr.strip()).splitlines()
    if asked.returncode or not lines:
        raise BakeoffError(
            f"{where}: '{program[0]}': it has no {spec.kind}: "
            f"{lines[-1] if lines else 'it printed no version'}"
        )
    return lines[0].removeprefix(f"{spec.kind} ")
