"""What the quickstart is estimated to take, beside what it took."""

from __future__ import annotations

import json
import time

import pytest

from bakeoff.models import device
from bakeoff.running.doctor import QUICKSTART_TOKENS, machine, quickstart_seconds
from conftest import ROOT


@pytest.mark.parametrize(("pace", "seconds"), [(9_000, 331), (9_000, 269), (4_600, 530)])
def test_the_quickstart_took_what_is_estimated_within_a_third(pace: float, seconds: float) -> None:
    assert quickstart_seconds(pace) == pytest.approx(seconds, rel=1 / 3)


def test_the_estimate_counts_what_the_reference_run_was_tuned_on() -> None:
    manifest = json.loads((ROOT / "results/reference/quickstart/manifest.json").read_text())
    trained = {made["digest"]: made["training"]["tokens"] for made in manifest["adapters"].values()}
    assert sum(trained.values()) == QUICKSTART_TOKENS


@pytest.mark.parametrize(
    ("pace", "said"),
    [(9_000, "about 5 minutes"), (4_600, "about 9 minutes"), (50_000, "about 50 seconds")],
)
def test_the_estimate_is_of_the_pace_that_is_measured(
    pace: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "layer_pace", lambda dtype: pace)
    (found,) = [row[1] for row in machine().rows if row[0] == "quickstart"]
    assert found == f"{said} from empty caches, if nothing else runs"


@pytest.mark.parametrize("dtype", [name for name, has in device.native_dtypes().items() if has])
def test_a_pace_is_tokens_by_the_median_time(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward passes of 4 rows of 10 tokens that take 2, 2 and 5 seconds."""
    ticks = iter([0, 0, 10, 12, 12, 20, 22, 22, 30, 35, 99])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert device.layer_pace(dtype, 4, 10, seconds=40) == 4 * 10 / 2
