"""The page of a run: what it holds, what it cannot do, whose numbers it shows."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bakeoff import testing
from bakeoff.analysis.measured_run import Run, write_comparison
from bakeoff.core.estimate import Estimate
from bakeoff.core.table import number
from bakeoff.core.words import (
    Answer,
    CheckedClaim,
    Failure,
    Passage,
    Sample,
    Score,
    Step,
)
from bakeoff.decide.gates.judging import verdicts_of
from bakeoff.outputs.page import html, pictures, plots, sample_view
from bakeoff.running.gating import gate
from bakeoff.runs.manifest import Manifest, MetricFacts, TextsRemoved
from bakeoff.runs.store import (
    MANIFEST,
    PAGE,
    write_json,
    write_manifest,
)
from bakeoff.spec.benchmark import Suite
from bakeoff.spec.wording import Wording
from bakeoff.testing import Made, made_manifest, task_facts
from conftest import Cli, write_project
from decided_runs import Right, alike, clear, tied, written

SQUARE: dict[str, Any] = {
    "base": {},
    "fine-tuned": {"tune": True},
    "rag": {"retrieve": True},
    "hybrid": {"tune": True, "retrieve": True},
}
GATES = ("rag.qa.contains >= base.qa.contains", "rate(*.error) <= 0.5")
METRICS = {
    "contains": True,
    "right_refusal": True,
    "wrong_refusal": False,
    "retrieval_recall(k=3)": True,
}
WORDING = Wording(
    system="Be brief.",
    prompt="Q: {question}",
    with_passages="Read:\n{passages}\n\n{prompt}",
    before_passages="{prompt}\n\n{passages}",
)
Outcome = Answer | Failure
Cell = Callable[[str, str, Sample], tuple[Outcome, Mapping[str, Score]]]
"""(task, setup, sample) -> what came of it, and its scores."""


def manifest(name: str, suite: Suite, tasks: Mapping[str, Sequence[Sample]]) -> Manifest:
    metrics = {
        metric: MetricFacts(higher_is_better=higher, bounds=(0, 1), version="v", about="what it is")
        for metric, higher in METRICS.items()
    }
    curve = [
        {"epoch": 1.0, "train_loss": 2.0, "validation_loss": 1.5},
        {"epoch": 2.0, "train_loss": 1.0, "validation_loss": 1.25},
    ]
    training = {"rows": 9, "tokens": 99, "seconds": 1.0, "peak_memory_mb": 1.0, "curve": curve}
    return made_manifest(
        name,
        suite,
        {
            task: task_facts(
                len(samples),
                metrics,
                headline="contains",
                description="d",
                train=3,
                wording=WORDING,
            )
            for task, samples in tasks.items()
        },
        models={"embedded": {"weights": "ff"}},
        adapters={f"{task}/fine-tuned": {"digest": "dd", "training": training} for task in tasks},
        seconds={"quality": 1.0},
    )


def write_run(
    folder: Path,
    tasks: Mapping[str, Sequence[Sample]],
    cell: Cell,
    setups: Mapping[str, Any] = SQUARE,
    gates: Sequence[str] = GATES,
    **changes: Any,
) -> Run:
    """A finished run of these tasks; `changes` are fields of its suite."""
    path = folder / "20260101-000000-000000"
    fields = {"name": "small", "tasks": list(tasks), "setups": setups, "gates": list(gates)}
    suite = Suite.model_validate({**fields, **changes})

    def made(task: str, setup: str, sample: Sample) -> Made:
        outcome, scores = cell(task, setup, sample)
        place = tasks[task].index(sample)
        timed = Answer("x", steps=(Step("decode", 0.25 + place / 64),))
        repeats = 2 if setup == next(iter(setups)) else 1
        return Made((outcome,), scores, (timed,) * repeats if place < 6 else ())

    testing.write_run(path, manifest(path.name, suite, tasks), tasks, made)
    run = Run(path)
    write_comparison(run)
    if gates:
        gate(run, folder)
    return run


def sample(n: int) -> Sample:
    targets = () if n >= 8 else ("the answer",)
    gold = ("book",) if targets else ()
    return Sample(str(n), {"question": f"Question {n}?"}, targets, gold, tags={"kind": "ab"[n % 2]})


PASSAGES = (
    Passage("book", 0, 40, "The barrow weighs 19 kilos. It is red.", 0.9, "Barrows"),
    Passage("note", 0, 20, "The gate opens at six.", 0.5),
)


def small_cell(_: str, setup: str, sample: Sample) -> tuple[Outcome, Mapping[str, Score]]:
    """Base is right on 0 and 1, rag on 0 to 5, hybrid on 0 to 3; 9 is declined; rag fails on 7."""
    n = int(sample.id)
    if (setup, n) == ("rag", 7):
        scores = {"contains": Score(0.0, "failed: timeout"), "wrong_refusal": Score(1.0, "failed")}
        return Failure("timeout"), {**scores, "retrieval_recall(k=3)": Score(0.0)}
    declined = n == 9
    right = declined if n >= 8 else n < {"base": 2, "rag": 6, "hybrid": 4}.get(setup, 3)
    scores = {"contains": Score(float(right))}
    scores |= {"right_refusal" if n >= 8 else "wrong_refusal": Score(float(declined))}
    opened = setup in ("rag", "hybrid")
    steps = (Step("decode", None, 100 if opened else 20, 80 * opened, 5),)
    if opened and n < 8:
        scores["retrieval_recall(k=3)"] = Score(float(n < 4))
    text = "unknown" if declined else "The barrow weighs 19 kilos. It can fly to Mars [1]."
    passages = PASSAGES if opened else ()
    return Answer(text, passages, (*([Step("retrieve")] * opened), *steps)), scores


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path, {"qa": [sample(n) for n in range(10)]}, small_cell)


def page_of(run: Run) -> str:
    return html.write(run).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def unpacked(page: str) -> dict[str, Any]:
    """Name -> what the page's packed pieces hold."""
    found = re.findall(r'<script type="application/octet-stream" id="piece-(\S+)">(.*?)<', page)
    return {name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in found}


