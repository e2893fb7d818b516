"""Gates: their language, the evidence of a run, verdicts, baselines, power."""
