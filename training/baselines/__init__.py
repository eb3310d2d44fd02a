"""The baselines that the paper compares with."""
