"""What scoring a run again would run or ask, and whether that is this project's own.

A run's folder says where its tasks are, and these name Python functions; it says which endpoints
its judges have, and which environment variables hold their keys. A folder of a stranger's must
not choose them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff.core.secrets import references
from bakeoff.core.words import BakeoffError
from bakeoff.runs.manifest import Manifest
from bakeoff.spec.benchmark import Suite, load_suite
from bakeoff.spec.metric import Metric
from bakeoff.spec.shipped import BENCHMARKS, find, is_shipped
from bakeoff.spec.task import TaskFile, load_task_file, task_path


@dataclass(frozen=True)
class Project:
    """The working folder, and in it the folder of results, where a run's folder may come to be."""

    folder: Path
    results: Path

    def owns(self, file: Path) -> bool:
        """Whether a file is the project's own: in its folder, and not among the results.

        What came with the program is no stranger's.
        """
        if is_shipped(file):
            return True
        real = file.resolve()
        inside = real.is_relative_to(self.folder.resolve())
        return inside and not real.is_relative_to(self.results.resolve())

    def holds(self, run: Path) -> bool:
        return run.resolve().is_relative_to(self.results.resolve())


def require_own(run: Path, manifest: Manifest, project: Project, judges: bool) -> None:
    """Raise `BakeoffError` where scoring the run would run or ask what is not the project's own.

    `judges`: whether the judges are those of a benchmark file that the user names.
    """
    file = find(manifest.file, BENCHMARKS)
    foreign = [*_functions(run, manifest, file, project)]
    foreign += [] if judges else _models(run, manifest, file, project)
    if foreign:
        listed = "".join(f"\n  {what}" for what in foreign)
        raise BakeoffError(
            f"{run}: a run from elsewhere: scoring it would run code or query endpoints that this "
            f"project ({project.folder}) does not have:{listed}\n"
            "check them, and give --trust to allow it"
        )


def _tasks(manifest: Manifest, file: Path) -> Iterator[tuple[Path, TaskFile]]:
    for name in manifest.suite.tasks:
        path = task_path(name, file)
        yield path, load_task_file(path)


def _functions(run: Path, manifest: Manifest, file: Path, project: Project) -> Iterator[str]:
    """Functions that tasks name, where the run, the task or the function is of elsewhere."""
    for path, task in _tasks(manifest, file):
        for reference in named_functions(task):
            where = reference.rpartition("::")[0]
            # A module by its name is what Python finds, which no run's folder decides.
            code = path.parent / where if where.endswith(".py") else path
            if not (project.holds(run) and project.owns(path) and project.owns(code)):
                yield f"run {reference}, which {path} names"


def named_functions(task: TaskFile) -> list[str]:
    """The Python functions that loading and scoring a task runs."""
    sources = [task.rows.test, *([task.rows.train] if task.rows.train else [])]
    named = [metric.name for metric in task.metrics().values() if "::" in metric.name]
    named += [source.adapt for source in sources if source.adapt]
    named += [corpus.call for corpus in task.corpora.values() if corpus.call]
    return list(dict.fromkeys(named))


def _models(run: Path, manifest: Manifest, file: Path, project: Project) -> list[str]:
    """Endpoints and verifiers with code that scorers ask, where the project has no such ones."""
    metrics = [m for _, task in _tasks(manifest, file) for m in task.metrics().values()]
    suite = manifest.suite
    # Of a benchmark that a program made there is no file.
    known = file.is_file() and project.holds(run) and project.owns(file)
    own = load_suite(file) if known else None
    return [
        *(
            f"ask {spec.url} with the environment variables {', '.join(keys) or '(none)'}"
            for name, spec in suite.endpoints.items()
            if _asked(name, metrics) and not (own and own.endpoints.get(name) == spec)
            for keys in [_keys(suite, name)]
        ),
        *(
            f"run the code that comes with {spec.model}"
            for name, spec in suite.verifiers.items()
            if spec.trust_remote_code and not (own and own.verifiers.get(name) == spec)
        ),
    ]


def _asked(endpoint: str, metrics: list[Metric]) -> bool:
    return any(f"{endpoint}:" in str(metric) for metric in metrics)


def _keys(suite: Suite, endpoint: str) -> list[str]:
    spec = suite.endpoints[endpoint]
    named = [spec.api_key_env] if spec.api_key_env else []
    return [*named, *references([spec.url, spec.headers, spec.body])]
