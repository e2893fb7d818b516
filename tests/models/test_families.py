"""Local models of other families: asked, tuned and asked again as their own templates have it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Gemma3Config

from bakeoff.core.words import BakeoffError, Decoding, Failure, Generation, Message, digest
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.models.templates import ChatTemplate
from bakeoff.models.weights import resolve
from bakeoff.setups.tuning.adapter import Adapter, attach, whole_model
from bakeoff.setups.tuning.batches import Example, Lessons, Packs, encode, start_of_all
from bakeoff.setups.tuning.job import Job
from bakeoff.setups.tuning.layers import Cut, PackedRows
from bakeoff.setups.tuning.train import tuned
from conftest import Cli, write_project
from families import FAMILIES, SMALL
from small_training import Silent, alone, recipe

BRIEF, ASKED = "Be brief.", "Which gate?"
CHAT: list[Message] = [
    {"role": "system", "content": BRIEF},
    {"role": "user", "content": ASKED},
]
LONGER: list[Message] = [
    *CHAT,
    {"role": "assistant", "content": "East."},
    {"role": "user", "content": "When?"},
]
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]
QUESTIONS = ["What is it?", "Name a colour.", "Which gate opens first in the morning?", "Hello"]
OPTIONS = ("Paris", "Paris is", "blue", "Blue")

PROMPTS = {
    "qwen2": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich gate?<|im_end|>\n"
    "<|im_start|>assistant\n",
    "gemma2": "<bos><start_of_turn>user\nBe brief.\n\nWhich gate?<end_of_turn>\n"
    "<start_of_turn>model\n",
    "gemma3": "<bos><start_of_turn>user\nBe brief.\n\nWhich gate?<end_of_turn>\n"
    "<start_of_turn>model\n",
    "llama3": "<|begin|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nWhich gate?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "<s>[INST] Be brief.\n\nWhich gate? [/INST]",
    "base": "<bos>System:\nBe brief.\n\nUser:\nWhich gate?\n\nAssistant:\n",
    "phi": "Be brief.\nInstruct: Which gate?\nOutput:",
    "phi3": "<s><|user|>\nBe brief.\n\nWhich gate?<|end|>\n<|assistant|>\n",
}
TURNS = {
    "qwen2": "East.<|im_end|>\n<|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\n",
    "gemma2": "East.<end_of_turn>\n<start_of_turn>user\nWhen?<end_of_turn>\n<start_of_turn>model\n",
    "gemma3": "East.<end_of_turn>\n<start_of_turn>user\nWhen?<end_of_turn>\n<start_of_turn>model\n",
    "llama3": "East.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhen?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "East.</s> [INST] When? [/INST]",
    "base": "East.<eos>\n\nUser:\nWhen?\n\nAssistant:\n",
    "phi": " East.<|endoftext|>\nInstruct: When?\nOutput:",
    "phi3": "East.<|end|>\n<|user|>\nWhen?<|end|>\n<|assistant|>\n",
}
"""What follows the prompt of `CHAT` in that of `LONGER`."""
MERGED = {"gemma2", "mistral", "phi3"}
"""Those that refuse the system role, or leave out what it says."""
LAST = {
    **{"qwen2": "<|im_end|>", "gemma2": "<end_of_turn>", "gemma3": "<end_of_turn>"},
    **{"llama3": "<|eot_id|>", "mistral": "</s>", "phi": "<|endoftext|>", "phi3": "<|end|>"},
    "base": "<eos>",
}
"""What each is taught to end an answer with."""

every_family = pytest.mark.parametrize("family", FAMILIES)


def made(folder: Path, family: str, dtype: str = "float32", **settings: Any) -> LocalModel:
    path = FAMILIES[family].write(folder / family, **settings)
    return LocalModel(resolve(str(path), folder), dtype)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalModel]:
    """One of each family. No test leaves an adapter on it."""
    folder = tmp_path_factory.mktemp("families")
    return {family: made(folder, family) for family in FAMILIES}


def prompts_of(model: LocalModel) -> list[str]:
    return [model.render([CHAT[0], {"role": "user", "content": q}]) for q in QUESTIONS]


def written(model: LocalModel, prompt: str, most: int) -> list[int]:
    """The tokens that transformers' own `generate` puts behind the prompt alone."""
    ids = torch.tensor([model.encode(prompt)])
    given = {"attention_mask": torch.ones_like(ids), "eos_token_id": model.ends, "pad_token_id": 0}
    with torch.inference_mode():
        row = model.network.generate(input_ids=ids, max_new_tokens=most, do_sample=False, **given)
    tokens: list[int] = row[0, ids.shape[1] :].tolist()
    return tokens


