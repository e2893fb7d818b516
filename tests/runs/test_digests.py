"""Digests of a task: read by name, on disk one flat mapping in the order of the parts."""

from __future__ import annotations

from bakeoff.runs.digests import TaskDigests
from bakeoff.testing.runs import task_facts

PARTS = {"task": "t0", "prompt": "p1", "test": "s2", "train": "r3", "corpus:notes": "c4"}


def test_the_parts_are_read_by_name_and_written_as_one_mapping() -> None:
    facts = task_facts(3, digests=PARTS)
    digests = facts.digests
    assert (digests.prompt, digests.test, digests.train) == ("p1", "s2", "r3")
    assert digests.corpora == {"corpus:notes": "c4"} and digests.corpus("notes") == "c4"
    assert [*facts.model_dump(mode="json")["digests"].items()] == [*PARTS.items()]


def test_a_run_of_before_has_no_digest_of_the_scoring() -> None:
    assert TaskDigests(PARTS).scoring == ""
    assert TaskDigests({**PARTS, "scoring": "k5"}).scoring == "k5"
