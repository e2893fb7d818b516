"""Secrets of a benchmark are used by its requests, and stand in nothing that is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result

from bakeoff.cli.app import main
from bakeoff.runs.manifest import Manifest
from bakeoff.runs.store import read_manifest
from bakeoff.spec.benchmark import load_suite
from bakeoff.testing import Reply, Request, completion, fake_endpoint, make_run

SECRETS = {
    "HEAD_KEY": "head-4f1d9c7a",
    "QUERY_KEY": "query/5b2e+8d6c",
    "PATH_KEY": "path-6c3f0e1b",
    "BODY_KEY": "{body}-7d4a1f2c",
    "OTHER_HEADER": "header-8e5b2a3d",
    "BOT_KEY": "bot-9f6c3b4e",
}
LEAKED = "leak-0a7d4c5f"
"""A key that a user's function reads by itself, and that stands in the error it raises."""
REVEALED = ("https://ann:{key}@db.invalid", "https://db.invalid/a?api_key={key}", "Bearer {key}")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BAKEOFF_RESULTS", str(tmp_path / "results"))
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def write_task(folder: Path, **more: Any) -> None:
    rows = [{"id": str(n), "question": f"Gate {n}?", "targets": [f"gate {n}"]} for n in range(3)]
    write(folder / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    task = {"description": "Gates.", "rows": {"test": "rows.jsonl"}, "scorers": ["contains"]}
    write(folder / "gates.yaml", {**task, **more})


def benchmark(folder: Path, url: str) -> Path:
    write_task(folder)
    raising = "".join(
        f"    if sample.id == '{n}': raise OSError(f'{text}')\n"
        for n, text in enumerate(text.replace("{key}", "{KEY}") for text in REVEALED)
    )
    write(folder / "bot.py", f"KEY = {LEAKED!r}\ndef answer(sample):\n{raising}")
    return write(
        folder / "bench.yaml",
        {
            "tasks": ["gates.yaml"],
            "endpoints": {
                "api": {
                    "url": f"{url}/${{PATH_KEY}}/v1?key=${{QUERY_KEY}}&api-version=2024-06-01",
                    "api_key_env": "HEAD_KEY",
                    "headers": {"X-Api-Key": "${OTHER_HEADER}"},
                    "extra": {"options": [{"token": "${BODY_KEY}"}]},
                    "attempts": 1,
                }
            },
            "model": "api:small",
            "setups": {
                "base": {},
                "bot": {
                    "endpoint": {
                        "url": f"{url}/bot?code=${{BOT_KEY}}",
                        "request": {"question": "{question}", "password": "${BODY_KEY}"},
                        "attempts": 1,
                    }
                },
                "function": {"call": "./bot.py::answer"},
            },
            "gates": ["rate(*.error) <= 0.01"],
            "latency": {"samples": 1},
        },
    )


def repeating(request: Request) -> Reply:
    """A server that repeats in its answers, and in its errors, whatever secret it got."""
    got = f"{request.path} {request.headers} {json.dumps(request.body)}"
    if "/bot" in request.path:
        question = request.body["question"]
        return Reply({"error": got}, 400) if "1" in question else Reply({"answer": got})
    return completion(got)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """All but what Python makes of the user's own module."""
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "__pycache__":
            yield path, path.read_bytes()


@pytest.mark.slow
def test_no_file_and_no_message_of_a_run_holds_a_secret(tmp_path: Path) -> None:
    with fake_endpoint(repeating) as endpoint:
        bench = benchmark(tmp_path, endpoint.url)
        ran = call("run", bench)
        assert ran.exit_code in (10, 12), ran.output
        nightly = call("nightly", bench, "--night", "2026-01-05", "--no-mlflow")
        assert nightly.exit_code in (10, 12), nightly.output
        model = next(request for request in endpoint.asked if "/chat" in request.path)
        bot = next(request for request in endpoint.asked if "/bot" in request.path)
    # What is asked has them all, in their places.
    assert unquote(model.path) == (
        "/path-6c3f0e1b/v1/chat/completions?key=query/5b2e+8d6c&api-version=2024-06-01"
    )
    assert model.headers["Authorization"] == "Bearer head-4f1d9c7a"
    assert model.headers["X-Api-Key"] == "header-8e5b2a3d"
    assert model.body["options"] == [{"token": "{body}-7d4a1f2c"}]
    assert bot.path == "/bot?code=bot-9f6c3b4e"
    assert bot.body["password"] == "{body}-7d4a1f2c"
    done = [call("report"), call("compare", "--format", "csv"), call("gate"), call("log")]
    shown = ran.output + nightly.output + "".join(result.output for result in done)
    secrets = [*SECRETS.values(), "5b2e%2B8d6c", LEAKED]
    assert not [secret for secret in secrets if secret in shown]
    written = [entry for entry in files(tmp_path) if entry[0] not in (bench, tmp_path / "bot.py")]
    names = {path.name for path, _ in written}
    assert {"mlflow.db", "report.html", "gates.xml", "manifest.json", "responses.sqlite"} <= names
    held = [(path, s) for path, data in written for s in secrets if s.encode() in data]
    assert [f"{path}: {secret}" for path, secret in held] == []


PLANTED = "sk-live-1a2b3c4d5e6f7a8b9c0d"
KEPT = {
    "endpoints.api.url: holds the user and password": {"url": "https://ann:pw@h.invalid/v1"},
    "endpoints.api.url: the parameter 'key'": {"url": "https://h.invalid/v1?key=abcdef12"},
    "endpoints.api.url: the parameter 'x'": {"url": "https://h.invalid/v1?x=0a1b2c3d4e5f6a7b8c9d0"},
    "endpoints.api.url: the path": {"url": f"https://h.invalid/{PLANTED}/v1"},
    "endpoints.api.url: ${NAME} is in the host": {"url": "https://${HEAD_KEY}.invalid/v1"},
    "endpoints.api.extra.auth.apiKey": {"extra": {"auth": {"apiKey": "abcdef12"}}},
    "endpoints.api.extra.list[1].note": {"extra": {"list": [{}, {"note": PLANTED}]}},
    "endpoints.api.headers.Authorization: holds": {"headers": {"Authorization": "Basic YWJjZGVm"}},
    "endpoints.api.headers.X-Api-Key": {"headers": {"X-Api-Key": "abcdef12"}},
    "endpoints.api.headers.authorization: api_key_env sets it": {
        "api_key_env": "HEAD_KEY",
        "headers": {"authorization": "Bearer ${HEAD_KEY}"},
    },
}


@pytest.mark.parametrize("place", KEPT)
def test_a_key_in_a_benchmark_file_is_refused_with_what_works(tmp_path: Path, place: str) -> None:
    endpoint = {"url": "https://h.invalid/v1", **KEPT[place]}
    raw = {"tasks": ["gates.yaml"], "endpoints": {"api": endpoint}, "setups": {"base": {}}}
    bench = write(tmp_path / "bench.yaml", raw)
    done = call("run", bench)
    assert done.exit_code == 2
    assert f"{bench.name}: {place}" in done.output
    assert "abcdef12" not in done.output
    assert PLANTED not in done.output
    assert not (tmp_path / "results").exists()


def test_a_key_in_any_text_of_a_benchmark_or_task_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, system=f"Use {PLANTED}.")
    raw = {"tasks": ["gates.yaml"], "setups": {"base": {"description": PLANTED}}}
    assert (
        "setups.base.description: looks like an API key"
        in call("run", write(tmp_path / "bench.yaml", raw)).output
    )
    raw["setups"] = {"base": {}}
    assert (
        "gates.yaml: system: looks like an API key"
        in call("run", write(tmp_path / "bench.yaml", raw)).output
    )


