"""The reference of files and the committed schemas: fresh, whole, true of the files that load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bakeoff.running.file_kinds import FILES
from bakeoff.spec.schema import json_schema
from bakeoff.spec.yaml_files import read_yaml, validated
from conftest import ROOT
from make_reference import written
from reference_examples import EXAMPLES, LEAST


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_what_is_made_from_the_models_is_fresh(path: Path) -> None:
    fresh = written()[path]
    assert path.read_text() == fresh, "run: python docs/make_reference.py"


def parts() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind of file, model of a part of it, its schema."""
    for kind, model in FILES.items():
        whole = json_schema(model, kind)
        yield from ((kind, name, part) for name, part in whole.get("$defs", {}).items())
        yield kind, model.__name__, whole


@pytest.mark.parametrize(("kind", "name", "schema"), parts(), ids=lambda value: str(value)[:20])
def test_every_field_is_described_and_has_an_example(
    kind: str, name: str, schema: dict[str, Any]
) -> None:
    shown = "\n".join(EXAMPLES[name])
    for field, about in schema["properties"].items():
        assert about["description"], f"{name}.{field}"
        assert re.search(rf"\b{field}:", shown), f"{name}.{field} in no example"


def examples() -> Iterator[tuple[str, str]]:
    for kind, name, _ in parts():
        yield from ((kind, example) for example in EXAMPLES[name])


@pytest.mark.parametrize(("kind", "example"), dict.fromkeys(examples()))
def test_every_example_loads_and_its_schema_accepts_it(
    kind: str, example: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(example)
    whole = {**yaml.safe_load(LEAST[kind]), **read_yaml(file)}
    assert validated(FILES[kind], file, whole)
    check(kind, whole)


def check(kind: str, value: Any) -> None:
    """By the schema, as an editor reads the file: a date is a text, 1e-3 a number."""
    jsonschema.validate(as_read_by_an_editor(value), json_schema(FILES[kind], kind))


def as_read_by_an_editor(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_read_by_an_editor(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_read_by_an_editor(part) for part in value]
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?e-?\d+", value):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


SHIPPED = {
    "task": sorted(ROOT.glob("tasks/*.yaml")),
    "benchmark": sorted(ROOT.glob("benchmarks/*.yaml")),
    "prices": sorted(ROOT.glob("benchmarks/prices/*.yaml")),
    "needs": sorted(ROOT.glob("benchmarks/needs/*.yaml")),
}


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind, paths in SHIPPED.items() for path in paths],
    ids=lambda value: getattr(value, "stem", value),
)
def test_the_schemas_accept_every_shipped_file(kind: str, path: Path) -> None:
    check(kind, read_yaml(path))


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("task", "{description: d, rows: {test: t}, scorers: [contains], promt: x}", "promt"),
        ("benchmark", "{tasks: [a], setups: {rag: {retrieve: {kk: 3}}}}", "kk"),
        ("benchmark", "{tasks: [a], setups: {}, latency: {samples: -1}}", "-1"),
        ("benchmark", "{setups: {base: {}}}", "tasks"),
    ],
)
def test_the_schemas_refuse_what_a_file_may_not_hold(kind: str, text: str, message: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=message):
        check(kind, yaml.safe_load(text))


def test_the_program_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    from bakeoff.cli import main

    main(["schema", "gates"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["title"] == "bakeoff gates file"
