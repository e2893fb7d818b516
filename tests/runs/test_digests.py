"""Digests of a task: read by name, on disk one flat mapping in the order of the parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bakeoff.core.words import MissingEvidence
from bakeoff.runs.digests import TaskDigests
from bakeoff.runs.store import read_manifest
from bakeoff.testing.runs import task_facts
from conftest import ROOT

KEPT = ROOT / "tests" / "fixtures" / "runs"

PARTS = {"task": "t0", "prompt": "p1", "test": "s2", "train": "r3", "corpus:notes": "c4"}


def test_the_parts_are_read_by_name_and_written_as_one_mapping() -> None:
    facts = task_facts(3, digests=PARTS)
    digests = facts.digests
    assert (digests.prompt, digests.test, digests.train) == ("p1", "s2", "r3")
    assert digests.corpora == {"corpus:notes": "c4"} and digests.corpus("notes") == "c4"
    assert [*facts.model_dump(mode="json")["digests"].items()] == [*PARTS.items()]


def test_a_run_of_before_has_no_digest_of_the_scoring() -> None:
    assert TaskDigests(PARTS).scoring == ""
    assert TaskDigests({**PARTS, "scoring": "k5"}).scoring == "k5"


def test_a_manifest_without_a_digest_that_every_run_has_is_refused_with_its_place(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(KEPT / "made", folder)
    raw = json.loads((folder / "manifest.json").read_text())
    task = next(iter(raw["tasks"]))
    for part in ("prompt", "test"):
        del raw["tasks"][task]["digests"][part]
        (folder / "manifest.json").write_text(json.dumps(raw))
        with pytest.raises(MissingEvidence, match=rf"tasks.{task}.digests: no digest of .*{part}"):
            read_manifest(folder)
