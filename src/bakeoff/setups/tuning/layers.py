"""A network cut below its first tuned layer.

Without a gradient to send down, the layers below it compute the same in every epoch: what they
make of a row is computed once and kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import peft
import torch
from peft.helpers import disable_input_dtype_casting
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from bakeoff.core.progress import Progress, working
from bakeoff.core.words import BakeoffError
from bakeoff.models.networks import entry
from bakeoff.setups.tuning.batches import Pack, Packs, Row, pack
from bakeoff.setups.tuning.ranks import ALONE, Ranks

KEPT_BYTES = 4 * 2**30
"""What is kept of rows takes at most so much memory, of all processes together; else it is computed
again in each epoch."""


def first_tuned(layers: int, share: float) -> int:
    """The lowest of the layers that get adapters, when a share of them, the upper ones, does."""
    return layers - max(1, round(share * layers))


class Cut:
    """A network in two parts. `below` needs no gradient; `loss` goes through the tuned layers."""

    def __init__(self, network: Any, first: int, rows: Sequence[Row]) -> None:
        """Cut below layer `first`, if the parts compute what the whole does on some of the rows.

        Raises `BakeoffError` for a network that cannot read rows packed into one sequence.
        """
        self.network = network
        self.base = network.get_base_model() if isinstance(network, peft.PeftModel) else network
        self.decoder = self.base.get_decoder()
        self.first = first
        # The longest row is among them: it is where a sliding window shows.
        some = [rows[0], max(rows, key=lambda row: len(row.tokens))]
        alone = self._alone(some)
        if self.first and not self._agrees(some, alone):
            self.first = 0
        if not self.first and not self._agrees(some, alone):
            raise BakeoffError(
                f"{self.base.config.model_type} models cannot be tuned here: they read rows "
                "otherwise side by side than alone"
            )

    def moved(self, packed: Pack) -> Pack:
        """The pack in the memory of the network's device."""
        device = entry(self.network)
        tensors = (packed.tokens, packed.positions, packed.asked, packed.targets)
        tokens, positions, asked, targets = (part.to(device) for part in tensors)
        return Pack(tokens, positions, packed.lengths, asked, targets)

    @torch.no_grad()
    def below(self, packed: Pack) -> torch.Tensor | None:
        """(n, width): what the first tuned layer is given; `None` for an uncut network."""
        if not self.first:
            return None
        states: list[torch.Tensor] = []

        def stop(_: Any, given: tuple[torch.Tensor, ...], named: dict[str, Any]) -> None:
            states.append(given[0] if given else named["hidden_states"])
            raise _Reached

        hook = self.decoder.layers[self.first].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            with _evaluating(self.network):
                self._read(packed, input_ids=packed.tokens)
        except _Reached:
            pass
        finally:
            hook.remove()
        return states[0][0]

    def loss(self, packed: Pack, below: torch.Tensor | None, reduction: str) -> torch.Tensor:
        """Cross-entropy of the tokens to learn: their `mean` or their `sum`."""
        logits = self._logits(packed, below)
        return functional.cross_entropy(logits.float(), packed.targets, reduction=reduction)

    def _logits(self, packed: Pack, below: torch.Tensor | None) -> torch.Tensor:
        """(m, vocabulary): at the places in front of the tokens to learn, and nowhere else."""
        if below is None:
            return self._read(packed, input_ids=packed.tokens)
        with self._upper():
            return self._read(packed, inputs_embeds=below[None])

    def _read(self, packed: Pack, **given: torch.Tensor) -> torch.Tensor:
        # Of four dimensions, it reaches the layers as it is.
        mask = torch.tensor(packed.lengths)[None, None, None]
        # The adapter's own weights stay float32; autocast spares the copies of its inputs.
        low = self.base.dtype != torch.float32
        autocast = torch.autocast(packed.tokens.device.type, self.base.dtype, enabled=low)
        with disable_input_dtype_casting(self.network, low), autocast, self._packed():
            logits: torch.Tensor = self.network(
                **given,
                attention_mask=mask,
                position_ids=packed.positions,
                # As numbers: what is spread over GPUs takes its tensors to the first of them.
                logits_to_keep=packed.asked.tolist(),
                use_cache=False,
            ).logits[0]
        return logits

    @contextmanager
    def _packed(self) -> Iterator[None]:
        """Attention reads its mask as the lengths of a pack."""
        usual = self.base.config._attn_implementation
        self.base.set_attn_implementation(_PACKED)
        try:
            yield
        finally:
            self.base.set_attn_implementation(usual)

    @contextmanager
    def _upper(self) -> Iterator[None]:
        whole, config = self.decoder.layers, self.decoder.config
        kinds = getattr(config, "layer_types", None)
        self.decoder.layers = whole[self.first :]
        if kinds:
            # Of these by their number networks choose mask and positions.
            config.layer_types = kinds[self.first :]
        try:
            yield
        finally:
            self.decoder.layers = whole
            if kinds:
                config.layer_types = kinds

    @torch.no_grad()
    def _alone(self, rows: Sequence[Row]) -> torch.Tensor:
        """The logits to learn from, of the rows one by one, uncut and unpacked."""
        device = entry(self.network)
        with _evaluating(self.network):
            logits = [
                self.network(input_ids=torch.tensor([row.tokens], device=device)).logits[0]
                for row in rows
            ]
        parts = zip(logits, rows, strict=True)
        return torch.cat([part[row.answer - 1 : -1] for part, row in parts]).float()

    @torch.no_grad()
    def _agrees(self, rows: Sequence[Row], alone: torch.Tensor) -> bool:
        """Whether packed rows give the logits that they give alone."""
        packed = self.moved(pack(rows, 0))
        with _evaluating(self.network):
            ours = self._logits(packed, self.below(packed)).float()
        # A wrong mask or a lost scale moves logits by their own spread; rounding by far less.
        allowed = 1e-3 if self.base.dtype == torch.float32 else 0.1
        return bool((ours - alone).abs().mean() < allowed * alone.std())


