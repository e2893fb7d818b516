"""One kept run, and what every command says of it: numbers stay until somebody says why not.

Where a number is meant to change: `python tests/fixtures/runs/make.py outputs`, and read the diff.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.comparison import from_json
from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import BakeoffError

sys.path.insert(0, str(Path(__file__).resolve().parent / "fixtures" / "runs"))
import make as kept_run

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
CLOSE = 1e-9
"""Libraries of another version round the last digits otherwise."""


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return kept_run.outputs(tmp_path_factory.mktemp("kept"))


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """Where two JSON values are not the same, numbers to nine digits."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in {**old, **new}
            for line in differences(old.get(key), new.get(key), f"{at}/{key}")
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{at}/{i}")]
    if isinstance(old, str) and isinstance(new, str):
        old, new = (NUMBER.sub(lambda n: f"{float(n[0]):.9g}", text) for text in (old, new))
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    same = new == pytest.approx(old, rel=CLOSE, abs=CLOSE) if numbers else new == old
    return [] if same else [f"{at}: {old!r} became {new!r}"]


@pytest.mark.parametrize("name", [*kept_run.COMMANDS, *kept_run.WRITTEN])
def test_a_kept_run_gives_the_numbers_that_are_kept(name: str, now: dict[str, str]) -> None:
    old, new = kept_run.kept(name), now[name]
    if name.endswith(".json"):
        assert differences(json.loads(old), json.loads(new)) == []
    else:
        assert differences(old.splitlines(), new.splitlines()) == []


def test_a_gate_and_the_comparison_say_the_same_quantile(now: dict[str, str]) -> None:
    gate = next(g for g in json.loads(now["gates.json"])["gates"] if g["id"] == "p90")
    tasks = json.loads(now["compare.json"])["tasks"]
    p90 = tasks["topics"]["latency"]["setups"]["rag"]["quantiles"]["p90"]
    assert gate["left"] == pytest.approx(p90["value"])
    ends = (gate["right"] - p90["high"], gate["right"] - p90["low"])
    assert (gate["low"], gate["high"]) == pytest.approx(ends)


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    compared = Run(kept_run.unpack(tmp_path)).comparison
    assert from_json(json.dumps(compared.as_json())) == compared
    with pytest.raises(BakeoffError, match="format 1, this version reads 2"):
        from_json(json.dumps(compared.as_json() | {"format": 1}))


def test_the_kept_run_is_what_its_script_makes(tmp_path: Path) -> None:
    made, kept = kept_run.make(tmp_path / "made"), kept_run.unpack(tmp_path / "kept")
    names = sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file())
    assert names == sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
    journals = [name for name in names if name.endswith("committed.jsonl")]
    assert all((made / name).read_bytes() == (kept / name).read_bytes() for name in journals)
