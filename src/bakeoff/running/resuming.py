"""Whether a run that stopped is the one asked for again, and may be gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bakeoff.core.counts import quantity
from bakeoff.core.progress import Progress
from bakeoff.core.words import BakeoffError, canonical
from bakeoff.running.plan import Plan
from bakeoff.runs import store, strip_texts
from bakeoff.runs.manifest import RUNNING, Manifest
from bakeoff.runs.reported import unreported

ALIKE = ("suite", "selection", "tasks", "code")
"""Parts of two manifests that must agree for one run to go on with the other's records."""
FREE = ("description", "gates", "policy", "limits", "repeats", "verifiers")
"""Parts of a suite that change no answer; more repeats only add some."""


def _asked(manifest: Manifest, part: str) -> dict[str, object]:
    """A part of a manifest as it is written, without what changes no answer."""
    dumped = manifest.model_dump(mode="json", include={part})
    written: dict[str, object] = dumped.get(part, {})
    return {name: v for name, v in written.items() if part != "suite" or name not in FREE}


def resumed(old: Manifest, new: Manifest, folder: Path) -> Manifest:
    """The old run's manifest, when the same run is asked for again."""
    strip_texts.with_texts(folder, old)
    for part in ALIKE:
        before, now = _asked(old, part), _asked(new, part)
        if changed := sorted(
            k for k in {**before, **now} if canonical(before.get(k)) != canonical(now.get(k))
        ):
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
            f"{folder}: it has {quantity(old.suite.repeats, 'repeat')}; it can be resumed with as "
            "many or more"
        )
    parts = {"suite": new.suite, "status": RUNNING, "resumed": old.resumed + 1, "files": {}}
    return old.model_copy(update=parts)


def unfinished(plan: Plan, results: Path, progress: Progress) -> Path | None:
    """The newest run of this very plan, where its command ended before it had reported it.

    One that goes on in another process is passed over, with a note.
    Runs of other plans, such as another shard, may have been made since.
    """
    going_on: list[str] = []
    for folder, manifest in runs_of(plan, results):
        if manifest.complete and not unreported(folder):
            break
        if not store.busy(folder):
            return folder
        going_on.append(folder.name)
    if going_on:
        progress.note(
            f"{going_on[0]}, a run of the same plan, goes on in another process: this is a new "
            "run, and the times of both are longer than alone"
        )
    return None


def runs_of(plan: Plan, results: Path) -> Iterator[tuple[Path, Manifest]]:
    """The runs of this very plan (night, code and versions included), newest first."""
    wanted = plan.manifest
    now, asked = _made_by(wanted), {part: canonical(_asked(wanted, part)) for part in ALIKE}
    repeats = (plan.suite.repeats, plan.repeats_to_confirm)
    manifests = (results / plan.suite.name).glob(f"*/{store.MANIFEST}")
    for path in sorted(manifests, reverse=True):
        try:
            manifest = store.read_manifest(path.parent)
        except BakeoffError:
            continue  # of another version, or damaged: nothing to go on with
        if _made_by(manifest) != now or manifest.suite.repeats not in repeats:
            continue
        if all(canonical(_asked(manifest, part)) == asked[part] for part in ALIKE):
            yield path.parent, manifest


def _made_by(manifest: Manifest) -> tuple[object, ...]:
    """What a run was made by, and for which night: answers of another are no measurement of it."""
    return manifest.versions, manifest.commit, manifest.night
