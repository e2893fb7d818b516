"""What a team had before language models: TF-IDF and logistic regression, as a `call:` setup."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakeoff.core.words import Sample
    from bakeoff.tasks.load import Task


def answer(sample: "Sample", task: "Task") -> str:
    """The label of the most probable class, from the task's own training rows."""
    texts = tuple((s.question, s.targets[0]) for s in task.train)
    return str(_trained(texts).predict([sample.question])[0])


@functools.cache
def _trained(rows: tuple[tuple[str, str], ...]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=20, max_iter=500),
    )
    return model.fit([text for text, _ in rows], [label for _, label in rows])
