"""One run, many workers: the driver gives out chunks of samples, workers answer them."""
