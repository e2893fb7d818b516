"""Runs that were written before manifests, scores and verdicts had types are read as they were."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.analysis.measured_run import GATES, Run
from bakeoff.core.words import BakeoffError
from bakeoff.decide.gates.judging import judged, verdicts_of
from bakeoff.runs.opened import IndexFacts, IndexWork
from bakeoff.runs.store import (
    MANIFEST,
    read_manifest,
    read_verdicts,
    write_manifest,
    write_verdicts,
)
from bakeoff.runs.verdicts import State, Verdict, Verdicts
from bakeoff.spec import names
from conftest import ROOT

KEPT = ROOT / "tests" / "fixtures" / "runs"
SQUARE = {"base": 0.2, "fine-tuned": 0.4, "rag": 0.6, "hybrid": 0.8}
HEADLINES = {
    "trained": {"base": 0, "fine-tuned": 0, "rag": 1 / 3, "hybrid": 1 / 3, "mine": 1 / 3},
    "shard": {"mine": 1.0},
    "merged": {"mine": 5 / 6},
    "imported": {"a-one": 1.0, "b-two": 0.0},
    "made": SQUARE,
    "pruned": SQUARE,
}
"""Kept run -> setup -> the mean of the headline metric."""
GATED = [name for name in HEADLINES if (KEPT / name / GATES).is_file()]


@pytest.mark.parametrize("name", HEADLINES)
def test_a_kept_run_has_the_scores_that_it_had(name: str) -> None:
    run = Run(KEPT / name)
    found = {
        setup: np.nanmean(column.values)
        for (task, setup, metric), column in run.columns.items()
        if metric == run.headlines[task]
    }
    assert found == pytest.approx(HEADLINES[name])


@pytest.mark.parametrize("name", GATED)
def test_a_kept_run_is_judged_as_it_was(name: str) -> None:
    """All but `detectable`, which is of the very test that judges; reasons may round otherwise."""
    run = Run(KEPT / name)
    kept, read, now = (
        of_today(KEPT / name / GATES),
        verdicts_of(run).model_dump(mode="json"),
        judged(run).model_dump(mode="json"),
    )
    for gate in (*kept["gates"], *read["gates"], *now["gates"]):
        del gate["detectable"]
    assert kept == read
    for gate, as_kept in zip(now["gates"], kept["gates"], strict=True):
        words, figures = in_parts(gate.pop("reason"))
        words_kept, figures_kept = in_parts(as_kept.pop("reason"))
        assert words == words_kept
        assert figures == pytest.approx(figures_kept, abs=5.1e-4)
    assert now == kept


def in_parts(reason: str) -> tuple[list[str], list[float]]:
    """The words and the numbers of a sentence."""
    number = r"[+-]?\d+(?:\.\d+)?"
    return re.split(number, reason), [float(text) for text in re.findall(number, reason)]


@pytest.mark.parametrize("name", HEADLINES)
def test_a_manifest_is_written_as_it_was_read(name: str, tmp_path: Path) -> None:
    kept = read_manifest(KEPT / name)
    write_manifest(tmp_path, kept)
    assert read_manifest(tmp_path) == kept
    before = names.in_tasks(of_today(KEPT / name / MANIFEST))
    now = json.loads((tmp_path / MANIFEST).read_text())
    assert list(before) == [part for part in now if part in before]
    assert without_defaults(now, before) == without_defaults(before, before)


RENAMED = {
    '"licence": ': '"license": ',
    '"key": ': '"api_key_env": ',
    '"family": ': '"correction": ',
    '"mode": "point"': '"mode": "estimate"',
    '"passages": "found"': '"passages": "retrieved"',
    '"by": "dense"': '"retriever": "dense"',
    '"by": []': '"stratify": []',
    '"by": ""': '"group_by": ""',
}


def of_today(path: Path) -> Any:
    """What a file of before holds, its fields by the names of today."""
    text = path.read_text()
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return json.loads(text)


def without_defaults(now: Any, before: Any) -> Any:
    """`now` without what older manifests do not have, or state otherwise (`test_versions`)."""
    if not isinstance(now, dict) or not isinstance(before, dict):
        return now
    return {n: without_defaults(now[n], part) for n, part in before.items() if n != "version"}


def test_every_part_of_a_manifest_is_known(tmp_path: Path) -> None:
    raw = json.loads((KEPT / "made" / MANIFEST).read_text())
    for place, fault in (
        ((), {"surprise": 1}),
        (("hardware",), {"cpu": "fast"}),
        (("tasks", "gate_qa"), {"headlines": "f1"}),
    ):
        changed = json.loads(json.dumps(raw))
        part = changed
        for name in place:
            part = part[name]
        part |= fault
        (tmp_path / MANIFEST).write_text(json.dumps(changed))
        (name,) = fault
        with pytest.raises(BakeoffError, match=rf"{'.'.join([*place, name])}: no such field"):
            read_manifest(tmp_path)


def test_the_pace_of_an_index_is_that_of_what_was_embedded() -> None:
    work = {"passages": 10, "embedded": 4, "embed_s": 2.0, "build_s": 0.5, "bytes": 1}
    index = IndexFacts(digest="i", passages=10, embedder="e", work=IndexWork(**work))
    assert index.seconds(10) == 10 * 0.5 + 0.5
    cached = index.model_copy(update={"work": IndexWork(**{**work, "embedded": 0})})
    assert cached.seconds(10) is None
    assert cached.seconds(10, earlier=index) == 5.5
    assert cached.model_copy(update={"embedder": ""}).seconds(10) == 0.5
    assert IndexFacts(digest="i", passages=10).seconds(10) is None


def test_verdicts_are_written_as_they_were_read(tmp_path: Path) -> None:
    for name in GATED:
        kept = read_verdicts(KEPT / name / GATES)
        write_verdicts(tmp_path / GATES, kept)
        assert json.loads((tmp_path / GATES).read_text()) == of_today(KEPT / name / GATES)


def test_verdicts_of_an_unknown_format_or_shape_are_refused(tmp_path: Path) -> None:
    raw = json.loads((KEPT / "made" / GATES).read_text())
    for fault, told in (
        ({"format": 1}, "format: must be 2"),
        ({"state": "FINE"}, "state: must be "),
        ({"gates": [{**raw["gates"][0], "surprise": 1}]}, r"gates\.0\.surprise: no such field"),
    ):
        (tmp_path / GATES).write_text(json.dumps({**raw, **fault}))
        with pytest.raises(BakeoffError, match=told):
            read_verdicts(tmp_path / GATES)


def test_verdicts_are_shown_in_one_order() -> None:
    def gate(state: State, **parts: Any) -> Verdict:
        facts = {"severity": "fail", "mode": "refute", **parts}
        return Verdict(id=state, check="c", state=state, **facts)

    asked = gate("INCONCLUSIVE", on_inconclusive="fail")
    warned = gate("FAIL", severity="warn")
    order = [gate("ERROR"), gate("FAIL"), asked, warned, gate("INCONCLUSIVE"), gate("PASS")]
    facts = {"run": "r", "benchmark": "b", "state": "ERROR", "exit_code": 12}
    found = Verdicts(**facts, gates=tuple(reversed(order)))
    assert found.worst_first == order
    assert [verdict.failing for verdict in order] == [False, True, True, False, False, False]
