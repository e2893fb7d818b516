"""References to models, and generation on the embedded one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
)

from bakeoff.core.words import BakeoffError, Decoding, Failure, Generation
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.decoding import Options, Start, loglikelihoods, read
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve

QUESTIONS = ["What is the capital of France?", "Name a colour.", "What is two plus three?", "Hello"]
PASSAGES = "Read this first. " + "The east gate opens at 6.40 in the morning. " * 12
OPTIONS = ("Paris", "Paris is the capital", "blue", "I do not know", "Blue")


@pytest.fixture(scope="module")
def prompts(model: LocalModel) -> list[str]:
    return [model.render([{"role": "user", "content": q}]) for q in QUESTIONS]


def plain(model: LocalModel, prompt: str, max_tokens: int) -> Generation:
    """What transformers' own `generate` answers to the prompt alone."""
    batch = model.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        row = model.network.generate(**batch, max_new_tokens=max_tokens, do_sample=False)[0]
    new = row[batch.input_ids.shape[1] :]
    text = model.tokenizer.decode(new, skip_special_tokens=True).strip()
    reason = "stop" if new[-1] == model.tokenizer.eos_token_id else "length"
    return Generation(text, batch.input_ids.shape[1], len(new), finish_reason=reason)


def test_the_embedded_model_knows_a_capital(model: LocalModel, prompts: list[str]) -> None:
    alone = model.timed(prompts[0], Decoding(16))
    assert isinstance(alone, Generation)
    assert "Paris" in alone.text


def test_float32_answers_are_those_of_plain_generate_whatever_prompts_share(
    model: LocalModel, prompts: list[str]
) -> None:
    chats = [f"{PASSAGES}{q}" for q in (*QUESTIONS[:2], "Say it twice.")]
    longer = [model.render([{"role": "user", "content": text}]) for text in chats]
    asked = [prompts[0], longer[0], prompts[1], *longer[1:], prompts[0]]
    expected = [plain(model, prompt, 16) for prompt in asked]
    together = dict(model.generate(asked, Decoding(16)))
    assert [together[index] for index in range(len(asked))] == expected
    timed = model.timed(prompts[1], Decoding(16))
    assert isinstance(timed, Generation)
    assert replace(timed, prefill_s=None, decode_s=None) == expected[2]


def test_a_skipped_prompt_yields_nothing(model: LocalModel, prompts: list[str]) -> None:
    assert {i for i, _ in model.generate(prompts, Decoding(4), skip={0, 2})} == {1, 3}


@pytest.mark.slow
def test_in_bfloat16_a_chunk_of_whole_batches_is_read_as_within_all_prompts(cache: Path) -> None:
    """The network is given the same tokens, in the same order; each batch is a chunk."""
    small = LocalModel(resolve("embedded", cache), "bfloat16", batch_tokens=256)
    chats = [[{"role": "user", "content": f"Which word has number {i}?"}] for i in range(8)]
    prompts = [small.render(chat) for chat in chats]
    given: list[list[list[int]]] = []

    def note(_: Any, __: Any, named: dict[str, Any]) -> None:
        given.append(named["input_ids"].tolist())

    small.network.register_forward_pre_hook(note, with_kwargs=True)
    whole = dict(small.generate(prompts, Decoding(2)))
    start, *rest = given
    batches = small.batches(prompts, Decoding(2))
    assert len(batches) > 1 and max(map(len, batches)) > 1
    parts: dict[int, Any] = {}
    asked: list[list[list[int]]] = []
    for batch in batches:
        given.clear()
        others = [index for index in range(8) if index not in batch]
        parts |= dict(small.generate(prompts, Decoding(2), skip=others))
        # What all prompts start with is read first, by each worker.
        assert given[0] == start
        asked += given[1:]
    assert asked == rest
    assert parts == whole
    assert all(parts[i].confidence == whole[i].confidence for i in range(8))


def test_a_prompt_that_does_not_fit_is_a_failure_of_its_own(
    model: LocalModel, prompts: list[str]
) -> None:
    done = dict(model.generate(["word " * 9000, prompts[1], ""], Decoding(4)))
    assert isinstance(done[0], Failure)
    assert "8192" in done[0].error
    assert isinstance(done[1], Generation)
    assert isinstance(done[2], Failure)
    assert model.timed("word " * 9000, Decoding(4)) == done[0]


