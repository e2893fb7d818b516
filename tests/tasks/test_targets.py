"""Targets that a task's metrics cannot compare with, told when the task is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.audit import audit
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
    assert "the key 'a' occurs twice" in str(caught.value)
    load_task(write_task(tmp_path, ["a: 1"], scorers=["json_valid"]))


ALIKE = ["1.5", "15", "C", "C++", "the -5", "6.40", "6.40."]


def test_targets_that_only_squads_form_takes_for_each_other_are_told_where_it_is_used(
    tmp_path: Path,
) -> None:
    path = write_task(tmp_path, ALIKE, scorers=["contains", "length_in_range(most=8)"])
    suite = Suite.model_validate({"name": "b", "tasks": ["qa"], "setups": {"base": {}}})
    found = audit(load_task(path), suite)["same_in_squad_form"]
    assert (found.count, found.of, found.warns) == (4, 7, True)
    assert found.first[0] == "r0 ('1.5' = '15')"
    strict = load_task(
        write_task(tmp_path, ALIKE, normalization="strict", scorers=["contains", "token_f1"])
    )
    assert "same_in_squad_form" not in {found.name for found in audit(strict, suite).findings}


def test_labels_that_differ_in_case_or_separators_alone_are_refused(tmp_path: Path) -> None:
    labels = ["+1", "-1", "card", "Card"]
    path = write_task(tmp_path, labels, scorers=["accuracy"], labels=labels)
    with pytest.raises(BakeoffError, match="labels: 'card' and 'Card' differ in case or"):
        load_task(path)
    load_task(write_task(tmp_path, labels[:3], scorers=["accuracy"], labels=labels[:3]))
