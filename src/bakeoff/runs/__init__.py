"""A run's folder: journals, samples, scores and the manifest."""
