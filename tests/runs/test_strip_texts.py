"""Pruned runs: the texts are gone, every number is the same, whatever cut the pruning short."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis import measured_run
from bakeoff.core.words import (
    LATENCY,
    QUALITY,
    Answer,
    BakeoffError,
    CheckedClaim,
    Failure,
    Passage,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.decide.gates.judging import judged
from bakeoff.runs import store, strip_texts
from bakeoff.runs.manifest import Manifest, TextsRemoved
from bakeoff.runs.store import (
    COMMITTED,
    MANIFEST,
    Unit,
    open_journal,
    read_manifest,
    write_json,
    write_manifest,
)
from bakeoff.spec.benchmark import Suite
from bakeoff.testing import RATE, made_manifest, task_facts

MADE = datetime(2026, 6, 1, 3, tzinfo=UTC)
NOW = MADE + timedelta(days=40)
SAID = 'They said\u2028\U0001f600 "yes" \\ \x1e'
READ = "Of the handbook, page 3."
RAG = Unit("qa", "rag")
KILLED = 3


def manifest(name: str, **changes: Any) -> Manifest:
    suite: dict[str, Any] = {
        "name": "small",
        "tasks": ["qa"],
        "setups": {"base": {}, "rag": {"retrieve": True}},
    }
    suite["policy"] = {"max_error_rate": 1.0}
    suite["gates"] = ["rag.qa.contains >= base.qa.contains", "rate(*.error) <= 0.5"]
    metrics = {"contains": RATE, "label": RATE.model_copy(update={"aggregate": "macro_f1"})}
    facts = {"created": MADE.isoformat(), **changes}
    return made_manifest(name, Suite.model_validate(suite), {"qa": task_facts(9, metrics)}, **facts)


def answer(n: int, setup: str, timed: bool = False) -> Answer:
    steps = (Step("decode", 0.5 + n / 7 if timed else None, 100 + n, 0, 3 + n),)
    if setup == "base":
        return Answer(SAID, (), steps)
    passages = tuple(Passage(f"doc{i}", 0, 9, READ, 1 / (i + 3)) for i in range(3))
    return Answer(SAID, passages, (Step("retrieve", 0.1 if timed else None), *steps))


def write_run(results: Path, name: str = "one", **changes: Any) -> Path:
    """Nine samples on two setups, a failure in each; rag has two attempts."""
    run = results / "small" / name
    run.mkdir(parents=True)
    write_manifest(run, manifest(name, **changes))
    samples = [Sample(str(n), {"question": SAID}, (SAID,)) for n in range(9)]
    store.write_samples(run, {"qa": samples})
    (run / "report.md").write_text(SAID)
    store.Journal(folder_of(run, RAG) / "1.jsonl").close()
    (folder_of(run, RAG) / "2.jsonl").touch()
    for setup in ("base", "rag"):
        with open_journal(run, Unit("qa", setup)) as journal:
            for n, sample in enumerate(samples):
                journal.sending(sample.id)
                outcome = Failure("timeout: 5 s") if n == 4 else answer(n, setup)
                journal.append(Record(QUALITY, "qa", setup, sample.id, Failure("first")))
                journal.append(Record(QUALITY, "qa", setup, sample.id, outcome))
            journal.commit()
        scores = {
            (s.id, 0): {
                "contains": Score(float((n + len(setup)) % 3 == 0)),
                "label": Score(1.0, "", ("a", "ab"[n % 2])),
                "support": Score(0.5, f"not found: {SAID}", None, (CheckedClaim(SAID, "x", 0.5),)),
                "error": Score(0.0, "failed: timeout"),
            }
            for n, s in enumerate(samples)
        }
        store.write_scores(run, Unit("qa", setup), scores.items())
    with open_journal(run, Unit("qa")) as journal:
        for n, sample in enumerate(samples):
            for setup, again in (("base", 0), ("rag", 0), ("base", 1)):
                timed = answer(n + again, setup, timed=True)
                journal.append(Record(LATENCY, "qa", setup, sample.id, timed, again))
        journal.commit()
    # A first attempt that was killed in the middle of a line, after one answer.
    first = (folder_of(run, RAG) / "2.jsonl").read_bytes().split(b"\n")
    (folder_of(run, RAG) / "1.jsonl").write_bytes(b"\n".join([*first[:3], first[2][:60]]))
    measured_run.write_comparison(measured_run.Run(run))
    return run


def folder_of(run: Path, unit: Unit) -> Path:
    folder = unit.folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pruned(
    results: Path, *keep: str, days: float = 30, now: datetime = NOW
) -> list[strip_texts.Pruned]:
    return strip_texts.prune(results, days, keep, now)


def content(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def texts(run: Path) -> bool:
    """Whether any journal still holds a text."""
    journals = list(run.glob("units/*/*.jsonl")) + list(run.glob("units/*/.*"))
    held = b"".join(path.read_bytes() for path in journals if path.name != store.SCORES)
    return any(json.dumps(text)[1:-1].encode() in held for text in (SAID, READ)) or b"They" in held


def facts(run: Path) -> dict[str, Any]:
    """Everything that is computed from a run, as it is printed."""
    read = measured_run.Run(run)
    measured_run.write_comparison(read)
    found: dict[str, Any] = {
        "comparison": (run / measured_run.COMPARISON).read_text(),
        "verdicts": judged(read).model_dump(mode="json"),
    }
    for key, column in read.columns.items():
        found[repr(key)] = (column.samples, column.clusters, column.values.tolist(), column.labels)
    found["sent"] = store.requests_sent(run, RAG)
    return json.loads(json.dumps(found))


def without_texts(record: Record) -> Record:
    said = record.answer
    if said is None:
        return record
    passages = tuple(Passage(p.document, p.start, p.end, "", p.score) for p in said.passages)
    bare = Answer("", passages, said.steps)
    return Record(*record.key[:4], bare, record.repeat)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_the_page_goes_with_the_texts_that_it_shows(results: Path) -> None:
    page = write_run(results) / store.PAGE
    page.write_text(f"<p>{READ}</p>")
    (done,) = pruned(results)
    assert done.freed_bytes > 0 and not page.exists()


def test_texts_go_and_every_number_stays(results: Path) -> None:
    run = write_run(results)
    before, records = facts(run), {u: list(store.read_records(run, u)) for u in store.units(run)}
    same = {name: text for name, text in content(run).items() if "units" not in name}
    assert texts(run)
    (done,) = pruned(results)
    assert (done.run, done.left) == (run, "")
    assert done.freed_bytes > 0
    assert not texts(run)
    assert facts(run) == before
    for unit, old in records.items():
        assert list(store.read_records(run, unit)) == [without_texts(record) for record in old]
    del same[MANIFEST]
    assert {name: content(run)[name] for name in same} == same
    assert SAID in measured_run.Run(run).samples["qa"]["0"].question


def test_claims_and_reasons_go_their_verdicts_and_why_an_answer_failed_stay(
    results: Path,
) -> None:
    run = write_run(results)
    (run / store.JUDGED).write_text(SAID)
    pruned(results)
    (_, found), *_ = store.read_scores(run, RAG)
    assert found["support"] == Score(0.5, "", None, (CheckedClaim("", "x", 0.5),))
    assert found["error"].reason == "failed: timeout"
    assert not (run / store.JUDGED).exists()


def test_the_manifest_says_when_and_what(results: Path) -> None:
    run = write_run(results)
    before = read_manifest(run)
    pruned(results)
    mark = {"on": "2026-07-11", "what": "answer and passage texts, claims and reasons"}
    assert read_manifest(run) == before.model_copy(update={"pruned": TextsRemoved(**mark)})


def test_the_committed_attempt_stays_a_link_to_its_attempt(results: Path) -> None:
    run = write_run(results)
    pruned(results)
    for unit, attempt in (
        (RAG, "2.jsonl"),
        (Unit("qa", "base"), "1.jsonl"),
        (Unit("qa"), "1.jsonl"),
    ):
        assert (unit.folder(run) / COMMITTED).samefile(unit.folder(run) / attempt)
    assert {path.name for path in RAG.folder(run).iterdir()} == {
        *("1.jsonl", "2.jsonl", "committed.jsonl", "scores.jsonl")
    }


def test_a_copy_without_links_is_pruned_too(results: Path) -> None:
    run = write_run(results)
    before = facts(run)
    copy = results / "small" / "two"
    shutil.copytree(run, copy)
    assert not (RAG.folder(copy) / COMMITTED).samefile(RAG.folder(copy) / "2.jsonl")
    assert len(pruned(results)) == 2
    assert not texts(copy)
    assert facts(copy) == before


def test_a_second_prune_does_nothing(results: Path) -> None:
    run = write_run(results)
    pruned(results)
    before = content(run)
    assert pruned(results, now=NOW + timedelta(days=9)) == []
    assert content(run) == before


@pytest.mark.parametrize(
    ("days", "changes"),
    [
        (40, {}),
        (30, {"status": "interrupted"}),
        (30, {"created": (NOW - timedelta(days=29, hours=23)).isoformat()}),
    ],
)
def test_young_and_unfinished_runs_are_not_touched(
    results: Path, days: int, changes: dict[str, Any]
) -> None:
    run = write_run(results)
    write_manifest(run, manifest("one", **changes))
    before = content(run)
    assert pruned(results, days=days) == []
    assert content(run) == before


def test_a_run_one_second_past_its_days_is_pruned(results: Path) -> None:
    write_run(results)
    assert len(pruned(results, days=40, now=NOW + timedelta(seconds=1))) == 1


@pytest.mark.parametrize("name", ["one", "the-baseline"])
def test_a_baseline_is_never_touched_by_its_id_or_its_folder(results: Path, name: str) -> None:
    run = write_run(results)
    write_manifest(run, manifest("the-baseline"))
    other = write_run(results, "another")
    before = content(run)
    assert [done.run for done in pruned(results, name)] == [other]
    assert content(run) == before


def test_a_run_that_is_held_is_left_alone_and_named(results: Path) -> None:
    run, other = write_run(results), write_run(results, "two")
    with store.held(run):
        before = content(run)
        left, done = pruned(results)
        assert content(run) == before
    assert (left.run, left.freed_bytes, done.run) == (run, 0, other)
    assert "another process is running this run" in left.left
    assert [done.run for done in pruned(results)] == [run]


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"format": 1}, "format 1"), ({"created": "yesterday"}, "created: not a time")],
)
def test_a_run_that_cannot_be_judged_is_named(
    results: Path, changes: dict[str, Any], says: str
) -> None:
    run = write_run(results)
    raw = json.loads((run / MANIFEST).read_text())
    write_json(run / MANIFEST, {**raw, **changes})
    (left,) = pruned(results)
    assert says in left.left
    assert texts(run)


@pytest.mark.parametrize("line", [b"{torn\n", b"[1]\n", b'{"answer": {"text": ""}}\n'])
def test_a_damaged_journal_is_named_and_kept_as_it_is(results: Path, line: bytes) -> None:
    run = write_run(results)
    journal = RAG.folder(run) / COMMITTED
    with journal.open("ab") as stream:
        stream.write(line)
    before = journal.read_bytes()
    (left,) = pruned(results)
    assert "2.jsonl: line 28 is damaged" in left.left
    assert journal.read_bytes() == before


def test_days_below_nothing_are_a_mistake(results: Path) -> None:
    for days in (-1, float("nan")):
        with pytest.raises(BakeoffError, match="prune: days"):
            pruned(results, days=days)


def test_a_pruned_run_is_not_scored_again_nor_a_half_pruned_one(results: Path) -> None:
    run = write_run(results)
    strip_texts.with_texts(run, read_manifest(run))
    killed_at(lambda: pruned(results), 8)
    assert texts(run)
    with pytest.raises(BakeoffError, match="pruned on 2026-07-11"):
        strip_texts.with_texts(run, read_manifest(run))
    pruned(results)
    with pytest.raises(BakeoffError, match="pruned on 2026-07-11"):
        strip_texts.with_texts(run, read_manifest(run))


def killed_at(work: Callable[[], Any], step: int) -> bool:
    """Do the work in a process of its own that dies before its nth touch of a file."""
    child = os.fork()
    if child == 0:
        left = step

        def die(event: str, _: tuple[Any, ...]) -> None:
            nonlocal left
            if event in ("open", "os.rename", "os.link", "os.remove"):
                left -= 1
                if left == 0:
                    os._exit(KILLED)

        sys.addaudithook(die)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED)
    return code == KILLED


@pytest.mark.slow
def test_a_kill_before_any_touch_of_a_file_leaves_a_run_that_the_next_prune_finishes(
    results: Path,
) -> None:
    run = write_run(results)
    before = facts(run)
    pruned(results)
    wanted = content(run)
    step = 1
    while True:
        shutil.rmtree(results)
        write_run(results)
        if not killed_at(lambda: pruned(results), step):
            break
        assert facts(run) == before, step
        # A second kill, one step on, must not make it worse.
        killed_at(lambda: pruned(results, now=NOW + timedelta(days=1)), step + 1)
        assert facts(run) == before, step
        pruned(results)
        assert facts(run) == before, step
        found = content(run)
        assert {n for n in found if "lock" not in n} == {n for n in wanted if "lock" not in n}
        assert not texts(run), step
        attempt = RAG.folder(run) / "2.jsonl"
        assert attempt.samefile(attempt.with_name(COMMITTED)), step
        step += 1
    assert step > 30


odd_text = st.text(st.characters(), max_size=8)
answers = st.builds(
    Answer,
    odd_text,
    st.lists(
        st.builds(
            Passage, odd_text, st.integers(0, 9), st.integers(), odd_text, st.floats(width=32)
        ),
        max_size=2,
    ).map(tuple),
    st.lists(
        st.builds(Step, odd_text, st.none() | st.floats(0, 9), st.integers(0), st.integers(0)),
        max_size=2,
    ).map(tuple),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(answers | st.builds(Failure, odd_text), max_size=4))
def test_whatever_was_answered_only_its_texts_change(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[Answer | Failure]
) -> None:
    results = tmp_path_factory.mktemp("results")
    run = results / "small" / "one"
    run.mkdir(parents=True)
    write_manifest(run, manifest("one"))
    with open_journal(run, RAG) as journal:
        for n, outcome in enumerate(outcomes):
            journal.append(Record(QUALITY, "qa", "rag", str(n), outcome))
    records = list(store.read_records(run, RAG))
    pruned(results)
    found = list(store.read_records(run, RAG))
    # By their print: a score that is no number is not equal to itself.
    assert repr(found) == repr([without_texts(record) for record in records])


def test_the_run_of_these_tests_has_columns_and_verdicts_to_compare(results: Path) -> None:
    run = measured_run.Run(write_run(results))
    columns = run.columns
    assert {key[2] for key in columns} >= {"contains", "label", "latency_s", "retrieve_s", "error"}
    assert all(np.isfinite(column.values).all() for column in columns.values())
    assert {verdict.state for verdict in judged(run).gates} <= {"PASS", "FAIL"}
