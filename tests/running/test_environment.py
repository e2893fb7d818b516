"""The variables that commands know, and what holds where one is not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.running.environment import environment

NAMES = (
    *("BAKEOFF_CACHE", "BAKEOFF_RESULTS", "BAKEOFF_DATA", "BAKEOFF_WEBHOOK", "XDG_CACHE_HOME"),
    *("MLFLOW_TRACKING_URI", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "FORCE_COLOR"),
    *("DISPLAY", "WAYLAND_DISPLAY"),
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_means_the_usual_folders_and_no_server() -> None:
    known = environment()
    assert (known.cache, known.results, known.data) == ("~/.cache/bakeoff", "results", "")
    assert (known.tracking_uri, known.webhook, known.step_summary) == ("", "", "")
    assert not (known.workflow or known.coloured or known.display)


def test_a_folder_for_caches_gives_way_to_one_for_this_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment().cache == str(tmp_path / "bakeoff")
    monkeypatch.setenv("BAKEOFF_CACHE", "here")
    assert environment().cache == "here"


def test_a_workflow_says_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "false")
    assert not environment().workflow
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert environment().workflow
