"""A run in the shared format of evaluation results, Every Eval Ever (schema 0.3.0)."""
