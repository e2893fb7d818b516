"""A BEIR folder: questions with gold documents, and no answers unless the task says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.load import load_task
from bakeoff.tasks.task import Task

QUERIES = [
    {"_id": "1", "text": "How long?", "metadata": {"answer": "30 days"}},
    {"_id": "2", "text": "Who pays?", "metadata": {}},
    {"_id": "3", "text": "Never judged", "metadata": {}},
]
DOCUMENTS = [
    {"_id": "d1", "title": "Returns", "text": "within 30 days"},
    {"_id": "d2", "title": "", "text": "the shop pays"},
]
QRELS = "query-id\tcorpus-id\tscore\n1\td2\t1\n1\td1\t2\n2\td2\t1\n2\td1\t0\n"


def loaded(folder: Path, source: Mapping[str, Any], **task: Any) -> Task:
    (folder / "set" / "qrels").mkdir(parents=True)
    for name, rows in (("queries", QUERIES), ("corpus", DOCUMENTS)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "set" / f"{name}.jsonl").write_text(lines)
    (folder / "set" / "qrels" / "test.tsv").write_text(QRELS)
    path = folder / "set.yaml"
    file = {
        "description": "d",
        "rows": {"test": {"beir": "set", **source}},
        "corpora": {"set": {"documents": "set/corpus.jsonl"}},
        "scorers": ["retrieval_recall(k=2)", "retrieval_ndcg(k=2)"],
        **task,
    }
    path.write_text(json.dumps(file))
    return load_task(path)


@pytest.mark.parametrize("source", [{"split": "test"}, {}])
def test_judged_queries_are_asked_with_their_relevant_documents(
    source: Mapping[str, str], tmp_path: Path
) -> None:
    task = loaded(tmp_path, source)
    assert [(s.id, s.question, s.gold, s.targets) for s in task.samples] == [
        ("1", "How long?", ("d1", "d2"), ()),
        ("2", "Who pays?", ("d2",), ()),
    ]
    assert {d.id: d.text for d in task.corpora["set"]} == {
        "d1": "# Returns\n\nwithin 30 days",
        "d2": "the shop pays",
    }
    assert "queries of BEIR have no answers" in task.notes[0]


def test_answers_may_be_mapped(tmp_path: Path) -> None:
    task = loaded(
        tmp_path,
        {"columns": {"targets": "metadata.answer || `[]`"}},
        scorers=["contains"],
        refusal={"say": "unknown"},
    )
    assert [s.targets for s in task.samples] == [("30 days",), ()]
    assert task.notes == ()


@pytest.mark.parametrize(
    ("source", "task", "message"),
    [
        ({}, {"scorers": ["contains"]}, "scorers: contains: queries of BEIR have no answers"),
        ({"split": "dev"}, {}, "no split 'dev'; there are test"),
        ({"beir": "sets"}, {}, "not a BEIR folder: queries.jsonl is missing"),
        (
            {},
            {"rows": {"test": {"beir": "set"}, "train": {"beir": "set"}}},
            "rows.train: queries of BEIR have no answers to train on",
        ),
        ({"files": "x.jsonl"}, {}, "give one of files, beir, or hub and local"),
    ],
)
def test_what_cannot_be_asked_of_it_is_told(
    source: Mapping[str, str], task: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError) as error:
        loaded(tmp_path, source, **task)
    assert message in str(error.value)
