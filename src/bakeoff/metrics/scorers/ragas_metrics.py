"""Metrics of ragas by their names, run through our own engine. The only module that imports ragas.

ragas computes; the questions it has for a language model or an embedder become needs like those of
any scorer: cached, retried, counted, and judged only when all of them were answered as asked.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import Answer, BakeoffError, Sample, Score, digest
from bakeoff.metrics.json_answer import own
from bakeoff.metrics.needs import Chat, Embedding, Unjudged
from bakeoff.metrics.refusals import declines
from bakeoff.metrics.scorer import Context, Outcome, scorer
from bakeoff.metrics.scorers.support import NO_CLAIM
from bakeoff.metrics.scorers.verdict import ATTEMPTS, OPINION, READING
from bakeoff.runs.machine import version as package_version
from bakeoff.spec.metric import Metric, opinion

if TYPE_CHECKING:
    from types import ModuleType

JUDGED = {
    "Faithfulness": "Faithfulness",
    "ResponseRelevancy": "AnswerRelevancy",
    "ContextPrecision": "ContextPrecision",
    "ContextUtilization": "ContextUtilization",
    "ContextRecall": "ContextRecall",
    "ContextEntityRecall": "ContextEntityRecall",
    "ContextRelevance": "ContextRelevance",
    "ResponseGroundedness": "ResponseGroundedness",
    "FactualCorrectness": "FactualCorrectness",
    "AnswerAccuracy": "AnswerAccuracy",
    "AnswerCorrectness": "AnswerCorrectness",
}
"""Our spelling, which is that of ragas' documentation -> its class. Each asks a judge."""
PLAIN = {
    "NonLLMStringSimilarity": "NonLLMStringSimilarity",
    "StringPresence": "StringPresence",
    "ExactMatch": "ExactMatch",
    "RougeScore": "RougeScore",
    "BleuScore": "BleuScore",
    "CHRFScore": "CHRFScore",
    "SemanticSimilarity": "SemanticSimilarity",
}
"""Metrics without a judge; SemanticSimilarity asks the embedder."""
CONTEXTS = (
    "NonLLMContextRecall",
    "NonLLMContextPrecisionWithReference",
    "IDBasedContextRecall",
    "IDBasedContextPrecision",
)
"""Metrics of retrieval without a judge, by texts or by document ids."""


@lru_cache(maxsize=1)
def _ragas() -> ModuleType:
    # Before ragas is imported: it reports its use to its makers otherwise.
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    try:
        import ragas.metrics.collections as collections
    except ImportError as error:
        raise BakeoffError(
            "ragas metrics need the package ragas: pip install 'bakeoff[ragas]' "
            f"--constraint constraints.txt ({error})"
        ) from error
    return collections


Inputs = Mapping[str, str | Sequence[str]]
"""What a metric may ask for, by ragas' names; without what there is not."""


def _inputs(sample: Sample, answer: Answer, context: Context) -> Inputs:
    known: Inputs = {
        "user_input": sample.question,
        "response": answer.text,
        "retrieved_contexts": [passage.text for passage in answer.passages],
        "reference": sample.targets[0] if sample.targets else "",
        "reference_contexts": _gold(sample, context),
        "retrieved_context_ids": [passage.document for passage in answer.passages],
        "reference_context_ids": list(sample.gold),
    }
    return {name: value for name, value in known.items() if value}


def _gold(sample: Sample, context: Context) -> list[str]:
    """None where they are the user's own: metrics that need them say so."""
    known = set(sample.gold) <= set(context.documents)
    return context.gold(sample) if known else []


_FORM = "\n\nReply with one JSON object of this schema, nothing else: "


def _installed(_: Metric) -> Mapping[str, str]:
    return {"ragas": package_version("ragas") or "missing"}


def _installed_and_told(metric: Metric) -> Mapping[str, str]:
    return {**_installed(metric), "prompt": digest([READING, _FORM])}


