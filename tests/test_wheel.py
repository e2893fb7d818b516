"""What `pip install` brings: the program with its tasks and benchmarks, outside a clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from conftest import ROOT

PARTS = ("src", "tasks", "benchmarks", "pyproject.toml", "setup.py", "README.md", "LICENSE")
# What would let the sources stand in for what was installed.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "BAKEOFF_RESULTS")}
QUIET = ("--disable-pip-version-check", "--quiet", "--no-deps", "--no-index")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program's file in an environment that has the wheel, and the libraries of this one."""
    source, venv = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("venv")
    for part in PARTS:
        if (ROOT / part).is_dir():
            without = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / part, source / part, ignore=without)
        else:
            shutil.copyfile(ROOT / part, source / part)
    pip = [sys.executable, "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", *QUIET, "--no-build-isolation", "--wheel-dir", source / "built", source],
        check=True,
        env=ENVIRONMENT,
    )
    (wheel,) = (source / "built").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    subprocess.run([*pip, "--python", venv, "install", *QUIET, wheel], check=True, env=ENVIRONMENT)
    (packages,) = venv.glob("lib/*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin" / "bakeoff"


def call(program: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_shipped_benchmark_is_planned_by_its_name(installed: Path, tmp_path: Path) -> None:
    planned = call(installed, "plan", "quickstart", cwd=tmp_path)
    assert "handbook_qa" in planned
    assert "ticket_triage" in planned


@pytest.mark.slow
def test_the_shipped_tasks_are_listed(installed: Path, tmp_path: Path) -> None:
    assert "python_docs" in call(installed, "tasks", cwd=tmp_path)


@pytest.mark.slow
def test_ones_own_function_runs_on_a_shipped_task(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("def answer(sample):\n    return 'unknown'\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "mine.yaml").write_text(
        "tasks: [ticket_triage: {limit: 8}]\nsetups: {mine: {call: '../bot.py::answer'}}\n"
        "latency: {samples: 1}\n"
    )
    assert "ticket_triage" in call(installed, "run", "mine", "--no-mlflow", cwd=tmp_path)
    (manifest,) = tmp_path.glob("results/mine/*/manifest.json")
    assert str(tmp_path) not in manifest.read_text()
    again = call(installed, "score", "latest", cwd=tmp_path)
    assert manifest.parent.name in again
