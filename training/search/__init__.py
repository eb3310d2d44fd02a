"""The search for L and l of one task, its baselines in the same harness, and the result it leaves behind."""
