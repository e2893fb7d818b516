from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeoff.core import disk
from bakeoff.core.words import BakeoffError, Incomplete


def refusal(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    disk.replace(path, ["one\n", b"two\n"], synced=True)
    assert path.read_bytes() == b"one\ntwo\n"

    def breaks_off() -> Iterator[str]:
        yield "three"
        raise refusal(errno.ENOSPC)

    with pytest.raises(
        disk.DiskFull, match="file: cannot be written: No space left on device; make room"
    ):
        disk.replace(path, breaks_off())
    assert path.read_bytes() == b"one\ntwo\n"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_can_be_resumed(number: int) -> None:
    assert isinstance(disk.refused(refusal(number, "a")), Incomplete)


def test_a_refusal_names_the_file_and_what_would_work() -> None:
    text = str(disk.refused(refusal(errno.EACCES, "results/x"), "results"))
    assert text.startswith("results/x: Permission denied; ") and "BAKEOFF_RESULTS" in text
    text = str(disk.refused(refusal(errno.EMFILE), "results"))
    assert text == "results: Too many open files; raise the limit (ulimit -n)"
    with (
        pytest.raises(BakeoffError, match="results: Is a directory"),
        disk.refusals(Path("results")),
    ):
        raise refusal(errno.EISDIR)


def test_a_lock_is_held_by_one_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as one, path.open("w") as two:
        assert disk.lock(one.fileno(), path)
        assert not disk.lock(two.fileno(), path)


def test_a_link_is_one_more_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert disk.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").samefile(tmp_path / "a")
    with pytest.raises(FileExistsError):
        disk.link(tmp_path / "a", tmp_path / "b")
