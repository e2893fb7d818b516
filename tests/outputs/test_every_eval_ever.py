"""Records of a run in the shared format, held against the fields that its schema 0.3.0 states."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.core.words import Answer, Failure, MissingEvidence, Sample, Score, Step
from bakeoff.outputs.every_eval_ever.written import write
from bakeoff.runs.manifest import MetricFacts
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, Made, made_manifest, task_facts
from bakeoff.testing import write_run as write_made

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def has(optional: dict[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    fields = {**required, **(optional or {})}
    return {
        **{"type": "object", "properties": fields, "required": list(required)},
        "additionalProperties": False,
    }


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


LIBRARY = has(name=TEXT, version=TEXT)
AVAILABLE = {
    **TEXTS,
    "required": ["deployment_type", "model_availability"],
    "properties": {
        "deployment_type": one_of("self_deployed", "externally_managed", "unknown"),
        "model_availability": one_of("open_weights", "closed_weights", "unknown"),
    },
}
METRIC = {
    **has(
        {
            **{"metric_id": TEXT, "metric_name": TEXT, "metric_unit": TEXT},
            **{"min_score": NUMBER, "max_score": NUMBER, "evaluation_description": TEXT},
            "score_type": one_of("binary", "continuous", "levels"),
            "additional_details": TEXTS,
        },
        lower_is_better={"type": "boolean"},
    ),
    # A continuous metric states where it ends.
    "if": {"required": ["score_type"], "properties": {"score_type": {"const": "continuous"}}},
    "then": {"required": ["min_score", "max_score"]},
}
INTERVAL = has({"confidence_level": NUMBER, "method": TEXT}, lower=NUMBER, upper=NUMBER)
RESULT = has(
    {
        **{"evaluation_result_id": TEXT, "evaluation_timestamp": TEXT},
        "generation_config": has(
            {
                "generation_args": has({"temperature": NUMBER, "execution_command": TEXT}),
                "additional_details": TEXTS,
            }
        ),
    },
    evaluation_name=TEXT,
    source_data=has(
        {"additional_details": TEXTS}, dataset_name=TEXT, source_type={"const": "other"}
    ),
    metric_config=METRIC,
    score_details=has(
        {
            "details": TEXTS,
            "uncertainty": has({"confidence_interval": INTERVAL, "num_samples": WHOLE}),
        },
        score=NUMBER,
    ),
)
RECORD = has(
    {
        "evaluation_timestamp": TEXT,
        "detailed_evaluation_results": has(
            {"hash_algorithm": one_of("sha256", "md5"), "checksum": TEXT, "total_rows": WHOLE},
            format={"const": "jsonl"},
            file_path={
                "type": "string",
                "pattern": rf"^data/[^/]+/[^/]+/[^/]+/{UUID4}_samples\.jsonl$",
            },
        ),
    },
    schema_version={"const": "0.3.0"},
    evaluation_id=TEXT,
    retrieved_timestamp=TEXT,
    source_metadata=has(
        {"source_name": TEXT, "additional_details": TEXTS},
        source_type=one_of("documentation", "evaluation_run"),
        source_organization_name=TEXT,
        evaluator_relationship=one_of("first_party", "third_party", "collaborative", "other"),
    ),
    eval_library=LIBRARY,
    model_info=has(
        {"developer": TEXT, "inference_engine": LIBRARY},
        name=TEXT,
        id=TEXT,
        additional_details=AVAILABLE,
    ),
    evaluation_results=listed(RESULT),
)
ROW = has(
    {
        **{"evaluation_result_id": TEXT, "sample_hash": TEXT, "error": TEXT, "metadata": TEXTS},
        "output": has({}, raw=listed(TEXT)),
        "token_usage": has({}, input_tokens=WHOLE, output_tokens=WHOLE, total_tokens=WHOLE),
    },
    **{"schema_version": {"const": "0.3.0"}, "evaluation_id": TEXT, "model_id": TEXT},
    evaluation_name=TEXT,
    sample_id=TEXT,
    interaction_type={"const": "single_turn"},
    input=has({}, raw=TEXT, reference=listed(TEXT)),
    answer_attribution=listed(
        has(
            {},
            turn_idx=WHOLE,
            **{"source": TEXT, "extracted_value": TEXT, "extraction_method": TEXT},
            is_terminal={"type": "boolean"},
        )
    ),
    evaluation=has({}, score=NUMBER, is_correct={"type": "boolean"}),
)

SERVED = {
    "name": "small",
    "model": "there:acme/small",
    "endpoints": {"there": {"url": "http://127.0.0.1:9/v1"}},
    "tasks": ["qa"],
    "setups": {
        "base": {},
        "fine-tuned": {"tune": "acme/small-tuned"},
        "local": {"model": "hf:org/tiny@main"},
        "mine": {"call": "./bot.py::answer"},
    },
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Four samples: two right, one wrong and unjudged by `faithfulness`, one failed."""
    suite = Suite.model_validate(SERVED)
    unbounded = MetricFacts(higher_is_better=False, bounds=None, about="Words.")
    metrics = {"contains": RATE, "faithfulness": RATE, "words": unbounded}
    facts = {"qa": task_facts(4, metrics, license="CC0")}
    samples = [
        Sample(str(n), {"question": f"What is {n}?"}, ("x", "y"), tags={"hops": "one"})
        for n in range(4)
    ]

    def made(task: str, setup: str, sample: Sample) -> Made:
        n = int(sample.id)
        if n == 3:
            worst = Score(0.0, "failed")
            return Made((Failure("timeout"),), {"contains": worst, "faithfulness": worst})
        scores = {
            "contains": Score(float(n < 2)),
            "faithfulness": Score(None, "no claims") if n == 2 else Score(1.0),
            "words": Score(12.0),
        }
        return Made((Answer(f"x {n}", steps=(Step("decode", None, 20, 0, 3),)),), scores)

    path = tmp_path / "20260101-000000-000000"
    manifest = made_manifest(path.name, suite, facts, versions={"bakeoff": "0.1.0"})
    return Run(write_made(path, manifest, {"qa": samples}, made))


