"""What the quickstart is estimated to take, beside what it took."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bakeoff.models import device
from bakeoff.running.doctor import machine, quickstart_seconds


@pytest.mark.parametrize(("pace", "seconds"), [(870, 121), (225, 230), (133, 498), (70, 686)])
def test_the_quickstart_took_what_is_estimated_within_a_third(pace: float, seconds: float) -> None:
    assert quickstart_seconds(pace) == pytest.approx(seconds, rel=1 / 3)


def test_quicker_matrix_products_shorten_all_of_the_quickstart() -> None:
    paces = [1, 10, 100, 1_000, 10_000]
    estimates = [quickstart_seconds(pace) for pace in paces]
    assert estimates == sorted(estimates, reverse=True)
    # No part of it is fixed.
    assert all(later < earlier / 4 for earlier, later in pairwise(estimates))


@pytest.mark.parametrize(
    ("pace", "said"),
    [(870, "about 2 minutes"), (225, "about 5 minutes"), (3_000, "about 50 seconds")],
)
def test_the_estimate_is_of_the_pace_that_is_measured(
    pace: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "reach", lambda dtype: pace * 1e9)
    (found,) = [row[1] for row in machine().rows if row[0] == "quickstart"]
    assert found == f"{said} from empty caches, if nothing else runs"
