"""Tasks loaded from their files: rows, documents, samples, and what an audit finds in them."""