def plain(model: LocalModel, prompt: str, most: int) -> Generation:
    """What transformers' own `generate` answers."""
    new = written(model, prompt, most)
    ended = new[-1] in model.ends
    text = model.tokenizer.decode(new[:-1] if ended else new, skip_special_tokens=True).strip()
    reason = "stop" if ended else "length"
    return Generation(text, model.count(prompt), len(new), finish_reason=reason)


@every_family
def test_a_chat_is_written_as_the_family_writes_it(
    models: dict[str, LocalModel], family: str
) -> None:
    model = models[family]
    assert model.render(CHAT) == PROMPTS[family]
    assert model.render(LONGER) == PROMPTS[family] + TURNS[family]
    # What is put elsewhere is said, and is part of what answers are kept under.
    where = AdaptedModel(model).fingerprint().get("system")
    assert where == ("in the first user turn" if family in MERGED else None)
    how = AdaptedModel(model).fingerprint().get("template")
    assert how == ("plain text, as it has none" if family == "base" else None)


@every_family
def test_a_begin_token_comes_once(models: dict[str, LocalModel], family: str) -> None:
    model = models[family]
    ids, begin = model.encode(model.render(CHAT)), model.tokenizer.bos_token_id
    if begin is None:
        assert family in ("qwen2", "phi")
        return
    assert (ids[0], ids.count(begin)) == (begin, 1)
    # Had it been asked to add one, there would be two.
    unasked = model.tokenizer(model.render(CHAT)).input_ids.count(begin)
    assert unasked == 1 + FAMILIES[family].begins


@every_family
def test_float32_answers_in_a_batch_are_those_of_plain_generate(
    models: dict[str, LocalModel], family: str
) -> None:
    model = models[family]
    prompts = prompts_of(model)
    expected = [plain(model, prompt, 12) for prompt in prompts]
    done = dict(model.generate(prompts, Decoding(12)))
    assert [done[index] for index in range(len(prompts))] == expected
    assert len({answer.text for answer in expected}) > 1


