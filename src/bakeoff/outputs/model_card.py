"""Cards of the adapters that a run trained, for the model hub: what they learnt, how they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.core.measure import MEASURED
from bakeoff.core.table import Table, as_markdown, cell, signed_cell
from bakeoff.core.words import BakeoffError
from bakeoff.runs.opened import Training
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.recipes import Tune


@dataclass(frozen=True)
class Trained:
    """Tuned weights of a run: the setups that answer with them, and on which tasks."""

    digest: str
    training: Training
    setups: tuple[Setup, ...]
    tasks: tuple[str, ...]
    recipe: Tune

    @property
    def name(self) -> str:
        """The setup, and the task where the weights are of one alone."""
        setup = self.setups[0].name
        return setup if self.recipe.together else f"{setup}.{self.tasks[0]}"


def write(run: Run, folder: Path) -> dict[Path, int]:
    """Write `NAME/README.md` for each of the adapters; file -> how many results it has.

    Raises `MissingEvidence` for a run that is not whole, `BakeoffError` for one that trained none.
    """
    run.require_whole()
    cards = [(adapter, card(run, adapter)) for adapter in trained(run)]
    if not cards:
        raise BakeoffError(f"{run.folder}: no adapter was trained in this run")
    written = {}
    for adapter, text in cards:
        path = folder / adapter.name / "README.md"
        with disk.refusals(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(path, [f"{text}\n"])
        written[path] = len(text.data.eval_results or ())
    return written


def trained(run: Run) -> list[Trained]:
    """The adapters that the run has from training, each once."""
    places: dict[str, list[tuple[str, str]]] = {}
    for place, facts in run.manifest.adapters.items():
        task, _, setup = place.rpartition("/")
        if facts.training and task in run.samples and setup in run.suite.setups:
            places.setdefault(facts.digest, []).append((task, setup))
    return [_trained(run, digest, pairs) for digest, pairs in places.items()]


def _trained(run: Run, digest: str, pairs: Sequence[tuple[str, str]]) -> Trained:
    """The weights of this digest, which stand at these tasks and setups."""
    task, first = pairs[0]
    training, tune = run.manifest.training(task, first), run.suite.setups[first].tune
    assert training and tune
    setups, tasks = (dict.fromkeys(part) for part in ((s for _, s in pairs), (t for t, _ in pairs)))
    # A recipe for all tasks together knows no fields of single ones.
    recipe = tune if tune.together else run.suite.use(task).recipe(tune)
    named = tuple(run.suite.setups[name] for name in setups)
    return Trained(digest, training, named, tuple(tasks), recipe)


def card(run: Run, adapter: Trained) -> ModelCard:
    """The card of an adapter: its metadata with the results, and what to know in words."""
    model = adapter.setups[0].model
    full = adapter.recipe.method == "full"
    data = ModelCardData(
        base_model=model.removeprefix("hf:").partition("@")[0] if model[:3] == "hf:" else None,
        base_model_relation="finetune" if full else "adapter",
        library_name="transformers" if full else "peft",
        tags=["bakeoff", adapter.recipe.method, adapter.recipe.objective],
        model_name=f"{run.manifest.benchmark}-{adapter.name}",
        eval_results=list(_results(run, adapter)),
    )
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_body(run, adapter)}")


def _results(run: Run, adapter: Trained) -> Iterator[EvalResult]:
    """Every scored metric of the setups with these weights; the setup is the configuration."""
    for task in adapter.tasks:
        for setup in adapter.setups:
            for metric in _scored(run, task):
                estimate = run.comparison.tasks[task].metrics[metric].setups.get(setup.name)
                if estimate is None or estimate.value is None:
                    continue
                yield EvalResult(
                    task_type="text-generation",
                    dataset_type=task,
                    dataset_name=task,
                    dataset_config=setup.name,
                    dataset_split="test",
                    dataset_revision=run.manifest.tasks[task].digests.test,
                    metric_type=metric,
                    metric_name=f"{metric} ({setup.kind})",
                    metric_value=round(estimate.value, 6),
                    metric_args={"low": estimate.low, "high": estimate.high, "n": estimate.n},
                )


def _scored(run: Run, task: str) -> list[str]:
    return [name for name in run.comparison.tasks[task].metrics if name not in MEASURED]


def _body(run: Run, adapter: Trained) -> str:
    training, recipe = adapter.training, adapter.recipe
    fields = recipe.model_dump(mode="json", exclude_none=True, exclude={"adapter"})
    rows = ", ".join(f"{name} {value}" for name, value in training.learnt.items())
    about = {
        "base model": f"{adapter.setups[0].model} ({_weights(run, adapter.setups[0])})",
        "adapter": adapter.digest,
        "learns": recipe.objective,
        **{name: str(fields[name]) for name in ("method", "rank", "alpha", "layers", "epochs")},
        "learning rate": f"{recipe.learning_rate:g}",
        "training rows": f"{training.rows}{f' ({rows})' if rows else ''}",
        "training": f"{training.seconds:.0f} s, {training.tokens} tokens",
        "data": "; ".join(_data(run, task) for task in adapter.tasks),
        "run": f"{run.manifest.run}: {run.manifest.command}",
    }
    tables = [
        Table("How it was made", ("", ""), tuple(about.items())),
        *(_table(run, adapter.setups, task) for task in adapter.tasks),
    ]
    return f"# {run.manifest.benchmark}: {adapter.name}\n\n{as_markdown(tables)}"


def _weights(run: Run, setup: Setup) -> str:
    return f"weights {run.manifest.fingerprint(setup).get('weights', 'unknown')}"


def _data(run: Run, task: str) -> str:
    facts = run.manifest.tasks[task]
    left_out = f", {len(facts.dropped)} left out: like a test row" if facts.dropped else ""
    return f"{task}, license: {facts.license or 'not stated'}{left_out}"


def _table(run: Run, setups: Sequence[Setup], task: str) -> Table:
    """The setups with these weights beside those that differ in the weights alone."""
    rows = []
    for setup in setups:
        twin = _untuned(run, setup)
        for metric in _scored(run, task):
            summary = run.comparison.tasks[task].metrics[metric]
            if setup.name not in summary.setups:
                continue
            estimate, base = summary.setups[setup.name], summary.setups.get(twin)
            difference = summary.differences.get(f"{setup.name} - {twin}")
            rows.append(
                (
                    *(setup.name, metric, str(estimate.n), cell(estimate, metric)),
                    cell(base, metric) if base else "-",
                    signed_cell(difference, metric) if difference else "-",
                )
            )
    header = ("setup", "metric", "n", "tuned", "untuned", "difference")
    note = "95% confidence intervals in brackets; differences are paired by sample."
    return Table(f"Results on {task}", header, tuple(rows), note)


def _untuned(run: Run, setup: Setup) -> str:
    """The setup that is the same with the weights as given; empty where there is none."""
    for other in run.suite.setups.values():
        alike = (other.model, other.retrieve) == (setup.model, setup.retrieve)
        if alike and not (other.tune or other.custom):
            return other.name
    return ""
