"""Tokens in, tokens out, with one network: what prompts share is read once, answers go in batches.

Greedy means the network's own likeliest token. Penalties that a model's generation config may
hold are not applied; its end tokens are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from bakeoff.models.networks import entry

HEAD_ROWS = 8192
"""Tokens of the vocabulary whose weights are widened at once."""
FULL, SLIDING = "full_attention", "sliding_attention"
"""How layers attend, in the words of transformers."""

Tokens = Sequence[int]
Choose = Callable[[torch.Tensor, Sequence[int]], Sequence[int]]
"""Logits (n, vocabulary) and the n rows they belong to -> a token for each."""


@dataclass(frozen=True)
class Start:
    """What a network has read of prompts that all start alike."""

    tokens: Tokens = ()
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]] = ()


@dataclass
class Batch:
    """Prompts that were read, side by side; they end at the same place."""

    network: Any
    cache: Cache
    mask: torch.Tensor
    """(rows, places): where a row has tokens; all places to come are open."""
    positions: torch.Tensor
    """(rows, 1): the position of the next token of each row."""
    last: torch.Tensor
    """(rows, 1): the last token of each prompt."""
    logits: torch.Tensor | None
    """(rows, vocabulary): what follows the last token; `None` where it was not read yet."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read one more token (rows, 1) of each row; the logits of what follows."""
        logits: torch.Tensor = self.network(
            input_ids=tokens,
            attention_mask=self.mask[:, : self.cache.get_seq_length() + 1],
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        self.positions = self.positions + 1
        return logits

    def drop(self, row: int) -> None:
        """Let a row go; the last row takes its place."""
        end = len(self.mask) - 1
        for layer in self.cache.layers:
            for part in (layer.keys, layer.values):
                part[row] = part[end]
            layer.show(end, layer.keys.shape[2])
        for part in (self.mask, self.positions):
            part[row] = part[end]
        self.mask, self.positions = self.mask[:end], self.positions[:end]


@dataclass
class Written:
    """The tokens a row was given, and the sum of their log-probabilities."""

    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0

    @property
    def confidence(self) -> float:
        """The geometric mean of the tokens' probabilities."""
        return math.exp(self.logprob / len(self.tokens))


class _Room(DynamicLayer):
    """A layer's keys and values with room for what is to come, so that a step copies no cache."""

    def __init__(self, rows: int, places: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.whole = [
            part.new_zeros(rows, part.shape[1], places, part.shape[3]) for part in (keys, values)
        ]
        self.show(rows, 0)

    def show(self, rows: int, places: int) -> None:
        """Let the network see so many rows and places."""
        self.keys, self.values = (part[:rows, :, :places] for part in self.whole)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows, _heads, before, _width = self.keys.shape
        self.show(rows, before + key_states.shape[2])
        self.keys[:, :, before:] = key_states
        self.values[:, :, before:] = value_states
        return self.keys, self.values


def shared_start(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def read_start(network: Any, tokens: Tokens) -> Start:
    """Read what prompts to come start with."""
    if not tokens:
        return Start()
    cache, _ = _pass(network, Start(), 0, [tokens])
    return Start(tokens, [(keys, values) for keys, values, *_ in cache])


@torch.inference_mode()
def read(
    network: Any,
    start: Start,
    prompts: Sequence[Tokens],
    room: int,
    pass_tokens: int,
    *,
    hold: bool,
) -> Batch:
    """Read sorted prompts that begin with `start`, with `room` places to spare behind them.

    It goes in passes of about `pass_tokens` tokens: on a processor small ones are the fastest, as
    what they compute stays in its cache. Each pass starts where its prompts part from the prompt
    read last, so that neighbours share passages, too. The last token of each prompt is held back
    for the first step, which all rows take together; one prompt alone can be read whole.
    """
    rest = [prompt[:-1] for prompt in prompts] if hold else prompts
    longest = max(map(len, rest))
    rooms: list[_Room] = []
    before, logits = start, None
    for first, last, shared in _passes(rest, start.tokens, pass_tokens):
        cache, logits = _pass(network, before, shared, rest[first:last])
        if not rooms:
            rooms = [_Room(len(rest), longest + room, keys, values) for keys, values, *_ in cache]
        for row in range(first, last):
            length = len(rest[row])
            for layer, (keys, values, *_) in zip(rooms, cache, strict=True):
                for whole, part in zip(layer.whole, (keys, values), strict=True):
                    whole[row, :, longest - length : longest] = part[row - first, :, :length]
        before = Start(rest[last - 1], [(k[-1:], v[-1:]) for k, v, *_ in cache])
    for layer in rooms:
        layer.show(len(rest), longest)
    device = entry(network)
    lengths = torch.tensor([[len(tokens)] for tokens in rest], device=device)
    mask = torch.arange(longest + room, device=device) >= longest - lengths
    ends = torch.tensor([[prompt[-1]] for prompt in prompts], device=device)
    return Batch(network, Cache(layers=rooms), mask, lengths, ends, None if hold else logits)


def _passes(
    prompts: Sequence[Tokens], before: Tokens, pass_tokens: int
) -> Iterator[tuple[int, int, int]]:
    """(first, last, shared): the prompts of each pass, and the tokens of `before` they reuse."""
    first = 0
    while first < len(prompts):
        last, shared, longest = first, len(before), 0
        for prompt in prompts[first:]:
            fewer = shared_start(before[:shared], prompt)
            longer = max(longest, len(prompt))
            if last > first and (last - first + 1) * (longer - fewer) > pass_tokens:
                break
            last, shared, longest = last + 1, fewer, longer
        yield first, last, shared
        before, first = prompts[last - 1], last


@torch.inference_mode()
def _pass(
    network: Any, before: Start, shared: int, prompts: Sequence[Tokens]
) -> tuple[DynamicCache, torch.Tensor | None]:
    """The cache of prompts read from `shared` on, and the logits behind the longest."""
    known = [
        tuple(part[:, :, :shared].expand(len(prompts), -1, -1, -1) for part in layer)
        for layer in before.layers
    ]
    cache = DynamicCache(known)
    width = max(map(len, prompts)) - shared
    if not width:
        return cache, None
    # Padded on the right: no token sees the padding, so that no mask and no positions are needed.
    rows = [[*prompt[shared:], *[0] * (width + shared - len(prompt))] for prompt in prompts]
    output = network(
        input_ids=torch.tensor(rows, device=entry(network)),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return cache, output.logits[:, -1]


@torch.inference_mode()
def write(
    batch: Batch,
    limit: int,
    ends: Collection[int],
    choose: Choose,
    first: Callable[[], None] = lambda: None,
    enough: Callable[[Tokens], bool] = lambda _: False,
) -> list[Written]:
    """At most `limit` tokens for each row, up to and with an end token, or until `enough`.

    `first` is called when the first tokens are there; rows that are done leave."""
    written = [Written() for _ in batch.last]
    rows = list(range(len(written)))
    logits = batch.step(batch.last) if batch.logits is None else batch.logits
    while True:
        chosen = choose(logits, rows)
        for row, token, logprob in zip(rows, chosen, _logprobs(logits, chosen), strict=True):
            written[row].tokens.append(token)
            written[row].logprob += logprob
        first()
        going = [
            token not in ends and len(written[r].tokens) < limit and not enough(written[r].tokens)
            for r, token in zip(rows, chosen, strict=True)
        ]
        tokens = list(chosen)
        for place in reversed(range(len(rows))):
            if not going[place]:
                batch.drop(place)
                rows[place], tokens[place] = rows[-1], tokens[-1]
                rows.pop(), tokens.pop()
        if not rows:
            return written
        logits = batch.step(torch.tensor(tokens, device=logits.device)[:, None])


def _logprobs(logits: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """The log-probability of each row's token."""
    wide = logits.float()
    places = torch.tensor(tokens, device=logits.device)[:, None]
    logprobs: list[float] = (wide.gather(1, places)[:, 0] - wide.logsumexp(-1)).tolist()
    return logprobs


def greedy(logits: torch.Tensor, rows: Sequence[int]) -> Sequence[int]:
    """The likeliest token."""
    tokens: list[int] = logits.argmax(-1).tolist()
    return tokens


def sampled(temperature: float, seeds: Sequence[int]) -> Choose:
    """Tokens drawn at `temperature`; each row draws by its own seed, whatever its batch."""
    sources = [torch.Generator().manual_seed(seed) for seed in seeds]

    def choose(logits: torch.Tensor, rows: Sequence[int]) -> Sequence[int]:
        shares = (logits.float() / temperature).softmax(-1).cumsum(-1)
        draws = torch.cat([torch.rand(1, 1, generator=sources[row]) for row in rows])
        # Up to the last sum, which rounding may leave below one.
        places = torch.searchsorted(shares, draws.to(shares.device) * shares[:, -1:])
        tokens: list[int] = places.clamp(max=shares.shape[-1] - 1)[:, 0].tolist()
        return tokens

    return choose


@dataclass(frozen=True)
class Options:
    """Answers to choose from, as a tree of their tokens: what they start alike is read once."""

    tokens: Tokens
    """The token of each node; the first node stands for the last token of a prompt."""
    parents: Sequence[int]
    leaves: Sequence[int]
    """For each option its last node."""

    @classmethod
    def of(cls, options: Sequence[Tokens]) -> Options:
        tokens, parents, leaves = [0], [0], []
        nodes: dict[tuple[int, int], int] = {}
        for option in options:
            node = 0
            for token in option:
                if (node, token) not in nodes:
                    nodes[node, token] = len(tokens)
                    tokens.append(token)
                    parents.append(node)
                node = nodes[node, token]
            leaves.append(node)
        return cls(tokens, parents, leaves)


@torch.inference_mode()
def loglikelihoods(
    batch: Batch, options: Options, ends: Sequence[int], pass_tokens: int
) -> torch.Tensor:
    """(rows, options): the log-probability that each row goes on with the option and ends there.

    Not divided by length, as `acc` of lm-evaluation-harness: with one of `ends` it is the
    probability of saying exactly this option; by length, long labels that complete themselves
    would win.
    All options of a row are read at once, each token seeing its own option alone.
    """
    count, device = len(options.tokens), batch.mask.device
    parents = torch.tensor(options.parents, device=device)
    leaves = torch.tensor(options.leaves, device=device)
    stopping = torch.tensor(ends, device=device)
    sees = torch.eye(count, dtype=torch.bool, device=device)
    for node in range(1, count):
        sees[node] |= sees[options.parents[node]]
    at_once = max(1, pass_tokens // count)
    scores = []
    for begin in range(0, len(batch.mask), at_once):
        logits = _branch(batch, begin, begin + at_once, options, sees)
        norm = logits.logsumexp(-1)
        steps = logits[:, parents, options.tokens] - norm[:, parents]
        steps[:, 0] = 0
        stops = logits[:, leaves[:, None], stopping].logsumexp(-1) - norm[:, leaves]
        scores.append((steps @ sees.T.float())[:, leaves] + stops)
    return torch.cat(scores)


def _branch(
    batch: Batch, begin: int, end: int, options: Options, sees: torch.Tensor
) -> torch.Tensor:
    """Logits (rows, nodes, vocabulary) behind each node, for the rows from `begin` to `end`."""
    last, places = batch.last[begin:end], batch.cache.get_seq_length()
    cache = DynamicCache(
        [(layer.keys[begin:end], layer.values[begin:end]) for layer in batch.cache.layers]
    )
    nodes = torch.tensor(options.tokens, device=last.device).repeat(len(last), 1)
    nodes[:, 0] = last[:, 0]
    known = batch.mask[begin:end, None, :places].expand(-1, len(sees), -1)
    open_ = torch.cat([known, sees.expand(len(last), -1, -1)], -1)
    depths = sees.sum(-1) - 1
    with _wide_head(batch.network):
        logits: torch.Tensor = batch.network(
            input_ids=nodes,
            attention_mask=_masks(batch.network, open_, depths),
            position_ids=batch.positions[begin:end] + depths,
            past_key_values=cache,
            use_cache=True,
        ).logits
    return logits.float()


@contextmanager
def _wide_head(network: Any) -> Iterator[None]:
    """Logits in float32, whatever else the network computes in.

    In bfloat16 those between 16 and 32 are multiples of 1/8: options tie, and the first one wins.
    """
    head = network.get_output_embeddings()

    def wide(_: Any, given: tuple[torch.Tensor, ...], narrow: torch.Tensor) -> torch.Tensor:
        if narrow.dtype == torch.float32 or head.weight.is_meta:
            return narrow
        # A part of the vocabulary at a time: a large model's weights would not fit twice.
        states = given[0].to(narrow.device).float()
        parts = [states @ weights.float().T for weights in head.weight.split(HEAD_ROWS)]
        logits = torch.cat(parts, dim=-1)
        return logits if head.bias is None else logits + head.bias.float()

    # A head that is quantized, or has an adapter, is one of another kind: it stays as it is.
    hook = head.register_forward_hook(wide) if type(head) is torch.nn.Linear else None
    try:
        yield
    finally:
        if hook:
            hook.remove()


def _masks(network: Any, open_: torch.Tensor, depths: torch.Tensor) -> Any:
    """What a network takes as its mask: for nodes at these depths, the places that are open.

    A dictionary where some of its layers have a sliding window; else of all layers.
    """
    config = network.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ()
    places = open_.shape[-1] - len(depths)
    at = torch.cat([torch.arange(-places, 0, device=depths.device), depths])
    near = depths[:, None] - at < (getattr(config, "sliding_window", None) or open_.shape[-1])

    def additive(seen: torch.Tensor) -> torch.Tensor:
        # Which every attention of transformers takes.
        mask = torch.zeros(seen.shape, dtype=network.dtype, device=seen.device)
        return mask.masked_fill(~seen, torch.finfo(mask.dtype).min)[:, None]

    if SLIDING in kinds:
        return {FULL: additive(open_), SLIDING: additive(open_ & near)}
    return additive(open_ if kinds else open_ & near)
