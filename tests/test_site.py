"""The site of the documentation: it is built strictly, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from conftest import ROOT

SETTINGS = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a copy: the generator writes beside its settings."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def test_every_link_of_the_site_leads_to_a_file_of_it(site: Path) -> None:
    broken = [
        f"{page.relative_to(site)}: {link}"
        for page in site.rglob("*.html")
        if page.name != "404.html"  # served from anywhere, its links begin at the root
        for link in links(page)
        if not (page.parent / unquote(urlsplit(link).path)).is_file()
    ]
    assert not broken, broken


def links(page: Path) -> Iterator[str]:
    """What the page links to on its own site, without links within the page."""
    for element in BeautifulSoup(page.read_text(), "html.parser").select("main [href], main [src]"):
        link = str(element.get("href") or element.get("src"))
        if not urlsplit(link).scheme and urlsplit(link).path:
            yield link


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    page = BeautifulSoup((site / "index.html").read_text(), "html.parser")
    loaded = [
        str(tag.get("src") or tag.get("href")) for tag in page.select("script[src], link[href]")
    ]
    assert [address for address in loaded if urlsplit(address).netloc] == []


def test_every_page_of_the_docs_is_in_the_contents() -> None:
    def named(entries: list[dict[str, object]]) -> Iterator[str]:
        for entry in entries:
            for place in entry.values():
                yield from named(place) if isinstance(place, list) else [str(place)]

    contents = list(named(SETTINGS["nav"]))
    assert sorted(contents) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES)


@pytest.mark.parametrize(
    "page",
    [
        *PAGES,
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "results/reference/README.md")),
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_links_of_a_page_lead_to_files_of_the_repository(page: Path) -> None:
    targets = [urlsplit(link) for link in LINK.findall(page.read_text())]
    places = [
        Path(os.path.normpath(page.parent / t.path)) for t in targets if not t.scheme and t.path
    ]
    assert [str(place) for place in places if not place.exists()] == []
