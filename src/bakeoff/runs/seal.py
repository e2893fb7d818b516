"""A manifest as its file holds it: sealed with a digest of its contents, once the run has ended."""

from __future__ import annotations

from collections.abc import Mapping

from bakeoff.core.words import digest
from bakeoff.runs.manifest import Manifest


def as_json(manifest: Manifest) -> dict[str, object]:
    """What the file holds; a run that has not ended has no digests, and no seal."""
    raw = manifest.model_copy(update={"seal": ""}).model_dump(mode="json")
    return {**raw, "seal": sealed(raw)} if manifest.files else raw


def sealed(raw: Mapping[str, object]) -> str:
    """The seal of a manifest as it is written."""
    return digest({name: value for name, value in raw.items() if name != "seal"})


def evidence(manifest: Manifest) -> str:
    """Stands for the scores of a run as they are; empty where that is not known."""
    if manifest.pruned and manifest.pruned.evidence:
        return manifest.pruned.evidence
    return digest(dict(manifest.files)) if manifest.files else ""
