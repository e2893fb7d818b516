"""A finished run as tables: one set of them, for a terminal, Markdown, CSV and the page."""
