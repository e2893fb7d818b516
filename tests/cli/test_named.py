"""Arguments that name a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.cli.named import TASKS


def test_a_task_is_found_where_a_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of its documents, after which `init` names it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy").mkdir()
    assert TASKS.convert("policy", None, None) == Path("policy")
    own = tmp_path / "tasks" / "policy.yaml"
    own.parent.mkdir()
    own.touch()
    assert TASKS.convert("policy", None, None) == Path("tasks/policy.yaml")
    assert TASKS.convert("tasks", None, None) == Path("tasks")
