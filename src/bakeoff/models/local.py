"""Local language models: weights loaded once, prompts answered in batches."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import torch
import transformers

from bakeoff.core.counts import quantity
from bakeoff.core.words import (
    LENGTH,
    STOP,
    BakeoffError,
    Decoding,
    Failure,
    Generation,
    Message,
    digest,
)
from bakeoff.models.decoding import (
    FULL,
    SLIDING,
    Choose,
    Options,
    Start,
    Written,
    greedy,
    loglikelihoods,
    read,
    read_start,
    sampled,
    shared_start,
    write,
)
from bakeoff.models.device import free_memory, pick_device, synchronize
from bakeoff.models.networks import network_of, quantization, spread_over
from bakeoff.models.reordered import reorder
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.tokenizer import tokenizer_in
from bakeoff.models.weights import Weights

T = TypeVar("T")

GENERATION = 5
"""Raise it when code of ours that generates may answer otherwise: cached answers then miss."""

PASS_TOKENS = {"cpu": 512}
"""Prompt tokens read at once, where a whole batch is not the fastest."""


class LocalModel:
    """Weights in memory once; adapters are attached to them and switched on and off."""

    def __init__(
        self,
        weights: Weights,
        dtype: str,
        batch_tokens: int = 8192,
        quantize: str | None = None,
        device_map: str | None = None,
    ) -> None:
        self.weights = weights
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        """Padded tokens in one generation batch, prompt and answer."""
        self.quantize = quantize
        """`4bit` or `8bit`: the weights are held in so many bits, and computed with in `dtype`."""
        self.device_map = device_map
        """`auto`: the weights are spread over all GPUs, where there are several."""
        self.device = pick_device()
        self.pass_tokens = PASS_TOKENS.get(self.device, batch_tokens)
        """Prompt tokens read at once."""
        given: dict[str, Any] = {"dtype": getattr(torch, dtype)}
        if quantize:
            given |= {"quantization_config": quantization(quantize, dtype)}
        try:
            self.tokenizer: Any = tokenizer_in(weights.folder)
            self.network: Any = network_of(weights.folder, device_map, **given).eval()
        except (OSError, ValueError) as error:
            raise BakeoffError(f"model '{weights.reference}': cannot be loaded: {error}") from error
        self.template = self.used = ChatTemplate(weights.reference, self.tokenizer)
        """Its own template, and the one of the adapter that is on."""
        self.end_of_answer = self.template.end
        """The token that the model is taught to end an answer with."""
        _refuse_odd_caches(self.network, weights.reference)
        reorder(self.network)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.adapters: dict[str, str] = {}
        """Adapter digest -> the name it is attached under."""
        self.templates: dict[str, ChatTemplate] = {}
        """Adapter digest -> the chat template it was trained with, where it has one of its own."""

    @property
    def config(self) -> Any:
        """Of the network that reads texts, where others beside it read pictures."""
        return self.network.config.get_text_config()

    @property
    def context_window(self) -> int:
        rope = getattr(self.config, "rope_parameters", None) or {}
        if rope.get("rope_type") == "longrope":
            # Beyond it all tokens are read otherwise, those read before and the batch's too.
            return int(rope["original_max_position_embeddings"])
        return int(self.config.max_position_embeddings)

    @property
    def ends(self) -> list[int]:
        """The tokens that end an answer, by the template in use."""
        return self._ends(self.used)

    @property
    def end_of_text(self) -> int:
        """The token behind a text that is no turn of a chat."""
        end: int | None = self.tokenizer.eos_token_id
        return self.end_of_answer if end is None else end

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """What can change an answer beside the prompt and the adapter's weights."""
        template = self.template_of(adapter)
        ends = self._ends(template)
        several = " ".join(self.tokenizer.convert_ids_to_tokens(ends))
        gpus = spread_over(self.device_map)
        return {
            "weights": self.weights.digest,
            "chat_template": digest(template.text),
            **template.facts,
            **({"until": "the next turn"} if template.is_plain else {}),
            **({"ends": several} if ends != [self.end_of_text] else {}),
            "dtype": self.dtype,
            "device": self.device,
            **({"device_map": f"{self.device_map} over {gpus} GPUs"} if gpus > 1 else {}),
            "engine": f"transformers {transformers.__version__}, torch {torch.__version__}",
            "decoding": "greedy",
        }

    def _ends(self, template: ChatTemplate) -> list[int]:
        return template.ends(self.network.generation_config.eos_token_id)

    def template_of(self, adapter: str | None) -> ChatTemplate:
        """The chat template that the adapter of this digest was trained with."""
        return self.templates.get(adapter or "", self.template)

    def render(self, messages: Sequence[Message], adapter: str | None = None) -> str:
        """The prompt text as the model was taught to read it."""
        return self.template_of(adapter).render(messages)

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return len(self.tokenizer(text, add_special_tokens=False).input_ids)

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[None]:
        """The model with the adapter of this digest on, or with all adapters off."""
        before, self.used = self.used, self.template_of(adapter)
        try:
            if adapter is not None:
                self.network.set_adapter(self.adapters[adapter])
            off = adapter is None and self.adapters
            with self.network.disable_adapter() if off else nullcontext():
                yield
        finally:
            self.used = before

    def generate(
        self, prompts: Sequence[str], decoding: Decoding, skip: Collection[int] = ()
    ) -> Iterator[tuple[int, Generation | Failure]]:
        """Completions, as (index, completion) in the order they get ready.

        Batches hold prompts that start alike, at most `batch_tokens` padded tokens each. The
        prompts in `skip` fill their batches and yield nothing; a batch of such alone is left out.
        A batch that does not fit in memory is halved.
        """
        encoded = [self.encode(prompt) for prompt in prompts]
        every, failures = self._batched(encoded, decoding)
        yield from ((index, failed) for index, failed in failures.items() if index not in skip)
        batches = [batch for batch in every if not all(index in skip for index in batch)]
        fitting = [index for batch in every for index in batch]
        start = self._start([encoded[index] for index in fitting] if batches else [])
        for batch in batches:
            done = self._answers(start, [encoded[index] for index in batch], decoding)
            pairs = zip(batch, done, strict=True)
            yield from ((index, answer) for index, answer in pairs if index not in skip)

    def batches(self, prompts: Sequence[str], decoding: Decoding) -> list[list[int]]:
        """The prompts that `generate` answers together; those that are too long, one by one."""
        batches, failures = self._batched([self.encode(prompt) for prompt in prompts], decoding)
        return [*([index] for index in failures), *batches]

    def _batched(
        self, encoded: Sequence[Sequence[int]], decoding: Decoding
    ) -> tuple[list[list[int]], dict[int, Failure]]:
        """Batches of sorted prompts, and the prompts that are too long, with what they come to."""
        room = self._room(decoding)
        failures = {
            index: failure
            for index, ids in enumerate(encoded)
            if (failure := self._too_long(ids, room))
        }
        fitting = [index for index in range(len(encoded)) if index not in failures]
        fitting.sort(key=lambda index: (encoded[index], index))
        return list(_batches(fitting, encoded, room, self.batch_tokens)), failures

    def timed(self, prompt: str, decoding: Decoding) -> Generation | Failure:
        """One completion alone, with the seconds to its first token and of the rest.

        With options: the seconds until the prompt is read, and of choosing.
        """
        ids = self.encode(prompt)
        if failure := self._too_long(ids, self._room(decoding)):
            return failure
        marks = [time.perf_counter()]

        def mark() -> None:
            if len(marks) == 1:
                synchronize()
                marks.append(time.perf_counter())

        done = self._within_memory(lambda: self._complete(Start(), [ids], decoding, mark)[0])
        if isinstance(done, Failure):
            return done
        prefill_s, decode_s = marks[1] - marks[0], time.perf_counter() - marks[1]
        return replace(done, prefill_s=prefill_s, decode_s=decode_s)

    def batch_check(self, prompts: Sequence[str], decoding: Decoding) -> float:
        """The share of these prompts that are answered differently in batches than alone."""
        together = dict(self.generate(prompts, decoding))
        differ = 0
        for index, prompt in enumerate(prompts):
            ((_, alone),) = self.generate([prompt], decoding)
            differ += alone != together[index]
        return differ / len(prompts)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text as it is: none is added at its ends."""
        return self.template.encode(text)

    def _options(self, decoding: Decoding) -> Options:
        return Options.of([self.encode(option) for option in decoding.options])

    def _room(self, decoding: Decoding) -> int:
        """Places that the answer to a prompt may take."""
        return len(self._options(decoding).tokens) if decoding.options else decoding.max_tokens

    def _too_long(self, ids: Sequence[int], room: int) -> Failure | None:
        window = self.context_window
        if 0 < len(ids) <= window - room:
            return None
        needs = f"the prompt has {quantity(len(ids), 'token')} and the answer may take {room}"
        return Failure(f"{needs}; the model holds {window}")

    def _start(self, prompts: Sequence[Sequence[int]]) -> Start:
        """What all the (sorted) prompts start with, read once; no batch changes it."""
        if len(prompts) < 2:
            return Start()
        # Of sorted prompts the first and the last differ most.
        first = prompts[0][:-1]
        shared = first[: shared_start(first, prompts[-1][:-1])]
        done = self._within_memory(lambda: read_start(self.network, shared))
        return Start() if isinstance(done, Failure) else done

    def _answers(
        self, start: Start, encoded: Sequence[Sequence[int]], decoding: Decoding
    ) -> Sequence[Generation | Failure]:
        """Completions; a batch that does not fit in memory is halved, down to single prompts."""
        done = self._within_memory(lambda: self._complete(start, encoded, decoding))
        if not isinstance(done, Failure):
            return done
        if len(encoded) == 1:
            return [done]
        half = len(encoded) // 2
        return [
            *self._answers(start, encoded[:half], decoding),
            *self._answers(start, encoded[half:], decoding),
        ]

    def _within_memory(self, action: Callable[[], T]) -> T | Failure:
        """What the action gives, or a failure when memory ran out in it."""
        try:
            return action()
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            failure = Failure(f"out of memory: {' '.join(str(error).split()) or 'no reason'}")
        # Not while the error is handled: its frames hold the tensors.
        free_memory()
        return failure

    def _complete(
        self,
        start: Start,
        encoded: Sequence[Sequence[int]],
        decoding: Decoding,
        first: Callable[[], None] = lambda: None,
    ) -> list[Generation]:
        """Completions of sorted prompts; `first` is called when the prompts are read."""
        room, pass_tokens = self._room(decoding), self.pass_tokens
        hold = len(encoded) > 1 or bool(decoding.options)
        batch = read(self.network, start, encoded, room, pass_tokens, hold=hold)
        if decoding.options:
            first()
            options = self._options(decoding)
            shares = loglikelihoods(batch, options, self.ends, pass_tokens).softmax(-1)
            return [
                Generation(
                    decoding.options[int(choice)],
                    len(ids),
                    self.count(decoding.options[int(choice)]),
                    confidence=round(float(share), 6),
                    finish_reason=STOP,
                )
                for ids, share, choice in zip(encoded, *shares.max(-1), strict=True)
            ]
        choose: Choose = greedy
        if decoding.temperature:
            seeds = [int(digest([decoding.seed, *ids]), 16) for ids in encoded]
            choose = sampled(decoding.temperature, seeds)
        ends, enough = self.ends, self.used.begins_turn
        written = write(batch, decoding.max_tokens, ends, choose, first, enough)
        return [
            self._generation(ids, row, ended=row.tokens[-1] in ends)
            for ids, row in zip(encoded, written, strict=True)
        ]

    def _generation(self, prompt: Sequence[int], row: Written, *, ended: bool) -> Generation:
        """What a row wrote, as far as it is the answer."""
        tokens = row.tokens[:-1] if ended else row.tokens
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        before = self.used.before_turn(text)
        return Generation(
            (text if before is None else before).strip(),
            len(prompt),
            len(row.tokens),
            confidence=round(row.confidence, 6),
            finish_reason=LENGTH if before is None and not ended else STOP,
        )


def _batches(
    indices: Sequence[int], prompts: Sequence[Sequence[int]], room: int, batch_tokens: int
) -> Iterator[list[int]]:
    """Neighbours, as many as fit."""
    batch: list[int] = []
    longest = 0
    for index in indices:
        longer = max(longest, len(prompts[index]))
        if batch and (len(batch) + 1) * (longer + room) > batch_tokens:
            yield batch
            batch, longer = [], len(prompts[index])
        batch.append(index)
        longest = longer
    if batch:
        yield batch


def _out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out: the allocator of the processor has no type for it."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _refuse_odd_caches(network: Any, reference: str) -> None:
    """Raise `BakeoffError` for a network that remembers otherwise than by keys and values."""
    layers = set(getattr(network.config.get_text_config(), "layer_types", None) or [FULL])
    taken = inspect.signature(network.forward).parameters
    if network._is_stateful or not (
        layers <= {FULL, SLIDING}
        and {"past_key_values", "position_ids", "logits_to_keep"} <= set(taken)
    ):
        raise BakeoffError(
            f"model '{reference}': {network.config.model_type} models cannot be decoded here; "
            "serve it behind an endpoint"
        )
