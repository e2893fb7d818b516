"""The response cache: what was paid for comes back, and only a full disk stops a run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.models.response_cache import BATCH, BATCH_SECONDS, Responses, key

ODD = 'naïve ✓\nline two\u2028three\x00four\r "quoted" \\ \U0001f600 \ud83d'

TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "responses.sqlite"


def numbered(count: int, prefix: str = "k") -> dict[str, dict[str, Any]]:
    return {f"{prefix}{n:05}": {"text": f"answer {n}"} for n in range(count)}


def fill(path: Path, entries: dict[str, dict[str, Any]]) -> None:
    with closing(Responses(path)) as responses:
        responses.keep(entries)
        assert responses.note == ""


def start(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Python code in a process of its own, with its arguments in `sys.argv[1:]`."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys\nfrom bakeoff.models.response_cache import *\n{code}"]
        + [str(argument) for argument in arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What the process printed; it must have ended well."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out


def together(code: str, path: Path, names: str) -> list[str]:
    """What processes print that all begin at the same moment, one for each letter of `names`."""
    wait = "print('ready', flush=True)\nsys.stdin.readline()"
    processes = [start(f"{wait}\n{code}", path, name) for name in names]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return [finish(process) for process in processes]


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder as somebody sees it who may only read it, even when the tests run as root."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_what_one_run_keeps_the_next_one_finds(path: Path) -> None:
    value = {"text": ODD, "tokens": 7, "parts": [1.5, None, True]}
    fill(path, {"a": value})
    with closing(Responses(path)) as later:
        assert later.find(["a", "b"]) == {"a": value}
        assert (later.hits, later.misses) == (1, 1)


def test_every_key_asked_for_is_counted_even_twice(path: Path) -> None:
    with closing(Responses(path)) as responses:
        responses.keep({"a": {}})
        responses.find(["a", "a", "b", "b", "b"])
        assert (responses.hits, responses.misses) == (2, 3)


def test_more_keys_than_a_query_takes_are_found(path: Path) -> None:
    entries = numbered(1234)
    fill(path, entries)
    with closing(Responses(path)) as responses:
        assert responses.find([*entries, "unknown"]) == entries


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.just("keep"), st.dictionaries(st.sampled_from("abc"), OBJECTS))
        | st.tuples(st.just("forget"), st.sets(st.sampled_from("abc")))
        | st.tuples(st.just("reopen"), st.none()),
        max_size=8,
    )
)
def test_the_first_value_of_a_key_stays_until_it_is_forgotten(
    steps: list[tuple[str, Any]],
) -> None:
    expected: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "responses.sqlite"
        responses = Responses(path)
        for step, what in steps:
            if step == "keep":
                responses.keep(what)
                expected = {**what, **expected}
            elif step == "forget":
                responses.forget(sorted(what))
                expected = {k: v for k, v in expected.items() if k not in what}
            else:
                responses.close()
                responses = Responses(path)
            assert responses.find(list("abc")) == expected
        responses.close()


def test_of_two_runs_that_keep_the_same_key_the_first_to_write_wins(path: Path) -> None:
    with closing(Responses(path)) as slow, closing(Responses(path)) as quick:
        slow.keep({"a": {"text": "slow"}})
        quick.keep({"a": {"text": "quick"}})
        quick.close()
        assert slow.find(["a"]) == {"a": {"text": "quick"}}
    with closing(Responses(path)) as later:
        assert later.find(["a"]) == {"a": {"text": "quick"}}


def test_a_full_batch_is_written_and_a_small_one_at_the_close(path: Path) -> None:
    with closing(Responses(path)) as writer, closing(Responses(path)) as reader:
        for name, value in numbered(BATCH).items():
            writer.keep({name: value})
        assert len(reader.find(list(numbered(BATCH)))) == BATCH
        writer.keep({"last": {}})
        assert writer.find(["last"]) == {"last": {}}
        writer.close()
        assert reader.find(["last"]) == {"last": {}}


def test_what_waited_for_a_second_is_written_with_the_next_entry(path: Path) -> None:
    with closing(Responses(path)) as writer, closing(Responses(path)) as reader:
        writer.keep({"a": {}})
        time.sleep(BATCH_SECONDS + 0.05)
        writer.keep({"b": {}})
        assert reader.find(["a", "b"]) == {"a": {}, "b": {}}


@pytest.mark.parametrize(
    "value",
    [
        ["no object"],
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"a tuple": (1, 2)},
        {1: "a name that is a number"},
        {"bytes": b"x"},
        {"set": {1}},
    ],
)
def test_a_value_that_json_would_change_is_refused_and_nothing_is_kept(
    path: Path, value: Any
) -> None:
    with closing(Responses(path)) as responses:
        with pytest.raises(ValueError, match="JSON"):
            responses.keep({"good": {}, "bad": value})
        assert responses.find(["good", "bad"]) == {}


@settings(deadline=None)
@given(OBJECTS, TEXT)
def test_the_order_of_fields_does_not_change_a_key(fields: dict[str, Any], prompt: str) -> None:
    found = key(fields, prompt)
    assert found == key(dict(reversed(fields.items())), prompt)
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")


def test_anything_that_differs_makes_another_key() -> None:
    chat = [{"role": "user", "content": "Hi"}]
    asked: list[tuple[dict[str, Any], Any]] = [
        ({}, ""),
        ({}, "Hi"),
        ({}, []),
        ({}, chat),
        ({}, [*chat, *chat]),
        ({}, [{"role": "system", "content": "Hi"}]),
        ({"prompt": "Hi"}, ""),
        ({"seed": 1}, "Hi"),
        ({"seed": "1"}, "Hi"),
        ({"seed": None}, "Hi"),
        ({"seed": 1, "repeat": 1}, "Hi"),
        ({"decoding": {"seed": 1}}, "Hi"),
        ({}, "\U0001f600"),
        ({}, "\ud83d"),
        ({}, "\ud83d\ude00"),
    ]
    assert len({key(fingerprint, prompt) for fingerprint, prompt in asked}) == len(asked)


def test_a_key_stays_what_it_was_so_that_old_entries_are_found() -> None:
    """When this fails, entries that users paid for are lost: raise `FORMAT` only on purpose."""
    fingerprint = {"weights": "é1", "temperature": 0.0, "options": ["a", "b"]}
    found = key(fingerprint, [{"role": "user", "content": "Hi"}])
    assert found == "12a36425a5400647bf9bd935c92412e6"


def test_a_damaged_file_is_put_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"this is no database, or no longer one " * 200)
        with closing(Responses(path)) as responses:
            assert f"responses.sqlite.damaged-{number}" in responses.note
            responses.keep({"a": {}})
        assert path.with_name(f"{path.name}.damaged-{number}").read_bytes().startswith(b"this is")
        with closing(Responses(path)) as later:
            assert (later.find(["a"]), later.note) == ({"a": {}}, "")


def test_a_file_cut_short_is_put_aside(path: Path) -> None:
    fill(path, numbered(2000))
    os.truncate(path, path.stat().st_size // 2)
    with closing(Responses(path)) as responses:
        assert responses.find(list(numbered(2000))) == {}
        responses.keep({"a": {}})
        assert "damaged-1" in responses.note
    with closing(Responses(path)) as later:
        assert (later.size()[0], later.note) == (1, "")


@pytest.mark.parametrize("sound", [0.0, 0.5], ids=["all of it", "the second half"])
def test_damage_met_in_the_middle_of_a_run_loses_no_new_entry(path: Path, sound: float) -> None:
    old = list(numbered(2000))
    fill(path, numbered(2000))
    # From outside: closing the file in this process would let go of SQLite's locks on it.
    damage = """