def test_fields_that_are_no_keys_are_not_refused(tmp_path: Path) -> None:
    endpoint = {
        "url": "https://h.invalid/v1?api-version=2024-06-01-preview&region=west-europe-2",
        "headers": {"OpenAI-Project": "bakeoff", "Authorization": "Basic ${HEAD_KEY}"},
        "extra": {
            "eos_token": "<|im_end|>",
            "max_tokens": 20,
            "stop": ["task-list-0123456789-end"],
        },
    }
    raw = {"tasks": ["gates.yaml"], "endpoints": {"api": endpoint}, "setups": {"base": {}}}
    assert load_suite(write(tmp_path / "bench.yaml", raw)).endpoints["api"].headers


def test_what_an_endpoint_is_does_not_change_with_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    with fake_endpoint(lambda _: completion("gate 1")) as endpoint:
        bench = benchmark(tmp_path, endpoint.url)
        raw = json.loads(bench.read_text())
        raw["setups"] = {"base": {}}
        raw.pop("gates")
        for key in ("one-0123", "two-4567"):
            for name in SECRETS:
                monkeypatch.setenv(name, key)
            assert call("run", write(bench, raw), "--new", "--no-mlflow").exit_code == 0
            seen.append(len(endpoint.asked))
        manifests = [
            read_manifest(path.parent) for path in tmp_path.glob("results/*/*/manifest.json")
        ]
    assert manifests[0].models == manifests[1].models
    # The second run had its answers from the cache, and asked for the latency pass alone.
    assert seen[1] - seen[0] < seen[0]


def test_an_old_manifest_is_read_without_its_keys(tmp_path: Path) -> None:
    raw = read_manifest(make_run(tmp_path / "results")).model_dump(mode="json")
    raw["suite"]["endpoints"] = {
        "api": {
            "url": "https://ann:pw@h.invalid/v1?key=abcdef12&k=5",
            "extra": {"token": "abcdef12", "top_k": 5},
        }
    }
    raw["models"] = {"api:small": {"url": "https://ann:pw@h.invalid/v1?key=abcdef12&k=5"}}
    manifest = Manifest.model_validate(raw)
    assert manifest.suite.endpoints["api"].url == "https://[key]@h.invalid/v1?key=[key]&k=5"
    assert manifest.suite.endpoints["api"].extra == {"token": "[key]", "top_k": 5}
    assert manifest.models["api:small"]["url"] == "https://[key]@h.invalid/v1?key=[key]&k=5"


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    bench = benchmark(tmp_path, "http://127.0.0.1:9")
    monkeypatch.delenv("QUERY_KEY")
    monkeypatch.delenv("BODY_KEY")
    shown = call("run", bench).output
    assert "endpoints.api.url: the environment variable 'QUERY_KEY' is not set" in shown
    assert "endpoints.api.extra: the environment variable 'BODY_KEY' is not set" in shown
