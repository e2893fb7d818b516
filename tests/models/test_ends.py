"""Where an answer ends: at the tokens of its template, or where a base model writes the chat on."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from bakeoff.core.words import Decoding, Generation, Message
from bakeoff.models import local
from bakeoff.models.adapted import AdaptedModel
from bakeoff.models.local import LocalModel
from bakeoff.models.weights import resolve
from bakeoff.setups.tuning.adapter import attach, ready_adapter
from families import FAMILIES

pytestmark = pytest.mark.usefixtures("one_thread")
CHATS: list[list[Message]] = [
    [{"role": "user", "content": text}] for text in ("Who?", "How many men?", "When?")
]
SAID = "Four men.\n\nUser:\nAnd who"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalModel]:
    folder = tmp_path_factory.mktemp("models")
    paths = {family: FAMILIES[family].write(folder / family) for family in ("base", "llama3")}
    return {
        family: LocalModel(resolve(str(path), folder), "float32") for family, path in paths.items()
    }


def answers(
    model: AdaptedModel, text: str, limit: int, patch: pytest.MonkeyPatch, chats: int = 1
) -> list[Generation]:
    """What becomes of the text where the network's choices would spell it."""
    spelt = iter(model.model.encode(text))
    patch.setattr(local, "greedy", lambda _, rows: [next(spelt)] * len(rows))
    made = [done for _, done in model.generate(CHATS[:chats], Decoding(limit))]
    assert all(isinstance(done, Generation) for done in made) and len(made) == chats
    return [done for done in made if isinstance(done, Generation)]


@pytest.mark.parametrize("chats", [1, 3])
@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (SAID, "Four men."),
        ("User:\nAnd who", ""),
        ("One.\nSystem: two", "One."),
        ("\n\n Four.\nAssistant: five", "Four."),
    ],
)
def test_a_base_model_has_answered_where_it_begins_the_next_turn(
    models: dict[str, LocalModel],
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    answer: str,
    chats: int,
) -> None:
    model = AdaptedModel(models["base"])
    heading = said[: said.rfind(":") + 1]
    for done in answers(model, said, 40, monkeypatch, chats):
        assert (done.text, done.finish_reason) == (answer, "stop")
        # What is left out of the text was written all the same.
        assert done.completion_tokens == len(model.model.encode(heading))


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("base", "Ask a User: four\nUsers: two\nuser: three"),
        ("llama3", SAID),
    ],
)
def test_other_texts_go_on_to_the_limit(
    models: dict[str, LocalModel], monkeypatch: pytest.MonkeyPatch, family: str, said: str
) -> None:
    model = AdaptedModel(models[family])
    limit = len(model.model.encode(said))
    (done,) = answers(model, said, limit, monkeypatch)
    assert (done.text, done.finish_reason) == (said, "length")
    assert done.completion_tokens == limit


def test_an_adapter_that_brings_a_template_ends_its_answers_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FAMILIES["base"].write(tmp_path / "base")
    recipe = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    network = AutoModelForCausalLM.from_pretrained(folder)
    peft.get_peft_model(network, recipe).save_pretrained(tmp_path / "chats")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = FAMILIES["gemma3"].template
    tokenizer.save_pretrained(tmp_path / "chats")
    model = LocalModel(resolve(str(folder), tmp_path), "float32")
    ready = ready_adapter(str(tmp_path / "chats"))
    attach(model, ready)
    base, tuned = AdaptedModel(model), AdaptedModel(model, ready.digest)

    said = "Four men.\nUser: five<end_of_turn>six"
    (done,) = answers(tuned, said, 40, monkeypatch)
    assert (done.text, done.finish_reason) == ("Four men.\nUser: five", "stop")
    assert tuned.fingerprint()["ends"] == "<eos> <end_of_turn>"
    (done,) = answers(base, "Four men.<end_of_turn>\nUser: five", 40, monkeypatch)
    assert (done.text, done.finish_reason) == ("Four men.", "stop")
    assert "ends" not in base.fingerprint()
    assert base.fingerprint()["until"] == "the next turn" and "until" not in tuned.fingerprint()
