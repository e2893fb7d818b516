"""Documents split, indexed and searched."""
