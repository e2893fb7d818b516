"""The likeliest option on an engine: hand-computed log-probabilities, ends, adapters, crashes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bakeoff.core.words import Decoding, Failure
from bakeoff.models.engine import EngineModel
from bakeoff.models.engine_options import ends_of, read_following
from bakeoff.models.protocol import Unreadable
from bakeoff.models.templates import ChatTemplate
from bakeoff.spec.engines import ENGINES, EngineKind
from conftest import Cli
from test_engine import CHATS, Written, benchmark, log, running

OPTIONS = Decoding(8, options=("yes", "no way", "maybe"))


def ending(folder: Path, *ends: int) -> None:
    """Say in the weights' folder what ends an answer beside the tokenizer's own end, 7."""
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))


@pytest.mark.parametrize(
    ("ends", "confidence"),
    [
        # The chat "question 0" is of tokens 8 and 1. Behind it `yes`, token 3, has -0.3, and its
        # end -2.1; `no way` is 2 and 3: -0.2 - 0.6 - 2.1; `maybe` is 5: -0.5 - 3.5.
        # e^-2.4 / (e^-2.4 + e^-2.9 + e^-4) is 0.090718 / (0.090718 + 0.055023 + 0.018316).
        ((7,), 0.552967),
        # By 8 they end with -2.4, and `maybe` with -4. e^-2.1 + e^-2.4 is 0.213174, e^-3.5 + e^-4
        # 0.048513: 0.740818 * 0.213174 beside 0.449329 * 0.213174 and 0.606531 * 0.048513.
        ((7, 8), 0.55777),
    ],
)
def test_the_likeliest_option_is_taken_with_its_end(
    tmp_path: Path, ends: tuple[int, ...], confidence: float
) -> None:
    ending(tmp_path, *ends)
    with running(tmp_path) as engine:
        model = EngineModel(engine)
        answers = dict(model.generate(CHATS, OPTIONS, skip={2}))
        timed = model.timed(CHATS[0], OPTIONS)
    assert sorted(answers) == [0, 1, 3, 4, 5]
    for made in (answers[0], timed):
        assert (made.text, made.confidence, made.finish_reason) == ("yes", confidence, "stop")
        assert (made.prompt_tokens, made.completion_tokens) == (2, 1)
    assert timed.prefill_s > 0
    # These tokens and no others were read: of a chat every beginning of an option, in one request.
    assert (engine.tally.checked, engine.tally.differing) == (6, 0)
    assert len(log(tmp_path, "asked base")) == 6


def test_an_adapter_chooses_by_its_own_probabilities_after_a_crash_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending(tmp_path, 7)
    (tmp_path / "one").mkdir()
    monkeypatch.setitem(ENGINES, "quick", EngineKind(loads="/v1/load_lora_adapter"))
    with running(tmp_path, "--crash-after", "3", kind="quick", adapters=1) as engine:
        engine.serve("a1", tmp_path / "one")
        answers = dict(EngineModel(engine, "a1").generate(CHATS, OPTIONS))
        assert engine.restarts == 1
    # -2/3 - 2/21 for `yes`, -1 - 1/3 - 2/21 for `no way`, -2/5 - 2/35 for `maybe`.
    said = {(answers[n].text, answers[n].confidence) for n in range(6)}
    assert said == {("maybe", 0.472625)}
    assert len(log(tmp_path, "asked a1")) == 3 + 4


def test_an_engine_that_does_not_state_what_it_is_asked_for_is_told_so(tmp_path: Path) -> None:
    ending(tmp_path, 7)
    with running(tmp_path, "--silent") as engine:
        answers = dict(EngineModel(engine).generate(CHATS, OPTIONS))
    for failed in answers.values():
        assert isinstance(failed, Failure)
        assert "does not state the log-probabilities of the tokens" in failed.error
    # What another attempt would not mend is asked once.
    assert len(log(tmp_path, "asked")) == len(answers) == 6


def test_a_reply_of_fewer_prompts_is_read_as_broken() -> None:
    reply = {"choices": [{"index": 0, "logprobs": {"top_logprobs": [{"token_id:3": -0.5}]}}]}
    assert read_following(reply, 1, ["token_id:3"]).vectors == ([-0.5],)
    with pytest.raises(Unreadable, match="not those of 2 prompts") as fault:
        read_following(reply, 2, ["token_id:3"])
    assert fault.value.again
    for broken in ({"choices": []}, {"choices": None}, {}):
        with pytest.raises(Unreadable, match="has no choices"):
            read_following(broken, 1, ["token_id:3"])


def test_weights_without_a_generation_config_end_as_their_config_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "eos_token_id": 9}')
    assert ends_of(tmp_path, ChatTemplate("w", Written())) == [7, 9]


@pytest.mark.parametrize(("engine", "refused"), [("vllm", False), ("llama.cpp", True), ("", False)])
def test_likelihoods_are_asked_of_engines_that_state_them(
    cli: Cli, tmp_path: Path, engine: str, refused: bool
) -> None:
    path = benchmark(tmp_path, engine or "vllm", "base: {}")
    if not engine:
        path.write_text(path.read_text().replace("engine: vllm\n", ""))
    task = next(tmp_path.rglob("tiny.yaml"))
    labels = ["19 kilos", "6.40", "140 kilos", "21.15", "unknown"]
    task.write_text(f"{task.read_text()}labels: {json.dumps(labels)}\nanswer: likelihood\n")
    done = cli("plan", path, cwd=tmp_path, BAKEOFF_VLLM_PYTHON=sys.executable)
    assert ("which this engine does not give; use a local model" in done.stderr) == refused
    assert refused or done.returncode == 0, done.stderr