def test_the_page_allows_its_own_style_and_script_and_nothing_else(run: Run) -> None:
    page = page_of(run)
    (policy,) = [
        attrs["content"]
        for tag, attrs in Reader(page).tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        known = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{known}'"
    assert "unsafe" not in policy


def test_the_page_names_nothing_that_would_be_fetched(run: Run) -> None:
    tags = Reader(page_of(run)).tags
    for tag, attrs in tags:
        assert "style" not in attrs and not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "action", "data", "poster", "xlink:href"):
            value = attrs.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
    assert not {"iframe", "object", "embed", "img", "base"} & {tag for tag, _ in tags}


def test_every_id_of_the_page_is_there_once(run: Run) -> None:
    ids = [attrs["id"] for _, attrs in Reader(page_of(run)).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_pages_numbers_are_those_of_comparison_json(run: Run) -> None:
    kept = json.loads((run.folder / "comparison.json").read_text())
    facts = kept["tasks"]["qa"]["metrics"]["contains"]
    page = page_of(run)
    (row,) = re.findall(r"<bdi>contains</bdi></span></th>(.*?)</tr>", page, re.DOTALL)
    cells = re.findall(r"<td.*?</td>", row, re.DOTALL)
    assert 'data-label="n">10</td>' in cells[0]
    for name, cell in zip(SQUARE, cells[1:], strict=True):
        each = facts["setups"][name]
        assert f'<span class="value">{each["value"]:.3f}</span>' in cell
        assert f"{each['low']:.3f} to {each['high']:.3f}" in cell
        if name != "base":
            gap = facts["differences"][f"{name} - base"]
            text = f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
            if gap["p"] < 0.05:
                text += " *"
            elif not gap["low"] <= 0 <= gap["high"]:
                text += f" (p = {gap['p']:.3f})"
            assert f"{text}</span>" in cell
    assert "1 of 10 failed" in cells[3] and "failed" not in cells[1] + cells[2] + cells[4]


def test_the_verdict_stands_before_the_results_with_its_reasons(run: Run) -> None:
    page = page_of(run)
    found = verdicts_of(run)
    assert page.index('id="verdict"') < page.index('id="results"')
    assert f"<strong>{found.state}</strong>" in page
    for verdict in found.gates:
        assert verdict.reason.split(";")[0].replace("'", "&#39;") in page


def first_screen(page: str) -> str:
    """The text of the page up to the gates, its first screen."""
    head = page[page.index("<body>") : page.index('<section id="verdict"')]
    return " ".join(" ".join(Reader(head).texts).split())


@pytest.mark.parametrize(
    ("right", "told", "not_told"),
    [
        (clear, "hybrid is best on qa: significantly better than every other setup.", "tied"),
        (tied, "rag and hybrid are tied for best on qa: no significant difference.", "is best"),
        (alike, "No setup is shown to be better than another on qa.", "is best"),
    ],
)
def test_the_page_opens_with_the_answer(
    right: Right, told: str, not_told: str, tmp_path: Path
) -> None:
    text = first_screen(page_of(written(tmp_path, {"qa": right})))
    assert told in text and not_told not in text.split("Best: ")[0]
    assert "No gates: this run was checked against no requirement." in text
    for words in ("contains", "40; minimum detectable difference", "4.01 s (median of 12), 40 + 9"):
        assert words in text or right is not clear


def test_gates_that_pass_are_folded_and_a_gate_over_many_setups_is_one_row(run: Run) -> None:
    page = page_of(run)
    assert (
        "PASS" not in page[: page.index("<details><summary>Gates that pass")].split("</style>")[1]
    )
    (folded,) = re.findall("<summary>Gates that pass</summary>(.*?)</section>", page, re.DOTALL)
    assert folded.count("<tr><td>") == 1 and "rate(*.error) &lt;= 0.5" in folded
    assert "the other 3" in folded


def test_a_gate_links_to_the_samples_that_changed(tmp_path: Path) -> None:
    gates = ["base.qa.contains >= hybrid.qa.contains"]
    run = write_run(tmp_path, {"qa": [sample(n) for n in range(10)]}, small_cell, gates=gates)
    (verdict,) = verdicts_of(run).gates
    assert {change.sample for change in verdict.broke} == {"2", "3"}
    assert {"#sample=qa/2", "#sample=qa/3"} <= set(re.findall('href="([^"]+)"', page_of(run)))


def test_a_run_without_gates_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path, {"qa": [sample(n) for n in range(10)]}, small_cell, gates=())
    assert "checked against no requirement" in page_of(run)


