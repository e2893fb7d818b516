"""The notebook of the documentation runs as it stands, in a kernel as Jupyter starts it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from make_notebook import NOTEBOOK, executed, shown

# What differs from run to run: ids and times.
_CHANGING = re.compile(r"\d{8}-\d{6}-\d{6}|\d+ ms|PosixPath.*| +|─+")


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs_and_prints_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = executed(str(tmp_path / "results"))
    html = [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert sum("data:image/svg+xml" in part for part in html) == 2  # the runs
    assert any("<h4>Gates</h4>" in part for part in html)
    assert any("Recommended: lookup" in part for part in html)
    (manifest,) = (tmp_path / "results" / "notebook").glob("*/manifest.json")
    assert "__main__::lookup#" in manifest.read_text()
    kept = nbformat.read(NOTEBOOK, as_version=4)
    for was, now in zip(shown(kept), shown(notebook), strict=True):
        assert list(map(stable, was)) == list(map(stable, now)), "run: python docs/make_notebook.py"


def stable(text: str) -> str:
    return _CHANGING.sub(" ", text)
