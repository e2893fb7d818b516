"""Advice as `advice.json` holds it, written and read here alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from bakeoff.core.estimate import Estimate
from bakeoff.decide.advice.limits import Check
from bakeoff.decide.advice.needs import Needs
from bakeoff.decide.advice.questions import Line
from bakeoff.decide.advice.what_if import Change
from bakeoff.runs.links import refuse_links
from bakeoff.runs.store import ADVICE, read_model, write_json
from bakeoff.spec.yaml_files import File

FORMAT: Final = 1
"""Of `advice.json`."""
State = Literal["recommended", "conditional", "none", "no answer"]
"""`conditional`: a need is not shown to be met; `none`: needs rule all out; `no answer`: nothing
that could be compared is left."""


class Ranked(File):
    """A setup in its place."""

    setup: str
    kind: str
    tier: int | None
    """From 1; `None` for references, setups ruled out and those that were not compared."""
    quality: Estimate
    """Weighted, from 0 to 1."""
    less_best: Estimate
    """The paired difference from the best estimate of the first tier."""
    per_month: Estimate
    note: str


class Advice(File):
    """What to take, why, and what would change that."""

    format: Literal[1] = FORMAT
    run: str
    needs: Needs
    weights: Mapping[str, float]
    state: State
    picked: tuple[str, ...]
    """Several where no measurement separates them."""
    sentences: tuple[str, ...]
    """The answer in sentences."""
    unverified: tuple[str, ...]
    """Needs that the recommended setups are not shown to meet: a condition of the advice."""
    ranking: tuple[Ranked, ...]
    checks: tuple[Check, ...]
    changes: tuple[Change, ...]
    unknown: tuple[str, ...]
    questions: tuple[Line, ...]
    currency: str
    comparisons: int
    """Of one candidate with all others; their intervals hold together at 95%."""
    level: float
    """Of every one of those intervals."""
    evidence: str = ""
    """A digest of what was measured and of the costs; empty until the advice is kept."""


def write(folder: Path, advice: Advice) -> None:
    """Keep advice in a run's folder."""
    refuse_links(folder)
    write_json(folder / ADVICE, advice.model_dump(mode="json"))


def read(folder: Path) -> Advice | None:
    """The advice kept in a run's folder; `None` where there is none.

    Raises `BakeoffError` for advice of another version, or damaged advice.
    """
    path = folder / ADVICE
    if not path.is_file():
        return None
    return read_model(Advice, path, FORMAT, "run `bakeoff advise` again, or delete the file")