@pytest.mark.parametrize("options", [(), OPTIONS])
def test_only_a_timed_answer_has_seconds(
    model: LocalModel, prompts: list[str], options: tuple[str, ...]
) -> None:
    decoding = Decoding(8, options=options)
    alone = model.timed(prompts[1], decoding)
    assert isinstance(alone, Generation)
    assert alone.prefill_s and alone.prefill_s > 0
    assert alone.decode_s and alone.decode_s > 0
    ((_, batched),) = model.generate(prompts[1:2], decoding)
    assert batched == replace(alone, prefill_s=None, decode_s=None)


def naive(model: LocalModel, prompt: str, option: str) -> float:
    """The log-probability of an option and the end of the turn, by one pass over all of it."""
    before, after = model.encode(prompt), [*model.encode(option), model.tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = model.network(torch.tensor([before + after])).logits[0]
    steps = logits.log_softmax(-1)[len(before) - 1 : -1]
    return float(steps.gather(1, torch.tensor(after)[:, None]).sum())


def test_the_likeliest_option_is_that_of_full_passes(model: LocalModel, prompts: list[str]) -> None:
    expected = {p: [naive(model, p, option) for option in OPTIONS] for p in sorted(prompts)}
    rows = [model.encode(prompt) for prompt in expected]
    options = Options.of([model.encode(option) for option in OPTIONS])
    batch = read(model.network, Start(), rows, len(options.tokens), 64, hold=True)
    found = loglikelihoods(batch, options, [model.tokenizer.eos_token_id], 32)
    assert found.numpy() == pytest.approx(torch.tensor(list(expected.values())).numpy(), abs=1e-3)
    done = dict(model.generate(prompts, Decoding(8, options=OPTIONS)))
    for index, prompt in enumerate(prompts):
        choice = OPTIONS[max(range(len(OPTIONS)), key=expected[prompt].__getitem__)]
        tokens = (model.count(prompt), model.count(choice))
        assert done[index] == Generation(choice, *tokens, finish_reason="stop")


@pytest.mark.parametrize("bias", [False, True])
def test_options_are_compared_in_float32_whatever_the_network_computes_in(bias: bool) -> None:
    """Logits from 32 on are multiples of 1/4 in bfloat16; the log-probabilities here are not."""
    torch.manual_seed(5)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    network = LlamaForCausalLM(LlamaConfig(vocab_size=9000, **shape, **heads)).eval()
    head = network.lm_head = torch.nn.Linear(32, 9000, bias=bias)
    with torch.no_grad():
        head.weight.mul_(50)
    network.bfloat16()
    prompt, answers, end = [5, 6, 7], range(8900, 9000), 3

    def shares(tokens: list[int]) -> torch.Tensor:
        """The log-probabilities of what follows, by the weights of the head in float32."""
        with torch.inference_mode():
            states = network.model(torch.tensor([tokens])).last_hidden_state[0, -1].float()
            logits = states @ head.weight.float().T
            return (logits + head.bias.float() if bias else logits).log_softmax(-1)

    first = shares(prompt)
    expected = [float(first[token] + shares([*prompt, token])[end]) for token in answers]
    options = Options.of([[token] for token in answers])
    batch = read(network, Start(), [prompt], len(options.tokens), 64, hold=True)
    found = loglikelihoods(batch, options, [end], 200)[0]
    # The states themselves are in bfloat16, and differ a little from pass to pass.
    assert found.numpy() == pytest.approx(expected, rel=0.002)
    assert len(set(found.tolist())) == len(answers), "no two tie"


def test_what_options_begin_with_alike_is_read_once() -> None:
    options = Options.of([[5, 6, 7], [5, 6], [8], [5, 9]])
    assert list(options.tokens) == [0, 5, 6, 7, 8, 9]
    assert list(options.parents) == [0, 0, 1, 2, 0, 1]
    assert list(options.leaves) == [3, 2, 4, 5]


def test_sampling_repeats_by_seed_and_prompt_whatever_the_order(
    model: LocalModel, prompts: list[str]
) -> None:
    def said(asked: list[str], seed: int) -> list[str]:
        done = dict(model.generate(asked, Decoding(6, temperature=1.0, seed=seed)))
        return [done[index].text for index in range(len(asked))]

    first = said(prompts, 1)
    assert said(prompts[::-1], 1) == first[::-1]
    assert said(prompts, 2) != first


NO_MEMORY = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"


class Small(torch.nn.Module):
    """A network on a machine whose memory holds so many rows."""

    def __init__(self, network: Any, rows: int, says: str = NO_MEMORY) -> None:
        super().__init__()
        self.network, self.rows, self.says = network, rows, says
        self.config, self.generation_config = network.config, network.generation_config
        self.dtype = network.dtype
        self.get_input_embeddings = network.get_input_embeddings
        self.get_output_embeddings = network.get_output_embeddings

    def forward(self, input_ids: torch.Tensor, **given: Any) -> Any:
        if len(input_ids) > self.rows:
            raise RuntimeError(self.says)
        return self.network(input_ids=input_ids, **given)


@pytest.mark.parametrize("options", [(), OPTIONS])
def test_a_batch_that_does_not_fit_in_memory_is_halved(
    model: LocalModel,
    prompts: list[str],
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoding = Decoding(6, options=options)
    expected = dict(model.generate(prompts, decoding))
    monkeypatch.setattr(model, "network", Small(model.network, rows=1))
    assert dict(model.generate(prompts, decoding)) == expected
    model.network.rows = 0
    done = [answer for _, answer in model.generate(prompts, decoding)]
    assert [isinstance(a, Failure) and a.error[:13] for a in done] == ["out of memory"] * 4


def test_another_error_of_the_network_is_no_lack_of_memory(
    model: LocalModel, prompts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "network", Small(model.network, rows=0, says="sizes differ"))
    with pytest.raises(RuntimeError, match="sizes differ"):
        list(model.generate(prompts, Decoding(4)))


def test_batches_are_held_against_single_prompts(model: LocalModel, prompts: list[str]) -> None:
    assert model.batch_check(prompts, Decoding(6)) == 0.0


def test_an_adapter_that_was_never_attached_is_no_base_model(model: LocalModel) -> None:
    with pytest.raises(KeyError):
        AdaptedModel(model, "unknown").timed([{"role": "user", "content": "Hello"}], Decoding(4))


@pytest.mark.parametrize("reference", ["nowhere", "hf-without-colon/name", "file.gguf"])
def test_a_reference_that_leads_nowhere_says_what_would_work(
    reference: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError, match="write embedded, hf:ORG/NAME"):
        resolve(reference, tmp_path)


def test_a_folder_is_a_reference(cache: Path, model: LocalModel) -> None:
    folder = resolve("embedded", cache).folder
    found = resolve(str(folder), cache)
    assert found.folder == folder
    assert LocalModel(found, "float32").count("hello there") == model.count("hello there")


def made_up(folder: Path, model: LocalModel, config: Any) -> LocalModel:
    """A small network of random weights with the embedded model's tokenizer."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return LocalModel(resolve(str(folder), folder), "float32")


def test_a_sliding_window_is_kept(model: LocalModel, prompts: list[str], tmp_path: Path) -> None:
    config = MistralConfig(
        vocab_size=model.network.config.vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    small = made_up(tmp_path, model, config)
    done = dict(small.generate(prompts, Decoding(12)))
    assert [done[i] for i in range(4)] == [plain(small, prompt, 12) for prompt in prompts]
    chosen = dict(small.generate(prompts, Decoding(4, options=OPTIONS)))
    for index, prompt in enumerate(prompts):
        answer = chosen[index]
        assert isinstance(answer, Generation)
        assert answer.text == max(OPTIONS, key=lambda option: naive(small, prompt, option))


def test_a_network_without_keys_and_values_is_refused(model: LocalModel, tmp_path: Path) -> None:
    config = MambaConfig(vocab_size=model.network.config.vocab_size, hidden_size=16, state_size=4)
    with pytest.raises(BakeoffError, match="mamba models cannot be decoded here"):
        made_up(tmp_path, model, config)


def test_answers_of_quantised_weights_are_kept_apart(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = AdaptedModel(model).fingerprint()
    monkeypatch.setattr(model, "quantize", "4bit")
    assert AdaptedModel(model).fingerprint() == {**whole, "quantize": "4bit"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_quantised_weights_need_a_gpu(cache: Path) -> None:
    with pytest.raises(BakeoffError, match="4bit: needs a GPU"):
        LocalModel(resolve("embedded", cache), "float32", quantize="4bit")
    with pytest.raises(BakeoffError, match="write 4bit or 8bit"):
        LocalModel(resolve("embedded", cache), "float32", quantize="2bit")
