"""The report of a run in its folder: Markdown, page and plots."""

from __future__ import annotations

from pathlib import Path

from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.outputs.page import html
from bakeoff.outputs.tables.markdown import markdown

REPORT = "report.md"


def write(run: Run) -> Path:
    """Write the report, each file whole or not at all; where the Markdown is."""
    path = run.folder / REPORT
    disk.replace(path, [markdown(run)])
    html.write(run)
    return path
