"""The page of a run in a real browser: Playwright with the system's own Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import QUALITY, Answer, Record, Score
from bakeoff.outputs.page import html
from bakeoff.runs.manifest import INTERRUPTED
from bakeoff.runs.store import Unit, open_journal, write_manifest
from decided_runs import Right, alike, clear, tied, written
from test_html import HOSTILE, PASSAGES, hostile_run, sample, small_cell, write_run

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = playwright.expect
WAIT_MS = 300_000
"""For what comes in a second, on a machine that is busy with something else."""
expect.set_options(timeout=WAIT_MS)
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright")
CHROMIUM = os.environ.get("BAKEOFF_CHROMIUM") or next(
    (found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: install it, or set BAKEOFF_CHROMIUM"
)
WIDTHS, SCREENS, THEMES = (1280, 375), (1440, 1024, 375), ("light", "dark")
BESIDE = """
[...document.querySelectorAll('main svg.plot, main h2, main h3, main p, main dd, .answer, form')]
  .filter(e => e.checkVisibility() && !e.closest('.scroll') && !e.closest('.hidden'))
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.innerText || e.tagName)
"""
"""What is cut off at the right: of tables the block that scrolls counts, not their cells."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        # Without its sandbox: as root, as in a container, Chromium has none.
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    samples = [sample(n) for n in range(10)]
    others = [sample(n) for n in range(8)] + [
        type(samples[0])(f"more-{n}", {"question": f"More of {n}?"}, ("x",)) for n in range(60)
    ]

    def cell(task: str, setup: str, each: Any) -> Any:
        return small_cell(task, setup, sample(1) if each.id.startswith("more") else each)

    return html.write(write_run(folder, {"qa": samples, "many": others}, cell))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return html.write(hostile_run(tmp_path_factory.mktemp("hostile")))


class Opened:
    """A page in the browser, with everything it said, asked and popped up."""

    def __init__(
        self, browser: Any, path: Path, fragment: str = "", width: int = 1280, theme: str = "light"
    ) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
        self.page.set_default_timeout(WAIT_MS)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = path.as_uri()
        self.page.goto(self.address + fragment)
        self.page.wait_for_selector("html[data-ready]")

    def lists(self, ids: list[str]) -> None:
        """The list shows the samples of these ids, now or when it has been filtered."""
        expect(self.page.locator("#list .line bdi")).to_have_text(ids)

    def heading(self) -> str:
        return str(self.page.locator("#sample h3").inner_text())

    def overflows(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.fixture
def opened(browser: Any, small: Path) -> Iterator[Opened]:
    found = Opened(browser, small)
    yield found
    found.page.close()


def test_the_page_opens_without_errors_and_asks_nothing_of_a_network(opened: Opened) -> None:
    opened.page.locator("#list a").first.click()
    opened.page.wait_for_selector("#sample .answers")
    assert opened.said == []
    assert {url.split("#")[0] for url in opened.asked if not url.startswith("data:")} == {
        opened.address
    }


def test_filters_choose_by_task_outcome_tag_and_text(opened: Opened) -> None:
    page = opened.page
    expect(page.locator("#count")).to_have_text("78 of 78 samples")
    page.select_option("#f-task", label="qa")
    opened.lists([str(n) for n in range(10)])
    page.select_option("#f-setup", label="rag")
    page.select_option("#f-outcome", label="failed")
    opened.lists(["7"])
    page.select_option("#f-outcome", label="right")
    opened.lists([*"012345", "9"])
    page.select_option("#f-tag", label="kind = b")
    opened.lists(["1", "3", "5", "9"])
    page.fill("#f-text", "unknown")
    opened.lists(["9"])


def test_ready_made_questions_show_what_a_setup_won_and_lost(opened: Opened) -> None:
    page = opened.page
    page.select_option("#f-task", label="qa")
    page.select_option("#f-question", label="What retrieval won: rag right, base not")
    opened.lists([*"2345"])
    page.select_option("#f-question", label="Hybrid lost what rag had: rag right, hybrid not")
    opened.lists(["4", "5"])
    page.select_option("#f-question", label="All wrong")
    opened.lists(["6", "7", "8"])


def test_the_list_is_paged_by_fifty(opened: Opened) -> None:
    lines = opened.page.locator("#list .line bdi")
    expect(lines).to_have_count(50)
    opened.page.click("#after")
    expect(lines).to_have_count(28)
    expect(opened.page.locator("#after")).to_be_disabled()


def test_a_deep_link_opens_its_sample_and_following_one_opens_the_next(
    browser: Any, small: Path
) -> None:
    opened = Opened(browser, small, "#sample=many/more-59")
    opened.page.wait_for_selector("#sample h3")
    assert opened.heading() == "many / more-59"
    expect(opened.page.locator("#pages")).to_contain_text("2 of 2")
    opened.page.evaluate("location.hash = '#sample=qa/3'")
    expect(opened.page.locator("#sample h3")).to_have_text("qa / 3")
    opened.page.close()


def test_keys_move_between_samples_and_focus_is_seen(opened: Opened) -> None:
    page = opened.page
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator("#sample h3")).to_have_text("qa / 1")
    page.wait_for_function("location.hash === '#sample=qa/1'")
    page.locator("#list a").nth(1).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#sample h3")).to_have_text("qa / 2")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.locator("#f-text").focus()
    page.keyboard.press("j")
    assert page.input_value("#f-text") == "j" and opened.heading() == "qa / 2"


