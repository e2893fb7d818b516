"""Cards of the adapters that a run trained, read back by the hub's own library."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard

from bakeoff.analysis.measured_run import Run
from bakeoff.cli import main
from bakeoff.core.words import Answer, BakeoffError, Sample, Score
from bakeoff.outputs import model_card
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, Made, made_manifest, task_facts, write_run

TRAINING = {"rows": 9, "tokens": 500, "seconds": 7.0, "peak_memory_mb": 1.0, "curve": []}
RIGHT = {"base": 2, "rag": 4, "fine-tuned": 6, "hybrid": 8}
"""Of ten answers, how many are right."""


def made(folder: Path, adapters: dict[str, str], tune: dict[str, object] | bool = True) -> Run:
    """A run with these adapters: TASK/SETUP -> digest."""
    raw = {
        **{"name": "small", "model": "hf:acme/small@v2", "tune": {"rank": 4}},
        "tasks": [{"qa": {"tune": {"epochs": 7}}}, "more"],
        "setups": {
            "base": {},
            "rag": {"retrieve": True},
            "fine-tuned": {"tune": tune},
            "hybrid": {"tune": tune, "retrieve": True},
        },
    }
    suite = Suite.model_validate(raw)
    tasks = {
        "qa": task_facts(10, {"contains": RATE}, license="CC BY 4.0", dropped=["t9"]),
        "more": task_facts(10, {"contains": RATE}),
    }
    facts = {name: {"digest": digest, "training": TRAINING} for name, digest in adapters.items()}
    samples = {
        task: [Sample(str(n), {"question": f"{n}?"}, ("x",)) for n in range(10)] for task in tasks
    }

    def answered(task: str, setup: str, sample: Sample) -> Made:
        right = int(sample.id) < RIGHT[setup]
        return Made((Answer("x" if right else "y"),), {"contains": Score(float(right))})

    path = folder / "20260101-000000-000000"
    manifest = made_manifest(path.name, suite, tasks, adapters=facts)
    return Run(write_run(path, manifest, samples, answered))


def test_a_card_names_base_model_recipe_data_and_results(tmp_path: Path) -> None:
    run = made(tmp_path, {"qa/fine-tuned": "dd", "qa/hybrid": "dd"})
    command = ["export", str(run.folder), "--format", "model-card", "--output"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "cards")])
    assert done.exit_code == 0, done.output
    assert "cards/fine-tuned.qa/README.md (2 rows)" in done.output
    card = ModelCard.load(tmp_path / "cards" / "fine-tuned.qa" / "README.md")
    assert card.data.base_model == "acme/small"
    assert (card.data.library_name, card.data.base_model_relation) == ("peft", "adapter")
    assert card.data.model_name == "small-fine-tuned.qa"
    found = {r.dataset_config: r for r in card.data.eval_results}
    assert {name: result.metric_value for name, result in found.items()} == {
        "fine-tuned": 0.6,
        "hybrid": 0.8,
    }
    estimate = run.comparison.tasks["qa"].metrics["contains"].setups["hybrid"]
    assert found["hybrid"].metric_args == {"low": estimate.low, "high": estimate.high, "n": 10}
    assert found["hybrid"].dataset_revision == "11"
    for line in (
        "| adapter | dd |",
        "| rank | 4 |",
        # The task's own field comes before the benchmark's recipe.
        "| epochs | 7 |",
        "| training | 7 s, 500 tokens |",
        "| data | qa, license: CC BY 4.0, 1 left out: like a test row |",
    ):
        assert line in card.text
    (row,) = [line for line in card.text.splitlines() if line.startswith("| hybrid | contains")]
    assert "| 0.800 [" in row and "| 0.400 [" in row and "| +0.400 [" in row


def test_each_adapter_has_a_card_and_one_of_all_tasks_has_one(tmp_path: Path) -> None:
    apart = made(tmp_path / "a", {"qa/fine-tuned": "1", "more/fine-tuned": "2"})
    assert [t.name for t in model_card.trained(apart)] == ["fine-tuned.qa", "fine-tuned.more"]
    shared = {f"{task}/{setup}": "1" for task in ("qa", "more") for setup in ("fine-tuned",)}
    joint = made(tmp_path / "b", shared, {"together": True, "method": "full"})
    (one,) = model_card.trained(joint)
    assert (one.name, one.tasks) == ("fine-tuned", ("qa", "more"))
    data = model_card.card(joint, one).data
    assert (data.library_name, data.base_model_relation) == ("transformers", "finetune")
    assert {result.dataset_name for result in data.eval_results or ()} == {"qa", "more"}


def test_a_run_without_training_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match="no adapter was trained in this run"):
        model_card.write(made(tmp_path, {}), tmp_path / "cards")
    assert not (tmp_path / "cards").exists()
