"""Names that were changed: what is read under an old name has its new one from there on.

Files and runs made before are still read, and an old run is compared with a new one as if both had
the new names. The command line shows which old names it met (`take_noted`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from bakeoff.core.parts import parts_of

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "claims_faithful": "claims_grounded_correct",
        "claims_invented": "hallucination",
        "claims_misled": "noise_sensitivity",
        "claims_own_knowledge": "self_knowledge",
        "evidence_hit": "retrieval_hit",
        "evidence_mrr": "retrieval_mrr",
        "evidence_ndcg": "retrieval_ndcg",
        "evidence_precision": "retrieval_precision",
        "evidence_recall": "retrieval_recall",
        "gold_in_context": "answer_in_context",
        "has_terms": "contains_all",
        "length": "length_in_range",
        "matches": "regex_match",
        "support_context": "faithfulness",
    }
)
"""Old name of a metric -> its name."""

SETTINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **{
            name: {"by": "verifier"}
            for name in (
                *("faithfulness", "support_gold", "citation_precision", "citation_recall"),
                *("claims_grounded_correct", "hallucination", "noise_sensitivity"),
                *("self_knowledge", "judged_correct", "judged_declined", "preferred", "ragas"),
            )
        },
        "similarity": {"by": "embedder"},
    }
)
"""Metric -> its settings' old names -> names."""

FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "Endpoint": ("endpoints", {"key": "api_key_env"}),
        "Service": ("endpoint", {"key": "api_key_env"}),
        "Retrieve": ("retrieve", {"by": "retriever"}),
        "Pretraining": ("cpt", {"by": "paraphraser"}),
        "Distillation": ("distill", {"right": "min_score", "supported": "min_support"}),
        "TaskUse": ("tasks", {"by": "stratify"}),
        "TaskFile": ("task", {"licence": "license"}),
        "TaskFacts": ("task", {"licence": "license"}),
        "Gate": ("gates", {"by": "group_by"}),
        "Policy": ("policy", {"family": "correction"}),
        "Needs": ("needs", {"narrow": "top_accuracy"}),
        "Advice": (
            "advice",
            {
                **{"said": "sentences", "provided": "unverified"},
                **{"flips": "changes", "stands_on": "evidence"},
            },
        ),
        "Costs": ("cost", {"stands_on": "evidence"}),
    }
)
"""Model of a part of a file -> what the part is called, and its fields' old names -> names."""

KINDS: Mapping[str, str] = MappingProxyType({"own": "custom"})
"""Old name of a kind of setup -> its name."""

VALUES: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "Retrieve": ("passages", {"found": "retrieved"}),
        "Gate": ("mode", {"point": "estimate"}),
        "Ranked": ("kind", KINDS),
        "Pair": ("state", {"cannot be told": "inconclusive"}),
        "Verdict": ("mode", {"point": "estimate"}),
    }
)
"""Model of a part of a file -> a field, and the old names of its values -> names."""

_OLD = {new: old for old, new in METRICS.items()}
_HEAD = re.compile(r"\w+(?=\(|$)")
_noted: dict[str, str] = {}
_noted_of_metrics: dict[str, str] = {}
V = TypeVar("V")


def metric(name: str) -> str:
    """A metric's present name, also of its settings.

    >>> metric("evidence_recall(k=5)"), metric("mine.py::evidence_recall"), metric("contains")
    ('retrieval_recall(k=5)', 'mine.py::evidence_recall', 'contains')
    >>> metric("support_context(by='judge:m', share=True)")
    "faithfulness(share=True, verifier='judge:m')"
    """
    present, noted = _present(name)
    _noted_of_metrics.update(noted)
    return present


@lru_cache(maxsize=4096)
def _present(name: str) -> tuple[str, Mapping[str, str]]:
    """The present name, and which old names it had. Kept: rows of scores repeat their metrics."""
    if not (head := _HEAD.match(name)):
        return name, {}
    old, settings = head[0], name[head.end() :]
    new = METRICS.get(old, old)
    noted = {old: new} if new != old else {}
    changed = SETTINGS.get(new, {})
    if (present := _renamed(settings, changed)) != settings:
        noted |= {f"{new}({a}=)": f"{new}({b}=)" for a, b in changed.items()}
    return new + present, noted


