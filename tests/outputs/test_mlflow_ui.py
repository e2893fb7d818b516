"""The real MLflow UI in a browser: the links that bakeoff prints show the bake-off side by side.

The browser is the system's Chromium, or the one that BAKEOFF_CHROMIUM names; none is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import links, runs
from bakeoff.testing import SETUPS, make_run
from decided_runs import written

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
WAIT_MS = 120_000
"""Nothing waits so long but what never comes."""
expect = playwright.expect
expect.set_options(timeout=WAIT_MS)
SHARES = ["0.20", "0.40", "0.60", "0.80"]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("BAKEOFF_CHROMIUM") or next(filter(None, map(shutil.which, names)), "")
    if not program:
        pytest.skip("no Chromium here; name one with BAKEOFF_CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1600, "height": 1000})
        # The UI opens its assistant at the first visit, over a quarter of the page.
        seen = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
        context.add_init_script(seen)
        context.set_default_timeout(WAIT_MS)
        yield context.new_page()
        browser.close()


@pytest.fixture(scope="module")
def seen(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What can be seen -> its address, of the second of two bake-offs."""
    results: Path = tmp_path_factory.mktemp("ui") / "results"
    for _ in range(2):
        logged = runs.log(Run(make_run(results, name="seen")), mlflow_server, 6)
    return links.links(logged, mlflow_server)


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


def test_the_tiles_of_the_overview_are_the_runs_own_numbers(page: Any, seen: Any) -> None:
    page.goto(f"{seen['charts'].split('/runs?')[0]}/overview/usage")
    # Of two bake-offs, four setups each: six answers and one that failed; half take 1.5 s, half
    # 1.75 s where they were timed.
    shows(
        page,
        "Traces are of some answers and of failures",
        re.compile(r"Traces\s+56\b"),
        re.compile(r"Latency\s+1\.63s"),
        re.compile(r"Errors\s+8\s+\(Overall error rate: 14\.3%\)"),
    )


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
