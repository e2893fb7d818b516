"""The pictures in docs/images of the report and of the MLflow UI, from a run of the quickstart.

    python benchmarks/studies/page_pictures.py RUN [--sample hb-a-015] [--output docs/images]

Needs Playwright and Chromium; two minutes. Look at them before they are committed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.mlflow import links, runs, server
from bakeoff.outputs.page import html, pictures, raster

WIDTH, HEIGHT = 1280, 900
MLFLOW_WIDTH, MLFLOW_HEIGHT, PORT = 1600, 1000, 5093
SETTLED_MS = 3000
"""What the charts of MLflow take to be drawn once their numbers are there."""


@contextmanager
def started() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox.
        browser = playwright.chromium.launch(
            executable_path=raster.browser(), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def opened(page: Page, file: Path, fragment: str = "") -> None:
    page.goto(file.as_uri() + fragment)
    page.wait_for_selector("html[data-ready]")


def take_page(run: Run, sample: str, output: Path, browser: Browser, folder: Path) -> None:
    """The first screen, and a sample of the first task with its answers."""
    file = folder / "report.html"
    file.write_text(html.page(run, pictures.draw(run)), encoding="utf-8")
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    opened(page, file)
    page.screenshot(path=output / "report-light.png")
    task, samples = next(iter(run.samples.items()))
    opened(page, file, html.sample_link(task, sample or next(iter(samples))))
    page.locator("#samples").screenshot(path=output / "report-samples.png")


def take_mlflow(run: Run, output: Path, browser: Browser, folder: Path) -> None:
    """The bars of the setups, the page that compares them, traces of two."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    logged = runs.log(run, uri)
    context = browser.new_context(viewport={"width": MLFLOW_WIDTH, "height": MLFLOW_HEIGHT})
    # The UI opens its assistant at the first visit, over a quarter of the page.
    seen = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
    context.add_init_script(seen)
    context.set_default_timeout(120_000)
    page = context.new_page()
    with server.serving(uri, "127.0.0.1", PORT, folder / "artifacts") as (address, _):
        seen_at = links.links(logged, address)
        waits = {
            "charts": page.locator(".js-plotly-plot .bars .point").first,
            "compare": page.get_by_text("corner.setup").first,
            "samples": page.get_by_text(re.compile(r"\d+ of \d+")).first,
        }
        for name, shown in waits.items():
            page.goto(seen_at[name])
            shown.wait_for()
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=output / f"mlflow-{name}.png")


def take(run: Path, sample: str, output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, started() as browser:
        # A copy: logging leaves a note beside a run.
        copy = Path(folder) / "results" / run.resolve().parent.name / run.resolve().name
        shutil.copytree(run, copy)
        take_page(Run(copy), sample, output, browser, Path(folder))
        take_mlflow(Run(copy), output, browser, Path(folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--sample", default="", help="of the first task; without it, its first")
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    take(given.run, given.sample, given.output)
