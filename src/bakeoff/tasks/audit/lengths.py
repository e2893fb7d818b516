"""How long prompts are, beside the context window they must fit into."""

from __future__ import annotations

from bakeoff.core.words import Sample
from bakeoff.spec.benchmark import Suite
from bakeoff.tasks.audit.finding import Finding, counted
from bakeoff.tasks.load import Task

CHARACTERS = 4
"""Characters taken for a token: no tokenizer is loaded."""


def lengths(task: Task, suite: Suite, window: int | None) -> list[Finding]:
    """The estimated tokens of test prompts with passages and answer, and those over `window`."""
    setups = [s.retrieve for s in suite.setups.values() if s.retrieve and s.takes(task.name)]
    passages = max((retrieve.context_tokens for retrieve in setups), default=0)
    tokens = {s.id: _tokens(s, task, bool(passages)) for s in task.population}
    around = passages + task.file.max_tokens
    ranked = sorted(tokens.values())
    longest = max(tokens, key=lambda name: tokens[name])
    note = (
        f"about {ranked[len(ranked) // 2]} tokens in the middle and {ranked[-1]} at most "
        f"({longest}), at {CHARACTERS} characters a token, an estimate; passages up to "
        f"{passages} and the answer up to {task.file.max_tokens} come on top"
    )
    if window is None:
        about, n = "test prompts were measured", len(tokens)
        return [Finding(name="prompt_lengths", about=about, count=n, of=n, note=note)]
    over = [name for name, count in tokens.items() if count + around > window]
    about = f"test prompts, with passages and answer, may not fit into {window} tokens"
    return [counted("over_window", about, over, len(tokens), note=note, grave=True)]


def _tokens(sample: Sample, task: Task, passages: bool) -> int:
    file = task.file
    system, prompt = (text.format(**sample.fields) for text in (file.system, file.prompt))
    if passages:
        prompt = file.with_passages.format(passages="", prompt=prompt)
    return -(-(len(system) + len(prompt)) // CHARACTERS)
