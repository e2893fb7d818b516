"""Names of files that come with the program, and what is found before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.spec.shipped import BENCHMARKS, PRICES, TASKS, find, folder, names, shipped, shown
from bakeoff.spec.task import task_path
from conftest import ROOT


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_shipped_benchmark_is_named_outside_a_clone(elsewhere: Path) -> None:
    file = find("quickstart", BENCHMARKS)
    assert file.is_file()
    assert shown(file) == "quickstart"
    assert find("own-machine", PRICES).is_file()
    assert folder(TASKS) == shipped() / "tasks"


def test_ones_own_file_comes_before_a_shipped_one_of_its_name(elsewhere: Path) -> None:
    own = Path("benchmarks/quickstart.yaml")
    own.parent.mkdir()
    own.touch()
    assert find("quickstart", BENCHMARKS) == own
    assert shown(own) == "benchmarks/quickstart.yaml"
    assert shown(shipped() / own).endswith("/benchmarks/quickstart.yaml")
    assert find(shown(shipped() / own), BENCHMARKS).resolve() == shipped() / own


def test_a_name_is_not_the_folder_that_is_called_so(elsewhere: Path) -> None:
    """As that of the documents, after which `init` names a benchmark."""
    Path("policy").mkdir()
    with pytest.raises(BakeoffError, match="policy: is a folder; name a file"):
        find("policy", BENCHMARKS)
    own = Path("benchmarks/policy.yaml")
    own.parent.mkdir()
    own.touch()
    assert find("policy", BENCHMARKS) == own
    with pytest.raises(BakeoffError, match="policy: is a folder; name a file"):
        find("policy/", BENCHMARKS)


def test_in_a_clone_a_benchmark_is_recorded_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert shown(find("quickstart", BENCHMARKS)) == "benchmarks/quickstart.yaml"


def test_a_path_is_taken_as_it_is(elsewhere: Path) -> None:
    assert find("nowhere/quickstart.yaml", BENCHMARKS) == Path("nowhere/quickstart.yaml")
    Path("plain").touch()
    assert find("plain", BENCHMARKS) == Path("plain")


def test_an_unknown_name_is_answered_with_the_nearest(elsewhere: Path) -> None:
    with pytest.raises(BakeoffError, match=r"'quickstrat': no file.*did you mean 'quickstart'"):
        find("quickstrat", BENCHMARKS)
    assert {"quickstart", "pattern", "freshness"} <= set(names(BENCHMARKS))


def test_a_benchmark_of_ones_own_may_use_shipped_tasks(elsewhere: Path) -> None:
    assert task_path("handbook_qa", Path("benchmarks/mine.yaml")).is_file()
    Path("tasks").mkdir()
    Path("tasks/handbook_qa.yaml").touch()
    assert task_path("handbook_qa", Path("benchmarks/mine.yaml")) == Path.cwd() / (
        "tasks/handbook_qa.yaml"
    )