@scorer(
    version=2,
    asks="judge",
    made_of=_installed_and_told,
    choices={"metric": tuple(JUDGED)},
)
def ragas(
    sample: Sample,
    answer: Answer,
    context: Context,
    *,
    metric: str = "Faithfulness",
    verifier: str = "",
    embedder: str = "embedded",
) -> Outcome:
    """A metric of ragas that asks a judge, and for some an embedder; unjudged for refusals."""
    kind = getattr(_ragas(), JUDGED[metric])
    wanted = list(inspect.signature(kind.ascore).parameters)[1:]
    inputs = _inputs(sample, answer, context)
    if not set(wanted) - {"response"} <= set(inputs):
        return None
    if "response" in wanted and declines(answer, context.refusals):
        return NO_CLAIM
    parts: dict[str, Any] = {"llm": _judge(context, verifier)}
    if "embeddings" in inspect.signature(kind.__init__).parameters:
        parts["embeddings"] = _embedder(context, embedder)
    result = asyncio.run(kind(**parts).ascore(**{name: inputs[name] for name in wanted}))
    return _finite(result.value)


@scorer(version=1, made_of=_installed, choices={"metric": (*PLAIN, *CONTEXTS)})
def ragas_plain(
    sample: Sample,
    answer: Answer,
    context: Context,
    *,
    metric: str = "NonLLMStringSimilarity",
    embedder: str = "embedded",
) -> Outcome:
    """A metric of ragas that asks no judge."""
    inputs = _inputs(sample, answer, context)
    if metric in CONTEXTS:
        return _of_contexts(metric, inputs)
    if "reference" not in inputs:
        return None
    kind = getattr(_ragas(), PLAIN[metric])
    parts = {"embeddings": _embedder(context, embedder)} if metric == "SemanticSimilarity" else {}
    pair = {"reference": inputs["reference"], "response": answer.text}
    if not answer.text:
        return Score(0.0, "an empty answer")
    return _finite(asyncio.run(kind(**parts).ascore(**pair)).value)


def _of_contexts(metric: str, inputs: Inputs) -> Outcome:
    _ragas()
    import ragas.metrics as metrics
    from ragas.dataset_schema import SingleTurnSample

    names = ("retrieved_contexts", "reference_contexts")
    if metric.startswith("IDBased"):
        names = ("retrieved_context_ids", "reference_context_ids")
    if not set(names) <= set(inputs):
        return None
    row = SingleTurnSample.model_validate({name: inputs[name] for name in names})
    return _finite(asyncio.run(getattr(metrics, metric)().single_turn_ascore(row)))


def _finite(value: Any) -> Score:
    number = float(value)
    if not math.isfinite(number):
        return Score(None, "ragas gave no number")
    # Its averages may pass 1 by a rounding error.
    return Score(min(1.0, max(0.0, number)) if abs(number - 0.5) < 0.5 + 1e-9 else number)


def _judge(context: Context, verifier: str) -> Any:
    """ragas' language model, which is our judge."""
    _ragas()
    from ragas.llms.base import InstructorBaseRagasLLM

    class Judge(InstructorBaseRagasLLM):
        def __init__(self) -> None:
            self.asked: Counter[str] = Counter()
            self.statements = 0

        def generate(self, prompt: str, response_model: Any) -> Any:
            schema = json.dumps(response_model.model_json_schema())
            user = f"{prompt}{_FORM}{schema}"
            judge, number = opinion(verifier)
            problem = ""
            for _ in range(ATTEMPTS):
                # Asked the same again, a judge is to answer anew: each time has its own seed.
                attempt = OPINION * (number - 1) + self.asked[user]
                self.asked[user] += 1
                (text,) = context.ask(Chat(judge, "", user, attempt=attempt))
                try:
                    return self._complete(response_model.model_validate(own(text)))
                except ValueError as error:
                    problem = str(error).splitlines()[0]
            raise Unjudged(f"the judge gave no verdict in {ATTEMPTS} attempts: {problem}")

        async def agenerate(self, prompt: str, response_model: Any) -> Any:
            return self.generate(prompt, response_model)

        def _complete(self, reply: Any) -> Any:
            """The reply. Raises `ValueError` when verdicts are missing: ragas would leave them
            out of its mean, so that a judge which skips the false ones flatters."""
            rows = getattr(reply, "claims", getattr(reply, "statements", None))
            if not isinstance(rows, list):
                return reply
            if all(isinstance(row, str) for row in rows):
                self.statements = len(rows)
            elif len(rows) != self.statements:
                raise ValueError(f"{len(rows)} verdicts on {self.statements} statements")
            return reply

    return Judge()


def _embedder(context: Context, embedder: str) -> Any:
    """ragas' embedder, which is ours."""
    _ragas()
    from ragas.embeddings.base import BaseRagasEmbedding

    class Embedder(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            (vector,) = context.ask(Embedding(embedder, text))
            return [float(x) for x in vector]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    return Embedder()
