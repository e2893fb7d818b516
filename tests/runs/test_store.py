"""A run on disk: what was appended is there again, whatever cut the writing short."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.words import (
    QUALITY,
    Answer,
    BakeoffError,
    Failure,
    Passage,
    Record,
    Sample,
    Score,
    Step,
)
from bakeoff.runs.store import (
    COMMITTED,
    Journal,
    Unit,
    busy,
    held,
    new_folder,
    open_journal,
    read_manifest,
    read_records,
    read_samples,
    read_scores,
    requests_sent,
    units,
    write_json,
    write_manifest,
    write_samples,
    write_scores,
)
from bakeoff.testing import made_manifest, suite, task_facts

ODD = 'naïve ✓\nline two\u2028three\u0085four\r\x1e "quoted" \\ \U0001f600'
ANSWERED = Record(
    QUALITY,
    "qa",
    "rag",
    "1",
    Answer(ODD, (Passage("d", 3, 8, ODD, 0.5),), (Step("retrieve", 0.25), Step("decode", None, 7))),
)
FAILED = Record(QUALITY, "qa", "rag", "2", Failure(ODD))
RECORDS = [ANSWERED, FAILED, Record(QUALITY, "qa", "base", "3", Answer("é"))]


UNIT = Unit("qa", "rag")
JOURNAL = "units/qa.rag/1.jsonl"


def read(run: Path) -> list[Record]:
    return list(read_records(run, UNIT))


def append(run: Path, *records: Record) -> None:
    with open_journal(run, UNIT) as journal:
        for record in records:
            journal.append(record)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    append(tmp_path, *RECORDS)
    assert read(tmp_path) == RECORDS


@settings(deadline=None, max_examples=40)
@given(st.text(), st.text(), st.floats(allow_nan=False) | st.none())
def test_any_text_and_number_comes_back(text: str, error: str, seconds: float | None) -> None:
    records = [
        Record(QUALITY, text, "s", "1", Answer(text, steps=(Step(text, seconds),))),
        # Never the sample "1" again: a unit holds one record of a sample.
        Record(QUALITY, "t", "s", f"2{text}", Failure(error)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        append(Path(folder), *records)
        assert read(Path(folder)) == records


def test_a_lone_surrogate_in_an_answer_does_not_lose_the_run(tmp_path: Path) -> None:
    append(tmp_path, Record(QUALITY, "qa", "mine", "1", Answer("half \ud83d emoji")), ANSWERED)
    assert [record.sample for record in read(tmp_path)] == ["1", "1"]


def test_a_journal_cut_at_any_byte_loads_every_whole_record_and_takes_more(tmp_path: Path) -> None:
    append(tmp_path, *RECORDS)
    path = tmp_path / JOURNAL
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for cut in range(first, len(content) + 1):
        path.write_bytes(content[:cut])
        whole = RECORDS[: content[:cut].count(b"\n")]
        assert read(tmp_path) == whole, cut
        if cut % 16 == 0:  # each opening waits for the disk
            append(tmp_path, FAILED)
            # A cell asked again counts once, by its last record.
            assert read(tmp_path) == [r for r in whole if r.key != FAILED.key] + [FAILED], cut


def test_a_run_without_a_journal_has_no_records(tmp_path: Path) -> None:
    assert read(tmp_path) == []


@pytest.mark.parametrize("line", ["{", "[]", "3", "null", '{"phase": "quality"}', '{"error": 1}'])
def test_a_damaged_line_in_the_middle_is_named(line: str, tmp_path: Path) -> None:
    append(tmp_path, FAILED)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes() + line.encode() + b"\n" + path.read_bytes())
    with pytest.raises(BakeoffError, match=r"1\.jsonl: line 2 is damaged"):
        read(tmp_path)


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with open_journal(tmp_path, UNIT) as journal:
        journal.append(FAILED)
        with (
            pytest.raises(BakeoffError, match="another process is writing this run"),
            open_journal(tmp_path, UNIT),
        ):
            pass
        journal.append(ANSWERED)
    append(tmp_path, FAILED)
    assert read(tmp_path) == [ANSWERED, FAILED]


def test_what_append_returned_from_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from bakeoff.core.words import Failure, Record\n"
        "from bakeoff.runs.store import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for n in range(7): journal.append(Record('quality', 't', 's', str(n), Failure('x')))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / JOURNAL).parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", code, str(tmp_path / JOURNAL)], check=False)
    assert [record.sample for record in read(tmp_path)] == list("0123456")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from bakeoff.core.words import Answer, Record
from bakeoff.runs.store import JournalError, Unit, open_journal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
done = 0
try:
    with open_journal(Path(sys.argv[1]), Unit("qa", "rag")) as journal:
        while True:
            journal.append(Record("quality", "t", "s", str(done), Answer("é" * 50)))
            done += 1
except JournalError as error:
    print(done, error)
"""


