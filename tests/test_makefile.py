"""What the Makefile calls can be called."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from conftest import ROOT

CALLS = re.findall(r"^\t\$\((?:BIN\)/pytest|PYTEST\))(.*)$", (ROOT / "Makefile").read_text(), re.M)


def test_the_makefile_calls_pytest_for_each_tier() -> None:
    assert len(CALLS) == 3


@pytest.mark.parametrize("options", CALLS)
def test_pytest_knows_the_options(options: str) -> None:
    """Options of ours are unknown to it where it takes a file among them for one of tests."""
    command = [sys.executable, "-m", "pytest", *shlex.split(options), "--markers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