@contextmanager
def _evaluating(network: Any) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    **given: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within a pack, for queries, keys and values of (1, heads, n, width).

    What all rows start with attends to itself; each row to that start and to itself, so that the
    work grows with the rows and not with the square of the pack; in a layer with a sliding window,
    to so many places. `attention_mask` holds `Pack.lengths`.
    """
    shared, *own = attention_mask.flatten().tolist()
    width = max(own)

    def rows(part: torch.Tensor) -> torch.Tensor:
        """(rows, heads, width, head width): each row alone, filled up at its end."""
        places = part[0, :, shared:].transpose(0, 1)
        return pad_sequence(list(torch.split(places, own)), batch_first=True).transpose(1, 2)

    def behind_start(part: torch.Tensor) -> torch.Tensor:
        start = part[:, :, :shared].expand(len(own), -1, -1, -1)
        return torch.cat([start, rows(part)], 2)

    window, capped = given.get("sliding_window") or shared + width, given.get("softcap")
    near = _near(width, shared + width, window, query.device)
    apart = _scored(module, [rows(query), behind_start(key), behind_start(value)], near, **given)
    parts = [row[:length] for row, length in zip(apart, own, strict=True)]
    if shared:
        start = [part[:, :, :shared] for part in (query, key, value)]
        # Without a mask each place sees all before it.
        whole = shared <= window and not capped
        before = None if whole else _near(shared, shared, window, query.device)
        parts.insert(0, _scored(module, start, before, **given)[0])
    return torch.cat(parts)[None], None


def _near(queries: int, places: int, window: int, device: torch.device) -> torch.Tensor:
    """(1, 1, queries, places): the nearest up to each query's own; the last query has the last."""
    sees = torch.ones(queries, places, dtype=torch.bool, device=device)
    return sees.tril(places - queries).triu(places - queries + 1 - window)[None, None]


def _scored(
    module: Any, parts: Sequence[torch.Tensor], near: torch.Tensor | None, **given: Any
) -> Any:
    """What queries make of keys and values; the scores of some networks are capped."""
    if near is None or not given.get("softcap"):
        return sdpa_attention_forward(module, *parts, near, **given)[0]
    # Only the network's own code knows the cap.
    own = sys.modules[type(module).__module__].eager_attention_forward
    mask = torch.zeros(near.shape, dtype=parts[0].dtype, device=near.device)
    mask = mask.masked_fill(~near, torch.finfo(mask.dtype).min)
    return own(module, *parts, mask, **given)[0]