with open(sys.argv[1], "r+b") as stream:
    size = stream.seek(0, 2)
    start = stream.seek(int(size * float(sys.argv[2])))
    stream.write(bytes([255]) * (size - start))
"""
    with closing(Responses(path)) as first, closing(Responses(path)) as second:
        finish(start(damage, path, str(sound)))
        for responses, name in ((first, "first"), (second, "second")):
            assert responses.find(old) == {}
            responses.keep(numbered(150, name))
        assert len(first.find(list(numbered(150, "second")))) == 150
        assert "damaged-1" in first.note
        assert second.note == ""
    assert not path.with_name(f"{path.name}.damaged-2").exists()
    with closing(Responses(path)) as later:
        assert (later.size()[0], later.note) == (300, "")


def test_an_entry_that_is_no_longer_json_is_a_miss_and_can_be_kept_anew(path: Path) -> None:
    fill(path, {"a": {"text": "1"}, "b": {"text": "2"}})
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE responses SET value = ? WHERE key = 'a'", (b'{"te\xff',))
    with closing(Responses(path)) as responses:
        assert responses.find(["a", "b"]) == {"b": {"text": "2"}}
        responses.keep({"a": {"text": "1"}})
        assert responses.find(["a"]) == {"a": {"text": "1"}}


def test_processes_that_meet_a_damaged_file_put_it_aside_once(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    code = """
responses = Responses(Path(sys.argv[1]))
responses.keep({sys.argv[2]: {}})
responses.close()
print(responses.note)
"""
    notes = together(code, path, "abcd")
    assert sum("damaged" in note for note in notes) == 1
    assert [p.name for p in path.parent.glob("*.damaged-*")] == ["responses.sqlite.damaged-1"]
    with closing(Responses(path)) as later:
        assert set(later.find(list("abcd"))) == set("abcd")


def test_processes_write_and_read_one_file_at_once(path: Path) -> None:
    code = """
