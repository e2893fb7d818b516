"""Writes the outputs of docs/notebooks/quickstart.ipynb again.

    python docs/make_notebook.py

tests/api/test_notebook.py fails where they are no longer what the cells print.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "notebooks" / "quickstart.ipynb"


def executed(results: str) -> nbformat.NotebookNode:
    """The notebook run in a kernel as Jupyter starts it; its runs are written to `results`."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    before = os.environ.get("BAKEOFF_RESULTS")
    os.environ["BAKEOFF_RESULTS"] = results
    try:
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    finally:
        del os.environ["BAKEOFF_RESULTS"]
        if before is not None:
            os.environ["BAKEOFF_RESULTS"] = before
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
    notebook.metadata = {
        "kernelspec": notebook.metadata.kernelspec,
        "language_info": {"name": "python"},
    }
    return notebook


def shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The text that each code cell shows, for comparison."""
    return [
        [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = nbformat.writes(executed(folder))
        NOTEBOOK.write_text(text.replace(folder, "results") + "\n")
