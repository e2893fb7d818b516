"""Answers scored: the scorers, and the models that scorers ask."""
