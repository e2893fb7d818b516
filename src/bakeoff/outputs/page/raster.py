"""Pictures as PNG: a browser on this machine draws the SVG, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bakeoff.core.words import BakeoffError

CHROMIUM = "BAKEOFF_CHROMIUM"
"""The environment variable that names the browser where it is found under no usual name."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
WITHIN_S = 60.0
SCALE = 2
"""Pixels of a PNG per pixel of its SVG."""
_SIZE = re.compile(r'<svg [^>]*width="([\d.]+)" height="([\d.]+)"')


def browser() -> str:
    """The browser's program. Raises `BakeoffError` where there is none."""
    named = os.environ.get(CHROMIUM)
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        what = f"{CHROMIUM}={named}: no such program" if named else f"none of {', '.join(NAMES)}"
        raise BakeoffError(
            f"PNG needs Chromium: {what}; install it, or name it in {CHROMIUM}. "
            "The SVG files are in the run's plots/ already"
        )
    return found


def write(program: str, pictures: Sequence[Path]) -> None:
    """Write each SVG file as PNG beside it. Raises `BakeoffError` where the browser fails."""
    with tempfile.TemporaryDirectory() as profile:
        for picture in pictures:
            _write(program, picture, Path(profile))


def _write(program: str, picture: Path, profile: Path) -> None:
    target = picture.with_suffix(".png")
    size = _SIZE.search(picture.read_text(encoding="utf-8"))
    assert size, picture
    command = [
        *(program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        # What a start would ask of a network.
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *(f"--user-data-dir={profile}", f"--force-device-scale-factor={SCALE}"),
        f"--window-size={round(float(size[1]))},{round(float(size[2]))}",
        *(f"--screenshot={target}", picture.resolve().as_uri()),
    ]
    target.unlink(missing_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BakeoffError(
            f"{target}: {program} did not draw it within {WITHIN_S:.0f} s"
        ) from error
    if not target.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BakeoffError(f"{target}: {program} did not draw it: {' '.join(said)}")
