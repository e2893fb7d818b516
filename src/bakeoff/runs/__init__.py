"""A run's folder: journals, samples, scores and the manifest."""

MANIFEST = "manifest.json"
"""The file that makes a folder the folder of a run."""
