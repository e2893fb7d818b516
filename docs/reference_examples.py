"""What docs/make_reference.py shows of each part of a file: its place, and examples of its fields.

An example is a part of a file of its kind: with what `LEAST` has beside it, it loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = """# Reference: task, benchmark, gates, prices and needs files

<!-- Made by docs/make_reference.py. -->

Every field of every file, made from the models that read them. Files are YAML, read strictly: an
unknown or repeated field is an error, and all errors of a file are listed at once. Paths are
relative to the file that names them. `docs/schema/` has the same as JSON Schema;
`bakeoff schema task` prints it. With this first line, an editor with YAML support checks the file
while it is written:

```yaml
# yaml-language-server: $schema=../docs/schema/benchmark.json
```"""

LEAST: Mapping[str, str] = {
    "task": "{description: Questions., rows: {test: test.jsonl}, scorers: [contains]}",
    "benchmark": "{tasks: [returns], setups: {base: {}}}",
    "gates": "{gates: [rate(*.error) <= 0.01]}",
    "prices": "{prices: v1, dated: 2026-11-01, currency: EUR, models: {a: {per_request: 0}}}",
    "needs": "{}",
}
"""What a file of a kind needs at least."""

PLACES: Mapping[str, str] = {
    "Rows": "rows",
    "Source": "rows.test, rows.train",
    "CorpusFile": "corpora.NAME",
    "Refusal": "refusal",
    "Rule": "rules",
    "Tune": "tune",
    "Pretraining": "tune.cpt",
    "Raft": "tune.raft",
    "Distillation": "tune.distill",
    "Sweep": "tune.sweep",
    "Retrieve": "retrieve",
    "Noise": "retrieve.noise",
    "Forced": "dtype.force",
    "EngineSpec": "engine",
    "Endpoint": "endpoints.NAME",
    "Price": "endpoints.NAME.price",
    "VerifierSpec": "verifiers.NAME",
    "TaskUse": "tasks.NAME",
    "Setup": "setups.NAME",
    "Service": "setups.NAME.endpoint",
    "Route": "setups.NAME.route",
    "Latency": "latency",
    "Limits": "limits",
    "Policy": "policy",
    "Gate": "gates",
    "ModelPrice": "models.NAME, setups.NAME",
    "WorkPrice": "training, embedding",
    "Trained": "trained.NAME",
    "MachinePrice": "retrieval (prices)",
    "Hours": "hours.NAME",
    "Limit": "latency (needs)",
    "Budget": "budget",
}
"""Model of a part -> where it stands in a file."""

EXAMPLES: Mapping[str, Sequence[str]] = {
    "TaskFile": (
        """
