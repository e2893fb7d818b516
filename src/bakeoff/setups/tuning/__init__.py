"""Weights tuned on answers only, kept by content, proved to act. The door to peft."""