_PACKED = "packed_rows"
AttentionInterface.register(_PACKED, _attend)


class _Reached(Exception):
    """The layers below the cut are done."""


def weight_of(inputs: Mapping[str, Any]) -> int:
    """Of what a process reads of a batch: 0 for a row that it only reads with the others."""
    weight: int = inputs.get("weight", 1)
    return weight


class PackedRows:
    """Rows in packs, with what the layers below a cut make of them where that can be kept.

    A row that is read in every epoch is computed there once, and held in main memory. Of several
    processes each computes a part of the rows; where they hold the network `joint`, all read
    something of every pack, if need be a row of no weight.
    """

    def __init__(
        self,
        cut: Cut,
        rows: Sequence[Row],
        packs: Packs,
        ranks: Ranks = ALONE,
        *,
        joint: bool = False,
    ) -> None:
        self.cut, self.rows, self.joint = cut, rows, joint
        self.packs, self.shared, self.ranks = packs, packs.shared, ranks
        self._start: torch.Tensor | None = None
        self._kept: dict[int, torch.Tensor] = {}
        """Row -> what is made of its own tokens, (own, width)."""

    def keep(self, unit: str, progress: Progress) -> None:
        """Compute what can be kept, unless it is too large."""
        own = [len(row.tokens) - self.shared for row in self.rows]
        base, ranks = self.cut.base, self.ranks
        width = base.config.get_text_config().hidden_size
        size = sum(own) * width * base.dtype.itemsize * ranks.size
        if not self.cut.first or size > KEPT_BYTES:
            return
        # Without gradients memory allows as many rows as there is room for.
        packs = list(Packs(self.packs.lengths, len(own), self.packs.tokens, self.shared, 0))
        with working(progress, unit, len(packs)):
            for turn in range(0, len(packs), ranks.size):
                together = packs[turn : turn + ranks.size]
                mine = [self.cut.below(self._packed(indices)) for indices in ranks.part(together)]
                for owner, indices in enumerate(together):
                    lengths = [self.shared, *(own[index] for index in indices)]
                    below = mine[0] if owner == ranks.rank else self._blank(sum(lengths), width)
                    assert below is not None
                    below = ranks.spread(below, owner)
                    start, *parts = (part.cpu().clone() for part in torch.split(below, lengths))
                    self._start = start
                    self._kept |= zip(indices, parts, strict=True)
                    progress.advance()

    def _blank(self, places: int, width: int) -> torch.Tensor:
        device = entry(self.cut.network)
        return torch.empty(places, width, dtype=self.cut.base.dtype, device=device)

    def inputs(self, indices: Sequence[int]) -> dict[str, Any]:
        """What this process reads of a pack, as the fields of `Pack`, and as `below` what is kept.

        Of the whole pack: `row_tokens`, those of its rows as they are, what they share counted in
        each; and the tokens that are `learnt`. A process that has no row of it has these alone.
        """
        rows = [self.rows[index] for index in indices]
        learnt = sum(len(row.tokens) - max(row.answer, self.shared) for row in rows)
        whole = {"learnt": learnt, "row_tokens": sum(len(row.tokens) for row in rows)}
        mine = self.ranks.part(indices)
        if self.joint:
            whole |= {"weight": int(bool(mine))}
            mine = mine or indices[:1]
        if not mine:
            return whole
        packed = pack([self.rows[index] for index in mine], self.shared)
        if self._start is None:
            return {**whole, **vars(packed)}
        kept = torch.cat([self._start, *(self._kept[index] for index in mine)])
        return {**whole, **vars(packed), "below": kept}

    def loss(self, inputs: Mapping[str, Any], reduction: str = "mean") -> torch.Tensor:
        """The loss of `inputs` that were moved to the network's device.

        As `mean`, this process's share of the whole pack's loss.
        """
        packed = Pack(**{part.name: inputs[part.name] for part in fields(Pack)})
        below = inputs.get("below")
        if below is None:
            below = self.cut.below(packed)
        loss = self.cut.loss(packed, below, reduction)
        share = len(packed.targets) / inputs["learnt"] if reduction == "mean" else 1
        return loss * (share * weight_of(inputs))

    def _packed(self, indices: Sequence[int]) -> Pack:
        return self.cut.moved(pack([self.rows[index] for index in indices], self.shared))