def test_an_answer_is_kept_in_claims_and_every_passage_once(run: Run) -> None:
    pieces = unpacked(page_of(run))
    assert pieces["passages-0"] == [[p.document, p.text, p.title] for p in PASSAGES]
    (first, *_), names = pieces["samples-0-0"], [s["name"] for s in pieces["about"]["setups"]]
    by_setup = dict(zip(names, first["answers"], strict=True))
    (base,), (rag,) = by_setup["base"], by_setup["rag"]
    assert base["parts"] == ["The barrow weighs 19 kilos. It can fly to Mars [1]."]
    assert rag["passages"] == [0, 1]
    stretches = [part if isinstance(part, str) else part[0] for part in rag["parts"]]
    assert "".join(stretches) == base["parts"][0]
    verdicts = [part[1] for part in rag["parts"] if isinstance(part, list)]
    assert verdicts == ["supported", "not found"]


def test_the_prompts_of_a_sample_are_kept_once_and_passages_by_their_place(run: Run) -> None:
    shown = unpacked(page_of(run))["samples-0-0"]
    closed = [["system", ["Be brief."]], ["user", ["Q: Question 2?"]]]
    opened = [["system", ["Be brief."]], ["user", ["Read:\n", "\n\nQ: Question 2?"]]]
    assert shown[2]["prompts"] == [closed, opened]
    assert [answers[0]["asked"] for answers in shown[2]["answers"]] == [0, 0, 1, 1]
    # Of a failure nobody knows the passages.
    assert [answers[0]["asked"] for answers in shown[7]["answers"]] == [0, 0, None, 1]