def _renamed(settings: str, changed: Mapping[str, str]) -> str:
    """`(name=value, ...)` with some names changed, in the order that `Metric` prints.

    What has none of these names, has one under both, or cannot be read stays as it is.
    """
    if not any(old in settings for old in changed):
        return settings
    try:
        call = ast.parse(f"f{settings}", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return settings
    if not isinstance(call, ast.Call):
        return settings
    values = {str(keyword.arg): ast.unparse(keyword.value) for keyword in call.keywords}
    present = {changed.get(name, name): value for name, value in values.items()}
    if call.args or not changed.keys() & values.keys() or len(present) < len(call.keywords):
        return settings
    return f"({', '.join(f'{name}={present[name]}' for name in sorted(present))})"


def fields(model: str, raw: Any) -> Any:
    """What a part of a file holds, its fields and their values by their present names.

    A field under both names stays, and is refused as one that there is not.
    """
    if not isinstance(raw, dict) or not (model in FIELDS or model in VALUES):
        return raw
    part, changed = FIELDS.get(model, ("", {}))
    present = {}
    for name, value in raw.items():
        new = changed.get(name, name)
        if new != name and new not in raw:
            _noted[f"{part}.{name}"] = f"{part}.{new}"
        present[name if new != name and new in raw else new] = value
    field, values = VALUES.get(model, ("", {}))
    if isinstance(value := present.get(field), str) and value in values:
        _noted[f"{field}: {value}"] = f"{field}: {values[value]}"
        present[field] = values[value]
    return present


def fields_before(model: str, present: Mapping[str, V]) -> dict[str, V]:
    """The same with the names that its fields had first: digests of before hold them."""
    first = {new: old for old, new in FIELDS[model][1].items()}
    return {first.get(name, name): value for name, value in present.items()}


def metric_before(name: str) -> str:
    """The name that a metric had first: digests and file names of before hold it.

    >>> metric_before("retrieval_recall(k=5)"), metric_before("contains")
    ('evidence_recall(k=5)', 'contains')
    >>> metric_before("faithfulness(share=True, verifier='judge:m')")
    "support_context(by='judge:m', share=True)"
    """
    if not (head := _HEAD.match(name)):
        return name
    first = {new: old for old, new in SETTINGS.get(head[0], {}).items()}
    return _OLD.get(head[0], head[0]) + _renamed(name[head.end() :], first)


def by_metric(values: Mapping[str, V]) -> dict[str, V]:
    """A mapping by metric, by the present names."""
    return {metric(name): value for name, value in values.items()}


def series(name: str) -> str:
    """A column's present name, `setup.task.metric`, also inside an aggregate.

    >>> series("p95(rag.qa.support_context)"), series("rag.qa.evidence_recall(k=5)")
    ('p95(rag.qa.faithfulness)', 'rag.qa.retrieval_recall(k=5)')
    >>> series("rag.qa.support_gold(by='judge:m') >= 0.5")
    "rag.qa.support_gold(verifier='judge:m') >= 0.5"
    """
    return _COLUMN.sub(lambda old: metric(old[0]), name)


_COLUMN = re.compile(
    rf"(?<=\.)(?:{'|'.join({*METRICS, *SETTINGS})})\b"
    r"""(?:\((?:[^()'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*\))?(?![\w.]|::)"""
)


def kinds(setups: Mapping[str, str]) -> dict[str, str]:
    """Setups with their kinds, by the present names."""
    return {setup: KINDS.get(kind, kind) for setup, kind in setups.items()}


def of_kind(values: Mapping[str, V], kind: str, part: str) -> V | None:
    """The value that a part of a file has for a kind of setup, also under its old name."""
    if kind in values:
        return values[kind]
    for old, new in KINDS.items():
        if new == kind and old in values:
            _noted[f"{part}.{old}"] = f"{part}.{new}"
            return values[old]
    return None


def in_tasks(raw: Any) -> Any:
    """What a manifest or a comparison file holds, its metrics by their present names."""
    held = parts_of(_Stored, raw)
    if isinstance(held.tasks, dict):
        raw = {**raw, "tasks": {task: _task(facts) for task, facts in held.tasks.items()}}
    if isinstance(held.imported, dict):
        raw = {**raw, "imported": _metrics_in(held.imported, "metrics", "worst")}
    return raw


class _Stored(NamedTuple):
    """What is read of such a file, whatever it holds."""

    tasks: Any = None
    imported: Any = None


class _Facts(NamedTuple):
    headline: Any = None


def _task(facts: Any) -> Any:
    if not isinstance(facts, dict):
        return facts
    renamed = _metrics_in(facts, "metrics")
    headline = parts_of(_Facts, facts).headline
    return {**renamed, "headline": metric(headline)} if isinstance(headline, str) else renamed


def _metrics_in(part: Mapping[str, object], *fields: str) -> dict[str, object]:
    known = {field: value for field in fields if isinstance(value := part.get(field), dict)}
    return {**part, **{field: by_metric(values) for field, values in known.items()}}


@contextmanager
def of_stored_files() -> Iterator[None]:
    """Note no fields meanwhile: those of a file that bakeoff wrote are nobody's to change."""
    before = set(_noted)
    yield
    for name in set(_noted) - before:
        del _noted[name]


def take_noted() -> dict[str, str]:
    """The old names met since the last call -> the present ones."""
    noted = {**_noted, **_noted_of_metrics}
    _noted.clear()
    _noted_of_metrics.clear()
    return noted