def entries(folder: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of a setup, and its rows."""
    records = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    (record,) = [r for r in records if r["model_info"]["additional_details"].get("setup") == name]
    rows = folder / record["detailed_evaluation_results"]["file_path"]
    return record, [json.loads(line) for line in rows.read_text().splitlines()]


@pytest.mark.parametrize("name", SERVED["setups"])
def test_records_and_rows_have_the_fields_of_the_schema(
    run: Run, tmp_path: Path, name: str
) -> None:
    written = write(run, tmp_path / "out", "Acme")
    assert len(written) == 8
    record, rows = entries(tmp_path / "out", name)
    Draft7Validator(RECORD).validate(record)
    for row in rows:
        Draft7Validator(ROW).validate(row)
        assert row["evaluation_id"] == record["evaluation_id"]
        assert row["model_id"] == record["model_info"]["id"]
    known = {result["evaluation_result_id"] for result in record["evaluation_results"]}
    assert {row["evaluation_result_id"] for row in rows} <= known
    about = record["detailed_evaluation_results"]
    content = (tmp_path / "out" / about["file_path"]).read_bytes()
    assert about["checksum"] == hashlib.sha256(content).hexdigest()
    assert about["total_rows"] == len(rows)


def test_scores_are_those_of_the_comparison(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path / "out", "Acme")
    record, rows = entries(tmp_path / "out", "base")
    found = {r["evaluation_result_id"]: r for r in record["evaluation_results"]}
    contains = found["qa/contains"]
    estimate = run.comparison.tasks["qa"].metrics["contains"].setups["base"]
    # Two of four: what failed is a wrong answer.
    assert contains["score_details"]["score"] == 0.5
    assert contains["score_details"]["uncertainty"] == {
        "confidence_interval": {
            **{"lower": estimate.low, "upper": estimate.high, "confidence_level": 0.95},
            "method": estimate.method,
        },
        "num_samples": 4,
    }
    assert (contains["metric_config"]["min_score"], contains["metric_config"]["max_score"]) == (
        0,
        1,
    )
    assert found["qa/faithfulness"]["score_details"]["details"] == {"unjudged": "1"}
    assert "score_type" not in found["qa/words"]["metric_config"]
    assert found["qa/words"]["metric_config"]["lower_is_better"] is True
    assert record["source_metadata"]["source_organization_name"] == "Acme"
    scored = [
        (r["sample_id"], r["evaluation"]) for r in rows if "contains" in r["evaluation_result_id"]
    ]
    assert scored == [
        ("0", {"score": 1.0, "is_correct": True}),
        ("1", {"score": 1.0, "is_correct": True}),
        ("2", {"score": 0.0, "is_correct": False}),
        ("3", {"score": 0.0, "is_correct": False}),
    ]
    # What could not be judged has no row, and no 0.
    judged = [r["sample_id"] for r in rows if "faithfulness" in r["evaluation_result_id"]]
    assert judged == ["0", "1", "3"]


def test_a_row_says_what_was_asked_answered_and_taken(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path / "out")
    _, rows = entries(tmp_path / "out", "base")
    first = rows[0]
    assert first["input"] == {"raw": "What is 0?", "reference": ["x", "y"]}
    assert first["output"] == {"raw": ["x 0"]}
    assert first["token_usage"] == {"input_tokens": 20, "output_tokens": 3, "total_tokens": 23}
    assert first["sample_hash"] == hashlib.sha256(b"What is 0?xy").hexdigest()
    assert first["metadata"] == {"hops": "one", "repeat": "0"}
    failed = next(row for row in rows if row["sample_id"] == "3")
    assert (failed["output"], failed["answer_attribution"]) == ({"raw": []}, [])
    assert (failed["error"], failed["metadata"]["reason"]) == ("timeout", "failed")


@pytest.mark.parametrize(
    ("name", "identity", "deployed", "weights"),
    [
        ("base", "there/small", "unknown", "unknown"),
        ("fine-tuned", "there/small-tuned-fine-tuned", "unknown", "unknown"),
        ("local", "org/tiny", "self_deployed", "open_weights"),
        ("mine", "local/small-mine", "unknown", "unknown"),
    ],
)
def test_a_setup_is_named_by_its_model_and_by_itself(
    run: Run, tmp_path: Path, name: str, identity: str, deployed: str, weights: str
) -> None:
    write(run, tmp_path / "out")
    record, _ = entries(tmp_path / "out", name)
    model = record["model_info"]
    assert model["id"] == identity
    details = model["additional_details"]
    assert (details["deployment_type"], details["model_availability"]) == (deployed, weights)
    path = record["detailed_evaluation_results"]["file_path"]
    assert path.startswith(f"data/small/{identity}/")
    relation = record["source_metadata"]["evaluator_relationship"]
    assert relation == ("other" if name in ("base", "local") else "first_party")


def test_the_same_run_goes_into_the_same_files(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["export", str(run.folder), "--format", "every-eval-ever", "--output", str(out)]
    for _ in range(2):
        done = CliRunner().invoke(main, [*command, "--organization", "Acme"])
        assert done.exit_code == 0, done.output
    files = [path.relative_to(out).as_posix() for path in out.rglob("*.json*")]
    assert len(files) == 8
    assert all(re.search(rf"/{UUID4}(_samples\.jsonl|\.json)$", name) for name in files)


def test_a_run_that_is_not_whole_is_refused(run: Run, tmp_path: Path) -> None:
    manifest = run.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"interrupted"'))
    with pytest.raises(MissingEvidence, match="interrupted"):
        write(Run(run.folder), tmp_path / "out")
