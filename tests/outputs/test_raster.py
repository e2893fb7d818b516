"""Pictures as PNG, by a browser."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.outputs.page import raster
from bakeoff.outputs.page.svg import Picture, element


def test_without_a_browser_it_is_said_what_would_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(raster.CHROMIUM, "no-such-browser")
    with pytest.raises(BakeoffError, match="BAKEOFF_CHROMIUM=no-such-browser: no such program"):
        raster.browser()


@pytest.mark.skipif(not any(map(shutil.which, raster.NAMES)), reason="needs Chromium")
def test_a_picture_has_two_pixels_for_each_of_its_svg(tmp_path: Path) -> None:
    file = tmp_path / "a.b.svg"
    picture = Picture(100, element("rect", width=10, height=10, fill="#ff0000"), 200)
    file.write_text(picture.alone("title", "words"))
    raster.write(raster.browser(), [file])
    head = (tmp_path / "a.b.png").read_bytes()[:24]
    # An SVG file is half as large again as its coordinates.
    assert struct.unpack(">II", head[16:24]) == (2 * 300, 2 * 150)


def test_a_browser_that_draws_nothing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    file.write_text(Picture(10, "", 10).alone("t", "d"))
    with pytest.raises(BakeoffError, match=r"a\.png: \S*true did not draw it"):
        raster.write(shutil.which("true") or "true", [file])
