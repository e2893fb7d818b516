"""The tools whose files are recognized, one module each."""

from __future__ import annotations

from pathlib import Path

from bakeoff.core.hints import did_you_mean
from bakeoff.core.plugins import Registry
from bakeoff.core.words import BakeoffError
from bakeoff.running.importing.importers import inspect_logs, lm_eval, promptfoo, rag_rows, traces
from bakeoff.running.importing.sources import Importer

IMPORTERS: Registry[Importer] = Registry(
    "importers",
    {
        "lm-eval": Importer("samples of lm-evaluation-harness", lm_eval.recognizes, lm_eval.rows),
        "inspect": Importer("logs of inspect", inspect_logs.recognizes, inspect_logs.rows),
        "promptfoo": Importer("results of promptfoo", promptfoo.recognizes, promptfoo.rows),
        "rag": Importer(
            "rows of a RAG evaluation (ragas, deepeval)", rag_rows.recognizes, rag_rows.rows
        ),
        "traces": Importer("traces of OpenTelemetry or MLflow", traces.recognizes, traces.rows),
    },
)
"""Name of a format -> its importer; the first that recognizes a file reads it."""


def importer_named(name: str) -> Importer:
    """The importer of a format. Raises `BakeoffError` where there is none of that name."""
    importer = IMPORTERS.find(name)
    if importer is None:
        known = IMPORTERS.names()
        raise BakeoffError(f"'{name}': no such format{did_you_mean(name, known)}")
    return importer


def format_of(file: Path) -> str:
    """The format that recognizes a file; empty where it is of none that is known."""
    return next((name for name, i in IMPORTERS.everything() if i.recognizes(file)), "")
