"""Digests of a run's files, taken at its end: whether they are still what the run wrote.

They find accidents and clumsy edits. Who replaces a file and its digest alike is not found out.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bakeoff.core.words import MissingEvidence, sha256_file
from bakeoff.runs import store
from bakeoff.runs.journal import COMMITTED, UNITS
from bakeoff.runs.manifest import COMPLETE, SCORING, Manifest
from bakeoff.runs.seal import sealed

GIVEN = "given.jsonl"
"""In a unit's folder: the scores that came with its answers, which scoring again keeps."""
EVIDENCE = (
    store.SAMPLES,
    f"{UNITS}/*/{COMMITTED}",
    f"{UNITS}/*/{store.SCORES}",
    f"{UNITS}/*/{GIVEN}",
)


def digested(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest with the sha256 of every file that the run's numbers are made of."""
    paths = sorted(path for pattern in EVIDENCE for path in folder.glob(pattern))
    files = {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}
    return manifest.model_copy(update={"files": files})


def check(folder: Path, manifest: Manifest, but: Collection[str] = ()) -> None:
    """Raise `MissingEvidence` for a file that is not what the run wrote.

    Files of the names in `but` are about to be rewritten. Runs of earlier versions have no digests.
    """
    if not (manifest.status in (COMPLETE, SCORING) and manifest.files):
        return
    if manifest.pruned and manifest.pruned.unfinished:
        return  # a kill came between: the next call ends it
    if sealed(store.read_json(folder / store.MANIFEST)) != manifest.seal:
        raise MissingEvidence(
            f"{folder / store.MANIFEST}: not what the run wrote: it was edited; run the "
            "benchmark again"
        )
    wrong = [
        f"{folder / name}: {problem}"
        for name, known in manifest.files.items()
        if Path(name).name not in but and (problem := _problem(folder / name, known))
    ]
    if wrong:
        raise MissingEvidence("\n".join(wrong[:10]))


def _problem(path: Path, known: str) -> str:
    """What is wrong with a file; empty where nothing is."""
    again = "`bakeoff score` writes it again" if path.name == store.SCORES else "run it again"
    try:
        if sha256_file(path) == known:
            return ""
        return f"not what the run wrote: restore it, or {again}"
    except FileNotFoundError:
        return f"missing; the run did not finish, or it was removed: restore it, or {again}"
    except OSError as error:
        return f"cannot be read ({error.strerror or error}): restore it, or {again}"