def test_answers_stand_side_by_side_with_claims_citations_and_passages(
    browser: Any, small: Path
) -> None:
    opened = Opened(browser, small, "#sample=qa/2")
    page = opened.page
    page.wait_for_selector("#sample .answers")
    cards = page.locator("section.answer")
    assert cards.count() == 4
    assert "✗ wrong" in cards.nth(0).inner_text() and "✓ right" in cards.nth(2).inner_text()
    assert cards.nth(0).locator("mark").count() == 0
    assert cards.nth(2).locator("mark.supported").inner_text() == "The barrow weighs 19 kilos."
    assert cards.nth(2).locator("mark.not-found").count() == 1
    cards.nth(2).locator("mark a").click()
    assert page.evaluate("document.activeElement.textContent").startswith("[1] book (gold)")
    assert PASSAGES[0].text in cards.nth(2).inner_text()
    page.close()


def test_a_sample_without_a_record_is_said_to_have_none(browser: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path, {"qa": [sample(n) for n in range(10)]}, small_cell, gates=())
    unit = Unit("qa", "base")
    for name in ("1.jsonl", "committed.jsonl"):
        (unit.folder(run.folder) / name).unlink()
    with open_journal(run.folder, unit) as fresh:
        fresh.append(Record(QUALITY, "qa", "base", "1", Answer("only this")))
    stopped = run.manifest.model_copy(update={"status": INTERRUPTED})
    write_manifest(run.folder, stopped)
    opened = Opened(browser, html.write(type(run)(run.folder)), "#sample=qa/0")
    opened.page.wait_for_selector("#sample .answers")
    assert "no record of it" in opened.page.locator("section.answer").first.inner_text()
    assert opened.said == []
    opened.page.close()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), zip(WIDTHS, THEMES, strict=True))
