"""Limits of a whole run, divided among workers and shards."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bakeoff.analysis.measured_run import Run
from bakeoff.cli.app import main
from bakeoff.core.words import BakeoffError
from bakeoff.running.merge import merge
from bakeoff.running.shares import of_shard, places, shared
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import Reply, Request, completion, fake_endpoint
from fleet_project import project, records


def test_shares_of_a_limit_add_up_to_it() -> None:
    """3 requests at once over 2 workers, and 1 a minute, which is one worker's alone."""
    raw: dict[str, Any] = {
        "name": "b",
        "tasks": ["t"],
        "endpoints": {
            "wide": {"url": "http://a/v1", "concurrency": 3, "requests_per_minute": 7},
            "narrow": {"url": "http://b/v1", "requests_per_minute": 1},
        },
        "setups": {
            "one": {"model": "wide:m"},
            "two": {"model": "narrow:m"},
            "three": {"call": "bot::answer", "concurrency": 5},
        },
    }
    suite = Suite.model_validate(raw)
    parts = [shared(suite, place, 2).endpoints["wide"] for place in range(2)]
    assert [part.concurrency for part in parts] == [2, 1]
    assert [part.requests_per_minute for part in parts] == [4, 3]
    calls = [shared(suite, place, 2).setups["three"].concurrency for place in range(2)]
    assert calls == [3, 2]
    assert [places(suite, suite.setups[name], 2) for name in ("one", "two")] == [2, 1]


SUITE: dict[str, Any] = {
    "name": "b",
    "tasks": ["t"],
    "endpoints": {"wide": {"url": "http://a/v1", "concurrency": 3, "tokens_per_minute": 700}},
    "setups": {
        "one": {"model": "wide:m"},
        "two": {"endpoint": {"url": "http://b", "requests_per_minute": 7}},
    },
    "limits": {"cost": 10, "tokens": 1001, "errors": 6, "seconds": 60},
}


def test_the_parts_of_a_run_have_parts_of_its_limits() -> None:
    """By hand: 700 tokens in three are 234, 233, 233; each part has all the seconds."""
    suite = Suite.model_validate(SUITE)
    parts = [of_shard(suite, (part, 3)) for part in (1, 2, 3)]
    assert [p.endpoints["wide"].tokens_per_minute for p in parts] == [234, 233, 233]
    assert [p.endpoints["wide"].concurrency for p in parts] == [1, 1, 1]
    services = [p.setups["two"].endpoint for p in parts]
    assert [s and s.requests_per_minute for s in services] == [3, 2, 2]
    assert {p.limits.cost for p in parts} == {10 / 3}
    assert {p.limits.tokens for p in parts} == {333}
    assert {p.limits.errors for p in parts} == {2}
    assert {p.limits.seconds for p in parts} == {60}
    assert of_shard(suite, (1, 1)) == suite


def test_a_share_of_errors_is_one_of_the_parts_own_cells() -> None:
    suite = Suite.model_validate({**SUITE, "limits": {"errors": "10%"}})
    assert of_shard(suite, (1, 2)).limits.errors_allowed(50) == 5
    assert of_shard(suite, (1, 2)).limits.cost is None


def test_a_rate_of_less_than_a_request_for_each_part_is_refused() -> None:
    suite = Suite.model_validate(SUITE)
    words = "setups.two.endpoint: requests_per_minute 7 cannot be divided by 8 shards; take at most"
    with pytest.raises(BakeoffError, match=words):
        of_shard(suite, (8, 8))


def part_of(folder: Path, part: int) -> Result:
    return CliRunner().invoke(
        main,
        ["run", str(folder / "words.yaml"), "--no-mlflow", "--no-cache", "--shard", f"{part}/2"],
        env={
            "BAKEOFF_RESULTS": str(folder / f"results-{part}"),
            "BAKEOFF_CACHE": str(folder / "cache"),
        },
    )


def test_two_shards_spend_no_more_than_the_whole_may(tmp_path: Path) -> None:
    """An answer costs 1: each part stops past 5 of 10, and goes on where the limit is raised."""
    now, most = [0], [0]
    lock, two = threading.Lock(), threading.Event()

    def script(request: Request) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] > 1:
                two.set()
        two.wait(60)  # for the other one that may be asked at once
        with lock:
            now[0] -= 1
        return completion("w1", tokens=(500_000, 500_000))

    with fake_endpoint(script) as server:
        file = project(
            tmp_path,
            '{served: {model: "here:m"}}',
            f"endpoints: {{here: {{url: {server.url}/v1, concurrency: 4, "
            "price: {prompt: 1, completion: 1}}}\nlimits: {cost: 10}\n",
            40,
        )
        for part in (1, 2):
            stopped = part_of(tmp_path, part)
            assert "limits.cost: 6 is past 5 (one of 2 shards)." in stopped.output
            assert stopped.exit_code == 20
        assert most[0] == 2, "half of four requests at once"
        written = file.read_text()
        file.write_text(written.replace("cost: 10", "cost: 100"))
        assert [part_of(tmp_path, part).exit_code for part in (1, 2)] == [0, 0]
    folders = [next((tmp_path / f"results-{part}").glob("*/2*")) for part in (1, 2)]
    whole = merge(folders, tmp_path / "results")
    assert len({record.key for record in records(whole)}) == len(records(whole)) == 40
    assert Run(folders[0]).manifest.suite.limits.cost == 100, "of the whole run"
