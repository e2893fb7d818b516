"""What is to be imported, and as what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bakeoff.running.importing.fields import Fields

Missing = Literal["common", "drop", "worst", "refuse"]
COMMON: Missing = "common"
"""As `drop`, unless few samples are left."""


@dataclass(frozen=True)
class Import:
    """What is to be imported, and as what."""

    files: Sequence[Path]
    """Files, or folders of them."""
    fields: Fields = field(default_factory=Fields)
    format: str = ""
    """Of `importers.IMPORTERS`; recognized file by file where left empty, if `fields` allow it."""
    setup: str = ""
    """The setup of all rows, where they do not name one."""
    task: Path | None = None
    """The task file whose test rows were answered; without one, the rows make the task."""
    scorers: Sequence[str] = ()
    """Without a task: what answers are scored by."""
    lower_is_better: Sequence[str] = ()
    """Imported metrics that are lower-is-better."""
    missing: Missing = COMMON
    """What becomes of samples that a setup has no answer to."""
    name: str = ""
    """The benchmark's name; the task's, or the first file's, where left empty."""
    data: Path | None = None
    refusals: Sequence[str] = ()
    """Without a task: phrases that count as declining; the default ones where left empty."""
    command: str = ""
