"""Agreement with people: against counting by hand, ties, unjudged answers and bad files."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from bakeoff.agreement import check, read_labels
from bakeoff.core import BakeoffError
from conftest import Cli

FERRY = "The ferry to Skarv leaves at 6.40 and carries 120 passengers."
GOOD = ["The ferry leaves at 6.40.", "It carries 120 passengers.", "The ferry leaves for Skarv."]
BAD = ["The ferry carries 900 passengers.", "Peter painted the barn.", "Trains leave at noon."]


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def labelled(answer: str, label: int, **more: object) -> dict[str, object]:
    return {"answer": answer, "passages": [FERRY], "label": label, **more}


ROWS = [labelled(a, 1) for a in GOOD] + [labelled(a, 0) for a in BAD]

SCORERS = """
VALUES = {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.4, "e": 0.1}

def known(sample, answer, context):
    return VALUES.get(answer.text)

def worse(sample, answer, context):
    return 1 - VALUES.get(answer.text, 2)
"""


def test_auroc_is_the_share_of_pairs_in_the_right_order(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCORERS)
    good, bad = ["a", "b", "d"], ["c", "e"]
    rows = [labelled(x, 1) for x in good] + [labelled(x, 0) for x in bad] + [labelled("?", 1)]
    (mine, *_) = check("./mine.py::known", read_labels(write(tmp_path, rows)), tmp_path)
    values = {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.4, "e": 0.1}
    pairs = [(values[g] > values[b]) + (values[g] == values[b]) / 2 for g, b in product(good, bad)]
    assert mine.auroc.value == pytest.approx(sum(pairs) / len(pairs))
    assert (mine.judged, mine.unjudged) == (5, 1)
    assert mine.auroc.low <= mine.auroc.value <= mine.auroc.high


def test_a_scorer_is_set_beside_the_floors(tmp_path: Path) -> None:
    found = check("support_context", read_labels(write(tmp_path, ROWS)), tmp_path)
    assert [each.name for each in found] == [
        "support_context",
        "containment (floor)",
        "length alone (floor)",
    ]
    assert found[0].auroc.value == 1.0
    assert found[2].auroc.value >= 0.5
    again = check("support_context", read_labels(write(tmp_path, ROWS)), tmp_path)
    assert again == found


def test_a_generator_is_judged_alone_where_it_has_labels_of_both_kinds(tmp_path: Path) -> None:
    rows = [labelled(a, 1, generator="one") for a in GOOD * 4]
    rows += [labelled(a, 0, generator="one") for a in BAD * 4]
    rows += [labelled(a, 1, generator="two") for a in GOOD]
    (found, *_) = check("support_context", read_labels(write(tmp_path, rows)), tmp_path)
    assert list(found.within) == ["one"]
    assert found.within["one"].value == 1.0


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 1: not an object"),
        ('{"answer": "x"}', "line 1: not an object with answer, passages and label"),
        ('{"answer": 3, "passages": [], "label": 1}', "line 1: answer is a text"),
        ('{"answer": "x", "passages": "y", "label": 1}', "line 1: answer is a text"),
        ('{"answer": "x", "passages": [], "label": 0.5}', "line 1: label: 1 for a good answer"),
        ('{"answer": "x", "passages": [], "label": 1}', "labels must be of both kinds"),
        ("", "labels must be of both kinds"),
    ],
)
def test_a_bad_file_is_told_with_its_line(row: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(row + "\n")
    with pytest.raises(BakeoffError, match=told):
        read_labels(path)


def test_the_card_is_shown_and_written(tmp_path: Path, cli: Cli) -> None:
    path = write(tmp_path, ROWS)
    done = cli(
        *("scorers", "check", "support_context", "--labels", path, "--output", "card.md"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "containment (floor)" in done.stdout
    assert "| support_context | 6 | 1.000" in (tmp_path / "card.md").read_text().replace("\\", "")
    wrong = cli("scorers", "check", "suport_context", "--labels", path, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean 'support_context'?" in wrong.stderr