@every_family
def test_each_of_several_end_tokens_ends_an_answer(
    models: dict[str, LocalModel], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models[family]
    assert model.end_of_answer == model.tokenizer.convert_tokens_to_ids(LAST[family])
    assert set(model.ends) == {
        *model.tokenizer.convert_tokens_to_ids(FAMILIES[family].ends),
        model.end_of_answer,
    }
    prompts = prompts_of(model)
    # Two tokens that the network is known to write.
    monkeypatch.setattr(model.network.generation_config, "eos_token_id", None)
    third, sixth = (written(model, prompts[row], 8)[place] for row, place in ((0, 2), (1, 5)))
    monkeypatch.setattr(model.network.generation_config, "eos_token_id", [third, sixth])
    done = dict(model.generate(prompts, Decoding(8)))
    assert [done[index] for index in range(4)] == [plain(model, prompt, 8) for prompt in prompts]
    assert [done[index].finish_reason for index in (0, 1)] == ["stop", "stop"]


def likelihood(model: LocalModel, prompt: str, option: str) -> float:
    """The log-probability of an option and the end of the answer, by one pass over all of it."""
    before, after = model.encode(prompt), model.encode(option)
    with torch.inference_mode():
        logits = model.network(input_ids=torch.tensor([before + after])).logits[0]
    steps = logits.log_softmax(-1)[len(before) - 1 :]
    said = steps[:-1].gather(1, torch.tensor(after)[:, None]).sum()
    return float(said + steps[-1, model.ends].logsumexp(-1))


@every_family
def test_the_likeliest_option_is_that_of_full_passes(
    models: dict[str, LocalModel], family: str
) -> None:
    """Whichever token ends the answer, and however far back its layers see."""
    model = models[family]
    prompts = prompts_of(model)
    done = dict(model.generate(prompts, Decoding(8, options=OPTIONS)))
    for index, prompt in enumerate(prompts):
        logs = torch.tensor([likelihood(model, prompt, option) for option in OPTIONS])
        answer, share = done[index], logs.softmax(0)
        assert isinstance(answer, Generation)
        assert answer.text == OPTIONS[int(share.argmax())]
        assert answer.confidence == pytest.approx(float(share.max()), abs=1e-4)


@every_family
def test_rows_read_side_by_side_in_the_upper_layers_have_the_loss_of_rows_alone(
    models: dict[str, LocalModel], family: str
) -> None:
    """The layers below are not read again, whatever kinds of attention those above have."""
    model = models[family]
    rows = [encode(model, example) for example in examples(model)]
    shared = start_of_all(rows)
    assert shared > (getattr(model.config, "sliding_window", None) or 0)
    cut = Cut(model.network, 2, rows)
    assert cut.first == 2
    packed = PackedRows(cut, rows, Packs([len(row.tokens) for row in rows], 16, 1000, shared, 1))
    packed.keep("", Silent())
    expected = alone(model.network, rows).item()
    assert packed.loss(packed.inputs(range(4))).item() == pytest.approx(expected, rel=1e-4)


def examples(model: LocalModel) -> list[Example]:
    return [Example(prompt, "ok") for prompt in prompts_of(model)]


def learnt(model: LocalModel, folder: Path, **changes: Any) -> Adapter:
    """What comes of a few steps on rows that all have one answer."""
    rows = examples(model)
    given = {"epochs": 12, "patience": 12, "rank": 8, "alpha": 16, "dropout": 0.0}
    job = Job(
        *(model, Lessons(rows[:3], rows[3:])),
        recipe(**{**given, "learning_rate": 2e-2, **changes}),
        *(7, "x"),
    )
    return tuned(job, folder / "cache", Silent())


def said(model: AdaptedModel) -> list[Generation | Failure]:
    chats = [[CHAT[0], {"role": "user", "content": question}] for question in QUESTIONS]
    done = dict(model.generate(chats, Decoding(8)))
    return [done[index] for index in range(len(chats))]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@every_family
def test_an_adapter_is_learnt_and_answers(family: str, dtype: str, tmp_path: Path) -> None:
    model = made(tmp_path, family, dtype)
    before = said(AdaptedModel(model))
    adapter = learnt(model, tmp_path)
    assert adapter.training
    first, *_, last = (point.train_loss for point in adapter.training.curve)
    assert last < first / 4
    attach(model, adapter)
    after = said(AdaptedModel(model, adapter.digest))
    # It learnt to end its answers, too, and by a token that ends them.
    answers = [(done.text, done.finish_reason) for done in after if isinstance(done, Generation)]
    assert answers.count(("ok", "stop")) >= 3
    if dtype == "float32":
        with model.using(adapter.digest):
            assert after == [plain(model, prompt, 8) for prompt in prompts_of(model)]
    assert said(AdaptedModel(model)) == before


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_weights_of_the_output_may_be_those_of_the_input(
    tied: bool, method: str, tmp_path: Path
) -> None:
    model = made(tmp_path, "llama3", tie_word_embeddings=tied)
    rate = {"learning_rate": 5e-3} if method == "full" else {}
    adapter = learnt(model, tmp_path, method=method, layers=1.0, **rate)
    assert adapter.whole == (method == "full")
    if adapter.whole:
        answering = AdaptedModel(whole_model(model, adapter))
    else:
        attach(model, adapter)
        answering = AdaptedModel(model, adapter.digest)
    network = answering.model.network
    one, other = network.get_input_embeddings().weight, network.get_output_embeddings().weight
    assert (one is other) == tied
    assert [done.text for done in said(answering)].count("ok") >= 3


@every_family
def test_a_row_ends_as_an_answer_and_a_text_as_a_text(
    models: dict[str, LocalModel], family: str
) -> None:
    model, stated = models[family], FAMILIES[family].stated
    row, text = encode(model, examples(model)[0]), encode(model, Example("", "The gate."))
    ends = model.tokenizer.convert_ids_to_tokens([row.tokens[-1], text.tokens[-1]])
    assert ends == [LAST[family], stated["eos_token"]]
    begin = stated["bos_token"] if FAMILIES[family].begins else stated["eos_token"]
    assert model.tokenizer.convert_ids_to_tokens(text.tokens[:1]) == [begin]
    assert model.tokenizer.decode(text.tokens[1:-1]).strip() == "The gate."


def test_of_several_templates_the_default_is_taken(tmp_path: Path) -> None:
    folder = FAMILIES["qwen2"].write(tmp_path / "several")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    usual = ChatTemplate("m", tokenizer)
    wanted, before = usual.render(CHAT), digest(usual.text)
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tool_use": "no {{ messages }}"}
    several = ChatTemplate("m", tokenizer)
    assert several.render(CHAT) == wanted
    assert digest(several.text) != before and not several.is_plain


def test_a_tokenizer_may_name_no_token_for_padding_or_for_ends(tmp_path: Path) -> None:
    names = {"bos_token": "<|begin|>"}
    folder = replace(FAMILIES["llama3"], stated=names).write(tmp_path / "a")
    assert AutoTokenizer.from_pretrained(folder).pad_token is None
    model = LocalModel(resolve(str(folder), tmp_path), "float32")
    prompts = prompts_of(model)
    done = dict(model.generate(prompts, Decoding(8)))
    assert [done[index] for index in range(4)] == [plain(model, prompt, 8) for prompt in prompts]
    # The template shows what ends a turn.
    assert encode(model, examples(model)[0]).tokens[-1] == model.end_of_answer
    assert model.tokenizer.convert_ids_to_tokens(model.end_of_answer) == "<|eot_id|>"
    folder = replace(FAMILIES["phi"], stated={}).write(tmp_path / "b")
    with pytest.raises(BakeoffError, match="neither its tokenizer nor its chat template has a"):
        LocalModel(resolve(str(folder), tmp_path), "float32")


def test_what_is_put_elsewhere_is_all_that_the_system_says(models: dict[str, LocalModel]) -> None:
    template, user = models["mistral"].template, CHAT[1]
    assert template.fitted([user]) == [user]
    assert template.fitted([{"role": "system", "content": ""}, user]) == [user]
    assert template.fitted(CHAT[:1]) == [{"role": "user", "content": BRIEF}]
    assert models["llama3"].template.fitted(CHAT) is CHAT


def test_a_chat_that_a_template_refuses_is_told(models: dict[str, LocalModel]) -> None:
    with pytest.raises(BakeoffError, match=r"refuses turns of user, user: Conversation roles must"):
        models["mistral"].render([CHAT[1], CHAT[1]])


def test_an_adapter_with_a_system_role_of_its_own_is_asked_by_it(tmp_path: Path) -> None:
    model = made(tmp_path, "phi3")
    adapter = learnt(model, tmp_path, epochs=1)
    own = "{% for message in messages %}{{ message['content'] }}<|end|>{% endfor %}"
    (adapter.folder / "chat_template.jinja").write_text(own)
    attach(model, adapter)
    asked, base = AdaptedModel(model, adapter.digest), AdaptedModel(model)
    assert asked.render(CHAT) == "Be brief.<|end|>Which gate?<|end|>"
    assert base.render(CHAT) == PROMPTS["phi3"]
    assert "system" not in asked.fingerprint()


def test_beyond_what_longrope_reads_alike_a_prompt_is_no_part_of_a_batch(tmp_path: Path) -> None:
    """Past that length the network turns all positions otherwise, those of the batch as well."""
    limit = 90
    factors = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "rope_theta": 10000.0}
    rope = {"rope_type": "longrope", "original_max_position_embeddings": limit, **factors}
    model = made(tmp_path, "phi3", rope_parameters=rope, original_max_position_embeddings=limit)
    prompts = [*prompts_of(model), model.render([{"role": "user", "content": "Why? " * 20}])]
    assert limit - 12 < model.count(prompts[-1])
    done = dict(model.generate(prompts, Decoding(12)))
    fit = [index for index, prompt in enumerate(prompts) if model.count(prompt) + 12 <= limit]
    assert len(fit) >= 3
    assert [done[i] for i in fit] == [plain(model, prompts[i], 12) for i in fit]
    refused = done[len(prompts) - 1]
    assert isinstance(refused, Failure)
    assert f"the model holds {limit}" in refused.error


