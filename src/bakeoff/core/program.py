"""How this program was called, and where it serves."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

UI_HOST, UI_PORT = "127.0.0.1", 5000
"""Where `bakeoff ui` serves unless another place is named."""


def program() -> str:
    """The name under which this program was called, for commands to copy."""
    called = Path(sys.argv[0])
    if called.name != "bakeoff" or shutil.which("bakeoff") == str(called.resolve()):
        return "bakeoff"
    return os.path.relpath(called)
