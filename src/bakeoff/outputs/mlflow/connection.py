"""The way to an MLflow store: bounded waits, one error for all that it refuses, one at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from bakeoff.core import disk
from bakeoff.core.secrets import masked
from bakeoff.core.words import BakeoffError

WAIT_S = 60.0
"""For another process that logs a run of the same benchmark."""


def shown(uri: str) -> str:
    """A store's address without the password in it.

    >>> shown("postgresql://ann:secret@db/mlflow")
    'postgresql://[key]@db/mlflow'
    """
    return masked(uri)


@contextmanager
def reaching(uri: str, remedy: str) -> Iterator[mlflow.MlflowClient]:
    """A client of the store at `uri`; what the store refuses becomes one `BakeoffError`."""
    try:
        # Not set_tracking_uri: it writes the environment, which other programs inherit.
        yield mlflow.MlflowClient(uri)
    except ModuleNotFoundError as error:  # the driver of a database
        raise BakeoffError(
            f"MLflow at {shown(uri)}: {error}: install it, or name another driver in the address, "
            "such as postgresql+psycopg2:// (pip install psycopg2-binary)"
        ) from error
    except (MlflowException, SQLAlchemyError, OSError, disk.DiskFull) as error:
        reason = next(iter(str(error).strip().splitlines()), "") or repr(error)
        text = shown(f"MLflow at {uri}: {reason}. Nothing is lost: {remedy}")
        raise (disk.DiskFull if _full(error) else BakeoffError)(text) from error


def _full(error: Exception) -> bool:
    """Whether the store had no room: SQLite's error is only a text once MLflow has wrapped it."""
    no_room = isinstance(error, OSError) and error.errno in disk.FULL
    return no_room or isinstance(error, disk.DiskFull) or "disk is full" in str(error)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from logging runs of the benchmark in `folder`; waits its turn.

    Raises `BakeoffError` when the turn does not come. A folder that cannot be written has no
    other writer to wait for.
    """
    try:
        lock = os.open(folder / "mlflow.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        yield
        return
    try:
        _wait(lock, folder)
        yield
    finally:
        os.close(lock)


def _wait(lock: int, folder: Path) -> None:
    until = time.monotonic() + WAIT_S
    while not disk.lock(lock, folder):
        if time.monotonic() > until:
            raise BakeoffError(
                f"{folder}: another process has been logging to MLflow for {WAIT_S:.0f} s; "
                "try again later"
            )
        time.sleep(0.1)


def experiment(
    client: mlflow.MlflowClient, name: str, uri: str, results: Path, tags: Mapping[str, str]
) -> str:
    """The id of an experiment: found, taken out of the bin where it was deleted, or made."""
    stored = client.get_experiment_by_name(name)
    if stored is None:
        stored = _made(client, name, _artifacts(uri, results, name))
    if stored.lifecycle_stage == "deleted":
        client.restore_experiment(stored.experiment_id)
    for key, value in tags.items():
        if stored.tags.get(key) != value:
            client.set_experiment_tag(stored.experiment_id, key, value)
    return str(stored.experiment_id)


def _made(client: mlflow.MlflowClient, name: str, artifacts: str | None) -> Experiment:
    try:
        return client.get_experiment(client.create_experiment(name, artifacts))
    except MlflowException:
        # Another process, here or elsewhere, was quicker.
        if (stored := client.get_experiment_by_name(name)) is None:
            raise
        return stored


def _artifacts(uri: str, results: Path, name: str) -> str | None:
    """Where files go: a server knows; else beside the store, never to the current folder."""
    if uri.startswith("http"):
        return None
    sqlite = uri.startswith("sqlite:///") and "file:" not in uri
    beside = Path(uri.removeprefix("sqlite:///")).parent if sqlite else results
    return (beside.resolve() / "artifacts" / name).as_uri()
