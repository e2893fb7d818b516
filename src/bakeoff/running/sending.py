"""A finished run sent to where runs are collected, and the baselines that are kept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bakeoff.core.words import BakeoffError, Incomplete
from bakeoff.running.environment import environment

if TYPE_CHECKING:
    from bakeoff.analysis.measured_run import Run
    from bakeoff.outputs.sinks import Sink


def sinks(no_mlflow: bool) -> dict[str, Sink]:
    """The sinks that a run is sent to, by name.

    One of an installed package is loaded when a run is sent: a fault of it is no end of the run.
    """
    from bakeoff.outputs.mlflow.sink import NAME
    from bakeoff.outputs.sinks import SINKS

    def loaded(name: str) -> Sink:
        return lambda run: SINKS[name](run)

    try:
        known = SINKS.names()
    except BakeoffError:  # two packages of one name: said where one of both is loaded
        known = [*SINKS, "plugins"]
    return {name: loaded(name) for name in known if not (no_mlflow and name == NAME)}


@contextmanager
def getting_ready(report: Callable[[], None], *, no_mlflow: bool) -> Iterator[Callable[[], None]]:
    """What gets ready to `report` and send a run, for a thread while answers are waited for.

    It returns when that takes no more of the machine. What was not needed ends with the block.
    """
    with ExitStack() as ended:

        def get_ready() -> None:
            from bakeoff.outputs.mlflow.sink import send

            send.prepare()
            ended.callback(send.close)
            report()
            send.settle()

        yield report if no_mlflow else get_ready


class Sent(NamedTuple):
    """What came of sending a run. A sink that fails is named, and is no end."""

    lines: list[str]
    """For the user, such as where the run can be seen."""
    errors: list[BakeoffError]

    @property
    def code(self) -> int:
        """20 where there was no room, else 0."""
        return 20 if any(isinstance(error, Incomplete) for error in self.errors) else 0


def send(
    run: Run, to: Mapping[str, Sink], waiting: Callable[[str], AbstractContextManager[None]]
) -> Sent:
    """Send a run to the sinks; `waiting` shows the work in progress."""
    sent = Sent([], [])
    for name, sink in to.items():
        try:
            with waiting(f"logging to {name}"):
                sent.lines.extend(sink(run))
        except BakeoffError as error:
            sent.errors.append(error)
    return sent


def publish(
    run: Run, to: Mapping[str, Sink], waiting: Callable[[str], AbstractContextManager[None]]
) -> Sent:
    """Write a run's report and send it; from then on the same command makes a new run."""
    from bakeoff.outputs import report
    from bakeoff.runs.reported import mark_reported

    with waiting("writing the report"):
        report.write(run)
    sent = send(run, to, waiting)
    if not sent.code:
        mark_reported(run.folder)
    return sent


def pull_baselines(run: Run, results: Path) -> None:
    """Use the baselines of the tracking server, where one is configured."""
    uri = environment().tracking_uri
    if not uri or not any("baseline:" in g.check or "anchor:" in g.check for g in run.suite.gates):
        return
    from bakeoff.decide.gates import baseline
    from bakeoff.outputs.mlflow import baselines

    folder = baseline.folder(results)
    folder.mkdir(parents=True, exist_ok=True)
    for pointer in baselines.pull(run.manifest.benchmark, folder, uri):
        baseline.adopt(results, pointer)