def test_a_network_that_also_reads_pictures_answers_and_is_tuned(tmp_path: Path) -> None:
    """As Gemma 3 from 4B on: the settings that count are those of its part for texts."""
    family = FAMILIES["gemma3"]
    sight = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    sight |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = Gemma3Config(
        text_config={**SMALL, **family.settings}, vision_config=sight, mm_tokens_per_image=4
    )
    folder = family.write(tmp_path / "model", config)
    model = LocalModel(resolve(str(folder), tmp_path), "float32")
    prompts = prompts_of(model)
    done = dict(model.generate(prompts, Decoding(8)))
    assert [done[index] for index in range(4)] == [plain(model, prompt, 8) for prompt in prompts]
    adapter = learnt(model, tmp_path)
    attach(model, adapter)
    answers = said(AdaptedModel(model, adapter.digest))
    assert [done.text for done in answers].count("ok") >= 3


BENCHMARK = """
model: {folder}
dtype: float32
tune: {{epochs: 1, batch_size: 2, rank: 4, open_book: 0}}
tasks: [tiny]
setups: {{base: {{}}, fine-tuned: {{tune: true}}}}
latency: {{samples: 0}}
"""
SYSTEM = "Answer in a few words. If you cannot know, reply - unknown."


def test_a_run_states_where_the_system_message_was_and_rows_are_learnt_so(
    tmp_path: Path, cli: Cli, models_only: Path
) -> None:
    folder = FAMILIES["gemma2"].write(tmp_path / "gemma")
    write_project(tmp_path)
    (tmp_path / "benchmarks" / "tiny.yaml").write_text(BENCHMARK.format(folder=folder))
    own = {"cwd": tmp_path, "BAKEOFF_CACHE": str(models_only)}
    ran = cli("run", "tiny", "--no-mlflow", **own)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    (run,) = (tmp_path / "results" / "tiny").glob("*-*")
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["models"][str(folder)]["system"] == "in the first user turn"
    assert "system in the first user turn" in (run / "report.md").read_text()
    # What is shown and what is exported are the rows that were learnt.
    shown = cli("tasks", "tiny", "--benchmark", "tiny", **own).stdout
    begin = f"<bos><start_of_turn>user\n{SYSTEM}\n\nWhat load may the barrow take?"
    assert begin in shown.replace("  | ", "")
    exported = cli("export", "tiny", "--training", "fine-tuned", "--output", "out", **own)
    assert exported.returncode == 0, exported.stderr
    rows = [json.loads(line) for file in (tmp_path / "out").iterdir() for line in file.open()]
    assert {tuple(turn["role"] for turn in row["messages"]) for row in rows} == {
        ("user", "assistant")
    }
    assert {row["messages"][0]["content"].count(SYSTEM) for row in rows} == {1}


