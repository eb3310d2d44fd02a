"""The baselines that the paper measures against."""
