"""Local verifier models, held against the same models asked by hand, one pair at a time.

The models are tiny and of random weights: what is tested is that every claim meets every part of
every passage, and that the best part counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from bakeoff.core.words import NOT_FOUND, SUPPORTED, BakeoffError
from bakeoff.metrics.needs import Entailment
from bakeoff.metrics.verifiers import Verifier, open_verifier
from bakeoff.spec.benchmark import VerifierSpec

WORDS = [
    *("the", "larch", "barrow", "weighs", "19", "kilos", "east", "gate", "opens", "at", "six"),
    *("north", "is", "blue", "it", "predict", "0", "1", "yes", "no", ".", ":"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>"]
SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL = {**SIZE, "intermediate_size": 16, "max_position_embeddings": 256}


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def saved(folder: Path, model: Any) -> Path:
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.8)
    model.eval().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def classifier(folder: Path, *labels: str) -> Path:
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS), id2label=dict(enumerate(labels)), **SMALL
    )
    return saved(folder, BertForSequenceClassification(config))


def opened(folder: Path, **settings: Any) -> Verifier:
    return open_verifier(VerifierSpec(model=str(folder), **settings), folder / "cache")


def entailment(answer: str, *passages: str) -> Entailment:
    return Entailment("v", "how heavy ?", answer, passages)


PASSAGES = ("the larch barrow weighs 19 kilos .", "the east gate opens at six .")
ANSWER = "The barrow weighs 19 kilos. The north gate is blue."
CLAIMS = ("The barrow weighs 19 kilos.", "The north gate is blue.")


def by_hand(folder: Path, passage: str, claim: str) -> list[float]:
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    encoded = PreTrainedTokenizerFast.from_pretrained(folder)(passage, claim, return_tensors="pt")
    with torch.inference_mode():
        return torch.softmax(model(**encoded).logits[0], dim=0).tolist()


def test_a_claim_is_as_well_supported_as_by_its_best_passage(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "contradiction", "neutral", "entailment")
    (found,) = opened(folder).check([entailment(ANSWER, *PASSAGES)])
    for claim, text in zip(found.claims, CLAIMS, strict=True):
        wanted = [by_hand(folder, passage, text)[2] for passage in PASSAGES]
        assert claim.text == text
        assert claim.probability == pytest.approx(max(wanted), abs=1e-5)
        assert claim.passage == wanted.index(max(wanted))
        assert (claim.verdict == SUPPORTED) == (max(wanted) >= 0.5)


def test_batches_of_many_claims_change_nothing(tmp_path: Path) -> None:
    verifier = opened(classifier(tmp_path, "contradiction", "neutral", "entailment"))
    needs = [entailment(f"{ANSWER} It is {word}.", *PASSAGES) for word in WORDS]
    together = verifier.check(needs)
    for need, found in zip(needs, together, strict=True):
        (alone,) = verifier.check([need])
        assert [c.probability for c in found.claims] == pytest.approx(
            [c.probability for c in alone.claims], abs=1e-5
        )


def test_a_long_passage_is_split_and_its_best_part_counts(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "not_entailment", "entailment")
    verifier = opened(folder, max_tokens=40)
    long = " ".join(["the east gate opens at six ."] * 30)
    (found,) = verifier.check([entailment("The north gate is blue.", long)])
    room = verifier.loaded.room("{passages}", "The north gate is blue.", "")
    parts = verifier.loaded.parts(long, room)
    assert len(parts) > 5
    assert "".join(long.split()) in "".join("".join(parts).split()) or parts[-1].endswith("six .")
    wanted = [by_hand(folder, part, "The north gate is blue.")[1] for part in parts]
    assert found.claims[0].probability == pytest.approx(max(wanted), abs=1e-5)


def test_every_word_of_a_long_passage_is_in_some_part(tmp_path: Path) -> None:
    verifier = opened(classifier(tmp_path, "no", "yes"), max_tokens=40)
    words = [f"w{number}" for number in range(200)]
    parts = verifier.loaded.parts(" ".join(words), 20)
    place = 0
    for part in parts:
        own = part.split()
        start = next(s for s in range(place + 1) if words[s : s + len(own)] == own)
        assert start <= place
        place = start + len(own)
    assert place == len(words)


def test_a_contradiction_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "entailment", "contradiction")
    (found,) = opened(folder).check([entailment(ANSWER, PASSAGES[0])])
    for claim in found.claims:
        support, against = by_hand(folder, PASSAGES[0], claim.text)
        assert claim.verdict == ("supported" if support >= 0.5 else "contradicted")
        assert against == pytest.approx(1 - support, abs=1e-5)


def test_without_passages_nothing_is_supported(tmp_path: Path) -> None:
    (found,) = opened(classifier(tmp_path, "no", "yes")).check([entailment(ANSWER)])
    assert [(c.verdict, c.probability) for c in found.claims] == [(NOT_FOUND, 0.0)] * 2


def test_an_answer_without_claims_has_nothing_to_check(tmp_path: Path) -> None:
    (found,) = opened(classifier(tmp_path, "no", "yes")).check([entailment("Yes.", *PASSAGES)])
    assert found.claims == () and found.probability is None


def test_labels_that_say_nothing_must_be_explained(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "LABEL_0", "LABEL_1")
    with pytest.raises(BakeoffError, match="which of its labels means support"):
        opened(folder)
    (found,) = opened(folder, supported="LABEL_1").check([entailment(ANSWER, PASSAGES[0])])
    wanted = by_hand(folder, PASSAGES[0], CLAIMS[0])[1]
    assert found.claims[0].probability == pytest.approx(wanted, abs=1e-5)


def test_a_token_classifier_marks_the_words_without_support(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        id2label={0: "supported", 1: "hallucinated"},
        **SMALL,
    )
    folder = saved(tmp_path, BertForTokenClassification(config))
    (found,) = opened(folder).check([entailment(ANSWER, *PASSAGES)])
    model = BertForTokenClassification.from_pretrained(folder).eval()
    encoded = tokenizer()("\n".join(PASSAGES), ANSWER, return_tensors="pt")
    with torch.inference_mode():
        bad = torch.softmax(model(**encoded).logits[0], dim=1)[:, 1].tolist()
    own = [i for i, side in enumerate(encoded.sequence_ids(0)) if side == 1]
    first = own[: len(own) // 2]
    assert len(own) == 12
    assert found.claims[0].probability == pytest.approx(1 - max(bad[i] for i in first), abs=1e-5)
    marked = [word for claim in found.claims for text in claim.missing for word in text.split()]
    assert sum(len(w.strip(".")) > 0 for w in marked) >= sum(bad[i] > 0.5 for i in own) - 2
    assert all(text in ANSWER for claim in found.claims for text in claim.missing)


def test_a_seq2seq_model_answers_with_a_word(tmp_path: Path) -> None:
    config = T5Config(
        vocab_size=len(SPECIAL) + len(WORDS),
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=4,
    )
    folder = saved(tmp_path, T5ForConditionalGeneration(config))
    (found,) = opened(folder).check([entailment(ANSWER, *PASSAGES)])
    model = T5ForConditionalGeneration.from_pretrained(folder).eval()
    made = tokenizer()
    shares = []
    for passage in PASSAGES:
        encoded = made(f"predict: {passage}</s>{CLAIMS[0]}", return_tensors="pt")
        del encoded["token_type_ids"]
        with torch.inference_mode():
            logits = model(**encoded, decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
        one, zero = (made.convert_tokens_to_ids(word) for word in "10")
        shares.append(float(torch.softmax(logits[[one, zero]], dim=0)[0]))
    assert found.claims[0].probability == pytest.approx(max(shares), abs=1e-5)


def test_code_of_a_model_runs_only_when_the_file_says_so(tmp_path: Path) -> None:
    folder = classifier(tmp_path, "no", "yes")
    with pytest.warns(UserWarning, match="code that comes with the model is run"):
        opened(folder, trust_remote_code=True)


def test_a_head_that_is_in_no_file_is_not_made_up(tmp_path: Path) -> None:
    """As where the folder says that it is a classifier and holds what it was made from."""
    folder = classifier(tmp_path, "contradiction", "neutral", "entailment")
    file = folder / "model.safetensors"
    body = {name: t for name, t in load_file(file).items() if not name.startswith("classifier.")}
    save_file(body, file, metadata={"format": "pt"})
    with pytest.raises(BakeoffError, match=r"its files lack 2 tensors, such as classifier\.bias"):
        opened(folder)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    with pytest.raises(BakeoffError, match="BertModel; a verifier is"):
        opened(tmp_path)
