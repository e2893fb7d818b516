"""Scores compared: estimates with intervals, paired differences, latency, nights."""
