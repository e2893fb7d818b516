"""Weights tuned on answers only, kept by content, proved to act. Nothing else imports peft."""
