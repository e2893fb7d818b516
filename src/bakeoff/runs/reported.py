"""Whether the command that made a run came to its end: report written, sent where it is to go."""

from __future__ import annotations

from pathlib import Path

from bakeoff.core import disk

UNREPORTED = "unreported"
"""A mark in the folder, from a run's beginning until its command has reported it."""


def unreported(run: Path) -> bool:
    """Whether the command that made a run ended before it had reported it all."""
    return (run / UNREPORTED).exists()


def mark_unreported(run: Path) -> None:
    """Set the mark: a run has begun, or goes on."""
    with disk.refusals(run):
        (run / UNREPORTED).touch()


def mark_reported(run: Path) -> None:
    """Take the mark away: the same command makes a new run from here on."""
    with disk.refusals(run):
        (run / UNREPORTED).unlink(missing_ok=True)
