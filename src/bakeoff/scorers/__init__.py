"""The scorers that come with bakeoff; importing this package registers them."""

from bakeoff.scorers import evidence, labels, rules, structure, support, text

__all__ = ["evidence", "labels", "rules", "structure", "support", "text"]
