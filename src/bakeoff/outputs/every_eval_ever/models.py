"""What was evaluated, as the format names models: `DEVELOPER/MODEL`, and how it ran."""

from __future__ import annotations

import re
from pathlib import Path

from bakeoff.analysis.measured_run import Run
from bakeoff.models import wheels
from bakeoff.outputs.every_eval_ever.records import Library, ModelDetails, ModelInfo
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.recipes import Retrieve, Tune

LOCAL = "local"
"""The developer of weights in a file or folder, and of what is a system of the user's own."""


def model_info(run: Run, setup: Setup) -> ModelInfo:
    """A setup as a model: a base by its model's own name, any other setup beside it by its own."""
    developer, name = _named(run, setup)
    base = name if setup.kind == "base" else f"{name}-{setup.name}"
    engine = run.manifest.engines.get(setup.model)
    versions = run.manifest.versions
    runner = Library(name="transformers", version=versions.get("transformers") or "unknown")
    if engine:
        runner = Library(name=engine.kind, version=engine.version or "unknown")
    own = not setup.custom and run.suite.backend(setup.model).weights
    public = own and (setup.model == "embedded" or setup.model.startswith("hf:")) and not setup.tune
    return ModelInfo(
        name=base,
        id=f"{_portable(developer)}/{_portable(base)}",
        developer=developer,
        inference_engine=runner if own else None,
        additional_details=ModelDetails(
            deployment_type="self_deployed" if own else "unknown",
            model_availability="open_weights" if public else "unknown",
            **_details(run, setup),
        ),
    )


def _named(run: Run, setup: Setup) -> tuple[str, str]:
    """(developer, model) of what answers, or that it is built on."""
    if setup.custom:
        return LOCAL, run.manifest.benchmark
    reference = run.suite.asks(setup)
    if reference.startswith("hf:"):
        developer, _, name = reference.removeprefix("hf:").partition("@")[0].rpartition("/")
        return developer or LOCAL, name
    if run.suite.backend(reference).weights:
        file = wheels.GENERATOR.checked if reference == "embedded" else reference
        return LOCAL, Path(file).stem
    endpoint, _, name = reference.partition(":")
    return endpoint, name.rpartition("/")[2]


def _details(run: Run, setup: Setup) -> dict[str, str]:
    """Texts that say what the setup is."""
    adapters = {
        task: facts.digest
        for task in run.samples
        if (facts := run.manifest.adapters.get(f"{task}/{setup.name}"))
    }
    known = {
        "setup": setup.name,
        "kind": setup.kind,
        "description": setup.description,
        "base_model": "" if setup.custom else setup.model,
        "recipe": _given(setup.tune) if setup.tune else "",
        "retrieval": _given(setup.retrieve) if setup.retrieve else "",
        "adapters": ", ".join(f"{task}: {digest}" for task, digest in adapters.items()),
        "weights": run.manifest.fingerprint(setup).get("weights", ""),
    }
    return {name: text for name, text in known.items() if text}


def _given(recipe: Tune | Retrieve) -> str:
    return recipe.model_dump_json(exclude_defaults=True)


def _portable(name: str) -> str:
    """A name that every file system takes as one part of a path."""
    return re.sub(r"[^\w.+-]+", "-", name).strip(".- ") or "unnamed"
