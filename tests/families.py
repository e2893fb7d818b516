"""Tiny random networks of other families, with tokenizers and templates that behave as theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

SMALL = {
    "vocab_size": 280,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # So that likeliest tokens are far from the others.
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
MIXED = ["sliding_attention"] * 3 + ["full_attention"]

ALTERNATE = """\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}"""
CHATML = """\
{% if messages[0]['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
GEMMA_2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}" + ALTERNATE + "<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA_3 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}" + ALTERNATE + "<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ first if loop.first else '' }}{{ message['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA_3 = """\
{{ bos_token }}{% for message in messages %}\
<|start_header_id|>{{ message['role'] }}<|end_header_id|>

{{ message['content'] | trim }}<|eot_id|>{% endfor %}\
{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}"""
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    + ALTERNATE
    + "{% if message['role'] == 'user' %}"
    "[INST] {{ message['content'] }} [/INST]{% else %}"
    "{{ message['content'] + eos_token + ' ' }}{% endif %}{% endfor %}"
)
PHI = """\
{% for message in messages %}\
{{ {'system': '', 'user': 'Instruct: ', 'assistant': 'Output: '}[message['role']] }}\
{{ message['content'] }}{{ eos_token if message['role'] == 'assistant' }}
{% endfor %}{% if add_generation_prompt %}Output:{% endif %}"""
# It knows no system role, and says nothing of it.
PHI_3 = """\
{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}<|user|>
{{ message['content'] }}<|end|>
<|assistant|>
{% elif message['role'] == 'assistant' %}{{ message['content'] }}<|end|>
{% endif %}{% endfor %}"""


@dataclass(frozen=True)
class Family:
    """What of a family trips: its network's settings, its template, its tokenizer's habits."""

    config: str
    template: str | None
    specials: tuple[str, ...]
    """Its tokens that are no text; the first is no token of the others."""
    stated: Mapping[str, str]
    """The special tokens that its tokenizer names."""
    ends: tuple[str, ...]
    """The tokens of its generation config that end an answer."""
    begins: bool = False
    """Whether its tokenizer puts a begin token before each text, unasked."""
    pieces: bool = False
    """Whether its tokenizer takes a space for a sign, as SentencePiece does."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path, config: Any = None, **settings: Any) -> Path:
        """The folder of such a model with random weights; `config` in place of its own."""
        tokenizer = self.tokenizer()
        torch.manual_seed(0)
        if config is None:
            kind = getattr(transformers, f"{self.config}Config")
            config = kind(**{**SMALL, **self.settings, **settings})
        # Real ones are published so.
        network = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        ends = tokenizer.convert_tokens_to_ids(list(self.ends))
        network.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    def tokenizer(self) -> Any:
        """Characters (or bytes) are its tokens, so that it needs no training."""
        signs = pre_tokenizers.ByteLevel.alphabet()
        if self.pieces:
            signs = ["▁", "\n", *map(chr, range(33, 127))]
        names = ["<unk>", *self.specials, *sorted(signs)]
        model = BPE({name: n for n, name in enumerate(names)}, [], unk_token="<unk>")
        made = Tokenizer(model)
        special = ("<unk>", *self.specials)
        made.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in special])
        if self.pieces:
            made.normalizer = normalizers.Sequence(
                [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
            )
            made.decoder = decoders.Sequence(
                [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
            )
        else:
            made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            made.decoder = decoders.ByteLevel()
        if self.begins:
            begin = self.stated["bos_token"]
            made.post_processor = processors.TemplateProcessing(
                single=f"{begin} $A", special_tokens=[(begin, names.index(begin))]
            )
        return PreTrainedTokenizerFast(
            tokenizer_object=made, chat_template=self.template, **self.stated
        )


_GEMMA = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
_OF_GEMMA = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
_WINDOW = {"head_dim": 8, "sliding_window": 8, "layer_types": MIXED, "tie_word_embeddings": True}
FAMILIES = {
    "qwen2": Family(
        "Qwen2",
        CHATML,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        ("<|im_end|>", "<|endoftext|>"),
        settings={"tie_word_embeddings": True},
    ),
    "gemma2": Family(
        *("Gemma2", GEMMA_2, _GEMMA, _OF_GEMMA, ("<eos>", "<end_of_turn>")),
        begins=True,
        settings={**_WINDOW, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0},
    ),
    "gemma3": Family(
        *("Gemma3Text", GEMMA_3, _GEMMA, _OF_GEMMA, ("<eos>", "<end_of_turn>")),
        begins=True,
        settings={**_WINDOW, "query_pre_attn_scalar": 8},
    ),
    "llama3": Family(
        "Llama",
        LLAMA_3,
        ("<|begin|>", "<|end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        {"bos_token": "<|begin|>", "eos_token": "<|eot_id|>"},
        ("<|end|>", "<|eot_id|>"),
        begins=True,
    ),
    "mistral": Family(
        "Mistral",
        MISTRAL,
        ("<s>", "</s>", "[INST]", "[/INST]"),
        {"bos_token": "<s>", "eos_token": "</s>"},
        ("</s>",),
        begins=True,
        pieces=True,
        settings={"sliding_window": 12},
    ),
    # Base weights: their tokenizers have none.
    "base": Family(
        *("Gemma3Text", None, _GEMMA, _OF_GEMMA, ("<eos>",)),
        begins=True,
        settings={**_WINDOW, "query_pre_attn_scalar": 8},
    ),
    "phi": Family(
        "Phi", PHI, ("<|endoftext|>",), {"eos_token": "<|endoftext|>"}, ("<|endoftext|>",)
    ),
    "phi3": Family(
        "Phi3",
        PHI_3,
        ("<s>", "<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"),
        {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        # What was tuned further often has lost the end of its turns.
        ("<|endoftext|>",),
        pieces=True,
    ),
}
