"""Words, tables and errors that every other room uses."""
