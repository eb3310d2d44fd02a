"""The watch over a Triton: whether each model works, and how one is brought back that does not."""
