"""The command that recommends a setup: advise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bakeoff.cli.app import finished, format_option, main, show_as, waiting, write_report
from bakeoff.cli.named import NEEDS, RUN
from bakeoff.core.words import BakeoffError

if TYPE_CHECKING:
    from bakeoff.decide.advice.facts import Facts
    from bakeoff.decide.advice.needs import Needs


@main.command()
@click.argument("run", type=RUN, default="latest")
@click.option(
    "--needs",
    "file",
    type=NEEDS,
    metavar="FILE",
    help="File of your needs; without it, five questions on the terminal.",
)
@click.option("--save", type=click.Path(path_type=Path), help="Write the needs to this file.")
@format_option
def advise(run: str, file: Path | None, save: Path | None, form: str) -> None:
    """Recommend a setup of a RUN for your needs, with the reasons and what would change it.

    Writes advice.json to the run's folder and updates the report.
    """
    from bakeoff.decide import advice
    from bakeoff.decide.advice.facts import facts
    from bakeoff.decide.advice.needs import dump_needs, load_needs
    from bakeoff.decide.advice.tables import tables

    done = finished(run)
    if file is None and not sys.stdin.isatty():
        raise BakeoffError("give --needs FILE: the questions need a terminal")
    needs = load_needs(file) if file else None
    with waiting("comparing"):
        known = facts(done)
    needs = needs or _asked(known)
    with waiting("weighing the needs"):
        answer = advice.advise(needs, known, str(file or "answers"))
    if save:
        save.write_text(dump_needs(needs), encoding="utf-8")
    kept = advice.keep(done, answer)
    show_as(form, tables(kept), lambda: kept.model_dump(mode="json"))
    write_report(done)


def _asked(known: Facts) -> Needs:
    """The five questions, answered on the terminal."""
    from bakeoff.decide.advice.needs import Needs

    def number(text: str, default: float) -> Any:
        return click.prompt(text, type=click.FloatRange(0), default=default, err=True)

    updates = number("Changes of the data per month", 0)
    hours = number("Hours until answers must reflect a change (0: no limit)", 0) if updates else 0
    sources = click.Choice[Literal["required", "nice", "no"]](["required", "nice", "no"])
    # In the order of the questions: arguments are evaluated from the first to the last.
    return Needs(
        updates_per_month=updates,
        fresh_within_hours=hours or None,
        sources=click.prompt("Must sources be shown", type=sources, default="no", err=True),
        format=_tasks("Must tone or format change", known),
        top_accuracy=_tasks("Is top accuracy on a narrow task needed", known),
        volume_per_month=number("Requests per month", 1000),
    )


def _tasks(question: str, known: Facts) -> bool | tuple[str, ...]:
    if not click.confirm(question, default=False, err=True):
        return False
    text = f"Tasks that measure it, of {', '.join(known.headlines)} (empty: none)"
    named = click.prompt(text, default="", show_default=False, err=True)
    return tuple(task.strip() for task in named.split(",") if task.strip()) or True
