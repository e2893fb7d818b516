"""A judge that is the model of a setup: told before a run, at its start, and in its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff.testing import Reply, Request, completion, fake_endpoint
from conftest import Cli, write_project

TOLD = "judge:m judges answers of m itself (base): judges favour their own answers"
BENCHMARK = """\
tasks: [tiny]
endpoints: {{judge: {{url: "{url}/v1"}}, again: {{url: "{url}/v1"}}}}
setups: {{base: {{model: "{model}"}}, mine: {{call: "../bot.py::answer"}}}}
latency: {{samples: 0}}
"""


def reply(_: Request) -> Reply:
    """An answer and a verdict in one."""
    return completion(json.dumps({"correct": True, "why": "It is right."}))


@pytest.mark.parametrize(
    ("model", "times"), [("judge:m", 1), ("again:m", 1), ("judge:n", 0)], ids=str
)
def test_a_judge_of_its_own_answers_is_told_once_by_plan_run_and_report(
    model: str, times: int, tmp_path: Path, cli: Cli
) -> None:
    file = write_project(tmp_path)
    task = tmp_path / "tasks" / "tiny.yaml"
    lines = [line for line in task.read_text().splitlines() if not line.startswith("scorers")]
    judged = ("", "#2")
    names = ", ".join(f"\"judged_correct(verifier='judge:m{opinion}')\"" for opinion in judged)
    task.write_text("\n".join([*lines, f"scorers: [contains, {names}]"]))
    with fake_endpoint(reply) as endpoint:
        file.write_text(BENCHMARK.format(url=endpoint.url, model=model))
        plan = cli("plan", file, cwd=tmp_path)
        assert plan.returncode == 0, plan.stderr
        assert not endpoint.asked
        run = cli("run", file, "--no-mlflow", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    (report,) = tmp_path.glob("results/smallest/*/report.md")
    page = report.with_name("report.html").read_text()
    for text in (plan.stdout, run.stdout + run.stderr, report.read_text(), page):
        assert " ".join(text.split()).count(TOLD) == times
