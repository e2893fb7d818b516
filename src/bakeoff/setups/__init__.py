"""What answers: models with and without retrieval and tuning, put together."""
