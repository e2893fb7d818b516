"""The benchmark by which a task is shown."""

from __future__ import annotations

from pathlib import Path

from bakeoff.core.words import BakeoffError
from bakeoff.spec.benchmark import Suite, load_suite

FOUR = {
    "base": {},
    "fine-tuned": {"tune": True},
    "rag": {"retrieve": True},
    "hybrid": {"tune": True, "retrieve": True},
}
"""The four setups, with the default recipes."""


def benchmark_of(task: str, file: Path, chosen: Path | None) -> tuple[Suite, Path | None]:
    """The chosen benchmark; else one beside the tasks that has the task, and its file.

    One of the task's name comes first, then in the order of their names. Where there is none, the
    four setups by the defaults, and no file. Raises `BakeoffError` where the chosen one does not
    have the task.
    """
    if chosen:
        suite = load_suite(chosen)
        if task not in suite.names:
            raise BakeoffError(
                f"{chosen}: tasks: '{task}' is not among them; it has {', '.join(suite.names)}"
            )
        return suite, chosen
    for folder in dict.fromkeys((Path("benchmarks"), file.parent.parent / "benchmarks")):
        for path in sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != task, path.stem)):
            try:
                suite = load_suite(path)
            except BakeoffError:
                continue  # whoever runs it hears what is wrong with it
            if task in suite.names:
                return suite, path
    return Suite.model_validate({"tasks": [task], "setups": FOUR}), None
