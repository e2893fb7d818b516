"""Scores that a version of a scorer stands for: a fixed set of answers, scored and stored.

    python tests/golden_scores.py     stores the scores of today in tests/golden/scores.json

`problems` says what a change of scores means for the versions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import judges
from bakeoff.core.words import (
    NOT_FOUND,
    QUALITY,
    SUPPORTED,
    Answer,
    Checked,
    CheckedClaim,
    Passage,
    Record,
    Sample,
    Step,
)
from bakeoff.metrics.needs import Chat, Embedding, Need
from bakeoff.metrics.registry import find_scorer
from bakeoff.metrics.score import Cell, scores
from bakeoff.metrics.scorer import Context
from bakeoff.metrics.support import claims
from bakeoff.spec.metric import Metric
from bakeoff.spec.task import Rule

TESTS = Path(__file__).parent
STORED = TESTS / "golden" / "scores.json"
REFRESH = "python tests/golden_scores.py"

DOCUMENTS = {
    "barrow": "The Larch barrow weighs 19 kilos. It carries 140 kilos and costs 1,250 crowns.",
    "gate": "The east gate opens at 6.40. Anna Berg locks it at 21.15 on weekdays.",
    "rules": "Staff may not leave the gate open at night.",
}
CONTEXT = Context(
    refusals=("I don't know", "cannot answer"),
    schema={
        "type": "object",
        "required": ["item", "kilos"],
        "properties": {"item": {"type": "string"}, "kilos": {"type": "number"}},
    },
    rules=(
        Rule(name="short", words=(1, 12)),
        Rule(name="no lists", forbid=r"(?m)^- "),
        Rule(name="names it", match="(?i)<item>"),
    ),
    labels=("card lost", "card lost abroad", "top up"),
    documents=DOCUMENTS,
    folder=TESTS / "fixtures" / "file_versions" / "tasks",
    rivals={"rag": Answer("The Larch barrow weighs 19 kilos.")},
)
BARROW = {"question": "How heavy is the Larch barrow?", "item": "barrow", "stale": "21 kilos"}


def sample(name: str, targets: Sequence[str], gold: Sequence[str] = (), **fields: str) -> Sample:
    return Sample(name, {**BARROW, **fields}, tuple(targets), tuple(gold))


def answer(text: str, *found: str) -> Answer:
    """An answer, of an open book where anything was found."""
    passages = tuple(Passage(name, 0, len(DOCUMENTS[name]), DOCUMENTS[name]) for name in found)
    steps = (Step("retrieve"), Step("decode")) if found else (Step("decode"),)
    return Answer(text, passages, steps)


KNOWN = sample("known", ["19 kilos", "nineteen kilos"], ["barrow"])
PRICE = sample("price", ["1,250 crowns"], ["barrow", "gate"], question="What does it cost?")
SAID = sample("said", ["The documents say that barrows weigh 19 kilos"], ["barrow"])
NONE = sample("none", [], question="Who painted the gate?")
LONG = (
    "According to the documents, the Larch barrow, which stands beside the east gate, weighs "
    "19 kilos. It was painted by Peter Holm in 1902. It carries 140 kilos! Nobody may leave it out."
)
LISTS = "- It weighs 19 kilos.\n- It carries 150 kilos.\n- It is not heavy."
CITED = "The Larch barrow weighs 19 kilos [1]. Anna Berg locks the gate at 21.15 [2, 3]. Nice [9]."

Case = tuple[Sample, Answer]
TEXTS: Mapping[str, Case] = {
    "right": (KNOWN, answer("The Larch barrow weighs 19 kilos.", "gate", "barrow")),
    "exact": (KNOWN, answer("19 kilos")),
    "dressed": (KNOWN, answer('"The 19  Kilos"!')),
    "inflected": (SAID, answer("A barrow weighing 19 kilos, says the document.", "barrow")),
    "wrong": (KNOWN, answer("The Larch barrow weighs 23 kilos.", "gate", "rules")),
    "stale": (KNOWN, answer("It weighs 21 kilos.", "barrow")),
    "refused": (KNOWN, answer("I don’t know.", "barrow", "gate")),
    "empty": (KNOWN, answer("", "barrow")),
    "long": (KNOWN, answer(LONG, "barrow", "gate", "rules")),
    "lists": (KNOWN, answer(LISTS, "barrow")),
    "cited": (KNOWN, answer(CITED, "barrow", "gate", "rules")),
    "denied": (KNOWN, answer("The Larch barrow does not weigh 19 kilos.", "barrow")),
    "garbled": (KNOWN, answer("It weighs <malformed> 19 kilos.", "barrow")),
    "number": (PRICE, answer("It costs 1250.50 crowns, or 1.2 thousand.", "barrow")),
    "near": (PRICE, answer("1 251", "rules", "gate", "barrow")),
    "unanswerable": (NONE, answer("Peter Holm painted the gate.", "gate")),
    "rightly refused": (NONE, answer("I cannot answer that.", "gate")),
    "said nothing": (NONE, answer("")),
}
_OBJECT = sample("object", ['{"item": "Barrow", "kilos": 19, "tags": ["a", "b"]}'])
JSON: Mapping[str, Case] = {
    "right": (_OBJECT, answer('{"kilos": 19.0, "item": "barrow ", "tags": ["b", "a"]}')),
    "a field wrong": (_OBJECT, answer('{"item": "Barrow", "kilos": 20, "more": {}}')),
    "in a fence": (_OBJECT, answer('Here:\n```json\n{"item": "Barrow", "kilos": 19}\n```')),
    "whole in a fence": (_OBJECT, answer(f"```json\n{_OBJECT.targets[0]}\n```")),
    "of another type": (_OBJECT, answer('{"item": 3}')),
    "no JSON": (_OBJECT, answer("19 kilos")),
    "no number": (_OBJECT, answer('{"item": "Barrow", "kilos": NaN}')),
    "empty": (_OBJECT, answer("")),
}
_LABEL = sample("label", ["card lost"])
LABELS: Mapping[str, Case] = {
    "right": (_LABEL, answer("Card_Lost")),
    "in a sentence": (_LABEL, answer("That is: card lost.")),
    "a longer one": (_LABEL, answer("card lost abroad")),
    "two": (_LABEL, answer("card lost or top up")),
    "none": (_LABEL, answer("I don't know")),
}
_RETRIEVAL = ("recall", "precision", "hit", "ndcg")
_CLAIMS = ("claims_grounded_correct", "self_knowledge", "noise_sensitivity", "hallucination")
_BY = ("verifier='judge:m'", "verifier='hf:a/verifier'")
METRICS: Mapping[str, tuple[Mapping[str, Case], Sequence[str]]] = {
    "texts": (
        TEXTS,
        (
            *("exact_match", "token_f1", "contains", "right_refusal", "wrong_refusal"),
            *(
                "stale_answer",
                "declined",
                "selective_accuracy",
                "selective_accuracy(right='token_f1')",
            ),
            *("crag", "crag(right='exact_match', wrong=0.5)"),
            *("rouge_l", "rouge_l(stem=True)", "bleu", "chrf"),
            *(
                "numeric",
                "numeric(take='first', tolerance=0.01)",
                "numeric(absolute=2.0, take='last')",
            ),
            *(f"retrieval_{name}(k={k})" for name in _RETRIEVAL for k in (1, 3)),
            *("retrieval_mrr", "answer_in_context"),
            *("faithfulness", "faithfulness(share=True)", "support_lexical"),
            *("support_gold", "support_gold(verifier='mine.json')"),
            *(f"faithfulness({by})" for by in _BY),
            "support_gold(share=True, verifier='judge:m')",
            *_CLAIMS,
            *(f"{name}(verifier='judge:m')" for name in _CLAIMS),
            *("citation_validity", "citation_coverage"),
            *(
                "citation_recall",
                "citation_recall(posthoc=True)",
                "citation_recall(verifier='judge:m')",
            ),
            *("citation_precision", "citation_precision(verifier='judge:m')"),
            *("rules_kept", "all_rules_kept", "regex_match(pattern='[0-9]+ kilos')"),
            *("length_in_range(most=8)", "length_in_range(least=4, most=12)", "reading_level"),
            *("contains_all(terms=('larch barrow', '19'))", "avoids_terms(terms=('gate',))"),
            *("judged_correct(verifier='judge:m')", "judged_declined(verifier='judge:m')"),
            *("preferred(against='rag', verifier='judge:m')", "similarity"),
        ),
    ),
    "json": (
        JSON,
        [
            f"{name}(lenient={way})"
            for name in ("json_valid", "schema_valid", "field_f1", "exact_json")
            for way in (False, True)
        ],
    ),
    "labels": (LABELS, ("accuracy", "macro_f1")),
    "ragas": (
        TEXTS,
        ("ragas(verifier='judge:m')", "ragas_plain(metric='IDBasedContextRecall')", "ragas_plain"),
    ),
}


@dataclass
class Asked:
    """Models that reply by plain rules; judges are those of `judges`."""

    chats: dict[str, str]
    """What judges were told -> what they replied."""
    times: Counter[str]

    def give(self, needs: Collection[Need]) -> Mapping[Need, Any]:
        return {need: self._reply(need) for need in needs}

    def _reply(self, need: Need) -> Any:
        if isinstance(need, Embedding):
            counts = np.array([need.text.lower().count(c) for c in "abcdefghijklmno0123456789"])
            return counts / max(1.0, float(np.linalg.norm(counts)))
        if isinstance(need, Chat):
            self.times[need.user] += 1
            reply = judges.said(need.user, self.times[need.user])
            self.chats[f"{need.system}\n\n{need.user}"] = reply
            return reply
        shown = judges.words(" ".join(need.passages))
        found = [(claim, judges.words(claim.text) <= shown) for claim in claims(need.answer)]
        marked = tuple(
            CheckedClaim(claim.text, SUPPORTED if good else NOT_FOUND, 0.9 if good else 0.2)
            for claim, good in found
        )
        return Checked(marked, min((c.probability for c in marked), default=None))


def scored(name: str, cases: Mapping[str, Case]) -> dict[str, Any]:
    """A metric's version, its scores, and what a judge was told of the first case that asks one."""
    metric = Metric.parse(name)
    scorer = find_scorer(metric, CONTEXT.folder)
    asked: dict[str, str] = {}
    values = {}
    for case, (of, said) in cases.items():
        record = Record(QUALITY, "golden", "golden", of.id, said)
        models = Asked({}, Counter())
        (score,) = scores([Cell(record, of, metric, scorer, CONTEXT, True)], models.give)
        asked = asked or models.chats
        values[case] = "does not apply" if score is None or not score.applies else _plain(score)
    told = {"told": list(asked)} if asked else {}
    return {"version": scorer.version_of(metric, CONTEXT.folder), "scores": values, **told}


