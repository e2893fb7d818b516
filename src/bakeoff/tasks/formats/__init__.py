"""The formats of row and document files: one module for each."""