def test_where_a_run_does_not_say_how_it_asked_there_are_no_prompts(run: Run) -> None:
    tasks = {n: t.model_copy(update={"wording": None}) for n, t in run.manifest.tasks.items()}
    write_manifest(run.folder, run.manifest.model_copy(update={"tasks": tasks}))
    (shown, *_) = unpacked(page_of(Run(run.folder)))["samples-0-0"]
    assert shown["prompts"] == []
    assert {answers[0]["asked"] for answers in shown["answers"]} == {None}


def test_claims_that_a_score_kept_go_before_those_of_words() -> None:
    claim = CheckedClaim("yes it is", "contradicted", 0.25, 1, 4)
    parts = sample_view.stretches("Oh, yes it is!", [claim])
    assert parts == ["Oh, ", ["yes it is", "contradicted", 0.25, 1, []], "!"]


def test_the_list_holds_the_outcome_of_every_setup(run: Run) -> None:
    rows = unpacked(page_of(run))["list-0"]
    letters = {row[0]: row[2] for row in rows}
    assert letters["0"] == "rrrr"
    assert letters["4"] == "wwrw"
    assert letters["7"] == "wwfw"
    assert rows[3][3] == [["kind", "b"]]


def test_ready_made_questions_come_from_the_corners_of_the_square(run: Run) -> None:
    questions = {q["label"]: q["all"] for q in unpacked(page_of(run))["about"]["questions"]}
    assert questions["What retrieval won: rag right, base not"] == [[2, "r"], [0, "pwf"]]
    assert questions["Hybrid lost what rag had: rag right, hybrid not"] == [[2, "r"], [3, "pwf"]]


def test_answers_and_refusals_are_those_of_the_comparison(run: Run) -> None:
    (shown,) = [each for each in pictures.draw(run) if each.subject == "refusals"]
    found = {
        name: dict(zip(shown.table.header[1:], row, strict=True)) for name, *row in shown.table.rows
    }
    wanted = {"right answer": "2", "wrong answer": "7", "right refusal": "1"}
    assert {part: n for part, n in found["base"].items() if n != "0"} == wanted
    wanted = {"right answer": "6", "wrong answer": "2", "right refusal": "1", "failed": "1"}
    assert {part: n for part, n in found["rag"].items() if n != "0"} == wanted


def test_the_front_holds_what_no_other_setup_beats() -> None:
    points = {"a": (1.0, 0.5), "b": (2.0, 0.4), "c": (3.0, 0.9), "d": (3.0, 0.8)}
    assert pictures.front(points, True) == ["a", "c"]
    assert pictures.front(points, False) == ["a", "b"]


def test_every_picture_has_its_numbers_and_a_file(run: Run) -> None:
    shown = pictures.draw(run)
    assert {each.subject for each in shown} == set(pictures.CHARTS) - {
        "quality-cost",
        "monthly-cost",
        "learning",
    }
    html.write(run)
    for each in shown:
        assert each.table.rows
        kept = (run.folder / "plots" / f"{each.subject}.qa.svg").read_text()
        assert ElementTree.fromstring(kept)
        assert "var(" not in kept, "it stands alone: the page's colours are not there"


def test_the_effects_picture_shows_the_comparisons_intervals(run: Run) -> None:
    (effects,) = [each for each in pictures.draw(run) if each.subject == "effects"]
    found = run.comparison.tasks["qa"].metrics["contains"].effects
    for name, *ends, n in effects.table.rows:
        each = found[name]
        assert ends == [number(value, "contains") for value in (each.value, each.low, each.high)]
        assert n == str(each.n)


