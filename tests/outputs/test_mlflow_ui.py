"""The real MLflow UI in a browser: the links that bakeoff prints show the bake-off side by side.

The browser is the system's Chromium, or the one that BAKEOFF_CHROMIUM names; none is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import Answer, Record
from bakeoff.outputs.mlflow import links, runs
from bakeoff.testing import SETUPS, make_run
from decided_runs import written

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
WAIT_MS = 300_000
"""Nothing waits so long but what never comes."""
expect = playwright.expect
expect.set_options(timeout=WAIT_MS)
SHARES = ["0.20", "0.40", "0.60", "0.80"]
TOP = ("exact_match", "latency_s", "prompt_tokens")
TRACED = 6
"""Answers of a setup that are traced, beside its failures."""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("BAKEOFF_CHROMIUM") or next(filter(None, map(shutil.which, names)), "")
    if not program:
        pytest.skip("no Chromium here; name one with BAKEOFF_CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1600, "height": 1000})
        # The UI opens its assistant at the first visit, over a quarter of the page, and a hint.
        for seen in ("assistant.fab.autoOpenedOnFirstLoad_v1", "detectIssues.guidanceShown_v1"):
            context.add_init_script(f"localStorage.setItem('mlflow.{seen}', 'true')")
        context.set_default_timeout(WAIT_MS)
        yield context.new_page()
        browser.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two bake-offs."""
    results: Path = tmp_path_factory.mktemp("ui") / "results"
    return [Run(make_run(results, name="seen")) for _ in range(2)]


@pytest.fixture(scope="module")
def seen(mlflow_server: str, made: list[Run]) -> dict[str, str]:
    """What can be seen -> its address, of the second of two bake-offs."""
    logged = [runs.log(run, mlflow_server, TRACED) for run in made]
    return links.links(logged[-1], mlflow_server)


def shows(page: Any, *said: str | re.Pattern[str]) -> None:
    """The page shows all of it, now or when its tables have come."""
    for each in said:
        expect(page.locator("body")).to_contain_text(each, use_inner_text=True)


def test_the_chart_view_shows_four_bars_per_headline_metric(page: Any, seen: Any) -> None:
    page.goto(seen["charts"])
    page.get_by_text("4 matching runs").wait_for()
    page.get_by_text("Headline/gate_qa exact_match").first.wait_for()
    chart = page.locator(".js-plotly-plot").first
    expect(chart.locator(".bars .point")).to_have_count(4)
    shares = chart.locator("text").filter(has_text=re.compile(rf"^({'|'.join(SHARES)})$"))
    expect(shares).to_have_text(SHARES[::-1])  # drawn from below


