"""The files that people write: benchmarks, tasks, recipes, gates."""