def test_a_model_without_a_chat_template_is_asked_in_plain_text_and_a_run_says_so(
    tmp_path: Path, cli: Cli, models_only: Path
) -> None:
    folder = FAMILIES["base"].write(tmp_path / "weights")
    write_project(tmp_path)
    bench = tmp_path / "benchmarks" / "tiny.yaml"
    bench.write_text(BENCHMARK.format(folder=folder))
    own = {"cwd": tmp_path, "BAKEOFF_CACHE": str(models_only)}
    ran = cli("run", "tiny", "--no-mlflow", **own)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "it has no chat template, and is asked in plain text" in ran.stderr + ran.stdout
    (run,) = (tmp_path / "results" / "tiny").glob("*-*")
    assert "template plain text, as it has none" in (run / "report.md").read_text()
    # Rows are learnt as answers are asked for.
    shown = cli("tasks", "tiny", "--benchmark", "tiny", **own).stdout.replace("  | ", "")
    assert f"<bos>System:\n{SYSTEM}\n\nUser:\nWhat load may the barrow take?" in shown
    # A server has no template of ours.
    bench.write_text(bench.read_text() + 'engine: {command: "cat {model} {port} {adapters}"}\n')
    refused = cli("run", "tiny", "--no-mlflow", **own)
    assert "it has no chat template, which an engine needs: leave out `engine`" in refused.stderr


