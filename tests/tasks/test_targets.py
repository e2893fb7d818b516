"""Targets as rows hold them, and those that a task's metrics cannot compare with."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.audit import audit
from bakeoff.tasks.inspection import inspect_rows
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


def declining(folder: Path, targets: list[str], **fields: Any) -> Path:
    """The same of a task whose questions may have no answer."""
    return write_task(
        folder, targets, **{"refusal": {"say": "unknown"}, "scorers": ["contains"], **fields}
    )


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx"])
@pytest.mark.parametrize(
    ("cell", "targets"),
    [
        ('["30 months", "thirty months"]', ("30 months", "thirty months")),
        (' ["2.5 years"] ', ("2.5 years",)),
        ("[]", ()),
        ("30 months; thirty months", ("30 months; thirty months",)),
        ("30 months|thirty months", ("30 months|thirty months",)),
        ("[30, 31]", ("[30, 31]",)),
        ("['30 months']", ("['30 months']",)),
        ("[sic] thirty", ("[sic] thirty",)),
    ],
)
def test_a_cell_with_a_json_list_of_texts_holds_several_targets(
    cell: str, targets: tuple[str, ...], ending: str, tmp_path: Path
) -> None:
    rows = [("ask", "answer", "gold"), ("How long?", cell, '["lease", "car"]')]
    write_table(tmp_path / f"test.{ending}", rows)
    for name in ("lease", "car"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n")
    task = load_task(
        declining(
            tmp_path,
            [],
            rows={"test": f"test.{ending}"},
            columns={"question": "ask", "targets": "answer"},
            corpora={"all": {"documents": "*.md"}},
        )
    )
    assert [(s.targets, s.gold) for s in task.samples] == [(targets, ("lease", "car"))]


def write_table(file: Path, rows: Sequence[tuple[str, ...]]) -> None:
    if file.suffix == ".xlsx":
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append(row)
        workbook.save(file)
        return
    with file.open("w", newline="") as stream:
        csv.writer(stream, delimiter="\t" if file.suffix == ".tsv" else ",").writerows(rows)


def test_a_list_that_is_no_list_of_texts_is_refused_as_in_json(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [("question", "targets"), ("How long?", '["a", 3]')])
    with pytest.raises(BakeoffError, match=r"targets: must be texts, found \['a', 3\]"):
        load_task(declining(tmp_path, [], rows={"test": "a.csv"}))


def test_where_json_is_compared_a_list_in_a_cell_is_the_answer(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", [("question", "targets"), ("Which?", '["a", "b"]')])
    task = load_task(declining(tmp_path, [], rows={"test": "a.csv"}, scorers=["exact_json"]))
    assert task.samples[0].targets == ('["a", "b"]',)


def test_a_text_in_json_lines_is_one_target(tmp_path: Path) -> None:
    task = load_task(declining(tmp_path, ['["a", "b"]']))
    assert task.samples[0].targets == ('["a", "b"]',)


def test_lists_in_cells_are_understood_without_a_task_file(tmp_path: Path) -> None:
    write_table(
        tmp_path / "a.csv",
        [("ask", "answer", "doc"), ("How long?", "a year", '["lease", "car"]')],
    )
    seen = inspect_rows(tmp_path / "a.csv", ["lease", "car"])
    assert seen.mapping["gold"] == "doc"
