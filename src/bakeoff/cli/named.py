"""Arguments that name a benchmark, a run, a task or a setup, and what a shell completes them to.

Completion reads the names of files, and the contents of one YAML file at most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bakeoff.core.words import BakeoffError
from bakeoff.running.environment import results
from bakeoff.runs import MANIFEST
from bakeoff.spec import shipped

COMPLETED = 50
"""Runs that are offered, the newest ones."""


class NamedFile(click.ParamType[Path]):
    """A file by its path or, of `./KIND` and of what is shipped, by its name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = "file"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        return value if isinstance(value, Path) else shipped.find(value, self.kind)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _fitting(shipped.names(self.kind), incomplete) or _files(incomplete)


class TasksName(NamedFile):
    """A folder of tasks, or a task as `NamedFile` has it."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        path = Path(value)
        is_folder = path.is_dir() and not shipped.named(str(value), self.kind)
        return path if is_folder else super().convert(value, param, ctx)


class RunName(click.ParamType[str]):
    """A run's folder, its id, its benchmark or `latest`."""

    name = "run"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        newest = sorted((run.name for run in _runs()), reverse=True)[:COMPLETED]
        known = ["latest", *_benchmarks(), *newest]
        return _fitting(known, incomplete) or _files(incomplete)


BENCHMARK, PRICES, NEEDS = (
    NamedFile(kind) for kind in (shipped.BENCHMARKS, shipped.PRICES, shipped.NEEDS)
)
RUN = RunName()
TASKS = TasksName(shipped.TASKS)


def tasks_of(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tasks of the benchmark that was named before."""
    return _fitting([Path(name).stem for name in _part(ctx, "tasks")], incomplete)


def setups_of(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The setups of the benchmark that was named before."""
    return _fitting(_part(ctx, "setups"), incomplete)


def benchmarks_with_runs(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The benchmarks that have results here."""
    return _fitting(_benchmarks(), incomplete)


def _runs() -> list[Path]:
    return [path.parent for path in results().glob(f"*/*/{MANIFEST}")]


def _benchmarks() -> list[str]:
    return sorted({run.parent.name for run in _runs()})


def _part(ctx: click.Context, part: str) -> list[str]:
    """The names in a part of the benchmark's file; none where it cannot be read."""
    import yaml  # alone: checking the whole file takes longer than a shell should wait

    # Before an option that still has no value, click leaves the words unread.
    named = ctx.params.get("benchmark") or next(iter(ctx.args), "")
    try:
        file = shipped.find(str(named), shipped.BENCHMARKS)
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))[part]
    except (BakeoffError, KeyError, TypeError, OSError, ValueError, yaml.YAMLError):
        return []
    entries = raw if isinstance(raw, list) else list(raw)
    return [str(next(iter(entry))) if isinstance(entry, dict) else str(entry) for entry in entries]


def _fitting(known: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    """The shell's own completion of paths."""
    return [CompletionItem(incomplete, type="file")]
