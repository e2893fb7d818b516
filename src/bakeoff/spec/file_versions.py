"""Versions of scorers from when they were hashes of files, and what these mean now.

Runs, baselines, cards and nights made then are still compared with, as long as the scorers stay at
version 1 and what they are made of stays as it was. What is raised needs no change here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bakeoff.core.parts import parts_of
from bakeoff.core.words import digest
from bakeoff.spec.metric import Metric, behind_endpoint

FILES: Mapping[str, str] = {
    "accuracy": "a45e45145a275b57",
    "all_rules_kept": "c0a21e15545e07c2",
    "avoids_terms": "c1723718da3ef74f",
    "bleu": "259c09c61f18ab78",
    "chrf": "92107b0134e09093",
    "citation_coverage": "5f8db6bbdb90c2f3",
    "citation_precision": "241fb22a1ab427a4",
    "citation_recall": "0d3b34c76193ae75",
    "citation_validity": "5ee7433776552a1e",
    "claims_grounded_correct": "c5bc193c55e041fb",
    "hallucination": "c73ce0d980ac69e7",
    "noise_sensitivity": "360692e02c5201a6",
    "self_knowledge": "76615a27e6815b63",
    "contains": "e9f6325d8f3d418e",
    "crag": "a61c675270ec8a94",
    "declined": "861b54d6a84fcec0",
    "retrieval_hit": "5ed3590d27d0568e",
    "retrieval_mrr": "dd14ad10c3b26c08",
    "retrieval_ndcg": "62a74c3751441514",
    "retrieval_precision": "4173c9a6529952f8",
    "retrieval_recall": "a62cca09c73d18e0",
    "exact_json": "b84aeaedd8e6063b",
    "exact_match": "dd1e8cfeacaf716d",
    "field_f1": "0b6e3a3348ba98ec",
    "answer_in_context": "88ddb2d3815ab4c4",
    "contains_all": "d5f8e144be41a267",
    "json_valid": "c0bb11f7d266adc5",
    "judged_correct": "fab5be4a8c8d1fa7",
    "judged_declined": "1a2137787e0831bd",
    "length_in_range": "306b69c88fd031de",
    "macro_f1": "f7f6109b199dddb5",
    "regex_match": "8746400b0cef9217",
    "numeric": "82d083e1657c682a",
    "preferred": "d431021aad4f0447",
    "ragas": "a5823b4b526d4673",
    "ragas_plain": "f98bd6fcbd176967",
    "reading_level": "da7fa970fe81397f",
    "right_refusal": "550b4cec8a9a7a9e",
    "rouge_l": "cec6640c1066d456",
    "rules_kept": "98f41878e8f1ffd2",
    "schema_valid": "95612cd4afb09fcf",
    "selective_accuracy": "230fcbbd1e3ed57a",
    "similarity": "16e5cc48eb2d1414",
    "stale_answer": "567e540c6d4e9085",
    "faithfulness": "d88e49babbdfc01c",
    "support_gold": "4a2808904fcd00b6",
    "token_f1": "b7641cd29d1e16b3",
    "wrong_refusal": "2e30be7aca1088c9",
}
"""Scorer -> the hash that its version 1 had."""
_LEXICAL_MODEL = "04526f0724019280"
_CLAIMS = "73f0fc05f562b6f6"
_PROMPTS: Mapping[str, str] = {
    "judged_correct": "f15509212e0f7edd",
    "judged_declined": "97d2be3e08e34260",
    "preferred": "283b265ed67a5a8c",
    "ragas": "12f5da964a5ea719",
}
_BY_CLAIM = (
    "citation_precision",
    "citation_recall",
    "claims_grounded_correct",
    "hallucination",
    "noise_sensitivity",
    "self_knowledge",
    "faithfulness",
    "support_gold",
)


def stated(metric: str, version: str, ragas: str) -> str:
    """The version that a hash of then means; any other version as it is.

    `ragas` is the version that was installed then: the hashes did not know it. That of a metric
    with a calibration file stays: it cannot be taken apart (see `recorded`).
    """
    if version not in FILES.values():
        return version
    parsed = Metric.parse(metric)
    if FILES.get(parsed.name) != version:
        return version
    asked = {"ragas": ragas} if parsed.name.startswith("ragas") else {}
    return "+".join(["1", *(f"{name}:{is_}" for name, is_ in {**asked, **_then(parsed)}.items())])


class _Manifest(NamedTuple):
    """What is read of a manifest file, whatever it holds; so of its parts."""

    tasks: Any = None
    versions: Any = None


class _Versions(NamedTuple):
    ragas: Any = None


class _Task(NamedTuple):
    metrics: Any = None


class _Metric(NamedTuple):
    version: Any = None


def with_stated_versions(manifest: Any) -> Any:
    """What a manifest file holds, every hash of a scorer in it replaced by the version it means."""
    held = parts_of(_Manifest, manifest)
    if not isinstance(held.tasks, dict):
        return manifest
    ragas = parts_of(_Versions, held.versions).ragas or "missing"
    return {**manifest, "tasks": {name: _task(task, ragas) for name, task in held.tasks.items()}}


def _task(task: Any, ragas: str) -> Any:
    metrics = parts_of(_Task, task).metrics
    if not isinstance(metrics, dict):
        return task
    return {**task, "metrics": {n: _metric(n, about, ragas) for n, about in metrics.items()}}


def _metric(name: str, about: Any, ragas: str) -> Any:
    version = parts_of(_Metric, about).version
    if not isinstance(version, str):
        return about
    return {**about, "version": stated(name, version, ragas)}


def recorded(metric: str, version: str) -> str:
    """The hash by which a version was recorded then; one that there was not then as it is."""
    number, *parts = version.split("+")
    if number != "1":
        return version
    parsed = Metric.parse(metric)
    named = dict(part.partition(":")[::2] for part in parts)
    named.pop("ragas", "")
    calibration = named.pop("calibration", "")
    if parsed.name not in FILES or named != _then(parsed):
        return version
    file = FILES[parsed.name]
    return digest([file, calibration]) if calibration else file


def _then(metric: Metric) -> Mapping[str, str]:
    """What a metric was made of beside its file, by the names that its version has for it."""
    if metric.name in _PROMPTS:
        return {"prompt": _PROMPTS[metric.name]}
    if metric.name not in _BY_CLAIM:
        return {}
    if not metric.judge:
        return {"lexical_model": _LEXICAL_MODEL}
    return {"prompt": _CLAIMS} if metric.asks_model and behind_endpoint(metric.judge) else {}
