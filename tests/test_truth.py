"""One kept run, and what every command says of it: numbers stay until somebody says why not.

Where a number is meant to change: `python tests/fixtures/runs/make.py outputs`, and read the diff.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bakeoff.analysis.comparison import from_json
from bakeoff.analysis.measured_run import Run
from bakeoff.core import table
from bakeoff.core.table import number
from bakeoff.core.words import BakeoffError
from bakeoff.runs.store import PAGE
from bakeoff.runs.verdicts import Verdicts

sys.path.insert(0, str(Path(__file__).resolve().parent / "fixtures" / "runs"))
import make as kept_run

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
CLOSE = 1e-9
"""Libraries of another version round the last digits otherwise."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def now(place: Path) -> dict[str, str]:
    return kept_run.outputs(place)


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
        before, after = json.loads(old), json.loads(new)
        if name == "advice.json":
            # A digest of all bits of the costs, whose last ones differ between processors.
            assert len(before.pop("evidence")) == len(after.pop("evidence")) == 16
        assert differences(before, after) == []
    else:
        assert differences(old.splitlines(), new.splitlines()) == []


def test_no_gate_needs_fewer_samples_than_it_had(now: dict[str, str]) -> None:
    gates = json.loads(now["gates.json"])["gates"]
    assert any(g["mode"] == "prove" and g["state"] == "INCONCLUSIVE" for g in gates)
    assert [g["check"] for g in gates if g.get("needed") and g["needed"] <= g["n"]] == []


def test_a_gate_and_the_comparison_say_the_same_quantile(now: dict[str, str]) -> None:
    gate = next(g for g in json.loads(now["gates.json"])["gates"] if g["id"] == "p90")
    tasks = json.loads(now["compare.json"])["tasks"]
    p90 = tasks["topics"]["latency"]["setups"]["rag"]["quantiles"]["p90"]
    assert gate["left"] == pytest.approx(p90["value"])
    ends = (gate["right"] - p90["high"], gate["right"] - p90["low"])
    assert (gate["low"], gate["high"]) == pytest.approx(ends)


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    compared = Run(kept_run.unpack(tmp_path)).comparison
    assert from_json(json.dumps(asdict(compared))) == compared
    with pytest.raises(BakeoffError, match="format 1, this version reads 2"):
        from_json(json.dumps(asdict(compared) | {"format": 1}))


def test_the_kept_run_is_what_its_script_makes(tmp_path: Path) -> None:
    made, kept = kept_run.make(tmp_path / "made"), kept_run.unpack(tmp_path / "kept")
    names = sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file())
    assert names == sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
    journals = [name for name in names if name.endswith("committed.jsonl")]
    assert all((made / name).read_bytes() == (kept / name).read_bytes() for name in journals)


Shown = dict[tuple[str, str], dict[str, str]]
"""(task, metric) -> setup -> the cell of the headline table."""


@pytest.fixture(scope="module")
def run(place: Path, now: dict[str, str]) -> Run:
    return Run(place / "results" / "ferry" / kept_run.NAME)


@pytest.fixture(scope="module")
def page(run: Run, now: dict[str, str]) -> str:
    return (run.folder / PAGE).read_text(encoding="utf-8")


def text_table(text: str, title: str) -> list[list[str]]:
    """A table of a pipe's output: its header and rows, a wide one without padding and rule."""
    lines = text[text.index(f"{title}\n") :].splitlines()[1:]
    rows = [line.strip() for line in lines[: lines.index("")] if not line.startswith(" ─")]
    return [re.split(r" {3,}| \| ", row) for row in rows]


def markdown_table(text: str, title: str) -> list[list[str]]:
    """A table of report.md: its header and rows, unescaped."""
    lines = text[text.index(f"## {title}\n") :].splitlines()[2:]
    plain = [re.sub(r"\\([*`|_])", r"\1", unescape(line)) for line in lines[: lines.index("")]]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in plain]
    return [cells[0], *cells[2:]]


def page_table(text: str, title: str) -> list[list[str]]:
    """A table of the page: its header and rows as text, a space between parts of a cell."""
    (table,) = re.findall(rf'aria-label="Table: {re.escape(title)}">(.*?)</table>', text, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[" ".join(unescape(re.sub("<[^>]*>", " ", c)).split()) for c in row] for row in cells]


