"""The kinds of files that people write, and the models that read them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bakeoff.decide.advice.needs import Needs
from bakeoff.decide.cost.prices import Prices
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.policy import Gates
from bakeoff.spec.schema import json_schema
from bakeoff.spec.task import TaskFile
from bakeoff.spec.yaml_files import File

FILES: Mapping[str, type[File]] = {
    "task": TaskFile,
    "benchmark": Suite,
    "gates": Gates,
    "prices": Prices,
    "needs": Needs,
}


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of file, as a file of it holds it."""
    schema = json_schema(FILES[kind], f"bakeoff {kind} file")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
