"""What a run does to a task's samples: prompt, model, recipes, decoding. Two runs may differ in it.

The measurement is the other half: rows, targets, scorers and judges. A comparison of runs holds
that equal, so that a difference in scores can come of the treatment alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bakeoff.runs.manifest import Manifest
from bakeoff.spec.benchmark import Setup
from bakeoff.spec.policy import Treated
from bakeoff.spec.yaml_files import File

Treatment = Mapping[str, str | Mapping[str, object] | None]
"""Part (`prompt`, `model`, `tune`, ...) -> what it is: a text, settings by name, or none."""
_PARTS: Mapping[str, tuple[Treated, ...]] = {
    **{name: (name,) for name in ("prompt", "model", "decoding", "documents")},
    **dict.fromkeys(("tune", "retrieve", "call", "code", "endpoint", "route"), ("recipe",)),
    "retrieve.k": ("k", "recipe"),
}
"""Part, or a setting of one -> what `policy.same` calls it."""


class Change(NamedTuple):
    """A part of the treatment that two runs do not have alike."""

    name: str
    """`prompt`, `retrieve.k`."""
    sentence: str
    """The part with what it is on each side."""
    named: tuple[Treated, ...]
    """The words of `policy.same` that forbid it."""


def treatment(manifest: Manifest, task: str, setup: Setup) -> Treatment:
    """What a setup does to the samples of a task."""
    suite, digests = manifest.suite, manifest.tasks[task].digests
    model = manifest.fingerprint(setup)
    weights = f" (weights {model['weights']})" if "weights" in model else ""
    system = f", system message {model['system']}" if "system" in model else ""
    # On an engine the same weights answer otherwise.
    engine = f" on {model['engine']}" if suite.engine and "weights" in model else ""
    endpoint = None if setup.custom else suite.endpoint_of(setup.model)
    extra = endpoint.extra if endpoint else {}
    decoding = {"temperature": suite.temperature, "repeats": suite.repeats}
    code = {name: manifest.code[name] for name in setup.functions if name in manifest.code}
    tune = suite.use(task).recipe(setup.tune) if setup.tune else None
    return {
        "prompt": digests.prompt,
        "model": "custom" if setup.custom else f"{setup.model}{weights}{engine}{system}",
        # The fields of a request by their digest: they may hold what no file should.
        "decoding": {**decoding, **({"extra": model.get("extra", "")} if extra else {})},
        "tune": {**_settings(tune), "train": digests.train} if tune else None,
        "retrieve": _settings(setup.retrieve) if setup.retrieve else None,
        "documents": digests.corpora if setup.retrieve else None,
        "call": setup.call,
        # Where there is any, as runs of before do not say: what only one side knows is no change.
        **({"code": code} if code else {}),
        # Without what a url may hold of a key.
        "endpoint": urlsplit(setup.endpoint.url).hostname if setup.endpoint else None,
        "route": _settings(setup.route) if setup.route else None,
    }


def _settings(part: File) -> dict[str, object]:
    return part.model_dump(mode="json")


def changes(task: str, mine: Treatment, theirs: Treatment) -> list[Change]:
    """In what two treatments of a task differ, of the parts that both sides know."""
    known = [name for name in mine if name in theirs]
    return [change for name in known for change in _changes(task, name, mine[name], theirs[name])]


def _changes(task: str, name: str, mine: Any, theirs: Any) -> Iterator[Change]:
    if mine == theirs:
        return
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for part in sorted({*mine, *theirs}):
            yield from _changes(task, f"{name}.{part}", mine.get(part), theirs.get(part))
        return
    sentence = f"{name} of task {task} ({_shown(mine)} here, {_shown(theirs)} there)"
    top = name.partition(".")[0]
    yield Change(name, sentence, _PARTS.get(name) or _PARTS.get(top, ("recipe",)))


def _shown(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return "given" if value else "none"
    return value if isinstance(value, str) else json.dumps(value)
