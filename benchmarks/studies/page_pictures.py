"""The pictures of the report in README.md, from a run of the quickstart.

    python benchmarks/studies/page_pictures.py RUN [--output docs/images]

Needs Playwright and Chromium; seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bakeoff.analysis.measured_run import Run
from bakeoff.outputs.page import html, pictures

WIDTH, HEIGHT = 1280, 900


def opened(page: Page, file: Path, fragment: str = "") -> None:
    page.goto(file.as_uri() + fragment)
    page.wait_for_selector("html[data-ready]")


def take(run: Run, output: Path, chromium: str | None) -> None:
    """Write the first screen, and a sample with its answers."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(html.page(run, pictures.draw(run)), encoding="utf-8")
        # As root, as in a container, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        opened(page, file)
        page.screenshot(path=output / "report-light.png")
        task, samples = next(iter(run.samples.items()))
        opened(page, file, html.sample_link(task, next(iter(samples))))
        page.locator("#samples").screenshot(path=output / "report-samples.png")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    found = os.environ.get("BAKEOFF_CHROMIUM") or shutil.which("chromium")
    take(Run(given.run), given.output, found)