def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(tmp_path: Path) -> None:
    folder = FAMILIES["qwen2"].write(tmp_path / "qwen2")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    name = "model.layers.1.self_attn.q_proj.weight"

    def load(changed: dict[str, torch.Tensor]) -> None:
        save_file(changed, file, metadata={"format": "pt"})
        LocalModel(resolve(str(folder), tmp_path), "float32")

    load(tensors)
    rest = {key: tensor for key, tensor in tensors.items() if key != name}
    with pytest.raises(BakeoffError, match=rf"cannot be loaded: its files lack 1 tensor.* {name}"):
        load(rest)
    # As a network within peft is saved by mistake.
    with pytest.raises(BakeoffError, match=r"lack \d+ tensors.* they have base_model\.model"):
        load({f"base_model.model.{key}": tensor for key, tensor in tensors.items()})
    with pytest.raises(BakeoffError, match=r"have other sizes than config\.json"):
        load({**rest, name: tensors[name][:-1].clone()})


@every_family
def test_weights_without_a_tokenizer_are_refused(family: str, tmp_path: Path) -> None:
    """As trainers leave them that were not given it; the library makes up an empty one for some."""
    folder = FAMILIES[family].write(tmp_path / family)
    for file in folder.iterdir():
        if "token" in file.name or file.suffix == ".jinja":
            file.unlink()
    with pytest.raises(BakeoffError, match=r"(has no|instantiate the backend) tokenizer"):
        LocalModel(resolve(str(folder), tmp_path), "float32")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("weights", "'weights' has no chat template"),
        ("weihgts", "model 'weihgts': not found; write embedded, hf:ORG/NAME, a folder with"),
        ("bare", "model 'bare': its folder has no tokenizer: copy the tokenizer's files there"),
    ],
)
def test_a_tokenizer_that_cannot_count_the_tokens_of_chats_is_refused_by_its_field(
    tmp_path: Path, cli: Cli, models_only: Path, named: str, message: str
) -> None:
    folder = FAMILIES["base"].write(tmp_path / "weights")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_bytes((folder / "config.json").read_bytes())
    write_project(tmp_path)
    told = {
        "endpoints": {"house": {"url": "http://127.0.0.1:9/v1", "tokenizer": named}},
        "tasks": ["tiny"],
        "setups": {"base": {"model": "house:m"}},
    }
    (tmp_path / "benchmarks" / "tiny.yaml").write_text(json.dumps(told))
    own = {"cwd": tmp_path, "BAKEOFF_CACHE": str(models_only)}
    refused = cli("run", "tiny", "--no-mlflow", **own)
    assert f"endpoints.house.tokenizer: {message}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.returncode == 2