@pytest.fixture(scope="module")
def many(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What can be seen -> its address, of a bake-off of fourteen setups."""
    setups = {f"setup-{n:02}": {"retrieve": {"k": n}} if n else {} for n in range(14)}
    folder = tmp_path_factory.mktemp("many")
    run = written(folder, {"qa": lambda s, i: i < 2 * int(s[-2:])}, setups=setups)
    return links.links(runs.log(run, mlflow_server, 2), mlflow_server)


def test_the_charts_show_all_of_fourteen_setups_each_in_its_colour(page: Any, many: Any) -> None:
    page.goto(many["charts"])
    page.get_by_text("14 matching runs").wait_for()
    chart = page.locator(".js-plotly-plot").first
    expect(chart.locator(".bars .point")).to_have_count(14)
    fills = "points => points.map(p => p.querySelector('path').style.fill)"
    colours = chart.locator(".bars .point").evaluate_all(fills)
    assert len(set(colours)) == 14
    last = chart.locator(".bars .point text").evaluate_all("all => all.map(e => e.textContent)")
    assert sorted(last) == sorted(f"{2 * n / 40:.2f}" for n in range(14))


def test_the_compare_page_opens_on_the_setups_and_their_headline(page: Any, many: Any) -> None:
    page.goto(many["compare"])
    page.get_by_text("Comparing 14 Runs from 1 Experiment").wait_for()
    shows(page, "corner.setup", "setup-13", "Headline/qa contains")


def test_prompts_data_sets_and_adapters_are_in_their_tabs(page: Any, seen: Any) -> None:
    experiment = seen["charts"].split("/runs?")[0]
    page.goto(f"{experiment}/prompts")
    page.get_by_text("seen.gate_qa.question-after-passages").first.wait_for()
    page.goto(f"{experiment}/datasets")
    page.get_by_text("seen.gate_qa").first.wait_for()
    page.goto(f"{experiment.split('#')[0]}#/models")
    page.get_by_text("seen.gate_qa.adapter").first.wait_for()


def _traced(run: Run, setup: str) -> list[tuple[Record, Answer | None]]:
    """(record, what counts) of the answers to be traced: the timed ones first, and failures."""
    (task,) = run.samples
    timed = {
        record.sample: record.answer
        for record in run.latencies(task)
        if (record.setup, record.repeat) == (setup, 0)
    }
    first = sorted(run.samples[task], key=lambda name: name not in timed)[:TRACED]
    records = {record.sample: record for record in run.records(task, setup)}
    wanted = [*first, *(n for n, r in records.items() if r.error and n not in first)]
    return [(records[name], timed.get(name) or records[name].answer) for name in wanted]


def test_the_tiles_of_the_overview_are_the_runs_own_numbers(
    page: Any, seen: Any, made: list[Run]
) -> None:
    page.goto(f"{seen['charts'].split('/runs?')[0]}/overview/usage")
    traced = [pair for run in made for setup in SETUPS for pair in _traced(run, setup)]
    answers = [answer for _, answer in traced if answer]
    times = [seconds for answer in answers if (seconds := answer.seconds()) is not None]
    steps = [step for answer in answers for step in answer.steps]
    read, written = (sum(s.prompt_tokens for s in steps), sum(s.completion_tokens for s in steps))
    errors = sum(record.error is not None for record, _ in traced)
    assert (len(traced), errors, len(times)) == (56, 8, 24)
    assert {min(times), max(times)} == {1.5, 1.75}
    shows(
        page,
        "Traces are of some answers and of failures",
        re.compile(rf"Traces\s+{len(traced)}\b"),
        re.compile(rf"Latency\s+{_js(mean(times))}s"),
        re.compile(rf"Errors\s+{errors}\s+\(Overall error rate: {errors / len(traced):.1%}\)"),
        re.compile(
            rf"Token Usage\s+{_thousands(read + written)}\s+"
            rf"\({_thousands(read)} input, {_thousands(written)} output\)"
        ),
        re.compile(rf"Tokens per Trace\s+{(read + written) / len(answers):.0f} avg per trace"),
    )
    p50, p90, p99 = (np.quantile(times, share) for share in (0.5, 0.9, 0.99))
    quantiles = f"p50:\n{_js(p50)}s\np90:\n{_js(p90)}s\np99:\n{_js(p99)}s"
    assert quantiles in _hovered(page, 1)


def _js(value: float) -> str:
    """Two decimals, a half rounded up, as JavaScript does."""
    return f"{value + 1e-9:.2f}"


def _thousands(count: int) -> str:
    return re.escape(
        f"{count / 1000:.2f}".rstrip("0").rstrip(".") + "K" if count > 999 else str(count)
    )


def _hovered(page: Any, chart: int) -> str:
    """What a chart of the overview says of its last days: a run may end before midnight."""
    drawn = page.locator(".recharts-wrapper").nth(chart)
    drawn.scroll_into_view_if_needed()
    box = drawn.bounding_box()
    said = []
    for place in (0.94, 0.85, 0.76):
        page.mouse.move(box["x"] + box["width"] * place, box["y"] + box["height"] * 0.4)
        drawn.locator(".recharts-tooltip-wrapper").get_by_text("View traces").wait_for()
        said.append(drawn.locator(".recharts-tooltip-wrapper").inner_text())
    return "\n".join(said)


def test_the_traces_begin_with_the_setup_in_the_order_of_the_benchmark(
    page: Any, seen: Any
) -> None:
    page.goto(seen["traces"])
    page.get_by_text("Trace name").wait_for()
    page.get_by_text("When does gate 0 open?").first.wait_for()
    shows(page, re.compile(r"\s+When does gate 0 open\?.*".join(SETUPS), re.DOTALL))


NAMES = {
    "charts": [f"Headline/gate_qa {metric}" for metric in TOP],
    "runs": [
        "Headline/gate_qa exact_match",
        *(f"gate_qa/exact_match {e}" for e in ("low", "high")),
    ],
}


@pytest.mark.parametrize("view", NAMES)
def test_names_of_metrics_are_shown_whole_and_in_order(page: Any, seen: Any, view: str) -> None:
    page.goto(seen[view])
    found = [page.get_by_text(name, exact=True).first for name in NAMES[view]]
    for name in found:
        name.wait_for()
        assert not name.evaluate(
            "e => [e, e.parentElement].some(each => each.scrollWidth > each.clientWidth)"
        )
    boxes = [name.bounding_box() for name in found]
    assert boxes == sorted(boxes, key=lambda box: (box["y"], box["x"]))


def test_the_output_table_shows_four_answers_to_a_question(page: Any, seen: Any) -> None:
    page.goto(seen["outputs"])
    page.get_by_text("When does gate 2 open?").first.wait_for()
    page.get_by_text("at 2", exact=True).first.wait_for()
    shows(page, re.compile(r"Group by:\s*sample"), re.compile(r"Compare:\s*answer"))
    for setup in SETUPS:
        page.get_by_role("link", name=setup, exact=True).first.wait_for()
    shows(page, "never, says base", "never, says fine-tuned")


def test_the_compare_page_shows_four_setups_by_corner_and_metric(page: Any, seen: Any) -> None:
    page.goto(seen["compare"])
    page.get_by_text("Comparing 4 Runs from 1 Experiment").wait_for()
    page.get_by_text("corner.kind").first.wait_for()
    shows(page, *SETUPS, "Headline/gate_qa exact_match", "corner.weights")
    shows(page, re.compile(r"\s0\.2\s+0\.4\s+0\.6\s+0\.8\s"))


def test_the_sample_view_shows_traces_of_two_setups_with_assessments(page: Any, seen: Any) -> None:
    page.goto(seen["samples"])
    # Six answers, and one that failed.
    page.get_by_text("7 of 7").wait_for()
    shows(page, "exact_match", "recall k:5", "Expected output", "at 3", "never, says base")


def test_the_table_of_runs_shows_headlines_and_gates_of_every_bake_off(
    page: Any, seen: Any
) -> None:
    page.goto(seen["runs"])
    page.get_by_text("8 matching runs").wait_for()
    shows(
        page,
        "Headline/gate_qa exact_match",
        re.compile(r"^(?:(?!PASS).)*(?:PASS(?:(?!PASS).)*){8}$", re.DOTALL),
    )


def test_the_models_view_holds_one_model_per_configuration(page: Any, seen: Any) -> None:
    experiment = seen["charts"].split("/runs?")[0]
    page.goto(f"{experiment}/models")
    for setup in SETUPS:
        page.get_by_role("link", name=setup, exact=True).wait_for()