responses = Responses(Path(sys.argv[1]))
for number in range(4000):
    own, shared = f"{sys.argv[2]}{number}", f"shared{number}"
    responses.keep({own: {"n": number}, shared: {"n": number}})
    if number % 250 == 0:
        found = responses.find([own, shared, *(f"shared{n}" for n in range(number))])
        assert all(found[name] == {"n": int(name.strip("abcdshre"))} for name in found)
        assert own in found and shared in found
responses.close()
assert responses.note == "", responses.note
"""
    together(code, path, "abcd")
    with closing(Responses(path)) as responses:
        names = [f"{who}{n}" for who in ("a", "b", "c", "d", "shared") for n in range(4000)]
        assert len(responses.find(names)) == responses.size()[0] == 20_000


def test_a_process_killed_while_it_keeps_leaves_whole_batches(path: Path) -> None:
    code = """
responses = Responses(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    responses.keep({f"{number + n:07}": {"text": "x" * 500} for n in range(100)})
    number += 100
    print(number, flush=True)
"""
    kept = 0
    for batches in (1, 4, 9):
        process = start(code, path, kept)
        assert process.stdout
        printed = [int(process.stdout.readline()) for _ in range(batches)]
        process.kill()
        process.communicate()
        with closing(Responses(path)) as responses:
            entries = responses.size()[0]
            assert responses.note == ""
            assert entries >= printed[-1]
            assert entries % 100 == 0
            assert len(responses.find([f"{n:07}" for n in range(entries)])) == entries
        kept = entries


def test_a_full_disk_is_told_by_every_call_and_what_was_written_stays(path: Path) -> None:
    fill(path, {"before": {}})
    code = """
import resource
responses = Responses(Path(sys.argv[1]))
# No file may grow over 200 kB: what a full disk is to the process.
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
def full(call, *given):
    try:
        call(*given)
    except DiskFull as error:
        return str(error)
kept = 0
while not (said := full(responses.keep, {f"{kept:04}": {"text": "x" * 1000}})):
    kept += 1
assert said.startswith(f"{sys.argv[1]}: ") and "make room" in said and "--no-cache" in said, said
assert full(responses.forget, ["before"]) and full(responses.size) and full(responses.close)
assert set(responses.find(["before", "0000"])) == {"before", "0000"}
print(kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
responses.close()
assert responses.note == ""
"""
    kept = int(finish(start(code, path)))
    with closing(Responses(path)) as later:
        assert later.find(["before", f"{kept:04}"]).keys() == {"before", f"{kept:04}"}
        # The entry that found no room was kept in memory until there was some.
        assert later.size()[0] == kept + 2
        assert later.note == ""


def test_no_room_for_a_new_file_is_a_full_disk(path: Path) -> None:
    code = """
import resource
# Python keeps compiled modules that the limit has cut.
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    Responses(Path(sys.argv[1]))
except DiskFull as error:
    print(error)
"""
    assert "make room" in finish(start(code, path))


def test_a_read_only_folder_switches_the_cache_off() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "responses.sqlite"
        fill(path, {"a": {}})
        with read_only(Path(folder)), closing(Responses(path)) as responses:
            assert responses.find(["a"]) == {}
            responses.keep(numbered(2 * BATCH))
            assert responses.note == (
                f"{path}: cannot be used: Permission denied; "
                "from now on answers are neither reused nor stored"
            )
        with closing(Responses(path)) as later:
            assert (later.size()[0], later.find(["a"])) == (1, {"a": {}})


def test_a_path_that_cannot_be_a_file_switches_the_cache_off(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "responses.sqlite", tmp_path / "folder"):
        with closing(Responses(path)) as responses:
            responses.keep({"a": {}})
            assert responses.find(["a"]) == {}
            assert responses.note.startswith(f"{path}: cannot be used")


def test_size_counts_what_waits_and_the_bytes_on_the_disk(path: Path) -> None:
    with closing(Responses(path)) as responses:
        responses.keep({"a": {"text": "x" * 50_000}})
        entries, size = responses.size()
        assert entries == 1
        assert 50_000 < size < 500_000
