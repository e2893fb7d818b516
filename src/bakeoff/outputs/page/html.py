"""A finished run as one HTML page: no network, no foreign code, every text escaped.

The page may run one script and one style sheet, both known by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from bakeoff.analysis.measured_run import Run
from bakeoff.core import disk
from bakeoff.core.plain_text import plain
from bakeoff.core.table import Table
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.page import pictures, sample_view, svg
from bakeoff.outputs.tables import gates
from bakeoff.outputs.tables.advised import advised
from bakeoff.outputs.tables.checks import checks
from bakeoff.outputs.tables.contents import of_all, of_task
from bakeoff.outputs.tables.effects import effects, findings
from bakeoff.outputs.tables.provenance import caveats, measured_note, provenance
from bakeoff.outputs.tables.side_by_side import Row, row
from bakeoff.runs.store import ADVICE, PAGE, PLOTS

_TEXT = 5000
"""Characters of one text in the page's own part."""


def write(run: Run) -> Path:
    """Put the page and its plots into the run's folder; where the page is."""
    drawn = pictures.draw(run)
    pictures.write(drawn, run.folder / PLOTS)
    path = run.folder / PAGE
    disk.replace(path, [page(run, drawn)])
    return path


def page(run: Run, drawn: Sequence[pictures.Shown]) -> str:
    """The whole page as text."""
    style, script = _file("page.css"), _file("page.js")
    return template().render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        run=run,
        m=run.manifest,
        notes=[*caveats(run)],
        verdict=_verdict(run),
        findings=findings(run),
        advice=_advice(run),
        setups=list(run.suite.setups),
        headline=[row(run, task, metric) for task, metric in run.headlines.items()],
        measured=[*_measured(run)],
        measured_note=measured_note(run),
        effects=effects(run),
        hatches=Markup(svg.HATCHES),
        pictures=[(shown, Markup(shown.inline(f"plot{n}"))) for n, shown in enumerate(drawn)],
        tasks=[(task, run.manifest.tasks[task], of_task(run, task)) for task in run.samples],
        others=of_all(run),
        checks=checks(run),
        provenance=provenance(run),
        pieces=((name, Markup(packed)) for name, packed in sample_view.pieces(run)),
    )


def _file(name: str) -> str:
    return (resources.files("bakeoff.outputs.page") / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def template() -> Template:
    """The page's template, compiled; once."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_file("page.html.j2"))


def _visible(value: object) -> object:
    """What a template puts into the page: our own markup, or one line of visible text."""
    return value if isinstance(value, Markup) else plain(value, _TEXT)


def _policy(style: str, script: str) -> str:
    """The page's content security policy: nothing but its own style and script."""

    def source(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    rules = {
        "default-src": "'none'",
        "script-src": source(script),
        "style-src": source(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@dataclass(frozen=True)
class Verdict:
    """What came of the gates, as the page shows it."""

    state: str
    meaning: str
    counted: str
    code: int
    caveats: Sequence[str]
    references: Sequence[str]
    table: Table
    more: int
    """Gates that the table leaves out."""


def _verdict(run: Run) -> Verdict | None:
    if not run.suite.gates or run.shard[1] > 1:
        return None
    outcome = verdicts_of(run)
    table = gates.verdicts(outcome)
    return Verdict(
        outcome.state,
        gates.meaning(outcome),
        gates.counted(outcome),
        outcome.exit_code,
        [*gates.caveats(outcome)],
        [*gates.references(outcome)],
        table,
        len(outcome.gates) - len(table.rows),
    )


_COLOURS = {"recommended": "PASS", "conditional": "INCONCLUSIVE", "none": "FAIL"}


@dataclass(frozen=True)
class Advised:
    """Advice as the page shows it."""

    state: str
    said: Sequence[str]
    provided: Sequence[str]
    colour: str
    late: bool
    """Older than what the run says now."""
    tables: Sequence[Table]


def _advice(run: Run) -> Advised | None:
    """Which setup to take, where `bakeoff advise` was asked."""
    if not (run.folder / ADVICE).is_file():
        return None
    from bakeoff.decide import advice

    if (kept := advice.read(run.folder)) is None:
        return None
    return Advised(
        kept.state,
        kept.said,
        kept.provided,
        _COLOURS.get(kept.state, "ERROR"),
        not advice.current(run, kept),
        advised(run),
    )


def _measured(run: Run) -> Iterator[Row]:
    for metric in ("latency_s", "prompt_tokens", "completion_tokens", "cost"):
        for task, facts in run.comparison.tasks.items():
            if metric in facts.metrics:
                yield row(run, task, metric)