def page_gates(text: str) -> Iterator[tuple[str, str, str]]:
    """(state, check, reason) of every gate on the page, those of a row one after the other."""
    listed = r'aria-label="Table: gates that (?:do not )?pass">(.*?)</table>'
    tables = "".join(re.findall(listed, text, re.DOTALL))
    for row in re.findall(r"<tr><td>(.*?)</tr>", tables, re.DOTALL):
        shown = re.sub(r'<span class="small">samples: .*?</span>', "", row, flags=re.DOTALL)
        (state,) = re.findall(r"<span.*?>(.*?)</span>", shown)
        gate, *cases = map(unescape, re.findall(r"<bdi>(.*?)</bdi>", shown))
        if len(cases) == 1:
            yield state, re.sub(r"( \(warns only\))? \(\w+\)$", "", gate), cases[0]
        else:
            assert gate.endswith(f", {len(cases)} cases)")
            yield from ((state, *case.split(": ", 1)) for case in cases)


def shown(table: list[list[str]]) -> Shown:
    setups = table[0][3:]
    return {(r[0], r[1]): dict(zip(setups, r[3:], strict=True)) for r in table[1:]}


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def marks(cell: str) -> str:
    return "".join(sign for sign in "*^" if sign in cell)


def test_every_output_has_the_numbers_and_marks_of_the_headline_table(
    now: dict[str, str], page: str, run: Run
) -> None:
    title = f"ferry, run {kept_run.NAME}"
    terminal = shown(text_table(now["compare.txt"], title))
    assert shown(markdown_table(now["report.md"], title)) == terminal
    compared = from_json(now["compare.json"])
    listed = {
        (row["task"], row["metric"], row["name"]): row
        for row in csv_rows(now["compare.csv"])
        if row["kind"] == "estimate" and not row["slice"]
    }
    assert {metric for _, metric in terminal} == {
        *("contains", "macro_f1", "latency_s", "prompt_tokens", "error"),
    }
    for (task, metric), cells in terminal.items():
        for setup, text in cells.items():
            estimate = compared.tasks[task].metric(metric).setups[setup]
            assert text.rstrip("*^") == table.cell(estimate, metric)
            line = listed[task, metric, setup]
            ends = (estimate.value, estimate.low, estimate.high)
            assert [line[n] for n in ("value", "low", "high")] == [
                "" if number is None else str(number) for number in ends
            ]
            assert (line["n"], line["marks"]) == (str(estimate.n), marks(text))
    results = page_table(page, "results") + page_table(page, "time and tokens")[1:]
    setups, seen = results[0][2:], 0
    for place, _, *values in results[1:]:
        task, metric = place.split()
        for setup, text in zip(setups, values, strict=True):
            estimate = compared.tasks[task].metric(metric).setups.get(setup)
            if estimate is None:
                assert text == "–"
                continue
            assert text.startswith(number(estimate.value, metric))
            if estimate.known:
                assert " to ".join(number(end, metric) for end in estimate.ends) in text
            ranked = "^" if "best" in text else ""
            assert listed[task, metric, setup]["marks"] == ("*" if "*" in text else "") + ranked
            seen += 1
    assert seen > 3 * 4


def test_every_output_has_the_quantiles_of_the_latency_pass(now: dict[str, str], page: str) -> None:
    head, *rows = text_table(now["compare.txt"], "Latency")
    assert markdown_table(now["report.md"], "Latency") == [head, *rows]
    (listed,) = re.findall(r"<h3>Latency</h3>(.*?)</details>", page, re.DOTALL)
    assert page_table(listed, "Latency") == [head, *rows]
    compared = from_json(now["compare.json"])
    lines = csv_rows(now["compare.csv"])
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        facts = compared.tasks[cells["task"]]
        times = facts.latency.setups[cells["setup"]] if facts.latency else None
        assert times
        for name, quantile in times.quantiles.items():
            assert cells[name] == (
                "n too small" if quantile.value is None else table.cell(quantile, "latency_s")
            )
            place = (cells["task"], "latency_s", name, cells["setup"])
            (line,) = [
                line
                for line in lines
                if (line["task"], line["metric"], line["kind"], line["name"]) == place
            ]
            assert line["value"] == ("" if quantile.value is None else str(quantile.value))
        median = facts.metric("latency_s").setups[cells["setup"]]
        assert times.quantiles["p50"].value == median.value


