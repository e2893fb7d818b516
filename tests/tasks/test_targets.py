"""Targets that a task's metrics cannot compare with, told when the task is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.load import load_task


def write_task(folder: Path, targets: list[str], **fields: Any) -> Path:
    """A task whose rows have one target each."""
    rows = [{"id": f"r{n}", "question": f"Row {n}?", "targets": t} for n, t in enumerate(targets)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"description": "d", "rows": {"test": "rows.jsonl"}, **fields}
    (folder / "qa.yaml").write_text(yaml.safe_dump(task))
    return folder / "qa.yaml"


@pytest.mark.parametrize("metric", ["field_f1", "exact_json(lenient=False)"])
def test_targets_that_are_no_json_are_refused_where_fields_are_compared(
    tmp_path: Path, metric: str
) -> None:
    path = write_task(tmp_path, ['{"a": 1}', "a: 1", '{"a": 1, "a": 2}'], scorers=[metric])
    with pytest.raises(BakeoffError) as caught:
        load_task(path)
    assert "row 'r0'" not in str(caught.value)
    assert "row 'r1': targets: no JSON, as " in str(caught.value)
    assert "row 'r2': targets: no JSON" in str(caught.value)
    assert "the key 'a' stands twice" in str(caught.value)
    load_task(write_task(tmp_path, ["a: 1"], scorers=["json_valid"]))
