"""Which answers precede the timed ones: a model that has just answered needs no warm-up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import words_project
from bakeoff.core.progress import PlainProgress
from bakeoff.models.local import LocalModel
from bakeoff.running.planning import planned
from bakeoff.running.run import run
from bakeoff.setups.builder import Workspace
from families import FAMILIES

BENCHMARK = """
tasks: [words, others]
model: MODEL
setups: {plain: {}, again: {}}
latency: {samples: 2, warmup: 3}
"""
# Of two setups the first is asked twice in each of two turns.
TIMED = 6


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a prompt was answered alone, by its task, in a project of two tasks."""
    words_project.write_project(tmp_path)
    FAMILIES["qwen2"].write(tmp_path / "model")
    task = (tmp_path / "tasks" / "words.yaml").read_text()
    (tmp_path / "tasks" / "words.yaml").write_text(f"{task}system: words\nmax_tokens: 4\n")
    (tmp_path / "tasks" / "others.yaml").write_text(f"{task}system: others\nmax_tokens: 4\n")
    (tmp_path / words_project.FILE).write_text(BENCHMARK.replace("MODEL", str(tmp_path / "model")))
    counted: Counter[str] = Counter()
    timed = LocalModel.timed

    def counting(self: LocalModel, prompt: str, *given: object) -> object:
        counted["others" if "others" in prompt else "words"] += 1
        return timed(self, prompt, *given)

    monkeypatch.setattr(LocalModel, "timed", counting)
    return counted


def test_a_model_of_this_process_is_warm_once_it_has_answered(
    tmp_path: Path, asked: Counter[str]
) -> None:
    place = Workspace(tmp_path / "cache", tmp_path / "results")
    file = tmp_path / words_project.FILE
    run(planned(file, None), place, PlainProgress(lambda _: None))
    # The setups ask the same: the second one's answers came from the cache.
    assert asked == {"words": TIMED + 3, "others": TIMED}
    asked.clear()
    # Now the cache has all answers: both are warmed up, before the first task alone.
    run(planned(file, None), place, PlainProgress(lambda _: None))
    assert asked == {"words": TIMED + 2 * 3, "others": TIMED}
