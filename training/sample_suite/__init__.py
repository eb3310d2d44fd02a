"""A small English data set for five tasks, written by a grammar instead of downloaded."""

from training.sample_suite.write import write_sample_suite

__all__ = ["write_sample_suite"]
