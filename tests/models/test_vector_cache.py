"""Vectors kept by content."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.models.vector_cache import Vectors, embed_kept


class Lengths:
    """An embedder whose vectors can be told by heart: the text's length, and its words."""

    def __init__(self, digest: str = "lengths") -> None:
        self.digest = digest
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[len(t), len(t.split())] for t in texts], dtype=np.float32)


def test_rows_stand_in_the_order_of_the_texts(tmp_path: Path) -> None:
    rows = embed_kept(Lengths(), tmp_path, ["a b", "abc d", "a b"])
    assert rows.tolist() == [[3, 2], [5, 2], [3, 2]]
    assert rows.dtype == np.float32


def test_a_text_is_embedded_once_by_each_embedder(tmp_path: Path) -> None:
    first, again, other = Lengths(), Lengths(), Lengths("other")
    embed_kept(first, tmp_path, ["one", "two", "one"])
    assert first.asked == ["one", "two"]
    kept = embed_kept(again, tmp_path, ["two", "three"])
    assert again.asked == ["three"]
    assert kept.tolist() == [[3, 1], [5, 1]]
    embed_kept(other, tmp_path, ["two"])
    assert other.asked == ["two"]


def test_many_texts_are_kept_block_by_block(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(2500)]

    class Stopped(Lengths):
        def embed(self, texts: Sequence[str]) -> Vectors:
            if len(self.asked) >= 2000:
                raise KeyboardInterrupt
            return super().embed(texts)

    with pytest.raises(KeyboardInterrupt):
        embed_kept(Stopped(), tmp_path, texts)
    rest = Lengths()
    assert len(embed_kept(rest, tmp_path, texts)) == 2500
    assert rest.asked == texts[2048:]


def test_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[3])
from test_vector_cache import Lengths, embed_kept
texts = [f"text {number}" for number in range(int(sys.argv[2]), 3000)]
embed_kept(Lengths(), Path(sys.argv[1]), texts)
"""
    begun = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(start), Path(__file__).parent])
        for start in (0, 500, 1000)
    ]
    assert [process.wait() for process in begun] == [0, 0, 0]
    none_new = Lengths()
    rows = embed_kept(none_new, tmp_path, [f"text {number}" for number in range(3000)])
    assert none_new.asked == []
    assert rows[:, 0].tolist() == [len(f"text {number}") for number in range(3000)]


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "lengths.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(BakeoffError, match=r"lengths\.sqlite: .*delete the file"):
        embed_kept(Lengths(), tmp_path, ["one"])


class Given(Lengths):
    """An embedder that gives what it is told to."""

    def __init__(self, rows: list[list[object]]) -> None:
        super().__init__("given")
        self.rows = rows

    def embed(self, texts: Sequence[str]) -> Any:
        return self.rows[: len(texts)]


NAN = float("nan")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([1.0, NAN], "holds NaN or infinity"),
        ([1.0, 1e300], "holds NaN or infinity"),
        ([1.0, None], "holds null in place of numbers"),
        (["a", 1.0], "holds str in place of numbers"),
        (["1.5", 1.0], "holds str in place of numbers"),
        ([1.0], "has 1 number, others 2"),
        ([0.0, 0.0], "is all zeros"),
    ],
)
def test_what_is_no_vector_is_named_and_not_kept(
    tmp_path: Path, row: list[object], why: str
) -> None:
    texts = ["one oar", "two oars", "a mast"]
    with pytest.raises(BakeoffError, match=rf"the vector of 'two oars' {why}"):
        embed_kept(Given([[1.0, 2.0], row, [2.0, 3]]), tmp_path, texts)
    mended = Given([[1.0, 2.0], [5.0, 6.0], [2.0, 3]])
    assert embed_kept(mended, tmp_path, texts).tolist() == [[1, 2], [5, 6], [2, 3]]


def test_what_an_earlier_version_kept_is_embedded_again(tmp_path: Path) -> None:
    embed_kept(Lengths(), tmp_path, ["one", "two"])
    with closing(sqlite3.connect(tmp_path / "vectors" / "lengths.sqlite")) as database, database:
        bad = np.array([NAN, NAN], dtype=np.float32).tobytes()
        key = hashlib.sha256(b"two").digest()
        database.execute("UPDATE vectors SET row = ? WHERE key = ?", (bad, key))
    again = Lengths()
    assert embed_kept(again, tmp_path, ["one", "two"]).tolist() == [[3, 1], [3, 1]]
    assert again.asked == ["two"]
    assert embed_kept(again, tmp_path, ["two"]).tolist() == [[3, 1]]
    assert again.asked == ["two"]


def test_without_room_the_cache_is_a_full_disk_and_goes_on_where_it_stopped(
    tmp_path: Path,
) -> None:
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from bakeoff.core.disk import DiskFull
from bakeoff.models.vector_cache import embed_kept

class Wide:
    digest = "wide"
    def embed(self, texts):
        return np.ones((len(texts), 64), dtype=np.float32)

texts = [f"text {number}" for number in range(5000)]
# No file may grow over 500 kB: what a full disk is to the process.
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    embed_kept(Wide(), Path(sys.argv[1]), texts)
except DiskFull as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(len(embed_kept(Wide(), Path(sys.argv[1]), texts)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, whole = done.stdout.splitlines()
    assert "wide.sqlite" in said and "make room, then run the same command again" in said
    assert whole == "5000"
