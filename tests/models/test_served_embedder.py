"""An embedding service that gives no usable vectors stops a run, which can be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bakeoff.cli.app import main
from bakeoff.testing import Reply, Request, completion, fake_endpoint


def vectors(row: list[object]) -> Any:
    """A service whose every vector is `row`, and whose model says "left"."""

    def reply(request: Request) -> Reply:
        texts = request.body.get("input")
        if texts is None:
            return completion("left")
        return Reply({"data": [{"index": n, "embedding": row} for n in range(len(texts))]})

    return reply


def bench(folder: Path, url: str) -> Path:
    row = {"id": "q", "question": "Where is the oar?", "targets": ["left"]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "notes").mkdir()
    (folder / "notes" / "boat.md").write_text("The oar lies on the left.\n")
    task = {
        "description": "",
        "rows": {"test": "rows.jsonl"},
        "corpora": {"notes": {"documents": "notes/*.md"}},
        "scorers": ["exact_match"],
    }
    (folder / "boat.yaml").write_text(json.dumps(task))
    whole = {
        "description": "",
        "endpoints": {"house": {"url": url, "attempts": 2, "stream": "never"}},
        "model": "house:small",
        "tasks": ["boat.yaml"],
        "setups": {"rag": {"retrieve": {"embedder": "house:vectors", "k": 1}}},
        "latency": {"samples": 0},
    }
    (folder / "bench.yaml").write_text(json.dumps(whole))
    return folder / "bench.yaml"


@pytest.mark.parametrize(
    ("row", "why"),
    [([0.0, 0.0], "is all zeros"), ([None, 1.0], "holds null in place of numbers")],
)
def test_bad_vectors_of_a_service_stop_the_run_as_a_service_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: list[object], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with fake_endpoint(vectors(row)) as endpoint:
        path = bench(tmp_path, f"{endpoint.url}/v1")
        done = CliRunner().invoke(main, ["run", str(path), "--no-mlflow"])
    assert done.exit_code == 20, done.output
    assert why in done.output and "oar" in done.output
