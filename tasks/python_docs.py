"""The corpus of `python_docs`: the language reference topics of the running Python."""

from pydoc_data.topics import topics as _texts


def topics() -> dict[str, str]:
    """Topic key -> text."""
    return dict(_texts)
