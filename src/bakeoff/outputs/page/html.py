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
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from bakeoff.analysis import answer
from bakeoff.analysis.measured_run import Run
from bakeoff.analysis.outcomes import without_answers
from bakeoff.core import disk
from bakeoff.core.plain_text import plain
from bakeoff.core.table import Table, cell
from bakeoff.outputs.page import pictures, sample_view, svg
from bakeoff.outputs.page.judged import judged
from bakeoff.outputs.page.numbers import place_of
from bakeoff.outputs.page.turned import MANY, Turned, ranked, turned, turned_table
from bakeoff.outputs.tables.advised import advised
from bakeoff.outputs.tables.checks import checks
from bakeoff.outputs.tables.contents import numbers_of_task, of_all
from bakeoff.outputs.tables.effects import effects, findings
from bakeoff.outputs.tables.head_to_head import head_to_head
from bakeoff.outputs.tables.provenance import caveats, measured_note, provenance, recipe
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
    style, script = _file("page.css"), _script()
    order, many = ranked(run), len(run.suite.setups) > MANY
    inlined = [(shown, Markup(shown.inline(f"plot{n}"))) for n, shown in enumerate(drawn)]
    return template().render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        run=run,
        m=run.manifest,
        notes=[*caveats(run)],
        answer=_answered(run),
        verdict=judged(run),
        findings=findings(run),
        advice=_advice(run),
        setups=list(run.suite.setups),
        colours=len(svg.PALETTE),
        many=many,
        order=[(name, place_of(run, name)) for name in order],
        leading={name for one in answer.answer(run).tasks for name in one.tied},
        headline=_laid(run, [row(run, task, m) for task, m in run.headlines.items()], order),
        measured=_laid(run, [*_measured(run)], order),
        head_to_head=[*_head_to_head(run, many=many)],
        measured_note=measured_note(run),
        effects=effects(run),
        hatches=Markup(svg.HATCHES),
        first={shown[0].task: shown for shown in inlined if shown[0].subject == pictures.HEADLINE},
        pictures=_by_task([shown for shown in inlined if shown[0].subject != pictures.HEADLINE]),
        sample_link=sample_link,
        tasks=[(task, run.manifest.tasks[task], _tables(run, task)) for task in run.samples],
        changes={task: _changes(run, task) for task in run.samples},
        recipes=[(name, place_of(run, name), recipe(s)) for name, s in run.suite.setups.items()],
        others=of_all(run),
        checks=checks(run),
        provenance=provenance(run),
        pieces=((name, Markup(packed)) for name, packed in sample_view.pieces(run)),
    )


def _by_task(
    inlined: Sequence[tuple[pictures.Shown, Markup]],
) -> dict[str, list[tuple[pictures.Shown, Markup]]]:
    """Task -> its pictures; an empty name for those of all tasks."""
    by_task: dict[str, list[tuple[pictures.Shown, Markup]]] = {}
    for shown in inlined:
        by_task.setdefault(shown[0].task, []).append(shown)
    return by_task


def _laid(run: Run, rows: Sequence[Row], order: Sequence[str]) -> Sequence[Row] | Turned:
    """Few setups side by side; many below each other."""
    return turned(run, rows, order) if len(run.suite.setups) > MANY and rows else rows


def _head_to_head(run: Run, *, many: bool) -> Iterator[Table]:
    for task in run.samples:
        if (table := head_to_head(run, task)).rows:
            yield turned_table(table, run.suite.setups) if many else table


def _tables(run: Run, task: str) -> list[Table]:
    setups = run.suite.setups
    return [
        turned_table(table, setups)
        if len(setups) > MANY and set(setups) & set(table.header)
        else table
        for table in numbers_of_task(run, task)
    ]


def _changes(run: Run, task: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(pair, worse or better, samples that changed sides)."""
    return [
        (pair, word, [(task, change.sample) for change in some])
        for pair, changed in run.comparison.tasks[task].changed.items()
        for word, some in (("worse", changed.broke), ("better", changed.mended))
        if some
    ]


def _script() -> str:
    """The page's script: one scope, its files in the order in which they need each other."""
    parts = "\n".join(_file(name) for name in ("view.js", "sample.js", "page.js"))
    return f"(() => {{\n{parts}}})();\n"


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


def sample_link(task: str, sample: str) -> str:
    """The page's own address of a sample."""

    def name(text: str) -> str:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return quote(whole, safe="!~*'()")

    return f"#sample={name(task)}/{name(sample)}"


@dataclass(frozen=True)
class Card:
    """The answer of one task, as the page shows it."""

    task: str
    metric: str
    words: str
    """Whether it is won."""
    names: Sequence[tuple[str, int]]
    """(setup, its place), the best first."""
    more: int
    """Setups left out."""
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answered:
    """The answer as the page opens with it."""

    sentences: Sequence[str]
    silent: Sequence[str]
    """Setups that gave no answer."""
    cards: Sequence[Card]


def _answered(run: Run) -> Answered:
    found = answer.answer(run)
    return Answered(
        answer.summary(found),
        [unanswered.sentence for unanswered in without_answers(run)],
        [_card(run, one) for one in found.tasks if one.tied],
    )


_WORDS = {"best": "best", "tied": "tied for best", "open": "no difference shown", "alone": "alone"}


def _card(run: Run, one: answer.TaskAnswer) -> Card:
    facts = {
        one.metric: cell(one.scores[one.tied[0]], one.metric),
        "difference": answer.lead(one),
        "samples": f"{one.n}; {answer.detectable(one)}" if one.next else str(one.n),
        "an answer takes": answer.spent(one),
        "weakest on": answer.weakest(one),
        "others better in": answer.behind(one),
        "replies cut": answer.cut(one),
    }
    names = [(name, place_of(run, name)) for name in one.tied]
    return Card(
        one.task,
        one.metric,
        _WORDS[one.state],
        names[: answer.NAMED],
        max(0, len(names) - answer.NAMED),
        [(name, text) for name, text in facts.items() if text],
    )


_COLOURS = {"recommended": "PASS", "conditional": "INCONCLUSIVE", "none": "FAIL"}


@dataclass(frozen=True)
class Advised:
    """Advice as the page shows it."""

    state: str
    sentences: Sequence[str]
    unverified: Sequence[str]
    colour: str
    outdated: bool
    """Whether it is older than the run's present numbers."""
    tables: Sequence[Table]


def _advice(run: Run) -> Advised | None:
    """Which setup to take, where `bakeoff advise` was called."""
    if not (run.folder / ADVICE).is_file():
        return None
    from bakeoff.decide import advice

    if (kept := advice.read(run.folder)) is None:
        return None
    return Advised(
        kept.state,
        kept.sentences,
        kept.unverified,
        _COLOURS.get(kept.state, "ERROR"),
        not advice.current(run, kept),
        advised(run),
    )


def _measured(run: Run) -> Iterator[Row]:
    for metric in ("latency_s", "prompt_tokens", "completion_tokens", "cost"):
        for task, facts in run.comparison.tasks.items():
            if metric in facts.metrics:
                yield row(run, task, metric)
