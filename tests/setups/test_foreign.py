"""Adapters as other programs leave them: other base names, modules trained whole, own templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bakeoff.core.words import BakeoffError, Decoding, Generation
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.setups.tuning.adapter import attach, ready_adapter

WORDS = ["<unk>", "</s>", "Which", "form", "do", "I", "need", "?", ":", "user", "assistant"]
TEMPLATE = "{% for m in messages %}{{ m.role }} : {{ m.content }} {% endfor %}assistant :"
OTHER = "{% for m in messages %}{{ m.content }} ? {% endfor %}"
CHAT = [{"role": "user", "content": "Which form"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two layers that knows eleven words."""
    folder = tmp_path_factory.mktemp("base")
    words = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="</s>", chat_template=TEMPLATE
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        **{"vocab_size": 11, "hidden_size": 16, "intermediate_size": 32},
        **{"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2},
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapter(
    folder: Path, base: Path, added: tuple[str, ...] = (), template: str = "", **config: Any
) -> Path:
    """A PEFT folder with its tokenizer, as training programs write it."""
    network = LlamaForCausalLM.from_pretrained(base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    if added:
        tokenizer.add_tokens(list(added), special_tokens=True)
        network.resize_token_embeddings(len(tokenizer))
    torch.manual_seed(1)
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, **config)
    tuned = peft.get_peft_model(network, lora)
    # unsloth names its own copy of the base.
    tuned.peft_config["default"].base_model_name_or_path = "unsloth/tiny-bnb-4bit"
    for name, values in tuned.named_parameters():
        if "modules_to_save" in name or "trainable_tokens" in name:
            torch.nn.init.normal_(values)
    tuned.save_pretrained(folder)
    tokenizer.chat_template = template or tokenizer.chat_template
    tokenizer.save_pretrained(folder)
    return folder


def attached(base: Path, folder: Path, cache: Path) -> AdaptedModel:
    model = LocalModel(resolve(str(base), cache), "float32")
    ready = ready_adapter(str(folder))
    attach(model, ready)
    return AdaptedModel(model, ready.digest)


@pytest.mark.parametrize(
    "config",
    [{}, {"modules_to_save": ["lm_head"]}, {"trainable_token_indices": [3, 4]}, {"use_dora": True}],
    ids=str,
)
def test_adapters_of_other_programs_fit_whatever_base_they_name(
    base: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    model = attached(base, adapter(tmp_path / "a", base, **config), tmp_path)
    assert model.model.templates == {}
    assert "chat_template" in model.fingerprint()


def test_an_adapter_is_asked_by_the_chat_template_it_was_trained_with(
    base: Path, tmp_path: Path
) -> None:
    tuned = attached(base, adapter(tmp_path / "a", base, template=OTHER), tmp_path)
    plain = AdaptedModel(tuned.model)
    assert (plain.render(CHAT), tuned.render(CHAT)) == (
        "user : Which form assistant :",
        "Which form ? ",
    )
    ((_, asked),) = tuned.generate([CHAT], Decoding(1))
    assert isinstance(asked, Generation)
    assert asked.prompt_tokens == 3, "Which, form and ?"
    assert tuned.fingerprint()["chat_template"] != plain.fingerprint()["chat_template"]


def test_a_token_for_padding_alone_changes_nothing(base: Path, tmp_path: Path) -> None:
    attached(base, adapter(tmp_path / "a", base, added=("<|PAD_TOKEN|>",)), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"added": ("<|im_start|>",), "template": f"<|im_start|>{OTHER}"},
            r"its chat template has the token '<\|im_start\|>', which .* does not know: merge",
        ),
        (
            {"added": ("<a>", "<b>"), "modules_to_save": ["embed_tokens", "lm_head"]},
            "made for a vocabulary of 13 tokens, and '.*' has 11: merge the adapter into its base",
        ),
    ],
)
def test_an_adapter_that_needs_more_tokens_is_refused_with_what_would_work(
    base: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BakeoffError, match=message):
        attached(base, adapter(tmp_path / "a", base, **changes), tmp_path)
