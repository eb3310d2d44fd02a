"""The search for L and l of one task: its trials, its baselines and its result."""
