"""Puts the tasks and benchmarks of the repository's top into the package that is built."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("tasks/**/*", "benchmarks/*.yaml", "benchmarks/prices/*", "benchmarks/needs/*")


class BuildWithTasks(build_py):
    """The packages, and below `bakeoff/shipped` what `spec.shipped` looks for there."""

    def run(self) -> None:
        super().run()
        # A clone that is installed as it stands has them at its top.
        if not self.editable_mode:
            for source, target in self._shipped().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def _shipped(self) -> dict[Path, Path]:
        top, built = Path(__file__).parent, Path(self.build_lib) / "bakeoff" / "shipped"
        files = sorted(path for pattern in SHIPPED for path in top.glob(pattern))
        kept = [f for f in files if f.is_file() and "__pycache__" not in f.parts]
        return {file: built / file.relative_to(top) for file in kept}

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        shipped = [] if self.editable_mode else map(str, self._shipped().values())
        return [*super().get_outputs(include_bytecode), *shipped]


setup(cmdclass={"build_py": BuildWithTasks})