def test_a_pictures_names_may_hold_markup_and_formulas() -> None:
    names = {
        "$x^2$ <script>": plots.Whisker(Estimate(0.5, 0.25, 0.75)),
        "a&b_{c}": plots.Whisker(Estimate(0.25)),
    }
    drawn = plots.rows(names, "$\\frac{1}{0}$ </svg>")
    text = drawn.inline("p", "</title><script>", "]]>")
    root = ElementTree.fromstring(text)
    said = [element.text for element in root.iter() if element.tag == "text"]
    assert {"$x^2$ <script>", "a&b_{c}", "$\\frac{1}{0}$ </svg>"} <= set(said)
    assert "<script" not in text and "style=" not in text


def test_the_same_run_gives_the_same_page(run: Run) -> None:
    assert page_of(run) == page_of(Run(run.folder))


WORDS = [f"w{i:x}{i * 7919 % 997:x}" for i in range(20_000)]


@pytest.mark.slow
def test_a_thousand_samples_on_four_setups_stay_below_five_megabytes(tmp_path: Path) -> None:
    def text(seed: int, n: int) -> str:
        return " ".join(random.Random(seed).choices(WORDS, k=n)) + "."

    def cell(_: str, setup: str, s: Sample) -> tuple[Outcome, Mapping[str, Score]]:
        n = int(s.id)
        passages = ()
        if setup in ("rag", "hybrid"):
            passages = tuple(
                Passage(f"d{n}-{i}", 0, 9, text(n * 3 + i, 120), 0.5) for i in range(3)
            )
        answer = Answer(text(n + len(setup), 40), passages, (Step("decode", None, 100, 0, 40),))
        return answer, {"contains": Score(float(n % len(setup) == 0))}

    samples = [Sample(str(n), {"question": text(n, 12)}, (text(n, 3),)) for n in range(1000)]
    run = write_run(tmp_path, {"qa": samples}, cell, gates=())
    page = page_of(run)
    assert len(page.encode()) < 5_000_000
    pieces = unpacked(page)
    assert sum(len(rows) for name, rows in pieces.items() if name.startswith("samples-")) == 1000
    assert sum(len(rows) for name, rows in pieces.items() if name.startswith("passages-")) == 3000


HOSTILE = [
    "<script>window.hit=1</script>",
    "</script><script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "'-window.hit=1-'",
    "<!--",
    "-->",
    "<!--<script>",
    "]]>",
    "</title></style></textarea></noscript><script>alert(1)</script>",
    "=1+1",
    '=HYPERLINK("http://example.invalid","x")',
    "@SUM(A1)",
    "\u202egnp.exe\u202c",
    "\u200f\u061c\u2066right\u2069",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "nul\x00nul",
    "lone \ud800 surrogate \udfff",
    "emoji 👩‍👩‍👧‍👦 🏳️‍🌈",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "__proto__",
    "constructor",
    "{{7*7}}{% raw %}{{ self }}",
    "${7*7}#{7*7}`${alert(1)}`",
    "$x^2$ \\frac{1}{0}",
    "a" * 3000,
    "\u2028line\u2029separator\x85",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "مرحبا بالعالم שלום",
    "[1] [2] [999] [0]",
    "%00%2e%2e/%",
    "#sample=qa/1",
    "CON\\..\\..\\x?q=1&y=2",
]