def test_every_output_has_the_effects_and_the_slices(now: dict[str, str], page: str) -> None:
    title = "What tuning and retrieval each change"
    effects = text_table(now["compare.txt"], title)
    assert markdown_table(now["report.md"], title) == effects
    (listed,) = re.findall(rf"<h3>{title}</h3>(.*?)</section>", page, re.DOTALL)
    assert page_table(listed, title) == effects
    head, *rows = markdown_table(now["report.md"], "ferry: contains by tag")
    assert page_table(page, "ferry: contains by tag") == [head, *rows]
    compared = from_json(now["compare.json"]).tasks["ferry"]
    assert [row[0] for row in rows] == [*compared.slices]
    for tag, n, *cells in rows:
        by_setup = compared.slices[tag].setups
        assert cells == [table.cell(by_setup[name], "contains") for name in head[2:]]
        assert n == str(max(estimate.n for estimate in by_setup.values()))


def test_every_output_has_the_verdicts_in_one_order(now: dict[str, str], page: str) -> None:
    outcome = Verdicts.model_validate_json(now["gates.json"])
    head, *rows = text_table(now["gate.txt"], "Gates")
    assert markdown_table(now["report.md"], "Gates") == [head, *rows]
    judged = [(gate.state, gate.check, gate.reason) for gate in outcome.worst_first]
    assert [*page_gates(page)] == judged
    assert [(row[0], row[2]) for row in rows] == [(g.state, g.reason) for g in outcome.worst_first]
    assert all(row[1].startswith(g.check) for row, g in zip(rows, outcome.worst_first, strict=True))
    assert f"{outcome.state} (exit code {outcome.exit_code})" in now["gate.txt"]
    assert f"<strong>{outcome.state}</strong>" in page
    suite = ElementTree.fromstring(now["gates.xml"])[0]
    facts = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert facts["state"] == outcome.state and facts["exit_code"] == str(outcome.exit_code)
    for case, gate in zip(suite.iter("testcase"), outcome.gates, strict=True):
        (child,) = case
        check, reason, numbers, *_ = (child.text or "").splitlines()
        assert (check, reason) == (gate.check, gate.reason)
        assert child.get("type", "PASS") == gate.state
        for name in ("left", "right", "gap", "low", "high"):
            value = getattr(gate, name)
            assert value is None or f"{name} {value:.6g}" in numbers


def test_every_output_has_the_same_provenance(now: dict[str, str], page: str, run: Run) -> None:
    facts = {row[0]: row[1] for row in markdown_table(now["report.md"], "What was run")[1:]}
    (listed,) = re.findall(r'<h2 id="provenance-h">What was run</h2>(.*?)</dl>', page, re.DOTALL)
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", listed)
    plain = [tuple(unescape(re.sub("<[^>]*>", "", part)) for part in pair) for pair in pairs]
    assert plain == [*facts.items()]
    assert facts["decoding"] == "sampled at temperature 0.7"
    assert facts["answers to each question"] == "2"
    assert facts["commit"] == run.manifest.commit
    assert "greedy" not in now["report.md"] + page
    suite = ElementTree.fromstring(now["gates.xml"])[0]
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["run"] == facts["run"] == json.loads(now["gates.json"])["run"]


@pytest.mark.slow
def test_mlflow_has_the_same_numbers_verdict_and_provenance(
    now: dict[str, str], run: Run, place: Path
) -> None:
    from mlflow import MlflowClient

    from bakeoff.outputs.mlflow import names, runs

    uri = f"sqlite:///{place / 'mlflow.db'}"
    runs.log(run, uri, 0)
    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "ferry"]
    logged = {r.data.tags["setup"]: r for r in client.search_runs([experiment.experiment_id])}
    compared = from_json(now["compare.json"])
    outcome = Verdicts.model_validate_json(now["gates.json"])
    assert [*run.suite.setups] == [s for s in run.suite.setups if s in logged]
    for setup, made in logged.items():
        for task, facts in compared.tasks.items():
            for metric, summary in facts.metrics.items():
                if (estimate := summary.setups.get(setup)) and estimate.value is not None:
                    top = metric in (facts.headline, *names.BESIDE)
                    value = made.data.metrics[names.key(task, metric, top=top)]
                    assert value == pytest.approx(estimate.value, rel=1e-3, abs=5e-5)
        assert made.data.tags["gate"] == outcome.state
        assert made.data.tags["commit"] == run.manifest.commit
        assert made.data.params["temperature"] == "0.7" and made.data.params["seed"] == "7"
        assert "greedy" not in made.data.params.values()
        title = f"ferry, run {kept_run.NAME}"
        note = made.data.tags["mlflow.note.content"]
        assert markdown_table(note, title) == markdown_table(now["report.md"], title)
