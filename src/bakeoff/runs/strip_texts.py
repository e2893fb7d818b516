"""Old runs without their texts: rows for ever, texts for some days, those of baselines never.

An answer's text, its passages' texts, its claims and the reasons of its scores become ""; what
judges replied goes, and the page that shows it all. Tokens, seconds, document ids, errors, scores,
samples and the Markdown report stay, and with them every number that can be computed from the run.
"""

from __future__ import annotations

import filecmp
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bakeoff.core.disk import SCRATCH, sync_folder
from bakeoff.core.words import BakeoffError
from bakeoff.runs import store, written
from bakeoff.runs.manifest import Manifest, TextsRemoved
from bakeoff.runs.seal import as_json, evidence

WHAT = "answer and passage texts, claims and reasons"


@dataclass(frozen=True)
class Pruned:
    """An old run: the bytes that went, or why it was left alone."""

    run: Path
    freed_bytes: int
    left: str = ""


def prune(results: Path, days: float, keep: Collection[str], now: datetime) -> list[Pruned]:
    """Take the texts out of complete runs made more than `days` days ago, oldest first.

    Runs whose id or folder name is in `keep` are not touched, nor are pruned ones and those that
    are not complete; none of them is listed. A run that another process holds, or that cannot be
    read or written, is listed with the reason. After a kill at any point the run is readable, and
    the next call finishes it. Raises `BakeoffError` when `days` is below 0.
    """
    if not days >= 0:
        raise BakeoffError(f"prune: days is {days}; give 0 or more")
    oldest = now - timedelta(days=days)
    folders = sorted(path.parent for path in results.glob(f"*/*/{store.MANIFEST}"))
    outcomes = (_pruned(folder, oldest, keep, now) for folder in folders if folder.name not in keep)
    return [pruned for pruned in outcomes if pruned]


def with_texts(folder: Path, manifest: Manifest) -> None:
    """Raise `BakeoffError` when texts were taken out of the run: it cannot be scored again."""
    if manifest.pruned:
        raise BakeoffError(
            f"{folder}: its {WHAT} were pruned on {manifest.pruned.on}: it can be read and "
            "compared, but not scored again or gone on with; run the benchmark again"
        )


def _pruned(folder: Path, oldest: datetime, keep: Collection[str], now: datetime) -> Pruned | None:
    try:
        if not _due(store.read_manifest(folder), oldest, keep):
            return None
        with store.held(folder):
            # Read again: what was true before the lock may not be so any more.
            manifest = store.read_manifest(folder)
            if not _due(manifest, oldest, keep):
                return None
            return Pruned(folder, _take_out(folder, manifest, now))
    except BakeoffError as error:
        return Pruned(folder, 0, str(error))
    except OSError as error:
        return Pruned(folder, 0, f"{error.filename or folder}: {error.strerror or error}")


def _due(manifest: Manifest, oldest: datetime, keep: Collection[str]) -> bool:
    if not manifest.complete or manifest.run in keep:
        return False
    if manifest.pruned and not manifest.pruned.unfinished:
        return False
    return manifest.started < oldest


def _take_out(folder: Path, manifest: Manifest, now: datetime) -> int:
    """Bytes taken out. Marked first, so that half a run's texts are never scored again."""
    on = manifest.pruned.on if manifest.pruned else now.date().isoformat()
    known = evidence(manifest) or None
    begun = TextsRemoved(on=on, what=WHAT, unfinished=True, evidence=known)
    _put_manifest(folder, manifest, begun)
    freed = sum(_take_out_of_unit(unit.folder(folder)) for unit in store.units(folder))
    for file in (
        *folder.glob(f"{store.JUDGED}*"),
        *folder.glob(store.PAGE),
        *folder.rglob(SCRATCH),
    ):
        freed += file.stat().st_size
        file.unlink()
    if manifest.files:
        manifest = written.digested(folder, manifest)
    _put_manifest(folder, manifest, TextsRemoved(on=on, what=WHAT, evidence=known))
    return freed


def _put_manifest(folder: Path, manifest: Manifest, mark: TextsRemoved) -> None:
    marked = as_json(manifest.model_copy(update={"pruned": mark}))
    _put(folder / store.MANIFEST, [json.dumps(marked, indent=2).encode() + b"\n"])


def _take_out_of_unit(folder: Path) -> int:
    attempts = sorted(folder.glob("[0-9]*.jsonl"))
    committed = folder / store.COMMITTED
    twin = _twin(attempts, committed)
    freed = sum(_strip(attempt, _answer_without_texts) for attempt in attempts)
    if committed.exists() and not twin:
        # Copied without links, or a kill came between the attempt and its link.
        freed += _strip(committed, _answer_without_texts)
        twin = next((a for a in attempts if filecmp.cmp(a, committed, shallow=False)), None)
    if twin and not twin.samefile(committed):
        _link(twin, committed)
    scores = folder / store.SCORES
    return freed + (_strip(scores, _score_without_texts) if scores.exists() else 0)


def _twin(attempts: Iterable[Path], committed: Path) -> Path | None:
    """The attempt that the committed one is a link to."""
    if not committed.exists():
        return None
    return next((attempt for attempt in attempts if attempt.samefile(committed)), None)


def _strip(path: Path, without_texts: Callable[[Any], None]) -> int:
    """Take the texts out of a file of rows; how many bytes that were."""
    before = path.stat().st_size
    _put(path, _stripped(path, without_texts))
    return before - path.stat().st_size


def _stripped(path: Path, without_texts: Callable[[Any], None]) -> Iterator[bytes]:
    """The file's whole lines, as many as before; what a crash cut short goes."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                continue
            try:
                row = json.loads(line)
                without_texts(row)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise BakeoffError(f"{path}: line {number} is damaged: {error}") from error
            yield json.dumps(row).encode() + b"\n"


def _answer_without_texts(row: Any) -> None:
    if (answer := row.get("answer")) is not None:
        answer["text"] = ""
        for passage in answer["passages"]:
            passage["text"] = ""
            passage.pop("title", None)


def _score_without_texts(row: Any) -> None:
    for score in row["scores"].values():
        # The reason of a failure does not quote the answer; other reasons do.
        if not score[1].startswith("failed: "):
            score[1] = ""
        for claim in score[3] if len(score) > 3 else ():
            claim["text"] = ""
            claim.pop("missing", None)


def _put(path: Path, lines: Iterable[bytes]) -> None:
    """Put a file in place whole, on the disk before and after."""
    scratch = _scratch(path)
    with scratch.open("wb") as stream:
        stream.writelines(lines)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def _link(target: Path, path: Path) -> None:
    """Make `path` another name of `target`, in one step."""
    scratch = _scratch(path)
    os.link(target, scratch)
    scratch.replace(path)
    sync_folder(path.parent)


def _scratch(path: Path) -> Path:
    """A name beside the file that is free: one, whatever the process, so that kills leave few."""
    scratch = path.with_name(f".{path.name}.pruning")
    # Taken away, not written over: a kill can leave it as one more name of a journal.
    scratch.unlink(missing_ok=True)
    return scratch