def hostile_run(folder: Path) -> Run:
    """Hostile texts wherever a run can hold a text; one answer has a megabyte."""
    samples = [
        Sample(
            text,
            {"question": text, "extra": text, text or "x": text},
            () if n % 5 == 4 else (text, "x"),
            (text,),
            tags={text: text, "kind": "x", "__proto__": "y", "constructor": "z"},
        )
        for n, text in enumerate(HOSTILE)
    ]

    def cell(_: str, setup: str, s: Sample) -> tuple[Outcome, Mapping[str, Score]]:
        place = HOSTILE.index(s.id)
        scores = {"contains": Score(float(place % 3 == 0), s.id), "evil<b>": Score(None, s.id)}
        if place % 7 == 6:
            return Failure(s.id), scores
        text = "A long answer. " * 70_000 if place == 0 else f"{s.id} [1] says {s.id}."
        passages = (Passage(s.id, 0, 9, f"{s.id} is text. {s.id}", 0.5),)
        return Answer(text, passages, (Step(s.id), Step("decode", None, 9, 2, 3))), scores

    markup = HOSTILE[1] + HOSTILE[2] + HOSTILE[23] + HOSTILE[13]
    setups = {
        "__proto__": {"description": markup},
        "constructor": {"retrieve": True, "description": markup},
    }
    gates = ["constructor.__proto__.contains >= __proto__.__proto__.contains"]
    tasks = {"__proto__": samples, "hasOwnProperty": samples[:20]}
    run = write_run(folder, tasks, cell, setups, gates, description=markup)
    found = json.loads((run.folder / MANIFEST).read_text())
    for task in found["tasks"].values():
        task["description"] = markup
        task["metrics"]["evil<b>"] = {**task["metrics"]["contains"], "about": markup}
    found["skipped"] = {markup: markup}
    found["command"] = markup
    found["models"] = {markup: {markup: markup}}
    write_json(run.folder / MANIFEST, found)
    return Run(run.folder)


def test_hostile_texts_add_no_tag_and_no_attribute_to_the_page(tmp_path: Path) -> None:
    page = page_of(hostile_run(tmp_path))
    tags = Reader(page).tags
    assert [attrs for tag, attrs in tags if tag == "script" and "type" not in attrs] == [{}]
    assert not {"img", "iframe", "textarea", "b"} & {tag for tag, _ in tags}
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
    assert "49" not in re.findall(r"<h1>.*?</header>", page, re.DOTALL)[0]
    assert not re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", page)


def test_a_long_answer_is_shortened_and_its_length_kept(tmp_path: Path) -> None:
    first = unpacked(page_of(hostile_run(tmp_path)))["samples-0-0"][0]
    (answer,) = first["answers"][0]
    parts = [part if isinstance(part, str) else part[0] for part in answer["parts"]]
    assert len("".join(parts)) == sample_view.ANSWER
    assert answer["length"] == 15 * 70_000


def test_a_run_whose_texts_were_pruned_still_has_a_page(run: Run) -> None:
    mark = TextsRemoved(on="2026-02-01", what="texts")
    write_manifest(run.folder, run.manifest.model_copy(update={"pruned": mark}))
    assert "Answers and passages were removed on 2026-02-01." in page_of(Run(run.folder))


def test_the_page_is_beside_the_run_under_its_name(run: Run) -> None:
    assert html.write(run) == run.folder / PAGE


def test_setups_that_differ_in_their_rows_alone_make_a_learning_curve(
    cli: Cli, tmp_path: Path
) -> None:
    benchmark = write_project(tmp_path)
    bot = '{call: "../bot.py::answer"}'
    benchmark.write_text(
        f"tasks: [tiny]\nsetups: {{t-10: {bot}, t-20: {bot}, other: {bot}}}\n"
        "latency: {samples: 0}\n"
    )
    assert cli("run", benchmark, "--no-mlflow", cwd=tmp_path).returncode == 0
    folder = next((tmp_path / "results" / "smallest").iterdir())
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, tune in {"t-10": {"rows": 10}, "t-20": {"rows": 20}, "other": {"rank": 4}}.items():
        manifest["suite"]["setups"][name] |= {"call": None, "tune": tune}
    # Not what the run wrote: without digests it is read like a run of before there were any.
    del manifest["files"], manifest["seal"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (shown,) = [each for each in pictures.draw(Run(folder)) if each.subject == "learning"]
    assert [row[:3] for row in shown.table.rows] == [("t", "10", "0.333"), ("t", "20", "0.333")]