@pytest.mark.parametrize("room", [0, 1, 1000, 1001])
def test_a_full_disk_is_a_journal_error_and_leaves_a_journal_that_loads(
    room: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, _, message = done.stdout.partition(" ")
    assert f"{tmp_path / JOURNAL}: cannot be written: File too large" in message
    assert "run the same command again" in message
    content = (tmp_path / JOURNAL).read_bytes()
    assert content == b"" or content.endswith(b"\n")
    assert [r.sample for r in read(tmp_path)] == [str(n) for n in range(int(count))]
    assert int(count) == (0 if room < 2 else 1000 // (len(content) // max(1, int(count))))
    append(tmp_path, FAILED)
    assert read(tmp_path)[-1] == FAILED


def test_a_journal_that_cannot_be_opened_is_a_bakeoff_error(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError):
        Journal(tmp_path / "no" / "such" / "folder")


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    tasks = {
        "qa": [
            Sample("1", {"question": ODD}, (ODD, "b"), ("d",), "c", {"kind": ODD}),
            Sample("2", {"question": "?"}),
        ],
        "json": [Sample("1", {"question": "!"}, ("x",))],
    }
    write_samples(tmp_path, tasks)
    found = read_samples(tmp_path)
    assert {task: list(members.values()) for task, members in found.items()} == tasks
    assert list(found["qa"]) == ["1", "2"]


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    scores = {
        ("1", 0): {
            "retrieval_recall(k=2)": Score(1 / 3),
            "support": Score(None, ODD),
            "macro_f1": Score(0.0, "said b", ("a", "b")),
        },
        ("1", 1): {},
    }
    UNIT.folder(tmp_path).mkdir(parents=True)
    write_scores(tmp_path, UNIT, scores.items())
    assert dict(read_scores(tmp_path, UNIT)) == scores


@pytest.mark.parametrize(
    "row",
    [
        "{",
        "[]",
        '{"sample": "1", "scores": {}}',
        '{"sample": "1", "repeat": 0, "scores": {"f1": "high"}}',
        '{"sample": "1", "repeat": 0, "scores": {"f1": ["0.5", "", null]}}',
        '{"sample": "1", "repeat": 0, "scores": {"f1": [0.5, "", null, [{"claim": "x"}]]}}',
    ],
)
def test_a_damaged_row_of_scores_is_named_by_file_and_line(row: str, tmp_path: Path) -> None:
    UNIT.folder(tmp_path).mkdir(parents=True)
    write_scores(tmp_path, UNIT, [(("0", 0), {"f1": Score(1.0)})])
    with (UNIT.folder(tmp_path) / "scores.jsonl").open("a") as stream:
        stream.write(f"{row}\n")
    rows = read_scores(tmp_path, UNIT)
    assert next(rows).scores["f1"].value == 1.0
    with pytest.raises(BakeoffError, match=r"scores\.jsonl: line 2 is damaged"):
        next(rows)


def test_a_run_without_rows_is_not_damaged_but_one_without_files_is(tmp_path: Path) -> None:
    UNIT.folder(tmp_path).mkdir(parents=True)
    write_samples(tmp_path, {})
    write_scores(tmp_path, UNIT, [])
    assert (read_samples(tmp_path), list(read_scores(tmp_path, UNIT))) == ({}, [])
    with pytest.raises(BakeoffError, match=r"samples\.jsonl: missing; the run did not finish"):
        read_samples(tmp_path / "none")


def test_the_first_attempt_that_commits_counts_and_no_other(tmp_path: Path) -> None:
    append(tmp_path, FAILED)
    other = Journal(UNIT.folder(tmp_path) / "2.jsonl")
    other.append(ANSWERED)
    assert read(tmp_path) == [ANSWERED]  # none is committed yet: the newest
    with open_journal_of(tmp_path, 1) as first:
        first.commit()
    other.commit()
    other.close()
    assert read(tmp_path) == [FAILED]


@contextmanager
def open_journal_of(run: Path, number: int) -> Iterator[Journal]:
    journal = Journal(UNIT.folder(run) / f"{number}.jsonl")
    yield journal
    journal.close()


def test_requests_are_counted_over_all_attempts(tmp_path: Path) -> None:
    UNIT.folder(tmp_path).mkdir(parents=True)
    for number, count in ((1, 2), (2, 3)):
        journal = Journal(UNIT.folder(tmp_path) / f"{number}.jsonl")
        for n in range(count):
            journal.sending(str(n))
            journal.append(Record(QUALITY, "qa", "rag", str(n), Answer(f"{number}")))
        journal.commit()
        journal.close()
    assert requests_sent(tmp_path, UNIT) == 5
    assert {r.answer.text for r in read(tmp_path) if r.answer} == {"1"}
    assert (UNIT.folder(tmp_path) / COMMITTED).samefile(UNIT.folder(tmp_path) / "1.jsonl")


def test_repeats_of_a_sample_are_cells_of_their_own(tmp_path: Path) -> None:
    records = [Record(QUALITY, "qa", "rag", "1", Answer(str(n)), n) for n in range(3)]
    append(tmp_path, *records)
    assert read(tmp_path) == records


def test_units_are_found_by_their_folders(tmp_path: Path) -> None:
    found = [Unit("qa", "rag"), Unit("qa"), Unit("other-task", "fine-tuned")]
    for unit in found:
        with open_journal(tmp_path, unit):
            pass
    assert set(units(tmp_path)) == set(found)


def test_a_run_is_held_by_one_process(tmp_path: Path) -> None:
    assert not busy(tmp_path)
    with held(tmp_path):
        assert busy(tmp_path)
        with pytest.raises(BakeoffError, match="another process is running"), held(tmp_path):
            pass
    assert not busy(tmp_path)


def test_a_manifest_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest = made_manifest("é", suite("small", "qa", 3), {"qa": task_facts(2)})
    write_manifest(tmp_path, manifest)
    with pytest.raises(TypeError):
        write_json(path, {"run": object()})
    assert read_manifest(tmp_path) == manifest
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]
    with pytest.raises(BakeoffError, match="cannot be written"):
        write_json(tmp_path / "none" / "manifest.json", {})


def test_runs_sort_by_their_order_even_when_the_clock_is_set_back(tmp_path: Path) -> None:
    ahead = tmp_path / "qa" / "29990101-000000-999999"
    ahead.mkdir(parents=True)
    (tmp_path / "qa" / "of-another-name").mkdir()
    names = [ahead.name, *(new_folder(tmp_path, "qa").name for _ in range(5))]
    assert names == sorted(set(names))
    assert names[1] == "29990101-000001-000000"
    assert new_folder(tmp_path, "other").name < ahead.name


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"not a run \(no manifest\.json in it\)"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BakeoffError, match=r"manifest\.json: not valid JSON"):
        read_manifest(tmp_path)
    write_json(tmp_path / "manifest.json", {"format": 1})
    with pytest.raises(BakeoffError, match="format 1, made by another version"):
        read_manifest(tmp_path)


def test_how_a_reply_ended_is_kept_and_older_journals_without_it_are_read(tmp_path: Path) -> None:
    cut = Record(QUALITY, "qa", "rag", "1", Answer("by the no", finish_reason="length"))
    spent = (Step("prefill", None, 40), Step("decode", None, completion_tokens=9))
    empty = Record(QUALITY, "qa", "rag", "2", Failure("empty: no text", "content_filter", spent))
    append(tmp_path, cut, empty)
    assert read(tmp_path) == [cut, empty]
    older = {"phase": QUALITY, "task": "qa", "setup": "rag"}
    answer = {"text": "left", "passages": [], "steps": []}
    with (tmp_path / JOURNAL).open("a") as stream:
        for row in ({"sample": "3", "answer": answer}, {"sample": "4", "error": "x"}):
            stream.write(json.dumps({**older, **row}) + "\n")
    assert read(tmp_path)[2:] == [
        Record(QUALITY, "qa", "rag", "3", Answer("left")),
        Record(QUALITY, "qa", "rag", "4", Failure("x")),
    ]
