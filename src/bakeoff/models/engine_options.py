"""The likeliest of several answers, on an engine that states how likely given tokens come next.

One request asks of a chat what follows it and every beginning of an option, by one token, for the
tokens that the options go on with and those that end an answer. It asks in token ids, so that the
engine reads what `models.local` reads, and the scores are those of `decoding.loglikelihoods`. The
log-probabilities of a prompt's own tokens (`prompt_logprobs`) would need fewer readings, but vLLM
ends over them, or leaves a part of the adapter out, where it serves adapters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from transformers import AutoConfig, GenerationConfig

from bakeoff.core.parts import parts_of
from bakeoff.core.words import STOP, Decoding, Generation, Message
from bakeoff.models.decoding import Options
from bakeoff.models.protocol import Read, Reply, Unreadable, message_of, usage_in
from bakeoff.models.reply_parts import Body
from bakeoff.models.served import ServedModel
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.transport import Ask


def ends_of(folder: Path, template: ChatTemplate) -> list[int]:
    """The tokens that end an answer of the weights in a folder."""
    try:
        config = GenerationConfig.from_pretrained(folder)
    except OSError:
        config = GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder))
    return template.ends(config.eos_token_id)


@dataclass(frozen=True)
class ChoosingModel(ServedModel):
    """A model on an engine that is asked which of `decoding.options` is the likeliest."""

    template: ChatTemplate = field(kw_only=True)
    ends: Sequence[int] = field(kw_only=True)
    """The tokens that end an answer, each of them."""

    def _options(self, decoding: Decoding) -> Options:
        return Options.of([self.template.encode(option) for option in decoding.options])

    def _tokens(self, options: Options) -> list[int]:
        """Those whose log-probabilities are asked for."""
        return sorted({*options.tokens[1:], *self.ends})

    def _ask(self, index: int, chat: Sequence[Message], decoding: Decoding, stream: bool) -> Ask:
        options, asked = self._options(decoding), self._encoded(chat)
        begun = [list(asked)]
        for token, parent in zip(options.tokens[1:], options.parents[1:], strict=True):
            begun.append([*begun[parent], token])
        body = {
            "model": self.name,
            "prompt": begun,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": 1,
            "logprob_token_ids": self._tokens(options),
            "return_tokens_as_token_ids": True,
        }
        return Ask(index, "/completions", body, sum(map(len, begun)))

    def _encoded(self, chat: Sequence[Message]) -> list[int]:
        return self.template.encode(self.template.render(chat))

    def _reader(self, decoding: Decoding) -> Read:
        options = self._options(decoding)
        count, names = len(options.tokens), [f"token_id:{n}" for n in self._tokens(options)]
        return lambda value: read_following(value, count, names)

    def _made(self, chat: Sequence[Message], decoding: Decoding, reply: Reply) -> Generation:
        options, asked = self._options(decoding), self._encoded(chat)
        depths = [0]
        scores = [0.0]
        tokens = self._tokens(options)
        likely = [dict(zip(tokens, row, strict=True)) for row in reply.vectors]
        for token, parent in zip(options.tokens[1:], options.parents[1:], strict=True):
            depths.append(depths[parent] + 1)
            scores.append(scores[parent] + likely[parent][token])
        if reply.prompt_tokens is not None:
            self.tally.compare(reply.prompt_tokens, len(asked) * len(depths) + sum(depths))
        said = [
            scores[leaf] + _logsumexp([likely[leaf][end] for end in self.ends])
            for leaf in options.leaves
        ]
        best = max(range(len(said)), key=said.__getitem__)
        return Generation(
            decoding.options[best],
            len(asked),
            self.count(decoding.options[best]),
            confidence=round(math.exp(said[best] - _logsumexp(said)), 6),
            finish_reason=STOP,
        )


def _logsumexp(values: Sequence[float]) -> float:
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values))


class _Followed(NamedTuple):
    """A choice of a reply, of which only what could have come is looked at."""

    logprobs: Any = None
    index: Any = None


class _Logprobs(NamedTuple):
    top_logprobs: Any = None
    """For each place of the completion, the names of tokens and their log-probabilities."""


def read_following(value: Any, count: int, names: Sequence[str]) -> Reply:
    """For each of `count` prompts the log-probabilities of the named tokens, as vectors.

    Raises `Unreadable` where one is not stated.
    """
    whole = parts_of(Body, value)
    if not isinstance(whole.choices, list) or not whole.choices:
        raise Unreadable(f"the reply has no choices: {message_of(value)}")
    rows: dict[Any, list[float]] = {}
    for place, choice in enumerate(whole.choices):
        logprobs, index = parts_of(_Followed, choice)
        tops = parts_of(_Logprobs, logprobs).top_logprobs
        first = tops[0] if isinstance(tops, list) and tops else None
        rows[place if index is None else index] = _stated(first, names)
    if rows.keys() != set(range(count)):
        raise Unreadable(f"the reply's choices are not those of {count} prompts, by number")
    return Reply("", *usage_in(whole.usage), vectors=tuple(rows[n] for n in range(count)))


def _stated(tokens: Any, names: Sequence[str]) -> list[float]:
    held: Mapping[str, Any] = tokens if isinstance(tokens, dict) else {}
    stated = [held.get(name) for name in names]
    if not all(isinstance(one, int | float) for one in stated):
        raise Unreadable(
            "the reply does not state the log-probabilities of the tokens that were asked for "
            "(logprob_token_ids)",
            again=False,
        )
    return [float(one) for one in stated if one is not None]