description: Questions on our returns policy.
license: CC-BY-4.0
rows: {test: returns/test.jsonl, train: returns/train.jsonl}
on_overlap: drop
columns: {question: Frage, targets: Antwort}
corpora: {policy: {documents: returns/*.md}}
system: Answer in a few words. If you cannot know, reply - unknown.
prompt: "Question: {question}"
with_passages: "{passages}\\n\\n{prompt}"
before_passages: "{prompt}\\n\\n{passages}"
max_tokens: 24
normalization: strict
refusal: {say: unknown}
scorers: [contains, token_f1, right_refusal, "retrieval_recall(k=3)", faithfulness]
headline: token_f1
""",
        """
description: Customer messages, sorted into three queues.
rows: {test: tickets/test.csv}
answer: likelihood
labels: [billing, delivery, returns]
scorers: [accuracy, macro_f1]
""",
        """
description: Orders as JSON.
rows: {test: orders/test.jsonl}
json_schema: {type: object, required: [customer], properties: {customer: {type: string}}}
rules: [{name: short, words: [1, 80]}]
scorers: [field_f1, schema_valid, rules_kept]
""",
    ),
    "Rows": ("rows: {test: returns/test.jsonl, train: returns/train.jsonl}",),
    "Source": (
        """
rows:
  test: {files: returns/*.csv}
  train: {files: train.jsonl, adapt: "./rows.py::from_tickets", changes: updates/*.jsonl}
""",
        """
columns: {id: Nr, question: Frage, targets: Antwort, gold: Quelle, tags: "{topic: Thema}"}
rows:
  test: {files: fragen.csv, encoding: cp1252}
  train: {files: fragen.xlsx, sheet: Schulung}
""",
        """
rows: {test: {beir: scifact, split: test}}
""",
        """
rows:
  test: {files: squad/dev.parquet, columns: {targets: answers.text}}
  train: {files: squad.jsonl, columns: {targets: "answers[*].text"}}
""",
        """
rows:
  test: {hub: org/set, config: en, split: test, revision: 1a2b3c, local: set/*.csv, format: csv}
""",
    ),
    "CorpusFile": (
        """
corpora:
  policy: {documents: returns/*.md, changes: returns/new/*.md, removed: [old-form]}
  solved: {examples: train}
  attached: {rows: documents}
  wiki: {call: "./wiki.py::pages"}
  manual: {documents: [manual/**/*.html, manual/**/*.pdf, notes/*.txt], encoding: cp1252}
  articles: {documents: articles.jsonl, columns: {id: key, title: headline, text: body.plain}}
""",
    ),
    "Refusal": ("refusal: {say: unknown, phrases: [not stated, =unknown]}",),
    "Rule": (
        """
rules:
  - {name: names the form, match: 'R-\\d+'}
  - {name: no apology, forbid: '(?i)sorry'}
  - {name: short, words: [1, 30]}
""",
    ),
    "Suite": (
        """
name: returns
description: The four setups on the returns policy.
model: hf:Qwen/Qwen2.5-0.5B-Instruct
dtype: auto
seed: 7
batch_check: 8
batch_tokens: 8192
tune: {epochs: 4, rank: 16}
retrieve: {k: 3, chunk_words: 120}
tasks: [returns]
setups:
  base: {}
  fine-tuned: {tune: true}
  rag: {retrieve: true}
  hybrid: {tune: true, retrieve: true}
temperature: 0
repeats: 1
latency: {samples: 8}
limits: {errors: 1%}
policy: {alpha: 0.05}
gates:
  - hybrid.returns.contains >= rag.returns.contains - 0.05
  - rate(*.error) <= 0.01
""",
        """
endpoints: {local: {url: "http://localhost:8000/v1"}}
verifiers: {nli: {model: "hf:org/nli"}}
quantize: 4bit
device_map: auto
""",
        "engine: vllm",
    ),
    "EngineSpec": (
        """
engine:
  kind: vllm
  python: ~/envs/vllm/bin/python
  args: ["--max-model-len", "4096"]
  env: {CUDA_VISIBLE_DEVICES: "1"}
  start_s: 600
  concurrency: 32
  timeout_s: 300
""",
        """
engine:
  command: my-server --model {model} --name {name} --port {port} --adapters {adapters}
  health: /ready
  version: "7.2"
""",
    ),
    "Forced": ("dtype: {force: bfloat16}",),
    "Tune": (
        """
tune:
  method: lora
  rows: 400
  layers: 0.5
  rank: 16
  alpha: 32
  dropout: 0.05
  learning_rate: 0.001
  epochs: 4
  batch_size: 16
  open_book: 0.25
  validation: 0.05
  patience: 2
  processes: 2
  together: true
  sweep: {rank: [8, 16]}
""",
        """
setups:
  ready: {tune: {adapter: ./adapters/returns}}
  learns-documents: {tune: {cpt: {}}}
  reads-better: {tune: {raft: {}}, retrieve: true}
  teacher: {retrieve: true}
  pupil: {tune: {distill: {teacher: teacher}}}
  curve: {tune: {rows: [50, 100, 200]}}
""",
    ),
    "Pretraining": ("tune: {cpt: {paraphrases: 2, paraphraser: embedded}}",),
    "Raft": ("tune: {raft: {gold: 0.8, distractors: 2}}",),
    "Distillation": (
        """
setups:
  rag: {retrieve: true}
  pupil: {tune: {distill: {teacher: rag, min_score: 1, min_support: 0.5, cited: false}}}
""",
    ),
    "Sweep": (
        "tune: {sweep: {rank: [8, 16], learning_rate: [0.001, 0.002], epochs: [2, 4], budget: 6}}",
    ),
    "Retrieve": (
        """
retrieve:
  passages: retrieved
  retriever: fused
  embedder: embedded
  rerank: hf:org/cross-encoder
  candidates: 50
  k: 3
  split: sentences
  chunk_tokens: 200
  index: auto
  context_tokens: 640
  question: after
  corpus: {returns: policy}
""",
        """
retrieve: {split: words, chunk_words: 120, overlap_words: 24, noise: {passages: 5}}
""",
    ),
    "Noise": (
        """
retrieve:
  noise: {passages: 5, distractors: 0.4, order: shuffled, counterfactual: false, seed: 1}
""",
    ),
    "Endpoint": (
        """
endpoints:
  local:
    url: http://localhost:8000/v1
    api: chat
    api_key_env: LOCAL_KEY
    headers: {X-Team: search}
    concurrency: 16
    requests_per_minute: 500
    tokens_per_minute: 200000
    timeout_s: 60
    deadline_s: 600
    attempts: 6
    stream: latency
    extra: {top_p: 1}
    tokenizer: hf:org/model
    price: {prompt: 0.5, completion: 1.5}
setups:
  served: {model: "local:org/model"}
""",
    ),
    "Price": (
        "endpoints: {local: {url: 'http://localhost:8000/v1', price: {prompt: 1, completion: 2}}}",
    ),
    "VerifierSpec": (
        """
verifiers:
  nli:
    model: hf:org/nli
    supported: entailment
    threshold: 0.5
    max_tokens: 512
    trust_remote_code: false
  reader: {model: hf:org/t5, supported: "yes|no", template: "{passages}\\n{claim}?"}
""",
    ),
    "TaskUse": (
        """
tasks:
  - returns: {limit: 48, stratify: [answerable], tune: {epochs: 8}}
  - ../elsewhere/tickets.yaml
""",
    ),
    "Setup": (
        """
setups:
  base: {description: The model as it is.}
  large: {model: "hf:org/large", tune: true, retrieve: {k: 5}, tasks: [returns]}
  bot: {call: "../bot.py::answer", concurrency: 4}
  service: {endpoint: {url: "http://localhost:9000/ask"}}
  either: {route: {first: base, then: bot}}
""",
    ),
    "Service": (
        """
setups:
  service:
    endpoint:
      url: http://localhost:9000/ask
      api_key_env: SERVICE_KEY
      headers: {X-Team: search}
      request: {question: "{question}"}
      response: {text: answer, passages: sources}
      concurrency: 4
      requests_per_minute: 100
      tokens_per_minute: 100000
      timeout_s: 30
      deadline_s: 120
      attempts: 3
""",
    ),
    "Route": (
        """
setups:
  base: {}
  rag: {retrieve: true}
  routed: {route: {first: base, then: rag, when: unsure}}
""",
    ),
    "Latency": ("latency: {samples: 8, warmup: 1, concurrency: [4, 16]}",),
    "Limits": ("limits: {errors: 1%, seconds: 3600, tokens: 1000000, cost: 5}",),
    "Policy": (
        """
policy:
  alpha: 0.05
  mode: refute
  correction: holm
  on_inconclusive: warn
  on_missing: fail
  max_error_rate: 0.01
  min_coverage: 1
  pairing: same
  same: [model]
  min_agreement: 0.8
  cards: docs/scorers
  errors: worst
  confirm: 1
""",
    ),
    "Gate": (
        """
gates:
  - rate(*.error) <= 0.01
  - id: no-worse
    check: base.returns.contains >= baseline:base.returns.contains
    description: A pull request must not make answers worse.
    mode: refute
    severity: fail
    on_inconclusive: fail
  - {check: base.returns.contains >= 0.2, group_by: fact, force: true}
""",
    ),
    "Gates": ("policy: {mode: prove}\ngates: [rag.returns.contains >= 0.6]",),
    "Prices": (
        """
prices: v1
dated: 2026-11-01
currency: EUR
description: A small machine of our own.
models: {embedded: {per_hour: 0.2, machine: cpu}}
setups: {hybrid: {per_hour: 0.3, machine: cpu}}
retrieval: {per_hour: 0.1, machine: cpu}
training: {per_hour: 0.2, machine: cpu}
trained: {fine-tuned: {paid: 14.40}}
embedding: {per_million_tokens: 0.02}
index_gb_month: 0.1
engineer_hour: 80
hours: {rag: {up_front: [8, 40], per_update: 0.5}}
""",
    ),
    "Trained": ("trained: {fine-tuned: {paid: 14.40}, hybrid: {tokens: 1200000, seconds: 2400}}",),
    "ModelPrice": (
        """
models:
  local:org/model: {prompt: 0.5, cached: 0.05, cached_share: 0.6, completion: 1.5}
  embedded: {per_hour: 0.2, machine: cpu}
setups:
  service: {per_request: 0.002}
""",
    ),
    "WorkPrice": (
        "training: {per_hour: 2.5, machine: gpu}\nembedding: {per_million_tokens: 0.02}",
    ),
    "MachinePrice": ("retrieval: {per_hour: 0.1, machine: cpu}",),
    "Hours": ("engineer_hour: 80\nhours: {hybrid: {up_front: [16, 60], per_update: 2}}",),
    "Needs": (
        """
needs: v1
description: A help desk.
updates_per_month: 4
fresh_within_hours: 24
sources: required
format: false
top_accuracy: [returns]
volume_per_month: 20000
weights: {returns: 3, tickets: 1}
floors: {returns.contains: 0.6}
ceilings: {returns.wrong_refusal: 0.1}
latency: {seconds: 2, quantile: p95}
budget: {up_front: 5000, per_month: 400}
error_rate: 0.01
margin: 0.02
""",
    ),
    "Limit": ("latency: {seconds: 2, quantile: p95}",),
    "Budget": ("budget: {up_front: 5000, per_month: 400}",),
}
"""Model -> examples; together they have every field of it."""
