"""Task checkpoints -> a new model repository."""