def test_axe_finds_no_serious_fault(browser: Any, small: Path, width: int, theme: str) -> None:
    opened = Opened(browser, small, "#sample=qa/2", width, theme)
    opened.page.wait_for_selector("#sample .answers")
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = axe.Axe().run(opened.page).response["violations"]
    faults = [
        (fault["id"], [node["html"][:120] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []
    assert not opened.overflows()
    opened.page.close()


def test_the_first_sample_is_open_and_an_empty_list_says_so(opened: Opened) -> None:
    page = opened.page
    assert opened.heading() == "qa / 0"
    page.fill("#f-text", "no answer says this")
    expect(page.locator("#list")).to_contain_text("No sample matches these filters.")
    page.click("#list button")
    expect(page.locator("#count")).to_have_text("78 of 78 samples")


def test_filters_and_setups_are_in_the_address_and_come_back_from_it(
    browser: Any, small: Path, opened: Opened
) -> None:
    page = opened.page
    page.select_option("#f-setup", label="rag")
    page.select_option("#f-outcome", label="failed")
    page.locator("#picker label").filter(has_text="fine-tuned").locator("input").uncheck()
    expect(page.locator("#sample h3")).to_have_text("qa / 7")
    page.wait_for_function("location.hash.includes('sample=qa/7')")
    other = Opened(browser, small, page.evaluate("location.hash"))
    other.lists(["7", "7"])  # of both tasks
    shown = other.page.locator("section.answer:not([hidden]) h4 bdi")
    expect(shown).to_have_text(["base", "rag", "hybrid"])
    other.page.close()


def test_the_picker_drives_tables_pictures_and_cards(opened: Opened) -> None:
    page = opened.page
    plot = page.locator("article.card svg").first
    high = plot.evaluate("e => e.viewBox.baseVal.height")
    page.locator("#picker label").filter(has_text="base").locator("input").uncheck()
    assert page.locator("[data-s='0']:visible").count() == 0
    assert plot.evaluate("e => e.viewBox.baseVal.height") == high - 24
    page.click("#pick-all")
    assert plot.evaluate("e => e.viewBox.baseVal.height") == high


def test_marks_and_reasons_say_whose_they_are(browser: Any, small: Path) -> None:
    opened = Opened(browser, small, "#sample=qa/7")
    opened.page.wait_for_selector("#sample .answers")
    failed = opened.page.locator("section.answer").nth(2)
    assert failed.locator("p").first.inner_text() == "Failed: timeout"
    titles = opened.page.locator("#list li a[aria-current] .mark").evaluate_all(
        "marks => marks.map(m => m.title)"
    )
    assert titles == ["base: wrong", "fine-tuned: wrong", "rag: failed", "hybrid: wrong"]
    opened.page.close()


def test_words_of_the_target_and_words_of_one_setup_alone_are_marked(
    browser: Any, tmp_path: Path
) -> None:
    texts = {"base": "nobody knows", "rag": "the answer is here", "hybrid": "the answer is there"}

    def cell(_: str, setup: str, each: Any) -> Any:
        return Answer(texts.get(setup, "nobody knows")), {"contains": Score(0.0, "why it is so")}

    run = write_run(tmp_path, {"qa": [sample(0)]}, cell, gates=())
    opened = Opened(browser, html.write(run))
    cards = opened.page.locator("section.answer")
    assert cards.nth(2).locator(".hit").all_inner_texts() == ["the", "answer"]
    assert cards.nth(2).locator(".only").all_inner_texts() == ["here"]
    assert "The same text as fine-tuned." in cards.nth(0).inner_text()
    assert "contains: why it is so" in cards.nth(0).locator("p").first.inner_text()
    opened.page.close()


def test_the_prompt_of_an_answer_is_text_that_can_be_copied(browser: Any, small: Path) -> None:
    opened = Opened(browser, small, "#sample=qa/2")
    page = opened.page
    page.wait_for_selector("#sample .answers")
    asked = page.locator("section.answer").nth(2).locator(".asks")
    asked.locator("summary").click()
    passages = f"[1] Barrows: {PASSAGES[0].text}\n\n[2] {PASSAGES[1].text}"
    assert asked.locator("pre").evaluate_all("all => all.map(e => e.textContent)") == [
        "Be brief.",
        f"Read:\n{passages}\n\nQ: Question 2?",
    ]
    asked.locator("button").nth(1).click()
    expect(asked.locator("button").nth(1)).to_have_text(re.compile("Copied|Selected"))
    assert page.evaluate("getSelection().toString()").startswith("Read:")
    page.close()


def test_a_mark_in_a_picture_tells_value_interval_and_n(opened: Opened) -> None:
    opened.page.locator("article.card svg .row").first.hover()
    expect(opened.page.locator("#tip")).to_contain_text("95% interval")
    expect(opened.page.locator("#tip")).to_contain_text("n = ")


MANY = {f"setup-{n:02}": {"retrieve": {"k": n}} if n else {} for n in range(14)}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen setups on two tasks, the later ones better."""
    tasks = {"first": lambda s, i: i < 3 * int(s[-2:]), "second": lambda s, i: i % 14 < int(s[-2:])}
    run = written(tmp_path_factory.mktemp("many"), tasks, setups=MANY)
    return html.write(run)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1024, "dark"), (375, "light")])
def test_many_setups_are_rows_the_best_first_and_fit_every_width(
    browser: Any, many: Path, width: int, theme: str
) -> None:
    opened = Opened(browser, many, width=width, theme=theme)
    page = opened.page
    names = page.locator("#results table").first.locator("tbody th bdi")
    assert names.all_inner_texts() == sorted(MANY, reverse=True)
    first = page.locator("#results table").first.locator("tbody tr").first.bounding_box()
    assert first["x"] >= 0 and first["x"] + min(first["width"], 300) <= width
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert not opened.overflows()
    assert page.locator("svg.plot").first.locator("text").count() < 60
    assert opened.said == []
    if width > 640:
        page.locator("#results th button").first.click()
        page.locator("#results th button").first.click()
        assert names.first.inner_text() == "setup-00"
    page.close()


@pytest.mark.parametrize("name", ["small", "many"])
@pytest.mark.parametrize("theme", THEMES)
def test_every_width_and_theme_shows_the_answer_first_and_cuts_nothing_off(
    browser: Any, name: str, theme: str, request: pytest.FixtureRequest
) -> None:
    opened = Opened(browser, request.getfixturevalue(name), theme=theme)
    page = opened.page
    page.wait_for_selector("#sample .answers")
    for width in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("scrollTo(0, 0)")
        assert not opened.overflows(), width
        top = page.locator("#answer .lead").first.bounding_box()
        assert top["y"] + top["height"] <= 800, "the answer is on the first screen"
        assert page.evaluate(BESIDE) == [], width
    # Ink on paper: a theme that is half applied would have one on the other.
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (brightness[0] > brightness[1]) == (theme == "dark")
    assert opened.said == []
    page.close()


DECIDED: dict[str, tuple[Right, str, set[str]]] = {
    "clear": (clear, "hybrid is best on qa: significantly better than every other setup.", set()),
    "tied": (tied, "rag and hybrid are tied for best on qa", {"is best"}),
    "nothing": (
        alike,
        "No setup is shown to be better than another on qa.",
        {"is best", "tied for best"},
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_the_first_screen_says_in_words_who_won_or_that_nobody_did(
    browser: Any, tmp_path: Path, name: str
) -> None:
    right, said, never = DECIDED[name]
    opened = Opened(browser, html.write(written(tmp_path, {"qa": right})), width=1440)
    seen = opened.page.evaluate(
        "[...document.querySelectorAll('main p, main h2, main h3, main dd, main dt, main span')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().top < innerHeight)"
        ".map(e => e.innerText).join('\\n')"
    )
    assert said in seen
    assert not [words for words in never if words in seen]
    opened.page.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "many"])
def test_it_prints_to_pdf_on_a4(browser: Any, name: str, request: pytest.FixtureRequest) -> None:
    opened = Opened(browser, request.getfixturevalue(name))
    printed = opened.page.pdf(format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF-")
    boxes = {
        tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([^\]]+)\]", printed)
    }
    assert {(round(box[2]), round(box[3])) for box in boxes} == {(595, 842)}
    opened.page.close()


@pytest.mark.parametrize("name", ["small", "many"])
def test_on_paper_nothing_is_folded_or_cut_off(
    browser: Any, name: str, request: pytest.FixtureRequest
) -> None:
    opened = Opened(browser, request.getfixturevalue(name), width=703)  # A4 less its margins
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not opened.overflows()
    cut = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() &&"
        " !e.closest('.hidden') && e.getBoundingClientRect().right > 705).length"
    )
    assert cut == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_texts_run_nothing_and_break_no_layout(
    browser: Any, hostile: Path, width: int
) -> None:
    opened = Opened(browser, hostile, width=width)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert not opened.overflows()
    for _ in HOSTILE:
        before = opened.heading()
        page.keyboard.press("j")
        expect(page.locator("#sample h3")).not_to_have_text(before)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert not opened.overflows(), opened.heading()
    everything = page.locator("#count").inner_text()
    page.fill("#f-text", "script")
    expect(page.locator("#count")).not_to_have_text(everything)
    page.select_option("#f-tag", label="__proto__ = y")
    assert page.evaluate("window.hit") is None
    assert opened.said == []
    assert {url.split("#")[0] for url in opened.asked if not url.startswith("data:")} == {
        opened.address
    }
    page.close()


def test_a_script_that_got_into_the_page_would_not_run(opened: Opened) -> None:
    opened.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
        " document.body.append(s); }"
    )
    assert opened.page.evaluate("window.hit") is None
    assert ["Content Security Policy" in said for said in opened.said] == [True]


def test_a_megabyte_answer_is_shown_shortened_with_its_size(browser: Any, hostile: Path) -> None:
    opened = Opened(browser, hostile)
    opened.page.wait_for_selector("#sample .answers")
    text = opened.page.locator("section.answer").first.inner_text()
    assert "Shortened: the first 4,000 of 1,050,000 characters." in text
    opened.page.close()


def test_a_deep_link_with_signs_of_addresses_comes_back_to_its_sample(
    browser: Any, hostile: Path
) -> None:
    opened = Opened(browser, hostile)
    links = opened.page.locator("#list a")
    for name in ("%00%2e%2e/%", "#sample=qa/1", "CON\\..\\..\\x?q=1&y=2"):
        link = links.nth(HOSTILE.index(name)).get_attribute("href")
        other = Opened(browser, hostile, link)
        other.page.wait_for_selector("#sample h3")
        assert other.heading() == f"__proto__ / {name}"
        other.page.close()
    opened.page.close()
