"""Whether a run that stopped is the one asked for again, and may be gone on with."""

from __future__ import annotations

from pathlib import Path

from bakeoff.core.words import BakeoffError, canonical
from bakeoff.running.plan import Plan
from bakeoff.runs import store, strip_texts
from bakeoff.runs.manifest import RUNNING, Manifest

ALIKE = ("suite", "selection", "tasks")
"""Parts of two manifests that must agree for one run to go on with the other's records."""
FREE = ("description", "gates", "policy", "limits", "repeats", "verifiers")
"""Parts of a suite that change no answer; more repeats only add some."""


def _asked(manifest: Manifest, part: str) -> dict[str, object]:
    """A part of a manifest as it is written, without what changes no answer."""
    written: dict[str, object] = manifest.model_dump(mode="json", include={part})[part]
    return {name: v for name, v in written.items() if part != "suite" or name not in FREE}


def resumed(old: Manifest, new: Manifest, folder: Path) -> Manifest:
    """The old run's manifest, when the same run is asked for again."""
    strip_texts.with_texts(folder, old)
    for part in ALIKE:
        before, now = _asked(old, part), _asked(new, part)
        if changed := sorted(k for k in now if canonical(before.get(k)) != canonical(now[k])):
            raise BakeoffError(
                f"{folder}: cannot be resumed: {part} changed since ({', '.join(changed)}); "
                "start a new run"
            )
    if old.dtype is not None and old.dtype != new.dtype:
        raise BakeoffError(
            f"{folder}: cannot be resumed: its models computed in {old.dtype}, and here they "
            f"would in {new.dtype}; resume it on a machine of the same kind, or start a new run"
        )
    if new.suite.repeats < old.suite.repeats:
        raise BakeoffError(
            f"{folder}: every sample was to be asked {old.suite.repeats} times: it can be "
            "resumed with as many repeats or more"
        )
    parts = {"suite": new.suite, "status": RUNNING, "resumed": old.resumed + 1, "files": {}}
    return old.model_copy(update=parts)


def unfinished(plan: Plan, results: Path) -> Path | None:
    """The newest run of the benchmark, when it is the same one, stopped before its end."""
    manifests = sorted((results / plan.suite.name).glob(f"*/{store.MANIFEST}"))
    if not manifests:
        return None
    folder = manifests[-1].parent
    try:
        manifest = store.read_manifest(folder)
    except BakeoffError:
        return None  # of another version, or damaged: nothing to go on with
    if manifest.complete:
        return None
    return folder if same(plan, manifest) and not store.busy(folder) else None


def same(plan: Plan, manifest: Manifest) -> bool:
    """Whether a run's manifest is of this very plan, code and versions."""
    wanted = plan.manifest()
    alike = all(canonical(_asked(manifest, p)) == canonical(_asked(wanted, p)) for p in ALIKE)
    alike &= manifest.suite.repeats == wanted.suite.repeats
    return alike and (manifest.versions, manifest.commit) == (wanted.versions, wanted.commit)