def _plain(score: Any) -> Any:
    if score.value is None:
        return "unjudged"
    # Ten digits: the last ones of a logarithm are the machine's.
    value = round(score.value, 10)
    return [value, *score.labels] if score.labels else value


def measured(metrics: Collection[str] = ()) -> dict[str, Any]:
    """What is stored of all metrics, as it is now; or of these alone."""
    return {
        name: scored(name, cases)
        for cases, names in METRICS.values()
        for name in names
        if not metrics or name in metrics
    }


def problems(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is to be done about versions and stored scores; nothing where they agree."""
    found = []
    for name in dict.fromkeys([*stored, *now]):
        old, new = stored.get(name), now.get(name)
        if old == new:
            continue
        if old is None or new is None:
            what = "has no stored scores" if old is None else "is stored and is measured no more"
            found.append(f"{name} {what}: {REFRESH}")
        elif old["version"] != new["version"]:
            found.append(
                f"{name}: what is stored is of version {old['version']}, the scorer is at "
                f"{new['version']}: look at what changed, then {REFRESH}"
            )
        else:
            cases = {**old["scores"], **new["scores"]}
            changed = [c for c in cases if old["scores"].get(c) != new["scores"].get(c)]
            what = f"the scores of {', '.join(changed)}" if changed else "what its judge is told"
            found.append(
                f"{name}: {what} changed and its version {old['version']} did not: older scores "
                "would be compared with these. Raise it, @scorer(version=...) of "
                f"{Metric.parse(name).name}, then {REFRESH}"
            )
    return found


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    STORED.parent.mkdir(exist_ok=True)
    text = json.dumps(measured(), indent=1, ensure_ascii=False)
    STORED.write_text(text + "\n", encoding="utf-8")
