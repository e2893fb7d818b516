"""The report of a finished run as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from bakeoff.analysis.answer import answer, sentences
from bakeoff.analysis.measured_run import Run
from bakeoff.core.table import Table, as_markdown, escaped
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.tables.advised import advised
from bakeoff.outputs.tables.checks import checks
from bakeoff.outputs.tables.contents import of_all, of_task
from bakeoff.outputs.tables.effects import effects, findings
from bakeoff.outputs.tables.gates import verdicts
from bakeoff.outputs.tables.headline import headline
from bakeoff.outputs.tables.provenance import caveats, provenance


def markdown(run: Run) -> str:
    """The whole report."""
    return "\n".join(_parts(run)).strip() + "\n"


def _parts(run: Run) -> Iterator[str]:
    yield from (f"# {run.manifest.benchmark}", "", run.suite.description.strip(), "")
    yield from (line for note in caveats(run) for line in (f"- {escaped(note)}", ""))
    yield from ("## Answer", "")
    yield from (line for said in sentences(answer(run)) for line in (f"- {escaped(said)}", ""))
    if run.suite.gates and run.shard[1] == 1:
        yield from _tables(verdicts(verdicts_of(run)))
    yield from _tables(*advised(run), headline(run))
    if (factorial := effects(run)).rows:
        yield from _tables(factorial)
        yield from (line for sentence in findings(run) for line in (f"- {sentence}", ""))
    for task in run.comparison.tasks:
        yield from _tables(*of_task(run, task))
    yield from _tables(*of_all(run))
    yield from (line for sentence in checks(run) for line in (f"- {sentence}", ""))
    yield from _tables(provenance(run))


def _tables(*tables: Table) -> Iterator[str]:
    if tables:
        yield as_markdown(tables)
